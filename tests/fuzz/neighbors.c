/* neighbors.c -- searches and distances of small matrices: two instruction sets agree, neighbours are in the order of
 * the distances, and distances of integers are those of plain sums.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "core/matrix.h"

enum { MOST_QUERIES = 6, MOST_ROWS = 24, MOST_COLS = 80 };
static const fc_run alone = {.n_threads = 1};

typedef struct {
    double *all, *distance;
    int64_t *index;
} answer;

static answer answer_of(const fc_search *s) {
    const size_t pairs = s->Q.rows * s->X.rows, places = s->Q.rows * s->k;
    const answer a = {room_for(pairs, sizeof(double)), room_for(places, sizeof(double)),
                      room_for(places, sizeof(int64_t))};
    expect(fc_pairwise(s->metric, s->Q, s->X, alone, a.all) == FC_OK, "pairwise fails");
    expect(fc_knn(s, alone, a.distance, a.index) == FC_OK, "knn fails");
    return a;
}

static void release_answer(answer a) {
    release(a.all);
    release(a.distance);
    release(a.index);
}

static int is_product(const fc_search *s) { return s->metric == FC_inner_product; }

/* Whether a distance is nearer than another one; of products the larger is. */
static int is_nearer(const fc_search *s, double a, double b) { return is_product(s) ? a > b : a < b; }

/* The neighbours of query i are rows that are there, each once, with their distances, and no other row is nearer. */
static void expect_order(const fc_search *s, const answer *a, size_t i) {
    const double *all = a->all + i * s->X.rows, *distance = a->distance + i * s->k;
    const int64_t *index = a->index + i * s->k;
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
    const double *all = a->all + i * s->X.rows, last = a->distance[i * s->k + s->k - 1];
    const int64_t *index = a->index + i * s->k;
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
    double *limit = room_for(s.Q.rows, sizeof *limit);
    for (size_t i = 0; i < s.Q.rows; i++) limit[i] = a->all[i * s.X.rows + up_to(from, s.X.rows - 1)];
    s.limit = limit;
    const answer limited = answer_of(&s);
    for (size_t i = 0; i < s.Q.rows * s.k; i++)
        expect(is_nearer(&s, limit[i / s.k], a->distance[i]) ||
                   (limited.index[i] == a->index[i] && limited.distance[i] == a->distance[i]),
               "a row within the limit is left out");
    release_answer(limited);
    release(limit);
}

static int is_integer(fc_dtype dtype, kind v) { return v != FINITE || dtype == FC_u8 || dtype == FC_i8; }

/* Row numbers, one for each query. */
static int64_t *own_rows(source *from, const fc_search *s) {
    int64_t *own = room_for(s->Q.rows, sizeof *own);
    for (size_t i = 0; i < s->Q.rows; i++) own[i] = (int64_t)up_to(from, s->X.rows - 1);
    return own;
}

void fuzz_neighbors(source *from) {
    const sets by = two_sets(from);
    const kind v = (kind)up_to(from, FINITE);
    const size_t rows = 1 + up_to(from, MOST_ROWS - 1), cols = 1 + up_to(from, MOST_COLS - 1);
    fc_search s = {.metric = (fc_metric)up_to(from, FC_METRIC_COUNT - 1), .refine_cost = 1};
    const size_t queries = 1 + up_to(from, MOST_QUERIES - 1);
    const int leaves_out = one_in(from, 4) && rows > 1, has_centre = one_in(from, 2), is_limited = one_in(from, 4);
    s.k = 1 + up_to(from, rows - 1 - (size_t)leaves_out);
    s.Q = matrix_of(from, (fc_dtype)up_to(from, FC_DTYPE_COUNT - 1), queries, cols, v);
    s.X = matrix_of(from, (fc_dtype)up_to(from, FC_DTYPE_COUNT - 1), rows, cols, v);
    if (leaves_out) s.own = own_rows(from, &s);
    float centre[MOST_COLS];
    expect(!has_centre || fc_centre(s.X, rows, centre) == FC_OK, "centre fails");
    if (has_centre) s.centre = centre;

    use(by.isa[0]);
    const answer expected = answer_of(&s);
    for (size_t i = 0; i < queries; i++) expect_order(&s, &expected, i);
    use(by.isa[1]);
    disturb(s.X.data, rows * cols * fc_dtype_size(s.X.dtype));
    const answer found = answer_of(&s);
    expect_same(found.all, expected.all, FC_f64, queries * rows, "pairwise by another instruction set");
    expect_same(found.distance, expected.distance, FC_f64, queries * s.k, "knn by another instruction set");
    expect(memcmp(found.index, expected.index, queries * s.k * sizeof *found.index) == 0, "rows by another set");
    if (is_integer(s.Q.dtype, v) && is_integer(s.X.dtype, v) && s.metric != FC_cosine) expect_plain(&s, &found);
    if (is_limited) expect_within_limit(from, s, &found);

    release_answer(found);
    release_answer(expected);
    release(s.own);
    release(s.Q.data);
    release(s.X.data);
}
