/* centre.c -- the middle of some rows: the median of each feature in a sample. */
#include <float.h>
#include <stdlib.h>

#include "core/matrix.h"
#include "core/sizes.h"

enum {
    MOST_ROWS = 255,
    MOST_VALUES = 1 << 17, /* of the sample */
    COLS = 32              /* at a time */
};

static size_t sample_rows(const fc_matrix *X, size_t most) {
    const size_t rows = fc_smaller(fc_smaller(most, MOST_ROWS), fc_smaller(MOST_VALUES / X->cols, X->rows));
    return rows ? rows : 1;
}

/* Hoare's selection: v[k] as if v were sorted. */
static double kth(double *v, int n, int k) {
    for (int low = 0, high = n - 1; low < high;) {
        const double pivot = v[k];
        int i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (pivot < v[j]) j--;
            if (i <= j) {
                const double moved = v[i];
                v[i++] = v[j];
                v[j--] = moved;
            }
        }
        if (j < k) low = i;
        if (k < i) high = j;
    }
    return v[k];
}

/* Half of float's range: differences from it are finite in float. */
static float clamped(double v) {
    const double most = FLT_MAX / 2;
    return (float)(v >= -most ? v <= most ? v : most : -most);
}

fc_status fc_centre(fc_matrix X, size_t most, float *centre) {
    if ((unsigned)X.dtype >= FC_DTYPE_COUNT || !X.rows || !X.cols) return FC_BAD_ARGUMENT;
    const size_t rows = sample_rows(&X, most), step = X.rows / rows;
    double values[COLS][MOST_ROWS], part[COLS];
    for (size_t from = 0; from < X.cols; from += COLS) {
        const size_t count = fc_smaller(COLS, X.cols - from);
        for (size_t r = 0; r < rows; r++) {
            const double *x = fc_row_part(&X, r * step, from, count, FC_IN_f64, part);
            for (size_t c = 0; c < count; c++) values[c][r] = x[c];
        }
        for (size_t c = 0; c < count; c++) centre[from + c] = clamped(kth(values[c], (int)rows, (int)rows / 2));
    }
    return FC_OK;
}
