/* window.c -- scores of windows: the vectors of the words beside a centre, one after the other, through one layer or
 * two.
 */
#include "window/window.h"

#include <stdlib.h>
#include <string.h>

#include "core/matrix.h"
#include "core/memory.h"
#include "core/sizes.h"
#include "core/threads.h"

#define FC_NAME_OF(name, ...) #name,
static const char *const names[] = {FC_ACTIVATIONS(FC_NAME_OF)};
#undef FC_NAME_OF

const char *fc_activation_name(fc_activation activation) {
    return (unsigned)activation < FC_ACTIVATION_COUNT ? names[activation] : "";
}

/* Whether there can be a x b values of float64, and some arrays of that size together. */
static int is_a_size(size_t a, size_t b) {
    enum { ARRAYS = 8 };
    size_t entries;
    return !__builtin_mul_overflow(a, b, &entries) && entries < PTRDIFF_MAX / (ARRAYS * sizeof(double));
}

int fc_model_fits(const fc_window_model *m) {
    size_t inputs = m->dim;
    if (!fc_is_float(m->in) || m->dim == 0 || m->trained > m->words || m->words > INT32_MAX || m->window > INT32_MAX)
        return 0;
    if (m->layers < 1 || m->layers > FC_WINDOW_LAYERS || (unsigned)m->activation >= FC_ACTIVATION_COUNT) return 0;
    if (!is_a_size(m->words, m->dim) || !is_a_size(inputs, 2 * m->window + 1)) return 0;
    inputs *= 2 * m->window + 1;
    for (size_t l = 0; l < m->layers; l++) {
        const size_t outputs = m->layer[l].outputs;
        if (outputs == 0 || !is_a_size(inputs + FC_LINE, outputs)) return 0;
        inputs = outputs;
    }
    return is_a_size(inputs, FC_WINDOW_BLOCK);
}

int fc_windows_fit(const fc_window_model *m, const fc_windows *w) {
    int ok = 1;
    for (size_t i = 0; ok && i < w->n; i++) {
        ok = w->centre[i] >= (int64_t)m->window && (uint64_t)w->centre[i] + m->window < w->length;
        for (size_t k = 0; ok && k <= 2 * m->window; k++) {
            const int32_t word = w->word[(size_t)w->centre[i] - m->window + k];
            ok = word >= 0 && (size_t)word < m->words;
        }
    }
    return ok;
}

static size_t lines(size_t bytes) { return fc_round_up(bytes, FC_LINE); }

/* Lay out W and b of every layer, in `memory` if there is some; returns the bytes they take. */
static size_t place_layers(fc_net *net, char *memory) {
    size_t taken = 0, inputs = net->width * net->model->dim;
    for (size_t l = 0; l < net->model->layers; l++) {
        const size_t outputs = net->model->layer[l].outputs, row = lines(inputs * net->size);
        net->layer[l] = (fc_packed_layer){.inputs = inputs, .depth = row / net->size, .outputs = outputs};
        if (memory) {
            net->layer[l].W = memory + taken;
            net->layer[l].b = memory + taken + row * outputs;
        }
        taken += row * outputs + lines(outputs * net->size);
        inputs = outputs;
    }
    return taken;
}

/* Between the model's rows of weights and whole lines, there or back. */
static void copy_weights(const fc_net *net, int back) {
    for (size_t l = 0; l < net->model->layers; l++) {
        const fc_packed_layer *p = &net->layer[l];
        const fc_layer *m = &net->model->layer[l];
        const size_t row = p->inputs * net->size;
        for (size_t r = 0; r < p->outputs; r++) {
            char *packed = p->W + r * p->depth * net->size, *plain = (char *)m->W + r * row;
            memcpy(back ? plain : packed, back ? packed : plain, row);
        }
        memcpy(back ? m->b : p->b, back ? p->b : m->b, p->outputs * net->size);
    }
}

int fc_net_pack(fc_net *net, const fc_window_model *model) {
    *net = (fc_net){.model = model,
                    .linear = fc_linear_kernels_active(model->in),
                    .window = fc_window_kernels_active(model->in),
                    .size = fc_arithmetic_size(model->in),
                    .width = 2 * model->window + 1};
    const size_t bytes = place_layers(net, NULL);
    net->memory = fc_allocate_lines(bytes);
    if (!net->memory) return 0;
    memset(net->memory, 0, bytes);
    place_layers(net, net->memory);
    copy_weights(net, 0);
    return 1;
}

void fc_net_unpack(const fc_net *net) { copy_weights(net, 1); }

