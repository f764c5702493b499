/* kernels.h -- what one instruction set offers: the table that each compiled copy of isa/kernels.c exports. */
#ifndef FASTCLF_KERNELS_H
#define FASTCLF_KERNELS_H

#include "fastclf.h"
#include "once.h"
#include "sizes.h"
#include "twofold.h"

typedef enum { FC_TILE_dot, FC_TILE_min, FC_TILE_COUNT } fc_tile_kind;
typedef enum { FC_PAIR_sqdiff, FC_PAIR_absdiff, FC_PAIR_product, FC_PAIR_COUNT } fc_pair_kind;

/* Partial sums of a pair of float vectors: lane l holds the terms l, l + 16, l + 32, ... */
#define FC_LANES 16

/* What coordinates' differences add to a length: their squares, or their absolute values. */
typedef enum { FC_GAP_squares, FC_GAP_values, FC_GAP_COUNT } fc_gap_kind;

/* Rows of a leaf of a tree: row r has, of feature i, low[i] + step[i] * codes[i * FC_LEAF_ROWS + r]. */
typedef struct {
    const float *low, *step;
    const uint8_t *codes;
} fc_leaf;

/* Sums over one vector's features, as the filter sees them. */
typedef struct {
    double sum, abs, sq;
} fc_sums;

/* A sum over the features of a pair; `lost` is 0 where nothing was rounded away: then `value` is exact, its low 0. */
typedef struct {
    fc_twofold value;
    int64_t lost;
} fc_sum;

/* How far off a sum may be, whose absolute terms would sum to `most`. */
static inline double fc_off(fc_sum s, double error, double most) { return s.lost ? error * most : 0; }

/* What fc_kernels' sums over d features are off by, as a part of their absolute terms: at most d / 4 + 2 terms a lane,
 * d / 512 parts, and some foldings, of which each adds so many roundings of roundings.
 */
static inline double fc_sum_error(size_t d) {
    const double steps = (double)d / 3 + 32;
    return steps * steps * 0x1p-105;
}

/* The same of sums that the kernels `quick` make. */
static inline double fc_quick_error(size_t d) {
    const double steps = (double)d + 32;
    return steps * steps * 0x1p-100;
}

/* Whether a sum of squares is so far from the ends of float64 that nothing of account is lost there. */
static inline int fc_is_tame(double squares) { return squares > 1e-140 && squares < 1e140; }

/* What is known of a distance: it is nearest + rest, to `within`. */
typedef struct {
    double nearest, rest, within;
} fc_distance;

/* Whether `nearest` is the distance rounded to nearest. */
static inline int fc_is_rounded(fc_distance d) {
    return d.nearest + (d.rest - d.within) == d.nearest && d.nearest + (d.rest + d.within) == d.nearest;
}

/* Rows of which each distance from some queries is wanted: value i of row l is panel[i * FC_PANEL + l]. */
enum { FC_PANEL = 32 };

/* What is needed of a vector: its sum, its sum of squares or, where terms are products, one over its length; and the
 * sum of its absolute terms (of products, its length).
 */
typedef struct {
    fc_twofold value;
    double most;
} fc_panel_total;

typedef struct {
    double high[FC_PANEL], low[FC_PANEL], most[FC_PANEL];
} fc_panel_totals;

/* Quick sums of a query and the rows of a panel, which is filled up to FC_PANEL.  Where a pair's `most`, the vectors'
 * sum or product, is outside these bounds (of absdiff, above), its distance stays open.
 */
#define FC_PANEL_LEAST 0x1p-960
#define FC_PANEL_MOST 0x1p1000
typedef struct {
    double sum[FC_PANEL], rest[FC_PANEL];
} fc_panel_sums;

typedef struct {
    void (*start)(fc_panel_sums *s, const fc_panel_total *q, const fc_panel_totals *x);
    /* Add d features of a query and the first `rows` rows, and perhaps more of them. */
    void (*add)(fc_panel_sums *s, const double *q, const double *panel, size_t d, size_t rows);
    /* The rounded distances, or NaN where they stay open, of sums that are off by a part `error` of a pair's `most`. */
    void (*finish)(const fc_panel_sums *s, const fc_panel_total *q, const fc_panel_totals *x, double error,
                   double *distance);
} fc_panel_kernels;

/* Bytes of one vector in a block: a panel of this depth stays in the first cache while the rows pass. */
#define FC_DEPTH_BYTES 1024

/* Bytes of an accumulator, and of a sieve's value. */
static inline size_t fc_value_size(fc_dtype dtype) { return dtype == FC_f64 ? sizeof(double) : sizeof(float); }

