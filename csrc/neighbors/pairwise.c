/* pairwise.c -- all distances between two sets of rows, the same that refine.c reports.  Most distances of floats are
 * found in less time, by panels of rows (isa/neighbors/panel.inc.h).
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/matrix.h"
#include "neighbors/refine.h"
#include "neighbors/scaled.h"
#include "core/sizes.h"
#include "core/threads.h"

enum {
    QUERIES = 64, /* a task: 64 queries against 4 panels of rows, */
    PANELS = 4,   /* few enough that their sums stay in the cache */
    ROWS = PANELS * FC_PANEL,
    VECTORS = QUERIES + ROWS,
    DEPTH = 64,     /* features of a panel: it stays in the first cache for all queries */
    FEW_QUERIES = 4 /* fewer do not pay for making panels */
};

typedef struct {
    fc_pairs pairs;
    int has_panels;
    size_t row_blocks;
    double ones[FC_SCALED_PART], *distance;
} pairwise;

/* The queries and rows of a task: its vectors, queries first. */
typedef struct {
    size_t query, queries, row, rows;
} span;

/* A thread's scratch, 200 KiB. */
typedef struct {
    fc_panel_sums sums[QUERIES][PANELS];
    double query[QUERIES][DEPTH], panel[DEPTH * FC_PANEL];
    fc_sum squares[VECTORS]; /* fc_squares_of */
    fc_panel_total total[VECTORS];
    fc_panel_totals of_panel[PANELS];
    int exponent[VECTORS]; /* by which vectors are scaled: by products each by its own, else all by the same */
} scratch;

static fc_row vector(const pairwise *w, span at, size_t i) {
    return i < at.queries ? (fc_row){&w->pairs.Q, at.query + i} : (fc_row){&w->pairs.X, at.row + i - at.queries};
}

static size_t panel_rows(span at, size_t panel) { return fc_smaller(FC_PANEL, at.rows - panel * FC_PANEL); }

/* --- what is needed of a vector ------------------------------------------------------------------------------- */

/* Sum over the features of a vector against itself or `other`. */
static fc_twofold sum_with(const pairwise *w, fc_pair_kind kind, fc_scaled v, const double *other) {
    double part[FC_SCALED_PART];
    const size_t d = v.of.matrix->cols;
    fc_sum sum = {0};
    for (size_t from = 0; from < d; from += FC_SCALED_PART) {
        const size_t count = fc_smaller(FC_SCALED_PART, d - from);
        fc_scaled_take(v, from, count, part);
        w->pairs.kernels->sum[kind][FC_IN_f64](&sum, part, other ? other : part, count);
    }
    return sum.value;
}

static fc_panel_total total_of(const pairwise *w, fc_scaled v) {
    static const double zeros[FC_SCALED_PART];
    if (w->pairs.metric->pair == FC_PAIR_absdiff)
        return (fc_panel_total){sum_with(w, FC_PAIR_product, v, w->ones), sum_with(w, FC_PAIR_absdiff, v, zeros).high};
    const fc_twofold squares = sum_with(w, FC_PAIR_product, v, NULL);
    return (fc_panel_total){squares, squares.high};
}

/* By differences; whether all are within the range of panels. */
static int measure_at(const pairwise *w, scratch *s, span at, int exponent) {
    const int adds_only = w->pairs.metric->pair == FC_PAIR_absdiff;
    int ok = 1;
    for (size_t i = 0; i < at.queries + at.rows; i++) {
        const fc_panel_total t = total_of(w, (fc_scaled){vector(w, at, i), exponent});
        ok &= t.most <= FC_PANEL_MOST && (t.most >= FC_PANEL_LEAST || adds_only); /* 0 may be of lost squares */
        s->total[i] = t;
        s->exponent[i] = exponent;
    }
    return ok;
}

static int largest_exponent(const pairwise *w, span at) {
    int largest = fc_scaled_exponent(vector(w, at, 0));
    for (size_t i = 1; i < at.queries + at.rows; i++) {
        const int exponent = fc_scaled_exponent(vector(w, at, i));
        largest = exponent > largest ? exponent : largest;
    }
    return largest;
}

