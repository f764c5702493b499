/* nearest.c -- classify points on two lines: an index that serves several searches, and votes. */
#include <fastclf_api.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 2000, FEATURES = 2, QUERIES = 3, K = 5 };

static void check(int status) {
    if (status == FASTCLF_OK) return;
    fprintf(stderr, "fastclf: %s\n", fastclf_error_string(status));
    exit(1);
}

int main(void) {
    static float X[ROWS][FEATURES];
    static int64_t y[ROWS];
    const float Q[QUERIES][FEATURES] = {{10, 1}, {500.25f, 9}, {3000, 4}};
    for (int i = 0; i < ROWS; i++) {
        y[i] = i % 2;
        X[i][0] = (float)(i / 2);
        X[i][1] = y[i] ? 10 : 0;
    }

    double distances[QUERIES][K];
    int64_t indices[QUERIES][K], winners[QUERIES];
    fastclf_index *index;
    check(fastclf_index_create(FASTCLF_l1, FASTCLF_f32, X, ROWS, FEATURES, FASTCLF_BORROW, 0, &index));
    check(fastclf_index_search(index, FASTCLF_f32, Q, QUERIES, K, 0, distances[0], indices[0]));
    check(fastclf_majority_vote(y, ROWS, indices[0], QUERIES, K, 2, NULL, NULL, winners));
    fastclf_index_free(index);

    for (int q = 0; q < QUERIES; q++)
        printf("class %d, nearest row %d at %.2f\n", (int)winners[q], (int)indices[q][0], distances[q][0]);
    return 0;
}
