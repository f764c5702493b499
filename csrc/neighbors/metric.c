#include "neighbors/metric.h"

#include "neighbors/metrics.h"

// clang-format off
#define FC_METRIC_ENTRY(name_, ...) \
    {.name = #name_, __VA_ARGS__, .length = name_##_length, .row_part = name_##_row_part, \
     .row_factor = name_##_row_factor, .query_factor = name_##_query_factor, .query_part = name_##_query_part, \
     .distance = name_##_distance},
// clang-format on
const fc_metric_row fc_metrics[FC_METRIC_COUNT] = {FC_METRICS(FC_METRIC_ENTRY)};

static int is_metric(fc_metric metric) { return (unsigned)metric < FC_METRIC_COUNT; }

const char *fc_metric_name(fc_metric metric) { return is_metric(metric) ? fc_metrics[metric].name : ""; }

fc_status fc_metric_traits_of(fc_metric metric, fc_metric_traits *traits) {
#define FC_NORM_NAME(name) #name,
    static const char *const norms[FC_NORM_COUNT] = {FC_NORMS(FC_NORM_NAME)};
    if (!is_metric(metric)) return FC_BAD_ARGUMENT;
    const fc_metric_row *m = &fc_metrics[metric];
    *traits =
        (fc_metric_traits){norms[m->norm], m->degree, m->degree == 0, m->sketches, m->tree, m->form == FC_FORM_minus};
    return FC_OK;
}

double fc_metric_length(fc_metric metric, double distance) {
    return is_metric(metric) ? fc_metrics[metric].length(distance) : NAN;
}
