/* sizes.h -- arithmetic of sizes. */
#ifndef FASTCLF_SIZES_H
#define FASTCLF_SIZES_H

#include <stddef.h>

static inline size_t fc_smaller(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t fc_round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

#endif
