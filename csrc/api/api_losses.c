/* api_losses.c -- losses and linear models of the public C interface. */
#include "api/api.h"
#include "core/matrix.h"
#include "models.h"

typedef enum { NOTHING, SMOOTHING, MARGIN } meaning; /* of `parameter` */

/* What a loss compares scores with, and what else it takes; one that takes neither labels nor targets is no loss. */
typedef struct {
    int labels, targets;
    fc_targets hold;
    meaning parameter;
    int class_weights, margins, flags;
} rule;

static const rule rules[FC_LOSS_COUNT] = {
    [FC_mse] = {.labels = 1, .targets = 1, .hold = FC_ANY_FINITE},
    [FC_binary_cross_entropy_with_logits] = {.targets = 1, .hold = FC_PARTS, .class_weights = 1},
    [FC_max_margin] = {.targets = 1, .hold = FC_ANY_FINITE, .parameter = MARGIN},
    [FC_softmax] = {0},
    [FC_log_softmax] = {0},
    [FC_cross_entropy] =
        {.labels = 1, .targets = 1, .hold = FC_PROBABILITIES, .parameter = SMOOTHING, .class_weights = 1},
    [FC_kl_div] = {.targets = 1, .hold = FC_PROBABILITIES},
    [FC_softmax_mse] = {.labels = 1, .targets = 1, .hold = FC_ANY_FINITE},
    [FC_hinge] = {.labels = 1, .parameter = MARGIN, .margins = 1, .flags = FASTCLF_SQUARED | FASTCLF_OWN_TERM},
    [FC_crammer_singer] = {.labels = 1, .parameter = MARGIN, .margins = 1, .flags = FASTCLF_SQUARED}};

/* Arguments of a loss, beside the scores: see fastclf_loss. */
typedef struct {
    int loss;
    const int64_t *labels;
    const void *targets;
    const double *row_weights, *class_weights, *margins;
    double parameter;
    int flags;
    double scale;
} asked;

static int is_finite(double v) { return v - v == 0; }

static int parameter_fits(meaning of, double v) {
    return of == NOTHING ? v == 0 : of == SMOOTHING ? v >= 0 && v <= 1 : is_finite(v);
}

/* Whether what is given goes with the loss. */
static int options_fit(const rule *r, const asked *a) {
    const int is_loss = r->labels || r->targets;
    if ((a->labels && !r->labels) || (a->targets && !r->targets) || (a->class_weights && !r->class_weights) ||
        (a->margins && !r->margins) || (a->flags & ~r->flags))
        return 0;
    if (is_loss ? !a->labels == !a->targets : a->row_weights != NULL || a->scale != 1) return 0;
    return is_finite(a->scale) && parameter_fits(r->parameter, a->parameter);
}

static int arrays_fit(const asked *a, int64_t rows, int64_t classes, size_t size) {
    FC_TRY(fc_api_optional(a->labels, rows, 1, sizeof *a->labels));
    FC_TRY(fc_api_optional(a->targets, rows, classes, size));
    FC_TRY(fc_api_optional(a->row_weights, rows, 1, sizeof *a->row_weights));
    FC_TRY(fc_api_optional(a->class_weights, classes, 1, sizeof *a->class_weights));
    if (a->margins) FC_TRY(fc_api_optional(a->margins, classes, classes, sizeof *a->margins));
    FC_TRY(fc_api_weights(a->row_weights, (size_t)rows));
    return fc_api_weights(a->class_weights, (size_t)classes);
}

static int margins_are_finite(const double *margins, size_t classes) {
    for (size_t i = 0; margins && i < classes * classes; i++)
        if (!is_finite(margins[i])) return 0;
    return 1;
}

/* The scores, n x classes, are of a float; their data may be NULL. */
static int batch_of(const asked *a, fc_matrix scores, fc_batch *b) {
    const fc_matrix none = {.dtype = scores.dtype};
    fc_loss loss;
    FC_TRY(fc_api_loss(a->loss, &loss));
    const rule *r = &rules[loss];
    if (!options_fit(r, a)) return FASTCLF_BAD_OPTION;
    FC_TRY(arrays_fit(a, (int64_t)scores.rows, (int64_t)scores.cols, fc_dtype_size(scores.dtype)));
    if (!margins_are_finite(a->margins, scores.cols)) return FASTCLF_BAD_OPTION;
    *b = (fc_batch){.loss = loss,
                    .scores = scores,
                    .target = a->targets ? (fc_matrix){a->targets, scores.rows, scores.cols, scores.dtype} : none,
                    .targets = r->hold,
                    .label = a->labels,
                    .weight = a->row_weights,
                    .column = a->class_weights,
                    .margins = a->margins,
                    .scale = a->scale,
                    .label_smoothing = r->parameter == SMOOTHING ? a->parameter : 0,
                    .margin = r->margins ? a->parameter : 0,
                    .parameter = r->parameter == MARGIN && !r->margins ? a->parameter : 0,
                    .squared = (a->flags & FASTCLF_SQUARED) != 0,
                    .own_term = (a->flags & FASTCLF_OWN_TERM) != 0};
    return FASTCLF_OK;
}

