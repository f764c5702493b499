/* kernels.h -- what one instruction set offers for searches and distances: isa/neighbors/. */
#ifndef FASTCLF_NEIGHBORS_KERNELS_H
#define FASTCLF_NEIGHBORS_KERNELS_H

#include <float.h>
#include <math.h>

#include "core/shapes.h"
#include "core/twofold.h"
#include "fastclf.h"

#define FC_TILE_ENUM(name) FC_TILE_##name,
#define FC_PAIR_ENUM(name) FC_PAIR_##name,
#define FC_FORM_ENUM(name) FC_FORM_##name,
#define FC_NORM_ENUM(name) FC_NORM_##name,
typedef enum { FC_TILE_KINDS(FC_TILE_ENUM) FC_TILE_COUNT } fc_tile_kind;
typedef enum { FC_PAIRS(FC_PAIR_ENUM) FC_PAIR_COUNT } fc_pair_kind;
typedef enum { FC_FORMS(FC_FORM_ENUM) FC_FORM_COUNT } fc_form;
typedef enum { FC_NORMS(FC_NORM_ENUM) FC_NORM_COUNT } fc_norm;

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

/* The largest error of fc_kernels' sums over d features, as a part of their absolute terms.  Steps are at most d / 4 +
 * 2 terms a lane, d / 512 parts, and some foldings; each adds at most as many roundings of roundings as there are
 * steps.
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

/* Whether a sum of squares is far enough from the ends of float64's range that nothing that counts is lost there. */
static inline int fc_is_tame(double squares) { return squares > 1e-140 && squares < 1e140; }

/* The same of a pair's sum, or the sum of its absolute terms: additions alone lose nothing at the lower end. */
static inline int fc_has_range(fc_pair_kind kind, double sum) {
    return kind == FC_PAIR_absdiff ? sum <= DBL_MAX : fc_is_tame(sum);
}

/* What is known of a distance: it differs from nearest + rest by at most `within`. */
typedef struct {
    double nearest, rest, within;
} fc_distance;

static const fc_distance fc_unknown = {0, 0, INFINITY};

/* Whether `nearest` is the distance rounded to nearest. */
static inline int fc_is_rounded(fc_distance d) {
    return d.nearest + (d.rest - d.within) == d.nearest && d.nearest + (d.rest + d.within) == d.nearest;
}

/* Rows in a panel, where all distances from some queries are wanted: value i of row l is panel[i * FC_PANEL + l]. */
enum { FC_PANEL = 32 };

/* What a panel needs of a vector.  `value` is its sum, its sum of squares or, where terms are products, one over its
 * length.  `most` is the sum of its absolute terms or, for products, its length.
 */
typedef struct {
    fc_twofold value;
    double most;
} fc_panel_total;

typedef struct {
    double high[FC_PANEL], low[FC_PANEL], most[FC_PANEL];
} fc_panel_totals;

/* Quick sums of a query and the rows of a panel, which is filled up to FC_PANEL.  A pair's `most` is the sum or product
 * of the vectors'.  Where it is outside these bounds (for absdiff, above them), the pair's distance stays open.
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
    /* The rounded distances of a form, or NaN where they stay open, of sums that are off by a part `error` of a pair's
     * `most`.
     */
    void (*finish)(const fc_panel_sums *s, const fc_panel_total *q, const fc_panel_totals *x, double error,
                   fc_form form, double *distance);
} fc_panel_kernels;

/* Rows of few features. */
enum { FC_NARROW = 64, FC_NARROW_ROWS = 8 };

/* Bytes of one vector in a block: a panel of this depth stays in the first cache while all rows are multiplied. */
#define FC_DEPTH_BYTES 1024

/* Bytes of an accumulator, and of a pruning term. */
static inline size_t fc_value_size(fc_arithmetic in) {
    switch (in) {
    case FC_IN_u8:
        return sizeof(int32_t);
    case FC_IN_f32:
        return sizeof(float);
    case FC_IN_f64:
        return sizeof(double);
    case FC_ARITHMETIC_COUNT:
        break;
    }
    return 0;
}

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

/* The pruning terms: they decide that a row cannot be among the nearest (metrics.h).  Values are float, or double for
 * f64.  The integers are added to integer accumulators before anything is rounded.
 */
typedef struct {
    const void *A, *E; /* by row */
    const void *B, *T; /* by query lane */
    const int32_t *Ix, *Iq;
    float scale;
    const float *F, *R; /* of sketches, by row and by lane */
} fc_pruning;

/* Products or minima of one vector of bytes with many rows.
 *
 * The vector is XORed with `flip`, and followed by zeros to a whole FC_LINE.  There are FC_FEW_ROWS rows or a multiple,
 * each `stride` bytes after the one before.  As many bytes are read of a row as of the vector, whatever the last ones
 * are.  2P is 2 (acc + from_x * sum x).
 */
typedef struct {
    void (*run)(const uint8_t *vector, const uint8_t *rows, size_t stride, size_t cols, size_t n, int32_t *acc);
    uint8_t flip;
    int from_x;
} fc_few;

enum {
    FC_FEW_ROWS = 16,
    FC_FEW_BLOCK = 480, /* rows at a time, at most */
};

/* How the pruning terms of sketches are made.  `unit` is a power of two, by_unit its inverse.  Where has_error says
 * that a row's error counts, `error` times as much is allowed, if `squares`; of products, as much and the share `error`
 * of the row's length.  A row's codes sum to `zeros` more than its terms say; Ix is `shift` times that sum.
 */
typedef struct {
    float unit, by_unit, error;
    int squares, is_product, has_error;
    int32_t zeros, shift;
} fc_sketch_units;

