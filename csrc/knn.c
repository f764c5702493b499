/* knn.c -- exact nearest neighbours: a fast filter with proven bounds, then the reported arithmetic for what passes.
 *
 * A task is a block of queries against a segment of X's rows.  The block's queries are packed into panels once; X passes a block
 * of rows at a time, a part of its depth at a time, so that a tile's operands stay in the caches:
 *
 *   for each block of rows:                        row_block
 *     for each part of the depth:                  accumulate
 *       load the rows' features into cells
 *       for each panel, for each few rows: tile    acc (+)= ...
 *     for each panel: sieve, offer what passes     offer_passed
 *
 * Few queries would leave most of a panel empty; they are compared pair by pair (scan).
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrix.h"
#include "threads.h"
#include "topk.h"

enum {
    MAX_LANES = 32,
    MAX_BLOCK = 256,      /* queries in a task */
    MAX_SEGMENTS = 64,
    ROW_BLOCK = 120,      /* a multiple of every tile's rows */
    FIRST_ROW_BLOCK = 24, /* short at first, as nothing can be dropped before there is a limit */
    SCAN_QUERIES = 4,
    BLOCKS_PER_THREAD = 4, /* fewer than this do not share out evenly */
};

/* A thread's scratch: 2 MiB of packed queries, 1.25 MiB of candidates, and blocks of fixed size, together below 4 MiB; and for
 * the call, the results of X's segments.
 */
static const size_t PANEL_BYTES = 2u << 20, CANDIDATE_BYTES = 5u << 18, PARTIAL_BYTES = 1u << 20;

typedef struct {
    fc_pairs pairs;
    const fc_tile *tile;
    size_t k;
    int skip_self;
    const void *centre;    /* in Q's dtype, or NULL */
    double g;              /* FC_METRICS' error: of the accumulated values */
    double g_sieve;        /* with the sieve's own rounding */
    double limit_stretch;  /* > 1, for the rounding of the limit */
    size_t block, blocks;  /* queries in a task; tasks that makes */
    size_t segments;       /* of X */
    size_t pack_cols;      /* features packed at a time */
    int scans;
    double *distance;      /* Q.rows x segments x k */
    int64_t *index;
} search;

typedef struct {
    char *panels, *cells, *acc;
    uint32_t *passed;
    fc_sums q_sums[MAX_BLOCK], x_sums[ROW_BLOCK];
    double squares[MAX_BLOCK];
    fc_topk top[MAX_BLOCK];
    double *room;
    fc_team *team;
    int thread;
    size_t packed_from, packed_cols; /* which features the panels hold */
} scratch;

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static size_t part_cols(const fc_tile *tile) { return FC_DEPTH_BYTES / tile->cell; }
static size_t acc_size(fc_dtype dtype) { return dtype == FC_f64 ? sizeof(double) : sizeof(float); }

/* --- the filter's bounds -------------------------------------------------------------------------------------------------- */

/* Sums outside these bounds may have overflowed, or lost terms to underflow that no relative error covers: such vectors pass the
 * filter.  `underflow` is more than it can take from a sum of fewer than 2^38 products of vectors within the bounds.
 */
typedef struct {
    double huge, tiny, underflow, rounding;
} range;
static const range ranges[] = {[FC_u8] = {0x1p120, 0x1p-100, 0, 0x1p-24},
                               [FC_f32] = {0x1p120, 0x1p-100, 0x1p-110, 0x1p-24},
                               [FC_f64] = {0x1p1000, 0x1p-900, 0x1p-1000, 0x1p-53}};

static int is_tame(const search *s, const fc_sums *v) {
    const range *r = &ranges[s->pairs.dtype];
    return v->sq <= r->huge && v->abs <= r->huge && (s->pairs.metric->shift || v->sq >= r->tiny);
}

static double twice_product(const search *s, double acc, const fc_sums *q, const fc_sums *x) {
    return s->tile->scale * (acc + s->tile->from_q * q->sum + s->tile->from_x * x->sum);
}

