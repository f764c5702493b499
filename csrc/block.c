/* block.c -- the rows of a segment pass by in blocks:
 *
 *     inner products with all queries of the block     product.c
 *     for each panel: sieve                            filter.c or, with stages, stage.c
 *       what passes goes through the later stages      look_closer
 *       and to the query's nearest so far              topk.c
 */
#include "block.h"

#include <math.h>
#include <string.h>

#include "sizes.h"

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
    FC_CARVE(room, s->capacity * sizeof(double));
    for (size_t i = 0; i < s->product.block; i++) {
        FC_CARVE(top[i].items, s->capacity * sizeof(fc_candidate));
    }
    if (!s->scans) {
        FC_CARVE(passed, ((size_t)FC_ROW_BLOCK * FC_MAX_LANES + FC_PASSED_MORE) * sizeof *w->passed);
        used += fc_product_carve(&s->product, &w->product, memory ? memory + used : NULL);
    }
#undef FC_CARVE
    return used;
}

static fc_settle settle_for(const fc_block_plan *s, fc_block *w, size_t first, size_t i) {
    return (fc_settle){&s->pairs,       first + i,        w->squares[i], w->room, &w->tally.pairs[s->n_stages],
                       w->product.team, w->product.thread};
}

static void offer(const fc_block_plan *s, fc_block *w, size_t first, size_t i, fc_candidate candidate) {
    if (!fc_topk_offer(&w->top[i], candidate)) return;
    const fc_settle settle = settle_for(s, w, first, i);
    fc_topk_make_room(&w->top[i], &settle);
}

static void start_sieve(const fc_block_plan *s, fc_block *w, span at) {
    memset(w->B, 0, sizeof w->B);
    memset(w->T, 0, sizeof w->T);
    memset(w->R, 0, sizeof w->R);
    memset(w->Iq, 0, sizeof w->Iq);
    for (size_t i = 0; i < at.count && !s->n_stages; i++) w->q_sums[i] = fc_product_sums(&s->product, at.first + i);
    fc_product_start(&s->product, &w->product, at.first, at.count);
}

static void aim_sieve(fc_block *w, span at, fc_stage_aim aim) {
    w->aim = aim;
    for (size_t i = 0; i < at.count; i++) w->sieved[i] = NAN; /* unequal to any limit */
}

static void renew_row_terms(const fc_block_plan *s, fc_block *w, span at) {
    const fc_sums *x = w->product.x_sums;
    for (size_t r = 0; r < at.rows; r++)
        if (s->n_stages)
            fc_stage_row_terms(&s->stages[0], w->aim, at.row + r, r, (float *)w->A, (float *)w->E, w->F, w->Ix);
        else
            fc_filter_row_terms(&s->filter, &x[r], r, w->A, w->E, w->Ix);
}

/* Bring the sieve's terms of a panel's queries up to their limits. */
static void renew_query_terms(const fc_block_plan *s, fc_block *w, span at, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        const double limit = w->top[i].limit;
        if (w->sieved[i] == limit) continue;
        w->sieved[i] = limit;
        if (s->n_stages)
            fc_stage_query_terms(&s->stages[0], w->aim, at.first + i, limit, i, (float *)w->B, (float *)w->T, w->R,
                                 w->Iq);
        else
            fc_filter_query_terms(&s->filter, &w->q_sums[i], limit, i, w->B, w->T, w->Iq);
        if (w->given_up[i]) ((float *)w->T)[i] = -INFINITY;
    }
}

/* Count the time since the last call to a stage, n_stages for refining. */
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

static place place_of(const fc_block_plan *s, span at, size_t first, uint32_t passed) {
    const size_t lanes = s->product.tile->lanes, i = first + fc_lane_of(passed, lanes);
    return (place){i, at.first + i, at.row + fc_row_of(passed, lanes)};
}

/* How the codes of the first stage's pairs differ, where the second adds to it. */
static void take_differences(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t passed,
                             const char *acc) {
    for (size_t n = 0; n < passed; n++) {
        const place p = place_of(s, at, first, w->passed[n]);
        const int32_t a = ((const int32_t *)acc)[w->passed[n]];
        w->differ[n] = fc_stage_codes_differ_acc(&s->stages[0], a, p.query, p.row);
    }
}

/* Count what a query costs beyond the first stage, and give it up when that is more than a plain comparison with the
 * rows so far would have cost, and an allowance.  A plain search of few queries costs as much as one of a whole panel:
 * few queries may cost more.
 */
