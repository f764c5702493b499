/* math.inc.h -- exponentials and logarithms in vectors, from IEEE operations in one order: the same bytes on every
 * instruction set.  docs/losses.md derives their errors; tests sweep them.
 *
 * exp: x = n ln 2 + r with |r| <= 0.3473, exp x = 2^n P(r).  SHIFTER is so large that its last bit is worth 1: added to
 * it, n is in the sum's last bits, and these make the exponent of 2^n.  The product of n with the first part of ln 2 is
 * exact.
 */
#ifndef FASTCLF_ISA_MATH
#define FASTCLF_ISA_MATH

#include "isa/isa.h"

static inline v_f64 pick_f64(v_i64 mask, v_f64 yes, v_f64 no) {
    return (v_f64)((mask & (v_i64)yes) | (~mask & (v_i64)no));
}
static inline v_f64 only_f64(v_i64 mask, v_f64 v) { return (v_f64)(mask & (v_i64)v); }
static inline v_f64 positive_f64(v_f64 v) { return only_f64(v > 0, v); }
static inline v_f64 all_f64(double x) { return (v_f64){0} + x; }
static inline v_f32 all_f32(float x) { return (v_f32){0} + x; }

static const float SHIFTER_f32 = 0x1.8p23f, LOG2E_f32 = 0x1.715476p+0f;
static const double SHIFTER_f64 = 0x1.8p52, LOG2E_f64 = 0x1.71547652b82fep+0;

/* n in the last bits. */
static inline v_f32 shifted_f32(v_f32 x) { return fma_f32(x, all_f32(LOG2E_f32), all_f32(SHIFTER_f32)); }
static inline v_f64 shifted_f64(v_f64 x) { return x * LOG2E_f64 + SHIFTER_f64; }

static const float BIAS_f32 = 127;
static const double BIAS_f64 = 1023;

/* exp(x) / 2^m, where base is SHIFTER + m - BIAS; 0 where x <= cut, NaN where x is.  The result has to be a normal
 * number.  Off by less than 0.9 units in the last place.
 */
static inline v_f32 exp_over_f32(v_f32 x, v_f32 base, v_f32 cut) {
    const v_f32 t = shifted_f32(x), n = t - SHIFTER_f32;
    v_f32 r = fma_f32(n, all_f32(-0x1.62e43p-1f), x), p = all_f32(0x1.6a2262p-10f);
    r = fma_f32(n, all_f32(0x1.05c61p-29f), r);
    p = fma_f32(p, r, all_f32(0x1.123afcp-7f));
    p = fma_f32(p, r, all_f32(0x1.5558f8p-5f));
    p = fma_f32(p, r, all_f32(0x1.55549p-3f));
    p = fma_f32(p, r, all_f32(0x1.fffffcp-2f));
    p = fma_f32(p, r, all_f32(1));
    p = fma_f32(p, r, all_f32(1));
    const v_f32 scale = (v_f32)(((v_i32)t - (v_i32)base) << 23);
    return (v_f32)((v_i32)(p * scale) & ~(x <= cut));
}

/* The same; off by less than 0.75 units in the last place, as r and 1 + r are kept in two parts. */
static inline v_f64 exp_over_f64(v_f64 x, v_f64 base, v_f64 cut) {
    const v_f64 t = shifted_f64(x), n = t - SHIFTER_f64;
    const v_f64 a = x - n * 0x1.62e42fee00000p-1, b = n * 0x1.a39ef35793c76p-33, r = a - b, lost = (a - r) - b;
    v_f64 q = all_f64(0x1.ad7e8fc341e42p-26);
    q = q * r + 0x1.28ae2f987208ap-22;
    q = q * r + 0x1.71df2713dafd9p-19;
    q = q * r + 0x1.a019994954905p-16;
    q = q * r + 0x1.a01a01290699ap-13;
    q = q * r + 0x1.6c16c1846e0b6p-10;
    q = q * r + 0x1.111111112814dp-7;
    q = q * r + 0x1.555555555075cp-5;
    q = q * r + 0x1.55555555554f8p-3;
    q = q * r + 0x1.000000000000ap-1;
    const v_f64 high = r + 1, low = (1 - high) + r, p = high + ((low + lost) + r * r * q);
    const v_f64 scale = (v_f64)(((v_i64)t - (v_i64)base) << 52);
    return (v_f64)((v_i64)(p * scale) & ~(x <= cut));
}

/* exp x for x <= 0; 0 below -708. */
static inline v_f64 exp_f64(v_f64 x) { return exp_over_f64(x, all_f64(SHIFTER_f64 - BIAS_f64), all_f64(-708)); }

/* k ln 2 + log(1 + f) + c for sqrt(1/2) <= 1 + f < sqrt 2 and small c: with s = f / (2 + f),
 * log(1 + f) = 2 atanh s = f - (f^2 / 2 - s (f^2 / 2 + R(s^2))).
 */
static inline v_f64 log_of_parts(v_f64 k, v_f64 f, v_f64 c) {
    const v_f64 s = f / (2 + f), z = s * s, half = f * f * 0.5;
    v_f64 R = all_f64(0x1.2f056395f5a67p-3);
    R = R * z + 0x1.39a1bab2e7e3cp-3;
    R = R * z + 0x1.74663ee8bc916p-3;
    R = R * z + 0x1.c71c52095abb5p-3;
    R = R * z + 0x1.24924941f1295p-2;
    R = R * z + 0x1.999999997fdb7p-2;
    R = R * z + 0x1.5555555555592p-1;
    R = R * z;
    return k * 0x1.62e42fee00000p-1 - ((half - (s * (half + R) + (k * 0x1.a39ef35793c76p-33 + c))) - f);
}

/* v > 0, normal, as 2^k (1 + f). */
static inline v_f64 split_f64(v_f64 v, v_f64 *f) {
    const int64_t root_half = INT64_C(0x3fe6a09e667f3bcd);
    const v_i64 above = (v_i64)v - root_half, exponent = above >> 52;
    *f = (v_f64)((above & INT64_C(0xfffffffffffff)) + root_half) - 1;
    return (v_f64)(exponent + (v_i64)all_f64(SHIFTER_f64)) - SHIFTER_f64; /* exponent as a float64 */
}

/* log x for x > 0; subnormal numbers count as 2^-1022. */
static inline v_f64 log_f64(v_f64 x) {
    v_f64 f;
    const v_f64 k = split_f64(pick_f64(x < 0x1p-1022, all_f64(0x1p-1022), x), &f);
    return log_of_parts(k, f, all_f64(0));
}

/* log(1 + x) for x >= 0: what rounding takes from 1 + x is put back. */
static inline v_f64 log1p_f64(v_f64 x) {
    v_f64 f;
    const v_f64 u = 1 + x, k = split_f64(u, &f);
    const v_i64 near_one = k == 0, finite = u < all_f64((double)INFINITY);
    const v_f64 lost = pick_f64(x < 1, x - (u - 1), 1 - (u - x)) / u;
    return pick_f64(finite, log_of_parts(k, pick_f64(near_one, x, f), only_f64(~near_one, lost)), u);
}

static inline double log1p_one(double x) {
    const v_f64 y = log1p_f64(all_f64(x));
    return y[0];
}

/* 1 / (1 + exp(-s)), given e = exp(-|s|). */
static inline v_f64 sigmoid(v_f64 s, v_f64 e) { return pick_f64(s < 0, e, all_f64(1)) / (1 + e); }

#endif
