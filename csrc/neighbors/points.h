/* points.h -- rows as points of a tree, less a centre or at unit length, and scaled; how far off they may be. */
#ifndef FASTCLF_POINTS_H
#define FASTCLF_POINTS_H

#include <math.h>

#include "neighbors/metric.h"

/* Scaled points of the rows have no coordinate above FC_POINT_MOST.  Queries may, but from FC_POINT_FAR on they are
 * refused: so squares of differences, summed over any number of features, stay in float's range.
 */
#define FC_POINT_MOST 0x1p30
#define FC_POINT_FAR 0x1p40

typedef struct {
    const fc_metric_row *metric;
    const float *centre; /* or NULL; unused by metrics that are not centred */
    double scale;        /* a power of two */
} fc_space;

/* How differences of coordinates make a length. */
static inline fc_gap_kind fc_gaps_of(const fc_metric_row *metric) {
    return metric->norm == FC_NORM_L2 ? FC_GAP_squares : FC_GAP_values;
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

/* The distance of a threshold as a length in the space, rounded up. */
static inline double fc_length_in(const fc_space *space, double threshold) {
    return space->metric->length(threshold) * space->scale * (1 + 0x1p-40);
}

/* The largest coordinate of a row without a scale; of rows at unit length 1. */
double fc_point_extent(const fc_space *space, const fc_matrix *M, size_t row);

/* About what brings a row to unit length. */
double fc_point_weight(const fc_matrix *M, size_t row);

/* A point's length, and how far, as a length, the exact point may be from it: infinite where that is not known, as for
 * zeros at unit length.
 */
typedef struct {
    double length, error;
} fc_placed;

/* Write M.cols coordinates.  Zeros are put at 0, nearer to all other points than their distance says. */
fc_placed fc_point(const fc_space *space, const fc_matrix *M, size_t row, double *point);

#endif
