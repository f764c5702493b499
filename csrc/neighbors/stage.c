#include "neighbors/stage.h"

#include <math.h>

#include "neighbors/product_stage.h"

#define FLOAT_ROUNDING 0x1p-24

/* A code is 128 more than the number of steps that it stands for. */
enum { CODE_ZERO = 128 };

/* A power of two near the stage's unit; its inverse is a float, too. */
static double unit_for(const fc_stage *stage) {
    int exponent = 0;
    frexp(stage->unit, &exponent);
    return ldexp(1, exponent < -120 ? -120 : exponent > 120 ? 120 : exponent);
}

fc_stage_filter fc_stage_filter_for(const fc_pairs *p, const fc_stage *stage, const fc_few *few) {
    const fc_tile *tile = &p->kernels->tile[p->metric->tile][FC_IN_u8];
    return (fc_stage_filter){.stage = stage,
                             .metric = p->metric,
                             .kernels = p->kernels,
                             .scale = few ? 2 : tile->scale,
                             .from_q = few ? 0 : tile->from_q,
                             .from_x = few ? few->from_x : tile->from_x,
                             .unit = unit_for(stage),
                             .squares = p->metric->norm == FC_NORM_L2,
                             .is_product = p->metric->form == FC_FORM_minus,
                             .stretch = (1 + stage->gram_excess) * (1 + 0x1p-40)};
}

/* The sum of a sketch's codes as stored. */
static int32_t sum_of_codes(const fc_stage_filter *f, const fc_sketch_terms *t) {
    return t->sum + CODE_ZERO * (int32_t)f->stage->X.codes.cols;
}

/* What is added to an accumulator to make it the product of the numbers of steps or, for L1, the sum of the codes'
 * minima: row_factor times the sum of a row's codes, and query_shift.
 */
static int32_t row_factor(const fc_stage_filter *f) { return f->from_x - (f->squares ? CODE_ZERO : 0); }
static int32_t row_shift(const fc_stage_filter *f, const fc_sketch_terms *x) {
    return row_factor(f) * sum_of_codes(f, x);
}
static int32_t query_shift(const fc_stage_filter *f, const fc_sketch_terms *q) {
    const int zero = f->squares ? CODE_ZERO : 0;
    return (f->from_q - zero) * sum_of_codes(f, q) + (int32_t)f->stage->Q.codes.cols * zero * zero;
}

/* Let u be the stretched threshold plus the query's error, and e the row's error.  With squares, a pair survives where
 *
 *     |q|^2 + |x|^2 - 2 step(q) step(x) P + (difference of the residuals)^2
 *         <= (1 + young_weight) u^2 + (1 + 1 / young_weight) e^2
 *
 * The right side is at least (u + e)^2.  Both sides are divided by step(q) step(x).  For L1, a pair survives where
 * |q| + |x| - 2 P <= u + e,  in steps.  A margin is added to the one side and taken from the other; it is more than the
 * roundings of pruning.
 */
void fc_stage_row_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t row, size_t count, float *A, float *E,
                        float *F, int32_t *Ix) {
    const fc_sketch_units units = {
        .unit = (float)f->unit,
        .by_unit = (float)(1 / f->unit),
        .error = (float)(f->is_product ? f->stage->young_weight : sqrt(1 + 1 / f->stage->young_weight)),
        .squares = f->squares,
        .is_product = f->is_product,
        .has_error = aim == FC_MAY_BE_NEAR,
        .zeros = CODE_ZERO * (int32_t)f->stage->X.codes.cols,
        .shift = row_factor(f)};
    f->kernels->sketch_terms(f->stage->X.terms + row, count, &units, A, E, F, Ix);
}

/* A query in the stage's unit (for L1, in steps): its part in the difference, its error, its residual, and the inverse
 * of its step.
 */
typedef struct {
    double own, error, residual, by_step;
} side;

static side side_of(const fc_stage_filter *f, fc_stage_aim aim, const fc_sketch_terms *t) {
    const double unit = f->squares ? f->unit : (double)t->step, step = (double)t->step / unit;
    const double own = f->squares ? step * step * t->squares : (double)sum_of_codes(f, t);
    const double error = aim == FC_MAY_BE_NEAR ? (double)t->error / unit : 0;
    return (side){own, error, (double)t->residual / unit, 1 / step};
}

/* Whether no product of the pruning terms can overflow; isa/neighbors/few.inc.h asks the same of rows. */
static int is_tame(const side *v) {
    return v->by_step >= 0x1p-30 && v->by_step <= 0x1p30 && v->residual * v->by_step <= 0x1p50;
}

