/* refine.h -- the reported distance of one pair of rows: the only arithmetic whose bytes a caller sees. */
#ifndef FASTCLF_REFINE_H
#define FASTCLF_REFINE_H

#include "metric.h"

typedef struct {
    const fc_metric_row *metric;
    const fc_kernels *kernels;
    fc_matrix Q, X;
    fc_dtype dtype; /* to compute in: fc_common_dtype */
} fc_pairs;

/* What refining needs to know of a query: its sum of squares where the metric uses it. */
double fc_query_squares(const fc_pairs *pairs, size_t query);

double fc_refine(const fc_pairs *pairs, size_t query, double query_squares, size_t row);

#endif
