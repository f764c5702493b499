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
    const void *centre;   /* in that dtype, or NULL */
    double g;             /* FC_METRICS' error of the accumulated values */
    double g_sieve;       /* with the sieve's own rounding */
    double limit_stretch; /* > 1, for the rounding of the limit */
} fc_filter;

/* `centre` of d values in the filter's dtype must outlive it. */
fc_filter fc_filter_for(const fc_pairs *pairs, const void *centre);

/* Features [from, from + count) of a row into cells, and their sums added to `sums`. */
void fc_filter_load(const fc_filter *f, const fc_matrix *M, size_t row, size_t from, size_t count, char *cells,
                    fc_sums *sums);

/* The sieve's terms of one row or query at place i of their arrays; see fc_sieve. */
void fc_filter_row_terms(const fc_filter *f, const fc_sums *x, size_t i, void *A, void *E, int32_t *Ix);
void fc_filter_query_terms(const fc_filter *f, const fc_sums *q, double limit, size_t i, void *B, void *T, int32_t *Iq);

/* What accumulator `i` of an array says of the distance between q and x, which is row `row`. */
fc_candidate fc_filter_bounds(const fc_filter *f, const void *acc, size_t i, const fc_sums *q, const fc_sums *x,
                              size_t row);

/* Bytes of an accumulator, and of a sieve's value. */
static inline size_t fc_value_size(fc_dtype dtype) { return dtype == FC_f64 ? sizeof(double) : sizeof(float); }

#endif
