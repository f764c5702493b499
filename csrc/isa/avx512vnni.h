/* avx512vnni.h -- AVX-512 with VNNI: four products of bytes a lane in one instruction, the rest as avx512.h has it.
 *
 * vpdpbusd multiplies unsigned by signed bytes, on two ports.  Products: panels hold q - 128, so that P = acc + 128 *
 * sum(x). Minima: min(q, x) * 1, two instructions on two ports, where vpsadbw has only one.
 */
#include <immintrin.h>

#define FC_VNNI 1
#include "avx512.h"

typedef uint8_t cell_dot_u8;
static inline v_i32 step_dot_u8(v_i32 acc, v_i32 q, v_i32 x) {
    return (v_i32)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)x, (__m512i)q);
}
static inline v_i32 step_min_u8(v_i32 acc, v_i32 q, v_i32 x) {
    return (v_i32)_mm512_dpbusd_epi32((__m512i)acc, _mm512_min_epu8((__m512i)q, (__m512i)x), _mm512_set1_epi8(1));
}
