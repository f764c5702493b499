/* few.inc.h -- few queries against the sketches of many rows.  A lane is a row: with a query to a lane, most lanes of a
 * tile would be empty.
 *
 * Rows are read in place, in whole vectors: the bytes after a row meet the zeros after a query, and count nothing.
 */
#ifndef FASTCLF_ISA_FEW
#define FASTCLF_ISA_FEW

#include "isa/neighbors/prune.inc.h"

#ifdef FC_VNNI
static inline v_i32 few_dot_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return step_dot_u8(acc, load_v_i32(q), load_v_i32(x));
}
static inline v_i32 few_min_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return step_min_u8(acc, load_v_i32(q), load_v_i32(x));
}
#define FC_FEW_TERMS_dot .flip = 0x80, .from_x = 128
#else
FC_DEFINE_LOAD(load_v_u8, v_u8)
static inline v_i32 few_dot_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    return pair_product_u8_step(acc, q, x);
}
static inline v_i32 few_min_step(v_i32 acc, const uint8_t *q, const uint8_t *x) {
    static const uint8_t zeros[FC_VBYTES];
    const v_u8 a = load_v_u8(q), b = load_v_u8(x), less = (v_u8)(a < b);
    const v_u8 least = (a & less) | (b & ~less);
    return pair_absdiff_u8_step(acc, (const uint8_t *)&least, zeros);
}
#define FC_FEW_TERMS_dot .flip = 0
#endif
#define FC_FEW_TERMS_min .flip = 0

/* Lane 2 l: a[l] + a[l + half the lanes]; lane 2 l + 1: the same of b. */
static inline v_i32 halve(v_i32 a, v_i32 b) {
    return (v_i32)zip_low_f32((v_f32)a, (v_f32)b) + (v_i32)zip_high_f32((v_f32)a, (v_f32)b);
}

/* Sums of a query with rows l, l + step, l + 2 step, ...: `name` of so many rows, in the order of the lanes.  Halves
 * are added as soon as they are there, so that few wait in registers.
 */
