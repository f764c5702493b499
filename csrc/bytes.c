/* bytes.c -- whether values of a wider type are all integers from 0 to 255. */
#include "matrix.h"
#include "threads.h"

enum { AT_ONCE = 4096 }; /* values between two looks at the result */

typedef struct {
    fc_matrix matrix;
    int fit;
} question;

#define FC_DEFINE_ALL_BYTES(dtype, type) \
    static int all_bytes_##dtype(const void *values, size_t count) { \
        const type *v = values; \
        int all = 1; \
        for (size_t i = 0; i < count; i++) { \
            const type inside = v[i] >= 0 && v[i] <= 255 ? v[i] : (type)0.5; \
            all &= (type)(uint8_t)inside == inside; \
        } \
        return all; \
    }
FC_DEFINE_ALL_BYTES(f32, float)
FC_DEFINE_ALL_BYTES(f64, double)

static int (*const all_bytes[FC_DTYPE_COUNT])(const void *,
                                              size_t) = {[FC_f32] = all_bytes_f32, [FC_f64] = all_bytes_f64};

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
    if (matrix.dtype != FC_u8) status = fc_parallel((fc_run){1, poll}, 1, look, &q);
    *fits = q.fit;
    return status;
}
