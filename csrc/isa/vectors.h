/* vectors.h -- vectors of FC_VBYTES in the compilers' own notation, for what needs no instruction of its own. */
#ifndef FASTCLF_VECTORS_H
#define FASTCLF_VECTORS_H

#include <stdint.h>
#include <string.h>

#include "core/shapes.h"

#define FC_VECTOR(type) type __attribute__((vector_size(FC_VBYTES)))

typedef FC_VECTOR(float) v_f32;
typedef FC_VECTOR(double) v_f64;
typedef FC_VECTOR(uint8_t) v_u8;
typedef FC_VECTOR(int32_t) v_i32;
typedef FC_VECTOR(int64_t) v_i64;
typedef int32_t half_i32 __attribute__((vector_size(FC_VBYTES / 2)));

enum { F32_LANES = FC_VBYTES / 4, F64_LANES = FC_VBYTES / 8 };

/* memcpy is how C spells an unaligned load; each of these is one instruction. */
#define FC_DEFINE_LOAD(name, vector) \
    static inline vector name(const void *p) { \
        vector v; \
        memcpy(&v, p, sizeof v); \
        return v; \
    }
FC_DEFINE_LOAD(load_v_f32, v_f32)
FC_DEFINE_LOAD(load_v_f64, v_f64)
FC_DEFINE_LOAD(load_v_i32, v_i32)
FC_DEFINE_LOAD(load_v_i64, v_i64)
FC_DEFINE_LOAD(load_half_i32, half_i32)
FC_DEFINE_LOAD(load_i32, int32_t)
FC_DEFINE_LOAD(load_i64, int64_t)
FC_DEFINE_LOAD(load_f64, double)

/* Ask for the line at `offset` of each stretch that is to come. */
static inline void fc_prefetch(const fc_ahead ahead[FC_AHEADS], size_t offset) {
    for (int a = 0; a < FC_AHEADS; a++)
        for (size_t i = 0; i < ahead[a].count; i++)
            __builtin_prefetch(ahead[a].at + i * ahead[a].stride + offset, 0, 2);
}

/* Lanes of a and b in turn: those of their lower and of their higher halves. */
#ifdef __clang__
#define FC_SHUFFLE(integers, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FC_SHUFFLE(integers, a, b, ...) __builtin_shuffle(a, b, (integers){__VA_ARGS__})
#endif
#define FC_LOW_2 0, 2
#define FC_HIGH_2 1, 3
#define FC_LOW_4 0, 4, 1, 5
#define FC_HIGH_4 2, 6, 3, 7
#define FC_LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define FC_HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define FC_LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define FC_HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define FC_DEFINE_ZIP(dtype, integers, lanes) \
    static inline v_##dtype zip_low_##dtype(v_##dtype a, v_##dtype b) { \
        return FC_SHUFFLE(integers, a, b, FC_LOW_##lanes); \
    } \
    static inline v_##dtype zip_high_##dtype(v_##dtype a, v_##dtype b) { \
        return FC_SHUFFLE(integers, a, b, FC_HIGH_##lanes); \
    }
#if FC_VBYTES == 64
FC_DEFINE_ZIP(f32, v_i32, 16)
FC_DEFINE_ZIP(f64, v_i64, 8)
#elif FC_VBYTES == 32
FC_DEFINE_ZIP(f32, v_i32, 8)
FC_DEFINE_ZIP(f64, v_i64, 4)
#else
FC_DEFINE_ZIP(f32, v_i32, 4)
FC_DEFINE_ZIP(f64, v_i64, 2)
#endif

/* As float64; isa headers have it of float. */
static inline v_f64 widen_f64(const double *p) { return load_v_f64(p); }

/* Absolute values: the sign bit cleared. */
static inline v_f32 abs_f32(v_f32 v) { return (v_f32)((v_i32)v & INT32_MAX); }
static inline v_f64 abs_f64(v_f64 v) { return (v_f64)((v_i64)v & INT64_MAX); }

#endif