static void count_cost(const fc_block_plan *s, fc_block *w, span at, place p, double cost) {
    w->spent[p.i] += cost;
    const double over = w->spent[p.i] - (double)(p.row - at.start), lanes = (double)s->product.tile->lanes;
    if (over <= s->allowance) return;
    w->costly += !w->is_costly[p.i];
    w->is_costly[p.i] = 1;
    if (over <= s->allowance * fmax(lanes / w->costly, 1)) return;
    w->given_up[p.i] = 1;
    w->sieved[p.i] = NAN; /* so that the sieve's terms are renewed, and nothing passes any more */
}

/* Of pairs that have passed the stages before keep those that pass this one; how many. */
static size_t look_closer(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t stage, size_t passed) {
    const fc_stage_filter *f = &s->stages[stage];
    size_t kept = 0;
    w->tally.pairs[stage] += (double)passed;
    for (size_t n = 0; n < passed; n++) {
        const place p = place_of(s, at, first, w->passed[n]);
        const double limit = fc_stage_stretched(f, w->top[p.i].limit);
        const double before = f->stage->adds ? w->differ[n] : 0;
        count_cost(s, w, at, p, f->stage->cost);
        w->passed[kept] = w->passed[n];
        w->differ[kept] = before + fc_stage_codes_differ(f, p.query, p.row);
        kept += !fc_stage_is_far(f, w->differ[kept], p.query, p.row, limit);
    }
    return kept;
}

/* Estimate what has passed all stages at once, while its row is in the cache for other queries, too. */
static void offer_survivors(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t passed) {
    const size_t look = fc_stop_interval(s->pairs.X.cols);
    w->tally.pairs[s->n_stages] += (double)passed;
    for (size_t n = 0; n < passed; n++) {
        const place p = place_of(s, at, first, w->passed[n]);
        if (n % look == look - 1 && fc_stopped(w->product.team, w->product.thread)) return;
        const fc_bounds b = fc_estimate(&s->pairs, p.query, w->squares[p.i], p.row);
        offer(s, w, at.first, p.i, (fc_candidate){b.low, b.slack, (uint32_t)p.row});
        count_cost(s, w, at, p, s->refine_cost);
    }
}

/* Offer pairs whose sketches look near, by their accumulators. */
static void offer_seeds(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t passed, const char *acc) {
    const fc_stage_filter *f = &s->stages[0];
    for (size_t n = 0; n < passed; n++) {
        const place p = place_of(s, at, first, w->passed[n]);
        const double differ = fc_stage_codes_differ_acc(f, ((const int32_t *)acc)[w->passed[n]], p.query, p.row);
        offer(s, w, at.first, p.i, (fc_candidate){fc_stage_length(f, differ, p.query, p.row), 0, (uint32_t)p.row});
    }
}

/* Offer pairs with what the accumulators of a search without stages prove. */
static void offer_bounds(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t passed, const char *acc) {
    const fc_passed pairs = {acc, w->passed, passed, at.row, w->q_sums + first, w->product.x_sums};
    fc_candidate c[FC_PAIRS_AT_ONCE];
    for (size_t from = 0, n; (n = fc_filter_bounds(&s->filter, &pairs, from, c)) > 0; from += n)
        for (size_t i = 0; i < n; i++) offer(s, w, at.first, place_of(s, at, first, w->passed[from + i]).i, c[i]);
}

/* Drop what does not count: a panel's empty lanes, queries given up, and the row that a query is to leave out. */
static size_t drop_others(const fc_block_plan *s, fc_block *w, span at, size_t first, size_t passed) {
    size_t kept = 0;
    for (size_t n = 0; n < passed; n++) {
        const place p = place_of(s, at, first, w->passed[n]);
        w->passed[kept] = w->passed[n];
        kept += p.i < at.count && !w->given_up[p.i] && !(s->own && s->own[p.query] == (int64_t)p.row);
    }
    return kept;
}

