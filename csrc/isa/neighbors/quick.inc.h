/* quick.inc.h -- sums over the features of pairs of float vectors in less time, where the error may be a part of the
 * vectors' lengths.  The terms are products, or maxima, since |q - x| = 2 max(q, x) - q - x.
 *
 * Accumulators begin at 3 * 2^k, with 2^k no less than the sum of the absolute terms, and so stay between 2^(k + 1) and
 * 2^(k + 2).  What an addition takes of a term is a multiple of 2^(k - 51), exactly; the rest is summed separately.
 */
#ifndef FASTCLF_ISA_QUICK
#define FASTCLF_ISA_QUICK

#include "isa/neighbors/sum.inc.h"

static inline void add_product(v_f64 *sum, v_f64 *rest, v_f64 q, v_f64 x) {
#ifdef FC_FUSED_STEPS
    const v_f64 next = step_dot_f64(*sum, q, x), taken = next - *sum;
    *rest += step_dot_f64(-taken, q, x);
#else
    const v_f64 product = q * x, next = *sum + product;
    *rest += (product - (next - *sum)) + product_error(q, x, product);
#endif
    *sum = next;
}

static inline void add_maximum(v_f64 *sum, v_f64 *rest, v_f64 q, v_f64 x) {
    const v_f64 most = max_f64(q, x), next = *sum + most;
    *rest += most - (next - *sum);
    *sum = next;
}

/* What the lanes have taken, and their rests. */
static inline fc_twofold fold_quickly(const v_f64 *sum, const v_f64 *rest, double start) {
    double taken[F64_LANES], left[F64_LANES];
    const v_f64 all_taken = (sum[0] - start) + (sum[1] - start), all_left = rest[0] + rest[1];
    _Static_assert(SUM_VECTORS == 2, "a sum of two");
    memcpy(taken, &all_taken, sizeof taken);
    memcpy(left, &all_left, sizeof left);
    for (int half = F64_LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) {
            taken[i] += taken[i + half];
            left[i] += left[i + half];
        }
    return fc_two_sum(taken[0], left[0]);
}

#define FC_DEFINE_QUICK(dtype, type) \
    static fc_twofold quick_##dtype(const void *q, const void *x, size_t d, double start) { \
        const type *a = q, *b = x; \
        v_f64 sum[SUM_VECTORS], rest[SUM_VECTORS] = {{0}}; \
        for (int v = 0; v < SUM_VECTORS; v++) sum[v] = (v_f64){0} + start; \
        for (; d >= SUM_LANES; d -= SUM_LANES, a += SUM_LANES, b += SUM_LANES) { \
            FC_UNROLL \
            for (int v = 0; v < SUM_VECTORS; v++) \
                add_product(&sum[v], &rest[v], widen_##dtype(a + v * F64_LANES), widen_##dtype(b + v * F64_LANES)); \
        } \
        for (; d >= F64_LANES; d -= F64_LANES, a += F64_LANES, b += F64_LANES) \
            add_product(&sum[0], &rest[0], widen_##dtype(a), widen_##dtype(b)); \
        if (d) { \
            type last_a[F64_LANES] = {0}, last_b[F64_LANES] = {0}; \
            for (size_t l = 0; l < d; l++) last_a[l] = a[l], last_b[l] = b[l]; \
            add_product(&sum[1], &rest[1], widen_##dtype(last_a), widen_##dtype(last_b)); \
        } \
        return fold_quickly(sum, rest, start); \
    }
FC_DEFINE_QUICK(f32, float)
FC_DEFINE_QUICK(f64, double)

#define FC_QUICK_ENTRIES [FC_IN_f32] = quick_f32, [FC_IN_f64] = quick_f64

#endif
