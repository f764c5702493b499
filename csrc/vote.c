/* vote.c -- neighbours' labels to votes and winners. */
#include <stdlib.h>
#include <string.h>

#include "threads.h"

typedef struct {
    const int64_t *label, *index;
    size_t rows, k, n_classes;
    const double *weights;
    double *votes;
    int64_t *winner;
} ballots;

static size_t label_of(const ballots *b, size_t i) { return (size_t)b->label[b->index ? (size_t)b->index[i] : i]; }

static int all_below(const int64_t *values, size_t n, size_t bound) {
    int ok = 1;
    for (size_t i = 0; i < n; i++) ok &= values[i] >= 0 && (size_t)values[i] < bound;
    return ok;
}

/* Count row `row` into `votes`; the class with the most, the smallest among equals. */
static size_t count_row(const ballots *b, size_t row, double *votes) {
    size_t winner = SIZE_MAX;
    for (size_t i = row * b->k; i < (row + 1) * b->k; i++) votes[label_of(b, i)] += b->weights ? b->weights[i] : 1;
    for (size_t i = row * b->k; i < (row + 1) * b->k; i++) {
        const size_t c = label_of(b, i);
        if (winner == SIZE_MAX || votes[c] > votes[winner] || (votes[c] == votes[winner] && c < winner)) winner = c;
    }
    return winner;
}

static void count(void *job, fc_team *team, int thread) {
    const ballots *b = job;
    double *votes = calloc(b->n_classes, sizeof *votes);
    (void)thread;
    if (!votes) fc_stop(team, FC_NO_MEMORY);
    for (size_t row; fc_next_task(team, &row);) {
        const size_t best = count_row(b, row, votes);
        if (b->winner) b->winner[row] = (int64_t)best;
        if (b->votes) memcpy(b->votes + row * b->n_classes, votes, b->n_classes * sizeof *votes);
        for (size_t i = row * b->k; i < (row + 1) * b->k; i++) votes[label_of(b, i)] = 0;
    }
    free(votes);
}

fc_status fc_vote(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k, size_t n_classes,
                  const double *weights, double *votes, int64_t *winner) {
    ballots b = {label, index, rows, k, n_classes, weights, votes, winner};
    size_t entries;
    if (k == 0 || n_classes == 0 || __builtin_mul_overflow(rows, k, &entries)) return FC_BAD_ARGUMENT;
    if (!all_below(label, n_labels, n_classes)) return FC_BAD_ARGUMENT;
    if (index ? !all_below(index, entries, n_labels) : entries > n_labels) return FC_BAD_ARGUMENT;
    return fc_parallel((fc_run){1, NULL}, rows, count, &b);
}
