/* prune.inc.h -- which accumulators of a block stand for rows that may be among the nearest.
 *
 * A pair is pruned where  scale * (acc + Iq + Ix) + E * B + T < A;  of sketches, where  ... + E * B + F * T < A * R.
 * A NaN is not less than anything: its pair survives.
 */
#ifndef FASTCLF_ISA_PRUNE
#define FASTCLF_ISA_PRUNE

#include "isa/isa.h"

#ifndef FC_LIST_SURVIVORS
/* Append the numbers, from `first` on, of the bits that are set. */
static inline size_t list_survivors(unsigned bits, size_t first, uint32_t *survivors, size_t n) {
    for (; bits; bits &= bits - 1) survivors[n++] = (uint32_t)(first + (size_t)__builtin_ctz(bits));
    return n;
}
#endif

static size_t keep_u8(const void *acc, size_t rows, size_t lanes, const fc_pruning *s, uint32_t *survivors) {
    const float *A = s->A, *E = s->E, *B = s->B, *T = s->T;
    size_t n = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t l = 0; l < lanes; l += F32_LANES) {
            const v_i32 p = load_v_i32((const int32_t *)acc + r * lanes + l) + load_v_i32(s->Iq + l) + s->Ix[r];
            const v_f32 left =
                s->scale * __builtin_convertvector(p, v_f32) + E[r] * load_v_f32(B + l) + load_v_f32(T + l);
            n = list_survivors(not_less_f32(left, spread_f32(A + r)), r * lanes + l, survivors, n);
        }
    return n;
}

static size_t keep_sketches(const void *acc, size_t rows, size_t lanes, const fc_pruning *s, uint32_t *survivors) {
    const float *A = s->A, *E = s->E, *F = s->F;
    const int32_t *Ix = s->Ix;
    const float scale = s->scale;
    size_t n = 0;
    for (size_t l = 0; l < lanes; l += F32_LANES) {
        const v_f32 B = load_v_f32((const float *)s->B + l), T = load_v_f32((const float *)s->T + l);
        const v_f32 R = load_v_f32(s->R + l);
        const v_i32 Iq = load_v_i32(s->Iq + l);
        for (size_t r = 0; r < rows; r++) {
            const v_i32 p = load_v_i32((const int32_t *)acc + r * lanes + l) + Iq + Ix[r];
            const v_f32 left = scale * __builtin_convertvector(p, v_f32) + E[r] * B + F[r] * T;
            n = list_survivors(not_less_f32(left, A[r] * R), r * lanes + l, survivors, n);
        }
    }
    return n;
}

#define FC_DEFINE_KEEP(dtype, type) \
    static size_t keep_##dtype(const void *acc, size_t rows, size_t lanes, const fc_pruning *s, uint32_t *survivors) { \
        const type *A = s->A, *E = s->E, *B = s->B, *T = s->T; \
        size_t n = 0; \
        for (size_t r = 0; r < rows; r++) \
            for (size_t l = 0; l < lanes; l += (size_t)(FC_VBYTES / sizeof(type))) { \
                const v_##dtype p = load_v_##dtype((const type *)acc + r * lanes + l); \
                const v_##dtype left = (type)s->scale * p + E[r] * load_v_##dtype(B + l) + load_v_##dtype(T + l); \
                n = list_survivors(not_less_##dtype(left, spread_##dtype(A + r)), r * lanes + l, survivors, n); \
            } \
        return n; \
    }
FC_DEFINE_KEEP(f32, float)
FC_DEFINE_KEEP(f64, double)

#define FC_KEEP_ENTRIES [FC_IN_u8] = keep_u8, [FC_IN_f32] = keep_f32, [FC_IN_f64] = keep_f64

#endif
