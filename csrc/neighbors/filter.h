/* filter.h -- what a tile's accumulators prove about distances.
 *
 * The filter may compute in any arithmetic: it only bounds distances, and prunes pairs that cannot matter.
 */
#ifndef FASTCLF_FILTER_H
#define FASTCLF_FILTER_H

#include "neighbors/refine.h"
#include "neighbors/topk.h"

typedef struct {
    const fc_metric_row *metric;
    const fc_tile *tile;
    fc_arithmetic in;
    double g;                 /* metrics.h's g: of the accumulated values */
    double g_pruning;         /* with the rounding of pruning itself */
    double threshold_stretch; /* > 1, for the rounding of the threshold */
    double from_q, from_x;    /* the tile's; products of values that are moved need others, */
    double added;             /* and a constant: sum (q - m)(x - m) = sum q x - m sum q - m sum x + m^2 d */
} fc_filter;

fc_filter fc_filter_for(const fc_pairs *pairs);

/* The largest error of an inner product over d features, as a share of the product of the vectors' lengths. */
double fc_filter_error(fc_arithmetic in, const fc_tile *tile, size_t d);

/* The pruning terms of one row or query at place i of the arrays; see fc_pruning. */
void fc_filter_row_terms(const fc_filter *f, const fc_sums *x, size_t i, void *A, void *E, int32_t *Ix);
void fc_filter_query_terms(const fc_filter *f, const fc_sums *q, double threshold, size_t i, void *B, void *T,
                           int32_t *Iq);

/* Surviving pairs, as pruning lists them, of rows from `row` on with a panel's queries. */
typedef struct {
    const void *acc;
    const uint32_t *survivors;
    size_t count, row;
    const fc_sums *q, *x; /* of the panel's lanes, and of the rows */
} fc_survivors;

enum { FC_PAIRS_AT_ONCE = 64 };

/* Bound the distances of pairs `from`, from + 1, ... by their accumulators, at most FC_PAIRS_AT_ONCE; how many. */
size_t fc_filter_bounds(const fc_filter *f, const fc_survivors *p, size_t from, fc_candidate *out);

/* The centre in the dtype of the arithmetic: *taken is the caller's, a copy that is to be freed as *owned, or none.
 * False without memory. */
int fc_filter_centre(const fc_pairs *pairs, const float *centre, const void **taken, double **owned);

#endif
