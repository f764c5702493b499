/* refine.c -- sums over features in float64, in one order on every machine: FC_LANES partial sums, folded in halves. */
#include "refine.h"

#include <float.h>
#include <math.h>

#include "matrix.h"

/* Features of a row that are converted at a time: a multiple of FC_LANES. */
enum { PART = 512 };

typedef struct {
    const fc_matrix *matrix;
    size_t row;
} operand;

static double fold(double *lanes) {
    _Static_assert(FC_LANES == 16, "four halvings");
    for (int l = 0; l < 8; l++) lanes[l] += lanes[l + 8];
    for (int l = 0; l < 4; l++) lanes[l] += lanes[l + 4];
    for (int l = 0; l < 2; l++) lanes[l] += lanes[l + 2];
    return lanes[0] + lanes[1];
}

/* In parts that are converted on their way. */
static double sum_converted(const fc_kernels *kernels, fc_pair_kind kind, fc_dtype dtype, operand a, operand b) {
    double lanes[FC_LANES] = {0}, room_a[PART], room_b[PART];
    const size_t d = a.matrix->cols;
    for (size_t from = 0; from < d; from += PART) {
        const size_t count = d - from < PART ? d - from : PART;
        kernels->pair[kind][dtype](lanes, fc_row_part(a.matrix, a.row, from, count, dtype, room_a),
                                   fc_row_part(b.matrix, b.row, from, count, dtype, room_b), count);
    }
    return fold(lanes);
}

static double sum_pair(const fc_kernels *kernels, fc_pair_kind kind, fc_dtype dtype, operand a, operand b) {
    double lanes[FC_LANES] = {0};
    const size_t row_bytes = a.matrix->cols * fc_dtype_size(dtype);
    if (a.matrix->dtype != dtype || b.matrix->dtype != dtype) return sum_converted(kernels, kind, dtype, a, b);
    kernels->pair[kind][dtype](lanes, (const char *)a.matrix->data + a.row * row_bytes,
                               (const char *)b.matrix->data + b.row * row_bytes, a.matrix->cols);
    return fold(lanes);
}

double fc_query_squares(const fc_pairs *p, size_t query) {
    const operand q = {&p->Q, query};
    return p->metric->refine == FC_PAIR_product ? sum_pair(p->kernels, FC_PAIR_product, p->dtype, q, q) : 0;
}

/* Squares of float64 values may leave the range of float64 where the distance itself does not: then scale by a power of
 * two, which is exact, and sum in plain order.
 */
static double value(operand a, size_t i) {
    double room;
    return *(const double *)fc_row_part(a.matrix, a.row, i, 1, FC_f64, &room);
}

static int exponent_of_largest(operand a, const operand *minus) {
    double largest = 0;
    for (size_t i = 0; i < a.matrix->cols; i++)
        largest = fmax(largest, fabs(value(a, i) - (minus ? value(*minus, i) : 0)));
    return largest > 0 && largest <= DBL_MAX ? ilogb(largest) : 0;
}

static double scaled_sqdiff(const fc_pairs *p, operand q, operand x) {
    const int e = exponent_of_largest(q, &x);
    double s = 0;
    for (size_t i = 0; i < q.matrix->cols; i++) {
        const double t = ldexp(value(q, i) - value(x, i), -e);
        s += t * t;
    }
    return ldexp(p->metric->distance(s, 0, 0), e * p->metric->degree);
}

/* Each vector scaled by itself: the distance must not depend on their lengths. */
static double scaled_sum(operand a, operand b) {
    const int ea = exponent_of_largest(a, NULL), eb = exponent_of_largest(b, NULL);
    double s = 0;
    for (size_t i = 0; i < a.matrix->cols; i++) s += ldexp(value(a, i), -ea) * ldexp(value(b, i), -eb);
    return s;
}

static double scaled_product(const fc_pairs *p, operand q, operand x) {
    return p->metric->distance(scaled_sum(q, x), scaled_sum(q, q), scaled_sum(x, x));
}

/* Squares sum well inside the normal range, with room for the product of two such sums. */
static int safe(double squares) { return squares > 1e-140 && squares < 1e140; }

double fc_refine(const fc_pairs *p, size_t query, double qq, size_t row) {
    const operand q = {&p->Q, query}, x = {&p->X, row};
    const fc_dtype dtype = p->dtype;
    const fc_pair_kind kind = p->metric->refine;
    const double s = sum_pair(p->kernels, kind, dtype, q, x);
    const double xx = kind == FC_PAIR_product ? sum_pair(p->kernels, kind, dtype, x, x) : 0;
    if (dtype == FC_f64 && kind == FC_PAIR_sqdiff && !safe(s)) return scaled_sqdiff(p, q, x);
    if (dtype == FC_f64 && kind == FC_PAIR_product && !(safe(qq) && safe(xx))) return scaled_product(p, q, x);
    return p->metric->distance(s, qq, xx);
}
