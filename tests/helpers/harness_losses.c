/* harness_losses.c -- every loss on awkward shapes and scores: the same bytes on one thread and on two, in place, and
 * without a gradient.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "core/matrix.h"

typedef struct {
    size_t rows, cols;
} shape;

/* Around vectors, tiles of rows and blocks of classes; the large ones are of several tasks, two of them enough work for
 * two threads.
 */
static const shape shapes[] = {{1, 1},      {1, 50},   {3, 2},     {16, 10},   {17, 16},  {33, 17},
                               {40, 100},   {129, 3},  {5, 128},   {5, 129},   {16, 130}, {7, 1025},
                               {300, 1000}, {2, 5000}, {2100, 10}, {25100, 10}};
enum { LARGE = 250, THREADED = 250000, MOST_MARGINS = 130 };

/* What scores are like; MASKED have classes at -inf, but one that is there in each row; BAD have a row with NaN. */
typedef enum { PLAIN, STEEP, TIED, MASKED, BEYOND, BAD, KIND_COUNT } kind;

static int is_score_loss(fc_loss loss) {
#define CASE(name, ...) || loss == FC_##name
    return loss == FC_softmax_mse FC_SCORE_LOSSES(CASE);
#undef CASE
}

static int has_margins(fc_loss loss) { return loss == FC_hinge || loss == FC_crammer_singer; }
static int has_no_target(fc_loss loss) { return loss == FC_softmax || loss == FC_log_softmax; }
static int takes_softmax(fc_loss loss) {
    return (!is_score_loss(loss) && !has_margins(loss)) || loss == FC_softmax_mse;
}

static void scale_entry(void *data, fc_dtype dtype, size_t i, double by) {
    if (dtype == FC_f32)
        ((float *)data)[i] *= (float)by;
    else
        ((double *)data)[i] *= by;
}

static void set_entry(void *data, fc_dtype dtype, size_t i, double to) {
    if (dtype == FC_f32)
        ((float *)data)[i] = (float)to;
    else
        ((double *)data)[i] = to;
}

static void *data_of(fc_matrix m) { return (void *)(uintptr_t)m.data; }

static fc_matrix make_scores(shape s, fc_dtype dtype, kind k) {
    const fc_matrix m = make_matrix(s.rows, s.cols, dtype, k == TIED ? TIES : FRACTIONS);
    const size_t entries = s.rows * s.cols;
    for (size_t i = 0; i < entries && (k == STEEP || k == BEYOND); i++)
        scale_entry(data_of(m), dtype, i, k == STEEP ? 300 : 1e30);
    for (size_t i = 0; i < entries && k == MASKED; i++)
        if (draw() % 3 == 0 && i % s.cols != i / s.cols % s.cols) set_entry(data_of(m), dtype, i, (double)-INFINITY);
    if (k == BAD) set_entry(data_of(m), dtype, draw() % entries, (double)NAN);
    return m;
}

static fc_matrix make_positive(size_t rows, size_t cols, fc_dtype dtype) {
    const int is_float = dtype == FC_f32 || dtype == FC_f64;
    const fc_matrix m = make_matrix(rows, cols, dtype, is_float ? FRACTIONS : BYTES);
    for (size_t i = 0; i < rows * cols && is_float; i++)
        set_entry(data_of(m), dtype, i, fabs(dtype == FC_f32 ? ((float *)data_of(m))[i] : ((double *)data_of(m))[i]));
    return m;
}

/* All that a batch may be given; every fourth label is -1, every fifth weight 0. */
typedef struct {
    fc_matrix scores, target[FC_DTYPE_COUNT], weight, column, margins;
    int64_t *label;
} inputs;

static inputs make_inputs(shape s, fc_dtype dtype, kind k) {
    const size_t margins = s.cols <= MOST_MARGINS ? s.cols : 1;
    inputs in = {.scores = make_scores(s, dtype, k),
                 .weight = make_positive(s.rows, 1, FC_f64),
                 .column = make_positive(1, s.cols, FC_f64),
                 .margins = make_matrix(margins, margins, FC_f64, FRACTIONS),
                 .label = allocate(s.rows, sizeof(int64_t))};
    for (fc_dtype d = 0; d < FC_DTYPE_COUNT; d++) in.target[d] = make_positive(s.rows, s.cols, d);
    for (size_t i = 0; i < s.rows; i++) {
        in.label[i] = (int64_t)(draw() % s.cols);
        if (i % 50 < 17 && draw() % 4 == 0) in.label[i] = -1;
        if (i % 70 < 17 && draw() % 5 == 0) set_entry(data_of(in.weight), FC_f64, i, 0);
    }
    return in;
}

static void destroy_inputs(inputs in) {
    destroy(in.scores);
    for (fc_dtype d = 0; d < FC_DTYPE_COUNT; d++) destroy(in.target[d]);
    destroy(in.weight);
    destroy(in.column);
    destroy(in.margins);
    free(in.label);
}

typedef struct {
    double *loss, *each;
    void *gradient;
    size_t rows, entries, gradient_bytes, bad_row;
    fc_status status;
} outputs;

static outputs make_outputs(const fc_batch *b) {
    const size_t entries = b->scores.rows * b->scores.cols, bytes = entries * fc_dtype_size(b->scores.dtype);
    outputs out = {.rows = b->scores.rows, .entries = entries, .gradient_bytes = bytes};
    out.loss = allocate(out.rows, sizeof *out.loss);
    out.each = is_score_loss(b->loss) ? allocate(entries, sizeof *out.each) : NULL;
    out.gradient = allocate(bytes, 1);
    return out;
}

