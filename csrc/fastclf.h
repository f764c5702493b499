/* fastclf.h -- the C interface within the package: exact nearest neighbours, distances and votes; models.h has losses,
 * linear models and windows.
 *
 * Matrices are row-major and contiguous; elements are aligned to their own size.  Every function checks the sizes it is
 * given, writes nothing outside its outputs, keeps no pointer, and may be called from several threads at once.  Outputs
 * overlap nothing else, unless it is said that they may.
 */
#ifndef FASTCLF_H
#define FASTCLF_H

#include <stddef.h>
#include <stdint.h>

#include "lists.h"

#define FC_ENUM(name, ...) FC_##name,
typedef enum { FC_METRICS(FC_ENUM) FC_METRIC_COUNT } fc_metric;
typedef enum { FC_DTYPES(FC_ENUM) FC_DTYPE_COUNT } fc_dtype;
typedef enum { FC_SCORE_LOSSES(FC_ENUM) FC_ROW_LOSSES(FC_ENUM) FC_LOSS_COUNT } fc_loss;
typedef enum { FC_ACTIVATIONS(FC_ENUM) FC_ACTIVATION_COUNT } fc_activation;
#undef FC_ENUM

/* FC_IN_f32: computed in float, whatever rows are stored as. */
#define FC_IN_ENUM(name, type) FC_IN_##name,
typedef enum { FC_ARITHMETICS(FC_IN_ENUM) FC_ARITHMETIC_COUNT } fc_arithmetic;
#undef FC_IN_ENUM

typedef enum {
    FC_OK = 0,
    FC_NO_MEMORY,    /* a scratch buffer could not be allocated; outputs are unspecified */
    FC_INTERRUPTED,  /* `poll` asked to stop; outputs are unspecified */
    FC_BAD_ARGUMENT, /* sizes, names or dtypes that do not go together; nothing was written */
    FC_BAD_ROW,      /* a row has no answer: its number is told; outputs are unspecified */
} fc_status;

typedef struct {
    const void *data;
    size_t rows, cols;
    fc_dtype dtype;
} fc_matrix;

/* How to run a call: n_threads >= 1.  `poll`, if given, is called about every 20 ms from the calling thread; non-zero
 * means stop. */
typedef struct {
    int n_threads;
    int (*poll)(void);
} fc_run;

const char *fc_metric_name(fc_metric metric);

/* What callers need to know of a metric, from FC_METRICS. */
typedef struct {
    const char *norm; /* of FC_NORMS */
    int degree, at_unit_length, has_sketches, has_tree;
    int is_product; /* not a distance but an inner product: reported as it is, largest first */
} fc_metric_traits;

fc_status fc_metric_traits_of(fc_metric metric, fc_metric_traits *traits);

/* The norm of the difference of two vectors at that distance; at unit length, if the metric has that trait.  NaN of
 * products, which say nothing of it.
 */
double fc_metric_length(fc_metric metric, double distance);

const char *fc_loss_name(fc_loss loss);
int fc_loss_has_softmax(fc_loss loss);
const char *fc_activation_name(fc_activation activation);
char fc_dtype_format(fc_dtype dtype); /* as Python's struct module has it */

/* The narrowest arithmetic that holds a dtype's values; the dtype that stores an arithmetic's values. */
fc_arithmetic fc_arithmetic_of(fc_dtype dtype);
static inline fc_dtype fc_dtype_of(fc_arithmetic in) {
    switch (in) {
#define FC_CASE(name, type) \
    case FC_IN_##name: \
        return FC_##name;
        FC_ARITHMETICS(FC_CASE)
#undef FC_CASE
    case FC_ARITHMETIC_COUNT:
        break;
    }
    return FC_DTYPE_COUNT;
}

/* Rows of a matrix in a few bytes each, and what the bytes leave out.  A row's code 128 + c stands for the number
 * step * c.  Of two rows sketched alike,
 *
 *     length of their numbers' difference - error of the one - error of the other
 *
 * is at most (1 + gram_excess) times the length of the rows' own difference.  Lengths are by the metric's norm, L1 or
 * L2.  For L2 the difference of the residuals counts as one more number's.  A metric at unit length takes the
 * difference of the rows at unit length.
 *
 * Of inner products the numbers of a row less the centre, and of a query as it is, bound the product of both
 * (neighbors/product_stage.h).
 */
