/* refine.h -- the reported distance of one pair of rows: the exact one, rounded to nearest. */
#ifndef FASTCLF_REFINE_H
#define FASTCLF_REFINE_H

#include "exact.h"
#include "metric.h"

typedef struct {
    const fc_metric_row *metric;
    const fc_kernels *kernels;
    fc_matrix Q, X;
    fc_dtype dtype; /* to compute in: fc_common_dtype */
} fc_pairs;

/* What refining needs to know of one vector, a row of Q or X: its sum of squares where the metric uses it. */
fc_sum fc_squares_of(const fc_pairs *pairs, const fc_matrix *M, size_t row);
static inline fc_sum fc_query_squares(const fc_pairs *pairs, size_t query) {
    return fc_squares_of(pairs, &pairs->Q, query);
}

/* The reported distance. */
double fc_refine_by(const fc_pairs *pairs, size_t query, fc_sum query_squares, size_t row, fc_sum row_squares);
static inline double fc_refine(const fc_pairs *pairs, size_t query, fc_sum query_squares, size_t row) {
    return fc_refine_by(pairs, query, query_squares, row, fc_squares_of(pairs, &pairs->X, row));
}

/* Whether the reported distances order all rows: else rows at the same one may be nearer and farther. */
static inline int fc_orders_all(const fc_pairs *pairs) {
    return pairs->dtype == FC_u8 && pairs->metric->refine != FC_PAIR_product;
}

/* Which of two rows at the same reported distance is nearer: -1 for a, 1 for b, 0 for neither. */
int fc_order_at(const fc_pairs *pairs, size_t query, fc_sum query_squares, size_t a, size_t b);

/* Bounds on a distance that cost less: it is in [low, low + slack].  Slack 0: low is what is reported. */
typedef struct {
    double low;
    float slack;
} fc_bounds;

fc_bounds fc_estimate(const fc_pairs *pairs, size_t query, fc_sum query_squares, size_t row);

#endif
