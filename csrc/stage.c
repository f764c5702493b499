#include "stage.h"

#include <math.h>

#define FLOAT_ROUNDING 0x1p-24

/* Codes are 128 more than the numbers of steps that they stand for. */
enum { CODE_ZERO = 128 };

fc_stage_filter fc_stage_filter_for(const fc_pairs *p, const fc_stage *stage) {
    return (fc_stage_filter){.stage = stage,
                             .metric = p->metric,
                             .kernels = p->kernels,
                             .tile = &p->kernels->tile[p->metric->tile][FC_u8],
                             .squares = p->metric->tile == FC_TILE_dot,
                             .stretch = (1 + stage->skew) * (1 + 0x1p-40)};
}

/* The sum of a sketch's codes as they are. */
static int32_t sum_of_codes(const fc_stage_filter *f, const fc_sketch_terms *t) {
    return t->sum + CODE_ZERO * (int32_t)f->stage->X.codes.cols;
}

/* What brings an accumulator to the product of the numbers of steps, or for L1 to the sum of codes' minima: this of the
 * row, and of the query.
 */
static int32_t row_shift(const fc_stage_filter *f, const fc_sketch_terms *x) {
    return (f->tile->from_x - (f->squares ? CODE_ZERO : 0)) * sum_of_codes(f, x);
}
static int32_t query_shift(const fc_stage_filter *f, const fc_sketch_terms *q) {
    const int zero = f->squares ? CODE_ZERO : 0;
    return (f->tile->from_q - zero) * sum_of_codes(f, q) + (int32_t)f->stage->Q.codes.cols * zero * zero;
}

/* A row or a query in the stage's unit: its part in the difference (of L1: in steps), its error, what lies beyond its
 * codes, and the inverse of its step.
 */
typedef struct {
    double own, error, beyond, by_step;
} side;

static side side_of(const fc_stage_filter *f, fc_stage_aim aim, const fc_sketch_terms *t) {
    const double unit = f->squares ? f->stage->unit : (double)t->step, step = (double)t->step / unit;
    const double own = f->squares ? step * step * t->squares : (double)sum_of_codes(f, t);
    const double error = aim == FC_MAY_BE_NEAR ? (double)t->error / unit : 0;
    return (side){own, error, (double)t->beyond / unit, 1 / step};
}

/* Whether no product of the sieve's terms can overflow: E and F of a row, B and R of a query; A and T below MOST in
 * absolute value.  What underflow takes is then less than FLOOR times an R.
 */
static int is_tame(const side *v) {
    return v->by_step >= 0x1p-30 && v->by_step <= 0x1p30 && v->beyond * v->by_step <= 0x1p50;
}
static const double MOST = 0x1p90, FLOOR = 0x1p-60;

/* Squares: a row passes where
 *
 *     |q|^2 + |x|^2 - 2 step(q) step(x) P + (beyond differ)^2 <= (1 + tilt) u^2 + (1 + 1 / tilt) e^2
 *
 * which is at least (u + e)^2, of u = stretched limit + the query's error, and e the row's; both sides are divided by
 * step(q) step(x).  L1: where  |q| + |x| - 2 P <= u + e,  in steps.  What is added to the one side and taken from the
 * other is more than the roundings of the sieve.
 */
void fc_stage_row_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t row, size_t i, float *A, float *E, float *F,
                        int32_t *Ix) {
    const fc_sketch_terms *t = &f->stage->X.terms[row];
    const side x = side_of(f, aim, t);
    const double most = x.own + x.beyond * x.beyond;
    const double a = f->squares ? most - (1 + 1 / f->stage->tilt) * x.error * x.error : x.own - x.error;
    const double low = a - 16 * FLOAT_ROUNDING * (most + fabs(a));
    A[i] = is_tame(&x) && fabs(low * x.by_step) < MOST ? (float)(low * x.by_step - FLOOR) : -INFINITY;
    E[i] = (float)(x.beyond * x.by_step);
    F[i] = (float)x.by_step;
    Ix[i] = row_shift(f, t);
}

