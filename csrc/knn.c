/* knn.c -- exact nearest neighbours: fast filters with proven bounds (stage.c, filter.c), then exact distances and
 * their order for what passes (refine.c).  Here a search is cut into tasks, a block of queries against a segment of X
 * each (block.c), and put together.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "matrix.h"
#include "sizes.h"

enum {
    MAX_SEGMENTS = 64,
    SCAN_QUERIES = 4,      /* no more than this are compared pair by pair */
    BLOCKS_PER_THREAD = 4, /* fewer than this do not share out evenly */
    PLAIN_BLOCK =
        256, /* queries in a block at most; with stages, so many that the rows left by one are others', too: */
    STAGES_BLOCK = 1024,
    STAGES_PER_THREAD = 2, /* blocks */
    SPARE = 8,             /* candidates beyond k at least */
};

/* A thread's scratch: 2 MiB of packed queries, 1 MiB of candidates, and blocks of fixed size, together below 4 MiB;
 * and for the call, the results of X's segments.
 */
static const size_t CANDIDATE_BYTES = 1u << 20, PARTIAL_BYTES = 1u << 20;

/* What a query may cost beyond the plain comparisons that it replaces before it is given up; and the share of queries
 * given up from which on stages are not tried any more.
 */
static const double ALLOWED_SHARE = 0.5, ALLOWED_REFINES = 100, HOPELESS_SHARE = 0.25;

typedef struct {
    fc_block_plan plan;
    size_t blocks, segments;
    uint8_t *given_up; /* of fc_search */
    fc_tally *tally;
    atomic_flag tally_taken;
    atomic_size_t tried, failed; /* queries with stages, and those given up */
    double *distance;            /* Q.rows x segments x k */
    int64_t *index;
    double *merged_distance; /* Q.rows x k: the caller's */
    int64_t *merged_index;
} job;

/* A block of queries, and the rows of a segment. */
typedef struct {
    size_t first, count, segment, row, end;
} span;

/* Write a query's k best, nearest first; fewer rows than k leave +inf behind them. */
static void report(const job *s, const fc_topk *top, size_t query, size_t segment) {
    const size_t k = s->plan.k, at = (query * s->segments + segment) * k;
    for (size_t j = 0; j < k; j++) {
        s->distance[at + j] = j < top->count ? top->items[j].low : INFINITY;
        s->index[at + j] = j < top->count ? (int64_t)top->items[j].row : INT64_MAX;
    }
}

/* Give up a query; other threads may do so, too, for other segments, in the caller's plain bytes. */
static void give_up(const job *s, size_t query) { __atomic_store_n(&s->given_up[query], 1, __ATOMIC_RELAXED); }

/* Whether stages have failed so often that it is better not to try. */
static int is_hopeless(job *s) {
    const double failed = (double)atomic_load(&s->failed), tried = (double)atomic_load(&s->tried);
    return s->plan.n_stages && failed > HOPELESS_SHARE * tried;
}

/* What task number `task` compares. */
static span span_of(const job *s, size_t task) {
    const size_t n = s->plan.pairs.X.rows, segment = task % s->segments, share = n / s->segments;
    const size_t block = s->plan.product.block, first = task / s->segments * block;
    return (span){.first = first,
                  .count = fc_smaller(block, s->plan.pairs.Q.rows - first),
                  .segment = segment,
                  .row = share * segment,
                  .end = segment + 1 == s->segments ? n : share * (segment + 1)};
}

/* Keep what a task has found; without a block's search all of its queries are given up. */
static void record(job *s, fc_block *w, span at, int searched) {
    size_t failed = 0;
    if (s->plan.n_stages && searched) w->tally.pairs[0] += (double)at.count * (double)(at.end - at.row);
    for (size_t i = 0; i < at.count; i++) {
        if (!searched || w->given_up[i]) {
            give_up(s, at.first + i);
            failed++;
        } else {
            report(s, &w->top[i], at.first + i, at.segment);
        }
    }
    atomic_fetch_add(&s->tried, at.count); /* before those that failed of them */
    atomic_fetch_add(&s->failed, failed);
}

static void add_tally(job *s, const fc_tally *tally) {
    while (atomic_flag_test_and_set(&s->tally_taken)) {
    }
    for (size_t i = 0; i <= FC_MAX_STAGES; i++) {
        s->tally->pairs[i] += tally->pairs[i];
        s->tally->seconds[i] += tally->seconds[i];
    }
    atomic_flag_clear(&s->tally_taken);
}

