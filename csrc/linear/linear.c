/* linear.c -- linear scores and the gradients of their losses: blocks of rows that stay in the cache, so that X is read
 * once.
 */
#include <stdlib.h>
#include <string.h>

#include "linear/kernels.h"
#include "losses/losses.h"
#include "core/matrix.h"
#include "core/memory.h"
#include "core/sizes.h"
#include "core/threads.h"

enum {
    BLOCK_BYTES =
        512 << 10,    /* of rows as they are computed with, and scores: the second cache holds them and weights */
    FEWEST_ROWS = 16, /* of a block: losses transpose as many at once */
    MOST_ROWS = 1024,
    PARTIAL_ROWS = 256,    /* whose gradients are summed as they are computed, before they are widened: few, as float32
                              rounds; a block may have more */
    MOST_PARTS = 32,       /* of the rows, each with a sum of gradients of its own */
    PART_BYTES = 256 << 20 /* of these sums, if there is more than one */
};

typedef struct {
    const fc_linear *model;
    const fc_linear_kernels *kernels;
    size_t depth, stride, size, step, blocks, parts;
    char *W, *b, *centre; /* in whole lines; `stride` values from one class to the next */
    void *memory;
    const fc_batch *batch;
    const fc_svm_terms *terms;          /* or NULL: the batch's losses */
    void *scores;                       /* of all rows, or NULL: losses are wanted */
    double *sums, *of_b, *loss, *hinge; /* by part: gradients; by block: losses, and of terms the hinges */
} linear_job;

/* Lines from one row to the next.  The same features of several rows are read together: where their distance is a
 * multiple of a page, as often, they push each other out of the first cache.  So long rows lie an odd number of lines
 * apart: 17 more than a multiple of 32, so that each begins half a page after the one before, and a line.
 */
static size_t lines_apart(size_t lines) {
    enum { LONG = 32, ODD = 17 };
    return lines < LONG ? lines : fc_round_up(lines - ODD, LONG) + ODD;
}

/* Weights and centre in whole lines; 0 without memory or with sizes that no memory has. */
static int pack(linear_job *j) {
    const fc_linear *m = j->model;
    size_t bytes, row, most_row, most_rows;
    j->size = fc_arithmetic_size(m->in);
    /* More than is asked for below: rows are less than MORE lines longer, and there are two more, for centre and b. */
    enum { MORE = 33 };
    if (__builtin_mul_overflow(m->X.cols + MORE * FC_LINE, j->size, &most_row) ||
        __builtin_add_overflow(m->classes, 2, &most_rows) || __builtin_mul_overflow(most_row, most_rows, &bytes) ||
        bytes > PTRDIFF_MAX)
        return 0;
    const size_t lines = fc_round_up(m->X.cols * j->size, FC_LINE) / FC_LINE;
    row = lines_apart(lines) * FC_LINE;
    j->depth = lines * FC_LINE / j->size;
    j->stride = row / j->size;
    bytes = row * (m->classes + 1) + fc_round_up(m->classes * j->size, FC_LINE) + FC_LINE;
    j->memory = fc_allocate_lines(bytes);
    if (!j->memory) return 0;
    memset(j->memory, 0, bytes);
    j->W = j->memory;
    j->centre = j->W + row * m->classes;
    j->b = j->centre + row;
    for (size_t c = 0; c < m->classes; c++)
        memcpy(j->W + c * row, (const char *)m->W + c * m->X.cols * j->size, m->X.cols * j->size);
    if (m->centre) memcpy(j->centre, m->centre, m->X.cols * j->size);
    if (m->b) memcpy(j->b, m->b, m->classes * j->size);
    return 1;
}

/* Rows of a block, and the parts: by shapes alone, so that sums do not depend on the threads. */
static void divide(linear_job *j) {
    const size_t rows = j->model->X.rows, fit = BLOCK_BYTES / ((j->depth + j->model->classes) * j->size + 1),
                 sum = j->model->classes * j->depth * sizeof(double) + 1;
    j->step = fit < FEWEST_ROWS ? FEWEST_ROWS : fc_smaller(fit - fit % FEWEST_ROWS, MOST_ROWS);
    j->blocks = (rows + j->step - 1) / j->step;
    j->parts = fc_smaller(fc_smaller(MOST_PARTS, j->blocks), PART_BYTES / sum);
    if (j->parts == 0) j->parts = 1;
}

