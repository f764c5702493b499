#include "metric.h"

#include <math.h>

#define FC_DEFINE_METRIC(name, tile, refine, shift, degree, rank, error, undo, len, a, ex, b, t, dist) \
    static double length_##name(double r) { return len; } \
    static double A_##name(const fc_sums *x, double g) { return (void)x, (void)g, a; } \
    static double E_##name(const fc_sums *x) { return (void)x, ex; } \
    static double B_##name(const fc_sums *q, double limit, double g) { return (void)q, (void)limit, (void)g, b; } \
    static double T_##name(const fc_sums *q, double limit, double g) { return (void)q, (void)limit, (void)g, t; } \
    static double distance_##name(double s, double qq, double xx) { return (void)qq, (void)xx, dist; }
FC_METRICS(FC_DEFINE_METRIC)

// clang-format off
#define FC_METRIC_ENTRY(name_, tile_, refine_, shift_, degree_, ...) \
    {.name = #name_, .tile = FC_TILE_##tile_, .refine = FC_PAIR_##refine_, .shift = shift_, .degree = degree_, \
     .length = length_##name_, .A = A_##name_, .E = E_##name_, .B = B_##name_, .T = T_##name_, \
     .distance = distance_##name_},
// clang-format on
const fc_metric_row fc_metrics[FC_METRIC_COUNT] = {FC_METRICS(FC_METRIC_ENTRY)};

const char *fc_metric_name(fc_metric metric) {
    return (unsigned)metric < FC_METRIC_COUNT ? fc_metrics[metric].name : "";
}
