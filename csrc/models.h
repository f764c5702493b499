/* models.h -- the C interface within the package, as in fastclf.h: losses, linear models, classifiers of windows. */
#ifndef FASTCLF_MODELS_H
#define FASTCLF_MODELS_H

#include "fastclf.h"

/* What a matrix of targets holds: anything finite; numbers from 0 to 1; or such numbers, whose rows sum to 1 within
 * 1e-3.
 */
typedef enum { FC_ANY_FINITE, FC_PARTS, FC_PROBABILITIES } fc_targets;

/* Scores of classes, and what they should have been.
 *
 * scores   float or double.
 * label    class of each row, or NULL.  -1 leaves the row out: its scores are not read.
 * target   where label is NULL: a matrix as large as scores, of any dtype (of softmax and log_softmax: none).
 * targets  what rows of `target` have to be.
 * weight   of each row, or NULL: 1.
 * scale    multiplies the gradient, as the row's weight does.
 * column   a weight of each column, or NULL: 1.  For cross_entropy it weighs the classes of the targets, for
 *          binary_cross_entropy_with_logits the positive targets.
 * label_smoothing  the part of cross_entropy's targets that is spread evenly over classes whose score is not -inf.
 * margin, margins  of hinge and crammer_singer: one for all, or cols x cols, one for each true class and each other.
 * parameter    of a loss that is a sum over scores: p of its row in lists.h, as max_margin's margin.
 * hinge_width  where not 0, hinge's terms are hinge_width * log(1 + exp(term / hinge_width)), and crammer_singer's
 *              largest is hinge_width * log(sum of exp(term / hinge_width)).
 * squared      the hinges' terms are squared; they are not smoothed then.
 * own_term     hinge counts the label's own term too, which is its margin.
 */
typedef struct {
    fc_loss loss;
    fc_matrix scores, target;
    fc_targets targets;
    const int64_t *label;
    const double *weight, *column, *margins;
    double scale, label_smoothing, margin, hinge_width, parameter;
    int squared, own_term;
} fc_batch;

/* Losses, and gradients with respect to the scores.
 *
 * loss      of each row, times its weight; or NULL.
 * each      of each score, times its row's weight, where the loss is a sum over scores (FC_SCORE_LOSSES, softmax_mse);
 *           or NULL.
 * gradient  rows x cols of the scores' dtype, times weight and scale; or NULL.  It may be the scores themselves, but
 *           must not overlap them otherwise.
 *
 * A row with NaN or infinity, or with targets that are not what they have to be, has no answer: *bad_row is the first.
 * For losses with a softmax, a score of -inf stands for a class that is not there; a row has to have at least one
 * class.  Scratch memory: 40 bytes a thread for each column, and 100 KiB.
 */
fc_status fc_losses(const fc_batch *batch, fc_run run, double *loss, double *each, void *gradient, size_t *bad_row);

/* The sum of `n` values, as if of twice float64's precision and rounded once. */
double fc_total(const double *values, size_t n);

/* Scores X W' + b of a linear model.
 *
 * in      float or double, at least as wide as X: the type of the arithmetic and of all that follows.
 * centre  X.cols values that are subtracted from each row, or NULL.
 * W, b    classes x X.cols, and classes; b may be NULL.
 */
typedef struct {
    fc_matrix X;
    fc_arithmetic in;
    const void *centre, *W, *b;
    size_t classes;
} fc_linear;

/* `scores`: X.rows x classes. */
fc_status fc_linear_scores(const fc_linear *model, fc_run run, void *scores);

/* The sum of the losses of a model's scores, and its gradients of the form of W and of b.  X is read once.
 *
 * batch: as in fc_losses, but the scores' data is not read.  FC_BAD_ROW does not tell which row.  Scratch memory: for
 * each thread 1 MiB, or 16 rows and their scores; and up to 32 times of_W, but no more than 256 MiB or of_W itself.
 */
