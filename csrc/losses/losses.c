/* losses.c -- losses and gradients of a batch: checks, tasks of some rows each, scratch, sums. */
#include "losses/losses.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "losses/kernels.h"
#include "core/matrix.h"
#include "core/memory.h"
#include "core/once.h"
#include "core/sizes.h"
#include "core/threads.h"

#define FC_NAME_OF(name, ...) #name,
static const char *const names[] = {FC_SCORE_LOSSES(FC_NAME_OF) FC_ROW_LOSSES(FC_NAME_OF)};
#undef FC_NAME_OF

const char *fc_loss_name(fc_loss loss) { return (unsigned)loss < FC_LOSS_COUNT ? names[loss] : ""; }

#define FC_CASE(name, ...) || loss == FC_##name
int fc_loss_has_softmax(fc_loss loss) { return 0 FC_SOFTMAX_LOSSES(FC_CASE); }
static int is_score_loss(fc_loss loss) { return 0 FC_SCORE_LOSSES(FC_CASE); }
static int is_hinge(fc_loss loss) { return 0 FC_HINGE_LOSSES(FC_CASE); }
#undef FC_CASE

/* For the number of threads: a second thread pays from some 60 000 scores. */
static const double WORK_PER_SCORE = 64;

typedef struct {
    const fc_batch *batch;
    size_t step; /* rows a task */
    double *loss, *each;
    void *gradient;
    atomic_size_t bad_row;
} loss_job;

/* Tasks begin in order, and a task that has begun is finished: so the first of all rows without an answer is found. */
static void note_bad(loss_job *j, size_t row, fc_team *team) {
    size_t first = atomic_load(&j->bad_row);
    while (row < first && !atomic_compare_exchange_weak(&j->bad_row, &first, row)) {
    }
    fc_stop(team, FC_BAD_ROW);
}

int fc_loss_allocate(fc_loss_scratch *scratch, const fc_batch *b) {
    const size_t step = fc_loss_step(b), cols = b->scores.cols,
                 buffer = fc_round_up(fc_smaller(step * cols, cols > FC_LOSS_STEP ? cols : FC_LOSS_STEP), FC_LANES) +
                          FC_LANES;
    scratch->memory = fc_allocate_lines(FC_LOSS_BUFFERS * buffer * sizeof(double));
    for (size_t i = 0; scratch->memory && i < FC_LOSS_BUFFERS; i++) scratch->buffer[i] = scratch->memory + i * buffer;
    return scratch->memory != NULL;
}

/* Copy the labels of rows from `first`.  Where another thread has made a label no class, it becomes -1: left out. */
static void copy_labels(const fc_batch *b, size_t first, size_t rows, int64_t *label) {
    for (size_t i = 0; i < rows; i++) {
        const int64_t now = FC_ONCE(b->label[first + i]);
        label[i] = now < (int64_t)b->scores.cols ? now : -1;
    }
}

size_t fc_losses_of_rows(const fc_batch *b, const fc_loss_scratch *scratch, size_t first, size_t rows, double *loss,
                         double *each, void *gradient) {
    const size_t cols = b->scores.cols, step = fc_loss_step(b), size = fc_dtype_size(b->scores.dtype);
    int64_t label[FC_LOSS_STEP];
    for (size_t done = 0; done < rows; done += step) {
        const size_t row = first + done;
        fc_batch_part part = {.batch = b, .first = row, .rows = fc_smaller(step, rows - done)};
        if (b->label) copy_labels(b, row, part.rows, label);
        if (b->label) part.label = label;
        if (loss) part.loss = loss + row;
        if (each) part.each = each + row * cols;
        if (gradient) part.gradient = (char *)gradient + row * cols * size;
        for (size_t i = 0; i < FC_LOSS_BUFFERS; i++) part.buffer[i] = scratch->buffer[i];
        const size_t answered = fc_loss_kernels_active()->losses[b->loss][fc_arithmetic_of(b->scores.dtype)](&part);
        if (answered < part.rows) return done + answered;
    }
    return rows;
}

