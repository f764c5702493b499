/* harness_window.c -- window models: scores, and training by both losses with one layer and two. */
#include <stdlib.h>

#include "harness.h"

static const struct {
    size_t words, dim, window, hidden, classes, windows;
} shapes[] = {{2, 1, 0, 0, 1, 0},  {3, 1, 0, 0, 2, 1},    {9, 3, 1, 0, 2, 31},   {9, 16, 2, 0, 5, 33},
              {9, 5, 2, 1, 3, 32}, {40, 7, 3, 16, 7, 65}, {40, 33, 2, 9, 4, 100}};

static void *zeros(size_t count, fc_dtype dtype) {
    const fc_matrix m = make_matrix(1, count, dtype, BYTES);
    for (size_t i = 0; i < count * (dtype == FC_f32 ? sizeof(float) : sizeof(double)); i++) ((char *)m.data)[i] = 0;
    return (void *)m.data;
}

static fc_layer make_layer(size_t outputs, size_t inputs, fc_dtype dtype) {
    return (fc_layer){.outputs = outputs,
                      .W = (void *)make_matrix(outputs, inputs, dtype, FRACTIONS).data,
                      .b = (void *)make_matrix(1, outputs, dtype, FRACTIONS).data,
                      .W_squares = zeros(outputs * inputs, dtype),
                      .b_squares = zeros(outputs, dtype)};
}

static fc_window_model make_model(size_t shape, fc_dtype dtype) {
    const size_t words = shapes[shape].words, dim = shapes[shape].dim, hidden = shapes[shape].hidden,
                 inputs = (2 * shapes[shape].window + 1) * dim;
    fc_window_model model = {.in = fc_arithmetic_of(dtype),
                             .words = words,
                             .dim = dim,
                             .window = shapes[shape].window,
                             .trained = shape % 2 ? words : words / 2,
                             .layers = hidden ? 2 : 1,
                             .vectors = (void *)make_matrix(words, dim, dtype, FRACTIONS).data,
                             .squares = zeros(words * dim, dtype),
                             .activation = (fc_activation)(shape % FC_ACTIVATION_COUNT)};
    if (hidden) model.layer[0] = make_layer(hidden, inputs, dtype);
    model.layer[hidden ? 1 : 0] = make_layer(shapes[shape].classes, hidden ? hidden : inputs, dtype);
    return model;
}

static void drop_model(const fc_window_model *model) {
    free(model->vectors);
    free(model->squares);
    for (size_t l = 0; l < model->layers; l++) {
        free(model->layer[l].W);
        free(model->layer[l].b);
        free(model->layer[l].W_squares);
        free(model->layer[l].b_squares);
    }
}

static int64_t *numbers(size_t n, size_t from, size_t count) {
    int64_t *drawn = allocate(n, sizeof *drawn);
    for (size_t i = 0; i < n; i++) drawn[i] = (int64_t)(from + draw() % count);
    return drawn;
}

static uint64_t run_shape(uint64_t digest, size_t shape, fc_dtype dtype, int pairs) {
    const size_t n = shapes[shape].windows, window = shapes[shape].window, classes = shapes[shape].classes,
                 length = n + 2 * window, size = dtype == FC_f32 ? sizeof(float) : sizeof(double);
    const fc_window_model model = make_model(shape, dtype);
    int32_t *word = allocate(length, sizeof *word);
    for (size_t i = 0; i < length; i++) word[i] = (int32_t)(draw() % model.words);
    int64_t *centre = numbers(n, window, n ? n : 1), *corrupt = numbers(n, window, n ? n : 1),
            *label = numbers(n, 0, classes), *other = numbers(n, 0, classes);
    const fc_windows windows = {word, length, centre, n};
    const fc_window_steps steps = {windows, label, pairs ? corrupt : NULL, pairs ? other : NULL, 40, 0.1, 0.01,
                                   1,       NULL};
    double *objective = allocate(n / 40 + 1, sizeof *objective);
    void *scores = allocate(n * classes, size);
    expect_ok(fc_window_train(&model, &steps, (fc_run){1 + (int)(shape % 3), NULL}, objective), "window training");
    expect_ok(fc_window_scores(&model, windows, (fc_run){2, NULL}, scores), "window scores");
    digest = fnv(digest, objective, (n + 39) / 40 * sizeof *objective);
    digest = fnv(digest, model.vectors, model.words * model.dim * size);
    digest = fnv(digest, scores, n * classes * size);
    drop_model(&model);
    free(word);
    free(centre);
    free(corrupt);
    free(label);
    free(other);
    free(objective);
    free(scores);
    return digest;
}

uint64_t run_windows(uint64_t digest) {
    for (fc_dtype dtype = FC_f32; dtype <= FC_f64; dtype++)
        for (size_t shape = 0; shape < LENGTH(shapes); shape++)
            for (int pairs = 0; pairs < 2; pairs++) digest = run_shape(digest, shape, dtype, pairs);
    return digest;
}