/* Block i, whose rows are to go to `x` and scores to `scores`. */
static fc_linear_block block_of(const linear_job *j, size_t i, char *x, void *scores) {
    const fc_linear *m = j->model;
    const fc_linear_block block = {.x = x,
                                   .W = j->W,
                                   .b = j->b,
                                   .rows = fc_smaller(j->step, m->X.rows - i * j->step),
                                   .depth = j->depth,
                                   .stride = j->stride,
                                   .classes = m->classes,
                                   .scores = scores};
    return block;
}

/* Widen and centre a row, to a place in `x`. */
static void read_row(const linear_job *j, size_t row, char *x, size_t place) {
    const fc_matrix *X = &j->model->X;
    const char *from = (const char *)X->data + row * X->cols * fc_dtype_size(X->dtype);
    j->kernels->centred[X->dtype](from, j->centre, X->cols, x + place * j->stride * j->size, j->depth);
}

static void read_rows(const linear_job *j, size_t i, const fc_linear_block *block, char *x) {
    for (size_t r = 0; r < block->rows; r++) read_row(j, i * j->step + r, x, r);
}

/* Space for a block's rows. */
static char *allocate_block(const linear_job *j) {
    return fc_allocate_lines(fc_round_up(j->step * j->stride * j->size, FC_LINE) + FC_LINE);
}

static void score_thread(void *data, fc_team *team, int thread) {
    const linear_job *j = data;
    char *x = allocate_block(j);
    if (!x) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; fc_next_task(team, &task);) {
        const fc_linear_block block =
            block_of(j, task, x, (char *)j->scores + task * j->step * j->model->classes * j->size);
        read_rows(j, task, &block, x);
        j->kernels->scores(&block);
        fc_stopped(team, thread);
    }
    fc_free_lines(x);
}

static int model_fits(const fc_linear *m, fc_run run) {
    size_t entries;
    if ((unsigned)m->X.dtype >= FC_DTYPE_COUNT || !fc_is_float(m->in) || fc_arithmetic_of(m->X.dtype) > m->in) return 0;
    if (__builtin_mul_overflow(m->X.rows, m->classes, &entries) || entries > PTRDIFF_MAX / sizeof(double)) return 0;
    return m->classes > 0 && run.n_threads > 0;
}

static int threads_of(const fc_linear *m, fc_run run, double products) {
    return fc_threads_for(run.n_threads, products * (double)m->X.rows * (double)m->X.cols * (double)m->classes);
}

fc_status fc_linear_scores(const fc_linear *m, fc_run run, void *scores) {
    if (!model_fits(m, run)) return FC_BAD_ARGUMENT;
    linear_job j = {.model = m, .kernels = fc_linear_kernels_active(m->in), .scores = scores};
    if (!pack(&j)) return FC_NO_MEMORY;
    divide(&j);
    run.n_threads = threads_of(m, run, 1);
    const fc_status status = fc_parallel(run, j.blocks, score_thread, &j);
    fc_free_lines(j.memory);
    return status;
}

/* --- losses and gradients ----------------------------------------------------------------------------------------- */

/* The rows of a block as a batch of their own, numbered from 0. */
static fc_batch batch_of(const linear_job *j, const fc_linear_block *block, size_t first) {
    fc_batch b = *j->batch;
    b.scores = (fc_matrix){block->scores, block->rows, block->classes, fc_dtype_of(j->model->in)};
    if (b.label) b.label += first;
    if (b.weight) b.weight += first;
    if (b.target.data) {
        b.target.data = (const char *)b.target.data + first * block->classes * fc_dtype_size(b.target.dtype);
        b.target.rows = block->rows;
    }
    return b;
}

