/* matrix.h -- rows of any dtype, handed out in the dtype that a call computes in. */
#ifndef FASTCLF_MATRIX_H
#define FASTCLF_MATRIX_H

#include <math.h>

#include "core/numbers.h"
#include "core/shapes.h"
#include "fastclf.h"

static inline size_t fc_dtype_size(fc_dtype dtype) {
#define FC_SIZE(name, type, format) sizeof(type),
    static const size_t sizes[] = {FC_DTYPES(FC_SIZE)};
#undef FC_SIZE
    return sizes[dtype];
}

static inline size_t fc_arithmetic_size(fc_arithmetic in) {
#define FC_SIZE(name, type) sizeof(type),
    static const size_t sizes[] = {FC_ARITHMETICS(FC_SIZE)};
#undef FC_SIZE
    return sizes[in];
}

/* Value i of an array of a dtype. */
static inline double fc_value_at(const void *values, size_t i, fc_dtype dtype) {
    switch (dtype) {
#define FC_CASE(name, type, format) \
    case FC_##name: \
        return (double)fc_number_##name(((const type *)values)[i]);
        FC_DTYPES(FC_CASE)
#undef FC_CASE
    case FC_DTYPE_COUNT:
        break;
    }
    return (double)NAN;
}

/* Pruning terms are float or double. */
static inline void fc_put_term(void *values, size_t i, fc_arithmetic in, double v) {
    switch (in) {
    case FC_IN_u8:
    case FC_IN_f32:
        ((float *)values)[i] = (float)v;
        break;
    case FC_IN_f64:
        ((double *)values)[i] = v;
        break;
    case FC_ARITHMETIC_COUNT:
        break;
    }
}

static inline double fc_term(const void *values, size_t i, fc_arithmetic in) {
    switch (in) {
    case FC_IN_u8:
    case FC_IN_f32:
        return (double)((const float *)values)[i];
    case FC_IN_f64:
        return ((const double *)values)[i];
    case FC_ARITHMETIC_COUNT:
        break;
    }
    return (double)NAN;
}

/* What a tile accumulates: the sum of bytes is an integer. */
static inline double fc_accumulated(const void *values, size_t i, fc_arithmetic in) {
    switch (in) {
    case FC_IN_u8:
        return ((const int32_t *)values)[i];
    case FC_IN_f32:
        return (double)((const float *)values)[i];
    case FC_IN_f64:
        return ((const double *)values)[i];
    case FC_ARITHMETIC_COUNT:
        break;
    }
    return (double)NAN;
}

/* Whether values are stored as they are computed in. */
static inline int fc_is_stored(fc_dtype dtype, fc_arithmetic in) { return dtype == fc_dtype_of(in); }

/* Whether losses and models compute in it. */
static inline int fc_is_float(fc_arithmetic in) {
    switch (in) {
    case FC_IN_f32:
    case FC_IN_f64:
        return 1;
    case FC_IN_u8:
    case FC_ARITHMETIC_COUNT:
        break;
    }
    return 0;
}

/* The narrowest arithmetic that holds both matrices' values, and whose tile holds the sums over their features.  With
 * `bytes`, the values are known to be bytes.  Two matrices of i8 are computed with as bytes, too: FC_MOVED is added to
 * all of their values.  That leaves differences as they are, and products are made up for it.
 */
enum { FC_MOVED = 128 };
fc_arithmetic fc_common_arithmetic(const fc_matrix *a, const fc_matrix *b, int bytes);

/* Convert `count` values that are not stored as they are computed in (core/kernels.h); returns `buffer`. */
const void *fc_converted(const void *values, fc_dtype from, size_t count, fc_arithmetic to, void *buffer);

/* Features [from, from + count) of a row in an arithmetic: the row itself where it is stored so, else converted in
 * `buffer`. */
static inline const void *fc_row_part(const fc_matrix *X, size_t row, size_t from, size_t count, fc_arithmetic in,
                                      void *buffer) {
    const void *x = (const char *)X->data + (row * X->cols + from) * fc_dtype_size(X->dtype);
    return fc_is_stored(X->dtype, in) ? x : fc_converted(x, X->dtype, count, in, buffer);
}

#endif
