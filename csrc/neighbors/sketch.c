/* sketch.c -- rows in a few bytes each (fc_sketch_rows).  Products with dense directions go through the tiles of
 * product.c, a block of rows at a time; sums over groups of features are taken row by row.  Then each row's numbers are
 * cut to bytes, and the error of that is bounded: see docs/exactness.md.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "neighbors/filter.h"
#include "core/matrix.h"
#include "core/memory.h"
#include "neighbors/product.h"
#include "core/sizes.h"

enum { CODE_ZERO = 128, LEAST = -128, MOST = 127, GROUPED_ROWS = 64, SKETCHED_ROWS = 256 };

typedef struct {
    const fc_sketcher *how;
    const fc_metric_row *metric;
    fc_matrix M;
    fc_pairs lengths; /* L2 distances of rows from the centre, or for unit vectors from zero */
    const float *centre;
    fc_product product;                  /* of directions */
    double product_error, product_floor; /* of one product, by the row's length; and what underflow may take */
    size_t cols;                         /* of all levels */
    uint8_t *const *codes;
    fc_sketch_terms *const *terms;
} sketch_job;

static int of_unit_vectors(const sketch_job *s) { return s->metric->degree == 0; }

/* Whether sketches are to bound inner products, not lengths. */
static int of_products(const sketch_job *s) { return s->metric->form == FC_FORM_minus; }

/* Whether lengths are L2, not L1. */
static int of_squares(const sketch_job *s) { return s->metric->norm == FC_NORM_L2; }

/* Relative error of a length or sum of float64 that refining takes. */
static double rounding(const sketch_job *s) { return ((double)s->M.cols / 16 + 32) * 0x1p-52; }

static float above(double v) { return v < FLT_MAX / 2 ? (float)(v * (1 + 0x1p-20)) + FLT_MIN : INFINITY; }

/* The step of one row's numbers v in a level: the least whose codes hold them, or 1 where float32 has no such step.  A
 * row with a number that is not finite will have an infinite error.
 */
static float step_for(const sketch_job *s, const double *v, size_t count) {
    double largest = 0;
    if (!of_squares(s)) return s->how->step;
    for (size_t i = 0; i < count; i++) largest = fabs(v[i]) > largest ? fabs(v[i]) : largest;
    return largest >= FLT_MIN && largest < FLT_MAX / 2 ? (float)(largest / (double)MOST) : 1;
}

/* Partial sums of a sum: an addition waits only for the one before it in the same part. */
enum { PARTS = 4 };

static double total(const double parts[PARTS]) { return (parts[0] + parts[1]) + (parts[2] + parts[3]); }

/* The integer nearest to t, cut to a range; 0 for NaN.  Added to 1.5 * 2^52, a double has no fraction left. */
static double code_for(double t, double least, double most) {
    const double shift = 0x1.8p52;
    t = t > least ? t : t <= least ? least : 0;
    t = t < most ? t : most;
    return (t + shift) - shift;
}

/* Write the codes of one row in a level, their step and their sums, integers that a double holds.  Returns what the
 * codes leave of the numbers v: a sum of squares or, for L1, of absolute values.
 */
static double cut(const sketch_job *s, const double *v, size_t count, uint8_t *codes, fc_sketch_terms *t) {
    const int is_square = of_squares(s);
    const double step = (double)(t->step = step_for(s, v, count)), by_step = 1 / step;
    double left[PARTS] = {0}, sum[PARTS] = {0}, squares[PARTS] = {0};
    for (size_t from = 0; from < count; from += PARTS) {
        double code[PARTS] = {0};
        const size_t n = fc_smaller(PARTS, count - from);
        for (size_t l = 0; l < n; l++) code[l] = code_for(v[from + l] * by_step, LEAST, MOST);
        for (size_t l = 0; l < n; l++) {
            const double rest = v[from + l] - code[l] * step;
            left[l] += is_square ? rest * rest : fabs(rest);
            sum[l] += code[l];
            squares[l] += code[l] * code[l];
            codes[from + l] = (uint8_t)(int)(code[l] + (double)CODE_ZERO);
        }
    }
    t->sum = (int32_t)total(sum);
    t->squares = (int32_t)total(squares);
    return total(left);
}

/* What the codes of a row leave of its numbers v, in finer steps.  The terms' `squares` are what these codes add to the
 * row's sum of squares, in such steps.  v is off by `off` as a length, with the rounding of what the codes leave.
 */
