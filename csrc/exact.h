/* exact.h -- distances of rows by exact arithmetic, rounded once, and their order before rounding.  Any finite values;
 * with others a distance is NaN, and the order of rows that of their numbers.
 */
#ifndef FASTCLF_EXACT_H
#define FASTCLF_EXACT_H

#include "kernels.h"

typedef struct {
    const fc_matrix *matrix;
    size_t row;
} fc_row;

/* The distance that is made of sums of a kind. */
double fc_exact_distance(fc_pair_kind kind, fc_row q, fc_row x);

/* Which of a and b is nearer to q: -1 for a, 1 for b, 0 for neither. */
int fc_exact_order(fc_pair_kind kind, fc_row q, fc_row a, fc_row b);

/* 1 - s / sqrt(qq * xx), rounded once. */
double fc_exact_angle(double s, double qq, double xx);

#endif
