/* fastclf_api.h -- the kernels of fastclf for other programs: exact nearest neighbours, distances, votes, losses with
 * their gradients, linear scores.
 *
 * Where the functions are.  A program that links libfastclf calls them by name: fastclf_knn(...).  An extension of
 * Python links nothing: it includes Python.h and then this header, calls fastclf_import() once, and from then on
 * api->knn(...).  For ctypes, cffi and Numba, fastclf.c_functions() in Python gives their addresses.
 *
 * Arrays.    Matrices are row-major and contiguous (C order), without strides.  Elements are aligned to their own size.
 *            Values must be finite where it is not said what NaN does.
 * Ownership. The caller owns all arrays, and outputs have room for what is written.  Nothing is kept after a call but
 *            the rows of an index that borrows them.  Outputs overlap nothing else, unless it is said that they may.
 * Threads.   `n_threads` is the most a call uses; 0 stands for fastclf_max_threads().  The answer has the same bytes
 *            for any number.  Functions may be called from several threads at once, and in a process that was forked.
 * Python.    None of its functions is called and no lock of it is needed: release the GIL around long calls.  A call
 *            runs to its end; it serves no signals.
 * Errors.    Functions that can fail return one of the numbers below, FASTCLF_OK = 0 if they have not.  Sizes, pointers
 *            and numbers are checked before anything is written; of FASTCLF_BAD_ROW, FASTCLF_BAD_LABEL and
 *            FASTCLF_NO_MEMORY the outputs are unspecified.
 * Versions.  Numbers below keep their meaning, functions their arguments; new ones are appended.  What is compiled
 *            against this header works with later builds; an earlier one is refused by fastclf_import().
 *
 * Needs C99 or C++11, by a compiler that has __typeof__, as GCC and Clang do.  Example: the 2 nearest of 3 rows.
 *
 *     float X[] = {0, 0, 3, 4, 1, 1}, q[] = {0, 0};
 *     double distances[2];
 *     int64_t indices[2];
 *     int status = fastclf_knn(FASTCLF_l2, FASTCLF_f32, q, 1, X, 3, 2, 2, 1, distances, indices);
 *     if (status != FASTCLF_OK) puts(fastclf_error_string(status));
 */
#ifndef FASTCLF_API_H
#define FASTCLF_API_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef FASTCLF_EXPORT
#define FASTCLF_EXPORT
#endif

enum { FASTCLF_API_VERSION = 1 }; /* a build with another one is of no use */

/* The comments are what fastclf_error_string says. */
enum {
    FASTCLF_OK = 0,           /* no error */
    FASTCLF_NO_MEMORY = 1,    /* out of memory */
    FASTCLF_NULL_POINTER = 2, /* an array is missing: its pointer is NULL */
    FASTCLF_MISALIGNED = 3,   /* an array is not aligned to the size of its elements */
    FASTCLF_BAD_SIZE = 4,     /* a size is negative, zero where there has to be something, too large, or does not fit
                                  another */
    FASTCLF_BAD_K = 5,        /* k is less than 1 or more than the number of rows */
    FASTCLF_BAD_METRIC = 6,   /* unknown metric */
    FASTCLF_BAD_DTYPE = 7,    /* unknown dtype, or one that does not go here */
    FASTCLF_BAD_LOSS = 8,     /* unknown loss, or one that does not go here */
    FASTCLF_BAD_THREADS = 9,  /* the number of threads is negative */
    FASTCLF_BAD_LABEL = 10,   /* a label is no class, or a neighbour is not there */
    FASTCLF_BAD_WEIGHT = 11,  /* a weight is negative, NaN or infinite, or the votes of a row add up to infinity */
    FASTCLF_BAD_OPTION = 12,  /* a flag, parameter, margin, weight or target that does not go here */
    FASTCLF_NOT_FINITE = 13,  /* NaN or infinity among queries or rows */
    FASTCLF_BAD_ROW = 14      /* a row has no loss: NaN, infinity, or targets that are not as they have to be */
};

/* Metrics: sum |q - x|; sqrt(sum (q - x)^2); 1 - q.x / sqrt(q.q x.x), and 1 where a vector is zero; sum (q - x)^2;
 * largest |q - x|; and the inner product q.x, which is no distance: the largest is nearest, and given as it is.
 */
enum {
    FASTCLF_l1 = 0,
    FASTCLF_l2 = 1,
    FASTCLF_cosine = 2,
    FASTCLF_sqeuclidean = 3,
    FASTCLF_chebyshev = 4,
    FASTCLF_inner_product = 5
};

/* Elements: uint8_t, float, double, int8_t; and of two bytes IEEE's binary16 ("half"), and bfloat16: the upper half of
 * a float.
 */
enum { FASTCLF_u8 = 0, FASTCLF_f32 = 1, FASTCLF_f64 = 2, FASTCLF_i8 = 3, FASTCLF_f16 = 4, FASTCLF_bf16 = 5 };

