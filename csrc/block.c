/* block.c -- the queries are packed into panels once; X passes a block of rows at a time, a part of its depth at a
 * time, so that a tile's operands stay in the caches:
 *
 *   for each block of rows:                        search_rows
 *     for each part of the depth:                  accumulate
 *       load the rows' features into cells
 *       for each panel, for each few rows: tile    acc (+)= ...
 *     for each panel: sieve, offer what passes     offer_passed
 */
#include "block.h"

#include <math.h>
#include <string.h>

#include "matrix.h"
#include "sizes.h"

typedef struct {
    size_t first, count; /* queries */
    size_t row, rows;    /* rows of X */
} span;

static size_t part_cols(const fc_tile *tile) { return FC_DEPTH_BYTES / tile->cell; }

size_t fc_block_carve(const fc_block_plan *s, fc_block *w, char *memory) {
    size_t used = 0;
#define FC_CARVE(field, bytes) \
    w->field = memory ? (void *)(memory + used) : NULL; \
    used += fc_round_up((bytes), FC_LINE)
    const fc_tile *t = s->filter.tile;
    const size_t queries = fc_round_up(s->block, t->lanes), capacity = fc_topk_capacity(s->k);
    FC_CARVE(room, capacity * sizeof(double));
    for (size_t i = 0; i < s->block; i++) {
        FC_CARVE(top[i].items, capacity * sizeof(fc_candidate));
    }
    if (!s->scans) {
        FC_CARVE(panels, queries * fc_round_up(s->pack_cols, t->group) * t->cell);
        FC_CARVE(cells, (size_t)FC_ROW_BLOCK * FC_DEPTH_BYTES);
        FC_CARVE(acc, queries * FC_ROW_BLOCK * fc_value_size(s->pairs.dtype));
        FC_CARVE(passed, (size_t)FC_ROW_BLOCK * FC_MAX_LANES * sizeof *w->passed);
    }
#undef FC_CARVE
    return used;
}

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

/* Pack features [from, from + cols) of `count` queries from `first` on; the lanes that are left hold zeros. */
static void pack_queries(const fc_block_plan *s, fc_block *w, size_t first, size_t count, size_t from, size_t cols) {
    const fc_tile *t = s->filter.tile;
    const size_t part = part_cols(t);
    _Alignas(FC_LINE) char cells[FC_DEPTH_BYTES];
    for (size_t i = 0; i < fc_round_up(count, t->lanes); i++) {
        char *panel = w->panels + i / t->lanes * t->lanes * fc_round_up(cols, t->group) * t->cell;
        for (size_t c = 0; c < cols; c += part) {
            const size_t n = fc_smaller(part, cols - c);
            fc_sums unused = {0};
            if (i < count)
                fc_filter_load(&s->filter, &s->pairs.Q, first + i, from + c, n, cells, &unused);
            else
                memset(cells, 0, sizeof cells);
            scatter(t, cells, fc_round_up(n, t->group) / t->group, panel + c * t->lanes * t->cell, i % t->lanes);
        }
    }
    w->packed_from = from;
    w->packed_cols = cols;
}

static void sum_queries(const fc_block_plan *s, fc_block *w, size_t first, size_t count) {
    _Alignas(FC_LINE) char cells[FC_DEPTH_BYTES];
    const size_t d = s->pairs.Q.cols, part = part_cols(s->filter.tile);
    for (size_t i = 0; i < count; i++) {
        w->q_sums[i] = (fc_sums){0};
        for (size_t c = 0; c < d; c += part)
            fc_filter_load(&s->filter, &s->pairs.Q, first + i, c, fc_smaller(part, d - c), cells, &w->q_sums[i]);
    }
}

/* Where part c of panel p begins. */
static const char *panel_part(const fc_block_plan *s, const fc_block *w, size_t p, size_t c) {
    const fc_tile *t = s->filter.tile;
    return w->panels + (p * fc_round_up(w->packed_cols, t->group) + c - w->packed_from) * t->lanes * t->cell;
}

