#include "filter.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "matrix.h"
#include "sizes.h"

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
 * terms one after the other and then the parts; sums over a row run in at least four lanes, and only half of their
 * error counts beside twice that of P.
 */
double fc_filter_error(fc_dtype dtype, const fc_tile *tile, size_t d) {
    if (dtype == FC_u8) return 0;
    const double part = (double)(FC_DEPTH_BYTES / tile->cell), terms = part + part / 8 + (double)d / part + 32;
    const double g = terms * ranges[dtype].rounding;
    return g < 0.5 ? g / (1 - g) : 0x1p60; /* so wide that nothing is proven: everything passes */
}

/* Of the rank in float64, and of a limit that is a rounded distance. */
static const double RANK_ERROR = 16 * 0x1p-53;

fc_filter fc_filter_for(const fc_pairs *pairs) {
    const fc_tile *tile = &pairs->kernels->tile[pairs->metric->tile][pairs->dtype];
    const double g = fc_filter_error(pairs->dtype, tile, pairs->Q.cols) + (fc_orders_all(pairs) ? 0 : RANK_ERROR);
    const double rounding = 8 * ranges[pairs->dtype].rounding;
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

/* A metric's formulas that are needed for each pair: as constants they are inlined. */
typedef struct {
    int is_sum; /* the distance, or its square */
    double (*rank)(double P2, const fc_sums *q, const fc_sums *x);
    double (*error)(const fc_sums *q, const fc_sums *x);
    double (*undo)(double r);
} formulas;

#define FC_INLINED static inline __attribute__((always_inline))

typedef struct {
    const fc_sums *q, *x;
    double P2;
    uint32_t row;
} pair;

static inline pair pair_of(const fc_filter *f, const fc_passed *p, size_t i) {
    const uint32_t at = p->passed[i];
    const size_t r = fc_row_of(at, f->tile->lanes);
    const fc_sums *q = &p->q[fc_lane_of(at, f->tile->lanes)], *x = &p->x[r];
    const double acc = f->dtype == FC_u8 ? (double)((const int32_t *)p->acc)[at] : fc_value_at(p->acc, at, f->dtype);
    const double P2 = f->tile->scale * (acc + f->tile->from_q * q->sum + f->tile->from_x * x->sum);
    return (pair){q, x, P2, (uint32_t)(p->row + r)};
}

/* Sums of bytes are exact, and so is the distance, rounded: undo has its own loop, so that roots become vectors. */
FC_INLINED void find_exact(const fc_filter *f, const fc_passed *p, fc_candidate *out, formulas m) {
    double found[FC_PAIRS_AT_ONCE];
    for (size_t i = 0; i < p->count; i++) {
        const pair it = pair_of(f, p, i);
        found[i] = m.rank(it.P2, it.q, it.x);
        out[i] = (fc_candidate){.row = it.row};
    }
    for (size_t i = 0; i < p->count; i++) found[i] = m.undo(found[i]);
    for (size_t i = 0; i < p->count; i++) out[i].low = found[i];
}

/* The factors next to one pay for the roundings of undo and of low + slack, and of slack itself to float; FLT_MIN keeps
 * slack from being 0, which would mean that low is the distance.
 */
FC_INLINED fc_candidate bounds_of(const fc_filter *f, pair it, formulas m) {
    if (!is_tame(f, it.q) || !is_tame(f, it.x)) return (fc_candidate){0, INFINITY, it.row};
    const double underflow =
        f->metric->shift ? ranges[f->dtype].underflow : ranges[f->dtype].underflow / ranges[f->dtype].tiny;
    const double rank = m.rank(it.P2, it.q, it.x),
                 error = f->g * m.error(it.q, it.x) + underflow; /* finite, as both vectors are tame */
    const double low = m.undo(fmax(rank - error, 0)) * (1 - 0x1p-50),
                 high = m.undo(fmax(rank + error, 0)) * (1 + 0x1p-50);
    return (fc_candidate){low, (float)((high - low) * (1 + 0x1p-20)) + FLT_MIN, it.row};
}

FC_INLINED void find_bounds(const fc_filter *f, const fc_passed *p, fc_candidate *out, formulas m) {
    if (f->dtype == FC_u8 && m.is_sum) {
        find_exact(f, p, out, m);
        return;
    }
    for (size_t i = 0; i < p->count; i++) out[i] = bounds_of(f, pair_of(f, p, i), m);
}

#define FC_DEFINE_BOUNDS(name, tile_, refine, shift, degree, rank, error, undo, len, a, ex, b, t, dist) \
    static double rank_##name(double P2, const fc_sums *q, const fc_sums *x) { return rank; } \
    static double error_##name(const fc_sums *q, const fc_sums *x) { return (void)q, (void)x, error; } \
    static double undo_##name(double r) { return undo; } \
    static void bounds_##name(const fc_filter *f, const fc_passed *p, fc_candidate *out) { \
        const formulas m = {FC_PAIR_##refine != FC_PAIR_product, rank_##name, error_##name, undo_##name}; \
        find_bounds(f, p, out, m); \
    }
FC_METRICS(FC_DEFINE_BOUNDS)

#define FC_BOUNDS_ENTRY(name, ...) [FC_##name] = bounds_##name,
static void (*const bounds[FC_METRIC_COUNT])(const fc_filter *, const fc_passed *,
                                             fc_candidate *) = {FC_METRICS(FC_BOUNDS_ENTRY)};

size_t fc_filter_bounds(const fc_filter *f, const fc_passed *p, size_t from, fc_candidate *out) {
    fc_passed part = *p;
    part.passed += from;
    part.count = fc_smaller(p->count - from, FC_PAIRS_AT_ONCE);
    bounds[f->metric - fc_metrics](f, &part, out);
    return part.count;
}

int fc_filter_centre(const fc_pairs *pairs, const float *centre, const void **taken, double **owned) {
    if (!centre || !pairs->metric->shift || pairs->dtype == FC_u8) return 1;
    *taken = centre;
    if (pairs->dtype == FC_f32) return 1;
    *taken = *owned = malloc(pairs->Q.cols * sizeof **owned);
    for (size_t i = 0; *owned && i < pairs->Q.cols; i++) (*owned)[i] = (double)centre[i];
    return *owned != NULL;
}