/* Losses of a row's scores s; y is its label, t its targets (of a label: 1 there, 0 elsewhere), p the softmax of s.
 *
 *                         loss                             labels or targets      parameter; what else it takes
 *   mse                   sum (s - t)^2                    either                 0
 *   binary_cross_entropy_with_logits
 *                         sum of -w t log u - (1 - t) log (1 - u), u = 1 / (1 + exp(-s))
 *                                                          targets from 0 to 1    0; w: class_weights
 *   max_margin            sum max(0, parameter - s + t)    targets                margin
 *   softmax, log_softmax  none: p or log p is written to `gradient`
 *                                                          neither                0
 *   cross_entropy         -sum w t log p                   labels, or             smoothing, in [0, 1]: the part of t
 *                                                          probabilities          spread evenly; w: class_weights
 *   kl_div                sum t log (t / p)                probabilities          0
 *   softmax_mse           sum (p - t)^2                    either                 0
 *   hinge                 sum over i != y of max(0, s_i - s_y + margin)
 *                                                          labels                 margin; margins; flags
 *   crammer_singer        the largest of these terms       labels                 margin; margins; FASTCLF_SQUARED
 *
 * For those with a softmax, a score of -inf is a class that is not there.  Probabilities of a row sum to 1 within 1e-3.
 */
enum {
    FASTCLF_mse = 0,
    FASTCLF_binary_cross_entropy_with_logits = 1,
    FASTCLF_max_margin = 2,
    FASTCLF_softmax = 3,
    FASTCLF_log_softmax = 4,
    FASTCLF_cross_entropy = 5,
    FASTCLF_kl_div = 6,
    FASTCLF_softmax_mse = 7,
    FASTCLF_hinge = 8,
    FASTCLF_crammer_singer = 9
};

/* Flags of hinges: square each term; count the label's own term, too, which is its margin. */
enum { FASTCLF_SQUARED = 1, FASTCLF_OWN_TERM = 2 };

/* Flags of an index: it keeps no copy of the rows, which have to outlive it and not change. */
enum { FASTCLF_BORROW = 1 };

/* --- the build ---------------------------------------------------------------------------------------------------- */

/* What a status says, in words; "unknown error" for other numbers.  Texts here are constants. */
FASTCLF_EXPORT const char *fastclf_error_string(int status);

/* The version of fastclf; the instruction set in use. */
FASTCLF_EXPORT const char *fastclf_version(void);
FASTCLF_EXPORT const char *fastclf_isa(void);

/* The smallest of the CPUs this process may run on and OpenMP's limits. */
FASTCLF_EXPORT int fastclf_max_threads(void);

/* --- neighbours --------------------------------------------------------------------------------------------------- */

/* The k rows of X nearest to each row of Q, in the order of (exact distance, row number).
 *
 * Q, X       n_queries x n_features and n_rows x n_features, n_rows < 2^32, of one dtype.
 * distances  n_queries x k: rounded once, to nearest; or inner products, the largest first.
 * indices    as many, of rows of X.
 *
 * Scratch: 4 MiB a thread.  Every call looks at all of X twice, once for NaN and infinity: for many calls on the same
 * rows make an index.
 */
FASTCLF_EXPORT int fastclf_knn(int metric, int dtype, const void *Q, int64_t n_queries, const void *X, int64_t n_rows,
                               int64_t n_features, int64_t k, int n_threads, double *distances, int64_t *indices);

/* All distances, n_queries x n_rows: those of fastclf_knn. */
FASTCLF_EXPORT int fastclf_pairwise_distances(int metric, int dtype, const void *Q, int64_t n_queries, const void *X,
                                              int64_t n_rows, int64_t n_features, int n_threads, double *distances);

/* The classes that neighbours vote for.
 *
 * labels   classes, from 0 to n_classes - 1: of n_labels rows, of which `indices` (n_rows x k) are the neighbours; or,
 *          with indices NULL, of the neighbours themselves, n_labels = n_rows * k.
 * weights  n_rows x k, or NULL: one each.
 * votes    n_rows x n_classes: the sum for each class; or NULL.
 * winners  n_rows: the class with the most, the smallest among equals; or NULL.
 *
 * k >= 1, n_classes < 2^31.  Runs on the caller's thread.
 */
FASTCLF_EXPORT int fastclf_majority_vote(const int64_t *labels, int64_t n_labels, const int64_t *indices,
                                         int64_t n_rows, int64_t k, int64_t n_classes, const double *weights,
                                         double *votes, int64_t *winners);

/* Rows prepared for many searches. */
typedef struct fastclf_index fastclf_index;

/* Make an index of the rows of X; *index is NULL if that fails, else it is to be given to fastclf_index_free.
 *
 * flags  0: the index copies the rows (floats that are all integers from 0 to 255 as bytes); or FASTCLF_BORROW.
 *
 * It keeps a middle of the rows, whether they are bytes and, where a trial shows that it pays, a tree of them (few
 * features; about 1.3 bytes a value and 4 a row).  The short sketches by which fastclf.KNN searches rows of many
 * features are learned in Python: it has none of these.
 */
