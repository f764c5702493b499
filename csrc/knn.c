/* knn.c -- exact nearest neighbours: a fast filter with proven bounds (filter.c), then the reported arithmetic for what
 * passes (refine.c).  Here a search is cut into tasks, a block of queries against a segment of X each (block.c), and
 * put together.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "matrix.h"
#include "sizes.h"

enum {
    MAX_SEGMENTS = 64,
    SCAN_QUERIES = 4,      /* no more than this are compared pair by pair */
    BLOCKS_PER_THREAD = 4, /* fewer than this do not share out evenly */
};

/* A thread's scratch: 2 MiB of packed queries, 1.25 MiB of candidates, and blocks of fixed size, together below 4 MiB;
 * and for the call, the results of X's segments.
 */
static const size_t PANEL_BYTES = 2u << 20, CANDIDATE_BYTES = 5u << 18, PARTIAL_BYTES = 1u << 20;

typedef struct {
    fc_block_plan plan;
    size_t blocks, segments;
    double *distance; /* Q.rows x segments x k */
    int64_t *index;
    double *merged_distance; /* Q.rows x k: the caller's */
    int64_t *merged_index;
} search;

/* Write a query's k best, nearest first; fewer rows than k leave +inf behind them. */
static void report(const search *s, const fc_topk *top, size_t query, size_t segment) {
    const size_t k = s->plan.k, at = (query * s->segments + segment) * k;
    for (size_t j = 0; j < k; j++) {
        s->distance[at + j] = j < top->count ? top->items[j].low : INFINITY;
        s->index[at + j] = j < top->count ? (int64_t)top->items[j].row : INT64_MAX;
    }
}

static void run_task(const search *s, fc_block *w, size_t task) {
    const size_t n = s->plan.pairs.X.rows, segment = task % s->segments, share = n / s->segments;
    const size_t first = task / s->segments * s->plan.block,
                 count = fc_smaller(s->plan.block, s->plan.pairs.Q.rows - first);
    const size_t end = segment + 1 == s->segments ? n : share * (segment + 1);
    fc_block_search(&s->plan, w, first, count, share * segment, end);
    if (fc_stopped(w->team, w->thread)) return;
    for (size_t i = 0; i < count; i++) report(s, &w->top[i], first + i, segment);
}

static void run_thread(void *job, fc_team *team, int thread) {
    const search *s = job;
    fc_block *w = malloc(sizeof *w);
    char *memory = w ? aligned_alloc(FC_LINE, fc_block_carve(&s->plan, w, NULL)) : NULL;
    if (memory) {
        fc_block_carve(&s->plan, w, memory);
        w->team = team;
        w->thread = thread;
        for (size_t task; fc_next_task(team, &task);) run_task(s, w, task);
    } else {
        fc_stop(team, FC_NO_MEMORY);
    }
    free(memory);
    free(w);
}

/* Merge a query's sorted segments into the caller's arrays. */
static void merge_query(const search *s, size_t q) {
    const size_t k = s->plan.k;
    const double *d = s->distance + q * s->segments * k;
    const int64_t *id = s->index + q * s->segments * k;
    size_t heads[MAX_SEGMENTS] = {0};
    for (size_t j = 0; j < k; j++) {
        size_t best = 0;
        for (size_t g = 1; g < s->segments; g++) {
            const size_t a = g * k + heads[g], b = best * k + heads[best];
            if (d[a] < d[b] || (d[a] == d[b] && id[a] < id[b])) best = g;
        }
        s->merged_distance[q * k + j] = d[best * k + heads[best]];
        s->merged_index[q * k + j] = id[best * k + heads[best]++];
    }
}

static void merge(void *job, fc_team *team, int thread) {
    const search *s = job;
    (void)thread;
    for (size_t q; fc_next_task(team, &q);) merge_query(s, q);
}

