/* topk.h -- the k nearest so far of one query; distances may be known only within bounds.
 *
 * The order is (exact distance, row): among equal distances the lower row wins.  A row offered with slack 0 at the
 * threshold loses to the rows before it, unless `in_any_order` says that rows do not come in ascending order.  That is
 * right as slack 0 is offered only where distances order all rows (fc_orders_all), and for seeds (block.c), where any
 * order will do.
 */
#ifndef FASTCLF_TOPK_H
#define FASTCLF_TOPK_H

#include <math.h>

#include "core/once.h"
#include "neighbors/refine.h"
#include "core/threads.h"

/* A row whose distance is in [low, low + slack]; slack 0 means that low is the distance, as refined. */
typedef struct {
    double low;
    float slack;
    uint32_t row;
} fc_candidate;

/* low + slack, where low may be -inf. */
static inline double fc_most_of(fc_candidate c) { return c.slack < INFINITY ? c.low + (double)c.slack : INFINITY; }

typedef struct {
    fc_candidate *items;
    size_t count, capacity, k;
    size_t sorted;    /* how many of the first items are resolved and in order */
    double threshold; /* k rows are no farther, but for its rounding; +inf at first */
    int in_any_order;
} fc_topk;

/* What resolving needs: the query, scratch of `capacity` doubles, where to count refined rows, and the team to ask
 * whether to stop.
 */
typedef struct {
    const fc_pairs *pairs;
    size_t query;
    fc_sum query_squares;
    double *scratch, *refined;
    fc_team *team;
    int thread;
} fc_resolve;

/* Items are gathered until they fill the capacity, which is k and at least `spare` more.  Then those farther than a
 * threshold, about the k-th best, are dropped, in time O(capacity).
 */
static inline size_t fc_topk_capacity(size_t k, size_t spare) { return k + (k < spare ? spare : k > 1024 ? 1024 : k); }

/* A limit of fc_search as a threshold. */
static inline double fc_limit_of(const fc_pairs *pairs, const double *limit, size_t query) {
    const double threshold = limit ? fc_reported(pairs, FC_ONCE(limit[query])) : INFINITY;
    return isnan(threshold) ? INFINITY : threshold;
}

/* Begin with no rows; `items` has space for `capacity`. */
void fc_topk_start(fc_topk *top, fc_candidate *items, size_t k, size_t capacity);

/* Forget the rows, but keep the threshold that they set; all rows are to be offered again. */
void fc_topk_restart(fc_topk *top, size_t k, size_t capacity, const fc_resolve *resolve);

/* Add a row if it may be among the nearest; count < capacity before.  Returns whether the capacity is now full. */
static inline int fc_topk_offer(fc_topk *top, fc_candidate candidate) {
    if (candidate.low > top->threshold) return 0;
    const int is_resolved = candidate.slack == 0;
    if (candidate.low == top->threshold && is_resolved && top->count >= top->k && !top->in_any_order) return 0;
    top->items[top->count++] = candidate;
    return top->count == top->capacity;
}

/* Call it before the next offer when the items fill the capacity; it leaves count < capacity. */
void fc_topk_evict(fc_topk *top, const fc_resolve *resolve);

/* Sort by (low, row). */
void fc_sort_candidates(fc_candidate *items, size_t n);

/* Sort refined items by (exact distance, row), as far as that decides which k come first, and in which order. */
void fc_sort_resolved(fc_candidate *items, size_t n, size_t k, const fc_pairs *pairs, size_t query, fc_sum squares);

/* Resolve and sort: the first min(k, count) items are the answer. */
void fc_topk_finish(fc_topk *top, const fc_resolve *resolve);

#endif
