/* sparse.c -- products of a sparse matrix with a dense one. */
#include "linear/kernels.h"
#include "core/matrix.h"
#include "core/sizes.h"
#include "core/threads.h"

enum { TASK_VALUES = 1 << 14 }; /* of the sparse matrix, about */

typedef struct {
    const fc_sparse *product;
    size_t step;
    char *out;
} sparse_job;

/* Looked at when the columns are about to be used. */
int fc_sparse_columns_fit(const fc_sparse *s, size_t from, size_t to) {
    const size_t end = fc_sparse_start(s, to);
    int ok = 1;
    for (size_t i = fc_sparse_start(s, from); i < end; i++) ok &= s->index[i] >= 0 && (size_t)s->index[i] < s->M.rows;
    return ok;
}

static void run_thread(void *data, fc_team *team, int thread) {
    const sparse_job *j = data;
    const fc_sparse *s = j->product;
    for (size_t task; fc_next_task(team, &task);) {
        const size_t from = task * j->step, to = fc_smaller(from + j->step, s->rows);
        char *out = j->out + from * s->M.cols * fc_dtype_size(s->M.dtype);
        if (fc_sparse_columns_fit(s, from, to))
            fc_linear_kernels_active(fc_arithmetic_of(s->M.dtype))->sparse_product(s, from, to, out);
        else
            fc_stop(team, FC_BAD_ARGUMENT);
        fc_stopped(team, thread);
    }
}

int fc_sparse_fits(const fc_sparse *s) {
    size_t entries;
    const fc_arithmetic in = fc_arithmetic_of(s->M.dtype);
    if (!fc_is_float(in) || !fc_is_stored(s->M.dtype, in)) return 0;
    if ((unsigned)s->dtype >= FC_DTYPE_COUNT || !fc_is_stored(s->dtype, fc_arithmetic_of(s->dtype)) || s->M.cols == 0)
        return 0;
    if (__builtin_mul_overflow(s->rows, s->M.cols, &entries) || entries > PTRDIFF_MAX / sizeof(double)) return 0;
    if (s->M.rows == 0 && s->values > 0) return 0;
    int ok = s->start[0] == 0 && (uint64_t)s->start[s->rows] <= s->values;
    for (size_t i = 0; i < s->rows; i++) ok &= s->start[i] <= s->start[i + 1];
    return ok;
}

fc_status fc_sparse_product(const fc_sparse *s, fc_run run, void *out) {
    if (run.n_threads < 1 || !fc_sparse_fits(s)) return FC_BAD_ARGUMENT;
    sparse_job j = {s, 1 + TASK_VALUES * s->rows / (s->values + 1), out};
    if (j.step > s->rows) j.step = s->rows + 1;
    run.n_threads = fc_threads_for(run.n_threads, 4 * (double)s->values * (double)s->M.cols);
    return fc_parallel(run, (s->rows + j.step - 1) / j.step, run_thread, &j);
}
