/* product_stage.h -- what sketches prove about inner products: parts of stage.c (docs/exactness.md).
 *
 * Let y be a row less a centre, v its numbers and r its residual; w and s those of the query q, from which no centre is
 * taken; and h the stage's Gram excess.  Then
 *
 *     (1 + h) q y  <=  w v + (1 + h) s r,
 *
 * the inner product of (w, (1 + h) s) and (v, r).  Sketches know vectors Q and X that are no farther from these than e
 * and f.  So that product is at most  Q X + (|Q| + e) f + e |X|.
 */
#ifndef FASTCLF_PRODUCT_STAGE_H
#define FASTCLF_PRODUCT_STAGE_H

#include "neighbors/stage.h"

/* One query's pruning terms. */
void fc_product_query_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t query, double limit, float *B, float *T,
                            float *R);

/* These do what fc_stage_limit and fc_stage_is_far do. */
double fc_product_limit(const fc_stage_filter *f, double threshold, double along);
int fc_product_is_far(const fc_stage_filter *f, double codes_differ, size_t query, size_t row, double limit);

#endif