/* Bounds of these terms: no A or T of a sketch reaches MOST, and underflow takes less than FLOOR times an R. */
#define FC_SKETCH_MOST 0x1p90f
#define FC_SKETCH_FLOOR 0x1p-60f

enum { FC_MORE_SURVIVORS = 16 }; /* how many places after the last survivor may be written */

/* The parts of row * lanes + lane, as which survivors are listed; lanes are a power of two. */
static inline size_t fc_lane_of(uint32_t survivors, size_t lanes) { return survivors & (lanes - 1); }
static inline size_t fc_row_of(uint32_t survivors, size_t lanes) { return survivors >> __builtin_ctzll(lanes); }

typedef struct {
    fc_tile tile[FC_TILE_COUNT][FC_ARITHMETIC_COUNT];

    /* List which of rows x lanes accumulators survive: each as row * lanes + lane, a lane's in order.  Returns how
     * many; `survivors` has space for FC_MORE_SURVIVORS more than there may be. */
    size_t (*keep[FC_ARITHMETIC_COUNT])(const void *acc, size_t rows, size_t lanes, const fc_pruning *prune,
                                        uint32_t *survivors);

    /* The same for sketches: all but scale * (acc + Iq + Ix) + E * B + F * T < A * R. */
    size_t (*keep_sketches)(const void *acc, size_t rows, size_t lanes, const fc_pruning *prune, uint32_t *survivors);

    /* The same of one query: B, T, R and Iq hold only its terms. */
    fc_few few[FC_TILE_COUNT];
    size_t (*keep_few)(const int32_t *acc, size_t rows, const fc_pruning *prune, uint32_t *survivors);

    /* The pruning terms of sketched rows: written in whole vectors, for which arrays of FC_FEW_BLOCK have space. */
    void (*sketch_terms)(const fc_sketch_terms *terms, size_t rows, const fc_sketch_units *units, float *A, float *E,
                         float *F, int32_t *Ix);

    /* The sums of a point's gaps.  near_boxes: from FC_TREE_BOXES boxes, which hold for each feature their lower bounds
     * and then their upper ones.  near_rows: from the rows of a leaf.  Boxes or rows with no more than `most` are
     * listed, as survivors are; list_rows does so again.
     */
    size_t (*near_boxes[FC_GAP_COUNT])(const float *boxes, const float *point, size_t d, float most, float *gaps,
                                       uint32_t *survivors);
    size_t (*near_rows[FC_GAP_COUNT])(const fc_leaf *leaf, const float *point, size_t d, float most, float *gaps,
                                      uint32_t *survivors);
    size_t (*list_rows)(const float *gaps, float most, uint32_t *survivors);

    /* A bound for n >= k >= 1 values: at least k of them are at or below it and, unless they tie, no
     * more than `enough` >= k. */
    double (*select)(const double *v, size_t n, size_t k, size_t enough);

    /* Add a pair's terms, rounded, to its FC_LANES partial sums (of bytes exactly, to the first); d is a multiple of
     * FC_LANES except in a vector's last part.
     */
    void (*pair[FC_PAIR_COUNT][FC_ARITHMETIC_COUNT])(double *lanes, const void *q, const void *x, size_t d);

    /* A pair's sum of i8; d is at most FC_U8_MAX_COLS. */
    int32_t (*pair_i8[FC_PAIR_COUNT])(const int8_t *q, const int8_t *x, size_t d);

    /* Add a pair's sum, off by at most fc_sum_error of the sum of its absolute terms; of floats only. */
    void (*sum[FC_PAIR_COUNT][FC_ARITHMETIC_COUNT])(fc_sum *sum, const void *q, const void *x, size_t d);

    /* Of float64, d a multiple of FC_LANES.  Add to `sum` by how much a is farther from q than b, in the sums that
     * distances are made of, or of products by how much less q a is; add to `most` the sum of the absolute terms.  All
     * values are multiplied by `far`; but b - a is by `near` for squares and products, which have it as a factor.  Both
     * are powers of two.
     */
    void (*gap[FC_PAIR_COUNT])(fc_sum *sum, double *most, const double *q, const double *a, const double *b, size_t d,
                               double far, double near);

    /* Add the sum of the squares of w = x - c q, and the sum of w q.  Of float64, d a multiple of FC_LANES. */
    void (*residual)(fc_sum *squares, fc_sum *product, const double *q, const double *x, size_t d, double c);

    /* A pair's sum of products in less time; of floats only.  `start` is 3 * 2^k: the absolute terms sum to at most
     * 2^k, and 2^k is at least 2^-960.  The sum is off by at most (d + 32)^2 2^(k - 105).
     */
    fc_twofold (*quick[FC_ARITHMETIC_COUNT])(const void *q, const void *x, size_t d, double start);

    /* The same for many pairs: sums of products or, for absdiff, of maxima. */
    fc_panel_kernels panel[FC_PAIR_COUNT];

    /* The rounded distances of a form of a query from the first `rows` rows of a panel, or NaN where they stay open; of
     * at most FC_NARROW features.  Sums are off by at most fc_sum_error.  The panel is filled up to a multiple of
     * FC_NARROW_ROWS rows, and `distance` has space for as many.  By differences only.
     */
    void (*narrow[FC_PAIR_COUNT])(const double *q, const double *panel, size_t d, size_t rows, double error,
                                  fc_form form, double *distance);

    /* The distance of a form, made of the sum s.  Only of products it needs the vectors' sums of squares, qq and xx.
     * Each sum is exact where nothing is lost, else off by at most a part `error` of its absolute terms.  Sums of other
     * terms than products are within fc_has_range.
     */
    fc_distance (*distance[FC_FORM_COUNT])(fc_sum s, fc_sum qq, fc_sum xx, double error);
} fc_kernels;

/* Of the instruction set in use. */
const fc_kernels *fc_kernels_active(void);

#endif
