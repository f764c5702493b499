/* matrix.h -- rows of any dtype, handed out in the dtype that a call computes in. */
#ifndef FASTCLF_MATRIX_H
#define FASTCLF_MATRIX_H

#include "fastclf.h"

size_t fc_dtype_size(fc_dtype dtype);

/* Value i of an array of float or double. */
static inline double fc_value_at(const void *values, size_t i, fc_dtype dtype) {
    return dtype == FC_f64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

/* The narrowest dtype to compute in: it holds both matrices' values (which are known to be bytes, if so said), and its
 * tile the sums over their features.
 */
fc_dtype fc_common_dtype(const fc_matrix *a, const fc_matrix *b, int bytes);

/* Features [from, from + count) of a row as `dtype`: the row itself where it is of that dtype, else converted in
 * `room`. */
const void *fc_row_part(const fc_matrix *X, size_t row, size_t from, size_t count, fc_dtype dtype, void *room);

#endif
