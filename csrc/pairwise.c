/* pairwise.c -- all distances between two sets of rows: those that refine.c reports, mostly found in less time. */
#include <math.h>

#include "matrix.h"
#include "refine.h"
#include "sizes.h"
#include "threads.h"

enum {
    QUERIES = 64, /* a task: so many queries against so many rows, */
    ROWS = 128,   /* few enough that the rows stay in the cache */
    PART = 512,   /* features of a row that are converted at a time */
};

/* A part of a row, float or double. */
typedef union {
    float f32[PART];
    double f64[PART];
} part;

typedef struct {
    fc_pairs pairs;
    int is_quick; /* differences of floats; other metrics' sums are quick by themselves */
    part zeros, ones;
    size_t row_blocks;
    double *distance;
} pairwise;

/* What is needed of a vector, to compare it with many: its sum or, where terms are products, its sum of squares; and
 * the sum of the absolute terms.
 */
typedef struct {
    fc_sum sum;
    double most;
} total;

/* A row against `other`, or against itself. */
static fc_sum sum_with(const fc_pairs *p, fc_pair_kind kind, const fc_matrix *M, size_t row, const part *other) {
    part room;
    fc_sum sum = {0};
    for (size_t from = 0; from < M->cols; from += PART) {
        const size_t count = fc_smaller(PART, M->cols - from);
        const void *values = fc_row_part(M, row, from, count, p->dtype, &room);
        p->kernels->sum[kind][p->dtype](&sum, values, other ? other : values, count);
    }
    return sum;
}

static total total_of(const pairwise *w, const fc_matrix *M, size_t row) {
    const fc_pairs *p = &w->pairs;
    if (!w->is_quick) return (total){.sum = fc_squares_of(p, M, row)};
    if (p->metric->refine == FC_PAIR_absdiff)
        return (total){sum_with(p, FC_PAIR_product, M, row, &w->ones),
                       sum_with(p, FC_PAIR_absdiff, M, row, &w->zeros).value.high};
    const fc_sum squares = sum_with(p, FC_PAIR_product, M, row, NULL);
    return (total){squares, squares.value.high};
}

/* 2 s - a - b: for |q - x| = 2 max(q, x) - q - x and (q - x)^2 = q^2 + x^2 - 2 q x, whose sign is turned. */
static fc_twofold twice_less(fc_twofold s, fc_twofold a, fc_twofold b) {
    const fc_twofold first = fc_two_sum(2 * s.high, -a.high), both = fc_two_sum(first.high, -b.high);
    return fc_fast_two_sum(both.high, both.low + (first.low + (2 * s.low - a.low - b.low)));
}

/* Of floats, by a metric that is made of differences. */
static fc_distance quick_distance(const pairwise *w, size_t query, const total *q, size_t row, const total *x) {
    const fc_pairs *p = &w->pairs;
    const fc_pair_kind kind = p->metric->refine;
    const double most = q->most + x->most;
    if (!fc_is_tame(most)) return (fc_distance){0, 0, INFINITY};
    fc_sum s = fc_quick_sum(p, (fc_row){&p->Q, query}, (fc_row){&p->X, row}, most);
    s.value = twice_less(s.value, q->sum.value, x->sum.value);
    if (kind == FC_PAIR_sqdiff) s.value = fc_twofold_negative(s.value);
    return p->kernels->distance[kind](s, q->sum, x->sum, fc_quick_error(p->Q.cols) * most / fabs(s.value.high));
}

static double distance_of(const pairwise *w, size_t query, const total *q, size_t row, const total *x) {
    if (w->is_quick) {
        const fc_distance d = quick_distance(w, query, q, row, x);
        if (fc_is_rounded(d)) return d.nearest;
    }
    return fc_refine_by(&w->pairs, query, q->sum, row, x->sum);
}

static void run_task(const pairwise *w, size_t task, fc_team *team, int thread) {
    const fc_matrix *Q = &w->pairs.Q, *X = &w->pairs.X;
    const size_t first = task / w->row_blocks * QUERIES, from = task % w->row_blocks * ROWS;
    const size_t look = fc_stop_interval(X->cols);
    total of_row[ROWS];
    for (size_t row = from; row < X->rows && row < from + ROWS; row++) {
        if (row % look == 0 && fc_stopped(team, thread)) return;
        of_row[row - from] = total_of(w, X, row);
    }
    for (size_t q = first; q < Q->rows && q < first + QUERIES; q++) {
        const total of_query = total_of(w, Q, q);
        for (size_t row = from; row < X->rows && row < from + ROWS; row++) {
            if (row % look == 0 && fc_stopped(team, thread)) return;
            w->distance[q * X->rows + row] = distance_of(w, q, &of_query, row, &of_row[row - from]);
        }
    }
}

static void run_thread(void *job, fc_team *team, int thread) {
    for (size_t task; fc_next_task(team, &task);) run_task(job, task, team, thread);
}

fc_status fc_pairwise(fc_metric metric, fc_matrix Q, fc_matrix X, fc_run run, double *distance) {
    size_t entries;
    if ((unsigned)Q.dtype >= FC_DTYPE_COUNT || (unsigned)X.dtype >= FC_DTYPE_COUNT) return FC_BAD_ARGUMENT;
    if ((unsigned)metric >= FC_METRIC_COUNT || run.n_threads < 1 || Q.cols != X.cols || Q.cols == 0)
        return FC_BAD_ARGUMENT;
    if (__builtin_mul_overflow(Q.rows, X.rows, &entries) || entries > PTRDIFF_MAX / sizeof *distance)
        return FC_BAD_ARGUMENT;
    const fc_dtype dtype = fc_common_dtype(&Q, &X, 0);
    pairwise w = {.pairs = {&fc_metrics[metric], fc_kernels_active(), Q, X, dtype},
                  .is_quick = dtype != FC_u8 && fc_metrics[metric].refine != FC_PAIR_product,
                  .row_blocks = (X.rows + ROWS - 1) / ROWS,
                  .distance = distance};
    for (size_t i = 0; i < PART; i++) {
        if (dtype == FC_f64)
            w.ones.f64[i] = 1;
        else
            w.ones.f32[i] = 1;
    }
    run.n_threads = fc_threads_for(run.n_threads, (double)entries * (double)Q.cols);
    return fc_parallel(run, (Q.rows + QUERIES - 1) / QUERIES * w.row_blocks, run_thread, &w);
}
