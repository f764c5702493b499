/* harness_api.c -- the public C interface: indexes find what a search of the rows finds, and losses and linear scores
 * run in memory of their exact sizes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastclf_api.h"
#include "harness.h"
#include "core/matrix.h"

#define NUMBERED(name, type, format) [FC_##name] = FASTCLF_##name,
static const int dtypes[] = {FC_DTYPES(NUMBERED)};
static const int metrics[] = {FASTCLF_l1,          FASTCLF_l2,        FASTCLF_cosine,
                              FASTCLF_sqeuclidean, FASTCLF_chebyshev, FASTCLF_inner_product};

static void expect(int status, const char *what) {
    if (status == FASTCLF_OK) return;
    fprintf(stderr, "harness: %s: %s\n", what, fastclf_error_string(status));
    exit(1);
}

/* Neighbours of a search, folded in; or what an index finds, which has to be the same. */
typedef struct {
    double *distance;
    int64_t *index;
} found;

static found make_found(size_t n) { return (found){allocate(n, sizeof(double)), allocate(n, sizeof(int64_t))}; }

static void drop(found f) {
    free(f.distance);
    free(f.index);
}

static void compare_index(int metric, int flags, fc_matrix Q, fc_matrix X, size_t k, found expected) {
    const size_t n = Q.rows * k;
    const found f = make_found(n);
    fastclf_index *index;
    expect(fastclf_index_create(metric, dtypes[X.dtype], X.data, (int64_t)X.rows, (int64_t)X.cols, flags, 2, &index),
           "index_create");
    expect(fastclf_index_search(index, dtypes[Q.dtype], Q.data, (int64_t)Q.rows, (int64_t)k, 2, f.distance, f.index),
           "index_search");
    fastclf_index_free(index);
    if (memcmp(f.distance, expected.distance, n * sizeof(double)) ||
        memcmp(f.index, expected.index, n * sizeof(int64_t)))
        expect(-1, "an index finds other neighbours");
    drop(f);
}

static uint64_t search(uint64_t digest, int metric, fc_matrix Q, fc_matrix X, size_t k) {
    const found f = make_found(Q.rows * k);
    expect(fastclf_knn(metric, dtypes[X.dtype], Q.data, (int64_t)Q.rows, X.data, (int64_t)X.rows, (int64_t)X.cols,
                       (int64_t)k, 2, f.distance, f.index),
           "knn");
    compare_index(metric, 0, Q, X, k, f);
    compare_index(metric, FASTCLF_BORROW, Q, X, k, f);
    digest = fnv(fnv(digest, f.distance, Q.rows * k * sizeof(double)), f.index, Q.rows * k * sizeof(int64_t));
    drop(f);
    return digest;
}

static uint64_t search_all(uint64_t digest) {
    static const size_t rows[] = {1, 70, 2500}, cols[] = {2, 33};
    for (size_t shape = 0; shape < LENGTH(rows) * LENGTH(cols); shape++)
        for (fc_dtype dtype = 0; dtype < FC_DTYPE_COUNT; dtype++) {
            const size_t n = rows[shape / LENGTH(cols)], d = cols[shape % LENGTH(cols)];
            const fc_matrix Q = make_matrix(5, d, dtype, FRACTIONS), X = make_matrix(n, d, dtype, FRACTIONS);
            for (size_t m = 0; m < LENGTH(metrics); m++) digest = search(digest, metrics[m], Q, X, n < 10 ? n : 10);
            destroy(Q);
            destroy(X);
        }
    return digest;
}

static uint64_t run_loss(uint64_t digest, fc_dtype dtype) {
    enum { ROWS = 37, CLASSES = 5 };
    const fc_matrix X = make_matrix(ROWS, 3, dtype, FRACTIONS), W = make_matrix(CLASSES, 3, dtype, FRACTIONS);
    void *scores = unwritten(ROWS * CLASSES, fc_dtype_size(dtype));
    int64_t *labels = allocate(ROWS, sizeof *labels);
    double *losses = unwritten(ROWS, sizeof *losses);
    for (int i = 0; i < ROWS; i++) labels[i] = i % (CLASSES + 1) - 1;
    expect(fastclf_linear_scores(dtypes[dtype], X.data, ROWS, 3, dtypes[dtype], W.data, NULL, CLASSES, 2, scores),
           "linear_scores");
    expect(fastclf_loss(FASTCLF_cross_entropy, dtypes[dtype], scores, ROWS, CLASSES, labels, NULL, NULL, NULL, NULL, 0,
                        0, 1, 2, losses, scores, NULL),
           "loss");
    digest = fnv(fnv(digest, losses, ROWS * sizeof *losses), scores, ROWS * CLASSES * fc_dtype_size(dtype));
    free(scores);
    free(labels);
    free(losses);
    destroy(X);
    destroy(W);
    return digest;
}

uint64_t run_api(uint64_t digest) { return run_loss(run_loss(search_all(digest), FC_f32), FC_f64); }
