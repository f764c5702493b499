/* windows.c -- scores and training of window models, whose words, centres and labels may be wrong: two instruction sets
 * agree in all bytes; of integers, scores and the value that the first step begins with are plain sums.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "core/matrix.h"

enum { MOST_WORDS = 9, MOST_DIM = 6, MOST_WINDOW = 2, MOST_OUTPUTS = 9, MOST_WINDOWS = 40, MOST_LENGTH = 24 };
static const fc_run alone = {.n_threads = 1};

typedef struct {
    fc_window_model model;
    fc_window_steps steps;
    fc_dtype dtype;
} problem;

static size_t classes_of(const fc_window_model *m) { return m->layer[m->layers - 1].outputs; }
static size_t width_of(const fc_window_model *m) { return 2 * m->window + 1; }
static size_t steps_in(const fc_window_steps *s) { return (s->windows.n + s->batch - 1) / s->batch; }

/* --- models ----------------------------------------------------------------------------------------------------- */

/* The arrays of a model that training changes, and their lengths. */
enum { MOST_PARTS = 2 + 4 * FC_WINDOW_LAYERS };
typedef struct {
    void **at[MOST_PARTS];
    size_t length[MOST_PARTS], count;
} parts;

static void add_part(parts *p, void **at, size_t length) {
    p->at[p->count] = at;
    p->length[p->count++] = length;
}

static parts parts_of(fc_window_model *m) {
    parts p = {.count = 0};
    size_t inputs = width_of(m) * m->dim;
    add_part(&p, &m->vectors, m->words * m->dim);
    add_part(&p, &m->squares, m->words * m->dim);
    for (size_t l = 0; l < m->layers; l++) {
        const size_t outputs = m->layer[l].outputs;
        add_part(&p, &m->layer[l].W, outputs * inputs);
        add_part(&p, &m->layer[l].b, outputs);
        add_part(&p, &m->layer[l].W_squares, outputs * inputs);
        add_part(&p, &m->layer[l].b_squares, outputs);
        inputs = outputs;
    }
    return p;
}

static fc_window_model model_of(source *from, fc_dtype dtype, kind v) {
    fc_window_model m = {.in = fc_arithmetic_of(dtype),
                         .words = 1 + up_to(from, MOST_WORDS - 1),
                         .dim = 1 + up_to(from, MOST_DIM - 1),
                         .window = up_to(from, MOST_WINDOW),
                         .layers = 1 + up_to(from, FC_WINDOW_LAYERS - 1),
                         .activation = (fc_activation)up_to(from, FC_ACTIVATION_COUNT - 1)};
    m.trained = up_to(from, m.words);
    for (size_t l = 0; l < m.layers; l++) m.layer[l].outputs = 1 + up_to(from, MOST_OUTPUTS - 1);
    const parts p = parts_of(&m);
    const int has_stepped = one_in(from, 2);
    for (size_t i = 0; i < p.count; i++) {
        const int is_squares = p.at[i] == &m.squares || (i >= 2 && i % 4 < 2);
        *p.at[i] = array_of(from, dtype, p.length[i], is_squares ? BYTES : v);
        if (is_squares && !has_stepped) memset(*p.at[i], 0, p.length[i] * fc_dtype_size(dtype));
    }
    return m;
}

static fc_window_model copy_of(fc_window_model m, size_t size) {
    const parts p = parts_of(&m);
    for (size_t i = 0; i < p.count; i++) {
        void *copy = room_for(p.length[i], size);
        memcpy(copy, *p.at[i], p.length[i] * size);
        *p.at[i] = copy;
    }
    return m;
}

static void release_model(fc_window_model m) {
    const parts p = parts_of(&m);
    for (size_t i = 0; i < p.count; i++) release(*p.at[i]);
}

/* --- windows ---------------------------------------------------------------------------------------------------- */

/* Numbers from `least` to `most`; in some cases one is not. */
static int64_t *numbers(source *from, size_t count, int64_t least, int64_t most) {
    static const int64_t odd[] = {-1, INT64_MIN, INT64_MAX, 1 << 30};
    int64_t *all = room_for(count, sizeof *all);
    for (size_t i = 0; i < count; i++) all[i] = least + (int64_t)up_to(from, (size_t)(most - least));
    if (count && one_in(from, 32)) all[up_to(from, count - 1)] = odd[up_to(from, 3)];
    return input_of(all, count * sizeof *all);
}

