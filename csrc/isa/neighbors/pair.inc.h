/* pair.inc.h -- the terms of one pair of vectors, added to FC_LANES partial sums.  For bytes, distances are made of
 * these sums; for floats, bounds on distances are.  Or the largest terms: a distance is made of them as they are.
 *
 * Floats: the two values as float64, one subtraction or product, one addition, each rounded once and never contracted;
 * lane l takes features l, l + 16, ...  The last, partial step takes features one by one: a vector made of its few
 * values would wait for them to be stored.  Bytes: exact integers, added to lane 0.
 */
#ifndef FASTCLF_ISA_PAIR
#define FASTCLF_ISA_PAIR

#include "isa/neighbors/load.inc.h"

enum { PAIR_VECTORS = FC_LANES / F64_LANES };

static inline v_f64 sqdiff_with(v_f64 sum, v_f64 q, v_f64 x) { return sum + (q - x) * (q - x); }
static inline v_f64 absdiff_with(v_f64 sum, v_f64 q, v_f64 x) { return sum + abs_f64(q - x); }
static inline v_f64 product_with(v_f64 sum, v_f64 q, v_f64 x) { return sum + q * x; }
static inline v_f64 maxdiff_with(v_f64 most, v_f64 q, v_f64 x) { return max_f64(most, abs_f64(q - x)); }

static inline double sqdiff_with_one(double sum, double q, double x) { return sum + (q - x) * (q - x); }
static inline double absdiff_with_one(double sum, double q, double x) { return sum + fabs(q - x); }
static inline double product_with_one(double sum, double q, double x) { return sum + q * x; }
static inline double maxdiff_with_one(double most, double q, double x) { return fmax(most, fabs(q - x)); }

#define FC_DEFINE_PAIR(kind, dtype, type) \
    static inline void add_##kind##_##dtype(v_f64 *acc, const type *q, const type *x) { \
        FC_UNROLL \
        for (int v = 0; v < PAIR_VECTORS; v++) \
            acc[v] = kind##_with(acc[v], widen_##dtype(q + v * F64_LANES), widen_##dtype(x + v * F64_LANES)); \
    } \
    static void pair_##kind##_##dtype(double *lanes, const void *q, const void *x, size_t d) { \
        const type *a = q, *b = x; \
        if (d >= FC_LANES) { \
            v_f64 acc[PAIR_VECTORS]; \
            FC_UNROLL \
            for (int v = 0; v < PAIR_VECTORS; v++) acc[v] = load_v_f64(lanes + v * F64_LANES); \
            for (; d >= FC_LANES; d -= FC_LANES, a += FC_LANES, b += FC_LANES) add_##kind##_##dtype(acc, a, b); \
            FC_UNROLL \
            for (int v = 0; v < PAIR_VECTORS; v++) memcpy(lanes + v * F64_LANES, &acc[v], sizeof acc[v]); \
        } \
        for (size_t l = 0; l < d; l++) lanes[l] = kind##_with_one(lanes[l], (double)a[l], (double)b[l]); \
    }

#define FC_DEFINE_PAIR_U8(kind) \
    static void pair_##kind##_u8(double *lanes, const void *q, const void *x, size_t d) { \
        v_i32 acc = {0}; \
        size_t i = 0; \
        for (; i + U8_STEP <= d; i += U8_STEP) \
            acc = pair_##kind##_u8_step(acc, (const uint8_t *)q + i, (const uint8_t *)x + i); \
        if (i < d) { \
            uint8_t a[U8_STEP], b[U8_STEP]; \
            take_u8(a, (const uint8_t *)q + i, d - i); \
            take_u8(b, (const uint8_t *)x + i, d - i); \
            acc = pair_##kind##_u8_step(acc, a, b); \
        } \
        lanes[0] += (double)total_i32(acc); \
    }

FC_DEFINE_PAIR_U8(sqdiff)
FC_DEFINE_PAIR_U8(absdiff)
FC_DEFINE_PAIR_U8(product)

/* Loops that compilers make vectors of.  Of at most FC_U8_MAX_COLS features, sums stay below 2^31. */
#define FC_DEFINE_PAIR_I8(kind, step) \
    static int32_t pair_##kind##_i8(const int8_t *q, const int8_t *x, size_t d) { \
        int32_t sum = 0; \
        for (size_t i = 0; i < d; i++) { \
            const int16_t a = q[i], b = x[i]; \
            step; \
        } \
        return sum; \
    }
FC_DEFINE_PAIR_I8(sqdiff, const int16_t t = (int16_t)(a - b); sum += t * t)
FC_DEFINE_PAIR_I8(absdiff, sum += a < b ? b - a : a - b)
FC_DEFINE_PAIR_I8(product, sum += a * b)
FC_DEFINE_PAIR_I8(maxdiff, const int32_t t = a < b ? b - a : a - b; sum = t > sum ? t : sum)
#define FC_PAIR_I8_ENTRY(kind) [FC_PAIR_##kind] = pair_##kind##_i8,

static void pair_maxdiff_u8(double *lanes, const void *q, const void *x, size_t d) {
    const uint8_t *a = q, *b = x;
    uint8_t most = 0;
    for (size_t i = 0; i < d; i++) {
        const uint8_t gap = (uint8_t)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
        most = gap > most ? gap : most;
    }
    lanes[0] = fmax(lanes[0], most);
}

#define FC_DEFINE_PAIRS(kind) FC_DEFINE_PAIR(kind, f32, float) FC_DEFINE_PAIR(kind, f64, double)
FC_PAIRS(FC_DEFINE_PAIRS)

#define FC_PAIR_ENTRY(kind) \
    [FC_PAIR_## \
        kind] = {[FC_IN_u8] = pair_##kind##_u8, [FC_IN_f32] = pair_##kind##_f32, [FC_IN_f64] = pair_##kind##_f64},

#endif
