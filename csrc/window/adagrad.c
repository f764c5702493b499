/* adagrad.c -- mini-batch steps of Adagrad for windows.  Inputs are gathered a block at a time and never kept.  A batch
 * reads and moves only the vectors that it uses.
 *
 * A step has two halves, each on all threads.  The first computes gradients of blocks of windows: by inputs, and by
 * weights, summed in a fixed number of parts.  In the second, each row of weights and each used vector adds up its own
 * gradients, in order, and moves.  So the bytes do not depend on the threads.
 */
#include <stdlib.h>
#include <string.h>

#include "losses/losses.h"
#include "core/matrix.h"
#include "core/memory.h"
#include "core/sizes.h"
#include "core/threads.h"
#include "window/used_rows.h"
#include "window/window.h"

enum {
    MOST_PARTS = 16,        /* of a batch, each with sums of its own */
    PARTS_BYTES = 64 << 20, /* of these sums, if there is more than one */
    WORDS_A_TASK = 16,
};

typedef struct {
    fc_net net;
    const fc_window_steps *steps;
    size_t kinds;   /* windows of an example: itself, and a corrupt one if there are such */
    size_t weights; /* values of a part's sums: each layer's outputs x depth, and outputs */
    size_t most_parts;
    double *sums, *back; /* by part; by window of the batch, its gradients by the inputs */
    double *loss, *penalty;
    int64_t *centre; /* of the batch's windows, block by block: examples, then what is corrupt */
    fc_used_rows used;

    size_t first, examples, blocks, parts; /* the batch at hand */
} adagrad_job;

/* Examples of a block. */
static size_t block_examples(const adagrad_job *j) { return FC_WINDOW_BLOCK / j->kinds; }

static size_t outputs_of_all(const adagrad_job *j) {
    size_t outputs = 0;
    for (size_t l = 0; l < j->net.model->layers; l++) outputs += j->net.layer[l].outputs;
    return outputs;
}

/* --- the first half: gradients ------------------------------------------------------------------------------------ */

/* One thread's memory. */
typedef struct {
    fc_net_scratch net;
    fc_loss_scratch of_losses;
    char *transposed; /* gradients by output, for the product with weights */
    double *back;     /* gradients by the inputs of a layer that is not the first */
} scratch;

static int allocate(const adagrad_job *j, scratch *r) {
    size_t widest = 0, deepest = 0;
    for (size_t l = 0; l < j->net.model->layers; l++) {
        if (j->net.layer[l].outputs > widest) widest = j->net.layer[l].outputs;
        if (l && j->net.layer[l].depth > deepest) deepest = j->net.layer[l].depth;
    }
    memset(r, 0, sizeof *r);
    r->transposed = malloc(widest * FC_WINDOW_BLOCK * j->net.size);
    r->back = malloc((deepest + 1) * FC_WINDOW_BLOCK * sizeof *r->back);
    const fc_batch batch = {.scores = {.cols = j->net.layer[j->net.model->layers - 1].outputs}};
    return r->transposed && r->back && fc_net_allocate(&j->net, &r->net) && fc_loss_allocate(&r->of_losses, &batch);
}

static void release(scratch *r) {
    fc_net_free(&r->net);
    fc_free_lines(r->of_losses.memory);
    free(r->transposed);
    free(r->back);
}

static void put(void *v, size_t i, fc_arithmetic in, double value) {
    switch (in) {
    case FC_IN_f32:
        ((float *)v)[i] = (float)value;
        break;
    case FC_IN_f64:
        ((double *)v)[i] = value;
        break;
    case FC_IN_u8: /* no model's */
    case FC_ARITHMETIC_COUNT:
        break;
    }
}

static const double *weights_of(const adagrad_job *j, size_t example) {
    return j->steps->weight ? j->steps->weight + j->first + example : NULL;
}

/* Losses and gradients of the examples of a block, in place of their scores; false if one has none. */
static int entropy_gradients(const adagrad_job *j, size_t example, size_t n, const scratch *r, fc_linear_block *block) {
    const fc_batch batch = {.loss = FC_cross_entropy,
                            .scores = {block->scores, n, block->classes, fc_dtype_of(j->net.model->in)},
                            .label = j->steps->label + j->first + example,
                            .weight = weights_of(j, example),
                            .scale = 1 / (double)j->examples};
    return fc_losses_of_rows(&batch, &r->of_losses, 0, n, j->loss + example, NULL, block->scores) == n;
}

