/* block.c -- the rows of a segment are taken in blocks:
 *
 *     inner products with all queries of the block     product.c
 *     for each panel: prune                            filter.c or, with stages, stage.c
 *       survivors go through the later stages          look_closer
 *       and to the query's nearest so far              topk.c
 */
#include "neighbors/block.h"

#include <math.h>
#include <string.h>

#include "core/matrix.h"
#include "core/sizes.h"

enum {
    FETCHED = 512,        /* bytes of a row to ask for: the processor fetches those that follow */
    FINISHED_A_LOOK = 16, /* queries between two questions whether to stop; resolving many rows of one asks, too */
};

typedef struct {
    size_t first, count; /* queries */
    size_t start;        /* of the segment */
    size_t row, rows;    /* rows of X */
} span;

size_t fc_block_carve(const fc_block_plan *s, fc_block *w, char *memory) {
    size_t used = 0;
#define FC_CARVE(field, bytes) \
    w->field = memory ? (void *)(memory + used) : NULL; \
    used += fc_round_up((bytes), FC_LINE)
    FC_CARVE(differ, s->n_stages > 1 ? (size_t)FC_ROW_BLOCK * FC_MAX_LANES * sizeof(double) : 0);
    FC_CARVE(scratch, s->capacity * sizeof(double));
    for (size_t i = 0; i < s->product.block; i++) {
        FC_CARVE(top[i].items, s->capacity * sizeof(fc_candidate));
    }
    if (!s->scans) {
        FC_CARVE(survivors, ((size_t)FC_ROW_BLOCK * FC_MAX_LANES + FC_MORE_SURVIVORS) * sizeof *w->survivors);
        used += fc_product_carve(&s->product, &w->product, memory ? memory + used : NULL);
    }
#undef FC_CARVE
    return used;
}

static fc_resolve resolve_for(const fc_block_plan *s, fc_block *w, size_t first, size_t i) {
    return (fc_resolve){&s->pairs,       first + i,        w->squares[i], w->scratch, &w->tally.pairs[s->n_stages],
                        w->product.team, w->product.thread};
}

static void offer(const fc_block_plan *s, fc_block *w, size_t first, size_t i, fc_candidate candidate) {
    if (!fc_topk_offer(&w->top[i], candidate)) return;
    const fc_resolve resolve = resolve_for(s, w, first, i);
    fc_topk_evict(&w->top[i], &resolve);
}

static void start_pruning(const fc_block_plan *s, fc_block *w, span at) {
    memset(w->B, 0, sizeof w->B);
    memset(w->T, 0, sizeof w->T);
    memset(w->R, 0, sizeof w->R);
    memset(w->Iq, 0, sizeof w->Iq);
    for (size_t i = 0; i < at.count && !s->n_stages; i++) w->q_sums[i] = fc_product_sums(&s->product, at.first + i);
    fc_product_start(&s->product, &w->product, at.first, at.count);
}

static void aim_pruning(fc_block *w, span at, fc_stage_aim aim) {
    w->aim = aim;
    for (size_t i = 0; i < at.count; i++) w->pruned_for[i] = NAN; /* unequal to any threshold */
}

static void renew_row_terms(const fc_block_plan *s, fc_block *w, span at) {
    if (s->n_stages) {
        fc_stage_row_terms(&s->stages[0], w->aim, at.row, at.rows, (float *)w->A, (float *)w->E, w->F, w->Ix);
        return;
    }
    for (size_t r = 0; r < at.rows; r++) fc_filter_row_terms(&s->filter, &w->product.x_sums[r], r, w->A, w->E, w->Ix);
}

/* Bring the pruning terms of a panel's queries up to their thresholds. */
static void renew_query_terms(const fc_block_plan *s, fc_block *w, span at, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        const double threshold = w->top[i].threshold;
        if (w->pruned_for[i] == threshold) continue;
        w->pruned_for[i] = threshold;
        if (s->n_stages) {
            const fc_stage_filter *f = &s->stages[0];
            const double limit = w->aim == FC_MAY_BE_NEAR ? fc_stage_limit(f, threshold, w->along[i]) : threshold;
            fc_stage_query_terms(f, w->aim, at.first + i, limit, i, (float *)w->B, (float *)w->T, w->R, w->Iq);
        } else {
            fc_filter_query_terms(&s->filter, &w->q_sums[i], threshold, i, w->B, w->T, w->Iq);
        }
        if (w->given_up[i]) ((float *)w->T)[i] = -INFINITY;
    }
}

