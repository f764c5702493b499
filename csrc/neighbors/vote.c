/* vote.c -- neighbours' labels to votes and winners. */
#include <stdlib.h>
#include <string.h>

#include "core/once.h"
#include "core/sizes.h"
#include "core/threads.h"

enum {
    AT_ONCE = 1 << 12,     /* labels of a task's rows, or one row's */
    ASKED_EVERY = 1 << 16, /* neighbours of a long row between two looks at signals */
};

typedef struct ballots ballots;

/* A thread's scratch: labels of a task's rows, copied so that what is checked stays; votes, all 0 between two rows. */
typedef struct {
    size_t *label;
    double *votes;
    fc_team *team;
    int thread;
} counter;

struct ballots {
    const int64_t *label, *index;
    size_t n_labels, rows, k, n_classes;
    void (*count_row)(const ballots *b, size_t row, const size_t *label, const counter *c);
    const double *weights;
    double *votes;
    int64_t *winner;
    const int64_t *prefix; /* of fc_vote_prefixes */
    size_t prefixes;
};

/* Whether to give up before a stretch of a row.  Stretches end at multiples of ASKED_EVERY, or earlier; shorter rows do
 * not ask.
 */
static int stops(const counter *c, size_t from) {
    return from && from % ASKED_EVERY == 0 && fc_stopped(c->team, c->thread);
}
static size_t stretch_end(size_t from, size_t end) { return fc_smaller((from / ASKED_EVERY + 1) * ASKED_EVERY, end); }

/* Copy the labels of neighbours [first, first + n); 0 if one is not there, or no class. */
static int take(const ballots *b, size_t first, size_t n, size_t *label) {
    int ok = 1;
    if (!b->index) {
        memcpy(label, b->label + first, n * sizeof *label);
        for (size_t i = 0; i < n; i++) ok &= label[i] < b->n_classes;
        return ok;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t at = (size_t)FC_ONCE(b->index[first + i]);
        if (at >= b->n_labels) return 0;
        label[i] = (size_t)FC_ONCE(b->label[at]);
        ok &= label[i] < b->n_classes;
    }
    return ok;
}

/* Whether a class with `votes` comes before the winner so far, which has `most`; among equals, the smaller class does.
 * No branch, as none could be predicted.
 */
static int leads(size_t label, double votes, size_t winner, double most) {
    return (votes > most) | ((votes == most) & (label < winner));
}

static void count_all(const ballots *b, size_t row, const size_t *label, const counter *c) {
    const double *weights = b->weights ? b->weights + row * b->k : NULL;
    double *votes = c->votes;
    size_t winner = label[0];
    for (size_t i = 0; i < b->k && !stops(c, i);)
        for (const size_t end = stretch_end(i, b->k); i < end; i++) votes[label[i]] += weights ? weights[i] : 1;
    for (size_t i = 0; i < b->k && !stops(c, i);)
        for (const size_t end = stretch_end(i, b->k); i < end; i++)
            winner = leads(label[i], votes[label[i]], winner, votes[winner]) ? label[i] : winner;
    if (b->winner) b->winner[row] = (int64_t)winner;
    if (b->votes) memcpy(b->votes + row * b->n_classes, votes, b->n_classes * sizeof *votes);
}

/* Votes of one each: after each vote, only its own class may come to lead. */
static void count_prefixes(const ballots *b, size_t row, const size_t *label, const counter *c) {
    double *votes = c->votes, most = 0;
    size_t i = 0, winner = label[0];
    for (size_t j = 0; j < b->prefixes; j++) {
        const size_t prefix = fc_smaller((size_t)FC_ONCE(b->prefix[j]), b->k);
        while (i < prefix && !stops(c, i))
            for (const size_t end = stretch_end(i, prefix); i < end; i++) {
                const double own = votes[label[i]] += 1;
                const int is_first = leads(label[i], own, winner, most);
                winner = is_first ? label[i] : winner;
                most = is_first ? own : most;
            }
        b->winner[j * b->rows + row] = (int64_t)winner;
    }
}

static size_t rows_of_task(const ballots *b) { return b->k < AT_ONCE ? AT_ONCE / b->k : 1; }

static void count_task(const ballots *b, size_t task, const counter *c) {
    double *votes = c->votes;
    const size_t step = rows_of_task(b), first = task * step, end = fc_smaller(first + step, b->rows);
    if (!take(b, first * b->k, (end - first) * b->k, c->label)) {
        fc_stop(c->team, FC_BAD_ARGUMENT);
        return;
    }
    for (size_t row = first; row < end; row++) {
        const size_t *label = c->label + (row - first) * b->k;
        b->count_row(b, row, label, c);
        for (size_t i = 0; i < b->k; i++) votes[label[i]] = 0;
    }
}

static void count_rows(void *job, fc_team *team, int thread) {
    const ballots *b = job;
    const counter c = {malloc(rows_of_task(b) * b->k * sizeof *c.label), calloc(b->n_classes, sizeof *c.votes), team,
                       thread};
    if (!c.label || !c.votes) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; fc_next_task(team, &task) && !fc_stopped(team, thread);) count_task(b, task, &c);
    free(c.label);
    free(c.votes);
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
    const size_t step = rows_of_task(&b);
    if (b.rows == 0) return FC_OK;
    return fc_parallel((fc_run){1, poll}, (b.rows + step - 1) / step, count_rows, &b);
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