/* All else is checked before: what remains is a label. */
static int loss_status(fc_status status, const asked *a) {
    return status == FC_BAD_ARGUMENT && a->labels ? FASTCLF_BAD_LABEL : fc_api_status(status);
}

int fastclf_loss(int loss, int dtype, const void *scores, int64_t n_rows, int64_t n_classes, const int64_t *labels,
                 const void *targets, const double *row_weights, const double *class_weights, const double *margins,
                 double parameter, int flags, double scale, int n_threads, double *losses, void *gradient,
                 int64_t *bad_row) {
    const asked a = {loss, labels, targets, row_weights, class_weights, margins, parameter, flags, scale};
    fc_matrix s;
    fc_batch batch;
    fc_run run;
    size_t bad = SIZE_MAX;
    FC_TRY(fc_api_float(dtype, &s.dtype));
    FC_TRY(fc_api_matrix(dtype, scores, n_rows, n_classes, &s));
    FC_TRY(batch_of(&a, s, &batch));
    FC_TRY(fc_api_optional(gradient, n_rows, n_classes, fc_dtype_size(s.dtype)));
    FC_TRY(fc_api_optional(losses, n_rows, 1, sizeof *losses));
    FC_TRY(fc_api_optional(bad_row, 1, 1, sizeof *bad_row));
    if (losses && !rules[batch.loss].labels && !rules[batch.loss].targets) return FASTCLF_BAD_OPTION;
    FC_TRY(fc_api_run(n_threads, &run));
    const int status = loss_status(fc_losses(&batch, run, losses, NULL, gradient, &bad), &a);
    if (bad_row) *bad_row = status == FASTCLF_BAD_ROW ? (int64_t)bad : -1;
    return status;
}

/* --- linear models ------------------------------------------------------------------------------------------------ */

static int model_of(int x_dtype, const void *X, int64_t n_rows, int64_t n_features, int dtype, const void *W,
                    const void *b, int64_t n_classes, fc_linear *m) {
    fc_dtype stored;
    FC_TRY(fc_api_float(dtype, &stored));
    FC_TRY(fc_api_matrix(x_dtype, X, n_rows, n_features, &m->X));
    const size_t size = fc_dtype_size(stored);
    if (fc_dtype_size(m->X.dtype) > size) return FASTCLF_BAD_DTYPE;
    if (n_classes < 1) return FASTCLF_BAD_SIZE;
    FC_TRY(fc_api_array(W, n_classes, n_features, size));
    FC_TRY(fc_api_optional(b, n_classes, 1, size));
    FC_TRY(fc_api_optional(NULL, n_rows, n_classes, sizeof(double))); /* the scores: a size that memory has */
    m->in = fc_arithmetic_of(stored);
    m->centre = NULL;
    m->W = W;
    m->b = b;
    m->classes = (size_t)n_classes;
    return FASTCLF_OK;
}

int fastclf_linear_scores(int x_dtype, const void *X, int64_t n_rows, int64_t n_features, int dtype, const void *W,
                          const void *b, int64_t n_classes, int n_threads, void *scores) {
    fc_linear model;
    fc_run run;
    FC_TRY(model_of(x_dtype, X, n_rows, n_features, dtype, W, b, n_classes, &model));
    FC_TRY(fc_api_array(scores, n_rows, n_classes, fc_dtype_size(fc_dtype_of(model.in))));
    FC_TRY(fc_api_run(n_threads, &run));
    return fc_api_status(fc_linear_scores(&model, run, scores));
}

int fastclf_linear_loss(int x_dtype, const void *X, int64_t n_rows, int64_t n_features, int dtype, const void *W,
                        const void *b, int64_t n_classes, int loss, const int64_t *labels, const void *targets,
                        const double *row_weights, const double *class_weights, const double *margins, double parameter,
                        int flags, double scale, int n_threads, double *total, double *of_W, double *of_b) {
    const asked a = {loss, labels, targets, row_weights, class_weights, margins, parameter, flags, scale};
    fc_linear model;
    fc_batch batch;
    fc_run run;
    FC_TRY(model_of(x_dtype, X, n_rows, n_features, dtype, W, b, n_classes, &model));
    FC_TRY(batch_of(&a, (fc_matrix){NULL, model.X.rows, model.classes, fc_dtype_of(model.in)}, &batch));
    if (!rules[batch.loss].labels && !rules[batch.loss].targets) return FASTCLF_BAD_LOSS;
    FC_TRY(fc_api_array(total, 1, 1, sizeof *total));
    FC_TRY(fc_api_array(of_W, n_classes, n_features, sizeof *of_W));
    FC_TRY(fc_api_array(of_b, n_classes, 1, sizeof *of_b));
    FC_TRY(fc_api_run(n_threads, &run));
    return loss_status(fc_linear_loss(&model, &batch, run, total, of_W, of_b), &a);
}