static void cut_finer(const sketch_job *s, size_t row, const double *v, double off) {
    const size_t m = s->how->cols[0];
    const fc_sketch_terms *coarse = &s->terms[0][row];
    const uint8_t *codes = s->codes[0] + row * m;
    const float finer = coarse->step / (float)FC_FINER;
    const double step = (double)finer;
    double left = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < m; i++) {
        const double code = (double)codes[i] - (double)CODE_ZERO, rest = v[i] - code * (double)coarse->step,
                     more = code_for(rest / step, -FC_FINER / 2, FC_FINER / 2), rest_of_rest = rest - more * step;
        left += rest_of_rest * rest_of_rest;
        sum += more;
        squares += more * (more + 2 * FC_FINER * code);
        s->codes[1][row * m + i] = (uint8_t)(int)(more + (double)CODE_ZERO);
    }
    const float error = finer * (float)FC_FINER == coarse->step ? above((off + sqrt(left)) * (1 + 0x1p-30)) : INFINITY;
    s->terms[1][row] = (fc_sketch_terms){coarse->residual, error, finer, (int32_t)sum, (int32_t)squares};
}

/* Levels of numbers; a finer one has none of its own. */
static size_t number_levels(const fc_sketcher *how) { return how->directions ? how->levels : 1; }

/* The residual of a row of `length`: the length of the part that the directions do not hold.  The row's numbers have
 * the length `within`, known to `error`.  *off is how far off the residual may be.
 */
static double residual(const sketch_job *s, double length, double within, double error, double *off) {
    const double near = fmax(within - error, 0), far = within + error, stretch = 1 + s->how->gram_excess;
    const double r = 4 * rounding(s) + (double)s->cols * 0x1p-52;
    const double least = length * length * (1 - r) - far * far / stretch;
    const double most = length * length * (1 + r) - near * near / stretch;
    const double low = sqrt(fmax(least, 0)), high = sqrt(fmax(most, 0)), middle = (double)(float)((low + high) / 2);
    *off = fmax(high - middle, middle - low);
    return middle;
}

/* Codes and terms of one row of `length` from its numbers p, which are overwritten.  Together, the numbers are off by
 * at most `error`, as a length.  A number that is not cut is less than 2^8 steps, so its roundings are below 2^-44
 * steps.
 */
static void finish(const sketch_job *s, size_t row, double *p, double length, double error) {
    double squares = 0, left = 0, off = error;
    for (size_t level = 0, from = 0; level < number_levels(s->how); from += s->how->cols[level++]) {
        const size_t m = s->how->cols[level];
        fc_sketch_terms *t = &s->terms[level][row];
        double outside = 0, outside_off = 0;
        for (size_t i = from; i < from + m; i++) {
            squares += p[i] * p[i];
            p[i] -= s->how->offset[i];
        }
        left += cut(s, p + from, m, s->codes[level] + row * m, t);
        off += (double)m * (double)t->step * 0x1p-44;
        if (s->how->residual) outside = residual(s, length, sqrt(squares), error * (1 + 0x1p-30), &outside_off);
        const double inside_off = off + (of_squares(s) ? sqrt(left) : left);
        t->residual = (float)outside;
        t->error = above(sqrt(inside_off * inside_off + outside_off * outside_off) * (1 + 0x1p-30));
    }
    if (s->how->levels > number_levels(s->how)) cut_finer(s, row, p, 2 * off);
}

/* --- groups of features --------------------------------------------------------------------------------------- */

/* A row less the centre, or at unit length; the sum of its absolute values. */
static double take_row(const sketch_job *s, size_t row, double length, double *y) {
    const double *x = fc_row_part(&s->M, row, 0, s->M.cols, FC_IN_f64, y);
    const double scale = of_unit_vectors(s) ? 1 / length : 1;
    double parts[PARTS] = {0};
    for (size_t j = 0; j < s->M.cols; j++) {
        const double centre = s->centre && !of_unit_vectors(s) ? (double)s->centre[j] : 0;
        y[j] = (x[j] - centre) * scale;
        parts[j % PARTS] += fabs(y[j]);
    }
    return total(parts);
}

/* Sketch one row.  Its numbers are together off by at most (M.cols + 8) 2^-52 of the sum of all absolute values; at
 * unit length also by the rounding of the length.
 */
static void sketch_groups(const sketch_job *s, size_t row, double *y, double *p) {
    const fc_sketcher *how = s->how;
    const double length = of_unit_vectors(s) ? fc_refine(&s->lengths, row, (fc_sum){0}, 0) : 1;
    const double sum = take_row(s, row, length, y);
    for (size_t i = 0; i < how->cols[0]; i++) {
        p[i] = 0;
        for (int64_t j = how->start[i]; j < how->start[i + 1]; j++) p[i] += (double)how->weight[j] * y[how->feature[j]];
    }
    const double error = ((double)s->M.cols + 8) * 0x1p-52 * sum + (of_unit_vectors(s) ? 4 * rounding(s) : 0);
    finish(s, row, p, length, of_unit_vectors(s) && length == 0 ? INFINITY : error);
}

