/* block.h -- a block of queries against a segment of X's rows: one task of a search, on one thread. */
#ifndef FASTCLF_BLOCK_H
#define FASTCLF_BLOCK_H

#include "filter.h"
#include "product.h"
#include "stage.h"

enum {
    FC_FIRST_ROWS = 24, /* few at first, as nothing can be dropped before there is a limit */
    FC_SEED_EVERY = 8,  /* limits to begin with are set by rows of one in so many blocks, */
    FC_MORE_SEEDS = 8,  /* k and so many that look nearest */
    FC_FRESH = 8,       /* with stages, limits are renewed when 1 + k / 8 nearer rows have been found */
};

/* What all blocks of a search share. */
typedef struct {
    fc_pairs pairs;
    fc_product product; /* of queries and rows, or of their sketches in the first stage */
    fc_filter filter;   /* of a search without stages */
    fc_stage_filter stages[FC_MAX_STAGES];
    size_t n_stages;
    size_t k, capacity;            /* of fc_topk */
    const int64_t *own;            /* of fc_search */
    double refine_cost, allowance; /* a query is given up when it costs more than its rows and this */
    int scans;                     /* compare pair by pair: a few queries would leave most of a panel empty */
    int times;                     /* count the time of each stage */
} fc_block_plan;

/* One thread's scratch and, by query of its block, the nearest so far. */
typedef struct {
    fc_product_room product;
    uint32_t *passed;
    double *differ; /* how the codes of pairs that have passed differ */
    double *room;
    fc_topk top[FC_MAX_BLOCK];
    fc_sums q_sums[FC_MAX_BLOCK];
    fc_sum squares[FC_MAX_BLOCK];            /* fc_query_squares */
    double B[FC_MAX_BLOCK], T[FC_MAX_BLOCK]; /* the sieve's terms, float or double, for limits as of `sieved` */
    double sieved[FC_MAX_BLOCK];
    double A[FC_ROW_BLOCK], E[FC_ROW_BLOCK];
    float F[FC_ROW_BLOCK], R[FC_MAX_BLOCK];
    int32_t Iq[FC_MAX_BLOCK], Ix[FC_ROW_BLOCK];
    double spent[FC_MAX_BLOCK]; /* on survivors of the first stage, in plain comparisons */
    unsigned char is_costly[FC_MAX_BLOCK], given_up[FC_MAX_BLOCK];
    int costly; /* queries that cost more than is allowed */
    fc_stage_aim aim;
    fc_tally tally;
    double lap; /* fc_now, up to which time is counted */
} fc_block;

/* Lay a block's scratch out in `memory`, or with NULL only say how many bytes it takes. */
size_t fc_block_carve(const fc_block_plan *plan, fc_block *block, char *memory);

/* Find the nearest rows among [row, end) of queries [first, first + count): block->top, settled and sorted, except for
 * the queries given up.  Returns at once, with nothing settled, when the team stops.
 */
void fc_block_search(const fc_block_plan *plan, fc_block *block, size_t first, size_t count, size_t row, size_t end);

#endif
