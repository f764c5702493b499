/* avx512vnni.h -- AVX-512 with VNNI: four products of bytes a lane in one instruction, the rest as avx512.h has it.
 *
 * vpdpbusd multiplies unsigned by signed bytes, on two ports.  Products: panels hold q - 128, so that P = acc + 128 *
 * sum(x). Minima: min(q, x) * 1, two instructions on two ports, where vpsadbw has only one.
 */
#include <immintrin.h>

#define FC_VNNI 1
#define FC_MIN_U8_ROWS 12
#include "isa/avx512.h"

typedef uint8_t cell_dot_u8;
static inline v_i32 step_dot_u8(v_i32 acc, v_i32 q, v_i32 x) {
    return (v_i32)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)x, (__m512i)q);
}
static inline v_i32 step_min_u8(v_i32 acc, v_i32 q, v_i32 x) {
    return (v_i32)_mm512_dpbusd_epi32((__m512i)acc, _mm512_min_epu8((__m512i)q, (__m512i)x), _mm512_set1_epi8(1));
}

static inline v_i32 pair_product_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    const __m512i a = _mm512_loadu_si512(q), b = _mm512_loadu_si512(x), zero = _mm512_setzero_si512();
    const __m512i sum = _mm512_dpbusd_epi32(zero, b, _mm512_set1_epi8(1));
    const __m512i product = _mm512_dpbusd_epi32(zero, b, _mm512_xor_si512(a, _mm512_set1_epi8(-128)));
    return acc + (v_i32)product + ((v_i32)sum << 7);
}
