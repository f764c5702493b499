/* fastclf.h -- the C interface: exact nearest neighbours, distances, votes and losses.
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

typedef enum {
    FC_OK = 0,
    FC_NO_MEMORY,    /* a scratch buffer could not be had; outputs are unspecified */
    FC_INTERRUPTED,  /* `poll` asked to stop; outputs are unspecified */
    FC_BAD_ARGUMENT, /* sizes, names or dtypes that do not go together; nothing was written */
    FC_BAD_ROW,      /* a row that has no answer, told by number; outputs are unspecified */
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
const char *fc_loss_name(fc_loss loss);
const char *fc_activation_name(fc_activation activation);
char fc_dtype_format(fc_dtype dtype); /* as Python's struct module has it */

/* Rows of a matrix in a few bytes each, and what the bytes leave out.  A row's code 128 + c stands for the number
 * step * c.  Of two rows sketched alike,
 *
 *     length of their numbers' difference - error of the one - error of the other
 *
 * is at most (1 + skew) times the length of the rows' own difference.  Lengths are L1 for FC_l1, else L2, with the
 * difference of `beyond` as one more number's; and of rows at unit length for FC_cosine.
 */
typedef struct {
    float beyond, error, step;
    int32_t sum, squares; /* of c */
} fc_sketch_terms;

typedef struct {
    fc_matrix codes; /* of bytes */
    const fc_sketch_terms *terms;
} fc_sketch;

enum { FC_MAX_STAGES = 8 };

/* How rows are sketched, by numbers p_i - offset_i, rounded to steps; in several levels, which are sketches of the
 * numbers that follow one another: cols[0] for the first, cols[1] for the second, ...
 *
 * p_i       with `directions`, as many x d of float32, nearly orthonormal: product of direction i and the row.
 *           Without, and in one level: the sum of weight[j] * feature[j] of the row, j from start[i] to start[i + 1];
 *           every feature occurs at most once; |weight| <= 1, and for metrics that are not FC_l1 the squares of a
 *           group's weights sum to at most 1.
 * skew      at least the largest eigenvalue of directions * transposed, less 1: believed, not checked.
 * step      of all rows, for FC_l1; else each row has its own, the least that holds its numbers.
 * beyond    whether to keep, as `beyond`, the length that the directions so far leave out.
 */
typedef struct {
    size_t levels, cols[FC_MAX_STAGES];
    const float *directions;
    double skew;
    const int64_t *feature, *start;
    const float *weight;
    const double *offset;
    float step;
    int beyond;
} fc_sketcher;

/* Sketch the rows of M, less `centre` (M.cols values, or NULL; unused by FC_cosine): codes and terms by level. */
fc_status fc_sketch_rows(fc_metric metric, const fc_sketcher *how, fc_matrix M, const float *centre, fc_run run,
                         uint8_t *const *codes, fc_sketch_terms *const *terms);

/* One sieve of a search: sketches of Q and of X, made alike by fc_sketch_rows; what their terms say is believed.
 *
 * adds  its numbers follow those of the stage before, as a further level: the squares of both differences count.
 * unit  about a row's step: rows and queries with steps that are beyond 2^30 of it, or less than 2^-30, always pass.
 * skew  of the sketcher.
 * tilt  about a typical error over a typical limit: any positive value is right.
 * cost  of comparing two sketches, in plain comparisons of a query with a row.
 */
typedef struct {
    fc_sketch Q, X;
    int adds;
    double skew, unit, tilt, cost;
} fc_stage;

/* What a search did: pairs that came to each stage, and to refining; seconds of all threads. */
typedef struct {
    double pairs[FC_MAX_STAGES + 1], seconds[FC_MAX_STAGES + 1];
} fc_tally;

/* A search for the k rows of X nearest to each row of Q.
 *
 * centre           X.cols finite values near the middle of X, or NULL: subtracted by the filter to keep its rounding
 *                  small; the answer is the same for any.
 * own              for each query a row of X to leave out, or NULL.
 * bytes            both matrices are known to hold only integers from 0 to 255 (fc_fits_u8), whatever their dtype:
 *                  search them as such.
 * stages           n_stages <= FC_MAX_STAGES: rows that a stage proves too far go no further.  None: plain search.
 * refine_cost      of one distance, in plain comparisons.
 * given_up         with stages: Q.rows flags, set for the queries whose stages leave so many rows that a plain search
 *                  is better; they have no answer.
 * tally            or NULL.
 */
