/* points.h -- rows as points of a tree: less a centre, or of unit length, and scaled; how far off they may be. */
#ifndef FASTCLF_POINTS_H
#define FASTCLF_POINTS_H

#include <math.h>

#include "metric.h"

/* Scaled points of the rows have no coordinate beyond MOST; further ones (of queries) are refused from FAR on, so that
 * squares of differences, summed over any number of features, stay within float.
 */
#define FC_POINT_MOST 0x1p30
#define FC_POINT_FAR 0x1p40

typedef struct {
    const fc_metric_row *metric;
    const float *centre; /* or NULL; unused by metrics that have no shift */
    double scale;        /* a power of two */
} fc_space;

/* How differences of coordinates make a length. */
static inline fc_gap_kind fc_gaps_of(const fc_metric_row *metric) {
    return metric->tile == FC_TILE_dot ? FC_GAP_squares : FC_GAP_values;
}

/* The length of a vector that has this sum of squares, or of absolute values; and that sum of a length. */
static inline double fc_length_of_gaps(fc_gap_kind kind, double sum) {
    return kind == FC_GAP_squares ? sqrt(sum) : sum;
}
static inline double fc_gaps_of_length(fc_gap_kind kind, double v) { return kind == FC_GAP_squares ? v * v : v; }

/* Add a coordinate's part to such a sum. */
static inline double fc_add_gap(fc_gap_kind kind, double sum, double gap) {
    return sum + (kind == FC_GAP_squares ? gap * gap : fabs(gap));
}

/* The distance of a limit as a length in the space, rounded up. */
static inline double fc_length_in(const fc_space *space, double limit) {
    return space->metric->length(limit) * space->scale * (1 + 0x1p-40);
}

/* The largest coordinate of a row without a scale; of rows at unit length 1. */
double fc_point_extent(const fc_space *space, const fc_matrix *M, size_t row);

/* About what brings a row to unit length. */
double fc_point_weight(const fc_matrix *M, size_t row);

/* Write M.cols coordinates; how far, as a length, the exact point may be from them: infinite where that is not known,
 * as of zeros at unit length.  These are at 0, nearer to all others than their distance says.
 */
double fc_point(const fc_space *space, const fc_matrix *M, size_t row, double *point);

#endif