static void run_thread(void *of, fc_team *team, int thread) {
    job *s = of;
    fc_block *w = malloc(sizeof *w);
    char *memory = w ? aligned_alloc(FC_LINE, fc_block_carve(&s->plan, w, NULL)) : NULL;
    if (memory) {
        fc_block_carve(&s->plan, w, memory);
        w->product.team = team;
        w->product.thread = thread;
        w->tally = (fc_tally){0};
        for (size_t task; fc_next_task(team, &task);) {
            const span at = span_of(s, task);
            const int searched = !is_hopeless(s);
            if (searched) fc_block_search(&s->plan, w, at.first, at.count, at.row, at.end);
            if (!fc_stopped(team, thread)) record(s, w, at, searched);
        }
        if (s->tally) add_tally(s, &w->tally);
    } else {
        fc_stop(team, FC_NO_MEMORY);
    }
    free(memory);
    free(w);
}

/* Of two rows at the same reported distance. */
static int comes_first(const job *s, size_t q, int64_t a, int64_t b) {
    if (a == INT64_MAX || b == INT64_MAX) return a < b;
    const int order = fc_order_at(&s->plan.pairs, q, fc_query_squares(&s->plan.pairs, q), (size_t)a, (size_t)b);
    return order < 0 || (order == 0 && a < b);
}

/* Merge a query's sorted segments into the caller's arrays. */
static void merge_query(const job *s, size_t q) {
    const size_t k = s->plan.k;
    const double *d = s->distance + q * s->segments * k;
    const int64_t *id = s->index + q * s->segments * k;
    size_t heads[MAX_SEGMENTS] = {0};
    if (s->plan.n_stages && s->given_up[q]) return;
    for (size_t j = 0; j < k; j++) {
        size_t best = 0;
        for (size_t g = 1; g < s->segments; g++) {
            const size_t a = g * k + heads[g], b = best * k + heads[best];
            if (d[a] < d[b] || (d[a] == d[b] && comes_first(s, q, id[a], id[b]))) best = g;
        }
        s->merged_distance[q * k + j] = d[best * k + heads[best]];
        s->merged_index[q * k + j] = id[best * k + heads[best]++];
    }
}

static void merge(void *of, fc_team *team, int thread) {
    const job *s = of;
    (void)thread;
    for (size_t q; fc_next_task(team, &q);) merge_query(s, q);
}

/* How many queries a block has, in how many segments X is cut, and how much of a query is packed at a time.
 *
 * Share X out among the threads; or the blocks, where there are many or the segments' results would be large.  Rows
 * that stages drop cost more in each segment anew: there, segments are for few queries, and blocks are smaller.
 */
static void divide(job *s, size_t threads) {
    fc_block_plan *p = &s->plan;
    const fc_tile *t = p->product.tile;
    const size_t nq = p->pairs.Q.rows, d = p->product.Q.cols;
    const size_t by_candidates = CANDIDATE_BYTES / (p->capacity * sizeof(fc_candidate));
    size_t most = fc_product_most(t, d, p->n_stages ? STAGES_BLOCK : PLAIN_BLOCK);
    if (most > by_candidates) most = by_candidates ? by_candidates : 1;

    s->blocks = (nq + most - 1) / most;
    const size_t wanted = p->n_stages ? fc_smaller(STAGES_PER_THREAD * threads, nq / t->lanes) : 0;
    if (s->blocks < wanted) s->blocks = wanted;
    const size_t result_bytes = nq * p->k * (sizeof(double) + sizeof(int64_t)),
                 enough = p->n_stages ? 1 : BLOCKS_PER_THREAD;
    const int cut = s->blocks < enough * threads && result_bytes <= PARTIAL_BYTES / threads;
    s->segments = cut ? fc_smaller(fc_smaller(threads, MAX_SEGMENTS), p->pairs.X.rows) : 1;
    if (!cut) s->blocks = fc_smaller(fc_round_up(s->blocks, threads), nq);
    size_t block = (nq + s->blocks - 1) / s->blocks;
    if (block > t->lanes) block = fc_smaller(fc_round_up(block, t->lanes), most);
    s->blocks = (nq + block - 1) / block;
    p->product.block = block;
    p->product.pack_cols = fc_product_pack_cols(t, d, block);
}

static int stages_ok(const fc_search *a) {
    if (a->n_stages > FC_MAX_STAGES || (a->n_stages && !(a->stages && a->given_up && a->refine_cost >= 0))) return 0;
    for (size_t i = 0; i < a->n_stages; i++) {
        const fc_stage *s = &a->stages[i];
        const fc_matrix *q = &s->Q.codes, *x = &s->X.codes;
        if (!s->Q.terms || !s->X.terms || q->dtype != FC_u8 || x->dtype != FC_u8 || q->rows != a->Q.rows ||
            x->rows != a->X.rows)
            return 0;
        if (q->cols != x->cols || q->cols == 0 || q->cols > FC_U8_MAX_COLS) return 0;
        if (!(s->skew >= 0 && s->unit > 0 && s->tilt > 0 && s->cost >= 0)) return 0;
    }
    return 1;
}