typedef struct {
    fc_metric metric;
    fc_matrix Q, X;
    size_t k;
    const float *centre;
    const int64_t *own;
    int bytes;
    const fc_stage *stages;
    size_t n_stages;
    double refine_cost;
    uint8_t *given_up;
    fc_tally *tally;
} fc_search;

/* The k smallest (exact distance, row) of each query, in that order: `distance` and `index` are Q.rows x k.  Distances
 * are rounded once, to nearest.
 *
 * Q and X may differ in dtype: the narrower is widened a block of rows at a time.  Values must be finite, rows of X
 * fewer than 2^32.  Scratch memory stays below 4 MiB a thread, and 24 bytes for each of k beyond 50 000, and 1 MiB for
 * the call.
 */
fc_status fc_knn(const fc_search *search, fc_run run, double *distance, int64_t *index);

enum {
    FC_LEAF_ROWS = 64,  /* of a tree, */
    FC_TREE_BOXES = 16, /* and of leaves or nodes in a node */
};

/* The first `rows` rows of X in a hierarchy of boxes, as fc_tree_make leaves them.
 *
 * row     of each place; rows near each other are near here.
 * boxes   fc_tree_blocks(rows) x 2 FC_TREE_BOXES cols: bounds of the rows' values.
 * leaves  fc_tree_leaves(rows) x (1 + (2 + FC_LEAF_ROWS / 4) cols): values in a byte each, and their ranges.
 * centre  as in fc_search;  scale: of what boxes and leaves hold.
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

/* Put all rows of X, 1 to 2^32 - 1, into a tree's arrays; *scale is 0, and they are unspecified, where values are too
 * large or too small for that.  Needs 8 bytes for each row (16 for FC_cosine) meanwhile, and of each thread 520 for
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
 * own, bytes  as in fc_search; k + (own given) <= tree->rows.
 * patience    a query is given up when it has looked into more leaves than that, or compared rows in the same time.
 * given_up    Q.rows flags, set for these queries, and for those beyond the tree's range; they have no answer.
 */
typedef struct {
    fc_metric metric;
    const fc_tree *tree;
    fc_matrix Q, X;
    size_t k;
    const int64_t *own;
    int bytes;
    double patience;
    uint8_t *given_up;
    fc_tree_tally *tally;
} fc_tree_search;

/* As fc_knn, of the tree's rows.  Scratch memory: of each thread 32 bytes for each of 4 k + 1024 rows, and 8 bytes for
 * each query.
 */
fc_status fc_tree_knn(const fc_tree_search *search, fc_run run, double *distance, int64_t *index);

/* A search for the k nearest rows of X to each of its own rows, those of the same group left out.
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
} fc_apart;

/* As fc_knn of X's rows among those of other groups, in little more than half the comparisons: each pair is computed
 * once.  Holds the nearest so far of all rows: 16 bytes for each of 2k (k + 8 of small k; k + 1024 at most), and for a
 * row 100 bytes.  Where values are not finite, a neighbour may be any row, or -1 at +inf.
 */
fc_status fc_knn_apart(const fc_apart *search, fc_run run, double *distance, int64_t *index);

/* Rows that something else has found: which of them are nearest?
 *
 * row  Q.rows x per_query rows of X, in any order: a negative one is none, one that comes twice counts once, and one
 *      that X does not have is FC_BAD_ARGUMENT, outputs unspecified.
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

/* Set *fits to whether all values are integers from 0 to 255. */
fc_status fc_fits_u8(fc_matrix matrix, int (*poll)(void), int *fits);

/* All Q.rows x X.rows distances: the same bytes that fc_knn reports. */
fc_status fc_pairwise(fc_metric metric, fc_matrix Q, fc_matrix X, fc_run run, double *distance);