/* Add the time since the last call to a stage's; n_stages stands for refining. */
static void lap(const fc_block_plan *s, fc_block *w, size_t stage) {
    if (!s->times) return;
    const double now = fc_now();
    w->tally.seconds[stage] += now - w->lap;
    w->lap = now;
}

/* A pair by its place among a panel's accumulators. */
typedef struct {
    size_t i, query, row; /* i counts within the block */
} place;

static place place_of(const fc_block_plan *s, span at, size_t first, uint32_t survivors) {
    const size_t lanes = fc_product_lanes(&s->product), i = first + fc_lane_of(survivors, lanes);
    return (place){i, at.first + i, at.row + fc_row_of(survivors, lanes)};
}

/* How the codes of the first stage's survivors differ: the second stage adds to that. */
static void take_differences(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t survivors,
                             const char *acc) {
    for (size_t n = 0; n < survivors; n++) {
        const place p = place_of(s, at, first, w->survivors[n]);
        const int32_t a = ((const int32_t *)acc)[w->survivors[n]];
        w->differ[n] = fc_stage_codes_differ_acc(&s->stages[0], a, p.query, p.row);
    }
}

/* Count what a query costs after the first stage.  Give it up when that is more than the allowance and what a plain
 * comparison with the rows so far would have cost.  A plain search for a few queries costs as much as one for a whole
 * panel: so each of a few costly queries may cost more.
 */
static void count_cost(const fc_block_plan *s, fc_block *w, span at, place p, double cost) {
    w->spent[p.i] += cost;
    const double over = w->spent[p.i] - (double)(p.row - at.start), lanes = (double)s->product.tile->lanes;
    if (over <= s->allowance) return;
    w->costly += !w->is_costly[p.i];
    w->is_costly[p.i] = 1;
    if (over <= s->allowance * fmax(lanes / w->costly, 1)) return;
    w->given_up[p.i] = 1;
    w->pruned_for[p.i] = NAN; /* so that its pruning terms are renewed, and none of its pairs survives any more */
}

/* Ask for the survivors' rows: with few queries and many rows they lie far apart in memory. */
static void fetch(const fc_block_plan *s, const fc_block *w, span at, size_t survivors, const fc_matrix *M) {
    const size_t bytes = M->cols * fc_dtype_size(M->dtype);
    for (size_t n = 0; s->product.few && n < survivors; n++) {
        const char *row = (const char *)M->data + (at.row + fc_row_of(w->survivors[n], 1)) * bytes;
        for (size_t line = 0; line < fc_smaller(bytes, FETCHED); line += FC_LINE) __builtin_prefetch(row + line);
    }
}

/* Keep those survivors of the stages before that survive this one; how many. */
static size_t look_closer(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t stage, size_t survivors) {
    const fc_stage_filter *f = &s->stages[stage];
    size_t kept = 0;
    w->tally.pairs[stage] += (double)survivors;
    fetch(s, w, at, survivors, &f->stage->X.codes);
    for (size_t n = 0; n < survivors; n++) {
        const place p = place_of(s, at, first, w->survivors[n]);
        const double limit = fc_stage_limit(f, w->top[p.i].threshold, w->along[p.i]);
        const double before = f->stage->adds ? w->differ[n] : 0;
        count_cost(s, w, at, p, f->stage->cost);
        w->survivors[kept] = w->survivors[n];
        w->differ[kept] = before + fc_stage_codes_differ(f, p.query, p.row);
        kept += !fc_stage_is_far(f, w->differ[kept], p.query, p.row, limit);
    }
    return kept;
}

/* Bound the distances of the survivors of all stages at once, while a row is in the cache for other queries, too. */
static void offer_survivors(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t survivors) {
    const size_t look = fc_stop_interval(s->pairs.X.cols);
    w->tally.pairs[s->n_stages] += (double)survivors;
    fetch(s, w, at, survivors, &s->pairs.X);
    for (size_t n = 0; n < survivors; n++) {
        const place p = place_of(s, at, first, w->survivors[n]);
        if (n % look == look - 1 && fc_stopped(w->product.team, w->product.thread)) return;
        const fc_bounds b = fc_estimate(&s->pairs, p.query, w->squares[p.i], p.row);
        offer(s, w, at.first, p.i, (fc_candidate){b.low, b.slack, (uint32_t)p.row});
        count_cost(s, w, at, p, s->refine_cost);
    }
}