static void run_thread(void *data, fc_team *team, int thread) {
    loss_job *j = data;
    fc_loss_scratch scratch;
    if (!fc_loss_allocate(&scratch, j->batch)) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; fc_next_task(team, &task);) {
        const size_t first = task * j->step, rows = fc_smaller(j->step, j->batch->scores.rows - first);
        const size_t answered = fc_losses_of_rows(j->batch, &scratch, first, rows, j->loss, j->each, j->gradient);
        if (answered < rows) note_bad(j, first + answered, team);
        fc_stopped(team, thread);
    }
    fc_free_lines(scratch.memory);
}

static int labels_fit(const fc_batch *b) {
    int ok = 1;
    for (size_t i = 0; i < b->scores.rows; i++)
        ok &= (uint64_t)b->label[i] + 1 <= b->scores.cols; /* -1, left out, becomes 0; less is large */
    return ok;
}

/* Softmax has no target; every other loss has one, and the hinges' is a label. */
static int targets_fit(const fc_batch *b) {
    const fc_matrix *s = &b->scores, *t = &b->target;
    if (b->loss == FC_softmax || b->loss == FC_log_softmax) return !b->label && !t->data;
    if (b->label) return labels_fit(b);
    return !is_hinge(b->loss) && (t->data || !s->rows) && (unsigned)t->dtype < FC_DTYPE_COUNT &&
           (unsigned)b->targets <= FC_PROBABILITIES && t->rows == s->rows && t->cols == s->cols;
}

static int has_loss_of_scores(fc_loss loss) { return is_score_loss(loss) || loss == FC_softmax_mse; }

/* Score losses keep all of a part in scratch: at most FC_LOSS_STEP values.  Others keep only a row or a tile, and a
 * ratio for each row: at most FC_LOSS_STEP rows.  A part has at least one row, and whole tiles of rows where it can.
 */
size_t fc_loss_step(const fc_batch *b) {
    const size_t scores = is_score_loss(b->loss) ? FC_LOSS_STEP / 2 : 8 * FC_LOSS_STEP;
    const size_t rows = fc_smaller(scores / b->scores.cols, FC_LOSS_STEP);
    if (rows > FC_LANES) return rows - rows % FC_LANES;
    return rows ? rows : 1;
}

int fc_batch_fits(const fc_batch *b) {
    size_t entries;
    const fc_arithmetic in = fc_arithmetic_of(b->scores.dtype);
    if ((unsigned)b->loss >= FC_LOSS_COUNT || !fc_is_float(in) || !fc_is_stored(b->scores.dtype, in)) return 0;
    if (b->scores.cols == 0 || !targets_fit(b)) return 0;
    if (__builtin_mul_overflow(b->scores.rows, b->scores.cols, &entries) || entries > PTRDIFF_MAX / sizeof(double))
        return 0;
    return b->label_smoothing >= 0 && b->label_smoothing <= 1 && b->hinge_width >= 0 &&
           b->hinge_width < (double)INFINITY;
}

fc_status fc_losses(const fc_batch *b, fc_run run, double *loss, double *each, void *gradient, size_t *bad_row) {
    if (!fc_batch_fits(b) || run.n_threads < 1 || (each && !has_loss_of_scores(b->loss))) return FC_BAD_ARGUMENT;
    loss_job j = {b, fc_loss_step(b), loss, each, gradient, SIZE_MAX};
    run.n_threads = fc_threads_for(run.n_threads, (double)(b->scores.rows * b->scores.cols) * WORK_PER_SCORE);
    const fc_status status = fc_parallel(run, (b->scores.rows + j.step - 1) / j.step, run_thread, &j);
    *bad_row = j.bad_row;
    return status;
}

/* *sum += v; *lost += what rounding took. */
static void add(double *sum, double *lost, double v) {
    const double next = *sum + v, part = next - *sum;
    *lost += (*sum - (next - part)) + (v - part);
    *sum = next;
}

enum { CHAINS = 8 }; /* of additions that do not wait for one another */

double fc_total(const double *values, size_t n) {
    double sum[CHAINS] = {0}, lost[CHAINS] = {0};
    size_t i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (size_t c = 0; c < CHAINS; c++) add(&sum[c], &lost[c], values[i + c]);
    for (; i < n; i++) add(&sum[0], &lost[0], values[i]);
    for (size_t c = 1; c < CHAINS; c++) {
        add(&sum[0], &lost[0], sum[c]);
        lost[0] += lost[c];
    }
    return sum[0] - sum[0] == 0 ? sum[0] + lost[0] : sum[0]; /* outside float64's range, `lost` means nothing */
}
