/* tiles.inc.h -- the register tiles: every row of X against every lane of a panel, accumulators held in registers.
 *
 * A step loads the panel's vectors for one group of features, spreads each row's group over a vector, and combines.
 * Nothing is summed across lanes: a lane is a query.
 */
#ifndef FASTCLF_ISA_TILES
#define FASTCLF_ISA_TILES

#include "isa/neighbors/load.inc.h"

/* Store an accumulator, or add it to what an earlier part of the depth left. */
#define FC_DEFINE_PUT(dtype, vector, type) \
    static inline void put_##dtype(type *out, vector v, int first) { \
        if (!first) v += load_##vector(out); \
        memcpy(out, &v, sizeof v); \
    }
FC_DEFINE_PUT(f32, v_f32, float)
FC_DEFINE_PUT(f64, v_f64, double)
FC_DEFINE_PUT(i32, v_i32, int32_t)
static inline void put_i64(int32_t *out, v_i64 v, int first) {
    half_i32 low = narrow_i64(v);
    if (!first) low += load_half_i32(out);
    memcpy(out, &low, sizeof low);
}

/* The same with the larger of both; bytes, of four features a lane, become one number then. */
#define FC_DEFINE_PUT_MOST(dtype, vector, type) \
    static inline void put_most_##dtype(type *out, vector v, int first) { \
        if (!first) v = max_##dtype(v, load_##vector(out)); \
        memcpy(out, &v, sizeof v); \
    }
FC_DEFINE_PUT_MOST(f32, v_f32, float)
FC_DEFINE_PUT_MOST(f64, v_f64, double)

static inline v_i32 max_i32(v_i32 a, v_i32 b) {
    const v_i32 more = a > b;
    return (more & a) | (~more & b);
}
static inline void put_most_i32(int32_t *out, v_i32 v, int first) {
    v = max_i32(max_i32(v & 0xff, v >> 8 & 0xff), max_i32(v >> 16 & 0xff, v >> 24 & 0xff));
    if (!first) v = max_i32(v, load_v_i32(out));
    memcpy(out, &v, sizeof v);
}

static inline v_f32 step_max_f32(v_f32 acc, v_f32 q, v_f32 x) { return max_f32(acc, abs_f32(q - x)); }
static inline v_f64 step_max_f64(v_f64 acc, v_f64 q, v_f64 x) { return max_f64(acc, abs_f64(q - x)); }
#ifndef FC_STEP_MAX_U8
static inline v_i32 step_max_u8(v_i32 acc, v_i32 q, v_i32 x) {
    const v_u8 a = (v_u8)q, b = (v_u8)x, most = (v_u8)acc;
    const v_u8 over = (v_u8)(a > b), gap = (over & (a - b)) | (~over & (b - a)), more = (v_u8)(gap > most);
    return (v_i32)((more & gap) | (~more & most));
}
#endif

/* Their size is the same share of the registers everywhere. */
#define FC_MAX_TILES(X) \
    X(max, u8, 16, (FC_VBYTES / 16 * 3)) \
    X(max, f32, 16, (FC_VBYTES / 16 * 3)) \
    X(max, f64, 16, (FC_VBYTES / 16 * 3 / 2))

/* Products' sums tell how large values are, which is all that is needed of them. */
#define load_max_u8 load_min_u8
#define load_max_f32 load_dot_f32
#define load_max_f64 load_dot_f64

/* How accumulators are stored. */
#define FC_PUT_dot(lane) put_##lane
#define FC_PUT_min(lane) put_##lane
#define FC_PUT_max(lane) put_most_##lane

/* What a tile of each kind and dtype accumulates: lane type, and the type of the accumulators it leaves. */
#define FC_LANE_dot_u8 i32
#ifdef FC_VNNI
#define FC_LANE_min_u8 i32
#else
#define FC_LANE_min_u8 i64 /* sums of eight absolute differences */
#endif
#define FC_LANE_dot_f32 f32
#define FC_LANE_min_f32 f32
#define FC_LANE_dot_f64 f64
#define FC_LANE_min_f64 f64
#define FC_LANE_max_u8 i32
#define FC_LANE_max_f32 f32
#define FC_LANE_max_f64 f64
#define FC_ACC_u8 int32_t
#define FC_ACC_f32 float
#define FC_ACC_f64 double

