#include "neighbors/filter.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/matrix.h"
#include "neighbors/metrics.h"
#include "core/sizes.h"

/* Sums outside these bounds may have overflowed, or lost terms to underflow that no relative error covers: such vectors
 * are never pruned.  `underflow` bounds what underflow can take from a sum of fewer than 2^30 products of vectors
 * within the bounds.  It does not count beside a product of norms above `tiny`, which errors that are a part of such a
 * product need; the squares of bytes are exact.
 */
static const struct {
    double huge, tiny, underflow, rounding;
} ranges[] = {[FC_IN_u8] = {0x1p120, 0x1p-70, 0, 0x1p-24},
              [FC_IN_f32] = {0x1p120, 0x1p-70, 0x1p-117, 0x1p-24},
              [FC_IN_f64] = {0x1p1000, 0x1p-900, 0x1p-1000, 0x1p-53}};

/* g of metrics.h: the errors of accumulating in the tile's type, of loading and of the sums, together.  Accumulators
 * add `part` terms one after the other, and then the parts.  Sums over a row run in at least four lanes, and only half
 * of their error counts beside twice that of P.
 */
double fc_filter_error(fc_arithmetic in, const fc_tile *tile, size_t d) {
    if (in == FC_IN_u8) return 0;
    const double part = (double)(FC_DEPTH_BYTES / tile->cell), terms = part + part / 8 + (double)d / part + 32;
    const double g = terms * ranges[in].rounding;
    return g < 0.5 ? g / (1 - g) : 0x1p60; /* so wide that nothing is proven: all pairs survive */
}

/* The error of the rank in float64, and of a threshold that is a rounded distance. */
static const double RANK_ERROR = 16 * 0x1p-53;

fc_filter fc_filter_for(const fc_pairs *pairs) {
    const fc_tile *tile = &pairs->kernels->tile[pairs->metric->tile][pairs->in];
    const double g = fc_filter_error(pairs->in, tile, pairs->Q.cols) + (fc_orders_all(pairs) ? 0 : RANK_ERROR);
    const double rounding = 8 * ranges[pairs->in].rounding, moved = fc_moves_products(pairs) ? FC_MOVED : 0;
    return (fc_filter){.metric = pairs->metric,
                       .tile = tile,
                       .in = pairs->in,
                       .g = g,
                       .g_pruning = g + rounding,
                       .threshold_stretch = 1 + rounding,
                       .from_q = tile->from_q - moved,
                       .from_x = tile->from_x - moved,
                       .added = moved * moved * (double)pairs->Q.cols};
}

static int is_tame(const fc_filter *f, const fc_sums *v) {
    const int takes_tiny = f->metric->pair != FC_PAIR_product || (f->metric->degree && f->in == FC_IN_u8);
    return v->sq <= ranges[f->in].huge && v->abs <= ranges[f->in].huge && (takes_tiny || v->sq >= ranges[f->in].tiny);
}

/* A threshold farther out, for its rounding. */
static double stretched_by(double stretch, double threshold) {
    return threshold < 0 ? threshold * (2 - stretch) : threshold * stretch;
}

/* Store a pruning term in its type: outside float's range it becomes infinite, and its pairs survive. */
static void put(const fc_filter *f, void *values, size_t i, double v) { fc_put_term(values, i, f->in, v); }

void fc_filter_row_terms(const fc_filter *f, const fc_sums *x, size_t i, void *A, void *E, int32_t *Ix) {
    put(f, A, i, is_tame(f, x) ? f->metric->row_part(x, f->g_pruning) : -INFINITY);
    put(f, E, i, f->metric->row_factor(x));
    Ix[i] = f->in == FC_IN_u8 ? (int32_t)(f->from_x * x->sum) : 0;
}

void fc_filter_query_terms(const fc_filter *f, const fc_sums *q, double threshold, size_t i, void *B, void *T,
                           int32_t *Iq) {
    const double stretched = stretched_by(f->threshold_stretch, threshold);
    put(f, B, i, f->metric->query_factor(q, stretched, f->g_pruning));
    put(f, T, i,
        is_tame(f, q) ? f->metric->query_part(q, stretched, f->g_pruning) + ranges[f->in].underflow : INFINITY);
    Iq[i] = f->in == FC_IN_u8 ? (int32_t)(f->from_q * q->sum + f->added) : 0;
}

/* The formulas of a metric that each pair needs: as constants they are inlined. */
typedef struct {
    double (*rank)(double P2, const fc_sums *q, const fc_sums *x);
    double (*error)(double rank, const fc_sums *q, const fc_sums *x);
    double (*undo)(double rank);
    int is_signed; /* distances may be negative: ranks are then distances */
} formulas;

#define FC_INLINED static inline __attribute__((always_inline))

