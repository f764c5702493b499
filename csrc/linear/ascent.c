/* ascent.c -- multiclass SVMs by dual coordinate ascent: a row's part of the dual problem at a time, solved exactly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/matrix.h"
#include "core/sizes.h"
#include "core/threads.h"
#include "linear/kernels.h"

enum {
    MOST_STILL = 2,         /* visits in a row that have not changed a row, after which it is left out */
    MOST_UNASKED = 1 << 20, /* products between two questions whether to stop */
};

typedef struct {
    const fc_svm *svm;
    const fc_linear_kernels *kernels;
    size_t rows, features, stride, sweeps, *visits;
    uint64_t seed;
    double *a, *W, *b;
    void *memory;
    double *x, *scores, *moved, *factor, *zeros; /* a dense row; vectors of classes; a centre */
    int32_t *index;                              /* 0, 1, ...: the columns of a dense row */
    uint32_t *order;                             /* of rows, those that are left out last */
    uint8_t *still;
    size_t unasked;
} ascent;

/* A generator of Sebastiano Vigna's, splitmix64. */
static uint64_t draw(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void shuffle(ascent *j, size_t n) {
    for (size_t i = n; i > 1; i--) {
        const size_t k = (size_t)(draw(&j->seed) % i);
        const uint32_t row = j->order[i - 1];
        j->order[i - 1] = j->order[k];
        j->order[k] = row;
    }
}

/* A row as a sparse matrix of its own; `start` keeps where its values are. */
static fc_sparse row_of(const ascent *j, size_t i, int64_t start[2]) {
    const fc_svm *m = j->svm;
    const fc_matrix M = {j->W, j->features, j->stride, FC_f64};
    start[0] = 0;
    if (m->X.data) {
        const char *x = (const char *)m->X.data + i * j->features * fc_dtype_size(m->X.dtype);
        j->kernels->centred[m->X.dtype](x, m->centre ? m->centre : j->zeros, j->features, j->x, j->features);
        start[1] = (int64_t)j->features;
        return (fc_sparse){1, j->features, start, j->index, j->x, FC_f64, M};
    }
    const fc_sparse *s = &m->sparse;
    const size_t from = fc_sparse_start(s, i), to = fc_sparse_start(s, i + 1), values = to > from ? to - from : 0;
    start[1] = (int64_t)values;
    return (fc_sparse){
        1, values, start, s->index + from, (const char *)s->value + from * fc_dtype_size(s->dtype), s->dtype, M};
}

/* W and b less weight * change x (1, ...)' / (2 l2). */
static void move(ascent *j, const fc_sparse *row, double weight, const double *change) {
    const fc_svm *m = j->svm;
    for (size_t c = 0; c < m->classes; c++) {
        j->factor[c] = -weight * change[c] / (2 * m->l2);
        j->b[c] += m->unit * j->factor[c];
    }
    j->kernels->add_row(row, j->factor, j->W);
}

static int is_over(ascent *j, fc_team *team, int thread, size_t values) {
    j->unasked += (values + 64) * j->svm->classes;
    if (j->unasked < MOST_UNASKED) return 0;
    j->unasked = 0;
    return fc_stopped(team, thread);
}

/* Weights of the a that there are. */
static void begin(ascent *j, fc_team *team, int thread) {
    const size_t classes = j->svm->classes;
    int64_t start[2];
    memset(j->W, 0, j->features * j->stride * sizeof *j->W);
    for (size_t i = 0; i < j->rows; i++) {
        const double *a = j->a + i * classes;
        int any = 0;
        for (size_t c = 0; c < classes; c++) any |= a[c] != 0;
        if (!any) continue;
        const fc_sparse row = row_of(j, i, start);
        move(j, &row, j->svm->weight[i], a);
        if (is_over(j, team, thread, row.values)) return;
    }
}

/* Solve the part of a row that is 0, whose scores are the intercepts: a is the slope of its hinge.  Whether it has
 * changed.
 */
static int visit_empty(const ascent *j, double *a, const double *margins, size_t label) {
    const fc_svm *m = j->svm;
    double sum = 0, most = 0;
    size_t top = label;
    int changed = 0;
    for (size_t c = 0; c < m->classes; c++) {
        const double term = c == label ? 0 : (j->b[c] - j->b[label]) + margins[c];
        if (term > most) most = term, top = c;
        j->moved[c] = m->largest || !(term > 0) ? 0 : m->squared ? 2 * term : 1;
    }
    if (m->largest && top != label) j->moved[top] = 1;
    for (size_t c = 0; c < m->classes; c++) sum += j->moved[c];
    j->moved[label] = 0 - sum;
    for (size_t c = 0; c < m->classes; c++) {
        changed |= a[c] != j->moved[c];
        a[c] = j->moved[c];
    }
    return changed;
}

/* Solve row i's part; whether it has changed. */
static int visit(ascent *j, size_t i, const fc_sparse *row) {
    const fc_svm *m = j->svm;
    const size_t classes = m->classes, label = fc_within(FC_ONCE(m->label[i]), classes);
    const double *margins = m->margins + label * classes,
                 bend = m->weight[i] * (m->squares[i] + m->unit) / (2 * m->l2); /* of the dual by a */
    double *a = j->a + i * classes, *u = j->scores, *moved = j->moved;
    const double share = 1 / bend;
    if (bend == 0 && m->weight[i] > 0) return visit_empty(j, a, margins, label);
    if (!(bend > 0 && share > 0 && share < (double)INFINITY)) return 0;
    j->kernels->sparse_product(row, 0, 1, u);
    for (size_t c = 0; c < classes; c++) {
        u[c] = a[c] + (u[c] + j->b[c] + (c == label ? 0 : margins[c])) * share;
        if (!isfinite(u[c])) return 0;
    }
    memcpy(moved, a, classes * sizeof *a);
    const double soft = m->squared ? share / 2 : 0; /* the dual has a^2 / 4 of each term; divided by bend */
    j->kernels->svm_row(m->largest, soft, classes, label, u, moved);
    int changed = 0;
    for (size_t c = 0; c < classes; c++) {
        const double to = moved[c];
        moved[c] -= a[c];
        a[c] = to;
        changed |= moved[c] != 0;
    }
    if (changed) move(j, row, m->weight[i], moved);
    return changed;
}

/* Visit the first n rows of the order; return how many of them stay in it, and come first. */
static size_t sweep(ascent *j, size_t n, fc_team *team, int thread) {
    size_t left = 0;
    int64_t start[2];
    shuffle(j, n);
    for (size_t k = 0; k < n; k++) {
        const uint32_t i = j->order[k];
        const fc_sparse row = row_of(j, i, start);
        j->still[i] = visit(j, i, &row) ? 0 : (uint8_t)(j->still[i] + 1);
        if (j->still[i] < MOST_STILL) {
            j->order[k] = j->order[left];
            j->order[left++] = i;
        }
        if (is_over(j, team, thread, row.values)) break;
    }
    return left;
}

static void ascend(void *data, fc_team *team, int thread) {
    ascent *j = data;
    size_t task, n = j->rows;
    if (!fc_next_task(team, &task)) return;
    begin(j, team, thread);
    for (size_t s = 0; s < j->sweeps && n > 0 && !fc_stopped(team, thread); s++) {
        *j->visits += n;
        n = sweep(j, n, team, thread);
    }
}

/* Space for all vectors; 0 without memory. */
static int allocate(ascent *j) {
    const size_t stride = j->stride, dense = j->svm->X.data ? j->features : 0;
    size_t doubles, bytes;
    if (__builtin_mul_overflow(stride, (size_t)3, &doubles) || __builtin_add_overflow(doubles, 2 * dense, &doubles) ||
        __builtin_mul_overflow(doubles, sizeof(double), &bytes) || bytes > PTRDIFF_MAX)
        return 0;
    j->memory = calloc(doubles + 1, sizeof(double));
    j->order = malloc((j->rows + 1) * sizeof *j->order);
    j->still = calloc(j->rows + 1, sizeof *j->still);
    j->index = malloc((dense + 1) * sizeof *j->index);
    if (!j->memory || !j->order || !j->still || !j->index) return 0;
    j->scores = j->memory;
    j->moved = j->scores + stride;
    j->factor = j->moved + stride;
    j->x = j->factor + stride;
    j->zeros = j->x + dense;
    for (size_t i = 0; i < j->rows; i++) j->order[i] = (uint32_t)i;
    for (size_t k = 0; k < dense; k++) j->index[k] = (int32_t)k;
    return 1;
}

static int svm_fits(const fc_svm *m, fc_run run) {
    size_t entries;
    const size_t rows = m->X.data ? m->X.rows : m->sparse.rows, cols = m->X.data ? m->X.cols : m->sparse.M.rows;
    if (run.n_threads < 1 || m->classes < 2 || rows >= UINT32_MAX || cols > INT32_MAX) return 0;
    if (!(m->l2 > 0) || !(m->unit >= 0) || (m->largest && m->squared)) return 0;
    if (__builtin_mul_overflow(cols > rows ? cols : rows, m->classes + FC_SVM_FOURS, &entries) ||
        entries > PTRDIFF_MAX / sizeof(double))
        return 0;
    if (m->X.data) return (unsigned)m->X.dtype < FC_DTYPE_COUNT;
    return fc_sparse_fits(&m->sparse) && fc_sparse_columns_fit(&m->sparse, 0, rows);
}

fc_status fc_svm_ascend(const fc_svm *svm, fc_run run, size_t sweeps, uint64_t seed, double *a, double *W, double *b,
                        size_t *visits) {
    if (!svm_fits(svm, run)) return FC_BAD_ARGUMENT;
    ascent j = {.svm = svm,
                .kernels = fc_linear_kernels_active(FC_IN_f64),
                .rows = svm->X.data ? svm->X.rows : svm->sparse.rows,
                .features = svm->X.data ? svm->X.cols : svm->sparse.M.rows,
                .stride = fc_round_up(svm->classes, FC_SVM_FOURS),
                .sweeps = sweeps,
                .visits = visits,
                .seed = seed,
                .a = a,
                .W = W,
                .b = b};
    fc_status status = FC_NO_MEMORY;
    *visits = 0;
    run.n_threads = 1;
    if (allocate(&j)) status = fc_parallel(run, 1, ascend, &j);
    free(j.memory);
    free(j.order);
    free(j.still);
    free(j.index);
    return status;
}
