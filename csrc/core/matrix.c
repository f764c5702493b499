#include "core/matrix.h"

#include "core/kernels.h"

#define FC_FORMAT(name, type, format) format,
char fc_dtype_format(fc_dtype dtype) {
    static const char formats[] = {FC_DTYPES(FC_FORMAT)};
    return (unsigned)dtype < FC_DTYPE_COUNT ? formats[dtype] : 0;
}

const void *fc_converted(const void *values, fc_dtype from, size_t count, fc_arithmetic to, void *buffer) {
    fc_core_kernels_active()->convert[from][to](values, count, buffer);
    return buffer;
}

fc_arithmetic fc_arithmetic_of(fc_dtype dtype) {
    switch (dtype) {
    case FC_u8:
        return FC_IN_u8;
    case FC_i8:
    case FC_bf16:
    case FC_f16:
    case FC_f32:
        return FC_IN_f32;
    case FC_f64:
        return FC_IN_f64;
    case FC_DTYPE_COUNT:
        break;
    }
    return FC_ARITHMETIC_COUNT;
}

fc_arithmetic fc_common_arithmetic(const fc_matrix *a, const fc_matrix *b, int bytes) {
    const fc_arithmetic of_a = fc_arithmetic_of(a->dtype), of_b = fc_arithmetic_of(b->dtype);
    const int are_moved = a->dtype == FC_i8 && b->dtype == FC_i8;
    const fc_arithmetic common = bytes || are_moved ? FC_IN_u8 : of_a > of_b ? of_a : of_b;
    return common == FC_IN_u8 && a->cols > FC_U8_MAX_COLS ? FC_IN_f32 : common;
}
