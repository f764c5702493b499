#include "stage.h"

#include <math.h>

#define FLOAT_ROUNDING 0x1p-24

/* Codes are 128 more than the numbers of steps that they stand for. */
enum { CODE_ZERO = 128 };

fc_stage_filter fc_stage_filter_for(const fc_pairs *p, const fc_stage *stage) {
    const double reported = ((double)p->Q.cols / 16 + 16) * 0x1p-52;
    return (fc_stage_filter){.stage = stage,
                             .metric = p->metric,
                             .kernels = p->kernels,
                             .tile = &p->kernels->tile[p->metric->tile][FC_u8],
                             .squares = p->metric->tile == FC_TILE_dot,
                             .stretch = (1 + stage->skew) * (1 + reported) * (1 + 0x1p-40),
                             .off = p->metric->degree ? 0 : reported};
}

/* The sum of a sketch's codes as they are. */
static int32_t sum_of_codes(const fc_stage_filter *f, const fc_sketch_terms *t) {
    return t->sum + CODE_ZERO * (int32_t)f->stage->X.codes.cols;
}

/* The part of one sketch in the difference of two: its sum of squares; for L1 the sum of its codes, in steps. */
static double own_part(const fc_stage_filter *f, const fc_sketch_terms *t) {
    return f->squares ? (double)t->step * (double)t->step * t->squares : (double)sum_of_codes(f, t);
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
    const fc_sketch_terms *x = &f->stage->X.terms[row];
    const double own = own_part(f, x), e = aim == FC_MAY_BE_NEAR ? (double)x->error : 0, beyond = (double)x->beyond;
    const double by_step = 1 / (double)x->step, tilt = f->stage->tilt;
    const double most = own + beyond * beyond;
    const double a = f->squares ? most - (1 + 1 / tilt) * e * e : own - e * by_step;
    const double low = a - 16 * FLOAT_ROUNDING * (most + fabs(a));
    A[i] = (float)(f->squares ? low * by_step : low);
    E[i] = (float)(beyond * by_step);
    F[i] = f->squares ? (float)by_step : 1;
    Ix[i] = row_shift(f, x);
}

void fc_stage_query_terms(const fc_stage_filter *f, fc_stage_aim aim, size_t query, double limit, size_t i, float *B,
                          float *T, float *R, int32_t *Iq) {
    const fc_sketch_terms *q = &f->stage->Q.terms[query];
    const double own = own_part(f, q), beyond = (double)q->beyond, by_step = 1 / (double)q->step;
    const double u = aim == FC_MAY_BE_NEAR ? fc_stage_stretched(f, limit) + (double)q->error : limit;
    const double tilt = aim == FC_MAY_BE_NEAR ? f->stage->tilt : 0, most = own + beyond * beyond;
    const double t = f->squares ? (1 + tilt) * u * u - most : u * by_step - own;
    const double high = t + 16 * FLOAT_ROUNDING * (most + fabs(t));
    B[i] = (float)(2 * beyond * by_step);
    T[i] = (float)(f->squares ? high * by_step : high);
    R[i] = f->squares ? (float)by_step : 1;
    Iq[i] = query_shift(f, q);
}

/* From twice the product of the codes' numbers, or the sum of minima of codes. */
static double differ(const fc_stage_filter *f, double P2, const fc_sketch_terms *q, const fc_sketch_terms *x) {
    const double own = own_part(f, q) + own_part(f, x);
    if (!f->squares) return (double)x->step * (own - P2);
    return own - (double)q->step * (double)x->step * P2 - 0x1p-45 * own;
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
    const double d = whole(f, codes_differ, query, row);
    return f->squares ? sqrt(fmax(d, 0)) : d;
}

/* The factor is more than the roundings here; false also where the error is infinite or NaN. */
int fc_stage_is_far(const fc_stage_filter *f, double codes_differ, size_t query, size_t row, double length) {
    const double reach = length + (double)f->stage->Q.terms[query].error + (double)f->stage->X.terms[row].error;
    return whole(f, codes_differ, query, row) * (1 - 0x1p-39) > (f->squares ? reach * reach : reach);
}
