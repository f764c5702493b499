/* stages.c -- searches in stages, by sketches of drawn kinds: of queries that are not given up, what the plain search
 * finds, by two instruction sets.
 */
#include <math.h>
#include <string.h>

#include "searches.h"
#include "core/matrix.h"

enum { MOST_QUERIES = 6, MOST_ROWS = 60, MOST_COLS = 40, MOST_LEVELS = 3 };

/* What a sketcher points into. */
typedef struct {
    fc_sketcher how;
    int is_finer; /* queries have a second level of the same numbers */
    float *directions, *weight;
    int64_t *feature, *start;
    double *offset;
} sketching;

/* Features in a drawn order. */
static int64_t *permuted(source *from, size_t cols) {
    int64_t *all = room_for(cols, sizeof *all);
    for (size_t i = 0; i < cols; i++) {
        const size_t at = up_to(from, i);
        all[i] = all[at];
        all[at] = (int64_t)i;
    }
    return all;
}

/* Groups of features, whose weights are as long as the norm allows; of products single features. */
static void sketch_groups(source *from, sketching *s, const fc_metric_traits *m, size_t cols) {
    const int is_square = strcmp(m->norm, "L2") == 0;
    size_t groups = 0, at = 0;
    s->weight = room_for(cols, sizeof *s->weight);
    s->start = room_for(cols + 1, sizeof *s->start);
    for (s->start[0] = 0; at < cols && (groups == 0 || m->is_product || !one_in(from, 16)); groups++) {
        size_t count = 1 + (m->is_product ? 0 : up_to(from, 3));
        if (count > cols - at) count = cols - at;
        for (size_t i = at; i < at + count; i++)
            s->weight[i] = (is_square && count > 1 ? 0.5f : 1) * (one_in(from, 2) ? 1.0f : -1.0f);
        s->start[groups + 1] = (int64_t)(at += count);
    }
    for (size_t i = 0; i < groups; i++) s->offset[i] = m->is_product ? 0 : (double)up_to(from, 7) - 3;
    s->is_finer = is_square && !m->is_product && one_in(from, 2);
    s->how.levels = 1;
    s->how.cols[0] = groups;
    s->how.step = (float)(1 + up_to(from, 7)) / 4;
    s->how.feature = s->feature;
    s->how.start = s->start;
    s->how.weight = s->weight;
}

/* Of each feature a unit vector, or four vectors of Hadamard's matrix of 4, divided by 2: orthonormal, and exact. */
static void sketch_directions(source *from, sketching *s, const fc_metric_traits *m, size_t cols) {
    const size_t count = 1 + up_to(from, cols - 1), mixed = one_in(from, 2) ? count / 4 * 4 : 0;
    s->directions = room_for(count * cols, sizeof(float));
    memset(s->directions, 0, count * cols * sizeof(float));
    for (size_t r = 0; r < count; r++)
        for (size_t j = 0; j < (r < mixed ? 4 : 1); j++) {
            const size_t row = r % 4, feature = (size_t)s->feature[r < mixed ? r / 4 * 4 + j : r];
            const int is_minus = (row & j) != 0 && (row & j) != 3;
            s->directions[r * cols + feature] = r >= mixed ? 1 : is_minus ? -0.5f : 0.5f;
        }
    size_t left = count;
    for (size_t l = 0; left && l < MOST_LEVELS; l++, s->how.levels++) {
        s->how.cols[l] = l == MOST_LEVELS - 1 ? left : 1 + up_to(from, left - 1);
        left -= s->how.cols[l];
    }
    for (size_t i = 0; i < count; i++) s->offset[i] = m->is_product ? 0 : (double)up_to(from, 7) - 3;
    s->how.directions = s->directions;
    s->how.residual = m->is_product || one_in(from, 2);
}

static sketching sketching_of(source *from, const fc_metric_traits *m, size_t cols) {
    sketching s = {.feature = permuted(from, cols), .offset = room_for(cols, sizeof(double))};
    if (strcmp(m->norm, "L2") == 0 && one_in(from, 2))
        sketch_directions(from, &s, m, cols);
    else
        sketch_groups(from, &s, m, cols);
    s.how.offset = s.offset;
    return s;
}

static void release_sketching(const sketching *s) {
    release(s->directions);
    release(s->weight);
    release(s->feature);
    release(s->start);
    release(s->offset);
}

