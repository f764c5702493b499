/* stage.h -- what sketches prove about distances (docs/exactness.md): a filter beside filter.h's, whose vectors are the
 * sketches' codes.  It gives lower bounds only.
 */
#ifndef FASTCLF_STAGE_H
#define FASTCLF_STAGE_H

#include "refine.h"

typedef struct {
    const fc_stage *stage;
    const fc_metric_row *metric;
    const fc_kernels *kernels;
    const fc_tile *tile;
    int squares;    /* differences of sketches are squares, not absolute values */
    double stretch; /* sketches are at most so many times as far apart as rows, errors aside */
} fc_stage_filter;

fc_stage_filter fc_stage_filter_for(const fc_pairs *pairs, const fc_stage *stage);

/* What the sieve is to keep: rows whose distance may be within a limit; or, to see which are likely near, rows whose
 * sketches are, as a length, whatever their errors.
 */
typedef enum { FC_MAY_BE_NEAR, FC_LOOKS_NEAR } fc_stage_aim;

/* The sieve's terms of one row or query at place i of their arrays; see fc_sieve. */
void fc_stage_row_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t row, size_t i, float *A, float *E, float *F,
                        int32_t *Ix);
void fc_stage_query_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t query, double limit, size_t i, float *B,
                          float *T, float *R, int32_t *Iq);

/* How the codes of a pair differ: a sum of squares or, for L1, of absolute values.  From accumulator `acc`, or from the
 * codes.
 */
double fc_stage_codes_differ_acc(const fc_stage_filter *f, int32_t acc, size_t query, size_t row);
double fc_stage_codes_differ(const fc_stage_filter *f, size_t query, size_t row);

/* The length of that, with what lies beyond the codes. */
double fc_stage_length(const fc_stage_filter *f, double codes_differ, size_t query, size_t row);

/* A limit as a length, stretched so that it bounds the lengths of sketches. */
static inline double fc_stage_stretched(const fc_stage_filter *f, double limit) {
    return f->metric->length(limit) * f->stretch;
}

/* Whether a pair's distance is beyond a limit of this length. */
int fc_stage_is_far(const fc_stage_filter *f, double codes_differ, size_t query, size_t row, double length);

#endif
