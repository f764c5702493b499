/* vote.c -- neighbours' labels to votes and winners. */
#include <stdlib.h>
#include <string.h>

#include "once.h"
#include "sizes.h"
#include "threads.h"

enum { ASKED_EVERY = 1 << 16, CHECKED_AT_ONCE = 1 << 20 }; /* neighbours, numbers between two looks at signals */

typedef struct {
    double *votes; /* come as 0 */
    fc_team *team;
    int thread;
} counter;

typedef struct ballots ballots;
struct ballots {
    const int64_t *label, *index;
    size_t n_labels, rows, k, n_classes;
    void (*count_row)(const ballots *b, size_t row, const counter *c);
    const double *weights;
    double *votes;
    int64_t *winner;
    const int64_t *prefix; /* of fc_vote_prefixes */
    size_t prefixes;
};

static size_t label_of(const ballots *b, size_t i) {
    const size_t at = b->index ? fc_within(FC_ONCE(b->index[i]), b->n_labels) : i;
    return fc_within(FC_ONCE(b->label[at]), b->n_classes);
}

/* Whether to give up, looked at now and then on the way through all neighbours. */
static int stopped_at(const counter *c, size_t i) { return i % ASKED_EVERY == 0 && fc_stopped(c->team, c->thread); }

/* Whether a class with so many votes comes before the winner so far, which has `most`; of equals the smaller does.  No
 * branch could foretell it.
 */
static int leads(size_t label, double votes, size_t winner, double most) {
    return (votes > most) | ((votes == most) & (label < winner));
}

static void count_all(const ballots *b, size_t row, const counter *c) {
    const size_t first = row * b->k, end = first + b->k;
    double *votes = c->votes;
    size_t winner = label_of(b, first);
    for (size_t i = first; i < end && !stopped_at(c, i); i++) votes[label_of(b, i)] += b->weights ? b->weights[i] : 1;
    for (size_t i = first; i < end && !stopped_at(c, i); i++) {
        const size_t label = label_of(b, i);
        winner = leads(label, votes[label], winner, votes[winner]) ? label : winner;
    }
    if (b->winner) b->winner[row] = (int64_t)winner;
    if (b->votes) memcpy(b->votes + row * b->n_classes, votes, b->n_classes * sizeof *votes);
}

/* Votes of one each: with each only the class that it is for may come to lead. */
static void count_prefixes(const ballots *b, size_t row, const counter *c) {
    size_t i = row * b->k, winner = label_of(b, i);
    double most = 0;
    for (size_t j = 0; j < b->prefixes; j++) {
        const size_t end = row * b->k + fc_smaller((size_t)FC_ONCE(b->prefix[j]), b->k);
        for (; i < end && !stopped_at(c, i); i++) {
            const size_t label = label_of(b, i);
            const double own = c->votes[label] += 1;
            const int is_first = leads(label, own, winner, most);
            winner = is_first ? label : winner;
            most = is_first ? own : most;
        }
        b->winner[j * b->rows + row] = (int64_t)winner;
    }
}

static void count_rows(void *job, fc_team *team, int thread) {
    const ballots *b = job;
    const counter c = {calloc(b->n_classes, sizeof *c.votes), team, thread};
    if (!c.votes) fc_stop(team, FC_NO_MEMORY);
    for (size_t row; fc_next_task(team, &row);) {
        b->count_row(b, row, &c);
        const size_t end = (row + 1) * b->k;
        for (size_t i = row * b->k; i < end && !stopped_at(&c, i); i++) c.votes[label_of(b, i)] = 0;
    }
    free(c.votes);
}

static fc_status check_below(const int64_t *values, size_t n, size_t bound, int (*poll)(void)) {
    for (size_t from = 0; from < n; from += CHECKED_AT_ONCE) {
        const size_t end = fc_smaller(from + CHECKED_AT_ONCE, n);
        int ok = 1;
        for (size_t i = from; i < end; i++) ok &= values[i] >= 0 && (size_t)values[i] < bound;
        if (!ok) return FC_BAD_ARGUMENT;
        if (poll && poll()) return FC_INTERRUPTED;
    }
    return FC_OK;
}

static int are_prefixes(const ballots *b) {
    int64_t least = 1;
    for (size_t j = 0; j < b->prefixes; j++) {
        if (b->prefix[j] < least || (uint64_t)b->prefix[j] > b->k) return 0;
        least = b->prefix[j];
    }
    return 1;
}

static fc_status run(ballots b, int (*poll)(void)) {
    size_t entries;
    if (b.k == 0 || b.n_classes == 0 || __builtin_mul_overflow(b.rows, b.k, &entries)) return FC_BAD_ARGUMENT;
    if (!are_prefixes(&b) || (!b.index && entries > b.n_labels)) return FC_BAD_ARGUMENT;
    fc_status status = check_below(b.label, b.n_labels, b.n_classes, poll);
    if (status == FC_OK && b.index) status = check_below(b.index, entries, b.n_labels, poll);
    return status == FC_OK ? fc_parallel((fc_run){1, poll}, b.rows, count_rows, &b) : status;
}

fc_status fc_vote(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k, size_t n_classes,
                  const double *weights, int (*poll)(void), double *votes, int64_t *winner) {
    const ballots b = {.label = label,
                       .index = index,
                       .n_labels = n_labels,
                       .rows = rows,
                       .k = k,
                       .n_classes = n_classes,
                       .count_row = count_all,
                       .weights = weights,
                       .votes = votes,
                       .winner = winner};
    return run(b, poll);
}

fc_status fc_vote_prefixes(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k,
                           size_t n_classes, const int64_t *prefix, size_t prefixes, int (*poll)(void),
                           int64_t *winner) {
    const ballots b = {.label = label,
                       .index = index,
                       .n_labels = n_labels,
                       .rows = rows,
                       .k = k,
                       .n_classes = n_classes,
                       .count_row = count_prefixes,
                       .winner = winner,
                       .prefix = prefix,
                       .prefixes = prefixes};
    return run(b, poll);
}