/* Offer pairs whose sketches look near, by their accumulators. */
static void offer_seeds(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t survivors, const char *acc) {
    const fc_stage_filter *f = &s->stages[0];
    for (size_t n = 0; n < survivors; n++) {
        const place p = place_of(s, at, first, w->survivors[n]);
        const double differ = fc_stage_codes_differ_acc(f, ((const int32_t *)acc)[w->survivors[n]], p.query, p.row);
        offer(s, w, at.first, p.i, (fc_candidate){fc_stage_length(f, differ, p.query, p.row), 0, (uint32_t)p.row});
    }
}

/* In a search without stages: offer pairs with the bounds that their accumulators prove. */
static void offer_bounds(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t survivors,
                         const char *acc) {
    const fc_survivors pairs = {acc, w->survivors, survivors, at.row, w->q_sums + first, w->product.x_sums};
    fc_candidate c[FC_PAIRS_AT_ONCE];
    for (size_t from = 0, n; (n = fc_filter_bounds(&s->filter, &pairs, from, c)) > 0; from += n)
        for (size_t i = 0; i < n; i++) offer(s, w, at.first, place_of(s, at, first, w->survivors[from + i]).i, c[i]);
}

/* Drop pairs that do not count: of empty lanes, of queries given up, and of a query with the row that it leaves out. */
static size_t drop_others(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t survivors) {
    size_t kept = 0;
    for (size_t n = 0; n < survivors; n++) {
        const place p = place_of(s, at, first, w->survivors[n]);
        w->survivors[kept] = w->survivors[n];
        kept += p.i < at.count && !w->given_up[p.i] && !(s->own && s->own[p.query] == (int64_t)p.row);
    }
    return kept;
}

/* List the survivors of one panel's accumulators; how many. */
static size_t prune(const fc_block_plan *s, fc_block *w, span at, size_t first, const char *acc) {
    const fc_arithmetic in = s->product.in;
    const fc_kernels *kernels = s->pairs.kernels;
    const size_t lanes = fc_product_lanes(&s->product), size = fc_value_size(in);
    const fc_pruning prune = {w->A,        w->E,          (char *)w->B + first * size,   (char *)w->T + first * size,
                              w->Ix,       w->Iq + first, (float)s->product.tile->scale, w->F,
                              w->R + first};
    if (s->product.few) return kernels->keep_few((const int32_t *)(const void *)acc, at.rows, &prune, w->survivors);
    return (s->n_stages ? kernels->keep_sketches : kernels->keep[in])(acc, at.rows, lanes, &prune, w->survivors);
}

/* Prune one panel's pairs and offer the survivors. */
static void prune_and_offer(const fc_block_plan *s, fc_block *w, span at, size_t panel) {
    const size_t lanes = fc_product_lanes(&s->product), first = panel * lanes;
    renew_query_terms(s, w, at, first, fc_smaller(first + lanes, at.count));
    const char *acc = fc_product_panel(&s->product, &w->product, panel);
    const size_t found = prune(s, w, at, first, acc);
    size_t survivors = drop_others(s, w, at, first, found);
    lap(s, w, 0);
    if (s->n_stages == 0) {
        offer_bounds(s, w, at, first, survivors, acc);
    } else if (w->aim == FC_LOOKS_NEAR) {
        offer_seeds(s, w, at, first, survivors, acc);
    } else {
        if (s->n_stages > 1 && s->stages[1].stage->adds) take_differences(s, w, at, first, survivors, acc);
        for (size_t stage = 1; stage < s->n_stages; stage++) {
            survivors = look_closer(s, w, at, first, stage, survivors);
            lap(s, w, stage);
        }
        offer_survivors(s, w, at, first, survivors);
        lap(s, w, s->n_stages);
    }
}

/* Rows [at.row, end), or one of every `every` blocks of them; false if stopped. */
static int stream_rows(const fc_block_plan *s, fc_block *w, span at, size_t end, size_t every) {
    const size_t most = fc_product_row_block(&s->product);
    for (size_t step = FC_FIRST_ROWS; at.row < end; at.row += at.rows * every, step = fc_smaller(2 * step, most)) {
        at.rows = fc_smaller(step, end - at.row);
        if (!fc_product_rows(&s->product, &w->product, at.row, at.rows)) return 0;
        renew_row_terms(s, w, at);
        for (size_t p = 0; p < w->product.used; p++) prune_and_offer(s, w, at, p);
    }
    return 1;
}

