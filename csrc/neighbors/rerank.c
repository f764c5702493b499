/* rerank.c -- the nearest among rows that something else has found: the distances and the order that fc_knn reports. */
#include <math.h>
#include <stdlib.h>

#include "core/matrix.h"
#include "core/once.h"
#include "core/sizes.h"
#include "neighbors/topk.h"

enum {
    QUERIES = 64,     /* a task */
    FETCHED = 4096,   /* bytes of a row that are asked for */
    IN_FLIGHT = 8192, /* bytes, about */
    MOST_AHEAD = 32,  /* rows */
};

typedef struct {
    fc_pairs pairs;
    const fc_candidates *of;
    size_t k, ahead; /* candidates between asking and use */
    double *distance;
    int64_t *index;
} rerank;

/* Ask memory for a candidate ahead of its use: it may be anywhere. */
static void fetch(const rerank *r, size_t at) {
    const fc_matrix *X = &r->pairs.X;
    const size_t row_bytes = X->cols * fc_dtype_size(X->dtype), part = fc_smaller(row_bytes, FETCHED);
    if (at >= r->pairs.Q.rows * r->of->per_query) return;
    const int64_t row = FC_ONCE(r->of->row[at]);
    if ((uint64_t)row >= X->rows) return;
    const char *values = (const char *)X->data + (size_t)row * row_bytes;
    for (size_t i = 0; i < part; i += FC_LINE) __builtin_prefetch(values + i);
}

/* Refine a query's candidates; how many there are, or SIZE_MAX when the team has stopped. */
static size_t refine(const rerank *r, size_t q, fc_sum squares, fc_candidate *items, fc_team *team, int thread) {
    const size_t m = r->of->per_query, look = fc_stop_interval(r->pairs.X.cols);
    const int64_t own = r->of->own ? r->of->own[q] : -1;
    size_t count = 0;
    for (size_t j = 0; j < m; j++) {
        const int64_t row = FC_ONCE(r->of->row[q * m + j]);
        fetch(r, q * m + j + r->ahead);
        if ((q * m + j) % look == 0 && fc_stopped(team, thread)) return SIZE_MAX;
        if (row < 0 || row == own) continue;
        if ((uint64_t)row >= r->pairs.X.rows) {
            fc_stop(team, FC_BAD_ARGUMENT);
            return SIZE_MAX;
        }
        items[count++] = (fc_candidate){fc_refine(&r->pairs, q, squares, (size_t)row), 0, (uint32_t)row};
    }
    return count;
}

static void report(const rerank *r, size_t q, const fc_candidate *items, size_t count) {
    double *distance = r->distance + q * r->k;
    int64_t *index = r->index + q * r->k;
    size_t found = 0;
    for (size_t j = 0; j < count && found < r->k; j++) {
        if (found && index[found - 1] == (int64_t)items[j].row) continue;
        distance[found] = fc_reported(&r->pairs, items[j].low);
        index[found++] = (int64_t)items[j].row;
    }
    for (; found < r->k; found++) {
        distance[found] = fc_reported(&r->pairs, INFINITY);
        index[found] = -1;
    }
}

static void run_task(const rerank *r, size_t task, fc_candidate *items, fc_team *team, int thread) {
    const size_t end = fc_smaller((task + 1) * QUERIES, r->pairs.Q.rows);
    for (size_t q = task * QUERIES; q < end; q++) {
        const fc_sum squares = fc_query_squares(&r->pairs, q);
        const size_t count = refine(r, q, squares, items, team, thread);
        if (count == SIZE_MAX) return;
        fc_sort_resolved(items, count, count, &r->pairs, q, squares);
        report(r, q, items, count);
    }
}

static void run_thread(void *of, fc_team *team, int thread) {
    const rerank *r = of;
    fc_candidate *items = malloc((r->of->per_query + 1) * sizeof *items);
    if (!items) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; items && fc_next_task(team, &task);) run_task(r, task, items, team, thread);
    free(items);
}

fc_status fc_rerank(const fc_candidates *of, size_t k, fc_run run, double *distance, int64_t *index) {
    const fc_matrix *Q = &of->Q, *X = &of->X;
    size_t entries;
    if ((unsigned)of->metric >= FC_METRIC_COUNT || (unsigned)Q->dtype >= FC_DTYPE_COUNT ||
        (unsigned)X->dtype >= FC_DTYPE_COUNT || run.n_threads < 1 || Q->cols != X->cols || Q->cols == 0 ||
        X->rows > UINT32_MAX)
        return FC_BAD_ARGUMENT;
    if (k == 0 || __builtin_mul_overflow(Q->rows, k > of->per_query ? k : of->per_query, &entries) ||
        entries > PTRDIFF_MAX / sizeof(fc_candidate))
        return FC_BAD_ARGUMENT;
    if (Q->rows == 0) return FC_OK;
    rerank r = {fc_pairs_of(&fc_metrics[of->metric], *Q, *X, 0), of, k, 0, distance, index};
    r.ahead = fc_smaller(1 + IN_FLIGHT / (X->cols * fc_dtype_size(X->dtype)), MOST_AHEAD);
    run.n_threads = fc_threads_for(run.n_threads, (double)entries * (double)(Q->cols + FC_LANES));
    return fc_parallel(run, (Q->rows + QUERIES - 1) / QUERIES, run_thread, &r);
}
