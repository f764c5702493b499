/* block.h -- a block of queries against a segment of X's rows: one task of a search, on one thread. */
#ifndef FASTCLF_BLOCK_H
#define FASTCLF_BLOCK_H

#include "neighbors/filter.h"
#include "neighbors/product.h"
#include "neighbors/stage.h"

enum {
    FC_FIRST_ROWS = 24, /* few at first, as nothing can be pruned before there is a threshold */
    FC_SEED_EVERY = 8,  /* one in 8 blocks gives rows that set the first thresholds: */
    FC_MORE_SEEDS = 8,  /* the k + 8 that look nearest */
    FC_FRESH = 8,       /* with stages, thresholds are renewed when 1 + k / 8 nearer rows have been found */
};

/* What all blocks of a search share. */
typedef struct {
    fc_pairs pairs;
    fc_product product; /* of queries and rows, or of their sketches in the first stage */
    fc_filter filter;   /* of a search without stages */
    fc_stage_filter stages[FC_MAX_STAGES];
    size_t n_stages;
    fc_pairs along;                /* of queries and the centre that stages of products take from rows; or no metric */
    size_t k, capacity;            /* of fc_topk */
    const int64_t *own;            /* of fc_search */
    const double *limit;           /* of fc_search */
    double refine_cost, allowance; /* a query is given up when it costs more than its rows and the allowance */
    int scans;                     /* compare pair by pair, as few queries would leave most of a panel empty */
    int times;                     /* count the time of each stage */
} fc_block_plan;

_Static_assert((int)FC_FEW_BLOCK >= (int)FC_ROW_BLOCK, "terms of a block's rows");

/* One thread's scratch and, by query of its block, the nearest so far. */
typedef struct {
    fc_product_scratch product;
    uint32_t *survivors;
    double *differ; /* how the codes of the survivors differ */
    double *scratch;
    fc_topk top[FC_MAX_BLOCK];
    fc_sums q_sums[FC_MAX_BLOCK];
    fc_sum squares[FC_MAX_BLOCK]; /* fc_query_squares */
    double along[FC_MAX_BLOCK];   /* of fc_stage_limit */
    double B[FC_MAX_BLOCK],
        T[FC_MAX_BLOCK]; /* the pruning terms, float or double, for the thresholds in `pruned_for` */
    double pruned_for[FC_MAX_BLOCK];
    double A[FC_FEW_BLOCK], E[FC_FEW_BLOCK];
    float F[FC_FEW_BLOCK], R[FC_MAX_BLOCK];
    int32_t Iq[FC_MAX_BLOCK], Ix[FC_FEW_BLOCK];
    double spent[FC_MAX_BLOCK]; /* on survivors of the first stage, in plain comparisons */
    unsigned char is_costly[FC_MAX_BLOCK], given_up[FC_MAX_BLOCK];
    int costly; /* queries that cost more than is allowed */
    fc_stage_aim aim;
    fc_tally tally;
    double lap; /* the fc_now up to which time has been counted */
} fc_block;

/* Lay out a block's scratch in `memory`; with NULL, only count its bytes.  Returns how many bytes it takes. */
size_t fc_block_carve(const fc_block_plan *plan, fc_block *block, char *memory);

/* Find the rows of [row, end) nearest to queries [first, first + count): block->top, resolved and sorted, except for
 * the queries given up.  When the team stops, it returns at once and block->top has no answer.
 */
void fc_block_search(const fc_block_plan *plan, fc_block *block, size_t first, size_t count, size_t row, size_t end);

#endif