/* Stretches of memory to bring into the cache while a tile computes: each as long as a vector's part. */
typedef struct {
    const char *at;
    size_t count, stride;
} fc_ahead;

enum { FC_AHEADS = 2 }; /* of X, and of the panels */

#define FC_LINE 64 /* bytes of a cache line */

/* Cells are written in steps of at most so many bytes: a vector of bytes, of 16 bits each. */
#define FC_CELLS_STEP 128

enum {
    FC_MAX_LANES = 32,
    FC_ROW_BLOCK = 120, /* rows of X at a time: a multiple of every tile's */
};

/* A register tile: `rows` rows of X against a panel of `lanes` queries (16 or 32), `group` features a step.
 *
 * Panels hold queries transposed: for each group of features, the `lanes` queries' values one after the other.  Rows
 * hold X as it is, padded with zeros to whole groups.  Both hold `cell` bytes a feature.
 */
typedef struct {
    size_t lanes, rows, group, cell;

    /* acc (+)= tile, rows x lanes of int32, float or double; `first` overwrites. */
    void (*run)(const void *panel, const void *rows, size_t row_bytes, size_t groups, void *acc, int first,
                const fc_ahead ahead[FC_AHEADS]);

    /* One row's features into `out`, less `centre` where given, and their sums added to `sums`. */
    void (*load)(const void *x, const void *centre, size_t count, void *out, fc_sums *sums);

    /* XORed with every byte of a panel: 0x80 makes uint8 q the int8 q - 128. */
    uint8_t flip;

    /* 2P = scale * (acc + from_q * sum q + from_x * sum x): which inner product the accumulator stands for. */
    int scale, from_q, from_x;
} fc_tile;

/* What decides that a row cannot be among the nearest: see FC_METRICS.  Values are float, double for f64; the integers
 * are added to integer accumulators before anything is rounded.
 */
typedef struct {
    const void *A, *E; /* by row */
    const void *B, *T; /* by query lane */
    const int32_t *Ix, *Iq;
    float scale;
    const float *F, *R; /* of sketches, by row and by lane */
} fc_sieve;

enum { FC_PASSED_MORE = 16 }; /* what a sieve may write beyond the pairs that pass */

/* The parts of row * lanes + lane, as sieves list what passes; lanes are a power of two. */
static inline size_t fc_lane_of(uint32_t passed, size_t lanes) { return passed & (lanes - 1); }
static inline size_t fc_row_of(uint32_t passed, size_t lanes) { return passed >> __builtin_ctzll(lanes); }

/* Scratch of a thread: so many arrays of float64, each of room for a row, or for FC_LOSS_STEP values if the part has as
 * many; in groups of FC_LANES, and one more.  rows_of_part (losses.c) makes the parts.
 */
enum { FC_LOSS_STEP = 2048, FC_LOSS_ROOMS = 5 };

/* Rows of a batch from `first`, and where their results go: see fc_losses.  Their labels are copies, so that what was
 * checked stays: only whether there are any is told by the batch.
 */
typedef struct {
    const fc_batch *batch;
    size_t first, rows;
    const int64_t *label; /* of each row, or NULL */
    double *loss, *each;
    void *gradient;
    double *room[FC_LOSS_ROOMS];
} fc_batch_part;

/* A block of rows and what they are multiplied with: rows of whole FC_LINEs, `depth` values each, padded by 0. */
typedef struct {
    const void *x, *W, *b; /* rows x depth; (classes + FC_LINEAR_MORE) x depth, the last 0; classes */
    size_t rows, depth, classes;
    void *scores; /* rows x classes: scores, later slopes */
    double *sum;  /* classes x depth */
} fc_linear_block;

enum { FC_LINEAR_MORE = 6 }; /* a tile of classes may read so many rows of W beyond the last */

/* Where the values of a row begin: one that there is, whatever another thread has made of it. */
static inline size_t fc_sparse_start(const fc_sparse *s, size_t row) {
    return fc_smaller((size_t)FC_ONCE(s->start[row]), s->values);
}

/* How linear scores and their gradients are computed in one dtype. */
typedef struct {
    /* n features of a row of X, by its dtype, less the centre; padded. */
    void (*centred[FC_DTYPE_COUNT])(const void *x, const void *centre, size_t n, void *out, size_t padded);
    void (*scores)(const fc_linear_block *block);
    void (*slopes)(const fc_linear_block *block); /* sum += slopes' x */
    /* Rows [from, to) of the product. */
    void (*sparse_product)(const fc_sparse *product, size_t from, size_t to, void *out);
} fc_linear_kernels;

