/* harness_neighbors.c -- searches: every metric, pair of dtypes and awkward shape, by stages and without, apart, of
 * proposed rows; distances of pairs; limits.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "neighbors/kernels.h"
#include "core/matrix.h"

typedef struct {
    size_t nq, n, d, k;
} shape;

/* Few queries are compared pair by pair, or with sketches one by one, more in tiles; depths around vectors, tiles and
 * the parts they are cut into; the last three are enough work for two threads, which share out X's rows or the queries.
 */
static const shape shapes[] = {
    {1, 1, 1, 1},     {1, 50, 3, 50},   {2, 130, 16, 7},   {4, 97, 31, 5},    {3, 70, 129, 20},   {5, 1, 2, 1},
    {5, 25, 1, 25},   {7, 121, 15, 3},  {16, 64, 17, 8},   {17, 145, 33, 12}, {33, 60, 64, 9},    {40, 41, 100, 1},
    {9, 90, 127, 90}, {6, 27, 257, 10}, {11, 14, 520, 6},  {5, 10, 1030, 4},  {4, 5, 2100, 2},    {270, 50, 5, 2},
    {5, 2, 33000, 1}, {8, 481, 50, 5},  {2, 300, 1100, 5}, {300, 900, 17, 5}, {2100, 130, 16, 3}, {4, 17000, 64, 3}};

static int holds_bytes(fc_matrix m) {
    int fits;
    expect_ok(fc_fits_u8(m, NULL, &fits), "fc_fits_u8");
    return fits;
}

typedef struct {
    double *distance;
    int64_t *index;
    size_t entries;
} answer;

static answer make_answer(size_t rows, size_t k) {
    return (answer){unwritten(rows * k, sizeof(double)), unwritten(rows * k, sizeof(int64_t)), rows * k};
}

static uint64_t fold_answer(uint64_t digest, answer a) {
    digest = fnv(digest, a.distance, a.entries * sizeof *a.distance);
    return fnv(digest, a.index, a.entries * sizeof *a.index);
}

static void destroy_answer(answer a) {
    free(a.distance);
    free(a.index);
}

/* --- sketches -------------------------------------------------------------------------------------------------- */

enum { DIRECTIONS = 8, DIRECTED_LEVELS = 2, MOST_SKETCHED = 32768 };

/* What a sketcher points into, for rows of `cols` features. */
typedef struct {
    fc_sketcher how;
    float *directions, *weight;
    int64_t *feature, *start;
    double *offset;
} sketching;

static sketching make_sketching(size_t cols) {
    sketching s = {.directions = allocate(DIRECTIONS * cols, sizeof(float)),
                   .weight = allocate(cols, sizeof(float)),
                   .feature = allocate(cols, sizeof(int64_t)),
                   .start = allocate(cols + 1, sizeof(int64_t)),
                   .offset = allocate(cols, sizeof(double))};
    return s;
}

static void destroy_sketching(sketching s) {
    free(s.directions);
    free(s.weight);
    free(s.feature);
    free(s.start);
    free(s.offset);
}

/* A group of each feature. */
static void sketch_features(sketching *s, size_t cols, double offset) {
    for (size_t i = 0; i < cols; i++) {
        s->weight[i] = i % 3 ? 1 : -1;
        s->feature[i] = (int64_t)(cols - 1 - i);
        s->start[i] = (int64_t)i;
        s->offset[i] = offset;
    }
    s->start[cols] = (int64_t)cols;
    s->how = (fc_sketcher){.levels = 1, .cols = {cols}, .step = 1.0f / 64, .offset = s->offset};
    s->how.feature = s->feature;
    s->how.start = s->start;
    s->how.weight = s->weight;
}

/* Rows of Hadamard's matrix of 4 in two blocks of the features, divided by 2: orthonormal, and exact. */
static void sketch_directions(sketching *s, size_t cols) {
    memset(s->directions, 0, DIRECTIONS * cols * sizeof *s->directions);
    memset(s->offset, 0, cols * sizeof *s->offset);
    for (size_t r = 0; r < DIRECTIONS; r++)
        for (size_t j = 0; j < 4; j++)
            s->directions[r * cols + (r / 4 ? cols - 4 : 0) + j] = r % 4 & j && (r % 4 & j) != 3 ? -0.5f : 0.5f;
    s->how = (fc_sketcher){.levels = DIRECTED_LEVELS, .cols = {4, 4}, .step = 1, .offset = s->offset, .residual = 1};
    s->how.directions = s->directions;
}

