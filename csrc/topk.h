/* topk.h -- the k nearest so far of one query, of rows whose distances may be known only within bounds.
 *
 * The order is (exact distance, row): among equal distances the lower row wins.  So a row that is offered as settled at
 * the limit, as only distances are that order all rows (fc_orders_all), loses to those before it, unless `in_any_order`
 * says that rows come in no order.
 */
#ifndef FASTCLF_TOPK_H
#define FASTCLF_TOPK_H

#include "refine.h"
#include "threads.h"

/* A row whose distance is in [low, low + slack]; slack 0 means that low is the distance, as refined. */
typedef struct {
    double low;
    float slack;
    uint32_t row;
} fc_candidate;

typedef struct {
    fc_candidate *items;
    size_t count, capacity, k;
    size_t sorted; /* so many of the first items are settled, in order */
    double limit;  /* k rows are no further, but for its rounding; +inf at first */
    int in_any_order;
} fc_topk;

/* How to settle a distance; room for `capacity` doubles; where to count refined rows; whom to ask whether to stop. */
typedef struct {
    const fc_pairs *pairs;
    size_t query;
    fc_sum query_squares;
    double *room, *refined;
    fc_team *team;
    int thread;
} fc_settle;

/* Items are gathered until they fill the capacity, k and at least `spare` more; then those beyond a limit, about
 * the k-th best, are dropped, in time O(capacity).
 */
static inline size_t fc_topk_capacity(size_t k, size_t spare) { return k + (k < spare ? spare : k > 1024 ? 1024 : k); }

/* Begin with no rows, in room for `capacity` items. */
void fc_topk_start(fc_topk *top, fc_candidate *items, size_t k, size_t capacity);

/* Forget the rows but for the limit that they set; all rows are to be offered again. */
void fc_topk_restart(fc_topk *top, size_t k, size_t capacity, const fc_settle *settle);

/* Add a row that may be among the nearest, with count < capacity; whether that has filled the room. */
static inline int fc_topk_offer(fc_topk *top, fc_candidate candidate) {
    if (candidate.low > top->limit) return 0;
    const int is_settled = candidate.slack == 0;
    if (candidate.low == top->limit && is_settled && top->count >= top->k && !top->in_any_order) return 0;
    top->items[top->count++] = candidate;
    return top->count == top->capacity;
}

/* What a full room needs before the next offer: leaves count < capacity. */
void fc_topk_make_room(fc_topk *top, const fc_settle *settle);

/* By (low, row). */
void fc_sort_candidates(fc_candidate *items, size_t n);

/* Settled ones by (exact distance, row), as far as that decides which k come first, and in which order. */
void fc_sort_settled(fc_candidate *items, size_t n, size_t k, const fc_pairs *pairs, size_t query, fc_sum squares);

/* Settle and sort: the first min(k, count) items are the answer. */
void fc_topk_finish(fc_topk *top, const fc_settle *settle);

#endif
