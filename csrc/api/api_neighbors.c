/* api_neighbors.c -- neighbours, distances and votes of the public C interface. */
#include <float.h>
#include <stdlib.h>

#include "api/api.h"

enum {
    SAMPLE_A_QUERY = 4,           /* rows of the sample that tells their middle: it should take less than the search */
    MOST_CLASSES = (1u << 31) - 1 /* of a vote: each takes 8 bytes */
};

static int finite_pair(const fc_matrix *Q, const fc_matrix *X, fc_run run) {
    FC_TRY(fc_api_finite(*Q, run));
    return fc_api_finite(*X, run);
}

int fastclf_knn(int metric, int dtype, const void *Q, int64_t n_queries, const void *X, int64_t n_rows,
                int64_t n_features, int64_t k, int n_threads, double *distances, int64_t *indices) {
    fc_search search = {.k = (size_t)k, .refine_cost = 1};
    fc_run run;
    float *centre;
    FC_TRY(fc_api_metric(metric, &search.metric));
    FC_TRY(fc_api_matrix(dtype, Q, n_queries, n_features, &search.Q));
    FC_TRY(fc_api_rows(dtype, X, n_rows, n_features, &search.X));
    FC_TRY(fc_api_neighbors(n_queries, k, search.X.rows, distances, indices));
    FC_TRY(fc_api_run(n_threads, &run));
    FC_TRY(finite_pair(&search.Q, &search.X, run));
    FC_TRY(fc_api_centre(search.metric, search.X, SAMPLE_A_QUERY * search.Q.rows, &centre));
    search.centre = centre;
    const fc_status status = fc_knn(&search, run, distances, indices);
    free(centre);
    return fc_api_status(status);
}

int fastclf_pairwise_distances(int metric, int dtype, const void *Q, int64_t n_queries, const void *X, int64_t n_rows,
                               int64_t n_features, int n_threads, double *distances) {
    fc_metric of;
    fc_matrix q, x;
    fc_run run;
    FC_TRY(fc_api_metric(metric, &of));
    FC_TRY(fc_api_matrix(dtype, Q, n_queries, n_features, &q));
    FC_TRY(fc_api_matrix(dtype, X, n_rows, n_features, &x));
    if (n_rows > 0) FC_TRY(fc_api_array(distances, n_queries, n_rows, sizeof *distances));
    FC_TRY(fc_api_run(n_threads, &run));
    FC_TRY(finite_pair(&q, &x, run));
    return fc_api_status(fc_pairwise(of, q, x, run, distances));
}

/* Weights of votes whose sums are finite, by row. */
static int votes_are_finite(const double *weights, size_t rows, size_t k) {
    for (size_t i = 0; weights && i < rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < k; j++) sum += weights[i * k + j];
        if (!(sum <= DBL_MAX)) return 0;
    }
    return 1;
}

int fastclf_majority_vote(const int64_t *labels, int64_t n_labels, const int64_t *indices, int64_t n_rows, int64_t k,
                          int64_t n_classes, const double *weights, double *votes, int64_t *winners) {
    if (n_classes < 1 || n_classes > (int64_t)MOST_CLASSES) return FASTCLF_BAD_SIZE;
    if (k < 1) return FASTCLF_BAD_K;
    FC_TRY(fc_api_array(labels, n_labels, 1, sizeof *labels));
    FC_TRY(fc_api_optional(indices, n_rows, k, sizeof *indices));
    FC_TRY(fc_api_optional(weights, n_rows, k, sizeof *weights));
    FC_TRY(fc_api_optional(votes, n_rows, n_classes, sizeof *votes));
    FC_TRY(fc_api_optional(winners, n_rows, 1, sizeof *winners));
    if (!indices && n_labels != n_rows * k) return FASTCLF_BAD_SIZE;
    FC_TRY(fc_api_weights(weights, (size_t)(n_rows * k)));
    if (!votes_are_finite(weights, (size_t)n_rows, (size_t)k)) return FASTCLF_BAD_WEIGHT;
    const fc_status status = fc_vote(labels, (size_t)n_labels, indices, (size_t)n_rows, (size_t)k, (size_t)n_classes,
                                     weights, NULL, votes, winners);
    return status == FC_BAD_ARGUMENT ? FASTCLF_BAD_LABEL : fc_api_status(status);
}
