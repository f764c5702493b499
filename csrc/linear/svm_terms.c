/* svm_terms.c -- the terms of a multiclass SVM's augmented Lagrangian, for a block of rows. */
#include <math.h>
#include <stdlib.h>

#include "core/matrix.h"
#include "core/sizes.h"
#include "core/threads.h"
#include "linear/kernels.h"

/* One row: its scores plus margins less the label's, and what is found of it. */
typedef struct {
    size_t classes, label;
    const double *from; /* the multipliers */
    double *term, *a, value, hinge;
} a_row;

/* Weston and Watkins': each term has a maximum of its own. */
static void sum_of_terms(a_row *r, double width) {
    double sum = 0;
    for (size_t c = 0; c < r->classes; c++) {
        if (c == r->label) continue;
        const double term = r->term[c], at = r->from[c] + term / width, a = at < 0 ? 0 : at > 1 ? 1 : at;
        const double off = a - r->from[c];
        r->value += a * term - width / 2 * off * off;
        r->hinge += term > 0 ? term : 0;
        r->a[c] = a;
        sum += a;
    }
    r->a[r->label] = 0 - sum;
}

/* Crammer and Singer's: the terms share one. */
static void largest_term(a_row *r, double width, double *u) {
    for (size_t c = 0; c < r->classes; c++) {
        r->hinge = r->term[c] > r->hinge ? r->term[c] : r->hinge;
        u[c] = r->from[c] + r->term[c] / width;
        r->a[c] = r->from[c];
    }
    fc_linear_kernels_active(FC_IN_f64)->svm_row(1, 0, r->classes, r->label, u, r->a);
    for (size_t c = 0; c < r->classes; c++) {
        const double off = r->a[c] - r->from[c];
        r->value += r->a[c] * r->term[c] - width / 2 * off * off;
    }
}

int fc_svm_terms_of_block(const fc_svm_terms *t, const fc_linear_block *block, fc_arithmetic in, size_t first,
                          double *loss, double *hinge, double *scratch) {
    const size_t classes = block->classes;
    double *term = scratch, *u = scratch + fc_round_up(classes, FC_SVM_FOURS);
    for (size_t i = 0; i < block->rows; i++) {
        const size_t row = first + i, label = fc_within(FC_ONCE(t->label[row]), classes), at = i * classes;
        const double own = fc_value_at(block->scores, at + label, fc_dtype_of(in)), weight = t->weight[row];
        const double *margins = t->margins + label * classes;
        a_row r = {classes, label, t->multipliers + row * classes, term, t->a + row * classes, 0, 0};
        for (size_t c = 0; c < classes; c++) {
            term[c] = (fc_value_at(block->scores, at + c, fc_dtype_of(in)) - own) + (c == label ? 0 : margins[c]);
            if (!isfinite(term[c])) return 0;
        }
        if (t->largest)
            largest_term(&r, t->width, u);
        else
            sum_of_terms(&r, t->width);
        for (size_t c = 0; c < classes; c++)
            fc_put_term(block->scores, at + c, in, weight * (r.a[c] - (t->known ? r.from[c] : 0)));
        loss[i] = weight * r.value;
        hinge[i] = weight * r.hinge;
    }
    return 1;
}

/* --- scores that there are already -------------------------------------------------------------------------------- */

enum { TASK_ROWS = 256 };

typedef struct {
    fc_matrix scores;
    const fc_svm_terms *terms;
    double *loss, *hinge; /* of each row */
} scores_job;

static void run_thread(void *data, fc_team *team, int thread) {
    const scores_job *j = data;
    const size_t classes = j->scores.cols, size = fc_dtype_size(j->scores.dtype);
    double *scratch = malloc(2 * (classes + FC_SVM_FOURS) * sizeof *scratch);
    if (!scratch) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; fc_next_task(team, &task);) {
        const size_t first = task * TASK_ROWS;
        const fc_linear_block block = {.rows = fc_smaller(TASK_ROWS, j->scores.rows - first),
                                       .classes = classes,
                                       .scores = (char *)(uintptr_t)j->scores.data + first * classes * size};
        if (!fc_svm_terms_of_block(j->terms, &block, fc_arithmetic_of(j->scores.dtype), first, j->loss + first,
                                   j->hinge + first, scratch))
            fc_stop(team, FC_BAD_ROW);
        fc_stopped(team, thread);
    }
    free(scratch);
}

fc_status fc_svm_lagrangian_of_scores(fc_matrix scores, const fc_svm_terms *terms, fc_run run, double *value,
                                      double *hinges) {
    if (run.n_threads < 1 || scores.cols == 0 || scores.cols > PTRDIFF_MAX / 64 || !(terms->width > 0) ||
        !fc_is_float(fc_arithmetic_of(scores.dtype)))
        return FC_BAD_ARGUMENT;
    scores_job j = {.scores = scores, .terms = terms};
    j.loss = malloc((scores.rows + 1) * sizeof *j.loss);
    j.hinge = malloc((scores.rows + 1) * sizeof *j.hinge);
    fc_status status = FC_NO_MEMORY;
    if (j.loss && j.hinge) {
        run.n_threads = fc_threads_for(run.n_threads, 64 * (double)scores.rows * (double)scores.cols);
        status = fc_parallel(run, (scores.rows + TASK_ROWS - 1) / TASK_ROWS, run_thread, &j);
    }
    if (status == FC_OK) {
        *value = fc_total(j.loss, scores.rows);
        *hinges = fc_total(j.hinge, scores.rows);
    }
    free(j.loss);
    free(j.hinge);
    return status;
}
