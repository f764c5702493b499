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

/* Squares of float64 values may leave the range of float64 where the distance itself does not: then they are taken of
 * values scaled by a power of two, which is exact, and summed in the same order.
 */
typedef struct {
    operand of;
    const operand *minus; /* or NULL */
    int exponent;         /* divided by two to this power */
} scaled;

static void scaled_part(scaled v, size_t from, size_t count, double *out) {
    double room_a[PART], room_b[PART];
    const double *a = fc_row_part(v.of.matrix, v.of.row, from, count, FC_f64, room_a), *b = NULL;
    if (v.minus) b = fc_row_part(v.minus->matrix, v.minus->row, from, count, FC_f64, room_b);
    for (size_t i = 0; i < count; i++) out[i] = b ? a[i] - b[i] : a[i];
    for (size_t i = 0; i < count && v.exponent; i++) out[i] = ldexp(out[i], -v.exponent);
}

/* With the exponent that brings its largest value near one. */
static scaled scale(operand of, const operand *minus) {
    scaled v = {of, minus, 0};
    double largest = 0, part[PART];
    const size_t d = of.matrix->cols;
    for (size_t from = 0; from < d; from += PART) {
        const size_t count = d - from < PART ? d - from : PART;
        scaled_part(v, from, count, part);
        for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(part[i]));
    }
    if (largest > 0 && largest <= DBL_MAX) v.exponent = ilogb(largest);
    return v;
}

static int is_zero(operand v) {
    double room[PART];
    const size_t d = v.matrix->cols;
    int nonzero = 0;
    for (size_t from = 0; from < d && !nonzero; from += PART) {
        const size_t count = d - from < PART ? d - from : PART;
        const double *part = fc_row_part(v.matrix, v.row, from, count, FC_f64, room);
        for (size_t i = 0; i < count; i++) nonzero |= part[i] != 0;
    }
    return !nonzero;
}

static double sum_scaled(const fc_kernels *kernels, scaled a, scaled b) {
    double lanes[FC_LANES] = {0}, part_a[PART], part_b[PART];
    const size_t d = a.of.matrix->cols;
    for (size_t from = 0; from < d; from += PART) {
        const size_t count = d - from < PART ? d - from : PART;
        scaled_part(a, from, count, part_a);
        scaled_part(b, from, count, part_b);
        kernels->pair[FC_PAIR_product][FC_f64](lanes, part_a, part_b, count);
    }
    return fold(lanes);
}

static double scaled_sqdiff(const fc_pairs *p, operand q, operand x) {
    const scaled t = scale(q, &x);
    return ldexp(p->metric->distance(sum_scaled(p->kernels, t, t), 0, 0), t.exponent * p->metric->degree);
}

/* Each vector is scaled by itself: the distance must not depend on their lengths. */
static double scaled_product(const fc_pairs *p, operand q, operand x) {
    if (is_zero(q) || is_zero(x)) return p->metric->distance(0, 0, 0);
    const scaled a = scale(q, NULL), b = scale(x, NULL);
    return p->metric->distance(sum_scaled(p->kernels, a, b), sum_scaled(p->kernels, a, a),
                               sum_scaled(p->kernels, b, b));
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
