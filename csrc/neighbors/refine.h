/* refine.h -- the reported distance of one pair of rows: the exact one, rounded to nearest.
 *
 * Within searches the least distance is the nearest.  An inner product has its sign changed there (FC_FORM_minus), and
 * gets it back where it is written to the caller: fc_reported.
 */
#ifndef FASTCLF_REFINE_H
#define FASTCLF_REFINE_H

#include "neighbors/exact.h"
#include "neighbors/metric.h"

typedef struct {
    const fc_metric_row *metric;
    const fc_kernels *kernels;
    fc_matrix Q, X;
    fc_arithmetic in; /* fc_common_arithmetic */
} fc_pairs;

/* With `bytes`, the values are known to be bytes. */
fc_pairs fc_pairs_of(const fc_metric_row *metric, fc_matrix Q, fc_matrix X, int bytes);

/* A distance as callers know it; 0 has no sign. */
static inline double fc_reported(const fc_pairs *pairs, double distance) {
    return pairs->metric->form == FC_FORM_minus ? 0 - distance : distance;
}

/* What refining needs to know of one vector, a row of Q or X: its sum of squares where the metric uses it. */
fc_sum fc_squares_of(const fc_pairs *pairs, const fc_matrix *M, size_t row);
static inline fc_sum fc_query_squares(const fc_pairs *pairs, size_t query) {
    return fc_squares_of(pairs, &pairs->Q, query);
}

/* The reported distance, but for its sign. */
double fc_refine_by(const fc_pairs *pairs, size_t query, fc_sum query_squares, size_t row, fc_sum row_squares);
static inline double fc_refine(const fc_pairs *pairs, size_t query, fc_sum query_squares, size_t row) {
    return fc_refine_by(pairs, query, query_squares, row, fc_squares_of(pairs, &pairs->X, row));
}

/* The reported distances of up to FC_PANEL rows; `distance` has space for FC_PANEL. */
void fc_refine_rows(const fc_pairs *pairs, size_t query, fc_sum query_squares, const uint32_t *rows, size_t n,
                    double *distance);

/* Whether products are to be made up for FC_MOVED. */
static inline int fc_moves_products(const fc_pairs *pairs) {
    return pairs->in == FC_IN_u8 && pairs->Q.dtype == FC_i8 && pairs->metric->pair == FC_PAIR_product;
}

/* Whether the reported distances order all rows.  If not, rows at the same reported distance may differ in the exact
 * one.
 */
static inline int fc_orders_all(const fc_pairs *pairs) {
    return pairs->in == FC_IN_u8 && pairs->metric->form != FC_FORM_angle;
}

/* Which of two rows at the same reported distance is nearer: -1 for a, 1 for b, 0 for neither. */
int fc_order_at(const fc_pairs *pairs, size_t query, fc_sum query_squares, size_t a, size_t b);

/* Bounds on a distance that cost less: it is in [low, low + slack].  Slack 0: low is what is reported.  Infinite slack
 * bounds nothing, and low may then be -inf.
 */
typedef struct {
    double low;
    float slack;
} fc_bounds;

fc_bounds fc_estimate(const fc_pairs *pairs, size_t query, fc_sum query_squares, size_t row);

#endif
