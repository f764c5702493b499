/* api_index.c -- rows prepared for many searches: as bytes where they are, with a middle, in a tree where that pays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/matrix.h"
#include "neighbors/metric.h"
#include "core/sizes.h"

/* A tree is made where a sample of the rows shows that searches look into few of its leaves.  A leaf costs about as
 * much as eight of its rows in a plain search.  A query that looks into more than that is better searched plainly.
 */
enum {
    TREE_ROWS = 1000, /* fewer are not worth it */
    TRIAL_ROWS = 4096,
    TRIAL_QUERIES = 48,
    TRIAL_K = 11,       /* ten, and the query itself */
    ROWS_A_NEIGHBOR = 8 /* a tree with fewer is looked at as a whole */
};
static const double TRIAL_SHARE = 0.5, MOST_SHARE = 0.125;

typedef struct {
    fc_tree tree;
    void *row, *boxes, *leaves; /* NULL: no tree */
    double share;               /* of the leaves, which a search looks into */
} owned_tree;

struct fastclf_index {
    fc_metric metric;
    fc_matrix X;
    int bytes;     /* whether they are, whatever their dtype */
    void *copy;    /* of the rows, or NULL */
    float *centre; /* or NULL */
    owned_tree of_rows;
};

static void drop_tree(owned_tree *g) {
    free(g->row);
    free(g->boxes);
    free(g->leaves);
    *g = (owned_tree){0};
}

/* Make a tree; none where values are too large or too small for one. */
static fc_status make_tree(fc_metric metric, fc_matrix X, const float *centre, fc_run run, owned_tree *g) {
    const size_t boxes = fc_tree_blocks(X.rows) * 2 * FC_TREE_BOXES * X.cols,
                 leaves = fc_tree_leaves(X.rows) * (1 + (2 + FC_LEAF_ROWS / sizeof(float)) * X.cols);
    double scale = 0;
    *g = (owned_tree){.row = malloc(X.rows * sizeof(uint32_t)),
                      .boxes = calloc(boxes, sizeof(float)), /* some blocks are not full */
                      .leaves = malloc(leaves * sizeof(float))};
    fc_status status = g->row && g->boxes && g->leaves ? FC_OK : FC_NO_MEMORY;
    if (status == FC_OK) status = fc_tree_make(metric, X, centre, run, &scale, g->row, g->boxes, g->leaves);
    g->tree = (fc_tree){X.rows, g->row, g->boxes, g->leaves, centre, scale};
    if (status != FC_OK || !(scale > 0)) drop_tree(g);
    return status;
}

/* `count` rows, evenly from all, copied to `scratch`. */
static fc_matrix sample(fc_matrix X, size_t count, char *scratch) {
    const size_t size = X.cols * fc_dtype_size(X.dtype);
    for (size_t i = 0; i < count; i++)
        memcpy(scratch + i * size, (const char *)X.data + X.rows / count * i * size, size);
    return (fc_matrix){scratch, count, X.cols, X.dtype};
}

/* Which share of a tree's leaves searches for some of its own rows look into; 1 where any is given up.  If they fail,
 * *share is left as it is.
 */
static fc_status share_of_leaves(fc_metric metric, const owned_tree *g, fc_matrix X, fc_run run, double *share) {
    double distance[TRIAL_QUERIES * TRIAL_K];
    int64_t index[TRIAL_QUERIES * TRIAL_K];
    uint8_t given_up[TRIAL_QUERIES];
    fc_tree_tally tally;
    char *scratch = malloc(TRIAL_QUERIES * X.cols * fc_dtype_size(X.dtype));
    if (!scratch) return FC_NO_MEMORY;
    const fc_tree_search search = {.metric = metric,
                                   .tree = &g->tree,
                                   .Q = sample(X, TRIAL_QUERIES, scratch),
                                   .X = X,
                                   .k = TRIAL_K,
                                   .bytes = X.dtype == FC_u8,
                                   .patience = INFINITY,
                                   .given_up = given_up,
                                   .tally = &tally};
    const fc_status status = fc_tree_knn(&search, run, distance, index);
    free(scratch);
    if (status != FC_OK) return status;
    *share = tally.leaves / (double)TRIAL_QUERIES / (double)fc_tree_leaves(X.rows);
    for (size_t i = 0; i < TRIAL_QUERIES; i++) *share = given_up[i] ? 1 : *share;
    return FC_OK;
}