/* By products; a zero vector has no total, and its distances stay open. */
static void measure_length(const pairwise *w, scratch *s, span at, size_t i) {
    const fc_row v = vector(w, at, i);
    fc_twofold squares;
    s->squares[i] = fc_squares_of(&w->pairs, v.matrix, v.row);
    squares = s->squares[i].value;
    s->exponent[i] = fc_is_tame(squares.high) ? 0 : fc_scaled_exponent(v);
    if (s->exponent[i]) squares = sum_with(w, FC_PAIR_product, (fc_scaled){v, s->exponent[i]}, NULL);
    const fc_twofold length = fc_twofold_root(squares);
    s->total[i] = (fc_panel_total){fc_twofold_quotient((fc_twofold){1, 0}, length), length.high};
}

static void measure(const pairwise *w, scratch *s, span at) {
    if (w->pairs.metric->pair == FC_PAIR_product)
        for (size_t i = 0; i < at.queries + at.rows; i++) measure_length(w, s, at, i);
    else if (!measure_at(w, s, at, 0))
        measure_at(w, s, at, largest_exponent(w, at));
    for (size_t r = 0; r < ROWS; r++) {
        fc_panel_totals *of = &s->of_panel[r / FC_PANEL];
        const fc_panel_total t = r < at.rows ? s->total[at.queries + r] : (fc_panel_total){0};
        of->high[r % FC_PANEL] = t.value.high;
        of->low[r % FC_PANEL] = t.value.low;
        of->most[r % FC_PANEL] = t.most;
    }
}

/* --- sums of all pairs ---------------------------------------------------------------------------------------- */

static void fill_panel(const pairwise *w, scratch *s, span at, size_t panel, size_t from, size_t count) {
    const size_t rows = panel_rows(at, panel), first = at.queries + panel * FC_PANEL;
    double part[DEPTH];
    if (rows < FC_PANEL) memset(s->panel, 0, sizeof s->panel);
    for (size_t r = 0; r < rows; r++) {
        const fc_row x = vector(w, at, first + r);
        fc_scaled_take((fc_scaled){x, s->exponent[first + r]}, from, count, part);
        for (size_t i = 0; i < count; i++) s->panel[i * FC_PANEL + r] = part[i];
    }
}

static void add_part(const pairwise *w, scratch *s, span at, size_t from) {
    const fc_panel_kernels *kernels = &w->pairs.kernels->panel[w->pairs.metric->pair];
    const size_t count = fc_smaller(DEPTH, w->pairs.Q.cols - from);
    for (size_t q = 0; q < at.queries; q++)
        fc_scaled_take((fc_scaled){vector(w, at, q), s->exponent[q]}, from, count, s->query[q]);
    for (size_t p = 0; p * FC_PANEL < at.rows; p++) {
        fill_panel(w, s, at, p, from, count);
        for (size_t q = 0; q < at.queries; q++) {
            if (from == 0) kernels->start(&s->sums[q][p], &s->total[q], &s->of_panel[p]);
            kernels->add(&s->sums[q][p], s->query[q], s->panel, count, panel_rows(at, p));
        }
    }
}

/* --- distances ------------------------------------------------------------------------------------------------ */

/* By which power of two the distance of two vectors has been scaled: a product by both of theirs. */
static int exponent_of(const pairwise *w, const scratch *s, size_t q, size_t x) {
    const fc_metric_row *metric = w->pairs.metric;
    return metric->form == FC_FORM_minus ? s->exponent[q] + s->exponent[x] : metric->degree * s->exponent[q];
}

/* Put a panel's distances from a query where they belong, NaN where they stay open.  A scaled distance stays open where
 * scaling may have taken bits that count, and below DBL_MIN, where it is rounded twice.
 */
static void put(const pairwise *w, const scratch *s, span at, size_t q, size_t panel, const double *found) {
    const size_t first = panel * FC_PANEL, query = at.query + q;
    double *out = w->distance + query * w->pairs.X.rows + at.row + first;
    for (size_t r = 0; r < panel_rows(at, panel); r++) {
        const int exponent = exponent_of(w, s, q, at.queries + first + r);
        const double v = exponent ? ldexp(found[r], exponent) : found[r];
        const int is_open = isnan(v) || (exponent && (fabs(found[r]) < FC_PANEL_LEAST || fabs(v) <= DBL_MIN));
        out[r] = fc_reported(&w->pairs, is_open ? fc_refine_by(&w->pairs, query, s->squares[q], at.row + first + r,
                                                               s->squares[at.queries + first + r])
                                                : v);
    }
}

