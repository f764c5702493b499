/* vote.c -- neighbours' labels to votes and winners. */
#include <stdlib.h>
#include <string.h>

#include "fastclf.h"

typedef struct {
    const int64_t *label, *index;
    size_t k;
    const double *weights;
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

fc_status fc_vote(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k, size_t n_classes,
                  const double *weights, double *votes, int64_t *winner) {
    const ballots b = {label, index, k, weights};
    size_t entries;
    if (k == 0 || __builtin_mul_overflow(rows, k, &entries)) return FC_BAD_ARGUMENT;
    if (!all_below(label, n_labels, n_classes)) return FC_BAD_ARGUMENT;
    if (index ? !all_below(index, entries, n_labels) : entries > n_labels) return FC_BAD_ARGUMENT;
    double *row_votes = calloc(n_classes ? n_classes : 1, sizeof *row_votes);
    if (!row_votes) return FC_NO_MEMORY;
    for (size_t r = 0; r < rows; r++) {
        const size_t best = count_row(&b, r, row_votes);
        if (winner) winner[r] = (int64_t)best;
        if (votes) memcpy(votes + r * n_classes, row_votes, n_classes * sizeof *votes);
        for (size_t i = r * k; i < (r + 1) * k; i++) row_votes[label_of(&b, i)] = 0;
    }
    free(row_votes);
    return FC_OK;
}