/* Make a tree of X, and keep it if searches look into no more than the share `most` of its leaves. */
static fc_status try_tree(fc_metric metric, fc_matrix X, const float *centre, fc_run run, double most, owned_tree *g) {
    double share = 1;
    fc_status status = make_tree(metric, X, centre, run, g);
    if (status == FC_OK && g->row) status = share_of_leaves(metric, g, X, run, &share);
    g->share = share;
    if (status != FC_OK || share > most) drop_tree(g);
    return status;
}

/* Whether a tree of a sample leaves out enough that one of all rows is worth a trial. */
static fc_status is_worth_a_tree(const fastclf_index *i, fc_run run, int *worth) {
    owned_tree g;
    char *scratch = malloc(TRIAL_ROWS * i->X.cols * fc_dtype_size(i->X.dtype));
    *worth = 0;
    if (!scratch) return FC_NO_MEMORY;
    const fc_matrix some = sample(i->X, fc_smaller(TRIAL_ROWS, i->X.rows), scratch);
    const fc_status status = try_tree(i->metric, some, i->centre, run, TRIAL_SHARE, &g);
    *worth = g.row != NULL;
    drop_tree(&g);
    free(scratch);
    return status;
}

static fc_status choose_tree(fastclf_index *i, fc_run run) {
    int worth;
    if (!fc_metrics[i->metric].tree || i->X.rows < TREE_ROWS) return FC_OK;
    const fc_status status = is_worth_a_tree(i, run, &worth);
    return status != FC_OK || !worth ? status : try_tree(i->metric, i->X, i->centre, run, MOST_SHARE, &i->of_rows);
}

/* Copy the rows, as bytes where that is what they hold. */
static int keep_rows(fastclf_index *i) {
    const size_t values = i->X.rows * i->X.cols;
    const fc_dtype dtype = i->bytes ? FC_u8 : i->X.dtype;
    i->copy = malloc(values * fc_dtype_size(dtype));
    if (!i->copy) return FASTCLF_NO_MEMORY;
    if (dtype == i->X.dtype)
        memcpy(i->copy, i->X.data, values * fc_dtype_size(dtype));
    else
        fc_converted(i->X.data, i->X.dtype, values, FC_IN_u8, i->copy);
    i->X.data = i->copy;
    i->X.dtype = dtype;
    return FASTCLF_OK;
}

static int prepare(fastclf_index *i, int flags, fc_run run) {
    FC_TRY(fc_api_finite(i->X, run));
    FC_TRY(fc_api_status(fc_fits_u8(i->X, NULL, &i->bytes)));
    if (!(flags & FASTCLF_BORROW)) FC_TRY(keep_rows(i));
    if (!i->bytes) FC_TRY(fc_api_centre(i->metric, i->X, i->X.rows, &i->centre));
    return fc_api_status(choose_tree(i, run));
}

int fastclf_index_create(int metric, int dtype, const void *X, int64_t n_rows, int64_t n_features, int flags,
                         int n_threads, fastclf_index **index) {
    fastclf_index made = {0};
    fc_run run;
    FC_TRY(fc_api_array(index, 1, 1, sizeof *index));
    *index = NULL;
    FC_TRY(fc_api_metric(metric, &made.metric));
    FC_TRY(fc_api_rows(dtype, X, n_rows, n_features, &made.X));
    FC_TRY(fc_api_run(n_threads, &run));
    if (n_rows < 1) return FASTCLF_BAD_SIZE;
    if (flags & ~FASTCLF_BORROW) return FASTCLF_BAD_OPTION;
    fastclf_index *scratch = malloc(sizeof *scratch);
    if (!scratch) return FASTCLF_NO_MEMORY;
    *scratch = made;
    const int status = prepare(scratch, flags, run);
    if (status == FASTCLF_OK)
        *index = scratch;
    else
        fastclf_index_free(scratch);
    return status;
}

