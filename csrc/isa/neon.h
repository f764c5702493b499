/* neon.h -- Armv8 Advanced SIMD.  32 registers: 24 accumulators (6 rows x 4 vectors, or 3 x 8). */
#include <arm_neon.h>

#define FC_VBYTES 16
#include "isa/vectors.h"

#define FC_FUSED_STEPS /* step_dot_f64 rounds once */

/* Of linear.inc.h: rows and classes of scores, and classes and vectors of gradients, summed in registers together. */
#define FC_LINEAR_ROWS 2
#define FC_LINEAR_CLASSES 3
#define FC_LINEAR_VECTORS 4

/* Of matmul.inc.h: rows, and vectors of columns. */
#define FC_MATMUL_ROWS 8
#define FC_MATMUL_VECTORS 3

#define FC_TILES(X) \
    X(dot, u8, 16, 4) \
    X(dot, f32, 16, 6) \
    X(dot, f64, 16, 3) \
    X(min, u8, 16, 2) \
    X(min, f32, 16, 6) \
    X(min, f64, 16, 3)

static inline v_f32 spread_f32(const void *p) { return (v_f32)vld1q_dup_f32(p); }
static inline v_f64 spread_f64(const void *p) { return (v_f64)vld1q_dup_f64(p); }
static inline v_i32 spread_i32(const void *p) { return (v_i32)vld1q_dup_s32(p); }
static inline v_i64 spread_i64(const void *p) { return (v_i64)vld1q_dup_s64(p); }

static inline v_f32 step_dot_f32(v_f32 acc, v_f32 q, v_f32 x) {
    return (v_f32)vfmaq_f32((float32x4_t)acc, (float32x4_t)q, (float32x4_t)x);
}
static inline v_f64 step_dot_f64(v_f64 acc, v_f64 q, v_f64 x) {
    return (v_f64)vfmaq_f64((float64x2_t)acc, (float64x2_t)q, (float64x2_t)x);
}
static inline v_f32 step_min_f32(v_f32 acc, v_f32 q, v_f32 x) {
    return acc + (v_f32)vminq_f32((float32x4_t)q, (float32x4_t)x);
}
static inline v_f64 step_min_f64(v_f64 acc, v_f64 q, v_f64 x) {
    return acc + (v_f64)vminq_f64((float64x2_t)q, (float64x2_t)x);
}

typedef int16_t cell_dot_u8;
static inline v_i32 step_dot_u8(v_i32 acc, v_i32 q, v_i32 x) {
    const int16x8_t a = (int16x8_t)q, b = (int16x8_t)x;
    return acc + (v_i32)vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b));
}
static inline v_i64 step_min_u8(v_i64 acc, v_i64 q, v_i64 x) {
    return (v_i64)vpadalq_u32((uint64x2_t)acc, vpaddlq_u16(vpaddlq_u8(vabdq_u8((uint8x16_t)q, (uint8x16_t)x))));
}

static inline v_f32 fma_f32(v_f32 a, v_f32 b, v_f32 c) { return step_dot_f32(c, a, b); }
static inline v_f64 fma_f64(v_f64 a, v_f64 b, v_f64 c) { return step_dot_f64(c, a, b); }
static inline v_f32 max_f32(v_f32 a, v_f32 b) { return (v_f32)vmaxq_f32((float32x4_t)a, (float32x4_t)b); }
static inline v_f64 max_f64(v_f64 a, v_f64 b) { return (v_f64)vmaxq_f64((float64x2_t)a, (float64x2_t)b); }

static inline void narrow_f32(float *to, v_f64 v) { vst1_f32(to, vcvt_f32_f64((float64x2_t)v)); }
static inline half_i32 narrow_i64(v_i64 v) { return (half_i32)vmovn_s64((int64x2_t)v); }

/* A bit for each lane of a mask. */
static inline unsigned bits_f32(uint32x4_t mask) { return vaddvq_u32(vandq_u32(mask, (uint32x4_t){1, 2, 4, 8})); }
static inline unsigned bits_f64(uint64x2_t mask) { return (unsigned)vaddvq_u64(vandq_u64(mask, (uint64x2_t){1, 2})); }

static inline unsigned not_less_f32(v_f32 a, v_f32 b) {
    return bits_f32(vmvnq_u32(vcltq_f32((float32x4_t)a, (float32x4_t)b)));
}
static inline unsigned not_less_f64(v_f64 a, v_f64 b) { return bits_f64(~vcltq_f64((float64x2_t)a, (float64x2_t)b)); }
static inline unsigned equal_f32(v_f32 a, v_f32 b) { return bits_f32(vceqq_f32((float32x4_t)a, (float32x4_t)b)); }
static inline unsigned equal_f64(v_f64 a, v_f64 b) { return bits_f64(vceqq_f64((float64x2_t)a, (float64x2_t)b)); }

static inline v_f64 widen_f32(const float *p) { return (v_f64)vcvt_f64_f32(vld1_f32(p)); }

/* Sums over FC_VBYTES bytes. */
static inline v_i32 add_products(v_i32 acc, uint8x16_t q, uint8x16_t x) {
    const uint32x4_t low = vpadalq_u16((uint32x4_t)acc, vmull_u8(vget_low_u8(q), vget_low_u8(x)));
    return (v_i32)vpadalq_u16(low, vmull_high_u8(q, x));
}
static inline v_i32 pair_sqdiff_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    const uint8x16_t t = vabdq_u8(vld1q_u8(q), vld1q_u8(x));
    return add_products(acc, t, t);
}
static inline v_i32 pair_product_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return add_products(acc, vld1q_u8(q), vld1q_u8(x));
}
static inline v_i32 pair_absdiff_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return (v_i32)vpadalq_u16((uint32x4_t)acc, vpaddlq_u8(vabdq_u8(vld1q_u8(q), vld1q_u8(x))));
}
