/* api.h -- what the functions of fastclf_api.h share: arguments are checked, and become those of fastclf.h.  Functions
 * that return int return FASTCLF_OK or what is wrong.
 */
#ifndef FASTCLF_API_CHECKS_H
#define FASTCLF_API_CHECKS_H

#ifdef FASTCLF_SHARED /* a library of these functions; in Python's module they are reached by the table alone */
#define FASTCLF_EXPORT __attribute__((visibility("default")))
#endif

#include "fastclf.h"
#include "fastclf_api.h"

extern const fastclf_api fc_api_table;

/* The name of function number i of the table, and its address; NULL after the last. */
const char *fc_api_name(size_t i);
const void *fc_api_address(size_t i);

#define FC_TRY(call) \
    do { \
        const int wrong = (call); \
        if (wrong) return wrong; \
    } while (0)

int fc_api_status(fc_status status);
int fc_api_metric(int metric, fc_metric *found);
int fc_api_loss(int loss, fc_loss *found);

/* One of any dtype, or of floats only. */
int fc_api_dtype(int dtype, fc_dtype *found);
int fc_api_float(int dtype, fc_dtype *found);

/* Check that `data` is there and aligned, for rows x cols elements of `size` bytes, and that cols is at least 1. */
int fc_api_array(const void *data, int64_t rows, int64_t cols, size_t size);

/* The same, where NULL stands for none. */
int fc_api_optional(const void *data, int64_t rows, int64_t cols, size_t size);

int fc_api_matrix(int dtype, const void *data, int64_t rows, int64_t cols, fc_matrix *found);

/* A matrix of rows to search: they are numbered by 32 bits. */
int fc_api_rows(int dtype, const void *data, int64_t rows, int64_t cols, fc_matrix *found);

/* With 0 threads: as many as there may be. */
int fc_api_run(int n_threads, fc_run *run);

int fc_api_finite(fc_matrix matrix, fc_run run);

/* Finite and not negative; NULL: no weights. */
int fc_api_weights(const double *weights, size_t n);

/* Check the outputs for the k nearest of n_rows rows. */
int fc_api_neighbors(int64_t n_queries, int64_t k, size_t n_rows, const double *distances, const int64_t *indices);

/* The middle of a sample of at most `most` rows, to be freed; NULL where a search has no use for it. */
int fc_api_centre(fc_metric metric, fc_matrix X, size_t most, float **centre);

#endif