typedef struct {
    float residual, error, step;
    int32_t sum, squares; /* of c */
} fc_sketch_terms;

typedef struct {
    fc_matrix codes; /* of bytes */
    const fc_sketch_terms *terms;
} fc_sketch;

enum { FC_MAX_STAGES = 8 };

/* How rows are sketched: by numbers p[i] - offset[i], rounded to steps.  The numbers are split into levels, each a
 * sketch: the first level has cols[0] of them, the second the next cols[1], and so on.
 *
 * Without directions there is one level.  For the norm L2, queries may have a second: what the first one leaves of the
 * same numbers, in parts of FC_FINER of its steps.
 *
 * p[i]      with `directions`: the product of direction i and the row.  There is a direction of d float32 for each
 *           number; together they are nearly orthonormal.
 *           Without: the sum of weight[j] * feature[j] of the row, j from start[i] to start[i + 1];
 *           every feature occurs at most once; |weight| <= 1, and for the norm L2 the squares of a group's weights
 *           sum to at most 1.
 *           For inner products the offset is 0, and groups are all single features with weights of 1 or -1.
 * gram_excess  at least the largest eigenvalue of directions * transposed, less 1: believed, not checked.
 * step      of all rows, for the norm L1; for L2 each row has its own, the least that holds its numbers.
 * residual  whether each level keeps the length that the directions up to it leave out; for inner products it has to.
 */
typedef struct {
    size_t levels, cols[FC_MAX_STAGES];
    const float *directions;
    double gram_excess;
    const int64_t *feature, *start;
    const float *weight;
    const double *offset;
    float step;
    int residual;
} fc_sketcher;

/* Sketch the rows of M: codes and terms by level.  `centre`, M.cols values or NULL, is subtracted first, but not at
 * unit length.  The metric must be one that has sketches.
 */
fc_status fc_sketch_rows(fc_metric metric, const fc_sketcher *how, fc_matrix M, const float *centre, fc_run run,
                         uint8_t *const *codes, fc_sketch_terms *const *terms);

/* Whether a stage adds to what the stage before it has found: differences of further numbers, or of what the queries'
 * sketches have left of the same ones.  In the latter case X is the stage before's.
 */
typedef enum { FC_ADDS_NOTHING, FC_ADDS_NUMBERS, FC_ADDS_FINER } fc_adds;
enum { FC_FINER = 16 };

/* One stage of a search: sketches of Q and of X, made alike by fc_sketch_rows.  Their terms are believed, not checked.
 *
 * adds  for FC_ADDS_NUMBERS, Q and X are the level after the stage before.
 * unit  about a row's step.  Rows and queries whose step is more than 2^30 times that, or less than 2^-30 times, are
 *       never pruned.
 * gram_excess  of the sketcher.
 * young_weight  about a typical error over a typical threshold; for inner products a query's error over its length and
 *       error.  Any positive value is right.
 * cost  of comparing two sketches, in plain comparisons of a query with a row.
 */
typedef struct {
    fc_sketch Q, X;
    fc_adds adds;
    double gram_excess, unit, young_weight, cost;
} fc_stage;

/* What a search did: the pairs that reached each stage, and refining at last; the seconds of all threads there. */
typedef struct {
    double pairs[FC_MAX_STAGES + 1], seconds[FC_MAX_STAGES + 1];
} fc_tally;

/* A search for the k rows of X nearest to each row of Q.
 *
 * centre           X.cols finite values near the middle of X, or NULL.  The filter subtracts them, to keep its rounding
 *                  small; the answer is the same for any.  Of inner products it is what the stages' sketches of X, but
 *                  not those of Q, were made less.
 * own              for each query a row of X to leave out, or NULL.
 * limit            for each query a distance, as it is reported, or NULL: rows that are farther need not be found.
 *                  NaN: none.  It is for rows in several matrices: what the search of one has found limits those of the
 *                  others.
 * bytes            whether to search both matrices as bytes, whatever their dtype: they are known to hold only
 *                  integers from 0 to 255 (fc_fits_u8).
 * stages           n_stages <= FC_MAX_STAGES: each prunes the rows that it proves too far.  None: plain search.
 * refine_cost      of one distance, in plain comparisons.
 * given_up         with stages: Q.rows flags.  A query is given up, and has no answer, when too many of its rows
 *                  survive the stages: a plain search is better for it.
 * tally            or NULL.
 */