static void run_groups(void *of, fc_team *team, int thread) {
    const sketch_job *s = of;
    const size_t look = fc_stop_interval(s->M.cols);
    double *y = malloc((s->M.cols + s->cols) * sizeof *y);
    if (!y) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; y && fc_next_task(team, &task);)
        for (size_t row = task * GROUPED_ROWS; row < fc_smaller((task + 1) * GROUPED_ROWS, s->M.rows); row++) {
            if (row % look == 0 && fc_stopped(team, thread)) break;
            sketch_groups(s, row, y, y + s->M.cols);
        }
    free(y);
}

/* --- dense directions ----------------------------------------------------------------------------------------- */

/* Bring a block's products with directions [from, from + count) to its rows of numbers. */
static void spread(const sketch_job *s, fc_product_scratch *w, size_t from, size_t count, double *numbers) {
    const size_t lanes = s->product.tile->lanes;
    for (size_t first = 0; first < w->count; first += lanes) {
        const char *acc = fc_product_panel(&s->product, w, first / lanes);
        for (size_t i = first; i < fc_smaller(first + lanes, w->count); i++)
            for (size_t r = 0; r < count; r++)
                numbers[i * s->cols + from + r] = fc_accumulated(acc, r * lanes + i - first, s->product.in);
    }
}

/* Finish one row from its products with the directions.  At unit length, products are of the row as it is. */
static void finish_directions(const sketch_job *s, size_t row, double *p) {
    const double length = fc_refine(&s->lengths, row, (fc_sum){0}, 0), scale = of_unit_vectors(s) ? 1 / length : 1;
    const double each = (s->product_error + 4 * rounding(s)) * length * (1 + s->how->gram_excess) + s->product_floor;
    if (of_unit_vectors(s))
        for (size_t i = 0; i < s->cols; i++) p[i] *= scale;
    finish(s, row, p, length * scale, sqrt((double)s->cols) * each * scale); /* a zero vector gives NaN, and survives */
}

static void sketch_block(const sketch_job *s, fc_product_scratch *w, size_t task, double *numbers) {
    const size_t first = task * s->product.block, m = s->cols;
    fc_product_start(&s->product, w, first, fc_smaller(s->product.block, s->M.rows - first));
    for (size_t from = 0; from < m; from += FC_ROW_BLOCK) {
        const size_t count = fc_smaller(FC_ROW_BLOCK, m - from);
        if (!fc_product_rows(&s->product, w, from, count)) return;
        spread(s, w, from, count, numbers);
    }
    for (size_t i = 0; i < w->count; i++) finish_directions(s, first + i, numbers + i * m);
}

static void run_directions(void *of, fc_team *team, int thread) {
    const sketch_job *s = of;
    fc_product_scratch w = {.team = team, .thread = thread};
    char *memory = fc_allocate_lines(fc_product_carve(&s->product, &w, NULL));
    double *numbers = malloc(s->product.block * s->cols * sizeof *numbers);
    if (memory && numbers) {
        fc_product_carve(&s->product, &w, memory);
        for (size_t task; fc_next_task(team, &task);) sketch_block(s, &w, task, numbers);
    } else {
        fc_stop(team, FC_NO_MEMORY);
    }
    free(numbers);
    fc_free_lines(memory);
}

/* ---------------------------------------------------------------------------------------------------------------- */

/* Whether the groups' numbers of two rows are never farther apart than the rows; of products, whether they are the
 * rows' values but for signs.
 */
static fc_status check_groups(const sketch_job *s) {
    const fc_sketcher *how = s->how;
    const int may_be_finer = of_squares(s) && !of_products(s) && how->cols[1] == how->cols[0];
    if (!how->feature || !how->start || !how->weight || how->residual || how->start[0] < 0) return FC_BAD_ARGUMENT;
    if (how->levels > 2 || (how->levels == 2 && !may_be_finer)) return FC_BAD_ARGUMENT;
    if (of_products(s) && how->cols[0] != s->M.cols) return FC_BAD_ARGUMENT;
    int ok = how->start[how->cols[0]] <= (int64_t)s->M.cols;
    for (size_t i = 0; i < how->cols[0]; i++) ok &= how->start[i] <= how->start[i + 1]; /* before any feature is read */
    if (!ok) return FC_BAD_ARGUMENT;
    uint8_t *seen = calloc(s->M.cols, 1);
    if (!seen) return FC_NO_MEMORY;
    for (size_t i = 0; ok && i < how->cols[0]; i++) {
        double squares = 0;
        for (int64_t j = how->start[i]; ok && j < how->start[i + 1]; j++) {
            const int64_t f = how->feature[j];
            const double w = (double)how->weight[j];
            ok = f >= 0 && f < (int64_t)s->M.cols && !seen[f]++ && w >= -1 && w <= 1;
            squares += w * w;
        }
        ok = ok && (!of_squares(s) || squares <= 1) && (!of_products(s) || squares == 1);
    }
    free(seen);
    return ok ? FC_OK : FC_BAD_ARGUMENT;
}