/* Sieve one panel's accumulators and offer what passes. */
static void offer_passed(const fc_block_plan *s, fc_block *w, span at, size_t panel) {
    const fc_dtype dtype = s->product.dtype;
    const fc_kernels *kernels = s->pairs.kernels;
    const size_t lanes = s->product.tile->lanes, size = fc_value_size(dtype), first = panel * lanes;
    renew_query_terms(s, w, at, first, fc_smaller(first + lanes, at.count));
    const fc_sieve sieve = {w->A,        w->E,          (char *)w->B + first * size,   (char *)w->T + first * size,
                            w->Ix,       w->Iq + first, (float)s->product.tile->scale, w->F,
                            w->R + first};
    const char *acc = fc_product_panel(&s->product, &w->product, panel);
    size_t passed =
        (s->n_stages ? kernels->keep_sketches : kernels->keep[dtype])(acc, at.rows, lanes, &sieve, w->passed);
    passed = drop_others(s, w, at, first, passed);
    lap(s, w, 0);
    if (s->n_stages == 0) {
        offer_bounds(s, w, at, first, passed, acc);
    } else if (w->aim == FC_LOOKS_NEAR) {
        offer_seeds(s, w, at, first, passed, acc);
    } else {
        if (s->n_stages > 1 && s->stages[1].stage->adds) take_differences(s, w, at, first, passed, acc);
        for (size_t stage = 1; stage < s->n_stages; stage++) {
            passed = look_closer(s, w, at, first, stage, passed);
            lap(s, w, stage);
        }
        offer_survivors(s, w, at, first, passed);
        lap(s, w, s->n_stages);
    }
}

/* Rows [at.row, end), or of each `every` blocks of them one; false if stopped. */
static int pass_rows(const fc_block_plan *s, fc_block *w, span at, size_t end, size_t every) {
    for (size_t step = FC_FIRST_ROWS; at.row < end;
         at.row += at.rows * every, step = fc_smaller(2 * step, FC_ROW_BLOCK)) {
        at.rows = fc_smaller(step, end - at.row);
        if (!fc_product_rows(&s->product, &w->product, at.row, at.rows)) return 0;
        renew_row_terms(s, w, at);
        for (size_t p = 0; p < w->product.used; p++) offer_passed(s, w, at, p);
    }
    return 1;
}

/* Begin with the rows that look nearest in a part of all. */
static void start_seeds(const fc_block_plan *s, fc_block *w, span at) {
    aim_sieve(w, at, FC_LOOKS_NEAR);
    for (size_t i = 0; i < at.count; i++) fc_topk_start(&w->top[i], w->top[i].items, s->k + FC_MORE_SEEDS, s->capacity);
}

/* Take for limits what these rows set; false if stopped. */
static int take_limits(const fc_block_plan *s, fc_block *w, span at) {
    lap(s, w, 0);
    for (size_t i = 0; i < at.count; i++) {
        const fc_settle settle = settle_for(s, w, at.first, i);
        if (fc_stopped(w->product.team, w->product.thread)) return 0;
        fc_topk_finish(&w->top[i], &settle);
        w->spent[i] = (double)w->top[i].count * s->refine_cost;
        fc_topk_restart(&w->top[i], s->k, fc_smaller(s->k + 1 + s->k / FC_FRESH, s->capacity), &settle);
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

static void start_queries(const fc_block_plan *s, fc_block *w, span at) {
    w->lap = s->times ? fc_now() : 0;
    w->costly = 0;
    for (size_t i = 0; i < at.count; i++) {
        fc_topk_start(&w->top[i], w->top[i].items, s->k, s->capacity);
        w->squares[i] = fc_query_squares(&s->pairs, at.first + i);
        w->spent[i] = w->is_costly[i] = w->given_up[i] = 0;
    }
}

static void finish_queries(const fc_block_plan *s, fc_block *w, span at) {
    for (size_t i = 0; i < at.count && !fc_stopped(w->product.team, w->product.thread); i++) {
        const fc_settle settle = settle_for(s, w, at.first, i);
        if (!w->given_up[i]) fc_topk_finish(&w->top[i], &settle);
    }
}

void fc_block_search(const fc_block_plan *s, fc_block *w, size_t first, size_t count, size_t row, size_t end) {
    const span at = {.first = first, .count = count, .start = row, .row = row};
    start_queries(s, w, at);
    if (s->scans) {
        scan_rows(s, w, at, end);
    } else {
        start_sieve(s, w, at);
        if (s->n_stages) {
            start_seeds(s, w, at);
            if (!pass_rows(s, w, at, end, FC_SEED_EVERY) || !take_limits(s, w, at)) return;
        }
        aim_sieve(w, at, FC_MAY_BE_NEAR);
        pass_rows(s, w, at, end, 1);
    }
    finish_queries(s, w, at);
}
