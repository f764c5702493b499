/* scaled.h -- rows as float64 times a power of two, so that squares of values near the ends of the range stay in it. */
#ifndef FASTCLF_SCALED_H
#define FASTCLF_SCALED_H

#include "neighbors/exact.h"

/* Features of a row that are taken at a time, at most: a multiple of FC_LANES. */
enum { FC_SCALED_PART = 512 };

/* A vector times 2^-exponent. */
typedef struct {
    fc_row of;
    int exponent;
} fc_scaled;

/* The exponent of about the largest value; scaling by it either way multiplies by normal numbers. */
int fc_scaled_exponent(fc_row v);

/* `count` features from `from` on, and zeros up to a multiple of FC_LANES; whether scaling took bits from a value. */
int fc_scaled_take(fc_scaled v, size_t from, size_t count, double *out);

#endif