// clang-format off
#define FC_DEFINE_TILE(kind, dtype, lane, acc_type, LANES, ROWS) \
    static void tile_##kind##_##dtype(const void *panel, const void *rows, size_t row_bytes, size_t groups, void *out, \
                                      int first, const fc_ahead ahead[FC_AHEADS]) { \
        enum { CELL = sizeof(((v_##lane){0})[0]), V = LANES * CELL / FC_VBYTES }; \
        const char *q = panel, *x = rows; \
        _Static_assert(LANES == 16 || LANES == FC_MAX_LANES, "a tile's lanes"); \
        _Static_assert(FC_ROW_BLOCK % ROWS == 0 && LANES * CELL % FC_VBYTES == 0, "a tile's size"); \
        v_##lane acc[ROWS][V] = {0}; \
        for (size_t g = 0; g < groups; g++, q += V * FC_VBYTES, x += CELL) { \
            if (g % (FC_LINE / CELL) == 0) fc_prefetch(ahead, g * CELL); \
            v_##lane qv[V]; \
            FC_UNROLL for (int v = 0; v < V; v++) qv[v] = load_v_##lane(q + v * FC_VBYTES); \
            FC_UNROLL for (int r = 0; r < ROWS; r++) { \
                const v_##lane xv = spread_##lane(x + (size_t)r * row_bytes); \
                FC_UNROLL for (int v = 0; v < V; v++) acc[r][v] = step_##kind##_##dtype(acc[r][v], qv[v], xv); \
            } \
        } \
        FC_UNROLL for (int r = 0; r < ROWS; r++) \
            FC_UNROLL for (int v = 0; v < V; v++) \
                FC_PUT_##kind(lane)((acc_type *)out + r * LANES + v * (FC_VBYTES / CELL), acc[r][v], first); \
    }
// clang-format on
#define FC_DEFINE_TILE_(...) FC_DEFINE_TILE(__VA_ARGS__)
#define FC_DEFINE_TILE_ROW(kind, dtype, lanes, rows) \
    FC_DEFINE_TILE_(kind, dtype, FC_LANE_##kind##_##dtype, FC_ACC_##dtype, lanes, rows)
#ifndef FC_STEPPED_TILES /* all but those that a header has a function for */
#define FC_STEPPED_TILES FC_TILES
#endif
FC_STEPPED_TILES(FC_DEFINE_TILE_ROW)
FC_MAX_TILES(FC_DEFINE_TILE_ROW)

/* How a tile's accumulator becomes 2P, and the size of its cells and groups. */
typedef float cell_dot_f32, cell_min_f32, cell_max_f32;
typedef double cell_dot_f64, cell_min_f64, cell_max_f64;
typedef uint8_t cell_min_u8, cell_max_u8;
#define FC_TERMS_dot_f32 .group = 1, .scale = 2
#define FC_TERMS_dot_f64 .group = 1, .scale = 2
#define FC_TERMS_min_f32 .group = 1, .scale = 2
#define FC_TERMS_min_f64 .group = 1, .scale = 2
#define FC_TERMS_max_u8 .group = 4, .scale = -1
#define FC_TERMS_max_f32 .group = 1, .scale = -1
#define FC_TERMS_max_f64 .group = 1, .scale = -1
#if defined(FC_AMX)
#define FC_TERMS_dot_u8 .group = 4, .scale = 2
#elif defined(FC_VNNI)
#define FC_TERMS_dot_u8 .group = 4, .scale = 2, .from_x = 128, .flip = 0x80
#else
#define FC_TERMS_dot_u8 .group = 2, .scale = 2
#endif
#ifdef FC_VNNI
#define FC_TERMS_min_u8 .group = 4, .scale = 2
#else
#define FC_TERMS_min_u8 .group = 8, .scale = -1, .from_q = -1, .from_x = -1 /* acc = sum |q-x| */
#endif

#define FC_TILE_ENTRY(kind, dtype, n_lanes, n_rows) \
    [FC_TILE_##kind][FC_IN_##dtype] = {.lanes = n_lanes, \
                                       .rows = n_rows, \
                                       .cell = sizeof(cell_##kind##_##dtype), \
                                       .run = tile_##kind##_##dtype, \
                                       .load = load_##kind##_##dtype, \
                                       FC_TERMS_##kind##_##dtype},
#define FC_TILE_ENTRIES FC_TILES(FC_TILE_ENTRY) FC_MAX_TILES(FC_TILE_ENTRY)

#endif
