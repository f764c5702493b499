/* kernels.h -- what one instruction set offers for linear models: isa/linear/. */
#ifndef FASTCLF_LINEAR_KERNELS_H
#define FASTCLF_LINEAR_KERNELS_H

#include "core/once.h"
#include "core/shapes.h"
#include "core/sizes.h"
#include "models.h"

/* A block of rows and what multiplies them.  A row has `depth` values: whole lines of FC_LINE bytes, padded by 0.  The
 * next one begins `stride` values after it.
 */
typedef struct {
    const void *x, *W, *b; /* rows; classes; a value for each class */
    size_t rows, depth, stride, classes;
    void *scores;  /* rows x classes: scores, later gradients */
    double *sum;   /* classes x depth */
    void *partial; /* the same in what is computed in, or NULL */
} fc_linear_block;

/* Of a matrix product: how many columns are whole panels of every instruction set, how many rows whole tiles, and how
 * many rows of panels after the last are asked for.
 */
enum { FC_MATMUL_COLUMNS = 48, FC_MATMUL_TILES = 24, FC_MATMUL_AHEAD = 8 };

/* Rows of A times packed columns of B: a stretch of B's rows. */
typedef struct {
    const void *A, *panels;
    size_t rows, A_step, depth, cols; /* A_step values from one row to the next, whose values lie together */
    const void *bias;                 /* of the columns, or NULL */
    int add;                          /* to what is in C */
    void *C;
    size_t C_step;
} fc_matmul_block;

/* Where the values of a row begin: always inside the values, even if another thread has changed it. */
static inline size_t fc_sparse_start(const fc_sparse *s, size_t row) {
    return fc_smaller((size_t)FC_ONCE(s->start[row]), s->values);
}

/* How linear scores and their gradients are computed in one arithmetic. */
typedef struct {
    /* n features of a row of X, by the dtype it is stored as, less the centre; padded. */
    void (*centred[FC_DTYPE_COUNT])(const void *x, const void *centre, size_t n, void *out, size_t padded);
    void (*scores)(const fc_linear_block *block);
    void (*gradients)(const fc_linear_block *block); /* partial += gradients' x, or else sum */
    /* Rows [from, to) of the product. */
    void (*sparse_product)(const fc_sparse *product, size_t from, size_t to, void *out);
    /* turned[c][r] = values[r][c], of rows x cols; `step` and `to_step` values from one row to the next. */
    void (*turn)(const void *values, size_t step, size_t rows, size_t cols, void *turned, size_t to_step);
    /* Rows [row, row + depth) and columns [col, col + cols) of B, packed for `matmul`. */
    void (*pack)(const fc_strided *B, size_t row, size_t depth, size_t col, size_t cols, void *panels);
    void (*matmul)(const fc_matmul_block *block);
    /* M += the values of the sparse matrix's row 0, each times `factor`: a number for each column of M, whole fours.
     * Of double; else NULL. */
    void (*add_row)(const fc_sparse *row, const double *factor, double *M);
    /* The a that makes sum of a_c u_c - |a|^2 / 2 - soft / 2 * (sum of a_c^2 but for the label's) largest.  It sums to
     * 0, and but for the label's a_c >= 0.  In double; else NULL.
     *
     * largest  Crammer and Singer's: but for the label's, the a_c sum to at most 1; soft is 0.  Else Weston and
     *          Watkins'.
     * soft     how much squared terms bend it, beside the first square.  With 0, each a_c is at most 1.
     * u        `classes` finite values, with room for whole fours; it is used up.
     * a        `classes` values: a guess, any finite numbers; then the answer. */
    void (*svm_row)(int largest, double soft, size_t classes, size_t label, double *u, double *a);
} fc_linear_kernels;

/* Losses and hinges of a block of rows that begins with row `first`, times their weights; its scores become gradients.
 * False if scores are not finite.  `scratch` holds 2 * fc_round_up(classes, FC_SVM_FOURS) doubles. */
int fc_svm_terms_of_block(const fc_svm_terms *t, const fc_linear_block *block, fc_arithmetic in, size_t first,
                          double *loss, double *hinge, double *scratch);

/* Whether a sparse matrix is as models.h says, but for its columns; whether the columns of rows [from, to) exist. */
int fc_sparse_fits(const fc_sparse *s);
int fc_sparse_columns_fit(const fc_sparse *s, size_t from, size_t to);

/* Of the instruction set in use, in float or double. */
const fc_linear_kernels *fc_linear_kernels_active(fc_arithmetic in);

#endif