void fc_stage_query_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t query, double limit, size_t i, float *B,
                          float *T, float *R, int32_t *Iq) {
    const fc_sketch_terms *t = &f->stage->Q.terms[query];
    const side q = side_of(f, aim, t);
    const double unit = f->squares ? f->stage->unit : (double)t->step,
                 tilt = aim == FC_MAY_BE_NEAR ? f->stage->tilt : 0;
    const double u = (aim == FC_MAY_BE_NEAR ? fc_stage_stretched(f, limit) : limit) / unit + q.error;
    const double most = q.own + q.beyond * q.beyond, rest = f->squares ? (1 + tilt) * u * u - most : u - q.own;
    const double high = rest + 16 * FLOAT_ROUNDING * (most + fabs(rest));
    B[i] = (float)(2 * q.beyond * q.by_step);
    T[i] = is_tame(&q) && fabs(high * q.by_step) < MOST ? (float)(high * q.by_step) : INFINITY;
    R[i] = (float)q.by_step;
    Iq[i] = query_shift(f, t);
}

/* From twice the product of the codes' numbers, or the sum of minima of codes. */
static double differ(const fc_stage_filter *f, double P2, const fc_sketch_terms *q, const fc_sketch_terms *x) {
    if (!f->squares) return (double)x->step * ((double)sum_of_codes(f, q) + (double)sum_of_codes(f, x) - P2);
    const double q_step = (double)q->step, x_step = (double)x->step;
    const double own = q_step * q_step * q->squares + x_step * x_step * x->squares;
    return own - q_step * x_step * P2 - 0x1p-45 * own;
}

double fc_stage_codes_differ_acc(const fc_stage_filter *f, int32_t acc, size_t query, size_t row) {
    const fc_sketch_terms *q = &f->stage->Q.terms[query], *x = &f->stage->X.terms[row];
    return differ(f, f->tile->scale * ((double)acc + row_shift(f, x) + query_shift(f, q)), q, x);
}

double fc_stage_codes_differ(const fc_stage_filter *f, size_t query, size_t row) {
    const fc_matrix *Q = &f->stage->Q.codes, *X = &f->stage->X.codes;
    const fc_sketch_terms *q = &f->stage->Q.terms[query], *x = &f->stage->X.terms[row];
    double lanes[FC_LANES];
    lanes[0] = 0; /* where sums over bytes go */
    f->kernels->pair[f->squares ? FC_PAIR_product : FC_PAIR_absdiff][FC_u8](
        lanes, (const char *)Q->data + query * Q->cols, (const char *)X->data + row * X->cols, X->cols);
    if (!f->squares) return (double)x->step * lanes[0];
    const double shift = (double)CODE_ZERO * ((double)q->sum + x->sum + (double)CODE_ZERO * (double)X->cols);
    return differ(f, 2 * (lanes[0] - shift), q, x);
}

/* A difference of squares with that of `beyond`, which are 0 for L1. */
static double whole(const fc_stage_filter *f, double codes_differ, size_t query, size_t row) {
    const double beyond = (double)f->stage->Q.terms[query].beyond - (double)f->stage->X.terms[row].beyond;
    return codes_differ + beyond * beyond;
}

double fc_stage_length(const fc_stage_filter *f, double codes_differ, size_t query, size_t row) {
    const double d = fmax(whole(f, codes_differ, query, row), 0); /* 0 where it is NaN */
    return f->squares ? sqrt(d) : d;
}

/* The factor is more than the roundings here; false also where the error is infinite or NaN. */
int fc_stage_is_far(const fc_stage_filter *f, double codes_differ, size_t query, size_t row, double length) {
    const double reach = length + (double)f->stage->Q.terms[query].error + (double)f->stage->X.terms[row].error;
    return whole(f, codes_differ, query, row) * (1 - 0x1p-39) > (f->squares ? reach * reach : reach);
}
