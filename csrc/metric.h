/* metric.h -- the rows of FC_METRICS as functions; filter.c has those for each pair that passes. */
#ifndef FASTCLF_METRIC_H
#define FASTCLF_METRIC_H

#include "kernels.h"

typedef struct {
    const char *name;
    fc_tile_kind tile;
    fc_pair_kind refine;
    int shift, degree;
    double (*length)(double r);
    double (*A)(const fc_sums *x, double g);
    double (*E)(const fc_sums *x);
    double (*B)(const fc_sums *q, double limit, double g);
    double (*T)(const fc_sums *q, double limit, double g);
    double (*distance)(double s, double qq, double xx);
} fc_metric_row;

extern const fc_metric_row fc_metrics[FC_METRIC_COUNT];

#endif
