/* finite.c -- whether values are NaN or infinite. */
#include <stdatomic.h>

#include "core/matrix.h"
#include "core/sizes.h"
#include "core/threads.h"

enum { VALUES = 1 << 16 }; /* of a task, or one row's */

typedef struct {
    fc_matrix matrix;
    size_t step;             /* rows of a task */
    atomic_size_t first_bad; /* row */
} question;

/* What is not finite is no number less itself. */
#define FC_DEFINE_ALL_FINITE(dtype, type) \
    static int all_finite_##dtype(const void *values, size_t count) { \
        const type *v = values; \
        int bad = 0; \
        for (size_t i = 0; i < count; i++) bad |= v[i] - v[i] != 0; \
        return !bad; \
    }
FC_DEFINE_ALL_FINITE(f32, float)
FC_DEFINE_ALL_FINITE(f64, double)

/* Of values of two bytes: their bits but for the sign, and those of infinity. */
static int all_below(const void *values, size_t count, int infinite) {
    const uint16_t *v = values;
    int bad = 0;
    for (size_t i = 0; i < count; i++) bad |= (v[i] & FC_HALF_SIZE) >= infinite;
    return !bad;
}

static int all_finite(const fc_matrix *M, size_t row, size_t rows) {
    const size_t size = fc_dtype_size(M->dtype);
    const char *values = (const char *)M->data + row * M->cols * size;
    switch (M->dtype) {
    case FC_u8:
    case FC_i8:
        return 1;
    case FC_bf16:
        return all_below(values, rows * M->cols, FC_BFLOAT_INFINITE);
    case FC_f16:
        return all_below(values, rows * M->cols, FC_HALF_INFINITE);
    case FC_f32:
        return all_finite_f32(values, rows * M->cols);
    case FC_f64:
        return all_finite_f64(values, rows * M->cols);
    case FC_DTYPE_COUNT:
        break;
    }
    return 0;
}

static void note_bad(question *q, size_t row) {
    size_t first = atomic_load(&q->first_bad);
    while (row < first && !atomic_compare_exchange_weak(&q->first_bad, &first, row)) {
    }
}

static void look(void *job, fc_team *team, int thread) {
    question *q = job;
    for (size_t task; fc_next_task(team, &task) && !fc_stopped(team, thread);) {
        const size_t first = task * q->step, end = fc_smaller(first + q->step, q->matrix.rows);
        if (all_finite(&q->matrix, first, end - first)) continue;
        for (size_t row = first; row < end; row++)
            if (!all_finite(&q->matrix, row, 1)) {
                note_bad(q, row);
                break;
            }
    }
}

fc_status fc_first_not_finite(fc_matrix M, fc_run run, size_t *row) {
    if ((unsigned)M.dtype >= FC_DTYPE_COUNT || run.n_threads < 1) return FC_BAD_ARGUMENT;
    *row = M.rows;
    if (M.dtype == FC_u8 || M.dtype == FC_i8 || !M.rows || !M.cols) return FC_OK;
    question q = {.matrix = M, .step = M.cols < VALUES ? VALUES / M.cols : 1, .first_bad = M.rows};
    run.n_threads = fc_threads_for(run.n_threads, (double)M.rows * (double)M.cols);
    const fc_status status = fc_parallel(run, (M.rows - 1) / q.step + 1, look, &q);
    *row = q.first_bad;
    return status;
}