/* Sum the votes of each row's k neighbours: votes[i, c] = sum of weights[i, j] over the j with label c.
 *
 * label    class ids; the label of neighbour j of row i is label[index[i, j]], or label[i * k + j] where index is NULL.
 * weights  rows x k, or NULL for one each.
 * votes    rows x n_classes, or NULL;  winner: rows, or NULL.  The winner has the most votes, the smallest class among
 * equals.
 *
 * Scratch memory: 8 bytes for each class, and for each neighbour of a row.  Where a label is no class, rows before it
 * may have been written.
 */
fc_status fc_vote(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k, size_t n_classes,
                  const double *weights, int (*poll)(void), double *votes, int64_t *winner);

/* fc_vote by several numbers of neighbours at once: winner[j * rows + i] has the most votes of the first prefix[j] of
 * row i, one each.  Prefixes are from 1 to k, none less than the one before.
 */
fc_status fc_vote_prefixes(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k,
                           size_t n_classes, const int64_t *prefix, size_t prefixes, int (*poll)(void),
                           int64_t *winner);

/* What a matrix of targets holds: anything finite, numbers from 0 to 1, or rows of such that sum to 1 within 1e-3. */
typedef enum { FC_ANY_FINITE, FC_PARTS, FC_PROBABILITIES } fc_targets;

/* Scores of classes, and what they should have been.
 *
 * scores   float or double.
 * label    class of each row, or -1: the row is left out, its scores are not looked at; or NULL.
 * target   where label is NULL: a matrix as large as scores, of any dtype (of softmax and log_softmax: none).
 * targets  what rows of `target` have to be.
 * weight   of each row, or NULL: 1.
 * scale    of the gradient, beyond the row's weight.
 * column   a weight of each column, or NULL: 1.  Of cross_entropy, of the classes of its targets; of
 *          binary_cross_entropy_with_logits, of positive targets.
 * smoothing  the part of cross_entropy's targets that is spread evenly over classes whose score is not -inf.
 * margin, margins   of hinge and crammer_singer: one, or (cols x cols) one for each true class and each other.
 * parameter  of a loss that is a sum over scores, what its row in lists.h calls p: max_margin's margin.
 * smooth   where not 0, hinge's terms are smooth * log(1 + exp(term / smooth)), and crammer_singer's largest is
 *          smooth * log(sum of exp(term / smooth)).
 * squared  the hinges' terms are squared; they are not smoothed then.
 * own_term hinge counts the label's term too, which is its margin.
 */
typedef struct {
    fc_loss loss;
    fc_matrix scores, target;
    fc_targets targets;
    const int64_t *label;
    const double *weight, *column, *margins;
    double scale, smoothing, margin, smooth, parameter;
    int squared, own_term;
} fc_batch;

/* Losses, and gradients with respect to the scores.
 *
 * loss      of each row, times its weight; or NULL.
 * each      of each score, times its row's weight, where the loss is a sum over scores (FC_SCORE_LOSSES, softmax_mse);
 *           or NULL.
 * gradient  rows x cols of the scores' dtype, times weight and scale: may be the scores themselves, but not overlap
 *           them otherwise; or NULL.
 *
 * A row with NaN or infinity, or with targets that are not what they have to be, has no answer: *bad_row is the first.
 * For losses with a softmax, -inf is a class that is not there; one class of a row has to be.  Scratch memory: 40 bytes
 * a thread for each column, and 100 KiB.
 */
fc_status fc_losses(const fc_batch *batch, fc_run run, double *loss, double *each, void *gradient, size_t *bad_row);

/* The sum of `n` values, as if of twice float64's precision and rounded once. */
double fc_total(const double *values, size_t n);

/* Scores X W' + b of a linear model.
 *
 * dtype   float or double, at least as wide as X: what is computed in, and the type of all that follows.
 * centre  X.cols values that are subtracted from each row, or NULL.
 * W, b    classes x X.cols, and classes; b may be NULL.
 */
typedef struct {
    fc_matrix X;
    fc_dtype dtype;
    const void *centre, *W, *b;
    size_t classes;
} fc_linear;

/* `scores`: X.rows x classes. */
fc_status fc_linear_scores(const fc_linear *model, fc_run run, void *scores);

/* The sum of the losses of a model's scores and its gradients: by W and, of the same form, by b; X is read once.
 *
 * batch: as in fc_losses, but for the scores' data.  FC_BAD_ROW does not tell which row.  Scratch memory: a
 * thread's 1 MiB, or 16 rows and their scores; and up to 32 times of_W, but no more than 256 MiB or of_W itself.
 */
