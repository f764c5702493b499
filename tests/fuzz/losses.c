/* losses.c -- losses of scores that may be anything: two instruction sets agree in status, losses and gradient; squares
 * and hinges of integers are plain sums.
 */
#include <math.h>

#include "fastclf_api.h"
#include "fuzz.h"
#include "core/matrix.h"

enum { MOST_ROWS = 12, MOST_CLASSES = 40 };

typedef struct {
    int loss, dtype, flags;
    size_t rows, classes;
    const void *scores, *targets;
    const int64_t *label;
    const double *row_weights, *class_weights, *margins;
    double parameter;
} problem;

typedef struct {
    int status;
    int64_t bad_row;
    double *losses;
    void *gradient;
} answer;

static fc_dtype stored(const problem *p) { return p->dtype == FASTCLF_f32 ? FC_f32 : FC_f64; }
static int has_loss(const problem *p) { return p->label || p->targets; }

static answer answer_of(const problem *p) {
    answer a = {.losses = room_for(p->rows, sizeof(double))};
    a.gradient = room_for(p->rows * p->classes, sizeof(double));
    a.status = fastclf_loss(p->loss, p->dtype, p->scores, (int64_t)p->rows, (int64_t)p->classes, p->label, p->targets,
                            p->row_weights, p->class_weights, p->margins, p->parameter, p->flags, 1, 1,
                            has_loss(p) ? a.losses : NULL, a.gradient, &a.bad_row);
    return a;
}

static void release_answer(answer a) {
    release(a.losses);
    release(a.gradient);
}

static double plain_term(const problem *p, size_t row, size_t c) {
    const double score = fc_value_at(p->scores, row * p->classes + c, stored(p));
    if (p->loss == FASTCLF_mse) {
        const double to =
            p->label ? p->label[row] == (int64_t)c : fc_value_at(p->targets, row * p->classes + c, stored(p));
        return (score - to) * (score - to);
    }
    const double own = fc_value_at(p->scores, row * p->classes + (size_t)p->label[row], stored(p));
    const double term = (int64_t)c == p->label[row] ? 0 : fmax(0, score - own + p->parameter);
    return p->flags & FASTCLF_SQUARED ? term * term : term;
}

/* Of integers, without weights: sums are exact. */
static void expect_plain(const problem *p, const answer *a) {
    const int is_plain = p->loss == FASTCLF_mse || p->loss == FASTCLF_hinge;
    if (!is_plain || p->row_weights || p->margins || p->flags & FASTCLF_OWN_TERM) return;
    for (size_t row = 0; row < p->rows; row++) {
        double sum = 0;
        for (size_t c = 0; c < p->classes && !(p->label && p->label[row] < 0); c++) sum += plain_term(p, row, c);
        expect(a->losses[row] == sum, "not the plain sum");
    }
}

/* Classes, or -1: no label; one in some is neither. */
static int64_t *labels_of(source *s, size_t rows, size_t classes) {
    int64_t *label = room_for(rows, sizeof *label);
    const int has_odd = one_in(s, 8);
    for (size_t i = 0; i < rows; i++)
        label[i] = one_in(s, 8) ? -1 : has_odd && one_in(s, 8) ? INT64_MIN + take(s) : (int64_t)up_to(s, classes - 1);
    return input_of(label, rows * sizeof *label);
}

/* Numbers that sum to 1 in each row, as probabilities have to. */
static void *probabilities(source *s, const problem *p) {
    double *all = room_for(p->rows * p->classes, sizeof *all);
    for (size_t i = 0; i < p->rows * p->classes; i++) all[i] = 0;
    for (size_t i = 0; i < p->rows; i++)
        for (int j = 0; j < 4; j++) all[i * p->classes + up_to(s, p->classes - 1)] += 0.25;
    if (p->dtype == FASTCLF_f64) return input_of(all, p->rows * p->classes * sizeof *all);
    float *narrow = room_for(p->rows * p->classes, sizeof *narrow);
    for (size_t i = 0; i < p->rows * p->classes; i++) narrow[i] = (float)all[i];
    release(all);
    return input_of(narrow, p->rows * p->classes * sizeof *narrow);
}

/* Labels or targets or neither, and options: many do not go with the loss, which the status says. */
static void choose(source *s, problem *p, kind v) {
    switch (up_to(s, 3)) {
    case 0:
        p->targets = array_of(s, stored(p), p->rows * p->classes, v);
        break;
    case 1:
        p->targets = probabilities(s, p);
        break;
    case 2:
        p->label = labels_of(s, p->rows, p->classes);
        break;
    }
    if (one_in(s, 4)) p->row_weights = array_of(s, FC_f64, p->rows, v);
    if (one_in(s, 4)) p->class_weights = array_of(s, FC_f64, p->classes, BYTES);
    if (one_in(s, 4)) p->margins = array_of(s, FC_f64, p->classes * p->classes, BYTES);
    p->parameter = (double)up_to(s, 4) / 4;
    p->flags = (int)up_to(s, 3);
    if (one_in(s, 2)) p->flags = 0, p->parameter = 0;
}

void fuzz_losses(source *s) {
    const sets by = two_sets(s);
    const kind v = (kind)up_to(s, KIND_COUNT - 1);
    problem p = {.loss = (int)up_to(s, FASTCLF_crammer_singer), .dtype = one_in(s, 2) ? FASTCLF_f32 : FASTCLF_f64};
    p.rows = up_to(s, MOST_ROWS);
    p.classes = 1 + up_to(s, MOST_CLASSES - 1);
    choose(s, &p, v);
    const size_t entries = p.rows * p.classes;
    p.scores = array_of(s, stored(&p), entries, v);

    use(by.isa[0]);
    const answer expected = answer_of(&p);
    use(by.isa[1]);
    disturb(p.scores, entries * fc_dtype_size(stored(&p)));
    const answer found = answer_of(&p);
    expect(found.status == expected.status, "status by another instruction set");
    if (found.status == FASTCLF_BAD_ROW) expect(found.bad_row == expected.bad_row, "bad row by another set");
    if (found.status == FASTCLF_OK) {
        expect_same(found.gradient, expected.gradient, stored(&p), entries, "gradient by another instruction set");
        if (has_loss(&p)) expect_same(found.losses, expected.losses, FC_f64, p.rows, "losses by another set");
        if (v == FEW || v == BYTES) expect_plain(&p, &found);
    }
    release_answer(found);
    release_answer(expected);
    release(p.scores);
    release(p.targets);
    release(p.label);
    release(p.row_weights);
    release(p.class_weights);
    release(p.margins);
}
