/* tree_search.h -- a search by a tree: what all its queries share, and the order in which they are asked. */
#ifndef FASTCLF_TREE_SEARCH_H
#define FASTCLF_TREE_SEARCH_H

#include "neighbors/refine.h"
#include "core/threads.h"
#include "neighbors/tree.h"

typedef struct {
    fc_pairs pairs;
    fc_tree tree;
    fc_tree_shape shape;
    fc_space space;
    fc_gap_kind kind;
    size_t share;           /* queries of a task */
    double stretch, shrink; /* > 1, of lengths, for the rounding of sums of gaps; and no more than 1 / stretch */
    size_t k, n_items, capacity;
    const int64_t *own;
    const double *limit;
    double patience;
    uint32_t *home, *turn; /* the leaf of each query, and the order in which queries are asked */
    uint8_t *given_up;
    double *distance;
    int64_t *index;
    double *leaves, *refined; /* by thread */
} fc_tree_job;

/* Write a query as a point of floats; `exact` is scratch for it in float64.  Returns how far, as a length, the floats
 * may be from the query.
 */
double fc_tree_point(const fc_tree_job *s, size_t query, double *exact, float *point);

/* Find a point's gaps from the boxes of a block, and list the boxes with no more than `most`.  Returns how many: those
 * that a block lacks may be listed last.
 */
size_t fc_tree_gaps(const fc_tree_job *s, int level, size_t block, const float *point, float most, float *gaps,
                    uint32_t *near);
size_t fc_tree_count(const fc_tree_job *s, int level, size_t block);

/* Find each query's leaf, and put the queries in the order of their leaves: `home` and `turn` have space. */
fc_status fc_tree_order(fc_tree_job *s, fc_run run);

#endif
