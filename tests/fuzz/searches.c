#include "searches.h"

#include <math.h>
#include <string.h>

size_t cols_of(source *from, kind v, size_t most) {
    enum { FEWER = 8 };
    return 1 + up_to(from, (v == FINITE && !one_in(from, 8) ? FEWER : most) - 1);
}

fc_search search_of(source *from, kind v, size_t queries, size_t rows, size_t cols) {
    fc_search s = {.metric = (fc_metric)up_to(from, FC_METRIC_COUNT - 1), .refine_cost = 1};
    const int leaves_out = one_in(from, 4) && rows > 1, has_centre = one_in(from, 2);
    const size_t most = rows - (size_t)leaves_out;
    s.k = 1 + up_to(from, (most < 24 ? most : 24) - 1);
    s.Q = matrix_of(from, (fc_dtype)up_to(from, FC_DTYPE_COUNT - 1), queries, cols, v);
    s.X = matrix_of(from, (fc_dtype)up_to(from, FC_DTYPE_COUNT - 1), rows, cols, v);
    if (leaves_out) {
        int64_t *own = room_for(queries, sizeof *own);
        for (size_t i = 0; i < queries; i++) own[i] = (int64_t)up_to(from, (rows < 256 ? rows : 256) - 1);
        s.own = input_of(own, queries * sizeof *own);
    }
    if (has_centre) {
        float *centre = room_for(cols, sizeof *centre);
        expect(fc_centre(s.X, rows, centre) == FC_OK, "centre fails");
        s.centre = input_of(centre, cols * sizeof *centre);
    }
    return s;
}

void release_search(const fc_search *s) {
    release(s->Q.data);
    release(s->X.data);
    release(s->own);
    release(s->centre);
}

int has_integers(const fc_search *s, kind v) { return v != FINITE || (s->Q.dtype <= FC_i8 && s->X.dtype <= FC_i8); }

int is_nearer(const fc_search *s, double a, double b) { return s->metric == FC_inner_product ? a > b : a < b; }

nearest room_for_nearest(const fc_search *s) {
    const size_t places = s->Q.rows * s->k;
    return (nearest){room_for(places, sizeof(double)), room_for(places, sizeof(int64_t))};
}

nearest nearest_of(const fc_search *s) {
    const nearest a = room_for_nearest(s);
    expect(fc_knn(s, alone, a.distance, a.index) == FC_OK, "knn fails");
    return a;
}

void release_nearest(nearest a) {
    release(a.distance);
    release(a.index);
}

double *limits_of(source *from, const fc_search *s, nearest expected) {
    double *limit = room_for(s->Q.rows, sizeof *limit);
    for (size_t i = 0; i < s->Q.rows; i++)
        limit[i] = one_in(from, 4) ? NAN : one_in(from, 8) ? 0 : expected.distance[i * s->k + up_to(from, s->k - 1)];
    return input_of(limit, s->Q.rows * sizeof *limit);
}

void expect_same_nearest(const fc_search *s, nearest found, nearest expected, const uint8_t *given_up,
                         const double *limit, const char *what) {
    for (size_t i = 0; i < s->Q.rows * s->k; i++) {
        const size_t query = i / s->k;
        if ((given_up && given_up[query]) || (limit && is_nearer(s, limit[query], expected.distance[i]))) continue;
        expect(memcmp(&found.distance[i], &expected.distance[i], sizeof(double)) == 0 &&
                   found.index[i] == expected.index[i],
               what);
    }
}