#define FC_DEFINE_FEW_ROWS(kind, name, half) \
    FC_INLINED v_i32 few_##kind##_##name(const uint8_t *query, const uint8_t *rows, size_t stride, size_t cols, \
                                         int step) { \
        return halve(few_##kind##_##half(query, rows, stride, cols, 2 * step), \
                     few_##kind##_##half(query, rows + (size_t)step * stride, stride, cols, 2 * step)); \
    }

#if FC_VBYTES == 64
#define FC_FEW_LANES(name) name##16
#elif FC_VBYTES == 32
#define FC_FEW_LANES(name) name##8
#else
#define FC_FEW_LANES(name) name##4
#endif

#define FC_DEFINE_FEW(kind) \
    FC_INLINED v_i32 few_##kind##_1(const uint8_t *query, const uint8_t *row, size_t stride, size_t cols, int step) { \
        (void)stride, (void)step; \
        v_i32 sum = few_##kind##_step((v_i32){0}, query, row); \
        for (size_t i = FC_VBYTES; i < cols; i += FC_VBYTES) sum = few_##kind##_step(sum, query + i, row + i); \
        return sum; \
    } \
    FC_DEFINE_FEW_ROWS(kind, 2, 1) \
    FC_DEFINE_FEW_ROWS(kind, 4, 2) \
    FC_DEFINE_FEW_ROWS(kind, 8, 4) \
    FC_DEFINE_FEW_ROWS(kind, 16, 8) \
    static void few_##kind(const uint8_t *query, const uint8_t *rows, size_t stride, size_t cols, size_t n, \
                           int32_t *acc) { \
        for (size_t r = 0; r < n; r += F32_LANES, rows += F32_LANES * stride) { \
            const v_i32 sums = FC_FEW_LANES(few_##kind##_)(query, rows, stride, cols, 1); \
            memcpy(acc + r, &sums, sizeof sums); \
        } \
    }
FC_DEFINE_FEW(dot)
FC_DEFINE_FEW(min)

#define FC_FEW_ENTRY(kind) [FC_TILE_##kind] = {.run = few_##kind, FC_FEW_TERMS_##kind}
#define FC_FEW_ENTRIES FC_FEW_ENTRY(dot), FC_FEW_ENTRY(min)

/* A vector holds the rows from r on: the bits of its lanes whose row is less than `rows`. */
static inline unsigned lanes_within(size_t r, size_t rows) {
    return rows - r < F32_LANES ? (1u << (rows - r)) - 1 : ~0u;
}

static size_t keep_few(const int32_t *acc, size_t rows, const fc_pruning *s, uint32_t *survivors) {
    const float *A = s->A, *E = s->E, *F = s->F, B = *(const float *)s->B, T = *(const float *)s->T, R = *s->R;
    const int32_t *Ix = s->Ix, Iq = *s->Iq;
    size_t n = 0;
    for (size_t r = 0; r < rows; r += F32_LANES) {
        const v_i32 p = load_v_i32(acc + r) + load_v_i32(Ix + r) + Iq;
        const v_f32 left = 2 * __builtin_convertvector(p, v_f32) + load_v_f32(E + r) * B + load_v_f32(F + r) * T;
        const unsigned bits = not_less_f32(left, load_v_f32(A + r) * R) & lanes_within(r, rows);
        if (bits) n = list_survivors(bits, r, survivors, n);
    }
    return n;
}

/* --- the pruning terms of rows -------------------------------------------------------------------------------- */

/* Word i of the terms of each of F32_LANES sketches; words are in the order of fc_sketch_terms. */
enum { SKETCH_WORDS = sizeof(fc_sketch_terms) / sizeof(int32_t) };
#ifndef FC_TAKE_WORDS
static inline v_i32 take_words(const int32_t *words, int i) {
    v_i32 v;
    for (int l = 0; l < F32_LANES; l++) v[l] = words[l * SKETCH_WORDS + i];
    return v;
}
#endif
typedef struct {
    v_f32 residual, error, step;
    v_i32 sum, squares;
} sketch_lanes;

static inline sketch_lanes take_sketches(const int32_t *words) {
    return (sketch_lanes){(v_f32)take_words(words, 0), (v_f32)take_words(words, 1), (v_f32)take_words(words, 2),
                          take_words(words, 3), take_words(words, 4)};
}

/* Each operation here, and each in pruning, may be off by 2^-24 of its result. */
static const float SKETCH_ROUNDING = 32 * 0x1p-24f;

/* `a` where it is within FC_SKETCH_MOST and no product of the row's terms overflows in pruning; else -inf, which
 * survives.
 */
static inline v_f32 if_tame(v_f32 a, v_f32 by_step, v_f32 beyond_steps) {
    const v_i32 tame =
        (by_step >= 0x1p-30f) & (by_step <= 0x1p30f) & (beyond_steps <= 0x1p50f) & (abs_f32(a) < FC_SKETCH_MOST);
    const v_f32 infinite = (v_f32){0} - INFINITY;
    return (v_f32)(((v_i32)a & tame) | ((v_i32)infinite & ~tame));
}

static inline void terms_of_lanes(const fc_sketch_terms *t, const fc_sketch_units *u, float *A, float *E, float *F,
                                  int32_t *Ix) {
    const sketch_lanes x = take_sketches((const int32_t *)(const void *)t);
    const v_i32 codes = x.sum + u->zeros, shift = codes * u->shift;
    const v_f32 by_step = u->squares ? u->unit / x.step : (v_f32){0} + 1;
    const v_f32 steps = x.step * u->by_unit, residual = x.residual * u->by_unit, e = x.error * u->by_unit * u->error;
    const v_f32 own =
        u->squares ? steps * __builtin_convertvector(x.squares, v_f32) : __builtin_convertvector(codes, v_f32);
    const v_f32 beyond_steps = residual * by_step, most = own + residual * beyond_steps;
    const v_f32 error = !u->has_error ? (v_f32){0} : u->squares ? e * e * by_step : x.error / x.step;
    const v_f32 a = most - error, low = a - SKETCH_ROUNDING * (most + abs_f32(a)) - FC_SKETCH_FLOOR;
    const v_f32 tame = if_tame(low, by_step, beyond_steps);
    memcpy(A, &tame, sizeof tame);
    memcpy(E, &beyond_steps, sizeof beyond_steps);
    memcpy(F, &by_step, sizeof by_step);
    memcpy(Ix, &shift, sizeof shift);
}

static inline v_f32 roots_f32(v_f32 v) {
    float roots[F32_LANES];
    memcpy(roots, &v, sizeof v);
    for (int l = 0; l < F32_LANES; l++) roots[l] = sqrtf(roots[l]);
    return load_v_f32(roots);
}

/* Of products (neighbors/product_stage.c).  Each operation of pruning is off by 2^-24 of its result at most.  The terms
 * but T and A come to no more than 2 |Q||X|: 32 times that is taken from A, as a part of R |X|, and of A and T as much.
 */
static inline void product_terms_of_lanes(const fc_sketch_terms *t, const fc_sketch_units *u, float *A, float *E,
                                          float *F, int32_t *Ix) {
    const sketch_lanes x = take_sketches((const int32_t *)(const void *)t);
    const v_i32 shift = (x.sum + u->zeros) * u->shift;
    const v_f32 by_step = u->unit / x.step, beyond_steps = x.residual * u->by_unit * by_step;
    const v_f32 length = roots_f32(__builtin_convertvector(x.squares, v_f32) + beyond_steps * beyond_steps);
    const v_f32 error = x.error * u->by_unit * by_step + (u->error + 2 * SKETCH_ROUNDING) * length;
    const v_f32 counted = u->has_error ? 2 * (1 + SKETCH_ROUNDING) * error : (v_f32){0};
    const v_f32 tame = if_tame(-counted - FC_SKETCH_FLOOR, by_step, beyond_steps);
    memcpy(A, &tame, sizeof tame);
    memcpy(E, &beyond_steps, sizeof beyond_steps);
    memcpy(F, &by_step, sizeof by_step);
    memcpy(Ix, &shift, sizeof shift);
}

static inline void some_terms(const fc_sketch_terms *t, const fc_sketch_units *u, float *A, float *E, float *F,
                              int32_t *Ix) {
    (u->is_product ? product_terms_of_lanes : terms_of_lanes)(t, u, A, E, F, Ix);
}

static void sketch_terms(const fc_sketch_terms *t, size_t rows, const fc_sketch_units *u, float *A, float *E, float *F,
                         int32_t *Ix) {
    size_t r = 0;
    for (; r + F32_LANES <= rows; r += F32_LANES) some_terms(t + r, u, A + r, E + r, F + r, Ix + r);
    if (r < rows) {
        fc_sketch_terms last[F32_LANES] = {{0}};
        memcpy(last, t + r, (rows - r) * sizeof *t);
        some_terms(last, u, A + r, E + r, F + r, Ix + r);
    }
}

#endif