/* What an accumulator says of the pair's distance. */
static fc_candidate bounds(const search *s, double acc, const fc_sums *q, const fc_sums *x, size_t row) {
    const fc_metric_row *m = s->pairs.metric;
    fc_candidate c = {.low = 0, .slack = INFINITY, .row = (uint32_t)row};
    if (!is_tame(s, q) || !is_tame(s, x)) return c;
    const double P2 = twice_product(s, acc, q, x);
    const double rank = m->rank(P2, q, x);
    if (s->g == 0) { /* integers: the rank is what refining would find */
        c.low = m->refine == FC_PAIR_product ? m->distance(P2 / 2, q->sq, x->sq) : m->undo(rank);
        c.slack = 0;
        return c;
    }
    const double error = s->g * m->error(q, x) + ranges[s->pairs.dtype].underflow;
    const double low = m->undo(fmax(rank - error, 0)) * (1 - 0x1p-50), high = m->undo(fmax(rank + error, 0)) * (1 + 0x1p-50);
    c.low = low;
    c.slack = (float)((high - low) * (1 + 0x1p-20)) + FLT_MIN;
    return c;
}

/* --- packing -------------------------------------------------------------------------------------------------------------- */

/* Spread one vector's cells over its lane of a panel. */
static void scatter(const fc_tile *tile, const char *cells, size_t groups, char *panel, size_t lane) {
    const size_t word = tile->group * tile->cell;
    const uint64_t flip = tile->flip * UINT64_C(0x0101010101010101);
    for (size_t g = 0; g < groups; g++) {
        uint64_t w = 0;
        memcpy(&w, cells + g * word, word);
        w ^= flip;
        memcpy(panel + (g * tile->lanes + lane) * word, &w, word);
    }
}

static void load_part(const search *s, const fc_matrix *M, size_t row, size_t from, size_t count, char *cells, fc_sums *sums) {
    double room[FC_DEPTH_BYTES / sizeof(float)];
    const fc_dtype dtype = s->pairs.dtype;
    const char *centre = s->centre ? (const char *)s->centre + from * fc_dtype_size(dtype) : NULL;
    s->tile->load(fc_row_part(M, row, from, count, dtype, room), centre, count, cells, sums);
}

/* Pack features [from, from + cols) of `count` queries from `first` on; the lanes that are left hold zeros. */
static void pack_queries(const search *s, scratch *w, size_t first, size_t count, size_t from, size_t cols) {
    const fc_tile *t = s->tile;
    const size_t part = part_cols(t);
    _Alignas(FC_LINE) char cells[FC_DEPTH_BYTES];
    for (size_t i = 0; i < round_up(count, t->lanes); i++) {
        char *panel = w->panels + i / t->lanes * t->lanes * round_up(cols, t->group) * t->cell;
        for (size_t c = 0; c < cols; c += part) {
            const size_t n = smaller(part, cols - c);
            fc_sums unused = {0};
            if (i < count) load_part(s, &s->pairs.Q, first + i, from + c, n, cells, &unused);
            else memset(cells, 0, sizeof cells);
            scatter(t, cells, round_up(n, t->group) / t->group, panel + c * t->lanes * t->cell, i % t->lanes);
        }
    }
    w->packed_from = from;
    w->packed_cols = cols;
}

static void sum_queries(const search *s, scratch *w, size_t first, size_t count) {
    _Alignas(FC_LINE) char cells[FC_DEPTH_BYTES];
    const size_t d = s->pairs.Q.cols, part = part_cols(s->tile);
    for (size_t i = 0; i < count; i++) {
        w->q_sums[i] = (fc_sums){0};
        for (size_t c = 0; c < d; c += part)
            load_part(s, &s->pairs.Q, first + i, c, smaller(part, d - c), cells, &w->q_sums[i]);
    }
}

/* --- one block of rows ---------------------------------------------------------------------------------------------------- */

typedef struct {
    size_t first, count; /* queries */
    size_t row, rows;    /* rows of X */
} span;

