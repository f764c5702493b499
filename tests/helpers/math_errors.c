/* math_errors.c -- how far the vector functions of one instruction set are off, in units of the last place.
 *
 *   math_errors STEP        every STEP-th float32 from -126 to 0, and as many float64
 *
 * Prints "name error" for each function.  The references are the C library's functions of a wider type.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/math.inc.h"

enum { FRACTION_f32 = 24, FRACTION_f64 = 53 };

static uint64_t state = 20240607;

/* SplitMix64. */
static uint64_t draw(void) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double fraction(void) { return (double)(draw() >> 11) * 0x1p-53; }

/* The larger of `most` and the error of `found`; what is not a number is off by infinitely much. */
static double larger(double most, long double found, long double expected, int bits) {
    int exponent;
    frexpl(expected, &exponent);
    const double error = (double)(fabsl(found - expected) / ldexpl(1, exponent - bits));
    if (expected == 0) return found == 0 ? most : INFINITY;
    return error <= most ? most : isnan(error) ? INFINITY : error;
}

static double error_of_exp_f32(uint32_t step) {
    double most = 0;
    for (uint32_t bits = 0x80000000; bits < 0xc2fc0000; bits += step * F32_LANES) {
        v_f32 x;
        for (uint32_t l = 0; l < F32_LANES; l++) {
            const uint32_t lane = bits + l * step < 0xc2fc0000 ? bits + l * step : 0x80000000;
            float value;
            memcpy(&value, &lane, sizeof value);
            x[l] = value;
        }
        const v_f32 y = exp_over_f32(x, all_f32(SHIFTER_f32 - 60 - BIAS_f32), all_f32(-126));
        for (int l = 0; l < F32_LANES; l++) most = larger(most, y[l], exp((double)x[l]) * 0x1p60, FRACTION_f32);
    }
    return most;
}

static double draw_exponent(void) { return -ldexp(fraction(), (int)(draw() % 40) - 30); }
static double draw_positive(void) { return ldexp(fraction() + 0x1p-60, (int)(draw() % 400) - 200); }
static double draw_near_one(void) { return ldexp(fraction() + 0x1p-60, (int)(draw() % 60) - 50); }

static double error_of(v_f64 (*function)(v_f64), long double (*expected)(long double), double (*next)(void), size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i += F64_LANES) {
        v_f64 x;
        for (int l = 0; l < F64_LANES; l++) x[l] = next();
        const v_f64 y = function(x);
        for (int l = 0; l < F64_LANES; l++) most = larger(most, y[l], expected((long double)x[l]), FRACTION_f64);
    }
    return most;
}

int main(int count, char **words) {
    const uint32_t step = count > 1 ? (uint32_t)strtoul(words[1], NULL, 10) : 1;
    const size_t n = 100000000 / step;
    printf("exp_f32 %.4f\n", error_of_exp_f32(step));
    printf("exp_f64 %.4f\n", error_of(exp_f64, expl, draw_exponent, n));
    printf("log_f64 %.4f\n", error_of(log_f64, logl, draw_positive, n));
    printf("log1p_f64 %.4f\n",
           fmax(error_of(log1p_f64, log1pl, draw_positive, n), error_of(log1p_f64, log1pl, draw_near_one, n)));
    return 0;
}