/* The same for pairs: an example's score of its label should exceed the corrupt window's score of the corrupt label. */
static int margin_gradients(const adagrad_job *j, size_t example, size_t n, const scratch *r, fc_linear_block *block) {
    const fc_arithmetic in = j->net.model->in;
    const size_t first = j->first + example;
    const int64_t *label = j->steps->label + first, *corrupt = j->steps->corrupt_label + first;
    size_t own_at[FC_WINDOW_BLOCK], other_at[FC_WINDOW_BLOCK];
    double own[FC_WINDOW_BLOCK], other[FC_WINDOW_BLOCK];
    for (size_t i = 0; i < n; i++) {
        own_at[i] = i * block->classes + fc_within(FC_ONCE(label[i]), block->classes);
        other_at[i] = (n + i) * block->classes + fc_within(FC_ONCE(corrupt[i]), block->classes);
        own[i] = fc_value_at(block->scores, own_at[i], fc_dtype_of(in));
        other[i] = fc_value_at(block->scores, other_at[i], fc_dtype_of(in));
    }
    const fc_batch batch = {.loss = FC_max_margin,
                            .scores = {own, n, 1, FC_f64},
                            .target = {other, n, 1, FC_f64},
                            .weight = weights_of(j, example),
                            .parameter = j->steps->margin,
                            .scale = 1 / (double)j->examples};
    if (fc_losses_of_rows(&batch, &r->of_losses, 0, n, j->loss + example, NULL, own) < n) return 0;
    memset(block->scores, 0, 2 * n * block->classes * j->net.size);
    for (size_t i = 0; i < n; i++) {
        put(block->scores, own_at[i], in, own[i]);
        put(block->scores, other_at[i], in, -own[i]);
    }
    return 1;
}

/* Gradients by a layer's inputs from those by its outputs.  They are sums over outputs, as weights' are over rows. */
static void go_back(const adagrad_job *j, const fc_linear_block *block, const scratch *r, double *back) {
    const size_t size = j->net.size;
    for (size_t row = 0; row < block->rows; row++)
        for (size_t c = 0; c < block->classes; c++)
            memcpy(r->transposed + (c * block->rows + row) * size,
                   (const char *)block->scores + (row * block->classes + c) * size, size);
    memset(back, 0, block->rows * block->depth * sizeof *back);
    const fc_linear_block transposed = {.x = block->W,
                                        .rows = block->classes,
                                        .depth = block->depth,
                                        .stride = block->depth,
                                        .classes = block->rows,
                                        .scores = r->transposed,
                                        .sum = back};
    j->net.linear->gradients(&transposed);
}

/* Add a layer's gradients to a part's sums, which end behind them; returns where they begin. */
static double *add_gradients(const adagrad_job *j, fc_linear_block *block, double *end) {
    double *of_b = end - block->classes;
    block->sum = of_b - block->classes * block->depth;
    for (size_t row = 0; row < block->rows; row++)
        for (size_t c = 0; c < block->classes; c++)
            of_b[c] += fc_value_at(block->scores, row * block->classes + c, fc_dtype_of(j->net.model->in));
    j->net.linear->gradients(block);
    return block->sum;
}

/* False if an example has no answer. */
static int gradients_of_block(const adagrad_job *j, size_t i, const scratch *r, double *sums) {
    const fc_window_model *m = j->net.model;
    const size_t example = i * block_examples(j), n = fc_smaller(block_examples(j), j->examples - example),
                 window = example * j->kinds, rows = n * j->kinds;
    double *end = sums + j->weights;
    fc_net_forward(&j->net, &j->steps->windows, j->centre + window, rows, &r->net);
    for (size_t l = m->layers; l-- > 0;) {
        fc_linear_block block = fc_net_block(&j->net, l, rows, &r->net);
        const int is_last = l == m->layers - 1;
        if (is_last && !(j->kinds == 1 ? entropy_gradients : margin_gradients)(j, example, n, r, &block)) return 0;
        end = add_gradients(j, &block, end);
        if (l == 0) {
            if (m->trained) go_back(j, &block, r, j->back + window * block.depth);
            break;
        }
        go_back(j, &block, r, r->back);
        const size_t inputs = j->net.layer[l].inputs;
        for (size_t row = 0; row < rows; row++)
            j->net.window->backward[m->activation](r->back + row * block.depth,
                                                   r->net.x[l] + row * block.depth * j->net.size, inputs,
                                                   r->net.out[l - 1] + row * inputs * j->net.size);
    }
    return 1;
}

static void gradients_thread(void *data, fc_team *team, int thread) {
    const adagrad_job *j = data;
    scratch r;
    if (!allocate(j, &r)) fc_stop(team, FC_NO_MEMORY);
    for (size_t part; fc_next_task(team, &part);) {
        const size_t end = (part + 1) * j->blocks / j->parts;
        double *sums = j->sums + part * j->weights;
        memset(sums, 0, j->weights * sizeof *sums);
        for (size_t i = part * j->blocks / j->parts; i < end; i++) {
            if (!gradients_of_block(j, i, &r, sums)) fc_stop(team, FC_BAD_ROW);
            if (fc_stopped(team, thread)) break;
        }
    }
    release(&r);
}