/* The share of tile (panel p, rows from r on) in fetching the part that comes after part c of a block of rows. */
static fc_ahead ahead_of(const search *s, span at, size_t c, size_t r, size_t p, size_t panels) {
    const fc_matrix *X = &s->pairs.X;
    const size_t size = fc_dtype_size(X->dtype), part = part_cols(s->tile), rows = s->tile->rows;
    const int same_rows = c + part < X->cols;
    const size_t from = rows * p / panels, share = rows * (p + 1) / panels - from;
    const size_t row = at.row + (same_rows ? 0 : at.rows) + r + from;
    if (row + share > X->rows) return (fc_ahead){0};
    return (fc_ahead){(const char *)X->data + (row * X->cols + (same_rows ? c + part : 0)) * size, share, X->cols * size};
}

/* Accumulators of every query of the block against every row of it; false if stopped. */
static int accumulate(const search *s, scratch *w, span at) {
    const fc_tile *t = s->tile;
    const size_t d = s->pairs.Q.cols, part = part_cols(t), padded = round_up(at.rows, t->rows);
    const size_t panels = round_up(at.count, t->lanes) / t->lanes;
    const size_t acc_bytes = t->lanes * acc_size(s->pairs.dtype);
    memset(w->x_sums, 0, at.rows * sizeof *w->x_sums);
    memset(w->cells + at.rows * FC_DEPTH_BYTES, 0, (padded - at.rows) * FC_DEPTH_BYTES);
    for (size_t c = 0; c < d; c += part) {
        if (fc_stopped(w->team, w->thread)) return 0;
        if (c < w->packed_from || c >= w->packed_from + w->packed_cols)
            pack_queries(s, w, at.first, at.count, c, smaller(s->pack_cols, d - c));
        const size_t n = smaller(part, d - c), groups = round_up(n, t->group) / t->group;
        for (size_t r = 0; r < at.rows; r++)
            load_part(s, &s->pairs.X, at.row + r, c, n, w->cells + r * FC_DEPTH_BYTES, &w->x_sums[r]);
        for (size_t p = 0; p < panels; p++) {
            const char *panel = w->panels + (p * round_up(w->packed_cols, t->group) + c - w->packed_from) * t->lanes * t->cell;
            char *acc = w->acc + p * ROW_BLOCK * acc_bytes;
            for (size_t r = 0; r < padded; r += t->rows) {
                const fc_ahead ahead = ahead_of(s, at, c, r, p, panels);
                t->run(panel, w->cells + r * FC_DEPTH_BYTES, FC_DEPTH_BYTES, groups, acc + r * acc_bytes, c == 0, ahead);
            }
        }
    }
    return 1;
}

static fc_settle settle_for(const search *s, const scratch *w, size_t first, size_t i) {
    return (fc_settle){&s->pairs, first + i, w->squares[i], w->room, w->team, w->thread};
}

/* Values for the sieve, in the type of its arithmetic. */
static void put(void *values, size_t i, double v, fc_dtype dtype) {
    if (dtype == FC_f64) ((double *)values)[i] = v;
    else ((float *)values)[i] = (float)v;
}

