/* exact.h -- distances of rows by exact arithmetic, rounded once, and their order before rounding.  Values may be any
 * finite ones.  With others, a distance is NaN, and rows are ordered by their numbers.
 */
#ifndef FASTCLF_EXACT_H
#define FASTCLF_EXACT_H

#include "neighbors/metric.h"

typedef struct {
    const fc_matrix *matrix;
    size_t row;
} fc_row;

double fc_exact_distance(const fc_metric_row *metric, fc_row q, fc_row x);

/* Which of a and b is nearer to q: -1 for a, 1 for b, 0 for neither. */
int fc_exact_order(const fc_metric_row *metric, fc_row q, fc_row a, fc_row b);

/* 1 - s / sqrt(qq * xx), rounded once. */
double fc_exact_angle(double s, double qq, double xx);

#endif