/* --- the second half: moving -------------------------------------------------------------------------------------- */

/* g + 2 * factor * w, and the sum of w's squares. */
static double penalise(const adagrad_job *j, const void *w, size_t n, double factor, double *g) {
    double squares = 0;
    if (factor == 0) return 0;
    for (size_t i = 0; i < n; i++) {
        const double v = fc_value_at(w, i, fc_dtype_of(j->net.model->in));
        g[i] += 2 * factor * v;
        squares += v * v;
    }
    return factor * squares;
}

/* Move one row of a layer's weights, and its b: row `output` of all layers' rows. */
static double move_weights(const adagrad_job *j, size_t output) {
    double *sum = j->sums;
    size_t l = 0;
    for (; output >= j->net.layer[l].outputs; l++) {
        sum += j->net.layer[l].outputs * (j->net.layer[l].depth + 1);
        output -= j->net.layer[l].outputs;
    }
    const fc_packed_layer *p = &j->net.layer[l];
    const fc_layer *m = &j->net.model->layer[l];
    double *of_W = sum + output * p->depth, *of_b = sum + p->outputs * p->depth + output;
    for (size_t part = 1; part < j->parts; part++) {
        const double *more = of_W + part * j->weights;
        for (size_t i = 0; i < p->inputs; i++) of_W[i] += more[i];
        *of_b += of_b[part * j->weights];
    }
    char *w = p->W + output * p->depth * j->net.size;
    const double penalty = penalise(j, w, p->inputs, j->steps->l2, of_W);
    j->net.window->adagrad(w, (char *)m->W_squares + output * p->inputs * j->net.size, of_W, p->inputs, j->steps->rate);
    j->net.window->adagrad(p->b + output * j->net.size, (char *)m->b_squares + output * j->net.size, of_b, 1,
                           j->steps->rate);
    return penalty;
}

/* Move a vector by the gradients of all its uses, which are added up at the first one. */
static double move_vector(const adagrad_job *j, size_t v) {
    const fc_window_model *m = j->net.model;
    const uint32_t *use = j->used.use + j->used.start[v];
    const size_t uses = j->used.start[v + 1] - j->used.start[v], at = (size_t)j->used.word[v] * m->dim * j->net.size;
    double *sum = NULL;
    for (size_t u = 0; u < uses; u++) {
        double *of_use = j->back + use[u] / j->net.width * j->net.layer[0].depth + use[u] % j->net.width * m->dim;
        if (!sum) sum = of_use;
        for (size_t i = 0; u && i < m->dim; i++) sum[i] += of_use[i];
    }
    const double factor = j->steps->l2 * (double)uses / (double)(j->examples * j->kinds);
    const double penalty = penalise(j, (char *)m->vectors + at, m->dim, factor, sum);
    j->net.window->adagrad((char *)m->vectors + at, (char *)m->squares + at, sum, m->dim, j->steps->rate);
    return penalty;
}

static size_t move_tasks(const adagrad_job *j) {
    return outputs_of_all(j) + (j->used.count + WORDS_A_TASK - 1) / WORDS_A_TASK;
}