static int32_t *text_of(source *from, size_t length, size_t words) {
    int32_t *word = room_for(length, sizeof *word);
    for (size_t i = 0; i < length; i++) word[i] = (int32_t)up_to(from, words - 1);
    if (one_in(from, 32)) word[up_to(from, length - 1)] = one_in(from, 2) ? -1 : (int32_t)words;
    return input_of(word, length * sizeof *word);
}

static double *weights_of(source *from, size_t count) {
    double *weight = room_for(count, sizeof *weight);
    for (size_t i = 0; i < count; i++) weight[i] = (double)up_to(from, 8) / 4;
    return input_of(weight, count * sizeof *weight);
}

static fc_window_steps steps_of(source *from, const fc_window_model *m) {
    const size_t n = up_to(from, MOST_WINDOWS), width = width_of(m), length = width + up_to(from, MOST_LENGTH);
    const int64_t first = (int64_t)m->window, last = (int64_t)(length - width) + first,
                  label = (int64_t)classes_of(m) - 1;
    fc_window_steps s = {.batch = 1 + up_to(from, MOST_WINDOWS), .rate = (double)up_to(from, 4) / 8, .margin = 1};
    s.windows = (fc_windows){text_of(from, length, m->words), length, numbers(from, n, first, last), n};
    s.label = numbers(from, n, 0, label);
    if (one_in(from, 2)) {
        s.corrupt = numbers(from, n, first, last);
        s.corrupt_label = numbers(from, n, 0, label);
    }
    if (one_in(from, 2)) s.l2 = (double)up_to(from, 4) / 16;
    if (one_in(from, 4)) s.weight = weights_of(from, n);
    return s;
}

static void release_steps(const fc_window_steps *s) {
    release(s->windows.word);
    release(s->windows.centre);
    release(s->label);
    release(s->corrupt);
    release(s->corrupt_label);
    release(s->weight);
}

static int centres_fit(const problem *p, const int64_t *centre) {
    const fc_windows *w = &p->steps.windows;
    const int64_t window = (int64_t)p->model.window;
    for (size_t i = 0; i < w->n; i++) {
        if (centre[i] < window || centre[i] >= (int64_t)w->length - window) return 0;
        for (int64_t at = centre[i] - window; at <= centre[i] + window; at++)
            if (w->word[at] < 0 || (size_t)w->word[at] >= p->model.words) return 0;
    }
    return 1;
}

static int labels_fit(const problem *p, const int64_t *label) {
    for (size_t i = 0; i < p->steps.windows.n; i++)
        if (label[i] < 0 || (size_t)label[i] >= classes_of(&p->model)) return 0;
    return 1;
}

static int steps_fit(const problem *p) {
    const fc_window_steps *s = &p->steps;
    if (!centres_fit(p, s->windows.centre) || !labels_fit(p, s->label)) return 0;
    return !s->corrupt || (centres_fit(p, s->corrupt) && labels_fit(p, s->corrupt_label));
}

/* --- plain sums ------------------------------------------------------------------------------------------------- */

static double plain_score(const problem *p, int64_t centre, size_t output) {
    const fc_window_model *m = &p->model;
    const size_t inputs = width_of(m) * m->dim;
    double sum = fc_value_at(m->layer[0].b, output, p->dtype);
    for (size_t i = 0; i < inputs; i++) {
        const size_t word = (size_t)p->steps.windows.word[(size_t)centre - m->window + i / m->dim];
        sum += fc_value_at(m->layer[0].W, output * inputs + i, p->dtype) *
               fc_value_at(m->vectors, word * m->dim + i % m->dim, p->dtype);
    }
    return sum;
}

static void expect_plain_scores(const problem *p, const void *scores) {
    const size_t classes = classes_of(&p->model);
    for (size_t i = 0; i < p->steps.windows.n * classes; i++) {
        const int64_t centre = p->steps.windows.centre[i / classes];
        expect(fc_value_at(scores, i, p->dtype) == plain_score(p, centre, i % classes), "not the plain score");
    }
}

