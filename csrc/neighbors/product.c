/* product.c -- a block of vectors is packed into panels once.  X is taken a block of rows at a time, and of these a
 * part of the depth at a time, so that a tile's operands stay in the caches:
 *
 *     for each part of the depth:
 *       load the rows' features into cells
 *       for each panel, for each few rows: tile    acc (+)= ...
 */
#include "neighbors/product.h"

#include <string.h>

#include "neighbors/few.h"
#include "core/matrix.h"
#include "core/sizes.h"

/* A thread's packed vectors. */
static const size_t PANEL_BYTES = 2u << 20;

static size_t part_cols(const fc_tile *tile) { return FC_DEPTH_BYTES / tile->cell; }

/* Whether a row's cells all fit at once. */
static int is_single_part(const fc_product *p) { return p->Q.cols <= part_cols(p->tile); }

/* Bytes from one row's cells to the next: no more than a part takes, so that narrow rows lie close. */
static size_t cell_stride(const fc_product *p) {
    return fc_round_up(fc_smaller(p->X.cols * p->tile->cell, FC_DEPTH_BYTES), FC_CELLS_STEP);
}

size_t fc_product_most(const fc_tile *t, size_t cols, size_t most) {
    const size_t fits = PANEL_BYTES / (t->lanes * fc_round_up(cols, t->group) * t->cell) * t->lanes;
    return fc_smaller(most, fits > t->lanes ? fits : t->lanes);
}

size_t fc_product_pack_cols(const fc_tile *t, size_t cols, size_t block) {
    const size_t part = part_cols(t), fits = PANEL_BYTES / (fc_round_up(block, t->lanes) * t->cell) / part * part;
    return fc_smaller(cols, fits);
}

size_t fc_product_row_block(const fc_product *p) { return p->few ? fc_few_block(p) : FC_ROW_BLOCK; }

size_t fc_product_carve(const fc_product *p, fc_product_scratch *w, char *memory) {
    if (p->few) return fc_few_carve(p, w, memory);
    const size_t vectors = fc_round_up(p->block, p->tile->lanes);
    const size_t panels = fc_round_up(vectors * fc_round_up(p->pack_cols, p->tile->group) * p->tile->cell, FC_LINE);
    const size_t cells = FC_ROW_BLOCK * cell_stride(p), lanes = is_single_part(p) ? p->tile->lanes : vectors;
    const size_t acc = lanes * FC_ROW_BLOCK * fc_value_size(p->in);
    if (memory) {
        w->panels = memory;
        w->cells = memory + panels;
        w->acc = memory + panels + cells;
    }
    return panels + cells + fc_round_up(acc, FC_LINE);
}

void fc_product_start(const fc_product *p, fc_product_scratch *w, size_t first, size_t count) {
    w->first = first;
    w->count = count;
    w->used = (count + fc_product_lanes(p) - 1) / fc_product_lanes(p);
    w->packed_from = w->packed_cols = 0;
    if (p->few) fc_few_start(p, w);
}

/* Features [from, from + count) of a row into cells, and their sums added to `sums`. */
static void load(const fc_product *p, const fc_matrix *M, const void *centre, size_t row, size_t from, size_t count,
                 char *cells, fc_sums *sums) {
    double buffer[FC_DEPTH_BYTES / sizeof(double)]; /* a part's features are no larger than its cells */
    const char *c = centre ? (const char *)centre + from * fc_arithmetic_size(p->in) : NULL;
    const double before = sums->sum, moved = FC_MOVED;
    p->tile->load(fc_row_part(M, row, from, count, p->in, buffer), c, count, cells, sums);
    if (p->is_moved) sums->sq += moved * (moved * (double)count - 2 * (sums->sum - before));
}

fc_sums fc_product_sums(const fc_product *p, size_t query) {
    _Alignas(FC_LINE) char cells[FC_DEPTH_BYTES];
    const size_t d = p->Q.cols, part = part_cols(p->tile);
    fc_sums sums = {0};
    for (size_t c = 0; c < d; c += part) load(p, &p->Q, p->q_centre, query, c, fc_smaller(part, d - c), cells, &sums);
    return sums;
}

/* Bytes from one lane's cells to the next while they are packed: not a power of two, so that lanes do not compete for
 * the same places of a cache.
 */
enum { LANE_STRIDE = FC_DEPTH_BYTES + FC_LINE };

/* Transpose the cells of a panel's lanes, a group of features of each at a time. */
#define FC_DEFINE_INTERLEAVE(word) \
    static void interleave_##word(const char *cells, size_t groups, size_t lanes, word flip, char *panel) { \
        for (size_t g = 0; g < groups; g++) \
            for (size_t l = 0; l < lanes; l++) { \
                word w; \
                memcpy(&w, cells + l * LANE_STRIDE + g * sizeof w, sizeof w); \
                w ^= flip; \
                memcpy(panel + (g * lanes + l) * sizeof w, &w, sizeof w); \
            } \
    }
FC_DEFINE_INTERLEAVE(uint32_t)
FC_DEFINE_INTERLEAVE(uint64_t)

static void interleave(const fc_tile *t, const char *cells, size_t groups, char *panel) {
    const uint64_t flip = t->flip * UINT64_C(0x0101010101010101);
    if (t->group * t->cell == sizeof(uint32_t))
        interleave_uint32_t(cells, groups, t->lanes, (uint32_t)flip, panel);
    else
        interleave_uint64_t(cells, groups, t->lanes, flip, panel);
}

