#include "topk.h"

#include <stdlib.h>

static int by_distance_and_row(const void *a, const void *b) {
    const fc_candidate *p = a, *q = b;
    if (p->low != q->low) return p->low < q->low ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

/* The k-th smallest of n values (k from 0), by Hoare's selection around the median of three; equal values do not slow it. */
static double select_kth(double *v, size_t n, size_t k) {
    size_t from = 0, to = n;
    while (to - from > 1) {
        const double a = v[from], b = v[from + (to - from) / 2], c = v[to - 1];
        const double pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        size_t less = from, i = from, more = to;
        while (i < more) {
            const double x = v[i];
            if (x < pivot) {
                v[i++] = v[less];
                v[less++] = x;
            } else if (x > pivot) {
                v[i] = v[--more];
                v[more] = x;
            } else {
                i++;
            }
        }
        if (k < less) to = less;
        else if (k >= more) from = more;
        else return pivot;
    }
    return v[from];
}

/* Bound the k-th best distance and drop what lies beyond it. */
static void drop_beyond(fc_topk *top, double *room) {
    if (top->count < top->k) return;
    for (size_t i = 0; i < top->count; i++) room[i] = top->items[i].low + (double)top->items[i].slack;
    top->limit = select_kth(room, top->count, top->k - 1);
    size_t kept = 0;
    for (size_t i = 0; i < top->count; i++)
        if (top->items[i].low <= top->limit) top->items[kept++] = top->items[i];
    top->count = kept;
}

/* Refine what is not settled yet, sort, and keep the k best. */
static void settle_all(fc_topk *top, const fc_settle *settle) {
    for (size_t i = 0; i < top->count; i++) {
        fc_candidate *c = &top->items[i];
        if (c->slack == 0) continue;
        if (i % FC_STOP_EVERY == 0 && fc_stopped(settle->team, settle->thread)) return;
        c->low = fc_refine(settle->pairs, settle->query, settle->query_squares, c->row);
        c->slack = 0;
    }
    qsort(top->items, top->count, sizeof *top->items, by_distance_and_row);
    if (top->count < top->k) return;
    top->count = top->k;
    top->limit = top->items[top->k - 1].low;
}

void fc_topk_offer(fc_topk *top, fc_candidate candidate, const fc_settle *settle) {
    if (candidate.low >= top->limit && top->count >= top->k) return;
    top->items[top->count++] = candidate;
    if (top->count < top->capacity) return;
    drop_beyond(top, settle->room);
    if (top->count - top->k > (top->capacity - top->k) / 2) settle_all(top, settle);
}

void fc_topk_finish(fc_topk *top, const fc_settle *settle) {
    drop_beyond(top, settle->room);
    settle_all(top, settle);
}
