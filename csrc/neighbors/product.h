/* product.h -- inner products of a block of vectors with rows, by register tiles. */
#ifndef FASTCLF_PRODUCT_H
#define FASTCLF_PRODUCT_H

#include "neighbors/kernels.h"
#include "core/threads.h"

enum { FC_MAX_BLOCK = 1024 }; /* vectors in a block */

/* What to multiply: blocks of Q are packed, and rows of X are taken in turn.  Each may have a centre in the arithmetic,
 * or NULL; it is subtracted on loading.
 */
typedef struct {
    const fc_tile *tile;
    fc_arithmetic in;
    fc_matrix Q, X;
    const void *q_centre, *x_centre;
    const fc_few *few; /* multiplies Q's vectors one by one, where Q has few vectors of bytes; or NULL */
    size_t block;      /* vectors of Q in a block, at most */
    size_t pack_cols;  /* features of them packed at a time */
    int is_moved;      /* FC_MOVED has been added to all values, but sums of squares are to be those without */
} fc_product;

/* One thread's scratch. */
typedef struct {
    char *panels, *cells;
    char *acc; /* FC_ROW_BLOCK x lanes accumulators of each panel, or of one where the depth is a single part */
    fc_sums x_sums[FC_ROW_BLOCK];
    size_t first, count;             /* the block of Q */
    size_t used;                     /* its first panels, by which rows are multiplied: all, or as the caller sets */
    size_t row, rows;                /* of X */
    size_t packed_from, packed_cols; /* which features of it the panels hold */
    fc_team *team;
    int thread;
} fc_product_scratch;

/* Vectors of Q whose accumulators are found together: those of a panel. */
static inline size_t fc_product_lanes(const fc_product *p) { return p->few ? 1 : p->tile->lanes; }

/* How many rows of X may be taken at a time. */
size_t fc_product_row_block(const fc_product *p);

/* The most vectors of Q, at most `most`, for which a thread's panels stay small; fc_product's pack_cols for a block. */
size_t fc_product_most(const fc_tile *tile, size_t cols, size_t most);
size_t fc_product_pack_cols(const fc_tile *tile, size_t cols, size_t block);

/* Lay out the scratch in `memory`; with NULL, only count its bytes.  Returns how many bytes it takes. */
size_t fc_product_carve(const fc_product *p, fc_product_scratch *w, char *memory);

/* Begin with vectors [first, first + count) of Q. */
void fc_product_start(const fc_product *p, fc_product_scratch *w, size_t first, size_t count);

/* The sums of one vector of Q over its features. */
fc_sums fc_product_sums(const fc_product *p, size_t query);

/* Make ready `rows` <= fc_product_row_block rows of X from `row` on and, with a tile, their sums; false if stopped. */
int fc_product_rows(const fc_product *p, fc_product_scratch *w, size_t row, size_t rows);

/* Accumulators of a panel of the block against these rows, rows x lanes: valid until another panel's are asked for. */
const char *fc_product_panel(const fc_product *p, fc_product_scratch *w, size_t panel);

#endif
