/* shapes.h -- sizes that kernels and those who call them agree on. */
#ifndef FASTCLF_SHAPES_H
#define FASTCLF_SHAPES_H

#include <stddef.h>

/* Partial sums of a pair of float vectors: lane l holds the terms l, l + 16, l + 32, ... */
#define FC_LANES 16

/* Stretches of memory to bring into the cache while a tile computes: each as long as a vector's part. */
typedef struct {
    const char *at;
    size_t count, stride;
} fc_ahead;

enum { FC_AHEADS = 2 }; /* of X, and of the panels */

#define FC_LINE 64 /* bytes of a cache line */

/* The most bytes of cells that are written in one step: a vector of bytes, 16 bits each. */
#define FC_CELLS_STEP 128

enum {
    FC_MAX_LANES = 32,
    FC_ROW_BLOCK = 120, /* rows of X at a time: a multiple of every tile's */
};

/* Sums of products of bytes are kept in int32 up to this many features: 32 768 * 255^2 < 2^31. */
#define FC_U8_MAX_COLS 32768

#endif