typedef struct {
    uint8_t *codes[FC_MAX_STAGES];
    fc_sketch_terms *terms[FC_MAX_STAGES];
} sketch_memory;

static sketch_memory make_sketch(fc_metric metric, const fc_sketcher *how, fc_matrix M, const float *centre) {
    sketch_memory r = {0};
    for (size_t i = 0; i < how->levels; i++) {
        r.codes[i] = allocate(M.rows * how->cols[i], 1);
        r.terms[i] = allocate(M.rows, sizeof(fc_sketch_terms));
    }
    expect_ok(fc_sketch_rows(metric, how, M, centre, (fc_run){.n_threads = 2}, r.codes, r.terms), "fc_sketch_rows");
    return r;
}

static void destroy_sketch(sketch_memory r) {
    for (size_t i = 0; i < FC_MAX_STAGES; i++) {
        free(r.codes[i]);
        free(r.terms[i]);
    }
}

static fc_sketch level_of(sketch_memory r, const fc_sketcher *how, size_t level, size_t rows) {
    return (fc_sketch){{r.codes[level], rows, how->cols[level], FC_u8}, r.terms[level]};
}

static void expect_same_answers(answer found, answer expected, size_t k, const uint8_t *given_up) {
    for (size_t i = 0; i < expected.entries; i++) {
        if (given_up[i / k]) continue;
        if (memcmp(&found.distance[i], &expected.distance[i], sizeof *found.distance) == 0 &&
            found.index[i] == expected.index[i])
            continue;
        fprintf(stderr, "harness: with stages, neighbour %zu of query %zu is row %" PRId64 ", not %" PRId64 "\n", i % k,
                i / k, found.index[i], expected.index[i]);
        exit(1);
    }
}

/* The same search by sketches of one kind as stages.  Which queries are given up varies with the threads that there
 * are: only searches in which none is count for the digest.
 */
static uint64_t run_stages(uint64_t digest, fc_search search, const fc_sketcher *how, int is_product,
                           double refine_cost, answer expected) {
    const sketch_memory q = make_sketch(search.metric, how, search.Q, is_product ? NULL : search.centre);
    const sketch_memory x = make_sketch(search.metric, how, search.X, search.centre);
    answer found = make_answer(search.Q.rows, search.k);
    uint8_t *given_up = allocate(search.Q.rows, 1);
    fc_tally tally;
    fc_stage stages[FC_MAX_STAGES];
    for (size_t i = 0; i < how->levels; i++)
        stages[i] = (fc_stage){.Q = level_of(q, how, i, search.Q.rows),
                               .X = level_of(x, how, i, search.X.rows),
                               .adds = i > 0,
                               .gram_excess = how->gram_excess,
                               .unit = (double)x.terms[i][0].step,
                               .young_weight = is_product ? 0.01 : 1,
                               .cost = refine_cost / 100};
    search.stages = stages;
    search.n_stages = how->levels;
    search.refine_cost = refine_cost;
    search.given_up = given_up;
    search.tally = &tally;
    expect_ok(fc_knn(&search, (fc_run){.n_threads = 2}, found.distance, found.index), "fc_knn with stages");
    expect_same_answers(found, expected, search.k, given_up);
    for (size_t i = 0; refine_cost <= 0 && i < search.Q.rows; i++)
        if (given_up[i]) {
            fprintf(stderr, "harness: query %zu was given up at no cost\n", i);
            exit(1);
        }
    if (refine_cost <= 0) digest = fold_answer(digest, found);
    free(given_up);
    destroy_answer(found);
    destroy_sketch(q);
    destroy_sketch(x);
    return digest;
}