/* The share of tile (panel p, rows from r on) in fetching what comes after part c of a block of rows: of X, the next
 * part or the next rows; of the panels, the next one's part, or the first one's next.
 */
static void look_ahead(const fc_block_plan *s, const fc_block *w, span at, size_t c, size_t r, size_t p, size_t panels,
                       fc_ahead ahead[FC_AHEADS]) {
    const fc_tile *t = s->filter.tile;
    const fc_matrix *X = &s->pairs.X;
    const size_t size = fc_dtype_size(X->dtype), part = part_cols(t), next = c + part < X->cols ? c + part : 0;
    const size_t from = t->rows * p / panels, count = t->rows * (p + 1) / panels - from;
    const size_t row = at.row + (next ? 0 : at.rows) + r + from;
    const char *x = (const char *)X->data + (row * X->cols + next) * size;
    ahead[0] = row + count <= X->rows ? (fc_ahead){x, count, X->cols * size} : (fc_ahead){0};

    const size_t tiles = fc_round_up(at.rows, t->rows) / t->rows, first = t->lanes * (r / t->rows) / tiles;
    const size_t lanes = t->lanes * (r / t->rows + 1) / tiles - first;
    const size_t c_next = p + 1 < panels ? c : next, length = fc_smaller(part, X->cols - c_next) * t->cell;
    const int packed = c_next >= w->packed_from && c_next < w->packed_from + w->packed_cols;
    const char *panel = packed ? panel_part(s, w, p + 1 < panels ? p + 1 : 0, c_next) : NULL;
    ahead[1] = packed ? (fc_ahead){panel + first * length, lanes, length} : (fc_ahead){0};
}

/* Accumulators of every query of the block against every row of it; false if stopped. */
static int accumulate(const fc_block_plan *s, fc_block *w, span at) {
    const fc_tile *t = s->filter.tile;
    const size_t d = s->pairs.Q.cols, part = part_cols(t), padded = fc_round_up(at.rows, t->rows);
    const size_t panels = fc_round_up(at.count, t->lanes) / t->lanes;
    const size_t acc_bytes = t->lanes * fc_value_size(s->pairs.dtype);
    memset(w->x_sums, 0, at.rows * sizeof *w->x_sums);
    memset(w->cells + at.rows * FC_DEPTH_BYTES, 0, (padded - at.rows) * FC_DEPTH_BYTES);
    for (size_t c = 0; c < d; c += part) {
        if (fc_stopped(w->team, w->thread)) return 0;
        if (c < w->packed_from || c >= w->packed_from + w->packed_cols)
            pack_queries(s, w, at.first, at.count, c, fc_smaller(s->pack_cols, d - c));
        const size_t n = fc_smaller(part, d - c), groups = fc_round_up(n, t->group) / t->group;
        for (size_t r = 0; r < at.rows; r++)
            fc_filter_load(&s->filter, &s->pairs.X, at.row + r, c, n, w->cells + r * FC_DEPTH_BYTES, &w->x_sums[r]);
        for (size_t p = 0; p < panels; p++) {
            const char *panel = panel_part(s, w, p, c);
            char *acc = w->acc + p * FC_ROW_BLOCK * acc_bytes;
            for (size_t r = 0; r < padded; r += t->rows) {
                fc_ahead ahead[FC_AHEADS];
                look_ahead(s, w, at, c, r, p, panels, ahead);
                t->run(panel, w->cells + r * FC_DEPTH_BYTES, FC_DEPTH_BYTES, groups, acc + r * acc_bytes, c == 0,
                       ahead);
            }
        }
    }
    return 1;
}

static fc_settle settle_for(const fc_block_plan *s, const fc_block *w, size_t first, size_t i) {
    return (fc_settle){&s->pairs, first + i, w->squares[i], w->room, w->team, w->thread};
}

