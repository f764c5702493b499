/* amx.h -- AMX: products of bytes in tile registers, the rest as avx512vnni.h has it.
 *
 * tdpbuud adds 16 x 16 sums of 64 products of unsigned bytes in 16 cycles, eight times as many as vpdpbusd.  One
 * operand is 16 rows of X as they are.  The other is 16 groups of four features, of 16 lanes: the left or right half of
 * a panel's lines.  24 rows, 16 and 8, by 32 lanes take all eight registers; 32 rows would not divide FC_ROW_BLOCK.
 */
#include <immintrin.h>

#define FC_AMX 1
#define FC_DOT_U8_ROWS 24
#define FC_STEPPED_TILES FC_OTHER_TILES
#include "isa/avx512vnni.h"

enum { AMX_LANES = 32, AMX_ROWS = FC_DOT_U8_ROWS, AMX_GROUPS = 16 };
_Static_assert((int)AMX_LANES == (int)FC_MAX_LANES && FC_ROW_BLOCK % AMX_ROWS == 0, "a tile's size");
_Static_assert(FC_CELLS_STEP % FC_LINE == 0, "rows are read in whole lines");

/* Bytes of a row of accumulators, which are those of a panel's group; of their halves; rows of the upper registers. */
enum { AMX_STRIDE = AMX_LANES * 4, AMX_HALF = AMX_STRIDE / 2, AMX_UPPER = 16 };

/* What ldtilecfg reads: 0 to 3 are accumulators of the upper and lower rows by the left and right lanes, 4 and 5 the
 * rows, 6 and 7 the lanes.
 */
static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} amx_shapes = {.palette = 1,
                .bytes = {AMX_HALF, AMX_HALF, AMX_HALF, AMX_HALF, FC_LINE, FC_LINE, AMX_HALF, AMX_HALF},
                .rows = {AMX_UPPER, AMX_UPPER, AMX_ROWS - AMX_UPPER, AMX_ROWS - AMX_UPPER, AMX_UPPER,
                         AMX_ROWS - AMX_UPPER, AMX_GROUPS, AMX_GROUPS}};

static inline void amx_step(const char *q, const char *x, size_t row_bytes) {
    _tile_loadd(4, x, row_bytes);
    _tile_loadd(5, x + AMX_UPPER * row_bytes, row_bytes);
    _tile_loadd(6, q, AMX_STRIDE);
    _tile_loadd(7, q + AMX_HALF, AMX_STRIDE);
    _tile_dpbuud(0, 4, 6);
    _tile_dpbuud(1, 4, 7);
    _tile_dpbuud(2, 5, 6);
    _tile_dpbuud(3, 5, 7);
}

/* Configured and released around each tile: between tiles a thread has no tile registers to be saved. */
static inline void amx_begin(const char *acc, int first) {
    _tile_loadconfig(&amx_shapes);
    if (first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, acc, AMX_STRIDE);
        _tile_loadd(1, acc + AMX_HALF, AMX_STRIDE);
        _tile_loadd(2, acc + AMX_UPPER * AMX_STRIDE, AMX_STRIDE);
        _tile_loadd(3, acc + AMX_UPPER * AMX_STRIDE + AMX_HALF, AMX_STRIDE);
    }
}

static inline void amx_end(char *acc) {
    _tile_stored(0, acc, AMX_STRIDE);
    _tile_stored(1, acc + AMX_HALF, AMX_STRIDE);
    _tile_stored(2, acc + AMX_UPPER * AMX_STRIDE, AMX_STRIDE);
    _tile_stored(3, acc + AMX_UPPER * AMX_STRIDE + AMX_HALF, AMX_STRIDE);
    _tile_release();
}

/* A tile as FC_DEFINE_TILE makes it.  Rows are read in whole lines of FC_LINE bytes, for which cells have space
 * (FC_CELLS_STEP).  A panel ends with its last group.  So the last few groups are copied, with zeros behind them:
 * whatever the rows hold there does not count.
 */
static inline void tile_dot_u8(const void *panel, const void *rows, size_t row_bytes, size_t groups, void *out,
                               int first, const fc_ahead ahead[FC_AHEADS]) {
    const char *q = panel, *x = rows;
    amx_begin(out, first);
    for (; groups >= AMX_GROUPS; groups -= AMX_GROUPS, q += AMX_GROUPS * AMX_STRIDE, x += FC_LINE) {
        fc_prefetch(ahead, (size_t)(x - (const char *)rows));
        amx_step(q, x, row_bytes);
    }
    if (groups) {
        _Alignas(FC_LINE) char last[AMX_GROUPS * AMX_STRIDE] = {0};
        memcpy(last, q, groups * AMX_STRIDE);
        __asm__ volatile("" : : "m"(last)); /* GCC does not know that tile loads read memory */
        fc_prefetch(ahead, (size_t)(x - (const char *)rows));
        amx_step(last, x, row_bytes);
    }
    amx_end(out);
}