/* Sieve one panel's accumulators and offer what passes. */
static void offer_passed(const search *s, scratch *w, span at, size_t panel) {
    const fc_tile *t = s->tile;
    const fc_metric_row *m = s->pairs.metric;
    const fc_dtype dtype = s->pairs.dtype;
    const size_t first = panel * t->lanes, lanes = smaller(t->lanes, at.count - first);
    double A[ROW_BLOCK], E[ROW_BLOCK], B[MAX_LANES], T[MAX_LANES];
    int32_t Ix[ROW_BLOCK], Iq[MAX_LANES] = {0};
    for (size_t r = 0; r < at.rows; r++) {
        const fc_sums *x = &w->x_sums[r];
        put(A, r, is_tame(s, x) ? m->A(x, s->g_sieve) : -INFINITY, dtype);
        put(E, r, m->E(x), dtype);
        Ix[r] = (int32_t)(s->tile->from_x * x->sum);
    }
    for (size_t l = 0; l < t->lanes; l++) {
        const fc_sums *q = &w->q_sums[first + l];
        const double limit = l < lanes ? w->top[first + l].limit * s->limit_stretch : 0;
        put(B, l, l < lanes ? m->B(q, limit, s->g_sieve) : 0, dtype);
        put(T, l, l < lanes ? (is_tame(s, q) ? m->T(q, limit, s->g_sieve) + ranges[dtype].underflow : INFINITY) : -INFINITY, dtype);
        if (l < lanes) Iq[l] = (int32_t)(t->from_q * q->sum);
    }
    const fc_sieve sieve = {A, E, B, T, Ix, Iq, (float)t->scale};
    const char *acc = w->acc + panel * ROW_BLOCK * t->lanes * acc_size(dtype);
    const size_t passed = s->pairs.kernels->keep[dtype](acc, at.rows, t->lanes, &sieve, w->passed);
    for (size_t i = 0; i < passed; i++) {
        const size_t lane = w->passed[i] % t->lanes, r = w->passed[i] / t->lanes, row = at.row + r, q = first + lane;
        if (lane >= lanes || (s->skip_self && row == at.first + q)) continue;
        const double value = dtype == FC_u8    ? (double)((const int32_t *)acc)[w->passed[i]]
                             : dtype == FC_f32 ? (double)((const float *)acc)[w->passed[i]]
                                               : ((const double *)acc)[w->passed[i]];
        const fc_settle settle = settle_for(s, w, at.first, q);
        fc_topk_offer(&w->top[q], bounds(s, value, &w->q_sums[q], &w->x_sums[r], row), &settle);
    }
}

static void search_rows(const search *s, scratch *w, span at, size_t end) {
    sum_queries(s, w, at.first, at.count);
    w->packed_from = w->packed_cols = 0;
    for (size_t step = FIRST_ROW_BLOCK; at.row < end; at.row += at.rows, step = smaller(2 * step, ROW_BLOCK)) {
        at.rows = smaller(step, end - at.row);
        if (!accumulate(s, w, at)) return;
        for (size_t p = 0; p * s->tile->lanes < at.count; p++) offer_passed(s, w, at, p);
    }
}

static void scan_rows(const search *s, scratch *w, span at, size_t end) {
    for (; at.row < end; at.row++) {
        if (at.row % FC_STOP_EVERY == 0 && fc_stopped(w->team, w->thread)) return;
        for (size_t i = 0; i < at.count; i++) {
            if (s->skip_self && at.row == at.first + i) continue;
            const fc_settle settle = settle_for(s, w, at.first, i);
            const double distance = fc_refine(&s->pairs, settle.query, settle.query_squares, at.row);
            fc_topk_offer(&w->top[i], (fc_candidate){distance, 0, (uint32_t)at.row}, &settle);
        }
    }
}

/* --- tasks ---------------------------------------------------------------------------------------------------------------- */

/* One allocation, cut up; with memory NULL, only its size. */
static size_t carve(const search *s, scratch *w, char *memory) {
    size_t used = 0;
#define FC_CARVE(field, bytes) \
    w->field = memory ? (void *)(memory + used) : NULL; \
    used += round_up((bytes), FC_LINE)
    const size_t queries = round_up(s->block, s->tile->lanes), capacity = fc_topk_capacity(s->k);
    FC_CARVE(room, capacity * sizeof(double));
    for (size_t i = 0; i < s->block; i++) {
        FC_CARVE(top[i].items, capacity * sizeof(fc_candidate));
    }
    if (!s->scans) {
        FC_CARVE(panels, queries * round_up(s->pack_cols, s->tile->group) * s->tile->cell);
        FC_CARVE(cells, (size_t)ROW_BLOCK * FC_DEPTH_BYTES);
        FC_CARVE(acc, queries * ROW_BLOCK * acc_size(s->pairs.dtype));
        FC_CARVE(passed, (size_t)ROW_BLOCK * MAX_LANES * sizeof *w->passed);
    }
#undef FC_CARVE
    return used;
}

/* Write a task's k best, nearest first; fewer rows than k leave +inf behind them. */
static void report(const search *s, const fc_topk *top, size_t query, size_t segment) {
    const size_t at = (query * s->segments + segment) * s->k;
    for (size_t j = 0; j < s->k; j++) {
        s->distance[at + j] = j < top->count ? top->items[j].low : INFINITY;
        s->index[at + j] = j < top->count ? (int64_t)top->items[j].row : INT64_MAX;
    }
}

