/* knn.c -- exact nearest neighbours: fast filters with proven bounds (stage.c, filter.c), then exact distances of the
 * survivors, and their order (refine.c).  Here a search is cut into tasks, each a block of queries against a segment of
 * X (block.c), and the results are merged.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "neighbors/block.h"
#include "core/matrix.h"
#include "core/memory.h"
#include "core/sizes.h"

enum {
    MAX_SEGMENTS = 64,
    SCAN_QUERIES = 4,      /* no more than this are compared pair by pair */
    FEW_QUERIES = 8,       /* no more than this with sketches one by one: */
    FETCHED_AS = 8,        /* then waiting for a sketch takes as long as comparing 8 */
    BLOCKS_PER_THREAD = 4, /* fewer than this do not share out evenly */
    PLAIN_BLOCK = 256, /* queries in a block at most; with stages more, as queries of a block share surviving rows: */
    STAGES_BLOCK = 1024,
    STAGES_PER_THREAD = 2, /* blocks */
    SPARE = 8,             /* the least number of candidates more than k */
};

/* A thread's scratch: 2 MiB of packed queries, 1 MiB of candidates, and blocks of fixed size, together below 4 MiB;
 * and for the call, the results of X's segments.
 */
static const size_t CANDIDATE_BYTES = 1u << 20, PARTIAL_BYTES = 1u << 20;

/* How much more a query may cost than the plain comparisons that it replaces, before it is given up.  HOPELESS_SHARE:
 * the share of queries given up from which on stages are not tried any more.
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
} knn_job;

/* A block of queries, and the rows of a segment. */
typedef struct {
    size_t first, count, segment, row, end;
} span;

/* The row in results of segments where there is none: none comes after all others. */
static const int64_t NO_ROW = INT64_MAX;

static int64_t reported_row(int64_t row) { return row == NO_ROW ? -1 : row; }

/* Write a query's k best, nearest first; fewer rows than k leave +inf behind them.  Results of segments are to be
 * merged: only then they are reported.
 */
static void report(const knn_job *s, const fc_topk *top, size_t query, size_t segment) {
    const size_t k = s->plan.k, at = (query * s->segments + segment) * k;
    for (size_t j = 0; j < k; j++) {
        const double distance = j < top->count ? top->items[j].low : INFINITY;
        s->distance[at + j] = s->segments > 1 ? distance : fc_reported(&s->plan.pairs, distance);
        const int64_t row = j < top->count ? (int64_t)top->items[j].row : NO_ROW;
        s->index[at + j] = s->segments > 1 ? row : reported_row(row);
    }
}

/* Give up a query.  The flags are the caller's plain bytes; other threads may set the same one for other segments. */
static void give_up(const knn_job *s, size_t query) { __atomic_store_n(&s->given_up[query], 1, __ATOMIC_RELAXED); }

/* Whether stages have failed so often that it is better not to try. */
static int is_hopeless(knn_job *s) {
    const double failed = (double)atomic_load(&s->failed), tried = (double)atomic_load(&s->tried);
    return s->plan.n_stages && failed > HOPELESS_SHARE * tried;
}

/* What task number `task` compares. */
static span span_of(const knn_job *s, size_t task) {
    const size_t n = s->plan.pairs.X.rows, segment = task % s->segments, share = n / s->segments;
    const size_t block = s->plan.product.block, first = task / s->segments * block;
    return (span){.first = first,
                  .count = fc_smaller(block, s->plan.pairs.Q.rows - first),
                  .segment = segment,
                  .row = share * segment,
                  .end = segment + 1 == s->segments ? n : share * (segment + 1)};
}

/* Keep what a task has found.  Where its block was not searched, all of its queries are given up. */
static void record(knn_job *s, fc_block *w, span at, int searched) {
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
    atomic_fetch_add(&s->tried, at.count); /* before `failed`, which counts some of them */
    atomic_fetch_add(&s->failed, failed);
}

static void add_tally(knn_job *s, const fc_tally *tally) {
    while (atomic_flag_test_and_set(&s->tally_taken)) {
    }
    for (size_t i = 0; i <= FC_MAX_STAGES; i++) {
        s->tally->pairs[i] += tally->pairs[i];
        s->tally->seconds[i] += tally->seconds[i];
    }
    atomic_flag_clear(&s->tally_taken);
}

static void run_thread(void *of, fc_team *team, int thread) {
    knn_job *s = of;
    fc_block *w = malloc(sizeof *w);
    char *memory = w ? fc_allocate_lines(fc_block_carve(&s->plan, w, NULL)) : NULL;
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
    fc_free_lines(memory);
    free(w);
}

/* Whether row a comes before b; both are at the same reported distance. */
static int comes_first(const knn_job *s, size_t q, int64_t a, int64_t b) {
    if (a == NO_ROW || b == NO_ROW) return a < b;
    const int order = fc_order_at(&s->plan.pairs, q, fc_query_squares(&s->plan.pairs, q), (size_t)a, (size_t)b);
    return order < 0 || (order == 0 && a < b);
}

/* Merge a query's sorted segments into the caller's arrays. */
static void merge_query(const knn_job *s, size_t q) {
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
        s->merged_distance[q * k + j] = fc_reported(&s->plan.pairs, d[best * k + heads[best]]);
        s->merged_index[q * k + j] = reported_row(id[best * k + heads[best]++]);
    }
}

static void merge(void *of, fc_team *team, int thread) {
    const knn_job *s = of;
    (void)thread;
    for (size_t q; fc_next_task(team, &q);) merge_query(s, q);
}

