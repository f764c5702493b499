/* convert.inc.h -- values of a dtype in another arithmetic.  Needs isa.h. */

#ifndef FC_WIDEN_F16
/* What fc_number_f16 does, of halves that each stand alone in an integer. */
static inline v_f32 number_of_halves(v_i32 half) {
    const v_i32 size = half & FC_HALF_SIZE, is_small = size < FC_HALF_NORMAL, is_infinite = size >= FC_HALF_INFINITE;
    const v_i32 bits = (size << FC_HALF_SHIFT) + FC_HALF_BIAS + (is_infinite & FC_HALF_BIAS);
    const v_i32 least = is_small & (FC_HALF_BIAS + FC_FLOAT_ONE_MORE); /* 2^-14, or 0 */
    const v_f32 v = (v_f32)(bits + (is_small & FC_FLOAT_ONE_MORE)) - (v_f32)least;
    return (v_f32)((v_i32)v | (half ^ size) << 16);
}

/* Two vectors of them: an integer holds one in its lower half, and the next in its upper one. */
static inline void widen_f16(const uint16_t *p, float *out) {
    const v_i32 two = load_v_i32(p);
    const v_f32 even = number_of_halves(two & UINT16_MAX), odd = number_of_halves(two >> 16 & UINT16_MAX);
    const v_f32 low = zip_low_f32(even, odd), high = zip_high_f32(even, odd);
    memcpy(out, &low, sizeof low);
    memcpy(out + F32_LANES, &high, sizeof high);
}
#endif

static void f16_to_f32(const void *values, size_t count, void *out) {
    const uint16_t *in = values;
    float *to = out;
    size_t i = 0;
    for (; i + 2 * F32_LANES <= count; i += 2 * F32_LANES) widen_f16(in + i, to + i);
    for (; i < count; i++) to[i] = fc_number_f16(in[i]);
}

enum { CONVERTED = 128 }; /* at a time */

/* By way of float. */
static void f16_to_f64(const void *values, size_t count, void *out) {
    float part[CONVERTED];
    for (size_t from = 0; from < count; from += CONVERTED) {
        const size_t n = fc_smaller(CONVERTED, count - from);
        double *to = (double *)out + from;
        f16_to_f32((const uint16_t *)values + from, n, part);
        for (size_t i = 0; i < n; i++) to[i] = (double)part[i];
    }
}

/* From -128..127 to 0..255. */
static inline uint8_t moved(int8_t v) { return (uint8_t)(v + FC_MOVED); }

#define FC_DEFINE_CONVERT(from, from_type, to, to_type, number) \
    static void from##_to_##to(const void *values, size_t count, void *out) { \
        const from_type *in = values; \
        to_type *of = out; \
        for (size_t i = 0; i < count; i++) of[i] = (to_type)number(in[i]); \
    }
FC_DEFINE_CONVERT(u8, uint8_t, f32, float, fc_number_u8)
FC_DEFINE_CONVERT(u8, uint8_t, f64, double, fc_number_u8)
FC_DEFINE_CONVERT(i8, int8_t, u8, uint8_t, moved)
FC_DEFINE_CONVERT(i8, int8_t, f32, float, fc_number_i8)
FC_DEFINE_CONVERT(i8, int8_t, f64, double, fc_number_i8)
FC_DEFINE_CONVERT(bf16, uint16_t, u8, uint8_t, fc_number_bf16)
FC_DEFINE_CONVERT(bf16, uint16_t, f32, float, fc_number_bf16)
FC_DEFINE_CONVERT(bf16, uint16_t, f64, double, fc_number_bf16)
FC_DEFINE_CONVERT(f16, uint16_t, u8, uint8_t, fc_number_f16)
FC_DEFINE_CONVERT(f32, float, u8, uint8_t, fc_number_f32)
FC_DEFINE_CONVERT(f32, float, f64, double, fc_number_f32)
FC_DEFINE_CONVERT(f64, double, u8, uint8_t, fc_number_f64)
FC_DEFINE_CONVERT(f64, double, f32, float, fc_number_f64)

#define FC_CONVERT_ENTRIES \
    [FC_u8] = {[FC_IN_f32] = u8_to_f32, [FC_IN_f64] = u8_to_f64}, \
    [FC_i8] = {[FC_IN_u8] = i8_to_u8, [FC_IN_f32] = i8_to_f32, [FC_IN_f64] = i8_to_f64}, \
    [FC_bf16] = {[FC_IN_u8] = bf16_to_u8, [FC_IN_f32] = bf16_to_f32, [FC_IN_f64] = bf16_to_f64}, \
    [FC_f16] = {[FC_IN_u8] = f16_to_u8, [FC_IN_f32] = f16_to_f32, [FC_IN_f64] = f16_to_f64}, \
    [FC_f32] = {[FC_IN_u8] = f32_to_u8, [FC_IN_f64] = f32_to_f64}, \
    [FC_f64] = {[FC_IN_u8] = f64_to_u8, [FC_IN_f32] = f64_to_f32},
