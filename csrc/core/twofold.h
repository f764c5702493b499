/* twofold.h -- numbers held as two float64, high + low: sums and products without an error, quotients and roots with a
 * relative one of a few 2^-104.  high is the nearest float64 to the number unless said otherwise.
 */
#ifndef FASTCLF_TWOFOLD_H
#define FASTCLF_TWOFOLD_H

#include <math.h>

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define FC_HAS_FMA /* a b + c, rounded once, in one instruction */
#endif

typedef struct {
    double high, low;
} fc_twofold;

/* a + b exactly, of any two; and where |a| >= |b|. */
static inline fc_twofold fc_two_sum(double a, double b) {
    const double sum = a + b, part = sum - a;
    return (fc_twofold){sum, (a - (sum - part)) + (b - part)};
}
static inline fc_twofold fc_fast_two_sum(double a, double b) {
    const double sum = a + b;
    return (fc_twofold){sum, b - (sum - a)};
}

/* a * b exactly, unless that is more than 2^996 or has bits below 2^-1074.  By halves of 26 bits where there is no
 * fused operation.
 */
static inline fc_twofold fc_two_product(double a, double b) {
    const double product = a * b;
#ifdef FC_HAS_FMA
    return (fc_twofold){product, __builtin_fma(a, b, -product)};
#else
    const double splitter = 0x1p27 + 1, a_part = splitter * a, b_part = splitter * b;
    const double a1 = a_part - (a_part - a), b1 = b_part - (b_part - b), a2 = a - a1, b2 = b - b1;
    return (fc_twofold){product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2};
#endif
}

static inline __attribute__((always_inline)) fc_twofold fc_twofold_sum(fc_twofold a, fc_twofold b) {
    const fc_twofold high = fc_two_sum(a.high, b.high), low = fc_two_sum(a.low, b.low);
    const fc_twofold sum = fc_fast_two_sum(high.high, high.low + low.high);
    return fc_fast_two_sum(sum.high, sum.low + low.low);
}

static inline fc_twofold fc_twofold_product(fc_twofold a, fc_twofold b) {
    const fc_twofold high = fc_two_product(a.high, b.high);
    return fc_fast_two_sum(high.high, high.low + (a.high * b.low + a.low * b.high));
}

static inline fc_twofold fc_twofold_quotient(fc_twofold a, fc_twofold b) {
    const double quotient = a.high / b.high;
    const fc_twofold taken = fc_two_product(quotient, b.high);
    const double rest = ((a.high - taken.high) - taken.low) + (a.low - quotient * b.low);
    return fc_fast_two_sum(quotient, rest / b.high);
}

/* Of a positive number. */
static inline fc_twofold fc_twofold_root(fc_twofold a) {
    const double root = sqrt(a.high);
    const fc_twofold square = fc_two_product(root, root);
    return fc_fast_two_sum(root, (((a.high - square.high) - square.low) + a.low) / (2 * root));
}

static inline fc_twofold fc_twofold_negative(fc_twofold a) { return (fc_twofold){-a.high, -a.low}; }

#endif