void fc_stage_query_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t query, double limit, size_t i, float *B,
                          float *T, float *R, int32_t *Iq) {
    const fc_sketch_terms *t = &f->stage->Q.terms[query];
    Iq[i] = query_shift(f, t);
    if (f->is_product) {
        fc_product_query_terms(f, aim, query, limit, B + i, T + i, R + i);
        return;
    }
    const side q = side_of(f, aim, t);
    const double unit = f->squares ? f->unit : (double)t->step,
                 young_weight = aim == FC_MAY_BE_NEAR ? f->stage->young_weight : 0;
    const double u = limit / unit + q.error;
    const double most = q.own + q.residual * q.residual,
                 rest = f->squares ? (1 + young_weight) * u * u - most : u - q.own;
    const double high = rest + 16 * FLOAT_ROUNDING * (most + fabs(rest));
    B[i] = (float)(2 * q.residual * q.by_step);
    T[i] = is_tame(&q) && fabs(high * q.by_step) < FC_SKETCH_MOST ? (float)(high * q.by_step) : INFINITY;
    R[i] = (float)q.by_step;
}

/* How codes differ.  P2 is twice the product of the numbers of steps or, for L1, twice the sum of the codes' minima. */
static double differ(const fc_stage_filter *f, double P2, const fc_sketch_terms *q, const fc_sketch_terms *x) {
    if (!f->squares) return (double)x->step * ((double)sum_of_codes(f, q) + (double)sum_of_codes(f, x) - P2);
    const double q_step = (double)q->step, x_step = (double)x->step;
    if (f->is_product) return -0.5 * q_step * x_step * P2;
    const double own = q_step * q_step * q->squares + x_step * x_step * x->squares;
    return own - q_step * x_step * P2 - 0x1p-45 * own;
}

/* What |q + r - x|^2 is more than |q - x|^2: 2 q r + r^2 - 2 r x.  Here r is a finer sketch, whose `squares` stand for
 * the first two.
 */
static double differ_finer(double P2, const fc_sketch_terms *r, const fc_sketch_terms *x) {
    const double step = (double)r->step, own = step * step * r->squares, product = step * (double)x->step * P2;
    return own - product - 0x1p-45 * (fabs(own) + fabs(product));
}

double fc_stage_codes_differ_acc(const fc_stage_filter *f, int32_t acc, size_t query, size_t row) {
    const fc_sketch_terms *q = &f->stage->Q.terms[query], *x = &f->stage->X.terms[row];
    return differ(f, f->scale * ((double)acc + row_shift(f, x) + query_shift(f, q)), q, x);
}

double fc_stage_codes_differ(const fc_stage_filter *f, size_t query, size_t row) {
    const fc_matrix *Q = &f->stage->Q.codes, *X = &f->stage->X.codes;
    const fc_sketch_terms *q = &f->stage->Q.terms[query], *x = &f->stage->X.terms[row];
    double lanes[FC_LANES];
    lanes[0] = 0; /* where sums over bytes go */
    f->kernels->pair[f->squares ? FC_PAIR_product : FC_PAIR_absdiff][FC_IN_u8](
        lanes, (const char *)Q->data + query * Q->cols, (const char *)X->data + row * X->cols, X->cols);
    if (!f->squares) return (double)x->step * lanes[0];
    const double shift = (double)CODE_ZERO * ((double)q->sum + x->sum + (double)CODE_ZERO * (double)X->cols);
    const double P2 = 2 * (lanes[0] - shift);
    return f->stage->adds == FC_ADDS_FINER ? differ_finer(P2, q, x) : differ(f, P2, q, x);
}

/* The codes' difference with the square of the residuals' difference, which is 0 for L1. */
static double whole(const fc_stage_filter *f, double codes_differ, size_t query, size_t row) {
    const double residual = (double)f->stage->Q.terms[query].residual - (double)f->stage->X.terms[row].residual;
    return codes_differ + residual * residual;
}

double fc_stage_length(const fc_stage_filter *f, double codes_differ, size_t query, size_t row) {
    if (f->is_product) return codes_differ;
    const double d = fmax(whole(f, codes_differ, query, row), 0); /* 0 where it is NaN */
    return f->squares ? sqrt(d) : d;
}

double fc_stage_limit(const fc_stage_filter *f, double threshold, double along) {
    if (f->is_product) return fc_product_limit(f, threshold, along);
    return f->metric->length(threshold) * f->stretch;
}

/* The factor covers more than the roundings here.  The answer is also false where an error is infinite or NaN. */
int fc_stage_is_far(const fc_stage_filter *f, double codes_differ, size_t query, size_t row, double limit) {
    if (f->is_product) return fc_product_is_far(f, codes_differ, query, row, limit);
    const double reach = limit + (double)f->stage->Q.terms[query].error + (double)f->stage->X.terms[row].error;
    return whole(f, codes_differ, query, row) * (1 - 0x1p-39) > (f->squares ? reach * reach : reach);
}
