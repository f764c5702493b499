/* vote.c -- neighbours' labels to votes and winners. */
#include <stdlib.h>
#include <string.h>

#include "threads.h"

typedef struct ballots ballots;
struct ballots {
    const int64_t *label, *index;
    size_t rows, k, n_classes;
    void (*count_row)(const ballots *b, size_t row, double *votes); /* votes come as 0 */
    const double *weights;
    double *votes;
    int64_t *winner;
    const int64_t *prefix; /* of fc_vote_prefixes */
    size_t prefixes;
};

static size_t label_of(const ballots *b, size_t i) { return (size_t)b->label[b->index ? (size_t)b->index[i] : i]; }

/* Whether a class with so many votes comes before the winner so far, which has `most`; of equals the smaller does.  No
 * branch could foretell it.
 */
static int leads(size_t label, double votes, size_t winner, double most) {
    return (votes > most) | ((votes == most) & (label < winner));
}

static void count_all(const ballots *b, size_t row, double *votes) {
    const size_t first = row * b->k, end = first + b->k;
    size_t winner = label_of(b, first);
    for (size_t i = first; i < end; i++) votes[label_of(b, i)] += b->weights ? b->weights[i] : 1;
    for (size_t i = first; i < end; i++) {
        const size_t label = label_of(b, i);
        winner = leads(label, votes[label], winner, votes[winner]) ? label : winner;
    }
    if (b->winner) b->winner[row] = (int64_t)winner;
    if (b->votes) memcpy(b->votes + row * b->n_classes, votes, b->n_classes * sizeof *votes);
}

/* Votes of one each: with each only the class that it is for may come to lead. */
static void count_prefixes(const ballots *b, size_t row, double *votes) {
    size_t i = row * b->k, winner = label_of(b, i);
    double most = 0;
    for (size_t j = 0; j < b->prefixes; j++) {
        for (; i < row * b->k + (size_t)b->prefix[j]; i++) {
            const size_t label = label_of(b, i);
            const double own = votes[label] += 1;
            const int is_first = leads(label, own, winner, most);
            winner = is_first ? label : winner;
            most = is_first ? own : most;
        }
        b->winner[j * b->rows + row] = (int64_t)winner;
    }
}

static void count_rows(void *job, fc_team *team, int thread) {
    const ballots *b = job;
    double *votes = calloc(b->n_classes, sizeof *votes);
    (void)thread;
    if (!votes) fc_stop(team, FC_NO_MEMORY);
    for (size_t row; fc_next_task(team, &row);) {
        b->count_row(b, row, votes);
        for (size_t i = row * b->k; i < (row + 1) * b->k; i++) votes[label_of(b, i)] = 0;
    }
    free(votes);
}

static int all_below(const int64_t *values, size_t n, size_t bound) {
    int ok = 1;
    for (size_t i = 0; i < n; i++) ok &= values[i] >= 0 && (size_t)values[i] < bound;
    return ok;
}

static int are_prefixes(const ballots *b) {
    int64_t least = 1;
    for (size_t j = 0; j < b->prefixes; j++) {
        if (b->prefix[j] < least || (uint64_t)b->prefix[j] > b->k) return 0;
        least = b->prefix[j];
    }
    return 1;
}

static fc_status run(ballots b, size_t n_labels) {
    size_t entries;
    if (b.k == 0 || b.n_classes == 0 || __builtin_mul_overflow(b.rows, b.k, &entries)) return FC_BAD_ARGUMENT;
    if (!are_prefixes(&b) || !all_below(b.label, n_labels, b.n_classes)) return FC_BAD_ARGUMENT;
    if (b.index ? !all_below(b.index, entries, n_labels) : entries > n_labels) return FC_BAD_ARGUMENT;
    return fc_parallel((fc_run){1, NULL}, b.rows, count_rows, &b);
}

fc_status fc_vote(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k, size_t n_classes,
                  const double *weights, double *votes, int64_t *winner) {
    const ballots b = {label, index, rows, k, n_classes, count_all, weights, votes, winner, NULL, 0};
    return run(b, n_labels);
}

fc_status fc_vote_prefixes(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k,
                           size_t n_classes, const int64_t *prefix, size_t prefixes, int64_t *winner) {
    const ballots b = {label, index, rows, k, n_classes, count_prefixes, NULL, NULL, winner, prefix, prefixes};
    return run(b, n_labels);
}
