/* avx512.h -- AVX-512 F, BW, DQ, VL.
 *
 * 32 registers: 24 accumulators (12 rows x 2 vectors, or 6 x 4), the panel's vectors and one value spread over a
 * vector. Multiply-add, minimum and add have two ports (latency 4), vpsadbw one; spreading a value from memory is a
 * load.
 */
#include <immintrin.h>

#define FC_VBYTES 64
#include "isa/vectors.h"

#define FC_FUSED_STEPS /* step_dot_f64 rounds once */

/* Of linear.inc.h: rows and classes of scores, and classes and vectors of gradients, summed in registers together. */
#define FC_LINEAR_ROWS 4
#define FC_LINEAR_CLASSES 6
#define FC_LINEAR_VECTORS 4

/* Of matmul.inc.h: rows, and vectors of columns. */
#define FC_MATMUL_ROWS 8
#define FC_MATMUL_VECTORS 3

#define FC_TILES(X) \
    X(dot, u8, 32, FC_DOT_U8_ROWS) \
    FC_OTHER_TILES(X)
#define FC_OTHER_TILES(X) \
    X(dot, f32, 32, 12) \
    X(dot, f64, 16, 12) \
    X(min, u8, 32, FC_MIN_U8_ROWS) \
    X(min, f32, 32, 12) \
    X(min, f64, 16, 12)

/* A set that includes this header may have set these already. */
#ifndef FC_DOT_U8_ROWS
#define FC_DOT_U8_ROWS 12
#endif
#ifndef FC_MIN_U8_ROWS
#define FC_MIN_U8_ROWS 6 /* of four vectors each: a lane takes eight bytes */
#endif

#ifndef FC_VNNI
typedef int16_t cell_dot_u8;
static inline v_i32 step_dot_u8(v_i32 acc, v_i32 q, v_i32 x) {
    return acc + (v_i32)_mm512_madd_epi16((__m512i)q, (__m512i)x);
}
static inline v_i64 step_min_u8(v_i64 acc, v_i64 q, v_i64 x) {
    return acc + (v_i64)_mm512_sad_epu8((__m512i)q, (__m512i)x);
}
#endif

static inline v_f32 spread_f32(const void *p) { return (v_f32)_mm512_set1_ps(*(const float *)p); }
static inline v_f64 spread_f64(const void *p) { return (v_f64)_mm512_set1_pd(*(const double *)p); }
static inline v_i32 spread_i32(const void *p) { return (v_i32)_mm512_set1_epi32(load_i32(p)); }
static inline v_i64 spread_i64(const void *p) { return (v_i64)_mm512_set1_epi64(load_i64(p)); }

static inline v_f32 step_dot_f32(v_f32 acc, v_f32 q, v_f32 x) {
    return (v_f32)_mm512_fmadd_ps((__m512)q, (__m512)x, (__m512)acc);
}
static inline v_f64 step_dot_f64(v_f64 acc, v_f64 q, v_f64 x) {
    return (v_f64)_mm512_fmadd_pd((__m512d)q, (__m512d)x, (__m512d)acc);
}
static inline v_f32 step_min_f32(v_f32 acc, v_f32 q, v_f32 x) {
    return acc + (v_f32)_mm512_min_ps((__m512)q, (__m512)x);
}
static inline v_f64 step_min_f64(v_f64 acc, v_f64 q, v_f64 x) {
    return acc + (v_f64)_mm512_min_pd((__m512d)q, (__m512d)x);
}

static inline v_f32 fma_f32(v_f32 a, v_f32 b, v_f32 c) { return step_dot_f32(c, a, b); }
static inline v_f64 fma_f64(v_f64 a, v_f64 b, v_f64 c) { return step_dot_f64(c, a, b); }
static inline v_f32 max_f32(v_f32 a, v_f32 b) { return (v_f32)_mm512_max_ps((__m512)a, (__m512)b); }
static inline v_f64 max_f64(v_f64 a, v_f64 b) { return (v_f64)_mm512_max_pd((__m512d)a, (__m512d)b); }

