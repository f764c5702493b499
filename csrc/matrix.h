/* matrix.h -- rows of any dtype, handed out in the dtype that a call computes in. */
#ifndef FASTCLF_MATRIX_H
#define FASTCLF_MATRIX_H

#include "fastclf.h"

static inline size_t fc_dtype_size(fc_dtype dtype) {
#define FC_SIZE(name, type, format) sizeof(type),
    static const size_t sizes[] = {FC_DTYPES(FC_SIZE)};
#undef FC_SIZE
    return sizes[dtype];
}

/* Value i of an array of float or double. */
static inline double fc_value_at(const void *values, size_t i, fc_dtype dtype) {
    return dtype == FC_f64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

/* The narrowest dtype to compute in: it holds both matrices' values (which are known to be bytes, if so said), and its
 * tile the sums over their features.
 */
fc_dtype fc_common_dtype(const fc_matrix *a, const fc_matrix *b, int bytes);

/* `count` values of one dtype in another: `room`. */
const void *fc_converted(const void *values, fc_dtype from, size_t count, fc_dtype to, void *room);

/* Features [from, from + count) of a row as `dtype`: the row itself where it is of that dtype, else converted in
 * `room`. */
static inline const void *fc_row_part(const fc_matrix *X, size_t row, size_t from, size_t count, fc_dtype dtype,
                                      void *room) {
    const void *x = (const char *)X->data + (row * X->cols + from) * fc_dtype_size(X->dtype);
    return X->dtype == dtype ? x : fc_converted(x, X->dtype, count, dtype, room);
}

#endif
