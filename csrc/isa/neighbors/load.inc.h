/* load.inc.h -- bring one vector's features into a tile's cells, and sum what the filter needs to know of them.
 *
 * A tile that multiplies needs sum v^2, and sum v of bytes; one that takes minima needs sum v and sum |v|. The last,
 * partial vector is padded with zeros, which every tile ignores.  `out` is written in whole vectors, so its space is a
 * multiple of FC_CELLS_STEP.
 */
#ifndef FASTCLF_ISA_LOAD
#define FASTCLF_ISA_LOAD

#include "isa/isa.h"

#define FC_TEMPLATE "isa/neighbors/load_float.inc.h"
#include "isa/each_float.inc.h"

enum { U8_STEP = FC_VBYTES };

static inline int64_t total_i32(v_i32 v) {
    int32_t lanes[F32_LANES];
    int64_t t = 0;
    memcpy(lanes, &v, sizeof v);
    for (int l = 0; l < F32_LANES; l++) t += lanes[l];
    return t;
}

/* The next U8_STEP bytes of x; if fewer are left, these and zeros. */
static inline void take_u8(uint8_t *to, const uint8_t *x, size_t left) {
    if (left >= U8_STEP) {
        memcpy(to, x, U8_STEP);
    } else {
        memset(to, 0, U8_STEP);
        memcpy(to, x, left);
    }
}

static void load_dot_u8(const void *x, const void *centre, size_t count, void *out, fc_sums *sums) {
    static const uint8_t zeros[U8_STEP];
    cell_dot_u8 *cells = out;
    v_i32 sum = {0}, sq = {0};
    (void)centre;
    for (size_t i = 0; i < count; i += U8_STEP) {
        uint8_t v[U8_STEP];
        take_u8(v, (const uint8_t *)x + i, count - i);
        for (int l = 0; l < U8_STEP; l++) cells[i + (size_t)l] = v[l];
        sum = pair_absdiff_u8_step(sum, v, zeros);
        sq = pair_product_u8_step(sq, v, v);
    }
    sums->sum += (double)total_i32(sum);
    sums->sq += (double)total_i32(sq);
}

static void load_min_u8(const void *x, const void *centre, size_t count, void *out, fc_sums *sums) {
    static const uint8_t zeros[U8_STEP];
    v_i32 sum = {0};
    (void)centre;
    for (size_t i = 0; i < count; i += U8_STEP) {
        uint8_t *v = (uint8_t *)out + i;
        take_u8(v, (const uint8_t *)x + i, count - i);
        sum = pair_absdiff_u8_step(sum, v, zeros);
    }
    sums->sum += (double)total_i32(sum);
    sums->abs = sums->sum;
}

#endif