fc_status fc_linear_loss(const fc_linear *model, const fc_batch *batch, fc_run run, double *loss, double *of_W,
                         double *of_b);

/* A sparse matrix in compressed rows, and a dense one of float or double.
 *
 * start    rows + 1 numbers that do not fall: row i has the values [start[i], start[i + 1]).
 * index    their columns, rows of M.
 * value    of any dtype.
 */
typedef struct {
    size_t rows, values;
    const int64_t *start;
    const int32_t *index;
    const void *value;
    fc_dtype dtype;
    fc_matrix M;
} fc_sparse;

/* Their product, rows x M.cols of M's dtype: summed in float64, a row's values in order. */
fc_status fc_sparse_product(const fc_sparse *product, fc_run run, void *out);

/* A classifier of windows: the vectors of 2 window + 1 words side by side are the inputs of the first layer; its
 * outputs W x + b are the scores, or after `activation` the inputs of a second.
 *
 * dtype    float or double: of all that follows.
 * vectors  words x dim.
 * trained  vectors [0, trained) move in training.
 * squares, W_squares, b_squares   of the form of what they belong to: sums of the squares of all slopes so far, for
 *          training.
 * W, b     outputs x inputs, outputs.
 */
enum { FC_WINDOW_LAYERS = 2 };

typedef struct {
    size_t outputs;
    void *W, *b, *W_squares, *b_squares;
} fc_layer;

typedef struct {
    fc_dtype dtype;
    size_t words, dim, window, trained, layers;
    void *vectors, *squares;
    fc_activation activation;
    fc_layer layer[FC_WINDOW_LAYERS];
} fc_window_model;

/* Windows of a text of `length` words, rows of the table of vectors; by their centres, which have `window` words on
 * both sides.
 */
typedef struct {
    const int32_t *word;
    size_t length;
    const int64_t *centre;
    size_t n;
} fc_windows;

/* `scores`: n x outputs of the last layer.  Scratch memory: a copy of the weights, and of a thread 32 windows' inputs
 * and outputs.
 */
fc_status fc_window_scores(const fc_window_model *model, fc_windows windows, fc_run run, void *scores);

/* Steps of Adagrad, each on the next `batch` windows: w -= rate * g / (sqrt(sum of g^2 so far) + 1e-10), where g is the
 * slope of
 *
 *     mean of the losses
 *     + l2 * (sum of W's squares + mean over the windows of the sum of the squares of their trained vectors).
 *
 * label     of each window.
 * corrupt, corrupt_label   NULL: losses are the cross-entropy.  Else centres of windows and labels that are not theirs:
 *           losses are max(0, margin - s + s_c), where s is how a window scores its label, and s_c how the corrupt one
 *           scores that beside it; both are among the windows of the mean of squares.
 */
typedef struct {
    fc_windows windows;
    const int64_t *label, *corrupt, *corrupt_label;
    size_t batch;
    double rate, l2, margin;
} fc_window_steps;

/* Train the model in place; `objective`: what each step began at.  A step is made wholly or not at all: if the call
 * ends early (FC_BAD_ROW, which does not tell which row, if scores are not finite), the model is as the steps before
 * have left it.  Scratch memory: a copy of the weights; up to 16 sums of slopes in float64, of at most 64 MiB together
 * if there is more than one; a batch's inputs in float64; and as in fc_window_scores.
 */
fc_status fc_window_train(const fc_window_model *model, const fc_window_steps *steps, fc_run run, double *objective);

/* Which instruction sets this build and machine have, worst first; which is in use; use another (0 if it is not there).
 */
size_t fc_isa_count(void);
const char *fc_isa_name(size_t i);
int fc_isa_available(size_t i);
size_t fc_isa_active(void);
int fc_isa_use(size_t i);

/* The most threads worth starting: OpenMP's own limit (1 without OpenMP) and the CPUs this process may run on. */
int fc_max_threads(void);
int fc_has_openmp(void);

/* Whether this process may be a fork of one that had threads of GNU's OpenMP: they are missing, and a thread that has
 * used them waits for them for ever; a new one does not.
 */
int fc_was_forked(void);

#endif
