/* avx2.h -- AVX2 and FMA.  16 registers: 12 accumulators (6 rows x 2 vectors, or 3 x 4), the panel's vectors, one
 * value.
 */
#include <immintrin.h>

#define FC_VBYTES 32
#include "isa/vectors.h"

#define FC_FUSED_STEPS /* step_dot_f64 rounds once */

/* Of linear.inc.h: rows and classes of scores, and classes and vectors of gradients, summed in registers together. */
#define FC_LINEAR_ROWS 2
#define FC_LINEAR_CLASSES 3
#define FC_LINEAR_VECTORS 4

/* Of matmul.inc.h: rows, and vectors of columns. */
#define FC_MATMUL_ROWS 6
#define FC_MATMUL_VECTORS 2

/* GCC would not keep a vector that two steps use in a register: each step would read it from memory.  Scores take a
 * tenth less time so.
 */
#ifndef __clang__
#define FC_IN_REGISTER(v) __asm__("" : "+x"(v))
#endif

/* Rows against four vectors.  GCC reads a panel's vectors again for each row.  Clang keeps them all in registers, and
 * of three rows it would keep two sums in memory: what is added to these waits for them.
 */
#ifdef __clang__
#define FC_ROWS_BY_4 2
#else
#define FC_ROWS_BY_4 3
#endif

#define FC_TILES(X) \
    X(dot, u8, 16, 6) \
    X(dot, f32, 16, 6) \
    X(dot, f64, 16, FC_ROWS_BY_4) \
    X(min, u8, 16, FC_ROWS_BY_4) \
    X(min, f32, 16, 6) \
    X(min, f64, 16, 3) /* as fast with three by either compiler */

static inline v_f32 spread_f32(const void *p) { return (v_f32)_mm256_set1_ps(*(const float *)p); }
static inline v_f64 spread_f64(const void *p) { return (v_f64)_mm256_set1_pd(*(const double *)p); }
static inline v_i32 spread_i32(const void *p) { return (v_i32)_mm256_set1_epi32(load_i32(p)); }
static inline v_i64 spread_i64(const void *p) { return (v_i64)_mm256_set1_epi64x(load_i64(p)); }

static inline v_f32 step_dot_f32(v_f32 acc, v_f32 q, v_f32 x) {
    return (v_f32)_mm256_fmadd_ps((__m256)q, (__m256)x, (__m256)acc);
}
static inline v_f64 step_dot_f64(v_f64 acc, v_f64 q, v_f64 x) {
    return (v_f64)_mm256_fmadd_pd((__m256d)q, (__m256d)x, (__m256d)acc);
}
static inline v_f32 step_min_f32(v_f32 acc, v_f32 q, v_f32 x) {
    return acc + (v_f32)_mm256_min_ps((__m256)q, (__m256)x);
}
static inline v_f64 step_min_f64(v_f64 acc, v_f64 q, v_f64 x) {
    return acc + (v_f64)_mm256_min_pd((__m256d)q, (__m256d)x);
}
static inline v_i64 step_min_u8(v_i64 acc, v_i64 q, v_i64 x) {
    return acc + (v_i64)_mm256_sad_epu8((__m256i)q, (__m256i)x);
}

#define FC_STEP_MAX_U8 /* GCC's vectors of comparisons take three times as long */
static inline v_i32 step_max_u8(v_i32 acc, v_i32 q, v_i32 x) {
    const __m256i a = (__m256i)q, b = (__m256i)x;
    const __m256i gap = _mm256_or_si256(_mm256_subs_epu8(a, b), _mm256_subs_epu8(b, a));
    return (v_i32)_mm256_max_epu8((__m256i)acc, gap);
}

typedef int16_t cell_dot_u8;
static inline v_i32 step_dot_u8(v_i32 acc, v_i32 q, v_i32 x) {
    return acc + (v_i32)_mm256_madd_epi16((__m256i)q, (__m256i)x);
}

static inline v_f32 fma_f32(v_f32 a, v_f32 b, v_f32 c) { return step_dot_f32(c, a, b); }
static inline v_f64 fma_f64(v_f64 a, v_f64 b, v_f64 c) { return step_dot_f64(c, a, b); }
static inline v_f32 max_f32(v_f32 a, v_f32 b) { return (v_f32)_mm256_max_ps((__m256)a, (__m256)b); }
static inline v_f64 max_f64(v_f64 a, v_f64 b) { return (v_f64)_mm256_max_pd((__m256d)a, (__m256d)b); }

static inline void narrow_f32(float *to, v_f64 v) { _mm_storeu_ps(to, _mm256_cvtpd_ps((__m256d)v)); }
static inline half_i32 narrow_i64(v_i64 v) {
    const __m256i low = _mm256_permutevar8x32_epi32((__m256i)v, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    return (half_i32)_mm256_castsi256_si128(low);
}

static inline unsigned not_less_f32(v_f32 a, v_f32 b) {
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_NLT_UQ));
}
static inline unsigned not_less_f64(v_f64 a, v_f64 b) {
    return (unsigned)_mm256_movemask_pd(_mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_NLT_UQ));
}
static inline unsigned equal_f32(v_f32 a, v_f32 b) {
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_EQ_OQ));
}
static inline unsigned equal_f64(v_f64 a, v_f64 b) {
    return (unsigned)_mm256_movemask_pd(_mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_EQ_OQ));
}

#define FC_WIDEN_U8
static inline v_f32 widen_u8(const uint8_t *p) {
    return (v_f32)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}

static inline v_f64 widen_f32(const float *p) { return (v_f64)_mm256_cvtps_pd(_mm_loadu_ps(p)); }

/* Two vectors of halves. */
#define FC_WIDEN_F16
static inline void widen_f16(const uint16_t *p, float *out) {
    const __m128i *v = (const __m128i *)p;
    _mm256_storeu_ps(out, _mm256_cvtph_ps(_mm_loadu_si128(v)));
    _mm256_storeu_ps(out + 8, _mm256_cvtph_ps(_mm_loadu_si128(v + 1)));
}

/* Sums over FC_VBYTES bytes; bytes are widened by pairing them with zeros, in whatever order. */
static inline __m256i load_u8(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline v_i32 add_products(v_i32 acc, __m256i q, __m256i x) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi8(q, zero), _mm256_unpacklo_epi8(x, zero));
    const __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi8(q, zero), _mm256_unpackhi_epi8(x, zero));
    return acc + (v_i32)low + (v_i32)high;
}
static inline v_i32 pair_sqdiff_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    const __m256i a = load_u8(q), b = load_u8(x), t = _mm256_sub_epi8(_mm256_max_epu8(a, b), _mm256_min_epu8(a, b));
    return add_products(acc, t, t);
}
static inline v_i32 pair_product_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return add_products(acc, load_u8(q), load_u8(x));
}
static inline v_i32 pair_absdiff_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return acc + (v_i32)_mm256_sad_epu8(load_u8(q), load_u8(x));
}
