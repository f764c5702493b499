/* harness.c -- run the C interface with no Python: every metric, dtype and awkward shape on every instruction set.
 *
 * Prints "name digest" for each set: one FNV-1a sum over all answers' bytes, equal on all sets and machines.  Inputs
 * come from a generator of integers, so that they are the same everywhere.
 *
 * Built with -DPLANT_OVER_READ, -DPLANT_OVERFLOW or -DPLANT_RACE it has a bug that a sanitizer has to report.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastclf.h"
#include "matrix.h"
#include "threads.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

typedef struct {
    size_t nq, n, d, k;
} shape;

/* Few queries are compared pair by pair, more in tiles; depths around vectors, tiles and the parts they are cut into;
 * the last three are enough work for two threads, which share out X's rows or the queries.
 */
static const shape shapes[] = {
    {1, 1, 1, 1},     {1, 50, 3, 50},    {2, 130, 16, 7},    {4, 97, 31, 5},    {3, 70, 129, 20}, {5, 1, 2, 1},
    {5, 25, 1, 25},   {7, 121, 15, 3},   {16, 64, 17, 8},    {17, 145, 33, 12}, {33, 60, 64, 9},  {40, 41, 100, 1},
    {9, 90, 127, 90}, {6, 27, 257, 10},  {11, 14, 520, 6},   {5, 10, 1030, 4},  {4, 5, 2100, 2},  {270, 50, 5, 2},
    {5, 2, 33000, 1}, {300, 900, 17, 5}, {2100, 130, 16, 3}, {4, 17000, 64, 3}};

/* What values are like: few integers, and so ties; bytes, whatever the dtype; fractions of either sign; float64 whose
 * squares leave its range.
 */
typedef enum { TIES, BYTES, FRACTIONS, HUGE_OR_TINY, SPREAD_COUNT } spread;

#define SEED 20240607
static uint64_t state = SEED;

/* SplitMix64. */
static uint64_t draw(void) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double draw_value(fc_dtype dtype, spread s) {
    const int64_t bits = (int64_t)(draw() >> 11); /* 53 of them */
    if (s == BYTES || dtype == FC_u8) return (double)(bits % (s == TIES ? 3 : 256));
    if (s == TIES) return (double)(bits % 5 - 2);
    if (dtype == FC_f32) return ldexp((double)(bits % (1 << 24) - (1 << 23)), -20);
    return ldexp((double)(bits - (INT64_C(1) << 52)), s == FRACTIONS ? -50 : bits % 2 ? 500 : -700);
}

static void out_of_memory(void) {
    fputs("harness: no memory\n", stderr);
    exit(1);
}

/* A matrix of its own exact size, so that a checker sees the first byte beyond it. */
static fc_matrix make_matrix(size_t rows, size_t cols, fc_dtype dtype, spread s) {
    void *data = malloc(rows * cols * fc_dtype_size(dtype));
    if (!data) out_of_memory();
    for (size_t i = 0; i < rows * cols; i++) {
        const double v = draw_value(dtype, s);
        if (dtype == FC_u8)
            ((uint8_t *)data)[i] = (uint8_t)v;
        else if (dtype == FC_f32)
            ((float *)data)[i] = (float)v;
        else
            ((double *)data)[i] = v;
    }
    return (fc_matrix){data, rows, cols, dtype};
}

static void destroy(fc_matrix m) { free((void *)(uintptr_t)m.data); }

static uint64_t fnv(uint64_t digest, const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) digest = (digest ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
    return digest;
}

static void expect_ok(fc_status status, const char *what) {
    if (status == FC_OK) return;
    fprintf(stderr, "harness: %s returned %d\n", what, (int)status);
    exit(1);
}

static int holds_bytes(fc_matrix m) {
    int fits;
    expect_ok(fc_fits_u8(m, NULL, &fits), "fc_fits_u8");
    return fits;
}