/* What the first step begins with, of ranks without a penalty. */
static void expect_plain_start(const problem *p, double found) {
    const fc_window_steps *s = &p->steps;
    const size_t n = s->batch < s->windows.n ? s->batch : s->windows.n;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double score = plain_score(p, s->windows.centre[i], (size_t)s->label[i]),
                     corrupt = plain_score(p, s->corrupt[i], (size_t)s->corrupt_label[i]);
        sum += (s->weight ? s->weight[i] : 1) * fmax(0, s->margin - score + corrupt);
    }
    expect(found == sum / (double)n, "not the plain objective");
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void expect_same_models(const problem *p, fc_window_model found, fc_window_model expected) {
    fc_window_model start = p->model;
    const parts a = parts_of(&found), b = parts_of(&expected), before = parts_of(&start);
    for (size_t i = 0; i < a.count; i++)
        expect_same(*a.at[i], *b.at[i], p->dtype, a.length[i], "a model by another instruction set");
    const size_t moved = start.trained * start.dim * fc_dtype_size(p->dtype),
                 all = before.length[0] * fc_dtype_size(p->dtype);
    expect(memcmp((char *)found.vectors + moved, (char *)start.vectors + moved, all - moved) == 0,
           "a fixed word moves");
}

static void fuzz_training(const problem *p, sets by, int is_integer) {
    const size_t size = fc_dtype_size(p->dtype);
    const fc_window_model expected = copy_of(p->model, size), found = copy_of(p->model, size);
    double *objectives[2];
    for (int i = 0; i < 2; i++) objectives[i] = room_for(steps_in(&p->steps), sizeof(double));
    use(by.isa[0]);
    const fc_status status = fc_window_train(&expected, &p->steps, alone, objectives[0]);
    use(by.isa[1]);
    disturb(found.vectors, p->model.words * p->model.dim * size);
    expect(fc_window_train(&found, &p->steps, alone, objectives[1]) == status, "status by another instruction set");
    expect((status != FC_BAD_ARGUMENT) == steps_fit(p), "another status than the steps have");
    expect_same_models(p, found, expected);
    if (status == FC_OK) {
        expect_same(objectives[1], objectives[0], FC_f64, steps_in(&p->steps), "objective by another instruction set");
        if (is_integer && p->steps.corrupt && p->steps.l2 == 0 && p->steps.windows.n)
            expect_plain_start(p, objectives[1][0]);
    }
    for (int i = 0; i < 2; i++) release(objectives[i]);
    release_model(expected);
    release_model(found);
}

static void fuzz_scores(const problem *p, sets by, int is_integer) {
    const size_t entries = p->steps.windows.n * classes_of(&p->model);
    void *expected = room_for(entries, sizeof(double)), *found = room_for(entries, sizeof(double));
    use(by.isa[0]);
    const fc_status status = fc_window_scores(&p->model, p->steps.windows, alone, expected);
    use(by.isa[1]);
    expect(fc_window_scores(&p->model, p->steps.windows, alone, found) == status, "status by another instruction set");
    expect(status == (centres_fit(p, p->steps.windows.centre) ? FC_OK : FC_BAD_ARGUMENT), "another status than fits");
    if (status == FC_OK) {
        expect_same(found, expected, p->dtype, entries, "scores by another instruction set");
        if (is_integer) expect_plain_scores(p, found);
    }
    release(expected);
    release(found);
}

void fuzz_windows(source *from) {
    const sets by = two_sets(from);
    const kind v = (kind)up_to(from, KIND_COUNT - 1);
    problem p = {.dtype = one_in(from, 2) ? FC_f32 : FC_f64};
    p.model = model_of(from, p.dtype, v);
    p.steps = steps_of(from, &p.model);
    const int is_integer = p.model.layers == 1 && (v == FEW || v == BYTES);
    fuzz_scores(&p, by, is_integer);
    fuzz_training(&p, by, is_integer);
    release_model(p.model);
    release_steps(&p.steps);
}
