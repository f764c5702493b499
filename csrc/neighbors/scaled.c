#include "neighbors/scaled.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/matrix.h"
#include "core/sizes.h"

int fc_scaled_exponent(fc_row v) {
    double buffer[FC_SCALED_PART], largest = 0;
    for (size_t from = 0; from < v.matrix->cols; from += FC_SCALED_PART) {
        const size_t count = fc_smaller(FC_SCALED_PART, v.matrix->cols - from);
        const double *part = fc_row_part(v.matrix, v.row, from, count, FC_IN_f64, buffer);
        for (size_t i = 0; i < count; i++) largest = fabs(part[i]) > largest ? fabs(part[i]) : largest;
    }
    if (!(largest > 0 && largest <= DBL_MAX)) return 0;
    const int exponent = ilogb(largest);
    return exponent < -1022 ? -1022 : exponent > 1022 ? 1022 : exponent;
}

/* out = part * 2^-exponent; returns whether a value was rounded. */
static int scale(const double *part, size_t count, int exponent, double *out) {
    const double factor = ldexp(1, -exponent), back = ldexp(1, exponent);
    int lost = 0;
    for (size_t i = 0; i < count; i++) {
        const double value = part[i];
        out[i] = value * factor;
        lost |= out[i] * back != value;
    }
    return lost;
}

int fc_scaled_take(fc_scaled v, size_t from, size_t count, double *out) {
    const double *part = fc_row_part(v.of.matrix, v.of.row, from, count, FC_IN_f64, out);
    for (size_t i = count; i % FC_LANES; i++) out[i] = 0;
    if (v.exponent) return scale(part, count, v.exponent, out);
    if (part != out) memcpy(out, part, count * sizeof *out);
    return 0;
}
