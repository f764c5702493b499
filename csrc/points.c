#include "points.h"

#include <math.h>

#include "matrix.h"
#include "sizes.h"

enum { PART = 512 }; /* features of a row that are converted at a time */

/* More than the rounding of a coordinate in float64, relative; and what underflow may take from a length. */
static const double ROUNDING = 0x1p-51, FLOOR = 0x1p-60;

static void take_row(const fc_matrix *M, size_t row, double *point) {
    double room[PART];
    for (size_t from = 0; from < M->cols; from += PART) {
        const size_t count = fc_smaller(PART, M->cols - from);
        const double *x = fc_row_part(M, row, from, count, FC_f64, room);
        for (size_t i = 0; i < count; i++) point[from + i] = x[i];
    }
}

static double largest(const double *v, size_t d) {
    double most = 0;
    for (size_t i = 0; i < d; i++) most = fabs(v[i]) > most ? fabs(v[i]) : most;
    return most;
}

static void subtract(double *point, const float *centre, size_t d) {
    for (size_t i = 0; i < d; i++) point[i] -= (double)centre[i];
}

/* To length `scale`, by the largest value first, so that no square leaves the range; false of zeros, which stay. */
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
    double room[PART], most = 0;
    if (!s->metric->degree) return 1;
    for (size_t from = 0; from < M->cols; from += PART) {
        const size_t count = fc_smaller(PART, M->cols - from);
        const double *x = fc_row_part(M, row, from, count, FC_f64, room);
        for (size_t i = 0; i < count; i++) {
            const double v = fabs(s->centre ? x[i] - (double)s->centre[from + i] : x[i]);
            most = v > most ? v : most;
        }
    }
    return most;
}

double fc_point_weight(const fc_matrix *M, size_t row) {
    double room[PART], most = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t from = 0; from < M->cols; from += PART) {
            const size_t count = fc_smaller(PART, M->cols - from);
            const double *x = fc_row_part(M, row, from, count, FC_f64, room);
            if (pass == 0)
                most = fmax(most, largest(x, count));
            else
                for (size_t i = 0; i < count; i++) squares += (x[i] / most) * (x[i] / most);
        }
    return most > 0 ? 1 / sqrt(squares) / most : 0;
}

double fc_point(const fc_space *s, const fc_matrix *M, size_t row, double *point) {
    const size_t d = M->cols;
    const fc_gap_kind kind = fc_gaps_of(s->metric);
    take_row(M, row, point);
    if (!s->metric->degree)
        return bring_to_length(point, d, s->scale) ? ((double)d + 16) * ROUNDING * s->scale : INFINITY;
    if (s->centre) subtract(point, s->centre, d);
    double sum = 0;
    int is_near = 1;
    for (size_t i = 0; i < d; i++) {
        point[i] *= s->scale;
        is_near &= fabs(point[i]) <= FC_POINT_FAR; /* false of NaN */
        sum = fc_add_gap(kind, sum, point[i]);
    }
    return is_near ? fc_length_of_gaps(kind, sum) * ROUNDING + FLOOR : INFINITY;
}