/* What window models need beside the kernels of linear ones, in one dtype. */
typedef struct {
    /* n values y of sums s. */
    void (*activate[FC_ACTIVATION_COUNT])(const void *s, size_t n, void *y);
    /* n slopes by sums, from slopes by values. */
    void (*turn_back[FC_ACTIVATION_COUNT])(const double *by_value, const void *y, size_t n, void *by_sum);
    /* squares += g^2; w -= rate * g / (sqrt(squares) + 1e-10), after g is rounded to the dtype. */
    void (*adagrad)(void *w, void *squares, const double *g, size_t n, double rate);
} fc_window_kernels;

typedef struct {
    fc_tile tile[FC_TILE_COUNT][FC_DTYPE_COUNT];

    fc_linear_kernels linear[FC_DTYPE_COUNT]; /* of float and double */
    fc_window_kernels window[FC_DTYPE_COUNT];

    /* How many rows have an answer before the first that has none; NULL for dtypes that are not scores'. */
    size_t (*losses[FC_LOSS_COUNT][FC_DTYPE_COUNT])(const fc_batch_part *part);

    /* Which of rows x lanes accumulators pass: each as row * lanes + lane, a lane's in order.  Returns how many;
     * `passed` has room for FC_PASSED_MORE more than may pass. */
    size_t (*keep[FC_DTYPE_COUNT])(const void *acc, size_t rows, size_t lanes, const fc_sieve *sieve, uint32_t *passed);

    /* The same for sketches: all but scale * (acc + Iq + Ix) + E * B + F * T < A * R. */
    size_t (*keep_sketches)(const void *acc, size_t rows, size_t lanes, const fc_sieve *sieve, uint32_t *passed);

    /* The sums of a point's gaps from FC_TREE_BOXES boxes: for each feature, their lower bounds and then their upper
     * ones; and from the rows of a leaf, of which those with no more than `most` are listed, as by a sieve.
     */
    void (*near_boxes[FC_GAP_COUNT])(const float *boxes, const float *point, size_t d, float *gaps);
    size_t (*near_rows[FC_GAP_COUNT])(const fc_leaf *leaf, const float *point, size_t d, float most, float *gaps,
                                      uint32_t *passed);

    /* Of n >= k >= 1 values, none negative: one that at least k are at or below and, unless they tie, no more than
     * `enough` >= k. */
    double (*limit)(const double *v, size_t n, size_t k, size_t enough);

    /* Add a pair's terms, rounded, to its FC_LANES partial sums (of bytes exactly, to the first); d is a multiple of
     * FC_LANES except in a vector's last part.
     */
    void (*pair[FC_PAIR_COUNT][FC_DTYPE_COUNT])(double *lanes, const void *q, const void *x, size_t d);

    /* Add a pair's sum, off by at most fc_sum_error of the sum of its absolute terms; of floats only. */
    void (*sum[FC_PAIR_COUNT][FC_DTYPE_COUNT])(fc_sum *sum, const void *q, const void *x, size_t d);

    /* Of float64, d a multiple of FC_LANES.  Add by how much a is farther from q than b, in sums that distances are
     * made of, and the absolute terms' sum: with all values times `far` and, of squares, b - a times `near`, powers of
     * two.
     */
    void (*gap[FC_PAIR_COUNT])(fc_sum *sum, double *most, const double *q, const double *a, const double *b, size_t d,
                               double far, double near);

    /* Add the sums of the squares of w = x - c q, and of w q; the same. */
    void (*residual)(fc_sum *squares, fc_sum *product, const double *q, const double *x, size_t d, double c);

    /* A pair's sum of products in less time; of floats only.  `start` is 3 * 2^k, where the absolute terms sum to at
     * most 2^k, which is at least 2^-960: it is off by at most (d + 32)^2 2^(k - 105).
     */
    fc_twofold (*quick[FC_DTYPE_COUNT])(const void *q, const void *x, size_t d, double start);

    /* The same of products or, for absdiff, of maxima, of many pairs. */
    fc_panel_kernels panel[FC_PAIR_COUNT];

    /* The distance that sums of a kind make, each off by at most a part `error` of its absolute terms unless nothing is
     * lost; qq and xx are the vectors' sums of squares, which only products need.
     */
    fc_distance (*distance[FC_PAIR_COUNT])(fc_sum s, fc_sum qq, fc_sum xx, double error);
} fc_kernels;

/* Sums of products of bytes are kept in int32 up to this many features: 32 768 * 255^2 < 2^31. */
#define FC_U8_MAX_COLS 32768

const fc_kernels *fc_kernels_active(void);

#endif