static void add_gradients(const linear_job *j, const fc_linear_block *block, double *of_b) {
    for (size_t r = 0; r < block->rows; r++)
        for (size_t c = 0; c < block->classes; c++)
            of_b[c] += fc_value_at(block->scores, r * block->classes + c, fc_dtype_of(j->model->in));
    j->kernels->gradients(block);
}

/* One thread's memory. */
typedef struct {
    char *x, *scores, *partial;
    double *loss, *hinge, *of_terms;
    fc_loss_scratch of_losses;
} scratch;

static int allocate(const linear_job *j, scratch *r) {
    memset(r, 0, sizeof *r);
    r->x = allocate_block(j);
    r->scores = fc_allocate_lines(j->step * j->model->classes * j->size);
    r->partial = fc_allocate_lines(j->model->classes * j->depth * j->size);
    r->loss = malloc(j->step * sizeof *r->loss);
    if (!r->x || !r->scores || !r->partial || !r->loss) return 0;
    memset(r->partial, 0, j->model->classes * j->depth * j->size);
    if (!j->terms) return fc_loss_allocate(&r->of_losses, j->batch);
    r->hinge = malloc(j->step * sizeof *r->hinge);
    r->of_terms = malloc(2 * (j->model->classes + FC_SVM_FOURS) * sizeof *r->of_terms);
    return r->hinge && r->of_terms;
}

static void release(scratch *r) {
    fc_free_lines(r->x);
    fc_free_lines(r->scores);
    fc_free_lines(r->partial);
    free(r->loss);
    free(r->hinge);
    free(r->of_terms);
    fc_free_lines(r->of_losses.memory);
}

/* Losses of a block, whose scores become gradients; false if a row has no answer. */
static int lose(const linear_job *j, size_t i, const fc_linear_block *block, const scratch *r) {
    const size_t first = i * j->step;
    if (j->terms) {
        if (!fc_svm_terms_of_block(j->terms, block, j->model->in, first, r->loss, r->hinge, r->of_terms)) return 0;
        j->hinge[i] = fc_total(r->hinge, block->rows);
    } else {
        const fc_batch b = batch_of(j, block, first);
        if (fc_losses_of_rows(&b, &r->of_losses, 0, block->rows, r->loss, NULL, r->scores) < block->rows) return 0;
    }
    j->loss[i] = fc_total(r->loss, block->rows);
    return 1;
}

/* Read the rows of block i whose gradients by their scores are not all 0.  They become all rows of the block: these
 * gradients move to the first places.
 */
static void read_sloped(const linear_job *j, size_t i, fc_linear_block *block, char *x) {
    const size_t row_bytes = block->classes * j->size;
    size_t place = 0;
    for (size_t r = 0; r < block->rows; r++) {
        size_t c = 0;
        while (c < block->classes && fc_value_at(block->scores, r * block->classes + c, fc_dtype_of(j->model->in)) == 0)
            c++;
        if (c == block->classes) continue;
        memmove((char *)block->scores + place * row_bytes, (char *)block->scores + r * row_bytes, row_bytes);
        read_row(j, i * j->step + r, x, place++);
    }
    block->rows = place;
}

/* False if a row has no answer. */
static int add_block(const linear_job *j, size_t i, const scratch *r, size_t part) {
    fc_linear_block block = block_of(j, i, r->x, r->scores);
    const size_t row_bytes = block.classes * j->size, bytes = block.rows * row_bytes;
    char *kept = j->terms ? (char *)j->terms->scores + i * j->step * row_bytes : NULL;
    block.partial = r->partial;
    if (kept && j->terms->known) {
        memcpy(block.scores, kept, bytes);
        if (!lose(j, i, &block, r)) return 0;
        read_sloped(j, i, &block, r->x);
    } else {
        read_rows(j, i, &block, r->x);
        j->kernels->scores(&block);
        if (kept) memcpy(kept, block.scores, bytes);
        if (!lose(j, i, &block, r)) return 0;
    }
    add_gradients(j, &block, j->of_b + part * j->model->classes);
    return 1;
}

