/* stage.h -- what sketches prove about distances (docs/exactness.md).  It is a filter like filter.h's, but its vectors
 * are the sketches' codes, and it gives lower bounds only.
 */
#ifndef FASTCLF_STAGE_H
#define FASTCLF_STAGE_H

#include "neighbors/refine.h"

typedef struct {
    const fc_stage *stage;
    const fc_metric_row *metric;
    const fc_kernels *kernels;
    int scale, from_q, from_x; /* of the first stage's accumulators, as fc_tile has them */
    double unit;               /* a power of two, near the stage's */
    int squares;               /* differences of sketches are squares, not absolute values */
    int is_product;            /* there is no difference: inner products are bounded */
    double stretch;            /* sketches are at most `stretch` times as far apart as rows, errors aside */
} fc_stage_filter;

/* `few`: how accumulators are made instead of by a tile; or NULL. */
fc_stage_filter fc_stage_filter_for(const fc_pairs *pairs, const fc_stage *stage, const fc_few *few);

/* What pruning keeps.  FC_MAY_BE_NEAR: rows whose distance may be within a limit, of fc_stage_limit.  FC_LOOKS_NEAR, to
 * see which rows are likely near: rows whose sketches are within a limit, an fc_stage_length, whatever their errors.
 */
typedef enum { FC_MAY_BE_NEAR, FC_LOOKS_NEAR } fc_stage_aim;

/* The pruning terms of `count` rows from `row` on, and of one query at place i of the arrays; see fc_pruning. */
void fc_stage_row_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t row, size_t count, float *A, float *E,
                        float *F, int32_t *Ix);
void fc_stage_query_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t query, double limit, size_t i, float *B,
                          float *T, float *R, int32_t *Iq);

/* How the codes of a pair differ: a sum of squares or, for L1, of absolute values; of products, minus the product of
 * their numbers.  The first takes it from an accumulator, the second from the codes.  Of a stage that adds, by how much
 * they differ more.
 */
double fc_stage_codes_differ_acc(const fc_stage_filter *f, int32_t acc, size_t query, size_t row);
double fc_stage_codes_differ(const fc_stage_filter *f, size_t query, size_t row);

/* The length of that difference together with the residuals' difference; of products the codes' difference alone, as
 * residuals bound a product and do not tell it.
 */
double fc_stage_length(const fc_stage_filter *f, double codes_differ, size_t query, size_t row);

/* A threshold as a length, stretched so that it bounds the lengths of sketches.  Of products, whose rows are sketched
 * less a centre: as a bound on minus the product with such a row.  `along` is the query's product with the centre.
 */
double fc_stage_limit(const fc_stage_filter *f, double threshold, double along);

/* Whether a pair is proven farther than a limit. */
int fc_stage_is_far(const fc_stage_filter *f, double codes_differ, size_t query, size_t row, double limit);

#endif
