/* wide.h -- exact arithmetic on sums of products of float64, whatever their range.  It is slow: for undecided cases. */
#ifndef FASTCLF_WIDE_H
#define FASTCLF_WIDE_H

#include <stddef.h>
#include <stdint.h>

#include "core/twofold.h"

/* A sum in fixed point: limb i counts 2^(32 i - FC_WIDE_POINT).  Products of float64 are multiples of 2^-2148 below
 * 2^2048; the limbs hold the sum of 2^70 of them.
 */
enum { FC_WIDE_POINT = 68 * 32, FC_WIDE_LIMBS = 136 };

typedef struct {
    int64_t limb[FC_WIDE_LIMBS];
    uint32_t added; /* since carries were brought upwards */
    int not_finite; /* whether a factor was not */
} fc_wide;

/* Add a * b. */
void fc_wide_add(fc_wide *sum, double a, double b);

/* sign * sum of limb[i] * 2^(32 (i + place)); 0 has sign 0.  It has space for a sum times the square of another. */
enum { FC_BIG_LIMBS = 3 * FC_WIDE_LIMBS };

typedef struct {
    int sign, place, size;
    uint32_t limb[FC_BIG_LIMBS];
} fc_big;

fc_big fc_big_of(fc_wide *sum);
fc_big fc_big_product(const fc_big *a, const fc_big *b);

/* |a| - |b|, of |a| >= |b|. */
fc_big fc_big_difference(const fc_big *a, const fc_big *b);

/* The order of |a| and |b|: -1, 0 or 1. */
int fc_big_compare(const fc_big *a, const fc_big *b);

/* |a| and its square root, rounded once. */
double fc_big_rounded(const fc_big *a);
double fc_big_root(const fc_big *a);

/* |a| / 2^*exponent, between 1 and 2^32, to a part of 2^-104; of a number that is not 0. */
fc_twofold fc_big_leading(const fc_big *a, int *exponent);

#endif
