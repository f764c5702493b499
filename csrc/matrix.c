#include "matrix.h"

#include "kernels.h"

#define FC_SIZE(name, type, format) sizeof(type),
size_t fc_dtype_size(fc_dtype dtype) {
    static const size_t sizes[] = {FC_DTYPES(FC_SIZE)};
    return sizes[dtype];
}

#define FC_FORMAT(name, type, format) format,
char fc_dtype_format(fc_dtype dtype) {
    static const char formats[] = {FC_DTYPES(FC_FORMAT)};
    return (unsigned)dtype < FC_DTYPE_COUNT ? formats[dtype] : 0;
}

#define FC_DEFINE_WIDEN(from, to) \
    static void widen_##from##_##to(const void *x, size_t count, void *room) { \
        const fc_type_##from *in = x; \
        fc_type_##to *out = room; \
        for (size_t i = 0; i < count; i++) out[i] = (fc_type_##to)in[i]; \
    }
#define FC_TYPEDEF(name, type, format) typedef type fc_type_##name;
FC_DTYPES(FC_TYPEDEF)
FC_DEFINE_WIDEN(u8, f32)
FC_DEFINE_WIDEN(u8, f64)
FC_DEFINE_WIDEN(f32, f64)

const void *fc_row_part(const fc_matrix *X, size_t row, size_t from, size_t count, fc_dtype dtype, void *room) {
    static void (*const widen[FC_DTYPE_COUNT][FC_DTYPE_COUNT])(const void *, size_t, void *) = {
        [FC_u8] = {[FC_f32] = widen_u8_f32, [FC_f64] = widen_u8_f64}, [FC_f32] = {[FC_f64] = widen_f32_f64}};
    const char *x = (const char *)X->data + (row * X->cols + from) * fc_dtype_size(X->dtype);
    if (X->dtype == dtype) return x;
    widen[X->dtype][dtype](x, count, room);
    return room;
}

fc_dtype fc_common_dtype(const fc_matrix *a, const fc_matrix *b) {
    const fc_dtype dtype = a->dtype > b->dtype ? a->dtype : b->dtype;
    return dtype == FC_u8 && a->cols > FC_U8_MAX_COLS ? FC_f32 : dtype;
}
