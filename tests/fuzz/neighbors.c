/* neighbors.c -- searches and distances of small matrices: two instruction sets agree, neighbours are in the order of
 * the distances, and distances of integers are those of plain sums.
 */
#include <math.h>
#include <string.h>

#include "searches.h"
#include "core/matrix.h"

enum { MOST_QUERIES = 6, MOST_ROWS = 24, MOST_COLS = 80 };

typedef struct {
    double *all;
    nearest near;
} answer;

static answer answer_of(const fc_search *s) {
    const answer a = {room_for(s->Q.rows * s->X.rows, sizeof(double)), nearest_of(s)};
    expect(fc_pairwise(s->metric, s->Q, s->X, alone, a.all) == FC_OK, "pairwise fails");
    return a;
}

static void release_answer(answer a) {
    release(a.all);
    release_nearest(a.near);
}

/* The neighbours of query i are rows that are there, each once, with their distances, and no other row is nearer. */
static void expect_order(const fc_search *s, const answer *a, size_t i) {
    const double *all = a->all + i * s->X.rows, *distance = a->near.distance + i * s->k;
    const int64_t *index = a->near.index + i * s->k;
    uint8_t is_found[MOST_ROWS] = {0};
    if (s->own) is_found[s->own[i]] = 1;
    for (size_t j = 0; j < s->k; j++) {
        expect(index[j] >= 0 && (size_t)index[j] < s->X.rows && !is_found[index[j]], "no such neighbour, or again");
        is_found[index[j]] = 1;
        expect(distance[j] == all[index[j]], "a neighbour has another distance than its pair");
        expect(j == 0 || !is_nearer(s, distance[j], distance[j - 1]), "neighbours are out of order");
    }
    for (size_t row = 0; row < s->X.rows; row++)
        expect(is_found[row] || !is_nearer(s, all[row], distance[s->k - 1]), "a nearer row is left out");
}

/* Of integers, equal distances are ties: by row. */
static void expect_ties_by_row(const fc_search *s, const answer *a, size_t i) {
    const double *all = a->all + i * s->X.rows, last = a->near.distance[i * s->k + s->k - 1];
    const int64_t *index = a->near.index + i * s->k;
    for (size_t j = 1; j < s->k; j++)
        expect(all[index[j]] != all[index[j - 1]] || index[j] > index[j - 1], "ties are out of order");
    for (int64_t row = 0; row < index[s->k - 1]; row++) {
        int is_found = s->own && s->own[i] == row;
        for (size_t j = 0; j < s->k; j++) is_found |= index[j] == row;
        expect(is_found || all[row] != last, "a tie of a lower row is left out");
    }
}

static double plain_distance(const fc_search *s, size_t i, size_t row) {
    double sum = 0, squares = 0, largest = 0, product = 0;
    for (size_t j = 0; j < s->X.cols; j++) {
        const double q = fc_value_at(s->Q.data, i * s->X.cols + j, s->Q.dtype);
        const double x = fc_value_at(s->X.data, row * s->X.cols + j, s->X.dtype), d = fabs(q - x);
        sum += d, squares += d * d, product += q * x;
        if (d > largest) largest = d;
    }
    return s->metric == FC_l1            ? sum
           : s->metric == FC_l2          ? sqrt(squares)
           : s->metric == FC_sqeuclidean ? squares
           : s->metric == FC_chebyshev   ? largest
                                         : product;
}

static void expect_plain(const fc_search *s, const answer *a) {
    for (size_t i = 0; i < s->Q.rows; i++)
        for (size_t row = 0; row < s->X.rows; row++)
            expect(a->all[i * s->X.rows + row] == plain_distance(s, i, row), "not the plain sum");
    for (size_t i = 0; i < s->Q.rows; i++) expect_ties_by_row(s, a, i);
}

/* With a limit, rows as near as it are found all the same. */
static void expect_within_limit(source *from, fc_search s, const answer *a) {
    double *limit = limits_of(from, &s, a->near);
    s.limit = limit;
    const nearest limited = nearest_of(&s);
    expect_same_nearest(&s, limited, a->near, NULL, limit, "a row within the limit is left out");
    release_nearest(limited);
    release(limit);
}

/* All rows, proposed from the last to the first and with one that is none, leave the same ones nearest. */
static void expect_reranked(const fc_search *s, nearest expected) {
    const size_t each = s->X.rows + 1;
    int64_t *row = room_for(s->Q.rows * each, sizeof *row);
    for (size_t i = 0; i < s->Q.rows * each; i++) row[i] = (int64_t)(each - 1 - i % each) - 1;
    const fc_candidates proposed = {s->metric, s->Q, s->X, row, each, s->own};
    const nearest found = room_for_nearest(s);
    expect(fc_rerank(&proposed, s->k, alone, found.distance, found.index) == FC_OK, "rerank fails");
    expect_same_nearest(s, found, expected, NULL, NULL, "of proposed rows others are nearest");
    release_nearest(found);
    release(row);
}

void fuzz_neighbors(source *from) {
    const sets by = two_sets(from);
    const kind v = (kind)up_to(from, FINITE);
    const size_t queries = 1 + up_to(from, MOST_QUERIES - 1), rows = 1 + up_to(from, MOST_ROWS - 1);
    const fc_search s = search_of(from, v, queries, rows, cols_of(from, v, MOST_COLS));

    use(by.isa[0]);
    const answer expected = answer_of(&s);
    for (size_t i = 0; i < queries; i++) expect_order(&s, &expected, i);
    use(by.isa[1]);
    disturb(s.X.data, rows * s.X.cols * fc_dtype_size(s.X.dtype));
    const answer found = answer_of(&s);
    expect_same(found.all, expected.all, FC_f64, queries * rows, "pairwise by another instruction set");
    expect_same_nearest(&s, found.near, expected.near, NULL, NULL, "knn by another instruction set");
    if (has_integers(&s, v) && s.metric != FC_cosine) expect_plain(&s, &found);
    if (one_in(from, 4)) expect_within_limit(from, s, &found);
    if (one_in(from, 4)) expect_reranked(&s, found.near);

    release_answer(found);
    release_answer(expected);
    release_search(&s);
}
