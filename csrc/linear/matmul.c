/* matmul.c -- products of dense matrices: what is packed when, and which thread makes which part. */
#include "core/matrix.h"
#include "core/memory.h"
#include "core/sizes.h"
#include "core/threads.h"
#include "linear/kernels.h"

enum {
    DEPTH_BYTES = 3072,                  /* of a row of A, at most, whose products are summed in registers */
    BLOCK_BYTES = 608 << 10,             /* of B, packed: the second cache holds it while a group of rows goes by */
    TURNED_BYTES = 2 << 20,              /* of several blocks: what is packed of A serves them all */
    ROWS_TOGETHER = 4 * FC_MATMUL_TILES, /* a group: a signal is asked for after each block that it goes by */
    FEWEST_COLUMNS = 192,                /* of a part, but for the last: what is read of A serves so many */
    FEWEST_ROWS = 64,                    /* of a part: what is packed serves so many */
    ENOUGH_ROWS = 512,                   /* for packing to cost little */
    TASKS = 8,                           /* for each thread, as threads may be held up */
    FEWEST_TASKS = 2
};

typedef struct {
    const fc_strided *A, *B;
    const fc_linear_kernels *kernels;
    const void *bias;
    char *C;
    double *row_sums;
    size_t size, depth, rows, cols, block_cols; /* of a value; of a part; of a block */
    size_t row_parts, col_parts;
    int add;
} matmul_job;

/* B's rows in as few stretches as may be, equally long: by the shape alone, as the sums' bytes depend on it. */
static void divide_depth(matmul_job *j) {
    const size_t most = DEPTH_BYTES / j->size, stretches = fc_round_up(j->B->rows, most) / most;
    j->depth = stretches ? (j->B->rows + stretches - 1) / stretches : 0;
}

/* Rows that panels have memory for: those after the last are asked for, too. */
static size_t packed_depth(const matmul_job *j) { return j->depth + FC_MATMUL_AHEAD; }

/* Whether the values of a row of A lie apart, so that rows are packed, too. */
static int is_turned(const fc_strided *A) { return A->col_step != 1; }

static size_t parts_of(size_t n, size_t size) { return (n + size - 1) / size; }

/* Parts of C for that many threads.  Rows are parted first, where there are many. */
static void divide(matmul_job *j, size_t threads) {
    const size_t rows = j->A->rows, cols = j->B->cols, want = TASKS * threads;
    const size_t column = packed_depth(j) * j->size,
                 most = (is_turned(j->A) ? TURNED_BYTES : BLOCK_BYTES) / column / FC_MATMUL_COLUMNS * FC_MATMUL_COLUMNS;
    size_t parts = fc_smaller(want, rows < ENOUGH_ROWS ? 1 : rows / ENOUGH_ROWS);
    size_t width = fc_round_up(cols * parts / want + 1, FC_MATMUL_COLUMNS);
    width = fc_smaller(width < FEWEST_COLUMNS ? FEWEST_COLUMNS : width, most);
    width = fc_round_up(parts_of(cols, parts_of(cols, width)), FC_MATMUL_COLUMNS);
    j->cols = width;
    j->block_cols = BLOCK_BYTES / column / FC_MATMUL_COLUMNS * FC_MATMUL_COLUMNS;
    j->col_parts = parts_of(cols, width);
    if (parts * j->col_parts < FEWEST_TASKS * threads)
        parts = fc_smaller(parts_of(FEWEST_TASKS * threads, j->col_parts), 1 + rows / FEWEST_ROWS);
    j->rows = fc_round_up(parts_of(rows, parts), FC_MATMUL_TILES);
    j->row_parts = parts_of(rows, j->rows);
}

/* One thread's memory. */
typedef struct {
    char *panels, *rows;
} scratch;

static int allocate(const matmul_job *j, scratch *s) {
    s->panels = fc_allocate_lines(j->cols * packed_depth(j) * j->size);
    s->rows = is_turned(j->A) ? fc_allocate_lines(ROWS_TOGETHER * packed_depth(j) * j->size) : NULL;
    return s->panels && (s->rows || !is_turned(j->A));
}

#define FC_DEFINE_ADD(dtype, type) \
    static void add_##dtype(const void *values, size_t rows, size_t row_step, double *sum) { \
        const type *v = values; \
        if (row_step == 1) \
            for (size_t r = 0; r < rows; r++) sum[r] += (double)v[r]; \
        else \
            for (size_t r = 0; r < rows; r++) sum[r] += (double)v[r * row_step]; \
    }
FC_DEFINE_ADD(f32, float)
FC_DEFINE_ADD(f64, double)

