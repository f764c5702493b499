/* tree_search.h -- a search by a tree: what all its queries share, and the order in which they are asked. */
#ifndef FASTCLF_TREE_SEARCH_H
#define FASTCLF_TREE_SEARCH_H

#include "refine.h"
#include "threads.h"
#include "tree.h"

enum { FC_TREE_QUERIES = 64 }; /* a task */

typedef struct {
    fc_pairs pairs;
    fc_tree tree;
    fc_tree_shape shape;
    fc_space space;
    fc_gap_kind kind;
    double stretch; /* > 1, of lengths, for the rounding of sums of gaps */
    size_t k, n_items, capacity;
    const int64_t *own;
    double patience;
    uint32_t *home, *turn; /* the leaf of each query, and the order in which queries are asked */
    uint8_t *given_up;
    double *distance;
    int64_t *index;
    double *leaves, *refined; /* by thread */
} fc_tree_job;

/* The query as a point of floats, beside room for it in float64; how far, as a length, these may be from it. */
double fc_tree_point(const fc_tree_job *s, size_t query, double *exact, float *point);

/* The gaps of a point from the boxes of a block, and how many boxes that has. */
size_t fc_tree_gaps(const fc_tree_job *s, int level, size_t block, const float *point, float *gaps);

/* Find each query's leaf, and put queries in the order of these: `home` and `turn` have room. */
fc_status fc_tree_order(fc_tree_job *s, fc_run run);

#endif
