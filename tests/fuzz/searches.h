/* searches.h -- what targets of searches share: drawn searches, and answers that have to be the same. */
#ifndef FASTCLF_FUZZ_SEARCHES_H
#define FASTCLF_FUZZ_SEARCHES_H

#include "fuzz.h"

static const fc_run alone = {.n_threads = 1};

/* How many features rows have.  Values that may leave a type's range are summed exactly, which takes many times as
 * long: they have few.
 */
size_t cols_of(source *from, kind v, size_t most);

/* A search of rows whose values are of one kind: by any metric, perhaps less a centre, perhaps with own rows. */
fc_search search_of(source *from, kind v, size_t queries, size_t rows, size_t cols);
void release_search(const fc_search *s);

/* Whether all values are integers, of which sums are exact. */
int has_integers(const fc_search *s, kind v);

/* Whether a distance is nearer than another one; of products the larger is. */
int is_nearer(const fc_search *s, double a, double b);

typedef struct {
    double *distance;
    int64_t *index;
} nearest;

nearest room_for_nearest(const fc_search *s);
nearest nearest_of(const fc_search *s);
void release_nearest(nearest a);

/* For each query one of the expected distances, 0 or NaN. */
double *limits_of(source *from, const fc_search *s, nearest expected);

/* Queries that are given up have no answer; rows beyond a limit need not be found.  Both may be NULL. */
void expect_same_nearest(const fc_search *s, nearest found, nearest expected, const uint8_t *given_up,
                         const double *limit, const char *what);

#endif
