/* tree_item.h -- a row that may be among the nearest: the most that it may be away, as a length, in a float's bits, and
 * then its place in the tree.  Positive floats are in the order of their bits, and so are items.
 */
#ifndef FASTCLF_TREE_ITEM_H
#define FASTCLF_TREE_ITEM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t fc_item;

/* `most` is rounded up, by at most a part of 2^-22. */
static inline fc_item fc_item_of(double most, size_t place) {
    const float above = (float)(most * (1 + 0x1p-23));
    uint32_t bits;
    memcpy(&bits, &above, sizeof bits);
    return (fc_item)bits << 32 | (uint32_t)place;
}

static inline uint32_t fc_item_place(fc_item item) { return (uint32_t)item; }

static inline double fc_item_most(fc_item item) {
    const uint32_t bits = (uint32_t)(item >> 32);
    float most;
    memcpy(&most, &bits, sizeof most);
    return (double)most;
}

#endif
