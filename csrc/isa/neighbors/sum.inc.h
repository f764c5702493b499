/* sum.inc.h -- the sum over the features of one pair of float vectors, as if of twice float64's precision.  Additions,
 * subtractions and products come with their exact errors, which are summed separately in float64 (docs/exactness.md has
 * the bound).  The order does not count: the exact sum, rounded, is reported.
 */
#ifndef FASTCLF_ISA_SUM
#define FASTCLF_ISA_SUM

#include "isa/isa.h"

enum { SUM_VECTORS = 2, SUM_LANES = SUM_VECTORS * F64_LANES };

/* A term and its error; bits that are set, but for the sign's, where a third part was lost. */
typedef struct {
    v_f64 term, error;
    v_i64 lost;
} v_twofold;

static inline v_f64 product_error(v_f64 a, v_f64 b, v_f64 product) {
#ifdef FC_FUSED_STEPS
    return step_dot_f64(-product, a, b);
#else
    const double splitter = 0x1p27 + 1; /* halves of 26 bits, as in fc_two_product */
    const v_f64 a_part = splitter * a, b_part = splitter * b;
    const v_f64 a1 = a_part - (a_part - a), b1 = b_part - (b_part - b), a2 = a - a1, b2 = b - b1;
    return ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2;
#endif
}

static inline v_twofold difference_twofold(v_f64 q, v_f64 x) {
    const v_f64 t = q - x, part = q - t;
    return (v_twofold){t, (q - (t + part)) + (part - x), (v_i64){0}};
}

static inline v_twofold absdiff_twofold(v_f64 q, v_f64 x) {
    v_twofold t = difference_twofold(q, x);
    t.error = (v_f64)((v_i64)t.error ^ ((v_i64)t.term & INT64_MIN));
    t.term = abs_f64(t.term);
    return t;
}

/* Products below this have errors that float64 does not hold. */
static const double LEAST_PRODUCT = 0x1p-960;

/* The square of the difference's error is left out. */
static inline v_twofold sqdiff_twofold(v_f64 q, v_f64 x) {
    const v_twofold t = difference_twofold(q, x);
    const v_f64 square = t.term * t.term;
    const v_i64 lost = (v_i64)t.error | ((v_i64)t.term & (square < LEAST_PRODUCT));
    return (v_twofold){square, product_error(t.term, t.term, square) + 2 * t.term * t.error, lost};
}

static inline v_twofold product_twofold(v_f64 q, v_f64 x) {
    const v_f64 product = q * x;
    const v_i64 lost = (v_i64)q & (x != 0) & (abs_f64(product) < LEAST_PRODUCT);
    return (v_twofold){product, product_error(q, x, product), lost};
}

typedef struct {
    v_f64 high[SUM_VECTORS], low[SUM_VECTORS];
    v_i64 lost;
} part_sums;

static inline void add_term(v_f64 *high, v_f64 *low, v_i64 *lost, v_twofold t) {
    const v_f64 sum = *high + t.term, part = sum - *high;
    const v_f64 error = (*high - (sum - part)) + (t.term - part);
    *lost |= (v_i64)error | (v_i64)t.error | t.lost;
    *low += error + t.error;
    *high = sum;
}

static inline void add_twofold(part_sums *s, int v, v_twofold t) { add_term(&s->high[v], &s->low[v], &s->lost, t); }

/* Add the sums of the first `lanes` lanes, a power of two that covers all lanes in use, to one sum. */
static void fold_sums(fc_sum *sum, const part_sums *s, int lanes) {
    double high[SUM_LANES], low[SUM_LANES];
    int64_t lost[F64_LANES];
    memcpy(high, s->high, sizeof high);
    memcpy(low, s->low, sizeof low);
    memcpy(lost, &s->lost, sizeof lost);
    for (int i = 0; i < F64_LANES; i++) sum->lost |= lost[i] & INT64_MAX;
    for (int half = lanes / 2; half; half /= 2)
        for (int i = 0; i < half; i++) {
            const fc_twofold both = fc_two_sum(high[i], high[i + half]);
            sum->lost |= both.low != 0;
            high[i] = both.high;
            low[i] = both.low + (low[i] + low[i + half]);
        }
    const fc_twofold all = fc_two_sum(sum->value.high, high[0]);
    sum->lost |= all.low != 0;
    sum->value = fc_fast_two_sum(all.high, all.low + (sum->value.low + low[0]));
}

/* How many lanes d features use: few features are in the first lanes. */
static inline int lanes_for(size_t d) {
    int lanes = 1;
    while (lanes < SUM_LANES && (size_t)lanes < d) lanes *= 2;
    return lanes;
}

#define FC_DEFINE_SUM(kind, dtype, type) \
    static inline void add_at_##kind##_##dtype(part_sums *s, int v, const type *q, const type *x) { \
        add_twofold(s, v, kind##_twofold(widen_##dtype(q), widen_##dtype(x))); \
    } \
    static void sum_##kind##_##dtype(fc_sum *sum, const void *q, const void *x, size_t d) { \
        const type *a = q, *b = x; \
        const int lanes = lanes_for(d), last = d >= F64_LANES; \
        part_sums s = {0}; \
        for (; d >= SUM_LANES; d -= SUM_LANES, a += SUM_LANES, b += SUM_LANES) { \
            FC_UNROLL \
            for (int v = 0; v < SUM_VECTORS; v++) \
                add_at_##kind##_##dtype(&s, v, a + v * F64_LANES, b + v * F64_LANES); \
        } \
        for (; d >= F64_LANES; d -= F64_LANES, a += F64_LANES, b += F64_LANES) add_at_##kind##_##dtype(&s, 0, a, b); \
        if (d) { \
            type last_a[F64_LANES] = {0}, last_b[F64_LANES] = {0}; \
            for (size_t l = 0; l < d; l++) last_a[l] = a[l], last_b[l] = b[l]; \
            add_at_##kind##_##dtype(&s, last, last_a, last_b); \
        } \
        fold_sums(sum, &s, lanes); \
    }

#define FC_DEFINE_SUMS(kind) FC_DEFINE_SUM(kind, f32, float) FC_DEFINE_SUM(kind, f64, double)
FC_DEFINE_SUMS(sqdiff)
FC_DEFINE_SUMS(absdiff)
FC_DEFINE_SUMS(product)

#define FC_SUM_ENTRY(kind) [FC_PAIR_##kind] = {[FC_IN_f32] = sum_##kind##_f32, [FC_IN_f64] = sum_##kind##_f64}
#define FC_SUM_ENTRIES FC_SUM_ENTRY(sqdiff), FC_SUM_ENTRY(absdiff), FC_SUM_ENTRY(product)

#endif