static void move_thread(void *data, fc_team *team, int thread) {
    const adagrad_job *j = data;
    const size_t outputs = outputs_of_all(j);
    (void)thread;
    for (size_t task; fc_next_task(team, &task);) {
        double penalty = 0;
        if (task < outputs) {
            penalty = move_weights(j, task);
        } else {
            const size_t from = (task - outputs) * WORDS_A_TASK, to = fc_smaller(from + WORDS_A_TASK, j->used.count);
            for (size_t v = from; v < to; v++) penalty += move_vector(j, v);
        }
        j->penalty[task] = penalty;
    }
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void begin_batch(adagrad_job *j, size_t first) {
    const fc_window_steps *s = j->steps;
    const size_t step = block_examples(j);
    int64_t *centre = j->centre;
    j->first = first;
    j->examples = fc_smaller(s->batch, s->windows.n - first);
    j->blocks = (j->examples + step - 1) / step;
    j->parts = fc_smaller(j->most_parts, j->blocks);
    for (size_t e = 0; e < j->examples; e += step) {
        const size_t n = fc_smaller(step, j->examples - e);
        memcpy(centre, s->windows.centre + first + e, n * sizeof *centre);
        centre += n;
        if (j->kinds == 1) continue;
        memcpy(centre, s->corrupt + first + e, n * sizeof *centre);
        centre += n;
    }
    fc_used_rows_fill(&j->used, &s->windows, j->centre, j->examples * j->kinds, j->net.width, j->net.model->trained);
}

/* One step.  Signals are looked at while nothing has moved yet: a step is made wholly or not at all. */
static fc_status make_step(adagrad_job *j, fc_run run, double *objective) {
    const double gradients = 3 * (double)j->weights * (double)(j->examples * j->kinds),
                 moves =
                     (double)j->weights * (double)j->parts + (double)(j->examples * j->kinds * j->net.layer[0].inputs);
    fc_run half = {fc_threads_for(run.n_threads, gradients), run.poll};
    const fc_status status = fc_parallel(half, j->parts, gradients_thread, j);
    if (status != FC_OK) return status;
    half = (fc_run){fc_threads_for(run.n_threads, moves), NULL};
    /* It fails only where a forked process has no thread left to lead others.  Then nothing has moved, and the caller's
     * thread does the work.
     */
    if (fc_parallel(half, move_tasks(j), move_thread, j) != FC_OK)
        fc_parallel((fc_run){1, NULL}, move_tasks(j), move_thread, j);
    *objective = fc_total(j->loss, j->examples) / (double)j->examples + fc_total(j->penalty, move_tasks(j));
    return FC_OK;
}

static int prepare(adagrad_job *j, const fc_window_model *m) {
    const size_t batch = fc_smaller(j->steps->batch, j->steps->windows.n), windows = batch * j->kinds;
    if (!fc_net_pack(&j->net, m)) return 0;
    for (size_t l = 0; l < m->layers; l++) j->weights += j->net.layer[l].outputs * (j->net.layer[l].depth + 1);
    const size_t uses = windows * j->net.width, tasks = outputs_of_all(j) + uses / WORDS_A_TASK + 1;
    j->most_parts = fc_smaller(MOST_PARTS, PARTS_BYTES / (j->weights * sizeof *j->sums));
    if (j->most_parts == 0) j->most_parts = 1;
    j->sums = malloc(j->most_parts * j->weights * sizeof *j->sums);
    j->back = malloc(((m->trained ? windows * j->net.layer[0].depth : 0) + 1) * sizeof *j->back);
    j->loss = malloc((batch + 1) * sizeof *j->loss);
    j->penalty = malloc(tasks * sizeof *j->penalty);
    j->centre = malloc((windows + 1) * sizeof *j->centre);
    return fc_used_rows_make(&j->used, uses) && j->sums && j->back && j->loss && j->penalty && j->centre;
}

static void clean_up(adagrad_job *j) {
    fc_net_drop(&j->net);
    free(j->sums);
    free(j->back);
    free(j->loss);
    free(j->penalty);
    free(j->centre);
    fc_used_rows_drop(&j->used);
}

static int labels_fit(const fc_window_model *m, const int64_t *label, size_t n) {
    int ok = 1;
    for (size_t i = 0; i < n; i++) ok &= label[i] >= 0 && (uint64_t)label[i] < m->layer[m->layers - 1].outputs;
    return ok;
}

static int steps_fit(const fc_window_model *m, const fc_window_steps *s, fc_run run) {
    size_t values;
    if (run.n_threads < 1 || s->batch == 0 || !fc_model_fits(m) || !fc_windows_fit(m, &s->windows)) return 0;
    if (s->corrupt) {
        const fc_windows corrupt = {s->windows.word, s->windows.length, s->corrupt, s->windows.n};
        if (!fc_windows_fit(m, &corrupt) || !labels_fit(m, s->corrupt_label, s->windows.n)) return 0;
    }
    if (!labels_fit(m, s->label, s->windows.n)) return 0;
    const size_t batch = fc_smaller(s->batch, s->windows.n);
    if (__builtin_mul_overflow(m->dim * (2 * m->window + 1) + FC_LINE, 2 * batch, &values)) return 0;
    return values <= PTRDIFF_MAX / sizeof(double) && 2 * batch * (2 * m->window + 1) < UINT32_MAX;
}

fc_status fc_window_train(const fc_window_model *m, const fc_window_steps *s, fc_run run, double *objective) {
    if (!steps_fit(m, s, run)) return FC_BAD_ARGUMENT;
    adagrad_job j = {.steps = s, .kinds = s->corrupt ? 2 : 1};
    fc_status status = prepare(&j, m) ? FC_OK : FC_NO_MEMORY;
    double next_poll = fc_now() + FC_POLL_SECONDS; /* most steps take less, and their teams never come to ask */
    for (size_t first = 0; status == FC_OK && first < s->windows.n; first += s->batch) {
        begin_batch(&j, first);
        status = make_step(&j, run, objective++);
        if (status == FC_OK && run.poll && fc_now() >= next_poll) {
            status = run.poll() ? FC_INTERRUPTED : FC_OK;
            next_poll = fc_now() + FC_POLL_SECONDS;
        }
    }
    if (j.net.memory) fc_net_unpack(&j.net);
    clean_up(&j);
    return status;
}
