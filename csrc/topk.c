#include "topk.h"

#include <math.h>
#include <stdlib.h>

static int by_distance_and_row(const void *a, const void *b) {
    const fc_candidate *p = a, *q = b;
    if (p->low != q->low) return p->low < q->low ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

/* Few candidates need no more than this. */
enum { INSERTED = 48 };

static void sort(fc_candidate *items, size_t n) {
    if (n > INSERTED) qsort(items, n, sizeof *items, by_distance_and_row);
    for (size_t i = 1; i < n && n <= INSERTED; i++) {
        const fc_candidate c = items[i];
        size_t at = i;
        for (; at && by_distance_and_row(&items[at - 1], &c) > 0; at--) items[at] = items[at - 1];
        items[at] = c;
    }
}

/* Move the values below `pivot`, or with `equal` also those at it, to the front of [from, to); where they end.  Without
 * branches that the data decides.
 */
static size_t partition(double *v, size_t from, size_t to, double pivot, int equal) {
    size_t end = from;
    for (size_t i = from; i < to; i++) {
        const double x = v[i];
        v[i] = v[end];
        v[end] = x;
        end += equal ? x <= pivot : x < pivot;
    }
    return end;
}

/* The k-th smallest of n values (k from 0), by Hoare's selection around the median of three at places that no order of the
 * values foresees.
 */
static double select_kth(double *v, size_t n, size_t k) {
    size_t from = 0, to = n;
    uint64_t random = n;
    while (to - from > 1) {
        double pick[3];
        for (int i = 0; i < 3; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            pick[i] = v[from + (size_t)(random >> 33) % (to - from)];
        }
        const double a = pick[0], b = pick[1], c = pick[2];
        const double pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        const size_t less = partition(v, from, to, pivot, 0);
        if (k < less) {
            to = less;
            continue;
        }
        from = partition(v, less, to, pivot, 1);
        if (k < from) return pivot;
    }
    return v[k];
}

/* Bound the k-th best distance and drop what lies beyond it. */
static void drop_beyond(fc_topk *top, double *room) {
    if (top->count < top->k) return;
    for (size_t i = 0; i < top->count; i++) room[i] = top->items[i].low + (double)top->items[i].slack;
    top->limit = fmin(top->limit, select_kth(room, top->count, top->k - 1));
    size_t kept = 0;
    for (size_t i = 0; i < top->count; i++)
        if (top->items[i].low <= top->limit) top->items[kept++] = top->items[i];
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
    sort(top->items, top->count);
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
    if (candidate.low > top->limit || (candidate.low == top->limit && top->count >= top->k)) return;
    top->items[top->count++] = candidate;
    if (top->count < top->capacity) return;
    drop_beyond(top, settle->room);
    if (top->count - top->k > (top->capacity - top->k) / 2) settle_all(top, settle);
}

void fc_topk_finish(fc_topk *top, const fc_settle *settle) {
    drop_beyond(top, settle->room);
    settle_all(top, settle);
}