static void destroy_outputs(outputs out) {
    free(out.loss);
    free(out.each);
    free(out.gradient);
}

static void run(const fc_batch *b, int n_threads, outputs *out, int with_gradient) {
    out->bad_row = 0;
    out->status = fc_losses(b, (fc_run){.n_threads = n_threads}, out->loss, with_gradient ? out->each : NULL,
                            with_gradient ? out->gradient : NULL, &out->bad_row);
    if (out->status != FC_BAD_ROW) expect_ok(out->status, "fc_losses");
}

static void expect_same(const fc_batch *b, const outputs *found, const outputs *expected, int with_gradient,
                        const char *how) {
    int same = found->status == expected->status && found->bad_row == expected->bad_row;
    if (same && expected->status == FC_OK) {
        same &= memcmp(found->loss, expected->loss, found->rows * sizeof *found->loss) == 0;
        if (with_gradient) same &= memcmp(found->gradient, expected->gradient, found->gradient_bytes) == 0;
        if (with_gradient && found->each)
            same &= memcmp(found->each, expected->each, found->entries * sizeof *found->each) == 0;
    }
    if (same) return;
    fprintf(stderr, "harness: %s of %zu x %zu scores differs %s\n", fc_loss_name(b->loss), b->scores.rows,
            b->scores.cols, how);
    exit(1);
}

static uint64_t fold_outputs(uint64_t digest, const outputs *out) {
    const uint64_t end[] = {out->status, out->status == FC_OK ? 0 : out->bad_row};
    digest = fnv(digest, end, sizeof end);
    if (out->status != FC_OK) return digest;
    const double total = fc_total(out->loss, out->rows);
    digest = fnv(digest, &total, sizeof total);
    digest = fnv(digest, out->loss, out->rows * sizeof *out->loss);
    digest = fnv(digest, out->gradient, out->gradient_bytes);
    return out->each ? fnv(digest, out->each, out->entries * sizeof *out->each) : digest;
}

static uint64_t run_batch(uint64_t digest, fc_batch b) {
    outputs first = make_outputs(&b), second = make_outputs(&b);
    run(&b, 1, &first, 1);
    digest = fold_outputs(digest, &first);
    if (!has_no_target(b.loss)) {
        run(&b, 2, &second, 0);
        expect_same(&b, &second, &first, 0, "without a gradient");
    }
    memcpy(second.gradient, b.scores.data, second.gradient_bytes);
    b.scores.data = second.gradient;
    run(&b, 2, &second, 1);
    expect_same(&b, &second, &first, 1, "on two threads and in place");
    destroy_outputs(first);
    destroy_outputs(second);
    return digest;
}

/* How many variants of a loss differ, by the bits that make_batch looks at. */
static unsigned variants_of(fc_loss loss) {
    if (has_no_target(loss)) return 2;
    if (loss == FC_cross_entropy) return 32;
    return has_margins(loss) || loss == FC_binary_cross_entropy_with_logits ? 16 : 8;
}

static fc_batch make_batch(fc_loss loss, const inputs *in, unsigned variant) {
    fc_batch b = {.loss = loss, .scores = in->scores, .scale = 1.0 / 3, .margin = 1, .parameter = 1};
    const unsigned target = variant >> 1 & 3;
    const int fourth = variant >> 3 & 1;
    if (variant & 1) b.weight = in->weight.data;
    if (has_no_target(loss)) return b;
    if (has_margins(loss)) {
        b.squared = target & 1;
        b.own_term = target > 1;
        if (fourth && in->margins.rows == in->scores.cols) b.margins = in->margins.data;
    }
    if (target == 0 || has_margins(loss))
        b.label = in->label;
    else
        b.target = in->target[target - 1];
    if (fourth && !has_margins(loss)) b.column = in->column.data;
    b.label_smoothing = variant >> 4 & 1 ? 0.1 : 0;
    return b;
}

/* Large shapes get one variant of each loss: another one each time. */
static uint64_t run_inputs(uint64_t digest, const inputs *in, kind k, unsigned *turn) {
    const size_t entries = in->scores.rows * in->scores.cols;
    for (fc_loss loss = 0; loss < FC_LOSS_COUNT; loss++) {
        const unsigned variants = variants_of(loss);
        if (k == MASKED && !takes_softmax(loss)) continue;
        if (entries > LARGE || k == BAD) {
            fc_batch b = make_batch(loss, in, (*turn)++ % variants);
            if (k == BAD) b.targets = (fc_targets)(*turn % 3);
            digest = run_batch(digest, b);
            continue;
        }
        for (unsigned v = 0; v < variants; v++) digest = run_batch(digest, make_batch(loss, in, v));
    }
    return digest;
}

uint64_t run_losses(uint64_t digest) {
    unsigned turn = 0;
    for (size_t i = 0; i < LENGTH(shapes); i++)
        for (fc_dtype dtype = FC_f32; dtype <= FC_f64; dtype++)
            for (kind k = 0; k < KIND_COUNT; k++) {
                const int wanted = k == BAD || k == (dtype == FC_f32 ? PLAIN : MASKED);
                if (shapes[i].rows * shapes[i].cols >= THREADED && !wanted) continue;
                const inputs in = make_inputs(shapes[i], dtype, k);
                digest = run_inputs(digest, &in, k, &turn);
                destroy_inputs(in);
            }
    return digest;
}
