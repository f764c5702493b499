/* bytes.c -- whether values of a wider type are all integers from 0 to 255. */
#include "core/matrix.h"
#include "core/threads.h"

enum { AT_ONCE = 4096 }; /* values between two looks at the result */

typedef struct {
    fc_matrix matrix;
    int fit;
} question;

#define FC_DEFINE_ALL_BYTES(dtype, stored, type) \
    static int all_bytes_##dtype(const void *values, size_t count) { \
        const stored *v = values; \
        int all = 1; \
        for (size_t i = 0; i < count; i++) { \
            const type number = fc_number_##dtype(v[i]), inside = number >= 0 && number <= 255 ? number : (type)0.5; \
            all &= (type)(uint8_t)inside == inside; \
        } \
        return all; \
    }
FC_DEFINE_ALL_BYTES(bf16, uint16_t, float)
FC_DEFINE_ALL_BYTES(f16, uint16_t, float)
FC_DEFINE_ALL_BYTES(f32, float, float)
FC_DEFINE_ALL_BYTES(f64, double, double)

static int (*const all_bytes[FC_DTYPE_COUNT])(const void *, size_t) = {
    [FC_bf16] = all_bytes_bf16, [FC_f16] = all_bytes_f16, [FC_f32] = all_bytes_f32, [FC_f64] = all_bytes_f64};

static void look(void *job, fc_team *team, int thread) {
    question *q = job;
    const fc_matrix *M = &q->matrix;
    const size_t size = fc_dtype_size(M->dtype), total = M->rows * M->cols;
    size_t task;
    if (!fc_next_task(team, &task)) return;
    for (size_t i = 0; q->fit && i < total && !fc_stopped(team, thread); i += AT_ONCE)
        q->fit = all_bytes[M->dtype]((const char *)M->data + i * size, total - i < AT_ONCE ? total - i : AT_ONCE);
}

fc_status fc_fits_u8(fc_matrix matrix, int (*poll)(void), int *fits) {
    question q = {matrix, 1};
    fc_status status = FC_OK;
    if ((unsigned)matrix.dtype >= FC_DTYPE_COUNT) return FC_BAD_ARGUMENT;
    if (matrix.dtype == FC_i8)
        q.fit = 0;
    else if (matrix.dtype != FC_u8)
        status = fc_parallel((fc_run){1, poll}, 1, look, &q);
    *fits = q.fit;
    return status;
}