static uint64_t run_sketches(uint64_t digest, fc_search search, answer expected) {
    const size_t d = search.X.cols;
    fc_metric_traits traits;
    expect_ok(fc_metric_traits_of(search.metric, &traits), "fc_metric_traits_of");
    if (d > MOST_SKETCHED || !traits.has_sketches) return digest;
    sketching s = make_sketching(d);
    const int is_product = traits.is_product;
    sketch_features(&s, d, is_product ? 0 : 0.5);
    digest = run_stages(digest, search, &s.how, is_product, 0, expected);
    if (strcmp(traits.norm, "L2") == 0 && d >= DIRECTIONS) {
        sketch_directions(&s, d);
        digest = run_stages(digest, search, &s.how, is_product, 0, expected);
        digest = run_stages(digest, search, &s.how, is_product, 30, expected);
    }
    destroy_sketching(s);
    return digest;
}

static uint64_t run_knn(uint64_t digest, fc_metric metric, fc_matrix Q, fc_matrix X, size_t k, const float *centre,
                        int skip_self) {
    answer found = make_answer(Q.rows, k);
    const int bytes = holds_bytes(Q) && holds_bytes(X);
    int64_t *own = skip_self ? allocate(Q.rows, sizeof *own) : NULL;
    for (size_t i = 0; own && i < Q.rows; i++) own[i] = (int64_t)i;
    const fc_search search = {.metric = metric, .Q = Q, .X = X, .k = k, .centre = centre, .own = own, .bytes = bytes};
    expect_ok(fc_knn(&search, (fc_run){.n_threads = 2}, found.distance, found.index), "fc_knn");
    digest = fold_answer(digest, found);
    digest = run_sketches(digest, search, found);
    free(own);
    destroy_answer(found);
    return digest;
}

static uint64_t run_pairwise(uint64_t digest, fc_metric metric, fc_matrix Q, fc_matrix X) {
    double *distance = unwritten(Q.rows * X.rows, sizeof *distance);
    expect_ok(fc_pairwise(metric, Q, X, (fc_run){.n_threads = 2}, distance), "fc_pairwise");
    digest = fnv(digest, distance, Q.rows * X.rows * sizeof *distance);
    free(distance);
    return digest;
}

/* Every other row is proposed, some twice, and some that are none; the last row for each query. */
static uint64_t run_rerank(uint64_t digest, fc_metric metric, fc_matrix Q, fc_matrix X, size_t k) {
    const size_t per_query = X.rows / 2 + 3;
    answer found = make_answer(Q.rows, k);
    int64_t *row = allocate(Q.rows * per_query, sizeof *row);
    for (size_t i = 0; i < Q.rows * per_query; i++) row[i] = (int64_t)(2 * i % (X.rows + 1)) - 1;
    for (size_t q = 0; q < Q.rows; q++) row[(q + 1) * per_query - 1] = (int64_t)X.rows - 1;
    const fc_candidates candidates = {.metric = metric, .Q = Q, .X = X, .row = row, .per_query = per_query};
    expect_ok(fc_rerank(&candidates, k, (fc_run){.n_threads = 2}, found.distance, found.index), "fc_rerank");
    digest = fold_answer(digest, found);
    free(row);
    destroy_answer(found);
    return digest;
}

/* Groups of rows that follow one another, or each row its own. */
static uint64_t run_across_groups(uint64_t digest, fc_metric metric, fc_matrix X, size_t k, const float *centre) {
    answer found = make_answer(X.rows, k);
    int64_t *group = allocate(X.rows, sizeof *group);
    for (size_t size = 1; size <= 3 && size + k <= X.rows; size += 2) {
        for (size_t i = 0; i < X.rows; i++) group[i] = (int64_t)(i / size);
        const fc_across_groups apart = {metric, X, k, group, centre, 0};
        expect_ok(fc_knn_across_groups(&apart, (fc_run){.n_threads = 3}, found.distance, found.index),
                  "fc_knn_across_groups");
        digest = fold_answer(digest, found);
    }
    free(group);
    destroy_answer(found);
    return digest;
}

/* Each pair of X's rows is compared, which must not take long: of float32 alone where threads share them out. */
static int is_run_apart(fc_matrix Q, fc_matrix X) {
    const size_t work = X.rows * X.rows * X.cols;
    return Q.dtype == X.dtype && work < (X.dtype == FC_f32 ? 20000000 : 2000000);
}

/* All metrics, or from `turn` on every third: three large shapes one after the other have all of them. */
enum { NO_TURN = -1, TURNS = 3 };