/* How many queries a block has, in how many segments X is cut, and how much of a query is packed at a time. */
static void divide(search *s, size_t threads) {
    fc_block_plan *p = &s->plan;
    const fc_tile *t = p->filter.tile;
    const size_t nq = p->pairs.Q.rows, d = p->pairs.Q.cols;
    const size_t by_candidates = CANDIDATE_BYTES / (fc_topk_capacity(p->k) * sizeof(fc_candidate));
    const size_t by_panels = PANEL_BYTES / (t->lanes * fc_round_up(d, t->group) * t->cell) * t->lanes;
    size_t most = fc_smaller(FC_MAX_BLOCK, by_panels > t->lanes ? by_panels : t->lanes);
    if (most > by_candidates) most = by_candidates ? by_candidates : 1;

    /* Share X out among the threads; or the blocks, where there are many or the segments' results would be large. */
    s->blocks = (nq + most - 1) / most;
    const size_t result_bytes = nq * p->k * (sizeof(double) + sizeof(int64_t));
    const int cut = s->blocks < BLOCKS_PER_THREAD * threads && result_bytes <= PARTIAL_BYTES / threads;
    s->segments = cut ? fc_smaller(fc_smaller(threads, MAX_SEGMENTS), p->pairs.X.rows) : 1;
    if (!cut) s->blocks = fc_smaller(fc_round_up(s->blocks, threads), nq);
    p->block = (nq + s->blocks - 1) / s->blocks;
    if (p->block > t->lanes) p->block = fc_smaller(fc_round_up(p->block, t->lanes), most);
    s->blocks = (nq + p->block - 1) / p->block;

    const size_t part = FC_DEPTH_BYTES / t->cell,
                 fits = PANEL_BYTES / (fc_round_up(p->block, t->lanes) * t->cell) / part * part;
    p->pack_cols = fc_smaller(d, fits);
    p->scans = nq <= SCAN_QUERIES;
}

static int arguments_ok(fc_metric metric, const fc_matrix *Q, const fc_matrix *X, size_t k, int skip_self, fc_run run) {
    size_t out;
    return (unsigned)metric < FC_METRIC_COUNT && (unsigned)Q->dtype < FC_DTYPE_COUNT &&
           (unsigned)X->dtype < FC_DTYPE_COUNT && run.n_threads >= 1 && Q->cols == X->cols && Q->cols > 0 &&
           X->rows <= UINT32_MAX && k > 0 && k + (skip_self != 0) <= X->rows && (!skip_self || Q->rows == X->rows) &&
           !__builtin_mul_overflow(Q->rows, k, &out) && out <= PTRDIFF_MAX / (sizeof(double) + sizeof(int64_t));
}

/* Run the tasks, with room for the results of X's segments where it is cut. */
static fc_status run_search(search *s, fc_run run, double *distance, int64_t *index) {
    const size_t entries = s->plan.pairs.Q.rows * s->segments * s->plan.k;
    double *partial = NULL;
    s->distance = s->merged_distance = distance;
    s->index = s->merged_index = index;
    if (s->segments > 1) {
        partial = malloc(entries * (sizeof(double) + sizeof(int64_t)));
        if (!partial) return FC_NO_MEMORY;
        s->distance = partial;
        s->index = (int64_t *)(partial + entries);
    }
    fc_status status = fc_parallel(run, s->blocks * s->segments, run_thread, s);
    if (status == FC_OK && partial) status = fc_parallel((fc_run){1, run.poll}, s->plan.pairs.Q.rows, merge, s);
    free(partial);
    return status;
}

/* The centre in the dtype of the arithmetic: the caller's, a copy that *owned is to free, or none; false without
 * memory. */
static int take_centre(const fc_pairs *pairs, const float *centre, const void **taken, double **owned) {
    if (!centre || !pairs->metric->shift || pairs->dtype == FC_u8) return 1;
    *taken = centre;
    if (pairs->dtype == FC_f32) return 1;
    *taken = *owned = malloc(pairs->Q.cols * sizeof **owned);
    for (size_t i = 0; *owned && i < pairs->Q.cols; i++) (*owned)[i] = (double)centre[i];
    return *owned != NULL;
}

fc_status fc_knn(fc_metric metric, fc_matrix Q, fc_matrix X, size_t k, const float *centre, int skip_self, int bytes,
                 fc_run run, double *distance, int64_t *index) {
    if (!arguments_ok(metric, &Q, &X, k, skip_self, run)) return FC_BAD_ARGUMENT;
    if (Q.rows == 0) return FC_OK;
    const fc_pairs pairs = {&fc_metrics[metric], fc_kernels_active(), Q, X, fc_common_dtype(&Q, &X, bytes)};
    const void *taken = NULL;
    double *owned = NULL;
    if (!take_centre(&pairs, centre, &taken, &owned)) return FC_NO_MEMORY;
    search s = {.plan = {.pairs = pairs, .filter = fc_filter_for(&pairs, taken), .k = k, .skip_self = skip_self}};
    run.n_threads = fc_threads_for(run.n_threads, (double)Q.rows * (double)X.rows * (double)Q.cols);
    divide(&s, (size_t)run.n_threads);
    const fc_status status = run_search(&s, run, distance, index);
    free(owned);
    return status;
}
