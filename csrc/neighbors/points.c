#include "neighbors/points.h"

#include <math.h>

#include "core/matrix.h"
#include "core/sizes.h"

enum { PART = 512 }; /* features of a row that are converted at a time */

/* More than the rounding of a coordinate in float64, relative; and what underflow may take from a length. */
static const double ROUNDING = 0x1p-51, FLOOR = 0x1p-60;

/* The values of a row, less the centre, times the scale. */
static void take_row(const fc_matrix *M, size_t row, const float *centre, double scale, double *point) {
    double buffer[PART];
    for (size_t from = 0; from < M->cols; from += PART) {
        const size_t count = fc_smaller(PART, M->cols - from);
        const double *x = fc_row_part(M, row, from, count, FC_IN_f64, buffer);
        if (centre)
            for (size_t i = 0; i < count; i++) point[from + i] = (x[i] - (double)centre[from + i]) * scale;
        else
            for (size_t i = 0; i < count; i++) point[from + i] = x[i] * scale;
    }
}

/* The sum of gaps that a point's coordinates are from 0: four at a time, as additions wait for one another. */
static double gaps_of(fc_gap_kind kind, const double *point, size_t d) {
    double sum[4] = {0};
    size_t i = 0;
    for (; i + 4 <= d; i += 4)
        for (size_t l = 0; l < 4; l++) sum[l] = fc_add_gap(kind, sum[l], point[i + l]);
    for (; i < d; i++) sum[0] = fc_add_gap(kind, sum[0], point[i]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static int all_near(const double *point, size_t d) {
    int is_near = 1;
    for (size_t i = 0; i < d; i++) is_near &= fabs(point[i]) <= FC_POINT_FAR; /* false of NaN */
    return is_near;
}

static double largest(const double *v, size_t d) {
    double most = 0;
    for (size_t i = 0; i < d; i++) most = fabs(v[i]) > most ? fabs(v[i]) : most;
    return most;
}

/* Bring a point to length `scale`: by its largest value first, so that no square leaves the range.  False for zeros,
 * which stay as they are.
 */
static int bring_to_length(double *point, size_t d, double scale) {
    const double most = largest(point, d);
    double squares = 0;
    if (!(most > 0)) return 0;
    for (size_t i = 0; i < d; i++) squares += (point[i] / most) * (point[i] / most);
    const double length = sqrt(squares);
    for (size_t i = 0; i < d; i++) point[i] = point[i] / most / length * scale;
    return 1;
}

double fc_point_extent(const fc_space *s, const fc_matrix *M, size_t row) {
    double buffer[PART], most = 0;
    if (!s->metric->degree) return 1;
    for (size_t from = 0; from < M->cols; from += PART) {
        const size_t count = fc_smaller(PART, M->cols - from);
        const double *x = fc_row_part(M, row, from, count, FC_IN_f64, buffer);
        for (size_t i = 0; i < count; i++) {
            const double v = fabs(s->centre ? x[i] - (double)s->centre[from + i] : x[i]);
            most = v > most ? v : most;
        }
    }
    return most;
}

double fc_point_weight(const fc_matrix *M, size_t row) {
    double buffer[PART], most = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t from = 0; from < M->cols; from += PART) {
            const size_t count = fc_smaller(PART, M->cols - from);
            const double *x = fc_row_part(M, row, from, count, FC_IN_f64, buffer);
            if (pass == 0)
                most = fmax(most, largest(x, count));
            else
                for (size_t i = 0; i < count; i++) squares += (x[i] / most) * (x[i] / most);
        }
    return most > 0 ? 1 / sqrt(squares) / most : 0;
}

fc_placed fc_point(const fc_space *s, const fc_matrix *M, size_t row, double *point) {
    const size_t d = M->cols;
    const fc_gap_kind kind = fc_gaps_of(s->metric);
    if (!s->metric->degree) {
        take_row(M, row, NULL, 1, point);
        const int has_length = bring_to_length(point, d, s->scale);
        return (fc_placed){has_length ? s->scale : 0, has_length ? ((double)d + 16) * ROUNDING * s->scale : INFINITY};
    }
    take_row(M, row, s->centre, s->scale, point);
    const double length = fc_length_of_gaps(kind, gaps_of(kind, point, d));
    return (fc_placed){length, all_near(point, d) ? length * ROUNDING + FLOOR : INFINITY};
}