static uint64_t run_metrics(uint64_t digest, fc_matrix Q, fc_matrix X, size_t k, const float *centre, int turn) {
    for (fc_metric metric = 0; metric < FC_METRIC_COUNT; metric++) {
        if (is_run_apart(Q, X)) digest = run_across_groups(digest, metric, X, k, centre);
        if (turn != NO_TURN && (int)metric % TURNS != turn) continue;
        digest = run_knn(digest, metric, Q, X, k, centre, 0);
        if (k < Q.rows && Q.rows < 1000) digest = run_knn(digest, metric, Q, Q, k, centre, 1);
        digest = run_pairwise(digest, metric, Q, X);
        digest = run_rerank(digest, metric, Q, X, k);
    }
    return digest;
}

static int is_large(shape s) { return s.nq * s.n * s.d > 200000; }

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Values that leave float64's range are summed pair by pair in integers of any length, which takes many times as
 * long: fewer rows show as much.
 */
static shape shortened(shape s) {
    enum { MOST_ROWS = 40 };
    return (shape){smaller(s.nq, MOST_ROWS), smaller(s.n, MOST_ROWS), s.d, smaller(s.k, MOST_ROWS)};
}

static int is_narrow(fc_dtype dtype) { return dtype == FC_i8 || dtype == FC_bf16 || dtype == FC_f16; }

/* To keep the run short, no more than one of: two dtypes, values other than fractions, a large shape.  Narrow dtypes,
 * which are converted and then as others are, have fewer runs.
 */
static int is_run(fc_dtype a, fc_dtype b, spread values, int large) {
    if ((a != b) + (values != FRACTIONS) + large > 1) return 0;
    if (!is_narrow(a) && !is_narrow(b)) return 1;
    return !large && values == FRACTIONS && (a == b || (a == FC_f32 && b == FC_f16));
}

/* One shape on pairs of dtypes. */
static uint64_t run_shape(uint64_t digest, size_t number, spread values) {
    shape s = shapes[number];
    if (values == HUGE_OR_TINY && !is_large(s)) s = shortened(s);
    float *centre = allocate(s.d, sizeof *centre);
    for (size_t i = 0; i < s.d; i++) centre[i] = (float)draw_value(FC_f32, FRACTIONS);
    for (fc_dtype a = 0; a < FC_DTYPE_COUNT; a++)
        for (fc_dtype b = 0; b < FC_DTYPE_COUNT; b++) {
            if (!is_run(a, b, values, is_large(s))) continue;
            fc_matrix Q = make_matrix(s.nq, s.d, a, values), X = make_matrix(s.n, s.d, b, values);
            if (planted(OVER_READ)) X.rows++;
            const int turn = is_large(s) ? (int)(number + (size_t)X.dtype) % TURNS : NO_TURN;
            digest = run_metrics(digest, Q, X, s.k, a == b ? centre : NULL, turn);
            destroy(Q);
            destroy(X);
        }
    free(centre);
    return digest;
}

static void check_limit(const double *v, size_t n, size_t k) {
    const size_t enough = k + (n - k) / 4;
    const double limit = fc_kernels_active()->select(v, n, k, enough);
    size_t below = 0, up_to = 0;
    for (size_t i = 0; i < n; i++) {
        below += v[i] < limit;
        up_to += v[i] <= limit;
    }
    if (up_to >= k && (up_to <= enough || below < k)) return;
    fprintf(stderr, "harness: of %zu values, %zu are up to the limit %g for k = %zu\n", n, up_to, limit, k);
    exit(1);
}

void check_limits(void) {
    static const uint64_t infinite[] = {0, 3, 8}; /* ninths */
    double v[70];
    for (size_t n = 1; n <= LENGTH(v); n++)
        for (size_t k = 1; k <= n; k++)
            for (size_t c = 0; c < LENGTH(infinite); c++) {
                for (size_t i = 0; i < n; i++) v[i] = fabs(draw_value(FC_f64, k % 2 ? TIES : FRACTIONS));
                for (size_t i = 0; i < n; i++) v[i] = draw() % 9 < infinite[c] ? INFINITY : v[i];
                check_limit(v, n, k);
            }
}

uint64_t run_neighbors(uint64_t digest) {
    for (size_t i = 0; i < LENGTH(shapes); i++)
        for (spread v = 0; v < SPREAD_COUNT; v++) digest = run_shape(digest, i, v);
    return digest;
}
