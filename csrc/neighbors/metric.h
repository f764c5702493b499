/* metric.h -- the rows of FC_METRICS with their functions; filter.c has those for each survivor. */
#ifndef FASTCLF_METRIC_H
#define FASTCLF_METRIC_H

#include "neighbors/kernels.h"

typedef struct {
    const char *name;
    fc_tile_kind tile;
    fc_pair_kind pair;
    fc_form form;
    fc_norm norm;
    int degree, centred, sketches, tree;
    double (*length)(double distance);
    double (*row_part)(const fc_sums *x, double g);
    double (*row_factor)(const fc_sums *x);
    double (*query_factor)(const fc_sums *q, double threshold, double g);
    double (*query_part)(const fc_sums *q, double threshold, double g);
    double (*distance)(double s, double qq, double xx);
} fc_metric_row;

extern const fc_metric_row fc_metrics[FC_METRIC_COUNT];

#endif