typedef struct {
    const fc_sums *q, *x;
    double P2;
    uint32_t row;
} pair;

static inline pair pair_of(const fc_filter *f, const fc_survivors *p, size_t i) {
    const uint32_t at = p->survivors[i];
    const size_t r = fc_row_of(at, f->tile->lanes);
    const fc_sums *q = &p->q[fc_lane_of(at, f->tile->lanes)], *x = &p->x[r];
    const double acc = fc_accumulated(p->acc, at, f->in);
    const double P2 = f->tile->scale * (acc + f->from_q * q->sum + f->from_x * x->sum + f->added);
    return (pair){q, x, P2, (uint32_t)(p->row + r)};
}

/* Sums of bytes are exact, so the distance here is the reported one.  `undo` has its own loop, so that its roots are
 * computed as vectors.
 */
FC_INLINED void find_exact(const fc_filter *f, const fc_survivors *p, fc_candidate *out, formulas m) {
    double found[FC_PAIRS_AT_ONCE];
    for (size_t i = 0; i < p->count; i++) {
        const pair it = pair_of(f, p, i);
        found[i] = m.rank(it.P2, it.q, it.x);
        out[i] = (fc_candidate){.row = it.row};
    }
    for (size_t i = 0; i < p->count; i++) found[i] = m.undo(found[i]);
    for (size_t i = 0; i < p->count; i++) out[i].low = found[i];
}

/* One instruction, where fmax is a call. */
static inline double at_least_0(double v) { return v > 0 ? v : 0; }

/* From low to high.  The factor covers the rounding of slack to float.  FLT_MIN keeps it from being 0, which would mean
 * that low is the distance.
 */
FC_INLINED fc_candidate between(double low, double high, uint32_t row) {
    return (fc_candidate){low, (float)((high - low) * (1 + 0x1p-20)) + FLT_MIN, row};
}

/* The factors near one cover the roundings of undo and of low + slack.  Of signed ranks, `error` covers these. */
FC_INLINED fc_candidate bounds_of(const fc_filter *f, pair it, formulas m) {
    if (!is_tame(f, it.q) || !is_tame(f, it.x)) return (fc_candidate){m.is_signed ? -INFINITY : 0, INFINITY, it.row};
    const double underflow = f->metric->degree ? ranges[f->in].underflow : ranges[f->in].underflow / ranges[f->in].tiny;
    const double rank = m.rank(it.P2, it.q, it.x),
                 error = f->g * m.error(rank, it.q, it.x) + underflow; /* finite, as both vectors are tame */
    if (m.is_signed) return between(rank - error, rank + error, it.row);
    return between(m.undo(at_least_0(rank - error)) * (1 - 0x1p-50), m.undo(at_least_0(rank + error)) * (1 + 0x1p-50),
                   it.row);
}

FC_INLINED void find_bounds(const fc_filter *f, const fc_survivors *p, fc_candidate *out, formulas m) {
    if (f->in == FC_IN_u8 && f->metric->form != FC_FORM_angle) {
        find_exact(f, p, out, m);
        return;
    }
    for (size_t i = 0; i < p->count; i++) out[i] = bounds_of(f, pair_of(f, p, i), m);
}

#define FC_DEFINE_BOUNDS(name, ...) \
    static void bounds_##name(const fc_filter *f, const fc_survivors *p, fc_candidate *out) { \
        const fc_metric_row row = {__VA_ARGS__}; \
        const formulas m = {name##_rank, name##_error, name##_undo, row.form == FC_FORM_minus}; \
        find_bounds(f, p, out, m); \
    }
FC_METRICS(FC_DEFINE_BOUNDS)

#define FC_BOUNDS_ENTRY(name, ...) [FC_##name] = bounds_##name,
static void (*const bounds[FC_METRIC_COUNT])(const fc_filter *, const fc_survivors *,
                                             fc_candidate *) = {FC_METRICS(FC_BOUNDS_ENTRY)};

size_t fc_filter_bounds(const fc_filter *f, const fc_survivors *p, size_t from, fc_candidate *out) {
    fc_survivors part = *p;
    part.survivors += from;
    part.count = fc_smaller(p->count - from, FC_PAIRS_AT_ONCE);
    bounds[f->metric - fc_metrics](f, &part, out);
    return part.count;
}

int fc_filter_centre(const fc_pairs *pairs, const float *centre, const void **taken, double **owned) {
    if (!centre || !pairs->metric->centred || pairs->in == FC_IN_u8) return 1;
    *taken = centre;
    if (pairs->in == FC_IN_f32) return 1;
    *taken = *owned = malloc(pairs->Q.cols * sizeof **owned);
    for (size_t i = 0; *owned && i < pairs->Q.cols; i++) (*owned)[i] = (double)centre[i];
    return *owned != NULL;
}
