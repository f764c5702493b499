/* block.h -- a block of queries against a segment of X's rows: one task of a search, on one thread. */
#ifndef FASTCLF_BLOCK_H
#define FASTCLF_BLOCK_H

#include "filter.h"

enum {
    FC_MAX_BLOCK = 256, /* queries in a block */
    FC_FIRST_ROWS = 24, /* few at first, as nothing can be dropped before there is a limit */
};

/* What all blocks of a search share. */
typedef struct {
    fc_pairs pairs;
    fc_filter filter;
    size_t k;
    int skip_self;
    int scans;        /* compare pair by pair: a few queries would leave most of a panel empty */
    size_t block;     /* queries in a block, at most */
    size_t pack_cols; /* features of the queries packed at a time */
} fc_block_plan;

/* One thread's scratch and, by query of its block, the nearest so far. */
typedef struct {
    char *panels, *cells, *acc;
    uint32_t *passed;
    double *room;
    fc_topk top[FC_MAX_BLOCK];
    fc_sums q_sums[FC_MAX_BLOCK], x_sums[FC_ROW_BLOCK];
    double squares[FC_MAX_BLOCK];            /* fc_query_squares */
    double B[FC_MAX_BLOCK], T[FC_MAX_BLOCK]; /* the sieve's terms, float or double, for limits as of `sieved` */
    double sieved[FC_MAX_BLOCK];
    double A[FC_ROW_BLOCK], E[FC_ROW_BLOCK];
    int32_t Iq[FC_MAX_BLOCK], Ix[FC_ROW_BLOCK];
    size_t packed_from, packed_cols; /* which features the panels hold */
    fc_team *team;
    int thread;
} fc_block;

/* Lay a block's scratch out in `memory`, or with NULL only say how many bytes it takes. */
size_t fc_block_carve(const fc_block_plan *plan, fc_block *block, char *memory);

/* Find the nearest rows among [row, end) of queries [first, first + count): block->top, settled and sorted.
 * Returns at once, with nothing settled, when the team stops.
 */
void fc_block_search(const fc_block_plan *plan, fc_block *block, size_t first, size_t count, size_t row, size_t end);

#endif
