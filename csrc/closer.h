/* closer.h -- what sums of twice float64's precision leave open, by sums of the same precision of something nearer to
 * the question: of scaled values, of the terms by which two distances differ, of what a row lacks to be a multiple of
 * another (docs/exactness.md).  Few pairs are left to exact.c.
 */
#ifndef FASTCLF_CLOSER_H
#define FASTCLF_CLOSER_H

#include "exact.h"

/* A distance that is made of differences, where values are near the ends of the range; false if it stays open. */
int fc_closer_distance(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row x, double *distance);

/* One that is made of products, from sums of the vectors' squares and products that need not be within the range. */
fc_distance fc_closer_angle(const fc_kernels *kernels, fc_row q, fc_sum qq, fc_row x, fc_sum xx, fc_sum qx);

/* Which of two rows is nearer, by differences: -1 for a, 1 for b, 0 for neither, 2 if it stays open. */
int fc_closer_order(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row a, fc_row b);

#endif