typedef struct {
    fc_metric metric;
    fc_matrix Q, X;
    size_t k;
    const float *centre;
    const int64_t *own;
    const double *limit;
    int bytes;
    const fc_stage *stages;
    size_t n_stages;
    double refine_cost;
    uint8_t *given_up;
    fc_tally *tally;
} fc_search;

/* The k smallest (exact distance, row) of each query, in that order: `distance` and `index` are Q.rows x k.  Distances
 * are rounded once, to nearest.  A row that is not there is at +inf.  Inner products are written as they are, the
 * largest first; that of a row that is not there is -inf.  With `limit` there may be fewer than k: the others are not
 * there, and have -1 as row.
 *
 * Q and X may differ in dtype: the narrower is widened a block of rows at a time.  Values must be finite, rows of X
 * fewer than 2^32.  Scratch memory: below 4 MiB a thread, and 24 bytes more for each of k above 50 000; and 1 MiB for
 * the call.
 */
fc_status fc_knn(const fc_search *search, fc_run run, double *distance, int64_t *index);

enum {
    FC_LEAF_ROWS = 64,  /* of a tree, */
    FC_TREE_BOXES = 16, /* and of leaves or nodes in a node */
};

/* The first `rows` rows of X in a hierarchy of boxes, as fc_tree_make leaves them.
 *
 * row     which row is at each place of the tree: rows that lie near each other have places near each other.
 * boxes   fc_tree_blocks(rows) x 2 FC_TREE_BOXES cols: bounds of the rows' values.
 * leaves  fc_tree_leaves(rows) x (1 + (2 + FC_LEAF_ROWS / 4) cols): values in a byte each, and their ranges.
 * centre  as in fc_search.
 * scale   of the values in boxes and leaves.
 */
typedef struct {
    size_t rows;
    const uint32_t *row;
    const float *boxes, *leaves;
    const float *centre;
    double scale;
} fc_tree;

size_t fc_tree_blocks(size_t rows);
size_t fc_tree_leaves(size_t rows);

/* Put all rows of X, 1 to 2^32 - 1, into a tree's arrays.  Where values are too large or too small, *scale is 0 and the
 * arrays are unspecified.  Scratch memory: 8 bytes for each row (16 at unit length), and of each thread 520 bytes for
 * each feature.
 */
fc_status fc_tree_make(fc_metric metric, fc_matrix X, const float *centre, fc_run run, double *scale, uint32_t *row,
                       float *boxes, float *leaves);

/* What a search in a tree did: leaves looked into, and rows compared in full. */
typedef struct {
    double leaves, refined;
} fc_tree_tally;

/* A search by a tree for the k of its rows nearest to each row of Q.
 *
 * own, limit, bytes  as in fc_search; k + (own given) <= tree->rows.
 * patience    in leaves: a query is given up when it has looked into more of them.  Rows that it compared count as the
 *             leaves that take the same time.
 * expected    about how many leaves a query looks into: it tells how many threads are worth starting.
 * given_up    Q.rows flags, set for these queries, and for those outside the tree's range; they have no answer.
 */
typedef struct {
    fc_metric metric;
    const fc_tree *tree;
    fc_matrix Q, X;
    size_t k;
    const int64_t *own;
    const double *limit;
    int bytes;
    double patience, expected;
    uint8_t *given_up;
    fc_tree_tally *tally;
} fc_tree_search;

/* As fc_knn, but among the tree's rows.  Scratch memory: of each thread 32 bytes for each of 4 k + 1024 rows, and 8
 * bytes for each query.
 */
fc_status fc_tree_knn(const fc_tree_search *search, fc_run run, double *distance, int64_t *index);

/* A search for the k rows of X nearest to each of X's own rows.  A row's own group is left out.
 *
 * group    of each row, numbered below X.rows; no group has more than X.rows - k rows.
 * centre, bytes   as in fc_search.
 */