static int arguments_ok(const fc_search *a, fc_run run) {
    const fc_matrix *Q = &a->Q, *X = &a->X;
    size_t out;
    return (unsigned)a->metric < FC_METRIC_COUNT && (unsigned)Q->dtype < FC_DTYPE_COUNT &&
           (unsigned)X->dtype < FC_DTYPE_COUNT && run.n_threads >= 1 && Q->cols == X->cols && Q->cols > 0 &&
           X->rows <= UINT32_MAX && a->k > 0 && a->k + (a->own != NULL) <= X->rows && stages_ok(a) &&
           !__builtin_mul_overflow(Q->rows, a->k, &out) && out <= PTRDIFF_MAX / (sizeof(double) + sizeof(int64_t));
}

/* Let the tasks write to the caller's arrays or, where X is cut, to `partial`, made here; false without memory. */
static int take_results(job *s, double *distance, int64_t *index, double **partial) {
    const size_t entries = s->plan.pairs.Q.rows * s->segments * s->plan.k;
    s->distance = s->merged_distance = distance;
    s->index = s->merged_index = index;
    if (s->segments == 1) return 1;
    *partial = malloc(entries * (sizeof(double) + sizeof(int64_t)));
    if (!*partial) return 0;
    s->distance = *partial;
    s->index = (int64_t *)(*partial + entries);
    return 1;
}

static fc_product product_for(const fc_search *a, const fc_pairs *pairs, const void *centre) {
    if (a->n_stages == 0)
        return (fc_product){.tile = &pairs->kernels->tile[pairs->metric->tile][pairs->dtype],
                            .dtype = pairs->dtype,
                            .Q = a->Q,
                            .X = a->X,
                            .q_centre = centre,
                            .x_centre = centre};
    return (fc_product){.tile = &pairs->kernels->tile[pairs->metric->tile][FC_u8],
                        .dtype = FC_u8,
                        .Q = a->stages[0].Q.codes,
                        .X = a->stages[0].X.codes};
}

static fc_block_plan plan_for(const fc_search *a, const fc_pairs *pairs, const void *centre) {
    fc_block_plan p = {.pairs = *pairs,
                       .product = product_for(a, pairs, centre),
                       .filter = fc_filter_for(pairs),
                       .n_stages = a->n_stages,
                       .k = a->k,
                       .capacity = fc_topk_capacity(a->n_stages ? a->k + FC_MORE_SEEDS : a->k, SPARE),
                       .own = a->own,
                       .refine_cost = a->refine_cost,
                       .allowance = ALLOWED_SHARE * (double)a->X.rows + ALLOWED_REFINES * a->refine_cost,
                       .times = a->tally != NULL,
                       .scans = a->n_stages == 0 && a->Q.rows <= SCAN_QUERIES};
    for (size_t i = 0; i < a->n_stages; i++) p.stages[i] = fc_stage_filter_for(pairs, &a->stages[i]);
    return p;
}

fc_status fc_knn(const fc_search *a, fc_run run, double *distance, int64_t *index) {
    if (!arguments_ok(a, run)) return FC_BAD_ARGUMENT;
    if (a->tally) *a->tally = (fc_tally){0};
    if (a->Q.rows == 0) return FC_OK;
    const fc_pairs pairs = {&fc_metrics[a->metric], fc_kernels_active(), a->Q, a->X,
                            fc_common_dtype(&a->Q, &a->X, a->bytes)};
    const void *centre = NULL;
    double *owned = NULL;
    if (!fc_filter_centre(&pairs, a->centre, &centre, &owned)) return FC_NO_MEMORY;
    job s = {.plan = plan_for(a, &pairs, centre), .given_up = a->given_up, .tally = a->tally};
    if (a->n_stages) memset(a->given_up, 0, a->Q.rows);
    run.n_threads =
        fc_threads_for(run.n_threads, (double)a->Q.rows * (double)a->X.rows * (double)s.plan.product.Q.cols);
    divide(&s, (size_t)run.n_threads);
    fc_status status = FC_NO_MEMORY;
    double *partial = NULL;
    if (take_results(&s, distance, index, &partial)) status = fc_parallel(run, s.blocks * s.segments, run_thread, &s);
    if (status == FC_OK && partial) status = fc_parallel((fc_run){1, run.poll}, a->Q.rows, merge, &s);
    free(partial);
    free(owned);
    return status;
}
