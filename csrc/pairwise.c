/* pairwise.c -- all distances between two sets of rows. */
#include "matrix.h"
#include "refine.h"
#include "threads.h"

/* A task: so many queries against so many rows, few enough that the rows stay in the cache. */
enum { QUERIES = 16, ROWS = 256 };

typedef struct {
    fc_pairs pairs;
    size_t row_blocks;
    double *distance;
} pairwise;

static void run_task(const pairwise *p, size_t task, fc_team *team, int thread) {
    fc_sum of_row[ROWS];
    const size_t nq = p->pairs.Q.rows, n = p->pairs.X.rows;
    const size_t first = task / p->row_blocks * QUERIES, from = task % p->row_blocks * ROWS;
    const size_t look = fc_stop_interval(p->pairs.X.cols);
    for (size_t row = from; row < n && row < from + ROWS; row++) of_row[row - from] = fc_row_squares(&p->pairs, row);
    for (size_t q = first; q < nq && q < first + QUERIES; q++) {
        const fc_sum squares = fc_query_squares(&p->pairs, q);
        for (size_t row = from; row < n && row < from + ROWS; row++) {
            if (row % look == 0 && fc_stopped(team, thread)) return;
            p->distance[q * n + row] = fc_refine_by(&p->pairs, q, squares, row, of_row[row - from]);
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
    pairwise p = {{&fc_metrics[metric], fc_kernels_active(), Q, X, FC_u8}, (X.rows + ROWS - 1) / ROWS, distance};
    p.pairs.dtype = fc_common_dtype(&Q, &X, 0);
    run.n_threads = fc_threads_for(run.n_threads, (double)entries * (double)Q.cols);
    return fc_parallel(run, (Q.rows + QUERIES - 1) / QUERIES * p.row_blocks, run_thread, &p);
}
