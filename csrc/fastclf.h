/* fastclf.h -- the C interface: exact nearest neighbours, distances and votes.
 *
 * Matrices are row-major and contiguous; elements are aligned to their own size.  Every function checks the sizes it is
 * given, writes nothing outside its outputs, keeps no pointer, and may be called from several threads at once.
 */
#ifndef FASTCLF_H
#define FASTCLF_H

#include <stddef.h>
#include <stdint.h>

#include "lists.h"

#define FC_ENUM(name, ...) FC_##name,
typedef enum { FC_METRICS(FC_ENUM) FC_METRIC_COUNT } fc_metric;
typedef enum { FC_DTYPES(FC_ENUM) FC_DTYPE_COUNT } fc_dtype;
#undef FC_ENUM

typedef enum {
    FC_OK = 0,
    FC_NO_MEMORY,    /* a scratch buffer could not be had; outputs are unspecified */
    FC_INTERRUPTED,  /* `poll` asked to stop; outputs are unspecified */
    FC_BAD_ARGUMENT, /* sizes, metric or dtypes that do not go together; nothing was written */
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
char fc_dtype_format(fc_dtype dtype); /* as Python's struct module has it */

/* The k rows of X nearest to each row of Q: the k smallest (distance, row) in that order.
 *
 * distance, index  Q.rows x k.
 * centre           X.cols finite values near the middle of X, or NULL: subtracted by the filter to keep its rounding
 *                  small; the answer is the same for any.
 * skip_self        leave out row i of X for query i (Q is then X).
 * bytes            both matrices are known to hold only integers from 0 to 255 (fc_fits_u8), whatever their dtype:
 *                  search them as such.
 *
 * Q and X may differ in dtype: the narrower is widened a block of rows at a time.  Values must be finite, rows of X
 * fewer than 2^32.  Scratch memory stays below 4 MiB a thread, and 24 bytes for each of k beyond 50 000, and 1 MiB for
 * the call.
 */
fc_status fc_knn(fc_metric metric, fc_matrix Q, fc_matrix X, size_t k, const float *centre, int skip_self, int bytes,
                 fc_run run, double *distance, int64_t *index);

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
 */
fc_status fc_vote(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k, size_t n_classes,
                  const double *weights, double *votes, int64_t *winner);

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

#endif
