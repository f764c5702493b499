#include "neighbors/topk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline int by_distance_and_row(const void *a, const void *b) {
    const fc_candidate *p = a, *q = b;
    if (p->low != q->low) return p->low < q->low ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

/* Up to MOST_IN_PLACE items are sorted by Shell's method with Ciura's gaps, more by qsort.  BUCKETED_FROM or more first
 * go into buckets, which leaves Shell's method little to move.
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

/* Few more than k items are refined in less time than it takes to bound the k-th best distance. */
enum { FEW_MORE = 4 };

/* Bound the k-th best distance and drop the items that are farther. */
static void drop_farther(fc_topk *top, const fc_resolve *resolve) {
    double *scratch = resolve->scratch;
    if (top->count < top->k) return;
    for (size_t i = 0; i < top->count; i++) scratch[i] = fc_most_of(top->items[i]);
    const double threshold =
        resolve->pairs->kernels->select(scratch, top->count, top->k, top->k + (top->capacity - top->k) / 4);
    top->threshold = fmin(top->threshold, threshold);
    while (top->sorted && top->items[top->sorted - 1].low > top->threshold) top->sorted--;
    size_t kept = 0;
    for (size_t i = 0; i < top->count; i++) { /* no branch: about as many stay as go, so none could be predicted */
        top->items[kept] = top->items[i];
        kept += top->items[i].low <= top->threshold;
    }
    top->count = kept;
}

/* Sort rows at the same reported distance by the exact one: by insertion, as mostly all are in order already. */
static void sort_tied(fc_candidate *items, size_t n, const fc_pairs *pairs, size_t query, fc_sum squares) {
    for (size_t i = 1; i < n; i++) {
        const fc_candidate c = items[i];
        size_t from = 0, to = i;
        if (fc_order_at(pairs, query, squares, items[i - 1].row, c.row) <= 0) continue; /* rows ascend */
        while (from < to) { /* c comes before items[to], and after the items before `from` */
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

void fc_sort_resolved(fc_candidate *items, size_t n, size_t k, const fc_pairs *pairs, size_t query, fc_sum squares) {
    fc_sort_candidates(items, n);
    if (fc_orders_all(pairs)) return;
    for (size_t i = 0, end; i < n && i < k; i = end) {
        for (end = i + 1; end < n && items[end].low == items[i].low;) end++;
        sort_tied(items + i, end - i, pairs, query, squares);
    }
}

/* Whether a refined row comes after all of the k items in order.  It takes one comparison, even where many rows are at
 * the threshold's distance.
 */
static int is_beaten(const fc_topk *top, const fc_resolve *resolve, const fc_candidate *c) {
    const fc_candidate *last = &top->items[top->k - 1];
    if (top->sorted < top->k || c->low < last->low) return 0;
    if (c->low > last->low) return 1;
    const int order = fc_order_at(resolve->pairs, resolve->query, resolve->query_squares, last->row, c->row);
    return order < 0 || (order == 0 && last->row < c->row);
}

/* The next items that are not refined, from `at` on; returns how many. */
static size_t next_open(const fc_topk *top, size_t *at, uint32_t *item, uint32_t *row) {
    size_t n = 0;
    for (; *at < top->count && n < FC_PANEL; ++*at) {
        item[n] = (uint32_t)*at;
        row[n] = top->items[*at].row;
        n += top->items[*at].slack != 0;
    }
    return n;
}

/* Refine what is not refined yet.  False when the team stops. */
static int refine_open(fc_topk *top, const fc_resolve *resolve) {
    const size_t look = fc_stop_interval(resolve->pairs->X.cols);
    uint32_t item[FC_PANEL], row[FC_PANEL];
    double distance[FC_PANEL];
    for (size_t at = 0, since = 0, n; (n = next_open(top, &at, item, row));) {
        if ((since += n) >= look && fc_stopped(resolve->team, resolve->thread)) return 0;
        if (since >= look) since = 0;
        fc_refine_rows(resolve->pairs, resolve->query, resolve->query_squares, row, n, distance);
        for (size_t i = 0; i < n; i++) top->items[item[i]] = (fc_candidate){distance[i], 0, row[i]};
        *resolve->refined += (double)n;
    }
    return 1;
}

/* Refine, sort, and keep the k best.  When the team stops, keep nothing: nobody will ask. */
static void resolve_all(fc_topk *top, const fc_resolve *resolve) {
    size_t kept = top->sorted;
    if (!refine_open(top, resolve)) {
        top->count = 0;
        return;
    }
    for (size_t i = top->sorted; i < top->count; i++)
        if (!is_beaten(top, resolve, &top->items[i])) top->items[kept++] = top->items[i];
    top->count = kept;
    fc_sort_resolved(top->items, top->count, top->k, resolve->pairs, resolve->query, resolve->query_squares);
    if (top->count < top->k) return;
    top->count = top->k;
    top->sorted = top->k;
    top->threshold = fmin(top->threshold, top->items[top->k - 1].low);
}

void fc_topk_start(fc_topk *top, fc_candidate *items, size_t k, size_t capacity) {
    *top = (fc_topk){.items = items, .capacity = capacity, .k = k, .threshold = INFINITY};
}

void fc_topk_restart(fc_topk *top, size_t k, size_t capacity, const fc_resolve *resolve) {
    const size_t look = fc_stop_interval(resolve->pairs->X.cols);
    for (size_t i = 0; i < top->count; i++) {
        if (i % look == look - 1 && fc_stopped(resolve->team, resolve->thread)) return;
        const fc_bounds b = fc_estimate(resolve->pairs, resolve->query, resolve->query_squares, top->items[i].row);
        top->items[i] = (fc_candidate){b.low, b.slack, top->items[i].row};
    }
    *resolve->refined += (double)top->count;
    top->k = k;
    top->threshold = INFINITY;
    drop_farther(top, resolve);
    const double threshold = top->threshold;
    fc_topk_start(top, top->items, k, capacity);
    top->threshold = threshold;
}

void fc_topk_evict(fc_topk *top, const fc_resolve *resolve) {
    drop_farther(top, resolve);
    if (top->count - top->k > (top->capacity - top->k) / 2) resolve_all(top, resolve);
}

void fc_topk_finish(fc_topk *top, const fc_resolve *resolve) {
    if (top->count > top->k + FEW_MORE) drop_farther(top, resolve);
    resolve_all(top, resolve);
}
