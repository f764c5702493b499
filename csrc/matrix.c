#include "matrix.h"

#include "kernels.h"

#define FC_FORMAT(name, type, format) format,
char fc_dtype_format(fc_dtype dtype) {
    static const char formats[] = {FC_DTYPES(FC_FORMAT)};
    return (unsigned)dtype < FC_DTYPE_COUNT ? formats[dtype] : 0;
}

#define FC_TYPEDEF(name, type, format) typedef type fc_type_##name;
FC_DTYPES(FC_TYPEDEF)

#define FC_DEFINE_CONVERT(from, to) \
    static void from##_to_##to(const void *x, size_t count, void *room) { \
        const fc_type_##from *in = x; \
        fc_type_##to *out = room; \
        for (size_t i = 0; i < count; i++) out[i] = (fc_type_##to)in[i]; \
    }
FC_DEFINE_CONVERT(u8, f32)
FC_DEFINE_CONVERT(u8, f64)
FC_DEFINE_CONVERT(f32, u8)
FC_DEFINE_CONVERT(f32, f64)
FC_DEFINE_CONVERT(f64, u8)
FC_DEFINE_CONVERT(f64, f32)

const void *fc_converted(const void *values, fc_dtype from, size_t count, fc_dtype to, void *room) {
    static void (*const convert[FC_DTYPE_COUNT][FC_DTYPE_COUNT])(const void *, size_t, void *) = {
        [FC_u8] = {[FC_f32] = u8_to_f32, [FC_f64] = u8_to_f64},
        [FC_f32] = {[FC_u8] = f32_to_u8, [FC_f64] = f32_to_f64},
        [FC_f64] = {[FC_u8] = f64_to_u8, [FC_f32] = f64_to_f32}};
    convert[from][to](values, count, room);
    return room;
}

fc_dtype fc_common_dtype(const fc_matrix *a, const fc_matrix *b, int bytes) {
    const fc_dtype dtype = bytes ? FC_u8 : a->dtype > b->dtype ? a->dtype : b->dtype;
    return dtype == FC_u8 && a->cols > FC_U8_MAX_COLS ? FC_f32 : dtype;
}