typedef struct {
    fc_metric metric;
    fc_matrix X;
    size_t k;
    const int64_t *group;
    const float *centre;
    int bytes;
} fc_across_groups;

/* As fc_knn of X's rows among those of other groups, in little more than half the comparisons: each pair is computed
 * once.  Scratch memory holds the nearest so far of all rows.  A row takes 16 bytes for each of 2k candidates (k + 8
 * for small k; k + 1024 at most), and 100 bytes more.  Where values are not finite, a neighbour may be any row, or -1
 * at +inf.
 */
fc_status fc_knn_across_groups(const fc_across_groups *search, fc_run run, double *distance, int64_t *index);

/* Rows that something else has found: which of them are nearest?
 *
 * row  Q.rows x per_query row numbers of X, in any order.  A negative number stands for no row; a row named twice
 *      counts once; a number that X does not have is FC_BAD_ARGUMENT, and outputs are unspecified.
 * own  as in fc_search.
 */
typedef struct {
    fc_metric metric;
    fc_matrix Q, X;
    const int64_t *row;
    size_t per_query;
    const int64_t *own;
} fc_candidates;

/* The k >= 1 smallest (exact distance, row) of each query's candidates: what fc_knn reports of these rows.  Where
 * there are fewer, the distance is +inf and the row -1.  Rows of X are fewer than 2^32.  Scratch memory: 16 bytes a
 * thread for each candidate of a query.
 */
fc_status fc_rerank(const fc_candidates *candidates, size_t k, fc_run run, double *distance, int64_t *index);

/* X.cols values near the middle of X's rows: of each feature the median in a sample of at most `most` rows.  They are
 * finite and within half of float's range.
 */
fc_status fc_centre(fc_matrix X, size_t most, float *centre);

/* Set *row to the first row that holds NaN or infinity; the number of rows, if none does. */
fc_status fc_first_not_finite(fc_matrix matrix, fc_run run, size_t *row);

/* Set *fits to whether all values are integers from 0 to 255.  i8 does not fit: it is as narrow as bytes. */
fc_status fc_fits_u8(fc_matrix matrix, int (*poll)(void), int *fits);

/* All Q.rows x X.rows distances: the same bytes that fc_knn reports. */
fc_status fc_pairwise(fc_metric metric, fc_matrix Q, fc_matrix X, fc_run run, double *distance);

/* Sum the votes of each row's k neighbours: votes[i, c] = sum of weights[i, j] over the j with label c.
 *
 * label    class ids; the label of neighbour j of row i is label[index[i, j]], or label[i * k + j] where index is NULL.
 * weights  rows x k, or NULL for one each.
 * votes    rows x n_classes, or NULL.
 * winner   rows, or NULL: the class with the most votes; among equals, the smallest.
 *
 * Scratch memory: 8 bytes for each class, and for each neighbour of a row.  Where a label is no class, rows before it
 * may have been written.
 */
fc_status fc_vote(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k, size_t n_classes,
                  const double *weights, int (*poll)(void), double *votes, int64_t *winner);

/* fc_vote by several numbers of neighbours at once: winner[j * rows + i] has the most votes of the first prefix[j]
 * neighbours of row i, one vote each.  Prefixes are from 1 to k, none less than the one before.
 */
fc_status fc_vote_prefixes(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k,
                           size_t n_classes, const int64_t *prefix, size_t prefixes, int (*poll)(void),
                           int64_t *winner);

/* The instruction sets of this build, worst first; whether this machine has one; which is in use.  fc_isa_use takes
 * another, and returns 0 if it is not there.
 */
size_t fc_isa_count(void);
const char *fc_isa_name(size_t i);
int fc_isa_available(size_t i);
size_t fc_isa_active(void);
int fc_isa_use(size_t i);

/* The most threads worth starting: no more than OpenMP allows (1 without OpenMP), nor CPUs this process may run on. */
int fc_max_threads(void);
int fc_has_openmp(void);

/* Whether this process may be a fork of one that had threads of GNU's OpenMP.  A fork lacks these threads, and a thread
 * that has used them waits for them for ever; a new thread does not.
 */
int fc_was_forked(void);

#endif
