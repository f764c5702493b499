#include "neighbors/product_stage.h"

#include <math.h>

static const double FLOAT_ROUNDING = 0x1p-24;

static double stretch_of(const fc_stage_filter *f) { return 1 + f->stage->gram_excess; }

/* The last term covers the roundings here, and that of a threshold that is a rounded product. */
double fc_product_limit(const fc_stage_filter *f, double threshold, double along) {
    return stretch_of(f) * (threshold + along + 0x1p-48 * (fabs(threshold) + fabs(along)));
}

/* A pair survives where, in steps of the row and of the query, and with `limit` a bound on -(1 + h) q y,
 *
 *     2 Q X + 2 limit + 2 (|Q| + e) f + 2 e |X|  >=  0.
 *
 * Pruning has no place for two terms of errors.  With t the stage's Young weight, about a typical e / (|Q| + e), and
 * R no less than |Q| + e and e / t, both together are at most 2 R (f + t |X|).  R is at least 1, so that what is taken
 * from A for underflow counts.
 */
void fc_product_query_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t query, double limit, float *B, float *T,
                            float *R) {
    const fc_sketch_terms *t = &f->stage->Q.terms[query];
    const double step = (double)t->step, residual = stretch_of(f) * (double)t->residual / step;
    const double error = stretch_of(f) * (double)t->error / step;
    const double own = sqrt((double)t->squares + residual * residual);
    const double rows_error = fmax(fmax(own + error, error / f->stage->young_weight), 1);
    const double within = 2 * limit / (f->unit * step), high = within + 32 * FLOAT_ROUNDING * fabs(within);
    const int bounds = aim == FC_MAY_BE_NEAR;
    const int is_tame = !bounds || (residual <= 0x1p50 && rows_error <= 0x1p50);
    *B = bounds ? (float)(2 * residual) : 0;
    *R = bounds ? (float)rows_error : 1;
    *T = is_tame && fabs(high) < (double)FC_SKETCH_MOST ? (float)high : INFINITY;
}

/* The squared length of the numbers that a row of a sketch's codes stands for, with all levels before. */
static double squares_of(const fc_stage *stage, int of_query, size_t i) {
    double squares = 0;
    for (;; stage--) {
        const fc_sketch_terms *t = &(of_query ? stage->Q : stage->X).terms[i];
        squares += (double)t->step * (double)t->step * t->squares;
        if (!stage->adds) return squares;
    }
}

/* The factor covers more than the roundings here.  The answer is also false where an error is infinite or NaN. */
int fc_product_is_far(const fc_stage_filter *f, double codes_differ, size_t query, size_t row, double limit) {
    const fc_sketch_terms *q = &f->stage->Q.terms[query], *x = &f->stage->X.terms[row];
    const double q_residual = stretch_of(f) * (double)q->residual, x_residual = (double)x->residual;
    const double q_error = stretch_of(f) * (double)q->error, x_error = (double)x->error;
    const double of_q = sqrt(squares_of(f->stage, 1, query) + q_residual * q_residual),
                 of_x = sqrt(squares_of(f->stage, 0, row) + x_residual * x_residual);
    const double error = (of_q + q_error) * x_error + q_error * of_x;
    return codes_differ - q_residual * x_residual - error - 0x1p-39 * (of_q * of_x + error) > limit;
}
