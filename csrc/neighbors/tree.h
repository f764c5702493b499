/* tree.h -- rows in a hierarchy of boxes: leaves of FC_LEAF_ROWS rows, and nodes of FC_TREE_BOXES leaves or nodes.
 *
 * All leaves but the last are full, and so are all nodes of a level but the last: the number of rows tells where
 * everything is.  Level 0 holds the leaves' boxes, FC_TREE_BOXES of them in a block: for each feature the lower bounds
 * and then the upper ones.  The last level is one block.
 */
#ifndef FASTCLF_TREE_H
#define FASTCLF_TREE_H

#include "neighbors/points.h"
#include "core/sizes.h"

enum { FC_TREE_LEVELS = 8 }; /* 2^32 rows have seven */

typedef struct {
    size_t rows, leaves;
    int levels;
    size_t boxes[FC_TREE_LEVELS], first_block[FC_TREE_LEVELS], blocks;
} fc_tree_shape;

fc_tree_shape fc_tree_shape_of(size_t rows);

/* A leaf in the array of leaves holds, in this order: how far, as a length, its rows may be from what their codes say;
 * by feature, the lower ends of the codes' ranges, and their steps; the codes.
 */
static inline size_t fc_leaf_floats(size_t cols) { return 1 + cols * (2 + FC_LEAF_ROWS / sizeof(float)); }
static inline fc_leaf fc_leaf_at(const float *leaf, size_t cols) {
    return (fc_leaf){leaf + 1, leaf + 1 + cols, (const uint8_t *)(leaf + 1 + 2 * cols)};
}
static inline size_t fc_leaf_count(const fc_tree_shape *t, size_t leaf) {
    return fc_smaller(FC_LEAF_ROWS, t->rows - leaf * FC_LEAF_ROWS);
}

static inline size_t fc_block_floats(size_t cols) { return 2 * FC_TREE_BOXES * cols; }

#endif