/* Rows [row, row + rows) of A, columns [from, from + depth). */
static void add_to_sums(const matmul_job *j, size_t row, size_t rows, size_t from, size_t depth) {
    const fc_strided *A = j->A;
    const char *values = (const char *)A->values + (row * A->row_step + from * A->col_step) * j->size;
    for (size_t k = 0; k < depth; k++, values += A->col_step * j->size)
        (j->size == sizeof(float) ? add_f32 : add_f64)(values, rows, A->row_step, j->row_sums + row);
}

/* Rows [row, row + m->rows) of A, from column `from` on: where they are, or packed. */
static void take_rows(const matmul_job *j, const scratch *s, size_t row, size_t from, fc_matmul_block *m) {
    const char *at = (const char *)j->A->values + (row * j->A->row_step + from * j->A->col_step) * j->size;
    m->A = at;
    m->A_step = j->A->row_step;
    if (!is_turned(j->A)) return;
    j->kernels->turn(at, j->A->col_step, m->depth, m->rows, s->rows, m->depth);
    m->A = s->rows;
    m->A_step = m->depth;
}

/* A group of rows, block by block; false if the call is given up. */
static int multiply_group(const matmul_job *j, const scratch *s, size_t row, size_t col, size_t cols, fc_matmul_block m,
                          fc_team *team, int thread) {
    const size_t size = j->size;
    const char *bias = m.bias;
    for (size_t c = 0; c < cols; c += j->block_cols) {
        m.cols = fc_smaller(j->block_cols, cols - c);
        m.panels = s->panels + c * m.depth * size;
        m.bias = bias ? bias + (col + c) * size : NULL;
        m.C = j->C + (row * m.C_step + col + c) * size;
        j->kernels->matmul(&m);
        if (fc_stopped(team, thread)) return 0;
    }
    return 1;
}

/* One part of C, a stretch of B's rows after the other; it ends early if the call is given up. */
static void multiply_part(const matmul_job *j, const scratch *s, size_t task, fc_team *team, int thread) {
    const size_t row = task / j->col_parts * j->rows, col = task % j->col_parts * j->cols, depth = j->B->rows;
    const size_t end = fc_smaller(row + j->rows, j->A->rows), cols = fc_smaller(j->cols, j->B->cols - col);
    fc_matmul_block m = {.C_step = j->B->cols};
    size_t from = 0;
    do {
        m.depth = fc_smaller(j->depth, depth - from);
        m.add = j->add || from > 0;
        m.bias = from + m.depth == depth ? j->bias : NULL;
        if (m.depth) j->kernels->pack(j->B, from, m.depth, col, cols, s->panels);
        for (size_t r = row; r < end; r += ROWS_TOGETHER) {
            m.rows = fc_smaller(ROWS_TOGETHER, end - r);
            take_rows(j, s, r, from, &m);
            if (j->row_sums && col == 0) add_to_sums(j, r, m.rows, from, m.depth); /* now in the cache */
            if (!multiply_group(j, s, r, col, cols, m, team, thread)) return;
        }
    } while ((from += m.depth) < depth);
}

static void matmul_thread(void *data, fc_team *team, int thread) {
    const matmul_job *j = data;
    scratch s;
    if (!allocate(j, &s)) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; fc_next_task(team, &task);) multiply_part(j, &s, task, team, thread);
    fc_free_lines(s.panels);
    fc_free_lines(s.rows);
}

static int has_steps(const fc_strided *M) { return M->row_step == 1 || M->col_step == 1; }

fc_status fc_matmul(fc_arithmetic in, const fc_strided *A, const fc_strided *B, const void *bias, int add, fc_run run,
                    void *C, double *row_sums) {
    if (!fc_is_float(in) || run.n_threads <= 0 || A->cols != B->rows || !has_steps(A) || !has_steps(B))
        return FC_BAD_ARGUMENT;
    matmul_job j = {.A = A,
                    .B = B,
                    .kernels = fc_linear_kernels_active(in),
                    .bias = bias,
                    .C = C,
                    .row_sums = row_sums,
                    .size = fc_arithmetic_size(in),
                    .add = add};
    run.n_threads = fc_threads_for(run.n_threads, (double)A->rows * (double)A->cols * (double)B->cols);
    divide_depth(&j);
    if (A->rows == 0) return FC_OK;
    if (B->cols == 0) {
        if (row_sums) add_to_sums(&j, 0, A->rows, 0, A->cols);
        return FC_OK;
    }
    divide(&j, (size_t)run.n_threads);
    return fc_parallel(run, j.row_parts * j.col_parts, matmul_thread, &j);
}
