/* distance.inc.h -- from sums of twice float64's precision to the distance, with a bound on its error.
 * docs/exactness.md says why the bounds hold.
 */
#ifndef FASTCLF_ISA_DISTANCE
#define FASTCLF_ISA_DISTANCE

#include "isa/isa.h"

static fc_distance distance_sum(fc_sum s, fc_sum qq, fc_sum xx, double error) {
    (void)qq, (void)xx;
    return (fc_distance){s.value.high, s.value.low, fc_off(s, error, s.value.high)};
}

static fc_distance distance_root(fc_sum s, fc_sum qq, fc_sum xx, double error) {
    (void)qq, (void)xx;
    const fc_twofold root = fc_twofold_root(s.value);
    return (fc_distance){root.high, root.low, fc_off(s, error, root.high) + 0x1p-101 * root.high};
}

/* Where the cosine -c is not positive, the distance is 1 + c.  Else, with p = qq xx, it is (p - s^2) / (p + s sqrt(p)):
 * only p - s^2 cancels.
 */
static fc_distance distance_angle(fc_sum s, fc_sum qq, fc_sum xx, double error) {
    if ((qq.value.high == 0 && !qq.lost) || (xx.value.high == 0 && !xx.lost)) return (fc_distance){1, 0, 0};
    if (s.value.high == 0 && !s.lost) return (fc_distance){1, 0, 0};
    if (!fc_is_tame(qq.value.high) || !fc_is_tame(xx.value.high)) return fc_unknown;
    const double off = fc_off(qq, error, 1) + fc_off(xx, error, 1) + fc_off(s, error, 2);
    const fc_twofold p = fc_twofold_product(qq.value, xx.value), root = fc_twofold_root(p);
    if (s.value.high <= 0) {
        const fc_twofold c = fc_twofold_quotient(fc_twofold_negative(s.value), root);
        const fc_twofold v = fc_twofold_sum((fc_twofold){1, 0}, c);
        return (fc_distance){v.high, v.low, off + 0x1p-99};
    }
    const fc_twofold square = fc_twofold_product(s.value, s.value);
    const fc_twofold left = fc_twofold_sum(p, fc_twofold_negative(square));
    const fc_twofold under = fc_twofold_sum(p, fc_twofold_product(s.value, root));
    const fc_twofold v = fc_twofold_quotient(left, under);
    const int is_exact = !(s.lost || qq.lost || xx.lost);
    return (fc_distance){v.high, v.low, (off + 0x1p-99) * fabs(v.high) + (is_exact ? 0 : off + 0x1p-101)};
}

/* The absolute terms sum to at most the product of the lengths. */
static fc_distance distance_minus(fc_sum s, fc_sum qq, fc_sum xx, double error) {
    if (s.value.high == 0 && !s.lost) return (fc_distance){0, 0, 0};
    if (!fc_is_tame(qq.value.high) || !fc_is_tame(xx.value.high)) return fc_unknown;
    return (fc_distance){-s.value.high, -s.value.low, fc_off(s, error, sqrt(qq.value.high * xx.value.high))};
}

#define FC_DISTANCE_ENTRY(form) [FC_FORM_##form] = distance_##form,

#endif
