#include "topk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline int by_distance_and_row(const void *a, const void *b) {
    const fc_candidate *p = a, *q = b;
    if (p->low != q->low) return p->low < q->low ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

/* Up to so many are sorted in place, by Shell's method with Ciura's gaps. */
enum { FEW = 1024 };
static const size_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};

void fc_sort_candidates(fc_candidate *items, size_t n) {
    if (n > FEW) {
        qsort(items, n, sizeof *items, by_distance_and_row);
        return;
    }
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (size_t gap = gaps[g], i = gap; i < n; i++) {
            const fc_candidate c = items[i];
            size_t at = i;
            for (; at >= gap && by_distance_and_row(&items[at - gap], &c) > 0; at -= gap) items[at] = items[at - gap];
            items[at] = c;
        }
}

static uint64_t bits_of(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Chains of operations that do not wait for one another: whole vectors, or scalars side by side. */
enum { CHAINS = 4 };

static size_t count_up_to(const double *v, size_t n, double most) {
    int64_t chain[CHAINS] = {0};
    size_t i = 0, count = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (size_t c = 0; c < CHAINS; c++) chain[c] += v[i + c] <= most;
    for (; i < n; i++) count += v[i] <= most;
    for (size_t c = 0; c < CHAINS; c++) count += (size_t)chain[c];
    return count;
}

static void find_range(const double *v, size_t n, double *least, double *most) {
    double low[CHAINS], high[CHAINS];
    size_t i = 0;
    for (size_t c = 0; c < CHAINS; c++) low[c] = high[c] = v[0];
    for (; i + CHAINS <= n; i += CHAINS)
        for (size_t c = 0; c < CHAINS; c++) {
            low[c] = v[i + c] < low[c] ? v[i + c] : low[c];
            high[c] = v[i + c] > high[c] ? v[i + c] : high[c];
        }
    *least = *most = v[0];
    for (; i < n; i++) {
        *least = v[i] < *least ? v[i] : *least;
        *most = v[i] > *most ? v[i] : *most;
    }
    for (size_t c = 0; c < CHAINS; c++) {
        *least = low[c] < *least ? low[c] : *least;
        *most = high[c] > *most ? high[c] : *most;
    }
}

/* A value that at least k of n are at or below and, unless they tie, no more than `enough`.  Distances and bounds of them
 * are not negative, so that their bits are in the same order: halving the range of these ends within 64 steps whatever
 * the values are, mostly within ten, and counting needs no branch that the data decides.
 */
static double limit_of(const double *v, size_t n, size_t k, size_t enough) {
    double least, most;
    find_range(v, n, &least, &most);
    if (count_up_to(v, n, least) >= k) return least;
    uint64_t below = bits_of(least), high = bits_of(most);
    while (high - below > 1) {
        const uint64_t middle = below + (high - below) / 2;
        const size_t count = count_up_to(v, n, of_bits(middle));
        if (count < k) {
            below = middle;
            continue;
        }
        high = middle;
        if (count <= enough) break;
    }
    return of_bits(high);
}

/* Bound the k-th best distance and drop what lies beyond it. */
static void drop_beyond(fc_topk *top, double *room) {
    if (top->count < top->k) return;
    for (size_t i = 0; i < top->count; i++) room[i] = top->items[i].low + (double)top->items[i].slack;
    const double limit = limit_of(room, top->count, top->k, top->k + (top->capacity - top->k) / 4);
    top->limit = fmin(top->limit, limit);
    size_t kept = 0;
    for (size_t i = 0; i < top->count; i++) { /* as many stay as go: no branch could be foretold */
        top->items[kept] = top->items[i];
        kept += top->items[i].low <= top->limit;
    }
    top->count = kept;
}

/* Refine what is not settled yet, sort, and keep the k best.  When the team stops nothing is kept: nobody will ask. */
static void settle_all(fc_topk *top, const fc_settle *settle) {
    const size_t look = fc_stop_interval(settle->pairs->X.cols);
    size_t refined = 0;
    for (size_t i = 0; i < top->count; i++) {
        fc_candidate *c = &top->items[i];
        if (c->slack == 0) continue;
        if (refined++ % look == 0 && fc_stopped(settle->team, settle->thread)) {
            top->count = 0;
            return;
        }
        c->low = fc_refine(settle->pairs, settle->query, settle->query_squares, c->row);
        c->slack = 0;
    }
    *settle->refined += (double)refined;
    fc_sort_candidates(top->items, top->count);
    if (top->count < top->k) return;
    top->count = top->k;
    top->limit = fmin(top->limit, top->items[top->k - 1].low);
}

void fc_topk_start(fc_topk *top, fc_candidate *items, size_t k, size_t capacity) {
    *top = (fc_topk){.items = items, .capacity = capacity, .k = k, .limit = INFINITY};
}

void fc_topk_restart(fc_topk *top, size_t k, size_t capacity, const fc_settle *settle) {
    const size_t look = fc_stop_interval(settle->pairs->X.cols);
    for (size_t i = 0; i < top->count; i++) {
        if (i % look == look - 1 && fc_stopped(settle->team, settle->thread)) return;
        const double distance = fc_refine(settle->pairs, settle->query, settle->query_squares, top->items[i].row);
        top->items[i] = (fc_candidate){distance, 0, top->items[i].row};
    }
    *settle->refined += (double)top->count;
    top->k = k;
    top->limit = INFINITY;
    drop_beyond(top, settle->room);
    const double limit = top->limit;
    fc_topk_start(top, top->items, k, capacity);
    top->limit = limit;
}

void fc_topk_offer(fc_topk *top, fc_candidate candidate, const fc_settle *settle) {
    if (candidate.low > top->limit) return;
    if (candidate.low == top->limit && top->count >= top->k && !top->in_any_order) return;
    top->items[top->count++] = candidate;
    if (top->count < top->capacity) return;
    drop_beyond(top, settle->room);
    if (top->count - top->k > (top->capacity - top->k) / 2) settle_all(top, settle);
}

void fc_topk_finish(fc_topk *top, const fc_settle *settle) {
    drop_beyond(top, settle->room);
    settle_all(top, settle);
}
