/* filter.h -- what a tile's accumulators prove about distances.
 *
 * The filter may compute in any arithmetic: it only says between which bounds a distance lies, and which pairs cannot
 * matter.
 */
#ifndef FASTCLF_FILTER_H
#define FASTCLF_FILTER_H

#include "refine.h"
#include "topk.h"

typedef struct {
    const fc_metric_row *metric;
    const fc_tile *tile;
    fc_dtype dtype;       /* of the arithmetic */
    double g;             /* FC_METRICS' error of the accumulated values */
    double g_sieve;       /* with the sieve's own rounding */
    double limit_stretch; /* > 1, for the rounding of the limit */
} fc_filter;

fc_filter fc_filter_for(const fc_pairs *pairs);

/* The largest error of an inner product over d features, as a share of the product of the vectors' lengths. */
double fc_filter_error(fc_dtype dtype, const fc_tile *tile, size_t d);

/* The sieve's terms of one row or query at place i of their arrays; see fc_sieve. */
void fc_filter_row_terms(const fc_filter *f, const fc_sums *x, size_t i, void *A, void *E, int32_t *Ix);
void fc_filter_query_terms(const fc_filter *f, const fc_sums *q, double limit, size_t i, void *B, void *T, int32_t *Iq);

/* Pairs that passed, as a sieve lists them, of rows from `row` on with a panel's queries. */
typedef struct {
    const void *acc;
    const uint32_t *passed;
    size_t count, row;
    const fc_sums *q, *x; /* of the panel's lanes, and of the rows */
} fc_passed;

enum { FC_PAIRS_AT_ONCE = 64 };

/* What their accumulators say of the distances of pairs `from`, from + 1, ..., at most FC_PAIRS_AT_ONCE; how many. */
size_t fc_filter_bounds(const fc_filter *f, const fc_passed *p, size_t from, fc_candidate *out);

/* The centre in the dtype of the arithmetic: the caller's, a copy that *owned is to free, or none; false without
 * memory. */
int fc_filter_centre(const fc_pairs *pairs, const float *centre, const void **taken, double **owned);

#endif