static inline half_i32 narrow_i64(v_i64 v) { return (half_i32)_mm512_cvtepi64_epi32((__m512i)v); }
static inline void narrow_f32(float *to, v_f64 v) { _mm256_storeu_ps(to, _mm512_cvtpd_ps((__m512d)v)); }

static inline unsigned not_less_f32(v_f32 a, v_f32 b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NLT_UQ); }
static inline unsigned not_less_f64(v_f64 a, v_f64 b) {
    return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_NLT_UQ);
}
static inline unsigned equal_f32(v_f32 a, v_f32 b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ); }
static inline unsigned equal_f64(v_f64 a, v_f64 b) { return _mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_EQ_OQ); }

/* No branch, as none could be predicted; `survivors` has space for one vector more. */
#define FC_LIST_SURVIVORS
static inline size_t list_survivors(unsigned bits, size_t first, uint32_t *survivors, size_t n) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i numbers = _mm512_add_epi32(_mm512_set1_epi32((int)first), lane);
    _mm512_storeu_si512(survivors + n, _mm512_maskz_compress_epi32((__mmask16)bits, numbers));
    return n + (size_t)__builtin_popcount(bits);
}

/* Word i of each of 16 groups of five. */
#define FC_TAKE_WORDS
static inline v_i32 take_words(const int32_t *words, int i) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i at = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(5)), _mm512_set1_epi32(i));
    const __m512i *v = (const __m512i *)words;
    const __m512i first = _mm512_permutex2var_epi32(_mm512_loadu_si512(v), at, _mm512_loadu_si512(v + 1)),
                  next = _mm512_permutex2var_epi32(_mm512_loadu_si512(v + 2), at, _mm512_loadu_si512(v + 3)),
                  last = _mm512_permutexvar_epi32(at, _mm512_loadu_si512(v + 4));
    const __mmask16 is_next = _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(32)),
                    is_last = _mm512_cmpge_epi32_mask(at, _mm512_set1_epi32(64));
    return (v_i32)_mm512_mask_mov_epi32(_mm512_mask_mov_epi32(first, is_next, next), is_last, last);
}

#define FC_WIDEN_U8
static inline v_f32 widen_u8(const uint8_t *p) {
    return (v_f32)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

static inline v_f64 widen_f32(const float *p) { return (v_f64)_mm512_cvtps_pd(_mm256_loadu_ps(p)); }

/* Two vectors of halves. */
#define FC_WIDEN_F16
static inline void widen_f16(const uint16_t *p, float *out) {
    const __m256i *v = (const __m256i *)p;
    _mm512_storeu_ps(out, _mm512_cvtph_ps(_mm256_loadu_si256(v)));
    _mm512_storeu_ps(out + 16, _mm512_cvtph_ps(_mm256_loadu_si256(v + 1)));
}

/* Sums over FC_VBYTES bytes; bytes are widened by pairing them with zeros, in whatever order. */
static inline v_i32 add_products(v_i32 acc, __m512i q, __m512i x) {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i low = _mm512_madd_epi16(_mm512_unpacklo_epi8(q, zero), _mm512_unpacklo_epi8(x, zero));
    const __m512i high = _mm512_madd_epi16(_mm512_unpackhi_epi8(q, zero), _mm512_unpackhi_epi8(x, zero));
    return acc + (v_i32)low + (v_i32)high;
}
static inline v_i32 pair_sqdiff_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    const __m512i a = _mm512_loadu_si512(q), b = _mm512_loadu_si512(x);
    const __m512i t = _mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b));
    return add_products(acc, t, t);
}
#ifndef FC_VNNI
static inline v_i32 pair_product_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return add_products(acc, _mm512_loadu_si512(q), _mm512_loadu_si512(x));
}
#endif
static inline v_i32 pair_absdiff_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return acc + (v_i32)_mm512_sad_epu8(_mm512_loadu_si512(q), _mm512_loadu_si512(x));
}