fc_status fc_linear_loss(const fc_linear *model, const fc_batch *batch, fc_run run, double *loss, double *of_W,
                         double *of_b);

/* A sparse matrix in compressed rows, and a dense one of float or double.
 *
 * start    rows + 1 numbers, none less than the one before: row i has the values [start[i], start[i + 1]).
 * index    their columns, rows of M.
 * value    of a dtype that stores an arithmetic's values.
 */
typedef struct {
    size_t rows, values;
    const int64_t *start;
    const int32_t *index;
    const void *value;
    fc_dtype dtype;
    fc_matrix M;
} fc_sparse;

/* The product of the two, rows x M.cols of M's dtype: summed in float64, a row's values in order. */
fc_status fc_sparse_product(const fc_sparse *product, fc_run run, void *out);

/* A matrix of float or double: `row_step` values lie between one row and the next, `col_step` between columns.  One of
 * the two is 1.
 */
typedef struct {
    const void *values;
    size_t rows, cols, row_step, col_step;
} fc_strided;

/* C = A B, + C with `add`; + bias, a value for each column, if it is not NULL.  C has A.rows x B.cols values.  The sums
 * of A's rows are added to row_sums, if it is not NULL.
 *
 * A sum of products goes through at most 768 rows of B (of double: 384) in order, each step rounded once; these sums
 * are added in order.  So bytes do not depend on the threads, nor on the instruction set, nor do those of a row of C on
 * other rows of A.  Scratch memory: for each thread 3 MiB.
 */
fc_status fc_matmul(fc_arithmetic in, const fc_strided *A, const fc_strided *B, const void *bias, int add, fc_run run,
                    void *C, double *row_sums);

enum { FC_SVM_FOURS = 4 }; /* vectors of an SVM's classes are padded to whole fours */

/* The dual problem of a multiclass SVM.  Of scores W x + b, what is minimised is
 *
 *     sum over rows of weight * hinge + l2 |W|^2 + l2 / unit |b - offset|^2;
 *
 * with unit 0, b is the offset.  Row i has a vector a_i of classes' numbers that sum to 0, the gradient of its hinge:
 *
 *     W = -sum of weight_i a_i x_i' / (2 l2),    b = offset - unit * sum of weight_i a_i / (2 l2).
 *
 * X, centre  rows of any dtype, and what is subtracted from each, or NULL.  X.data is NULL where rows are sparse.
 * sparse     rows; then M has the shape and the dtype of W, and its values are not read.
 * label      of each row.
 * weight     of each row, not negative; squares of each row's length.
 * margins    classes x classes, for each true class and each other; the diagonal is not read.
 * largest    Crammer and Singer's hinge; else Weston and Watkins'.
 * squared    whether the terms are squared; not together with `largest`.
 */
typedef struct {
    fc_matrix X;
    const double *centre;
    fc_sparse sparse;
    const int64_t *label;
    const double *weight, *squares, *margins;
    size_t classes;
    double l2, unit;
    int largest, squared;
} fc_svm;

/* Go `sweeps` times through the rows in an order drawn by `seed`, and solve each row's part of the dual problem.  After
 * the first sweep, rows that two visits have not changed are left out.  One thread does it; bytes are the same on every
 * instruction set.
 *
 * a  rows x classes: where it begins, which has to be feasible, and where it ends.
 * W  written: features x classes, these padded (FC_SVM_FOURS).       b  classes: the offset; later the intercepts.
 * visits  how many rows were looked at.
 *
 * Scratch memory: 24 bytes for each class, 5 for each row, and 20 for each feature of dense rows.
 */
fc_status fc_svm_ascend(const fc_svm *svm, fc_run run, size_t sweeps, uint64_t seed, double *a, double *W, double *b,
                        size_t *visits);

