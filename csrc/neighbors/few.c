#include "neighbors/few.h"

#include <string.h>

#include "core/sizes.h"

static const size_t BLOCK_BYTES = 128u << 10;
enum { FEWEST_ROWS = 3 * FC_FEW_ROWS };

/* Bytes that a kernel may read of a row. */
static size_t padded(const fc_product *p) { return fc_round_up(p->X.cols, FC_LINE); }

size_t fc_few_block(const fc_product *p) {
    const size_t rows = BLOCK_BYTES / p->X.cols / FC_FEW_ROWS * FC_FEW_ROWS;
    return fc_smaller(rows < FEWEST_ROWS ? FEWEST_ROWS : rows, FC_FEW_BLOCK);
}

size_t fc_few_carve(const fc_product *p, fc_product_scratch *w, char *memory) {
    const size_t vectors = p->block * padded(p), cells = FC_FEW_ROWS * padded(p);
    if (memory) {
        w->panels = memory;
        w->cells = memory + vectors;
        w->acc = memory + vectors + cells;
    }
    return vectors + cells + FC_FEW_BLOCK * sizeof(int32_t);
}

void fc_few_start(const fc_product *p, fc_product_scratch *w) {
    const size_t d = p->Q.cols;
    memset(w->panels, 0, w->count * padded(p));
    for (size_t i = 0; i < w->count; i++) {
        const uint8_t *q = (const uint8_t *)p->Q.data + (w->first + i) * d;
        uint8_t *to = (uint8_t *)w->panels + i * padded(p);
        for (size_t j = 0; j < d; j++) to[j] = q[j] ^ p->few->flip;
    }
}

/* How many of `rows` rows, in whole FC_FEW_ROWS, may be read in place: no read may pass the end of the matrix. */
static size_t readable(const fc_product *p, size_t row, size_t rows) {
    const size_t d = p->X.cols, left = (p->X.rows - row) * d;
    if (left < padded(p)) return 0;
    return fc_smaller(rows, (left - padded(p)) / d + 1) / FC_FEW_ROWS * FC_FEW_ROWS;
}

/* Copy FC_FEW_ROWS rows from `row` on to cells, with zeros for rows after the last. */
static void copy_rows(const fc_product *p, fc_product_scratch *w, size_t row) {
    const size_t d = p->X.cols, count = row < p->X.rows ? fc_smaller(FC_FEW_ROWS, p->X.rows - row) : 0;
    memset(w->cells, 0, FC_FEW_ROWS * padded(p));
    for (size_t r = 0; r < count; r++) memcpy(w->cells + r * padded(p), (const char *)p->X.data + (row + r) * d, d);
}

const char *fc_few_panel(const fc_product *p, fc_product_scratch *w, size_t vector) {
    const size_t d = p->X.cols, rows = fc_round_up(w->rows, FC_FEW_ROWS), near = readable(p, w->row, rows);
    const uint8_t *query = (const uint8_t *)w->panels + vector * padded(p);
    int32_t *acc = (int32_t *)(void *)w->acc;
    p->few->run(query, (const uint8_t *)p->X.data + w->row * d, d, d, near, acc);
    for (size_t r = near; r < rows; r += FC_FEW_ROWS) {
        copy_rows(p, w, w->row + r);
        p->few->run(query, (const uint8_t *)w->cells, padded(p), d, FC_FEW_ROWS, acc + r);
    }
    return w->acc;
}