/* In an angle, the errors of both lengths add to the sum's error: half as much each. */
static double error_of(const fc_pairs *p) {
    const double error = fc_quick_error(p->Q.cols);
    return p->metric->form == FC_FORM_angle ? 2 * error + 0x1p-98 : error;
}

static void report(const pairwise *w, scratch *s, span at, fc_team *team, int thread) {
    const fc_pairs *p = &w->pairs;
    const size_t look = 1 + fc_stop_interval(p->X.cols) / FC_PANEL;
    for (size_t q = 0, n = 0; q < at.queries; q++)
        for (size_t panel = 0; panel * FC_PANEL < at.rows; panel++) {
            double found[FC_PANEL];
            if (n++ % look == 0 && fc_stopped(team, thread)) return;
            p->kernels->panel[p->metric->pair].finish(&s->sums[q][panel], &s->total[q], &s->of_panel[panel],
                                                      error_of(p), p->metric->form, found);
            put(w, s, at, q, panel, found);
        }
}

static void run_panels(const pairwise *w, scratch *s, span at, fc_team *team, int thread) {
    measure(w, s, at);
    for (size_t from = 0; from < w->pairs.Q.cols; from += DEPTH) {
        if (fc_stopped(team, thread)) return;
        add_part(w, s, at, from);
    }
    report(w, s, at, team, thread);
}

/* One by one: of bytes, or few. */
static void run_pairs(const pairwise *w, scratch *s, span at, fc_team *team, int thread) {
    const fc_pairs *p = &w->pairs;
    const size_t look = fc_stop_interval(p->X.cols);
    for (size_t i = 0; i < at.queries + at.rows; i++) {
        const fc_row v = vector(w, at, i);
        s->squares[i] = fc_squares_of(p, v.matrix, v.row);
    }
    for (size_t q = 0; q < at.queries; q++)
        for (size_t r = 0; r < at.rows; r++) {
            if ((at.row + r) % look == 0 && fc_stopped(team, thread)) return;
            const double distance =
                fc_refine_by(p, at.query + q, s->squares[q], at.row + r, s->squares[at.queries + r]);
            w->distance[(at.query + q) * p->X.rows + at.row + r] = fc_reported(p, distance);
        }
}

static void run_thread(void *job, fc_team *team, int thread) {
    const pairwise *w = job;
    const size_t nq = w->pairs.Q.rows, n = w->pairs.X.rows;
    scratch *s = malloc(sizeof *s);
    if (!s) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; s && fc_next_task(team, &task);) {
        const size_t query = task / w->row_blocks * QUERIES, row = task % w->row_blocks * ROWS;
        const span at = {query, fc_smaller(QUERIES, nq - query), row, fc_smaller(ROWS, n - row)};
        (w->has_panels ? run_panels : run_pairs)(w, s, at, team, thread);
    }
    free(s);
}

fc_status fc_pairwise(fc_metric metric, fc_matrix Q, fc_matrix X, fc_run run, double *distance) {
    size_t entries;
    if ((unsigned)Q.dtype >= FC_DTYPE_COUNT || (unsigned)X.dtype >= FC_DTYPE_COUNT) return FC_BAD_ARGUMENT;
    if ((unsigned)metric >= FC_METRIC_COUNT || run.n_threads < 1 || Q.cols != X.cols || Q.cols == 0)
        return FC_BAD_ARGUMENT;
    if (__builtin_mul_overflow(Q.rows, X.rows, &entries) || entries > PTRDIFF_MAX / sizeof *distance)
        return FC_BAD_ARGUMENT;
    const fc_pairs pairs = fc_pairs_of(&fc_metrics[metric], Q, X, 0);
    const int has_panels =
        pairs.in != FC_IN_u8 && Q.rows >= FEW_QUERIES && pairs.kernels->panel[pairs.metric->pair].add;
    pairwise w = {
        .pairs = pairs, .has_panels = has_panels, .row_blocks = (X.rows + ROWS - 1) / ROWS, .distance = distance};
    for (size_t i = 0; i < FC_SCALED_PART; i++) w.ones[i] = 1;
    run.n_threads = fc_threads_for(run.n_threads, (double)entries * (double)Q.cols);
    return fc_parallel(run, (Q.rows + QUERIES - 1) / QUERIES * w.row_blocks, run_thread, &w);
}