/* Pack features [from, from + cols) of the block; the lanes that are left hold zeros. */
static void pack(const fc_product *p, fc_product_scratch *w, size_t from, size_t cols) {
    const fc_tile *t = p->tile;
    const size_t part = part_cols(t), depth = fc_round_up(cols, t->group) * t->cell;
    _Alignas(FC_LINE) char cells[FC_MAX_LANES * LANE_STRIDE];
    for (size_t first = 0; first < w->count; first += t->lanes)
        for (size_t c = 0; c < cols; c += part) {
            const size_t n = fc_smaller(part, cols - c);
            memset(cells, 0, sizeof cells);
            for (size_t l = 0; l < t->lanes && first + l < w->count; l++) {
                fc_sums unused = {0};
                load(p, &p->Q, p->q_centre, w->first + first + l, from + c, n, cells + l * LANE_STRIDE, &unused);
            }
            interleave(t, cells, fc_round_up(n, t->group) / t->group,
                       w->panels + first * depth + c * t->lanes * t->cell);
        }
    w->packed_from = from;
    w->packed_cols = cols;
}

/* Where part c of panel i begins. */
static const char *panel_part(const fc_product *p, const fc_product_scratch *w, size_t i, size_t c) {
    const fc_tile *t = p->tile;
    return w->panels + (i * fc_round_up(w->packed_cols, t->group) + c - w->packed_from) * t->lanes * t->cell;
}

/* What the tile (panel i, rows from r on) fetches for later: its share of what comes after part c of a block of rows.
 * Of X that is the next part or the next rows; of the panels, the next panel's part or the first panel's next part.
 */
static void look_ahead(const fc_product *p, const fc_product_scratch *w, size_t c, size_t r, size_t i, size_t panels,
                       fc_ahead ahead[FC_AHEADS]) {
    const fc_tile *t = p->tile;
    const fc_matrix *X = &p->X;
    const size_t size = fc_dtype_size(X->dtype), part = part_cols(t), next = c + part < X->cols ? c + part : 0;
    const size_t from = t->rows * i / panels, count = t->rows * (i + 1) / panels - from;
    const size_t row = w->row + (next ? 0 : w->rows) + r + from;
    const char *x = (const char *)X->data + (row * X->cols + next) * size;
    ahead[0] = row + count <= X->rows ? (fc_ahead){x, count, X->cols * size} : (fc_ahead){0};

    const size_t tiles = fc_round_up(w->rows, t->rows) / t->rows, first = t->lanes * (r / t->rows) / tiles;
    const size_t lanes = t->lanes * (r / t->rows + 1) / tiles - first;
    const size_t c_next = i + 1 < panels ? c : next, length = fc_smaller(part, X->cols - c_next) * t->cell;
    const int packed = c_next >= w->packed_from && c_next < w->packed_from + w->packed_cols;
    const char *panel = packed ? panel_part(p, w, i + 1 < panels ? i + 1 : 0, c_next) : NULL;
    ahead[1] = packed ? (fc_ahead){panel + first * length, lanes, length} : (fc_ahead){0};
}

static char *panel_acc(const fc_product *p, const fc_product_scratch *w, size_t panel) {
    return w->acc + panel * FC_ROW_BLOCK * p->tile->lanes * fc_value_size(p->in);
}

/* Add part c of the depth, `cols` features, to the accumulators of panel i. */
static void add_part(const fc_product *p, fc_product_scratch *w, size_t i, size_t c, size_t cols) {
    const fc_tile *t = p->tile;
    const size_t groups = fc_round_up(cols, t->group) / t->group, stride = cell_stride(p);
    const size_t acc_bytes = t->lanes * fc_value_size(p->in);
    const char *panel = panel_part(p, w, i, c);
    char *acc = panel_acc(p, w, i);
    fc_ahead ahead[FC_AHEADS];
    for (size_t r = 0; r < w->rows; r += t->rows) {
        look_ahead(p, w, c, r, i, w->used, ahead);
        t->run(panel, w->cells + r * stride, stride, groups, acc + r * acc_bytes, c == 0, ahead);
    }
}

int fc_product_rows(const fc_product *p, fc_product_scratch *w, size_t row, size_t rows) {
    const size_t d = p->Q.cols, part = part_cols(p->tile), stride = cell_stride(p);
    const size_t padded = fc_round_up(rows, p->tile->rows);
    w->row = row;
    w->rows = rows;
    if (p->few) return !fc_stopped(w->team, w->thread);
    memset(w->x_sums, 0, rows * sizeof *w->x_sums);
    memset(w->cells + rows * stride, 0, (padded - rows) * stride);
    for (size_t c = 0; c < d; c += part) {
        const size_t cols = fc_smaller(part, d - c);
        if (fc_stopped(w->team, w->thread)) return 0;
        if (c < w->packed_from || c >= w->packed_from + w->packed_cols) pack(p, w, c, fc_smaller(p->pack_cols, d - c));
        for (size_t r = 0; r < rows; r++)
            load(p, &p->X, p->x_centre, row + r, c, cols, w->cells + r * stride, &w->x_sums[r]);
        for (size_t i = 0; i < w->used && !is_single_part(p); i++) add_part(p, w, i, c, cols);
    }
    return 1;
}

/* A single part comes from near caches, and is too short to spend time on looking ahead. */
const char *fc_product_panel(const fc_product *p, fc_product_scratch *w, size_t panel) {
    if (p->few) return fc_few_panel(p, w, panel);
    if (!is_single_part(p)) return panel_acc(p, w, panel);
    const fc_tile *t = p->tile;
    const size_t groups = fc_round_up(p->Q.cols, t->group) / t->group, stride = cell_stride(p);
    const size_t acc_bytes = t->lanes * fc_value_size(p->in);
    const char *part = panel_part(p, w, panel, 0);
    const fc_ahead none[FC_AHEADS] = {0};
    for (size_t r = 0; r < w->rows; r += t->rows)
        t->run(part, w->cells + r * stride, stride, groups, w->acc + r * acc_bytes, 1, none);
    return w->acc;
}