/* How many queries a block has, in how many segments X is cut, and how much of a query is packed at a time.
 *
 * Share out X among the threads; or share out the blocks, where there are many or the segments' results would be large.
 * With stages, every segment finds its thresholds anew, which costs more: so segments are for few queries, and blocks
 * are smaller.
 */
static void divide(knn_job *s, size_t threads) {
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
    if (a->n_stages && !fc_metrics[a->metric].sketches) return 0;
    for (size_t i = 0; i < a->n_stages; i++) {
        const fc_stage *s = &a->stages[i];
        const fc_matrix *q = &s->Q.codes, *x = &s->X.codes;
        if (!s->Q.terms || !s->X.terms || q->dtype != FC_u8 || x->dtype != FC_u8 || q->rows != a->Q.rows ||
            x->rows != a->X.rows)
            return 0;
        if (q->cols != x->cols || q->cols == 0 || q->cols > FC_U8_MAX_COLS) return 0;
        const fc_metric_row *m = &fc_metrics[a->metric];
        if ((unsigned)s->adds > FC_ADDS_FINER || (s->adds != FC_ADDS_NOTHING && i == 0)) return 0;
        if (s->adds == FC_ADDS_FINER && (m->norm != FC_NORM_L2 || m->form == FC_FORM_minus)) return 0;
        if (!(s->gram_excess >= 0 && s->unit > 0 && s->young_weight > 0 && s->cost >= 0)) return 0;
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
static int take_results(knn_job *s, double *distance, int64_t *index, double **partial) {
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

/* The kernel that multiplies few queries with sketches; NULL for more queries, which take tiles. */
static const fc_few *few_for(const fc_search *a, const fc_pairs *pairs) {
    return a->n_stages && a->Q.rows <= FEW_QUERIES ? &pairs->kernels->few[pairs->metric->tile] : NULL;
}

static fc_product product_for(const fc_search *a, const fc_pairs *pairs, const void *centre) {
    if (a->n_stages == 0)
        return (fc_product){.tile = &pairs->kernels->tile[pairs->metric->tile][pairs->in],
                            .in = pairs->in,
                            .Q = a->Q,
                            .X = a->X,
                            .q_centre = centre,
                            .x_centre = centre,
                            .is_moved = fc_moves_products(pairs)};
    return (fc_product){.tile = &pairs->kernels->tile[pairs->metric->tile][FC_IN_u8],
                        .in = FC_IN_u8,
                        .few = few_for(a, pairs),
                        .Q = a->stages[0].Q.codes,
                        .X = a->stages[0].X.codes};
}

/* Queries with the centre that stages take from rows, of inner products. */
static fc_pairs along_for(const fc_search *a, const fc_pairs *pairs) {
    if (!a->n_stages || !a->centre || pairs->metric->form != FC_FORM_minus) return (fc_pairs){0};
    const fc_matrix C = {a->centre, 1, a->X.cols, FC_f32};
    return fc_pairs_of(pairs->metric, a->Q, C, 0);
}

static fc_block_plan plan_for(const fc_search *a, const fc_pairs *pairs, const void *centre) {
    fc_block_plan p = {.pairs = *pairs,
                       .product = product_for(a, pairs, centre),
                       .filter = fc_filter_for(pairs),
                       .n_stages = a->n_stages,
                       .along = along_for(a, pairs),
                       .k = a->k,
                       .capacity = fc_topk_capacity(a->n_stages ? a->k + FC_MORE_SEEDS : a->k, SPARE),
                       .own = a->own,
                       .limit = a->limit,
                       .refine_cost = a->refine_cost,
                       .allowance = ALLOWED_SHARE * (double)a->X.rows + ALLOWED_REFINES * a->refine_cost,
                       .times = a->tally != NULL,
                       .scans = a->n_stages == 0 && a->Q.rows <= SCAN_QUERIES};
    for (size_t i = 0; i < a->n_stages; i++)
        p.stages[i] = fc_stage_filter_for(pairs, &a->stages[i], i ? NULL : p.product.few);
    return p;
}

fc_status fc_knn(const fc_search *a, fc_run run, double *distance, int64_t *index) {
    if (!arguments_ok(a, run)) return FC_BAD_ARGUMENT;
    if (a->tally) *a->tally = (fc_tally){0};
    if (a->Q.rows == 0) return FC_OK;
    const fc_pairs pairs = fc_pairs_of(&fc_metrics[a->metric], a->Q, a->X, a->bytes);
    const void *centre = NULL;
    double *owned = NULL;
    if (!fc_filter_centre(&pairs, a->centre, &centre, &owned)) return FC_NO_MEMORY;
    knn_job s = {.plan = plan_for(a, &pairs, centre), .given_up = a->given_up, .tally = a->tally};
    if (a->n_stages) memset(a->given_up, 0, a->Q.rows);
    const size_t compared = a->Q.rows + (s.plan.product.few ? FETCHED_AS : 0);
    run.n_threads = fc_threads_for(run.n_threads, (double)compared * (double)a->X.rows * (double)s.plan.product.Q.cols);
    divide(&s, (size_t)run.n_threads);
    fc_status status = FC_NO_MEMORY;
    double *partial = NULL;
    if (take_results(&s, distance, index, &partial)) status = fc_parallel(run, s.blocks * s.segments, run_thread, &s);
    if (status == FC_OK && partial) status = fc_parallel((fc_run){1, run.poll}, a->Q.rows, merge, &s);
    free(partial);
    free(owned);
    return status;
}