static uint64_t run_knn(uint64_t digest, fc_metric metric, fc_matrix Q, fc_matrix X, size_t k, const float *centre,
                        int skip_self) {
    const size_t entries = Q.rows * k;
    double *distance = malloc(entries * sizeof *distance);
    int64_t *index = malloc(entries * sizeof *index);
    if (!distance || !index) out_of_memory();
    const int bytes = holds_bytes(Q) && holds_bytes(X);
    int64_t *own = skip_self ? malloc(Q.rows * sizeof *own) : NULL;
    if (skip_self && !own) out_of_memory();
    for (size_t i = 0; own && i < Q.rows; i++) own[i] = (int64_t)i;
    const fc_search search = {.metric = metric, .Q = Q, .X = X, .k = k, .centre = centre, .own = own, .bytes = bytes};
    expect_ok(fc_knn(&search, (fc_run){.n_threads = 2}, distance, index), "fc_knn");
    free(own);
    digest = fnv(digest, distance, entries * sizeof *distance);
    digest = fnv(digest, index, entries * sizeof *index);
    free(distance);
    free(index);
    return digest;
}

static uint64_t run_pairwise(uint64_t digest, fc_metric metric, fc_matrix Q, fc_matrix X) {
    double *distance = malloc(Q.rows * X.rows * sizeof *distance);
    if (!distance) out_of_memory();
    expect_ok(fc_pairwise(metric, Q, X, (fc_run){.n_threads = 2}, distance), "fc_pairwise");
    digest = fnv(digest, distance, Q.rows * X.rows * sizeof *distance);
    free(distance);
    return digest;
}

static uint64_t run_all_metrics(uint64_t digest, fc_matrix Q, fc_matrix X, size_t k, const float *centre) {
    for (fc_metric metric = 0; metric < FC_METRIC_COUNT; metric++) {
        digest = run_knn(digest, metric, Q, X, k, centre, 0);
        if (k < Q.rows && Q.rows < 1000) digest = run_knn(digest, metric, Q, Q, k, centre, 1);
        digest = run_pairwise(digest, metric, Q, X);
    }
    return digest;
}

static int is_large(shape s) { return s.nq * s.n * s.d > 200000; }

/* One shape on every pair of dtypes; to keep the run short, no more than one of: two dtypes, values other than
 * fractions, a large shape.
 */
static uint64_t run_shape(uint64_t digest, shape s, spread values) {
    float *centre = malloc(s.d * sizeof *centre);
    if (!centre) out_of_memory();
    for (size_t i = 0; i < s.d; i++) centre[i] = (float)draw_value(FC_f32, FRACTIONS);
    for (fc_dtype a = 0; a < FC_DTYPE_COUNT; a++)
        for (fc_dtype b = 0; b < FC_DTYPE_COUNT; b++) {
            if ((a != b) + (values != FRACTIONS) + is_large(s) > 1) continue;
            fc_matrix Q = make_matrix(s.nq, s.d, a, values), X = make_matrix(s.n, s.d, b, values);
#ifdef PLANT_OVER_READ
            X.rows++;
#endif
            digest = run_all_metrics(digest, Q, X, s.k, a == b ? centre : NULL);
            destroy(Q);
            destroy(X);
        }
    free(centre);
    return digest;
}

static uint64_t run_shapes(void) {
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    state = SEED;
    for (size_t i = 0; i < LENGTH(shapes); i++)
        for (spread v = 0; v < SPREAD_COUNT; v++) digest = run_shape(digest, shapes[i], v);
    return digest;
}

#if defined(PLANT_RACE)
static void add_to(void *job, fc_team *team, int thread) {
    (void)team, (void)thread;
    for (int i = 0; i < 1000; i++) ++*(size_t *)job;
}

static void plant(void) {
    size_t shared = 0;
    expect_ok(fc_parallel((fc_run){.n_threads = 2}, 2, add_to, &shared), "fc_parallel");
}
#elif defined(PLANT_OVERFLOW)
static void plant(void) {
    volatile int most = INT32_MAX;
    most++;
}
#else
static void plant(void) {}
#endif

/* Run on the instruction sets that are named, or on all. */
int main(int count, char **names) {
    plant();
    for (size_t isa = 0; isa < fc_isa_count(); isa++) {
        int wanted = count < 2;
        for (int i = 1; i < count; i++) wanted |= strcmp(names[i], fc_isa_name(isa)) == 0;
        if (!wanted || !fc_isa_use(isa)) continue;
        printf("%s %016" PRIx64 "\n", fc_isa_name(isa), run_shapes());
        fflush(stdout);
    }
    return 0;
}