void fastclf_index_free(fastclf_index *index) {
    if (!index) return;
    drop_tree(&index->of_rows);
    free(index->centre);
    free(index->copy);
    free(index);
}

/* --- searches ----------------------------------------------------------------------------------------------------- */

static fc_status search_plainly(const fastclf_index *i, fc_matrix Q, int bytes, size_t k, fc_run run, double *distance,
                                int64_t *index) {
    const fc_search search = {
        .metric = i->metric, .Q = Q, .X = i->X, .k = k, .centre = i->centre, .bytes = bytes, .refine_cost = 1};
    return fc_knn(&search, run, distance, index);
}

/* The queries that a tree has given up, searched plainly: taken together, and their answers put where they belong. */
static fc_status search_given_up(const fastclf_index *i, fc_matrix Q, int bytes, size_t k, fc_run run,
                                 const uint8_t *given_up, size_t count, double *distance, int64_t *index) {
    const size_t size = Q.cols * fc_dtype_size(Q.dtype);
    char *queries = malloc(count * size);
    double *d = malloc(count * k * sizeof *d);
    int64_t *x = malloc(count * k * sizeof *x);
    fc_status status = queries && d && x ? FC_OK : FC_NO_MEMORY;
    for (size_t q = 0, n = 0; status == FC_OK && q < Q.rows; q++)
        if (given_up[q]) memcpy(queries + n++ * size, (const char *)Q.data + q * size, size);
    if (status == FC_OK) status = search_plainly(i, (fc_matrix){queries, count, Q.cols, Q.dtype}, bytes, k, run, d, x);
    for (size_t q = 0, n = 0; status == FC_OK && q < Q.rows; q++) {
        if (!given_up[q]) continue;
        memcpy(distance + q * k, d + n * k, k * sizeof *d);
        memcpy(index + q * k, x + n++ * k, k * sizeof *x);
    }
    free(queries);
    free(d);
    free(x);
    return status;
}

static fc_status search_by_tree(const fastclf_index *i, fc_matrix Q, int bytes, size_t k, fc_run run, double *distance,
                                int64_t *index) {
    uint8_t *given_up = calloc(Q.rows, 1);
    if (!given_up) return FC_NO_MEMORY;
    const fc_tree_search search = {.metric = i->metric,
                                   .tree = &i->of_rows.tree,
                                   .Q = Q,
                                   .X = i->X,
                                   .k = k,
                                   .bytes = bytes,
                                   .patience = MOST_SHARE * (double)fc_tree_leaves(i->X.rows),
                                   .expected = i->of_rows.share * (double)fc_tree_leaves(i->X.rows),
                                   .given_up = given_up};
    fc_status status = fc_tree_knn(&search, run, distance, index);
    size_t count = 0;
    for (size_t q = 0; q < Q.rows; q++) count += given_up[q];
    if (status == FC_OK && count) status = search_given_up(i, Q, bytes, k, run, given_up, count, distance, index);
    free(given_up);
    return status;
}

int fastclf_index_search(const fastclf_index *index, int dtype, const void *Q, int64_t n_queries, int64_t k,
                         int n_threads, double *distances, int64_t *indices) {
    fc_matrix q;
    fc_run run;
    int bytes = 0;
    if (!index) return FASTCLF_NULL_POINTER;
    FC_TRY(fc_api_matrix(dtype, Q, n_queries, (int64_t)index->X.cols, &q));
    FC_TRY(fc_api_neighbors(n_queries, k, index->X.rows, distances, indices));
    FC_TRY(fc_api_run(n_threads, &run));
    FC_TRY(fc_api_finite(q, run));
    if (index->bytes) FC_TRY(fc_api_status(fc_fits_u8(q, NULL, &bytes)));
    const int by_tree = index->of_rows.row && (size_t)k <= index->X.rows / ROWS_A_NEIGHBOR && q.rows <= UINT32_MAX;
    return fc_api_status(
        (by_tree ? search_by_tree : search_plainly)(index, q, bytes, (size_t)k, run, distances, indices));
}