static void run_task(const search *s, scratch *w, size_t task) {
    const size_t n = s->pairs.X.rows, segment = task % s->segments, first = task / s->segments * s->block;
    const size_t end = n / s->segments * (segment + 1) + (segment + 1 == s->segments ? n % s->segments : 0);
    const span at = {.first = first, .count = smaller(s->block, s->pairs.Q.rows - first), .row = n / s->segments * segment};
    for (size_t i = 0; i < at.count; i++) {
        fc_topk *top = &w->top[i];
        *top = (fc_topk){.items = top->items, .capacity = fc_topk_capacity(s->k), .k = s->k, .limit = INFINITY};
        w->squares[i] = fc_query_squares(&s->pairs, first + i);
    }
    (s->scans ? scan_rows : search_rows)(s, w, at, end);
    for (size_t i = 0; i < at.count && !fc_stopped(w->team, w->thread); i++) {
        const fc_settle settle = settle_for(s, w, first, i);
        fc_topk_finish(&w->top[i], &settle);
        report(s, &w->top[i], first + i, segment);
    }
}

static void run_thread(void *job, fc_team *team, int thread) {
    const search *s = job;
    scratch *w = malloc(sizeof *w);
    char *memory = w ? aligned_alloc(FC_LINE, carve(s, w, NULL)) : NULL;
    if (memory) {
        carve(s, w, memory);
        w->team = team;
        w->thread = thread;
        for (size_t task; fc_next_task(team, &task);) run_task(s, w, task);
    } else {
        fc_stop(team, FC_NO_MEMORY);
    }
    free(memory);
    free(w);
}

/* Merge each query's sorted segments into the caller's arrays. */
static void merge(const search *s, double *distance, int64_t *index) {
    size_t heads[MAX_SEGMENTS];
    for (size_t q = 0; q < s->pairs.Q.rows; q++) {
        const double *d = s->distance + q * s->segments * s->k;
        const int64_t *id = s->index + q * s->segments * s->k;
        memset(heads, 0, sizeof heads);
        for (size_t j = 0; j < s->k; j++) {
            size_t best = 0;
            for (size_t g = 1; g < s->segments; g++) {
                const size_t a = g * s->k + heads[g], b = best * s->k + heads[best];
                if (d[a] < d[b] || (d[a] == d[b] && id[a] < id[b])) best = g;
            }
            distance[q * s->k + j] = d[best * s->k + heads[best]];
            index[q * s->k + j] = id[best * s->k + heads[best]++];
        }
    }
}

/* --- planning ------------------------------------------------------------------------------------------------------------- */

/* How many queries a task takes, in how many segments X is cut, and how much of a query is packed at a time. */
static void plan(search *s, int n_threads) {
    const fc_tile *t = s->tile;
    const size_t nq = s->pairs.Q.rows, d = s->pairs.Q.cols, threads = (size_t)n_threads;
    const size_t by_candidates = CANDIDATE_BYTES / (fc_topk_capacity(s->k) * sizeof(fc_candidate));
    const size_t by_panels = PANEL_BYTES / (t->lanes * round_up(d, t->group) * t->cell) * t->lanes;
    size_t most = smaller(MAX_BLOCK, by_panels > t->lanes ? by_panels : t->lanes);
    if (most > by_candidates) most = by_candidates ? by_candidates : 1;

    /* Share X out among the threads, or the blocks where there are many or segments' results would be large. */
    s->scans = nq <= SCAN_QUERIES;
    s->blocks = (nq + most - 1) / most;
    const size_t result_bytes = nq * s->k * (sizeof(double) + sizeof(int64_t));
    const int cut = s->blocks < BLOCKS_PER_THREAD * threads && result_bytes <= PARTIAL_BYTES / threads;
    s->segments = cut ? smaller(smaller(threads, MAX_SEGMENTS), s->pairs.X.rows) : 1;
    if (!cut) s->blocks = smaller(round_up(s->blocks, threads), nq);
    s->block = (nq + s->blocks - 1) / s->blocks;
    if (s->block > t->lanes) s->block = smaller(round_up(s->block, t->lanes), most);
    s->blocks = (nq + s->block - 1) / s->block;
    const size_t part = part_cols(t), fits = PANEL_BYTES / (round_up(s->block, t->lanes) * t->cell) / part * part;
    s->pack_cols = smaller(d, fits);
}