static int has_no_offset(const fc_sketcher *how) {
    size_t cols = 0;
    int ok = 1;
    for (size_t i = 0; i < how->levels; i++) cols += how->cols[i];
    for (size_t i = 0; i < cols; i++) ok &= how->offset[i] == 0;
    return ok;
}

static fc_status check_sketcher(const sketch_job *s) {
    const fc_sketcher *how = s->how;
    if (how->levels == 0 || how->levels > FC_MAX_STAGES || !how->offset) return FC_BAD_ARGUMENT;
    for (size_t i = 0; i < how->levels; i++)
        if (how->cols[i] == 0 || how->cols[i] > FC_U8_MAX_COLS) return FC_BAD_ARGUMENT;
    if (!of_squares(s) && !(how->step > 0 && how->step < INFINITY)) return FC_BAD_ARGUMENT;
    if (of_products(s) && !has_no_offset(how)) return FC_BAD_ARGUMENT;
    if (!how->directions) return check_groups(s);
    const int directions_ok = of_squares(s) && how->gram_excess >= 0 && (!of_products(s) || how->residual);
    return directions_ok ? FC_OK : FC_BAD_ARGUMENT;
}

/* Multiply in float64 only what is float64. */
static void prepare_product(sketch_job *s, const void *centre, size_t threads) {
    const fc_matrix W = {s->how->directions, s->cols, s->M.cols, FC_f32};
    const fc_arithmetic in = fc_common_arithmetic(&s->M, &W, 0);
    const fc_tile *tile = &s->lengths.kernels->tile[FC_TILE_dot][in];
    const size_t share = (s->M.rows + threads - 1) / threads, most = fc_product_most(tile, s->M.cols, SKETCHED_ROWS);
    const size_t block = fc_smaller(most, share);
    s->product = (fc_product){.tile = tile, .in = in, .Q = s->M, .X = W, .q_centre = centre, .block = block};
    s->product.pack_cols = fc_product_pack_cols(tile, s->M.cols, block);
    s->product_error = fc_filter_error(in, tile, s->M.cols);
    s->product_floor = in == FC_IN_f64 ? 0x1p-1000 : 0x1p-117;
}

fc_status fc_sketch_rows(fc_metric metric, const fc_sketcher *how, fc_matrix M, const float *centre, fc_run run,
                         uint8_t *const *codes, fc_sketch_terms *const *terms) {
    if ((unsigned)metric >= FC_METRIC_COUNT || (unsigned)M.dtype >= FC_DTYPE_COUNT || M.cols == 0 || run.n_threads < 1)
        return FC_BAD_ARGUMENT;
    sketch_job s = {
        .how = how, .metric = &fc_metrics[metric], .M = M, .centre = centre, .codes = codes, .terms = terms};
    if (!s.metric->sketches) return FC_BAD_ARGUMENT;
    fc_status status = check_sketcher(&s);
    if (status != FC_OK || M.rows == 0) return status;
    for (size_t i = 0; i < number_levels(how); i++) s.cols += how->cols[i];
    const int shifts = !of_unit_vectors(&s) && centre;
    double *middle = calloc(M.cols, sizeof *middle);
    float *narrow = calloc(M.cols, sizeof *narrow);
    if (!middle || !narrow) return free(middle), free(narrow), FC_NO_MEMORY;
    for (size_t j = 0; shifts && j < M.cols; j++) middle[j] = (double)(narrow[j] = centre[j]);
    const fc_matrix C = {narrow, 1, M.cols, FC_f32};
    s.lengths = fc_pairs_of(&fc_metrics[FC_l2], M, C, 0);
    run.n_threads =
        fc_threads_for(run.n_threads, (double)M.rows * (double)M.cols * (double)(how->directions ? s.cols : 1));
    if (how->directions) {
        prepare_product(&s, s.lengths.in == FC_IN_f64 ? (const void *)middle : narrow, (size_t)run.n_threads);
        status = fc_parallel(run, (M.rows + s.product.block - 1) / s.product.block, run_directions, &s);
    } else {
        status = fc_parallel(run, (M.rows + GROUPED_ROWS - 1) / GROUPED_ROWS, run_groups, &s);
    }
    free(middle);
    free(narrow);
    return status;
}
