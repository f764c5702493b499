/* numbers.h -- the numbers that stored values stand for, one at a time. */
#ifndef FASTCLF_NUMBERS_H
#define FASTCLF_NUMBERS_H

#include <stdint.h>
#include <string.h>

/* Of the bits of a float's exponent and of one of binary16: the least exponent is that of subnormal numbers. */
enum {
    FC_HALF_SIZE = 0x7fff,       /* all but the sign */
    FC_HALF_NORMAL = 0x0400,     /* the least normal number */
    FC_HALF_INFINITE = 0x7c00,   /* and NaN, from here on */
    FC_BFLOAT_INFINITE = 0x7f80, /* of bfloat16, and NaN, from here on */
    FC_HALF_SHIFT = 13,          /* from its fraction to a float's */
    FC_FLOAT_ONE_MORE = 1 << 23,
    FC_HALF_BIAS = 112 << 23, /* of exponents, added once more for what is not finite */
};

static inline float fc_float_of_bits(uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint8_t fc_number_u8(uint8_t v) { return v; }
static inline int8_t fc_number_i8(int8_t v) { return v; }
static inline float fc_number_bf16(uint16_t bits) { return fc_float_of_bits((uint32_t)bits << 16); }
static inline float fc_number_f32(float v) { return v; }
static inline double fc_number_f64(double v) { return v; }

/* A subnormal number, 0.f * 2^-14, is 1.f * 2^-14 less 2^-14: no float is subnormal on the way. */
static inline float fc_number_f16(uint16_t half) {
    const uint32_t size = half & FC_HALF_SIZE, sign = (uint32_t)(half ^ size) << 16;
    const uint32_t bits = (size << FC_HALF_SHIFT) + FC_HALF_BIAS;
    float v = fc_float_of_bits(bits + (size >= FC_HALF_INFINITE ? FC_HALF_BIAS : 0));
    if (size < FC_HALF_NORMAL) v = fc_float_of_bits(bits + FC_FLOAT_ONE_MORE) - 0x1p-14f;
    return sign ? -v : v;
}

#endif
