/* votes.c -- votes of labels that may be no classes, by weights that may be no weights: as plain counting has it. */
#include <math.h>
#include <string.h>

#include "fastclf_api.h"
#include "fuzz.h"

enum { MOST_VOTERS = 20, MOST_NEIGHBOURS = 9, MOST_CLASSES = 12, MOST_LABELS = 30 };

/* Row numbers or classes below `end`; one in some is not. */
static int64_t *numbers(source *s, size_t count, size_t end) {
    static const int64_t odd[] = {-1, INT64_MIN, INT64_MAX, 1 << 30};
    const int has_odd = one_in(s, 8);
    int64_t *all = room_for(count, sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = has_odd && one_in(s, 32) ? odd[up_to(s, 3)] : (int64_t)up_to(s, end - 1);
    return input_of(all, count * sizeof *all);
}

typedef struct {
    const int64_t *label, *index;
    size_t labels, rows, k, classes;
    const double *weight;
    double *votes;
    int64_t *winner;
} ballot;

/* The label of neighbour j of row i; -1 if it has none that is a class. */
static int64_t label_of(const ballot *b, size_t i, size_t j) {
    const int64_t at = b->index ? b->index[i * b->k + j] : (int64_t)(i * b->k + j);
    if (at < 0 || (size_t)at >= b->labels) return -1;
    return b->label[at] < 0 || (size_t)b->label[at] >= b->classes ? -1 : b->label[at];
}

static int weights_fit(const ballot *b) {
    for (size_t i = 0; b->weight && i < b->rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < b->k; j++) {
            if (!(b->weight[i * b->k + j] >= 0)) return 0;
            sum += b->weight[i * b->k + j];
        }
        if (isinf(sum)) return 0;
    }
    return 1;
}

static int plain_votes(const ballot *b) {
    if (!weights_fit(b)) return FASTCLF_BAD_WEIGHT;
    memset(b->votes, 0, b->rows * b->classes * sizeof *b->votes);
    for (size_t i = 0; i < b->rows; i++) {
        double *votes = b->votes + i * b->classes;
        int64_t winner = -1;
        for (size_t j = 0; j < b->k; j++) {
            const int64_t label = label_of(b, i, j);
            if (label < 0) return FASTCLF_BAD_LABEL;
            votes[label] += b->weight ? b->weight[i * b->k + j] : 1;
        }
        for (size_t j = 0; j < b->k; j++) {
            const int64_t label = label_of(b, i, j);
            const int leads = winner < 0 || votes[label] > votes[winner];
            if (leads || (votes[label] == votes[winner] && label < winner)) winner = label;
        }
        b->winner[i] = winner;
    }
    return FASTCLF_OK;
}

void fuzz_votes(source *s) {
    const size_t rows = up_to(s, MOST_VOTERS), k = 1 + up_to(s, MOST_NEIGHBOURS - 1);
    const size_t classes = 1 + up_to(s, MOST_CLASSES - 1), by_index = up_to(s, 1);
    ballot b = {.rows = rows, .k = k, .classes = classes};
    b.labels = by_index ? 1 + up_to(s, MOST_LABELS - 1) : rows * k;
    b.label = numbers(s, b.labels, classes);
    if (by_index) b.index = numbers(s, rows * k, b.labels);
    if (one_in(s, 2)) b.weight = array_of(s, FC_f64, rows * k, (kind)up_to(s, ANY));
    b.votes = room_for(rows * classes, sizeof *b.votes);
    b.winner = room_for(rows, sizeof *b.winner);
    double *votes = room_for(rows * classes, sizeof *votes);
    int64_t *winner = room_for(rows, sizeof *winner);

    const int status = fastclf_majority_vote(b.label, (int64_t)b.labels, b.index, (int64_t)rows, (int64_t)k,
                                             (int64_t)classes, b.weight, votes, winner);
    disturb(b.label, b.labels * sizeof *b.label);
    expect(status == plain_votes(&b), "another status than plain counting");
    if (status == FASTCLF_OK) {
        expect_same(votes, b.votes, FC_f64, rows * classes, "votes");
        expect(memcmp(winner, b.winner, rows * sizeof *winner) == 0, "winners");
    }
    release(votes);
    release(winner);
    release(b.label);
    release(b.index);
    release(b.weight);
    release(b.votes);
    release(b.winner);
}