/* The augmented Lagrangian of a multiclass SVM: hinges whose kinks are rounded about the multipliers a0.
 *
 *     sum over rows of weight * (the largest, over feasible a, of <a, scores + margins> - width / 2 |a - a0|^2)
 *
 * The length is that of all numbers of a, with Weston and Watkins of those beside the label.  At the best multipliers,
 * gradients a of hinges at the optimum, it is least where the hinges are.
 *
 * label, weight, margins, largest   as in fc_svm; terms are not squared.
 * multipliers  rows x classes.
 * a            rows x classes: written, where the largest is.
 * scores       rows x classes, of the model's type: the scores.
 * known        whether scores are read, not written.  Gradients are then less by those of the multipliers: by the
 *              scores, weight_i (a_i - a0_i) instead of weight_i a_i.  Rows that have none are not read.
 */
typedef struct {
    const int64_t *label;
    const double *weight, *margins, *multipliers;
    double width;
    int largest;
    double *a;
    void *scores;
    int known;
} fc_svm_terms;

/* Its value for the scores of a model, the weighted sum of the hinges themselves, and the gradients of its value.  X is
 * read once, at most.  FC_BAD_ROW: scores are not finite.  Scratch memory: as in fc_linear_loss.
 */
fc_status fc_svm_lagrangian(const fc_linear *model, const fc_svm_terms *terms, fc_run run, double *value,
                            double *hinges, double *of_W, double *of_b);

/* The same for a matrix of scores, of float or double, which become its gradients by them.  Of the terms, `scores` are
 * not used; `known` says which gradients are meant.
 */
fc_status fc_svm_lagrangian_of_scores(fc_matrix scores, const fc_svm_terms *terms, fc_run run, double *value,
                                      double *hinges);

/* A classifier of windows.  The vectors of 2 window + 1 words side by side are the inputs of the first layer.  Its
 * outputs W x + b are the scores or, after `activation`, the inputs of a second layer.
 *
 * in       float or double: the type of the arithmetic and of all that follows.
 * vectors  words x dim.
 * trained  vectors [0, trained) move in training.
 * squares, W_squares, b_squares   for training: sums of the squares of all gradients so far, of the form of the
 *          vectors, W and b.
 * W, b     outputs x inputs, outputs.
 */
enum { FC_WINDOW_LAYERS = 2 };

typedef struct {
    size_t outputs;
    void *W, *b, *W_squares, *b_squares;
} fc_layer;

typedef struct {
    fc_arithmetic in;
    size_t words, dim, window, trained, layers;
    void *vectors, *squares;
    fc_activation activation;
    fc_layer layer[FC_WINDOW_LAYERS];
} fc_window_model;

/* Windows of a text.  The text is `length` words; each word is a row number of the table of vectors.  A window is given
 * by its centre, a place in the text with `window` words on both sides.
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
 * gradient of
 *
 *     mean of the losses
 *     + l2 * (sum of W's squares + mean over the windows of the sum of the squares of their trained vectors).
 *
 * label     of each window.
 * corrupt, corrupt_label   NULL: losses are the cross-entropy.  Else for each window the centre of a corrupt one, and a
 *           label that is not that one's.  The loss is max(0, margin - s + s_c): s is the window's score of its label,
 *           s_c the corrupt window's score of its corrupt label.  Both windows count in the mean of squares.
 */
typedef struct {
    fc_windows windows;
    const int64_t *label, *corrupt, *corrupt_label;
    size_t batch;
    double rate, l2, margin;
    const double *weight; /* of windows, finite and not negative, in the mean of a batch's losses; or NULL */
} fc_window_steps;

/* Train the model in place; `objective` receives the value at which each step began.  A step is made wholly or not at
 * all: if the call ends early, the model is as the steps before have left it.  FC_BAD_ROW means that scores are not
 * finite, and does not tell which row.  Scratch memory: a copy of the weights; up to 16 sums of gradients in float64,
 * of at most 64 MiB together if there is more than one; a batch's inputs in float64; and as in fc_window_scores.
 */
fc_status fc_window_train(const fc_window_model *model, const fc_window_steps *steps, fc_run run, double *objective);

#endif