FASTCLF_EXPORT int fastclf_index_create(int metric, int dtype, const void *X, int64_t n_rows, int64_t n_features,
                                        int flags, int n_threads, fastclf_index **index);

/* As fastclf_knn of the index's rows; the queries' dtype may be another one than the rows'. */
FASTCLF_EXPORT int fastclf_index_search(const fastclf_index *index, int dtype, const void *Q, int64_t n_queries,
                                        int64_t k, int n_threads, double *distances, int64_t *indices);

/* No search may be going on; NULL is nothing. */
FASTCLF_EXPORT void fastclf_index_free(fastclf_index *index);

/* --- losses ------------------------------------------------------------------------------------------------------- */

/* Losses, and their gradients with respect to the scores.
 *
 * dtype          FASTCLF_f32 or FASTCLF_f64: of scores, targets and gradient, all n_rows x n_classes.
 * labels         a class for each row, or -1: the row is left out, its scores are not looked at; or NULL.
 * targets        instead of labels; or NULL.
 * row_weights    n_rows, or NULL: 1.
 * class_weights  n_classes, or NULL: 1; for losses that take them.
 * margins        n_classes x n_classes: of the hinges, instead of the parameter, one for each true class (row) and
 *                each other (column); or NULL.
 * scale          a further factor of the gradient, such as 1 / n_rows.
 * losses         n_rows: each times its weight; or NULL.
 * gradient       times weight and scale; may be the scores themselves; or NULL.
 * bad_row        or NULL: which row has no loss, -1 if all have one.  A row has none if it holds NaN, +inf (or -inf,
 *                where that is no class that is not there), or targets that are not as they have to be.
 *
 * Scratch, a thread: 40 bytes for each class, and 100 KiB.
 */
FASTCLF_EXPORT int fastclf_loss(int loss, int dtype, const void *scores, int64_t n_rows, int64_t n_classes,
                                const int64_t *labels, const void *targets, const double *row_weights,
                                const double *class_weights, const double *margins, double parameter, int flags,
                                double scale, int n_threads, double *losses, void *gradient, int64_t *bad_row);

/* --- linear models ------------------------------------------------------------------------------------------------ */

/* Scores X W' + b.
 *
 * x_dtype   of X, n_rows x n_features.
 * dtype     FASTCLF_f32 or FASTCLF_f64, at least as wide: of W (n_classes x n_features), b (n_classes, or NULL) and
 *           scores (n_rows x n_classes).
 *
 * Values are not looked at: scores of NaN are NaN.
 */
FASTCLF_EXPORT int fastclf_linear_scores(int x_dtype, const void *X, int64_t n_rows, int64_t n_features, int dtype,
                                         const void *W, const void *b, int64_t n_classes, int n_threads, void *scores);

/* The sum of all rows' losses of these scores, which are never held together, and its gradients; X is read once.
 *
 * loss ... scale  as in fastclf_loss, but softmax and log_softmax; targets are of `dtype`.
 * total           the sum;  of_W: n_classes x n_features, of_b: n_classes, times scale, summed in float64.
 */
FASTCLF_EXPORT int fastclf_linear_loss(int x_dtype, const void *X, int64_t n_rows, int64_t n_features, int dtype,
                                       const void *W, const void *b, int64_t n_classes, int loss, const int64_t *labels,
                                       const void *targets, const double *row_weights, const double *class_weights,
                                       const double *margins, double parameter, int flags, double scale, int n_threads,
                                       double *total, double *of_W, double *of_b);

/* --- the table of all functions, for programs that do not link ---------------------------------------------------- */

/* In the order of the table: appended to, never changed. */
#define FASTCLF_FUNCTIONS(X) \
    X(error_string) \
    X(version) \
    X(isa) \
    X(max_threads) \
    X(knn) \
    X(pairwise_distances) \
    X(majority_vote) \
    X(index_create) \
    X(index_search) \
    X(index_free) \
    X(loss) \
    X(linear_scores) \
    X(linear_loss)

/* `size` is that of the build's table: what lies beyond it is not there. */
#define FASTCLF_MEMBER(name) __typeof__(fastclf_##name) *name;
typedef struct fastclf_api {
    uint32_t api_version, size;
    FASTCLF_FUNCTIONS(FASTCLF_MEMBER)
} fastclf_api;
#undef FASTCLF_MEMBER

#ifdef Py_PYTHON_H
/* The table of the installed fastclf; NULL with an exception set where there is none, or one that lacks functions of
 * this header.  Needs the GIL.
 */
static inline const fastclf_api *fastclf_import(void) {
    const fastclf_api *api = (const fastclf_api *)PyCapsule_Import("fastclf._C_API", 0);
    if (api && (api->api_version != FASTCLF_API_VERSION || api->size < sizeof *api)) {
        PyErr_Format(PyExc_ImportError,
                     "compiled for fastclf's C interface %d of %d bytes, but fastclf %s has %d of %d bytes",
                     (int)FASTCLF_API_VERSION, (int)sizeof *api, api->version(), (int)api->api_version, (int)api->size);
        return NULL;
    }
    return api;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
