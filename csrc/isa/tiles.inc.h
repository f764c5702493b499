/* tiles.inc.h -- the register tiles: every row of X against every lane of a panel, accumulators held in registers.
 *
 * A step loads the panel's vectors for one group of features, spreads each row's group over a vector, and combines.
 * Nothing is summed across lanes: a lane is a query.
 */

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
                put_##lane((acc_type *)out + r * LANES + v * (FC_VBYTES / CELL), acc[r][v], first); \
    }
// clang-format on
#define FC_DEFINE_TILE_(...) FC_DEFINE_TILE(__VA_ARGS__)
#define FC_DEFINE_TILE_ROW(kind, dtype, lanes, rows) \
    FC_DEFINE_TILE_(kind, dtype, FC_LANE_##kind##_##dtype, FC_ACC_##dtype, lanes, rows)
#ifndef FC_STEPPED_TILES /* all but those that a header has a function for */
#define FC_STEPPED_TILES FC_TILES
#endif
FC_STEPPED_TILES(FC_DEFINE_TILE_ROW)

/* How a tile's accumulator becomes 2P, and the size of its cells and groups. */
typedef float cell_dot_f32, cell_min_f32;
typedef double cell_dot_f64, cell_min_f64;
typedef uint8_t cell_min_u8;
#define FC_TERMS_dot_f32 .group = 1, .scale = 2
#define FC_TERMS_dot_f64 .group = 1, .scale = 2
#define FC_TERMS_min_f32 .group = 1, .scale = 2
#define FC_TERMS_min_f64 .group = 1, .scale = 2
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
    [FC_TILE_##kind][FC_##dtype] = {.lanes = n_lanes, \
                                    .rows = n_rows, \
                                    .cell = sizeof(cell_##kind##_##dtype), \
                                    .run = tile_##kind##_##dtype, \
                                    .load = load_##kind##_##dtype, \
                                    FC_TERMS_##kind##_##dtype},
