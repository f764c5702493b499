/* closer.h -- distances and orders that sums of twice float64's precision leave open.  Here other sums of the same
 * precision answer them: of scaled values, of the terms by which two distances differ, of what a row lacks to be a
 * multiple of another (docs/exactness.md).  They leave few pairs to exact.c.
 */
#ifndef FASTCLF_CLOSER_H
#define FASTCLF_CLOSER_H

#include "neighbors/exact.h"

/* The distance that a sum of differences makes; unknown where the sum is out of range. */
fc_distance fc_distance_of(const fc_kernels *kernels, const fc_metric_row *metric, fc_sum sum, double error);

/* A distance of differences, rounded, where values are near the ends of the range; false if it stays open. */
int fc_closer_distance(const fc_kernels *kernels, const fc_metric_row *metric, fc_row q, fc_row x, double *distance);

/* An inner product with its sign changed, rounded; false if it stays open. */
int fc_closer_product(const fc_kernels *kernels, fc_row q, fc_row x, double *distance);

/* An angle: from the sums of the vectors' squares and products, which need not be within range. */
fc_distance fc_closer_angle(const fc_kernels *kernels, fc_row q, fc_sum qq, fc_row x, fc_sum xx, fc_sum qx);

/* Which of two rows is nearer, by differences or inner products: -1 for a, 1 for b, 0 for neither, 2 if it stays open.
 */
int fc_closer_order(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row a, fc_row b);

#endif