/* Bring the sieve's terms of a panel's queries up to their limits. */
static void renew_query_terms(const fc_block_plan *s, fc_block *w, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (w->sieved[i] == w->top[i].limit) continue;
        w->sieved[i] = w->top[i].limit;
        fc_filter_query_terms(&s->filter, &w->q_sums[i], w->top[i].limit, i, w->B, w->T, w->Iq);
    }
}

/* Sieve one panel's accumulators and offer what passes; a panel's empty lanes may pass, and count for nothing. */
static void offer_passed(const fc_block_plan *s, fc_block *w, span at, size_t panel) {
    const size_t lanes = s->filter.tile->lanes, size = fc_value_size(s->pairs.dtype), first = panel * lanes;
    renew_query_terms(s, w, first, fc_smaller(first + lanes, at.count));
    const fc_sieve sieve = {w->A,  w->E,          (char *)w->B + first * size, (char *)w->T + first * size,
                            w->Ix, w->Iq + first, (float)s->filter.tile->scale};
    const char *acc = w->acc + first * FC_ROW_BLOCK * size;
    const size_t passed = s->pairs.kernels->keep[s->pairs.dtype](acc, at.rows, lanes, &sieve, w->passed);
    for (size_t i = 0; i < passed; i++) {
        const size_t r = w->passed[i] / lanes, row = at.row + r, q = first + w->passed[i] % lanes;
        if (q >= at.count || (s->skip_self && row == at.first + q)) continue;
        const fc_settle settle = settle_for(s, w, at.first, q);
        fc_topk_offer(&w->top[q], fc_filter_bounds(&s->filter, acc, w->passed[i], &w->q_sums[q], &w->x_sums[r], row),
                      &settle);
    }
}

static void search_rows(const fc_block_plan *s, fc_block *w, span at, size_t end) {
    sum_queries(s, w, at.first, at.count);
    w->packed_from = w->packed_cols = 0;
    memset(w->B, 0, sizeof w->B);
    memset(w->T, 0, sizeof w->T);
    memset(w->Iq, 0, sizeof w->Iq);
    for (size_t i = 0; i < at.count; i++) w->sieved[i] = NAN; /* unequal to any limit */
    for (size_t step = FC_FIRST_ROWS; at.row < end; at.row += at.rows, step = fc_smaller(2 * step, FC_ROW_BLOCK)) {
        at.rows = fc_smaller(step, end - at.row);
        if (!accumulate(s, w, at)) return;
        for (size_t r = 0; r < at.rows; r++) fc_filter_row_terms(&s->filter, &w->x_sums[r], r, w->A, w->E, w->Ix);
        for (size_t p = 0; p * s->filter.tile->lanes < at.count; p++) offer_passed(s, w, at, p);
    }
}

static void scan_rows(const fc_block_plan *s, fc_block *w, span at, size_t end) {
    const size_t look = fc_stop_interval(s->pairs.X.cols);
    for (; at.row < end; at.row++) {
        if (at.row % look == 0 && fc_stopped(w->team, w->thread)) return;
        for (size_t i = 0; i < at.count; i++) {
            if (s->skip_self && at.row == at.first + i) continue;
            const fc_settle settle = settle_for(s, w, at.first, i);
            const double distance = fc_refine(&s->pairs, settle.query, settle.query_squares, at.row);
            fc_topk_offer(&w->top[i], (fc_candidate){distance, 0, (uint32_t)at.row}, &settle);
        }
    }
}

void fc_block_search(const fc_block_plan *s, fc_block *w, size_t first, size_t count, size_t row, size_t end) {
    const span at = {.first = first, .count = count, .row = row};
    for (size_t i = 0; i < count; i++) {
        fc_topk_start(&w->top[i], w->top[i].items, s->k);
        w->squares[i] = fc_query_squares(&s->pairs, first + i);
    }
    (s->scans ? scan_rows : search_rows)(s, w, at, end);
    for (size_t i = 0; i < count && !fc_stopped(w->team, w->thread); i++) {
        const fc_settle settle = settle_for(s, w, first, i);
        fc_topk_finish(&w->top[i], &settle);
    }
}
