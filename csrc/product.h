/* product.h -- inner products of a block of vectors with rows, by register tiles. */
#ifndef FASTCLF_PRODUCT_H
#define FASTCLF_PRODUCT_H

#include "kernels.h"
#include "threads.h"

enum { FC_MAX_BLOCK = 1024 }; /* vectors in a block */

/* What to multiply: blocks of Q are packed, rows of X pass.  Each may have a centre in `dtype`, or NULL, subtracted as
 * it is loaded.
 */
typedef struct {
    const fc_tile *tile;
    fc_dtype dtype; /* of the arithmetic */
    fc_matrix Q, X;
    const void *q_centre, *x_centre;
    size_t block;     /* vectors of Q in a block, at most */
    size_t pack_cols; /* features of them packed at a time */
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
} fc_product_room;

/* The most vectors of Q, at most `most`, for which a thread's panels stay small; fc_product's pack_cols for a block. */
size_t fc_product_most(const fc_tile *tile, size_t cols, size_t most);
size_t fc_product_pack_cols(const fc_tile *tile, size_t cols, size_t block);

/* Lay the scratch out in `memory`, or with NULL only say how many bytes it takes. */
size_t fc_product_carve(const fc_product *p, fc_product_room *w, char *memory);

/* Begin with vectors [first, first + count) of Q. */
void fc_product_start(const fc_product *p, fc_product_room *w, size_t first, size_t count);

/* The sums of one vector of Q over its features. */
fc_sums fc_product_sums(const fc_product *p, size_t query);

/* Make ready `rows` <= FC_ROW_BLOCK rows of X from `row` on, and their sums; false if stopped. */
int fc_product_rows(const fc_product *p, fc_product_room *w, size_t row, size_t rows);

/* Accumulators of a panel of the block against these rows, rows x lanes: valid until another panel's are asked for. */
const char *fc_product_panel(const fc_product *p, fc_product_room *w, size_t panel);

#endif