/* Widen what has been summed, add it to the part's sums, and begin anew. */
static void add_partial(const linear_job *j, const scratch *r, size_t part) {
    const size_t n = j->model->classes * j->depth;
    double *sum = j->sums + part * n;
    for (size_t i = 0; i < n; i++)
        sum[i] += j->size == sizeof(float) ? (double)((const float *)r->partial)[i] : ((const double *)r->partial)[i];
    memset(r->partial, 0, n * j->size);
}

static void loss_thread(void *data, fc_team *team, int thread) {
    const linear_job *j = data;
    const size_t together = (PARTIAL_ROWS + j->step - 1) / j->step;
    scratch r;
    if (!allocate(j, &r)) fc_stop(team, FC_NO_MEMORY);
    for (size_t part; fc_next_task(team, &part);) {
        const size_t first = part * j->blocks / j->parts, end = (part + 1) * j->blocks / j->parts;
        for (size_t i = first; i < end; i++) {
            if (!add_block(j, i, &r, part)) fc_stop(team, FC_BAD_ROW);
            if ((i + 1 - first) % together == 0 || i + 1 == end) add_partial(j, &r, part);
            if (fc_stopped(team, thread)) break;
        }
    }
    release(&r);
}

static void add_parts(const linear_job *j, double *of_W, double *of_b) {
    const size_t classes = j->model->classes, cols = j->model->X.cols;
    memset(of_W, 0, classes * cols * sizeof *of_W);
    memset(of_b, 0, classes * sizeof *of_b);
    for (size_t part = 0; part < j->parts; part++)
        for (size_t c = 0; c < classes; c++) {
            const double *sum = j->sums + (part * classes + c) * j->depth;
            for (size_t i = 0; i < cols; i++) of_W[c * cols + i] += sum[i];
            of_b[c] += j->of_b[part * classes + c];
        }
}

/* The sum of losses, of hinges if there are terms, and the gradients. */
static fc_status sum_losses(linear_job *j, fc_run run, double *loss, double *hinges, double *of_W, double *of_b) {
    const fc_linear *m = j->model;
    j->kernels = fc_linear_kernels_active(m->in);
    if (!pack(j)) return FC_NO_MEMORY;
    divide(j);
    j->sums = calloc(j->parts * m->classes * j->depth + 1, sizeof *j->sums);
    j->of_b = calloc(j->parts * m->classes, sizeof *j->of_b);
    j->loss = malloc((j->blocks + 1) * sizeof *j->loss);
    j->hinge = malloc((j->blocks + 1) * sizeof *j->hinge);
    fc_status status = FC_NO_MEMORY;
    if (j->sums && j->of_b && j->loss && j->hinge) {
        run.n_threads = threads_of(m, run, 2);
        status = fc_parallel(run, j->parts, loss_thread, j);
    }
    if (status == FC_OK) {
        *loss = fc_total(j->loss, j->blocks);
        if (j->terms) *hinges = fc_total(j->hinge, j->blocks);
        add_parts(j, of_W, of_b);
    }
    free(j->sums);
    free(j->of_b);
    free(j->loss);
    free(j->hinge);
    fc_free_lines(j->memory);
    return status;
}

fc_status fc_linear_loss(const fc_linear *m, const fc_batch *batch, fc_run run, double *loss, double *of_W,
                         double *of_b) {
    if (!model_fits(m, run) || !fc_batch_fits(batch) || batch->scores.rows != m->X.rows ||
        batch->scores.cols != m->classes || !fc_is_stored(batch->scores.dtype, m->in))
        return FC_BAD_ARGUMENT;
    linear_job j = {.model = m, .batch = batch};
    return sum_losses(&j, run, loss, NULL, of_W, of_b);
}

fc_status fc_svm_lagrangian(const fc_linear *m, const fc_svm_terms *terms, fc_run run, double *value, double *hinges,
                            double *of_W, double *of_b) {
    if (!model_fits(m, run) || !(terms->width > 0) || !terms->scores) return FC_BAD_ARGUMENT;
    linear_job j = {.model = m, .terms = terms};
    return sum_losses(&j, run, value, hinges, of_W, of_b);
}