void fc_net_drop(fc_net *net) { fc_free_lines(net->memory); }

int fc_net_allocate(const fc_net *net, fc_net_scratch *scratch) {
    size_t bytes = 0;
    for (size_t l = 0; l < net->model->layers; l++)
        bytes += FC_WINDOW_BLOCK * (net->layer[l].depth * net->size + lines(net->layer[l].outputs * net->size));
    char *at = scratch->memory = fc_allocate_lines(bytes);
    if (!at) return 0;
    memset(at, 0, bytes); /* the inputs' padding stays 0 */
    for (size_t l = 0; l < net->model->layers; l++) {
        scratch->x[l] = at;
        scratch->out[l] = at += FC_WINDOW_BLOCK * net->layer[l].depth * net->size;
        at += FC_WINDOW_BLOCK * lines(net->layer[l].outputs * net->size);
    }
    return 1;
}

void fc_net_free(fc_net_scratch *scratch) { fc_free_lines(scratch->memory); }

fc_linear_block fc_net_block(const fc_net *net, size_t l, size_t rows, const fc_net_scratch *scratch) {
    const fc_packed_layer *p = &net->layer[l];
    return (fc_linear_block){.x = scratch->x[l],
                             .W = p->W,
                             .b = p->b,
                             .rows = rows,
                             .depth = p->depth,
                             .stride = p->depth,
                             .classes = p->outputs,
                             .scores = scratch->out[l]};
}

/* The vectors of a window's words, one after the other. */
static void gather(const fc_net *net, const fc_windows *windows, int64_t centre, char *x) {
    const size_t bytes = net->model->dim * net->size;
    const int32_t *words = windows->word + fc_window_start(windows, centre, net->width);
    for (size_t i = 0; i < net->width; i++) {
        const size_t word = fc_within(FC_ONCE(words[i]), net->model->words);
        memcpy(x + i * bytes, (const char *)net->model->vectors + word * bytes, bytes);
    }
}

void fc_net_forward(const fc_net *net, const fc_windows *windows, const int64_t *centre, size_t rows,
                    const fc_net_scratch *scratch) {
    const size_t last = net->model->layers - 1;
    for (size_t r = 0; r < rows; r++)
        gather(net, windows, FC_ONCE(centre[r]), scratch->x[0] + r * net->layer[0].depth * net->size);
    for (size_t l = 0;; l++) {
        const fc_linear_block block = fc_net_block(net, l, rows, scratch);
        const size_t outputs = net->layer[l].outputs * net->size;
        net->linear->scores(&block);
        if (l == last) return;
        for (size_t r = 0; r < rows; r++)
            net->window->activate[net->model->activation](scratch->out[l] + r * outputs, net->layer[l].outputs,
                                                          scratch->x[l + 1] + r * net->layer[l + 1].depth * net->size);
    }
}

typedef struct {
    const fc_net *net;
    const fc_windows *windows;
    char *scores;
} window_job;

static void score_thread(void *data, fc_team *team, int thread) {
    const window_job *j = data;
    const size_t last = j->net->model->layers - 1, bytes = j->net->layer[last].outputs * j->net->size;
    fc_net_scratch scratch;
    if (!fc_net_allocate(j->net, &scratch)) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; fc_next_task(team, &task);) {
        const size_t first = task * FC_WINDOW_BLOCK, rows = fc_smaller(FC_WINDOW_BLOCK, j->windows->n - first);
        fc_net_forward(j->net, j->windows, j->windows->centre + first, rows, &scratch);
        memcpy(j->scores + first * bytes, scratch.out[last], rows * bytes);
        fc_stopped(team, thread);
    }
    fc_net_free(&scratch);
}

fc_status fc_window_scores(const fc_window_model *m, fc_windows windows, fc_run run, void *scores) {
    fc_net net;
    if (run.n_threads < 1 || !fc_model_fits(m) || !fc_windows_fit(m, &windows)) return FC_BAD_ARGUMENT;
    if (!is_a_size(windows.n, m->layer[m->layers - 1].outputs)) return FC_BAD_ARGUMENT;
    if (!fc_net_pack(&net, m)) return FC_NO_MEMORY;
    const window_job j = {&net, &windows, scores};
    const double weights = (double)net.layer[0].inputs * (double)net.layer[0].outputs;
    run.n_threads = fc_threads_for(run.n_threads, (double)windows.n * weights);
    const fc_status status =
        fc_parallel(run, (windows.n + FC_WINDOW_BLOCK - 1) / FC_WINDOW_BLOCK, score_thread, (void *)&j);
    fc_net_drop(&net);
    return status;
}