typedef struct {
    uint8_t *codes[FC_MAX_STAGES];
    fc_sketch_terms *terms[FC_MAX_STAGES];
} sketches;

static sketches sketches_of(fc_metric metric, const sketching *by, fc_matrix M, const float *centre, int is_finer) {
    sketches s = {0};
    fc_sketcher how = by->how;
    if (is_finer) how.cols[how.levels++] = how.cols[0];
    for (size_t i = 0; i < how.levels; i++) {
        s.codes[i] = room_for(M.rows * how.cols[i], 1);
        s.terms[i] = room_for(M.rows, sizeof(fc_sketch_terms));
    }
    expect(fc_sketch_rows(metric, &how, M, centre, alone, s.codes, s.terms) == FC_OK, "sketching fails");
    return s;
}

static void release_sketches(const sketches *s) {
    for (size_t i = 0; i < FC_MAX_STAGES; i++) {
        release(s->codes[i]);
        release(s->terms[i]);
    }
}

static fc_sketch level_of(const sketches *s, const sketching *by, size_t level, size_t rows) {
    return (fc_sketch){{s->codes[level], rows, by->how.cols[by->is_finer ? 0 : level], FC_u8}, s->terms[level]};
}

static void expect_by_stages(source *from, fc_search s, const sketching *by, int is_product, nearest expected) {
    const sketches q = sketches_of(s.metric, by, s.Q, is_product ? NULL : s.centre, by->is_finer);
    const sketches x = sketches_of(s.metric, by, s.X, s.centre, 0);
    fc_stage stages[FC_MAX_STAGES];
    fc_tally tally;
    s.n_stages = by->how.levels + (size_t)by->is_finer;
    for (size_t i = 0; i < s.n_stages; i++) {
        const size_t of_x = by->is_finer ? 0 : i;
        stages[i] = (fc_stage){.Q = level_of(&q, by, i, s.Q.rows),
                               .X = level_of(&x, by, of_x, s.X.rows),
                               .adds = i == 0         ? FC_ADDS_NOTHING
                                       : by->is_finer ? FC_ADDS_FINER
                                                      : FC_ADDS_NUMBERS,
                               .unit = (double)x.terms[of_x][0].step,
                               .young_weight = (double)(1 + up_to(from, 3)) / 4,
                               .cost = 0.01};
        for (size_t row = 0; row < s.X.rows; row++) tighten(&x.terms[of_x][row].error);
    }
    s.stages = stages;
    s.refine_cost = one_in(from, 4) ? 30 : 0;
    s.tally = one_in(from, 2) ? &tally : NULL;
    s.given_up = room_for(s.Q.rows, 1);
    const nearest found = nearest_of(&s);
    expect_same_nearest(&s, found, expected, s.given_up, s.limit, "stages find other rows");
    for (size_t i = 0; i < s.Q.rows && s.refine_cost == 0; i++)
        expect(!s.given_up[i], "a query is given up at no cost");
    release(s.given_up);
    release_nearest(found);
    release_sketches(&q);
    release_sketches(&x);
}

void fuzz_stages(source *from) {
    const sets by = two_sets(from);
    const kind v = (kind)up_to(from, FINITE);
    const size_t queries = 1 + up_to(from, MOST_QUERIES - 1), rows = 1 + up_to(from, MOST_ROWS - 1);
    fc_search s = search_of(from, v, queries, rows, cols_of(from, v, MOST_COLS));
    fc_metric_traits traits;
    expect(fc_metric_traits_of(s.metric, &traits) == FC_OK, "a metric has no traits");
    if (!traits.has_sketches) {
        s.metric = FC_l1;
        expect(fc_metric_traits_of(s.metric, &traits) == FC_OK, "a metric has no traits");
    }
    const sketching how = sketching_of(from, &traits, s.X.cols);

    use(by.isa[0]);
    const nearest expected = nearest_of(&s);
    expect_by_stages(from, s, &how, traits.is_product, expected);
    use(by.isa[1]);
    disturb(s.X.data, rows * s.X.cols * fc_dtype_size(s.X.dtype));
    double *limit = one_in(from, 4) ? limits_of(from, &s, expected) : NULL;
    s.limit = limit;
    expect_by_stages(from, s, &how, traits.is_product, expected);

    release(limit);
    release_nearest(expected);
    release_sketching(&how);
    release_search(&s);
}