/* How many candidates a query of a search with stages has: few, so that its threshold is renewed often. */
static size_t few_candidates(const fc_block_plan *s) { return fc_smaller(s->k + 1 + s->k / FC_FRESH, s->capacity); }

/* Begin with limits as thresholds; false where some are unknown. */
static int take_limits(const fc_block_plan *s, fc_block *w, span at) {
    for (size_t i = 0; i < at.count; i++)
        if (!(w->top[i].threshold < INFINITY)) return 0;
    for (size_t i = 0; i < at.count; i++) w->top[i].capacity = few_candidates(s);
    return 1;
}

/* Begin with seeds: the rows that look nearest in a part of the segment. */
static void start_seeds(const fc_block_plan *s, fc_block *w, span at) {
    aim_pruning(w, at, FC_LOOKS_NEAR);
    for (size_t i = 0; i < at.count; i++) fc_topk_start(&w->top[i], w->top[i].items, s->k + FC_MORE_SEEDS, s->capacity);
}

/* Take the thresholds that the seeds set; false if stopped. */
static int take_thresholds(const fc_block_plan *s, fc_block *w, span at) {
    lap(s, w, 0);
    for (size_t i = 0; i < at.count; i++) {
        const fc_resolve resolve = resolve_for(s, w, at.first, i);
        if (fc_stopped(w->product.team, w->product.thread)) return 0;
        fc_topk_finish(&w->top[i], &resolve);
        w->spent[i] = (double)w->top[i].count * s->refine_cost;
        fc_topk_restart(&w->top[i], s->k, few_candidates(s), &resolve);
        w->top[i].threshold = fmin(w->top[i].threshold, fc_limit_of(&s->pairs, s->limit, at.first + i));
    }
    lap(s, w, s->n_stages);
    return 1;
}

static void scan_rows(const fc_block_plan *s, fc_block *w, span at, size_t end) {
    const size_t look = fc_stop_interval(s->pairs.X.cols);
    for (; at.row < end; at.row++) {
        if (at.row % look == 0 && fc_stopped(w->product.team, w->product.thread)) return;
        for (size_t i = 0; i < at.count; i++) {
            if (s->own && s->own[at.first + i] == (int64_t)at.row) continue;
            const fc_bounds b = fc_estimate(&s->pairs, at.first + i, w->squares[i], at.row);
            offer(s, w, at.first, i, (fc_candidate){b.low, b.slack, (uint32_t)at.row});
        }
    }
}

/* A query's product with the centre that rows are sketched less; 0 where there is none. */
static double product_along(const fc_block_plan *s, size_t query) {
    if (!s->along.metric) return 0;
    return fc_reported(&s->along, fc_refine(&s->along, query, fc_query_squares(&s->along, query), 0));
}

static void start_queries(const fc_block_plan *s, fc_block *w, span at) {
    w->lap = s->times ? fc_now() : 0;
    w->costly = 0;
    for (size_t i = 0; i < at.count; i++) {
        fc_topk_start(&w->top[i], w->top[i].items, s->k, s->capacity);
        w->top[i].threshold = fc_limit_of(&s->pairs, s->limit, at.first + i);
        w->squares[i] = fc_query_squares(&s->pairs, at.first + i);
        w->along[i] = product_along(s, at.first + i);
        w->spent[i] = w->is_costly[i] = w->given_up[i] = 0;
    }
}

static void finish_queries(const fc_block_plan *s, fc_block *w, span at) {
    for (size_t i = 0; i < at.count; i++) {
        if (i % FINISHED_A_LOOK == 0 && fc_stopped(w->product.team, w->product.thread)) return;
        const fc_resolve resolve = resolve_for(s, w, at.first, i);
        if (!w->given_up[i]) fc_topk_finish(&w->top[i], &resolve);
    }
}

void fc_block_search(const fc_block_plan *s, fc_block *w, size_t first, size_t count, size_t row, size_t end) {
    const span at = {.first = first, .count = count, .start = row, .row = row};
    start_queries(s, w, at);
    if (s->scans) {
        scan_rows(s, w, at, end);
    } else {
        start_pruning(s, w, at);
        if (s->n_stages && !take_limits(s, w, at)) {
            start_seeds(s, w, at);
            if (!stream_rows(s, w, at, end, FC_SEED_EVERY) || !take_thresholds(s, w, at)) return;
        }
        aim_pruning(w, at, FC_MAY_BE_NEAR);
        stream_rows(s, w, at, end, 1);
    }
    finish_queries(s, w, at);
}