static int arguments_ok(fc_metric metric, const fc_matrix *Q, const fc_matrix *X, size_t k, int skip_self, fc_run run) {
    size_t out;
    return (unsigned)metric < FC_METRIC_COUNT && run.n_threads >= 1 && Q->cols == X->cols && Q->cols > 0 &&
           X->rows <= UINT32_MAX && k > 0 && k + (skip_self != 0) <= X->rows &&
           !__builtin_mul_overflow(Q->rows, k, &out) && out <= PTRDIFF_MAX / (sizeof(double) + sizeof(int64_t));
}

/* g of FC_METRICS: what accumulating in the tile's type, loading, and the sums may add up to.  Accumulators add `part` terms one
 * after the other and then the parts; sums do no worse; the reported distance itself is good to (d / 16 + 16) float64 roundings.
 */
static double relative_error(fc_dtype dtype, const fc_tile *tile, size_t d) {
    if (dtype == FC_u8) return 0;
    const double part = (double)part_cols(tile), terms = part + (double)d / part + 32;
    return terms * ranges[dtype].rounding + ((double)d / 16 + 16) * 0x1p-53;
}

/* The centre as the tile wants it; *owned is what the caller frees. */
static int take_centre(search *s, const float *centre, double **owned) {
    if (!centre || !s->pairs.metric->shift || s->pairs.dtype == FC_u8) return 1;
    s->centre = centre;
    if (s->pairs.dtype == FC_f32) return 1;
    s->centre = *owned = malloc(s->pairs.Q.cols * sizeof **owned);
    for (size_t i = 0; *owned && i < s->pairs.Q.cols; i++) (*owned)[i] = (double)centre[i];
    return *owned != NULL;
}

/* Run the tasks, with room for the results of X's segments where it is cut. */
static fc_status run_search(search *s, fc_run run, double *distance, int64_t *index) {
    const size_t entries = s->pairs.Q.rows * s->segments * s->k;
    double *partial = NULL;
    s->distance = distance;
    s->index = index;
    if (s->segments > 1) {
        partial = malloc(entries * (sizeof(double) + sizeof(int64_t)));
        if (!partial) return FC_NO_MEMORY;
        s->distance = partial;
        s->index = (int64_t *)(partial + entries);
    }
    const fc_status status = fc_parallel(run, s->blocks * s->segments, run_thread, s);
    if (status == FC_OK && partial) merge(s, distance, index);
    free(partial);
    return status;
}

fc_status fc_knn(fc_metric metric, fc_matrix Q, fc_matrix X, size_t k, const float *centre, int skip_self, fc_run run,
                 double *distance, int64_t *index) {
    if (!arguments_ok(metric, &Q, &X, k, skip_self, run)) return FC_BAD_ARGUMENT;
    if (Q.rows == 0) return FC_OK;
    search s = {.pairs = {&fc_metrics[metric], fc_kernels_active(), Q, X, fc_common_dtype(&Q, &X)}, .k = k, .skip_self = skip_self};
    s.tile = &s.pairs.kernels->tile[s.pairs.metric->tile][s.pairs.dtype];
    s.g = relative_error(s.pairs.dtype, s.tile, Q.cols);
    s.g_sieve = s.g + 8 * ranges[s.pairs.dtype].rounding;
    s.limit_stretch = 1 + 8 * ranges[s.pairs.dtype].rounding;
    run.n_threads = fc_threads_for(run.n_threads, (double)Q.rows * (double)X.rows * (double)Q.cols);
    plan(&s, run.n_threads);

    double *owned = NULL;
    const fc_status status = take_centre(&s, centre, &owned) ? run_search(&s, run, distance, index) : FC_NO_MEMORY;
    free(owned);
    return status;
}
