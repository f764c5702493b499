/* vectors.h -- vectors of FC_VBYTES in the compilers' own notation, for what needs no instruction of its own. */
#ifndef FASTCLF_VECTORS_H
#define FASTCLF_VECTORS_H

#include <stdint.h>
#include <string.h>

#define FC_VECTOR(type) type __attribute__((vector_size(FC_VBYTES)))

typedef FC_VECTOR(float) v_f32;
typedef FC_VECTOR(double) v_f64;
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

/* Absolute values: the sign bit cleared. */
static inline v_f32 abs_f32(v_f32 v) { return (v_f32)((v_i32)v & INT32_MAX); }
static inline v_f64 abs_f64(v_f64 v) { return (v_f64)((v_i64)v & INT64_MAX); }

#endif
