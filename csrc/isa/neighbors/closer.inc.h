/* closer.inc.h -- sums that stay precise where those of sum.inc.h cancel: by how much two rows' distances from a query
 * differ, and what one row lacks to be a multiple of another.  They are over float64 features, their number a multiple
 * of FC_LANES.  Each term is known to a part of a few 2^-106 of itself (docs/exactness.md).
 */
#ifndef FASTCLF_ISA_CLOSER
#define FASTCLF_ISA_CLOSER

#include "isa/neighbors/sum.inc.h"

/* Numbers held as high + low, as in twofold.h, in vectors. */
typedef struct {
    v_f64 high, low;
} v_pair;

static inline v_pair sum_of_two(v_f64 a, v_f64 b) {
    const v_f64 sum = a + b, part = sum - a;
    return (v_pair){sum, (a - (sum - part)) + (b - part)};
}
static inline v_pair ordered_sum_of_two(v_f64 a, v_f64 b) {
    const v_f64 sum = a + b;
    return (v_pair){sum, b - (sum - a)};
}

/* To a part of 4 * 2^-106 of the sum, whatever cancels. */
static inline v_pair sum_of_pairs(v_pair a, v_pair b) {
    const v_pair high = sum_of_two(a.high, b.high), low = sum_of_two(a.low, b.low);
    const v_pair sum = ordered_sum_of_two(high.high, high.low + low.high);
    return ordered_sum_of_two(sum.high, sum.low + low.low);
}

static inline v_pair difference_pair(v_f64 a, v_f64 b) {
    const v_twofold t = difference_twofold(a, b);
    return (v_pair){t.term, t.error};
}

/* To a part of 8 * 2^-106 of the product; exactly, where all lows are 0. */
static inline v_twofold product_of_pairs(v_pair a, v_pair b) {
    v_twofold t = product_twofold(a.high, b.high);
    t.error += a.high * b.low + a.low * b.high;
    t.lost |= (v_i64)a.low | (v_i64)b.low;
    return t;
}

/* |q - a| - |q - b|.  A sum of pairs does not show what it loses: it counts as lost unless the lows are 0. */
static inline v_twofold absdiff_gap(v_f64 q, v_f64 a, v_f64 b, double far, double near) {
    const v_twofold t = absdiff_twofold(q * far, a * far), u = absdiff_twofold(q * far, b * far);
    const v_pair gap = sum_of_pairs((v_pair){t.term, t.error}, (v_pair){-u.term, -u.error});
    (void)near;
    return (v_twofold){gap.high, gap.low, (v_i64)t.error | (v_i64)u.error};
}

/* (q - a)^2 - (q - b)^2 = (b - a) ((q - a) + (q - b)); each factor is scaled by itself. */
static inline v_twofold sqdiff_gap(v_f64 q, v_f64 a, v_f64 b, double far, double near) {
    const v_pair of_a = difference_pair(q * far, a * far), of_b = difference_pair(q * far, b * far);
    v_twofold t = product_of_pairs(difference_pair(b * near, a * near), sum_of_pairs(of_a, of_b));
    t.lost |= (v_i64)of_a.low | (v_i64)of_b.low;
    return t;
}

/* b q - a q = (b - a) q. */
static inline v_twofold product_gap(v_f64 q, v_f64 a, v_f64 b, double far, double near) {
    v_twofold t = product_of_pairs(difference_pair(b * near, a * near), (v_pair){q * far, (v_f64){0}});
    t.lost &= q != 0;
    return t;
}

#define FC_DEFINE_GAP(kind) \
    static void gap_##kind(fc_sum *sum, double *most, const double *q, const double *a, const double *b, size_t d, \
                           double far, double near) { \
        part_sums s = {0}; \
        v_f64 all = {0}; \
        for (size_t i = 0; i < d; i += SUM_LANES) FC_UNROLL \
        for (int v = 0; v < SUM_VECTORS; v++) { \
            const size_t at = i + (size_t)v * F64_LANES; \
            const v_twofold t = kind##_gap(load_v_f64(q + at), load_v_f64(a + at), load_v_f64(b + at), far, near); \
            all += abs_f64(t.term); \
            add_twofold(&s, v, t); \
        } \
        for (int l = 0; l < F64_LANES; l++) *most += all[l]; \
        fold_sums(sum, &s, SUM_LANES); \
    }
FC_DEFINE_GAP(absdiff)
FC_DEFINE_GAP(sqdiff)
FC_DEFINE_GAP(product)

#define FC_GAP_ENTRIES [FC_PAIR_absdiff] = gap_absdiff, [FC_PAIR_sqdiff] = gap_sqdiff, [FC_PAIR_product] = gap_product

/* x - c q.  Where x and the product are so near that their difference is exact, the other sums are exact, too;
 * elsewhere the rest is no larger than that difference.
 */
static inline v_pair residual_of(v_f64 q, v_f64 x, double c, v_i64 *lost) {
    const v_twofold product = product_twofold((v_f64){0} + c, q);
    const v_pair first = difference_pair(x, product.term), rest = sum_of_two(first.low, -product.error);
    const v_pair sum = sum_of_two(first.high, rest.high);
    *lost |= product.lost;
    return ordered_sum_of_two(sum.high, sum.low + rest.low);
}

static void residual(fc_sum *squares, fc_sum *product, const double *q, const double *x, size_t d, double c) {
    part_sums of_squares = {0}, of_product = {0};
    for (size_t i = 0; i < d; i += SUM_LANES) FC_UNROLL
    for (int v = 0; v < SUM_VECTORS; v++) {
        const size_t at = i + (size_t)v * F64_LANES;
        const v_f64 of_q = load_v_f64(q + at);
        const v_pair w = residual_of(of_q, load_v_f64(x + at), c, &of_squares.lost);
        add_twofold(&of_squares, v, product_of_pairs(w, w));
        add_twofold(&of_product, v, product_of_pairs(w, (v_pair){of_q, (v_f64){0}}));
    }
    fold_sums(squares, &of_squares, SUM_LANES);
    fold_sums(product, &of_product, SUM_LANES);
}

#endif
