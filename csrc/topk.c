#include "topk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline int by_distance_and_row(const void *a, const void *b) {
    const fc_candidate *p = a, *q = b;
    if (p->low != q->low) return p->low < q->low ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

/* Up to MOST_IN_PLACE are sorted by Shell's method with Ciura's gaps, more by qsort; BUCKETED_FROM or more first go
 * into buckets, which leaves it little to move.
 */
enum { BUCKETED_FROM = 32, MOST_IN_PLACE = 1024 };
static const size_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};

/* One pass of a bucket sort: n buckets of equal width between the least and the most. */
static void put_in_buckets(fc_candidate *items, size_t n) {
    fc_candidate taken[MOST_IN_PLACE];
    uint16_t place[MOST_IN_PLACE], end[MOST_IN_PLACE] = {0};
    double least = items[0].low, most = least;
    for (size_t i = 1; i < n; i++) {
        least = items[i].low < least ? items[i].low : least;
        most = items[i].low > most ? items[i].low : most;
    }
    const double scale = (double)(n - 1) / (most - least);
    if (!(scale > 0 && scale < INFINITY)) return; /* all alike, or some infinite */
    for (size_t i = 0; i < n; i++) end[place[i] = (uint16_t)((items[i].low - least) * scale)]++;
    for (size_t i = 1; i < n; i++) end[i] = (uint16_t)(end[i] + end[i - 1]);
    memcpy(taken, items, n * sizeof *items);
    for (size_t i = n; i-- > 0;) items[--end[place[i]]] = taken[i]; /* backwards: rows mostly ascend, and stay so */
}

void fc_sort_candidates(fc_candidate *items, size_t n) {
    if (n > MOST_IN_PLACE) {
        qsort(items, n, sizeof *items, by_distance_and_row);
        return;
    }
    if (n >= BUCKETED_FROM) put_in_buckets(items, n);
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (size_t gap = gaps[g], i = gap; i < n; i++) {
            const fc_candidate c = items[i];
            size_t at = i;
            for (; at >= gap && by_distance_and_row(&items[at - gap], &c) > 0; at -= gap) items[at] = items[at - gap];
            items[at] = c;
        }
}

/* Bound the k-th best distance and drop what lies beyond it. */
static void drop_beyond(fc_topk *top, const fc_settle *settle) {
    double *room = settle->room;
    if (top->count < top->k) return;
    for (size_t i = 0; i < top->count; i++) room[i] = top->items[i].low + (double)top->items[i].slack;
    const double limit = settle->pairs->kernels->limit(room, top->count, top->k, top->k + (top->capacity - top->k) / 4);
    top->limit = fmin(top->limit, limit);
    while (top->sorted && top->items[top->sorted - 1].low > top->limit) top->sorted--;
    size_t kept = 0;
    for (size_t i = 0; i < top->count; i++) { /* as many stay as go: no branch could be foretold */
        top->items[kept] = top->items[i];
        kept += top->items[i].low <= top->limit;
    }
    top->count = kept;
}

/* Where rows are at the same reported distance, of which some are nearer: by insertion, as mostly all are in order. */
static void sort_tied(fc_candidate *items, size_t n, const fc_pairs *pairs, size_t query, fc_sum squares) {
    for (size_t i = 1; i < n; i++) {
        const fc_candidate c = items[i];
        size_t from = 0, to = i;
        if (fc_order_at(pairs, query, squares, items[i - 1].row, c.row) <= 0) continue; /* rows ascend */
        while (from < to) { /* it comes before items[to], and not before those up to `from` */
            const size_t middle = from + (to - from) / 2;
            const int order = fc_order_at(pairs, query, squares, items[middle].row, c.row);
            if (order < 0 || (order == 0 && items[middle].row < c.row))
                from = middle + 1;
            else
                to = middle;
        }
        memmove(items + from + 1, items + from, (i - from) * sizeof *items);
        items[from] = c;
    }
}

void fc_sort_settled(fc_candidate *items, size_t n, size_t k, const fc_pairs *pairs, size_t query, fc_sum squares) {
    fc_sort_candidates(items, n);
    if (fc_orders_all(pairs)) return;
    for (size_t i = 0, end; i < n && i < k; i = end) {
        for (end = i + 1; end < n && items[end].low == items[i].low;) end++;
        sort_tied(items + i, end - i, pairs, query, squares);
    }
}

/* Whether a refined row comes after all of k others that are in order: where many are at the limit's distance, one
 * comparison for each.
 */
static int is_beaten(const fc_topk *top, const fc_settle *settle, const fc_candidate *c) {
    const fc_candidate *last = &top->items[top->k - 1];
    if (top->sorted < top->k || c->low < last->low) return 0;
    if (c->low > last->low) return 1;
    const int order = fc_order_at(settle->pairs, settle->query, settle->query_squares, last->row, c->row);
    return order < 0 || (order == 0 && last->row < c->row);
}

/* Refine what is not settled yet, sort, and keep the k best.  When the team stops nothing is kept: nobody will ask. */
static void settle_all(fc_topk *top, const fc_settle *settle) {
    const size_t look = fc_stop_interval(settle->pairs->X.cols);
    size_t refined = 0, kept = 0;
    for (size_t i = 0; i < top->count; i++) {
        fc_candidate c = top->items[i];
        if (c.slack != 0) {
            if (++refined % look == 0 && fc_stopped(settle->team, settle->thread)) {
                top->count = 0;
                return;
            }
            c.low = fc_refine(settle->pairs, settle->query, settle->query_squares, c.row);
            c.slack = 0;
            if (is_beaten(top, settle, &c)) continue;
        }
        top->items[kept++] = c;
    }
    top->count = kept;
    *settle->refined += (double)refined;
    fc_sort_settled(top->items, top->count, top->k, settle->pairs, settle->query, settle->query_squares);
    if (top->count < top->k) return;
    top->count = top->k;
    top->sorted = top->k;
    top->limit = fmin(top->limit, top->items[top->k - 1].low);
}

void fc_topk_start(fc_topk *top, fc_candidate *items, size_t k, size_t capacity) {
    *top = (fc_topk){.items = items, .capacity = capacity, .k = k, .limit = INFINITY};
}

void fc_topk_restart(fc_topk *top, size_t k, size_t capacity, const fc_settle *settle) {
    const size_t look = fc_stop_interval(settle->pairs->X.cols);
    for (size_t i = 0; i < top->count; i++) {
        if (i % look == look - 1 && fc_stopped(settle->team, settle->thread)) return;
        const fc_bounds b = fc_estimate(settle->pairs, settle->query, settle->query_squares, top->items[i].row);
        top->items[i] = (fc_candidate){b.low, b.slack, top->items[i].row};
    }
    *settle->refined += (double)top->count;
    top->k = k;
    top->limit = INFINITY;
    drop_beyond(top, settle);
    const double limit = top->limit;
    fc_topk_start(top, top->items, k, capacity);
    top->limit = limit;
}

void fc_topk_make_room(fc_topk *top, const fc_settle *settle) {
    drop_beyond(top, settle);
    if (top->count - top->k > (top->capacity - top->k) / 2) settle_all(top, settle);
}

void fc_topk_finish(fc_topk *top, const fc_settle *settle) {
    drop_beyond(top, settle);
    settle_all(top, settle);
}
