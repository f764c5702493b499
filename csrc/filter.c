#include "filter.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "matrix.h"

/* Sums outside these bounds may have overflowed, or lost terms to underflow that no relative error covers: such vectors
 * pass the filter.  `underflow` is more than it can take from a sum of fewer than 2^30 products of vectors within the
 * bounds, and of no account beside a product of norms above `tiny`.
 */
static const struct {
    double huge, tiny, underflow, rounding;
} ranges[] = {[FC_u8] = {0x1p120, 0x1p-70, 0, 0x1p-24},
              [FC_f32] = {0x1p120, 0x1p-70, 0x1p-117, 0x1p-24},
              [FC_f64] = {0x1p1000, 0x1p-900, 0x1p-1000, 0x1p-53}};

/* g of FC_METRICS: what accumulating in the tile's type, loading, and the sums may add up to.  Accumulators add `part`
 * terms one after the other and then the parts; sums over a row run in at least four lanes, and only half of their error
 * counts beside twice that of P; the reported distance itself is good to (d / 16 + 16) float64 roundings.
 */
double fc_filter_error(fc_dtype dtype, const fc_tile *tile, size_t d) {
    if (dtype == FC_u8) return 0;
    const double part = (double)(FC_DEPTH_BYTES / tile->cell), terms = part + part / 8 + (double)d / part + 32;
    const double g = terms * ranges[dtype].rounding + ((double)d / 16 + 16) * 0x1p-53;
    return g < 0.5 ? g / (1 - g) : 0x1p60; /* so wide that nothing is proven: everything passes */
}

fc_filter fc_filter_for(const fc_pairs *pairs) {
    const fc_tile *tile = &pairs->kernels->tile[pairs->metric->tile][pairs->dtype];
    const double g = fc_filter_error(pairs->dtype, tile, pairs->Q.cols), rounding = 8 * ranges[pairs->dtype].rounding;
    return (fc_filter){pairs->metric, tile, pairs->dtype, g, g + rounding, 1 + rounding};
}

static int is_tame(const fc_filter *f, const fc_sums *v) {
    return v->sq <= ranges[f->dtype].huge && v->abs <= ranges[f->dtype].huge &&
           (f->metric->shift || v->sq >= ranges[f->dtype].tiny);
}

/* To the sieve's type: what is beyond float becomes infinity, which passes. */
static void put(const fc_filter *f, void *values, size_t i, double v) {
    if (f->dtype == FC_f64)
        ((double *)values)[i] = v;
    else
        ((float *)values)[i] = (float)v;
}

void fc_filter_row_terms(const fc_filter *f, const fc_sums *x, size_t i, void *A, void *E, int32_t *Ix) {
    put(f, A, i, is_tame(f, x) ? f->metric->A(x, f->g_sieve) : -INFINITY);
    put(f, E, i, f->metric->E(x));
    Ix[i] = f->dtype == FC_u8 ? (int32_t)(f->tile->from_x * x->sum) : 0;
}

void fc_filter_query_terms(const fc_filter *f, const fc_sums *q, double limit, size_t i, void *B, void *T,
                           int32_t *Iq) {
    const double stretched = limit * f->limit_stretch;
    put(f, B, i, f->metric->B(q, stretched, f->g_sieve));
    put(f, T, i, is_tame(f, q) ? f->metric->T(q, stretched, f->g_sieve) + ranges[f->dtype].underflow : INFINITY);
    Iq[i] = f->dtype == FC_u8 ? (int32_t)(f->tile->from_q * q->sum) : 0;
}

static double value_of(const fc_filter *f, const void *acc, size_t i) {
    return f->dtype == FC_u8 ? (double)((const int32_t *)acc)[i] : fc_value_at(acc, i, f->dtype);
}

/* The factors next to one pay for the roundings of undo and of low + slack, and of slack itself to float; FLT_MIN keeps
 * slack from being 0, which would mean that low is the distance.
 */
fc_candidate fc_filter_bounds(const fc_filter *f, const void *acc, size_t i, const fc_sums *q, const fc_sums *x,
                              size_t row) {
    const fc_metric_row *m = f->metric;
    if (!is_tame(f, q) || !is_tame(f, x)) return (fc_candidate){0, INFINITY, (uint32_t)row};
    const double P2 = f->tile->scale * (value_of(f, acc, i) + f->tile->from_q * q->sum + f->tile->from_x * x->sum);
    const double rank = m->rank(P2, q, x);
    if (f->g == 0) { /* integers: the sum is what refining would find */
        const double exact = m->refine == FC_PAIR_product ? m->distance(P2 / 2, q->sq, x->sq) : m->undo(rank);
        return (fc_candidate){exact, 0, (uint32_t)row};
    }
    const double underflow = m->shift ? ranges[f->dtype].underflow : ranges[f->dtype].underflow / ranges[f->dtype].tiny;
    const double error = f->g * m->error(q, x) + underflow; /* finite, as both vectors are tame */
    const double low = m->undo(fmax(rank - error, 0)) * (1 - 0x1p-50),
                 high = m->undo(fmax(rank + error, 0)) * (1 + 0x1p-50);
    return (fc_candidate){low, (float)((high - low) * (1 + 0x1p-20)) + FLT_MIN, (uint32_t)row};
}

int fc_filter_centre(const fc_pairs *pairs, const float *centre, const void **taken, double **owned) {
    if (!centre || !pairs->metric->shift || pairs->dtype == FC_u8) return 1;
    *taken = centre;
    if (pairs->dtype == FC_f32) return 1;
    *taken = *owned = malloc(pairs->Q.cols * sizeof **owned);
    for (size_t i = 0; *owned && i < pairs->Q.cols; i++) (*owned)[i] = (double)centre[i];
    return *owned != NULL;
}
