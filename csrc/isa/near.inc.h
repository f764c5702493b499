/* near.inc.h -- how far a point is from boxes, and from the rows of a leaf, a box or a row a lane.
 *
 * Any rounding will do, products fused or not: docs/exactness.md bounds it.
 */

#ifndef FC_WIDEN_U8
static inline v_f32 widen_u8(const uint8_t *p) {
    v_f32 v;
    for (int l = 0; l < F32_LANES; l++) v[l] = (float)p[l];
    return v;
}
#endif

static inline v_f32 add_squares_f32(v_f32 sum, v_f32 gap) { return step_dot_f32(sum, gap, gap); }
static inline v_f32 add_values_f32(v_f32 sum, v_f32 gap) { return sum + abs_f32(gap); }

#define FC_DEFINE_NEAR(kind) \
    static void near_boxes_##kind(const float *boxes, const float *point, size_t d, float *gaps) { \
        enum { V = FC_TREE_BOXES / F32_LANES }; \
        v_f32 sum[V] = {0}; \
        for (size_t i = 0; i < d; i++, boxes += 2 * FC_TREE_BOXES) { \
            const v_f32 at = spread_f32(point + i); \
            FC_UNROLL \
            for (int v = 0; v < V; v++) { \
                const v_f32 under = load_v_f32(boxes + v * F32_LANES) - at, \
                            over = at - load_v_f32(boxes + FC_TREE_BOXES + v * F32_LANES); \
                sum[v] = add_##kind##_f32(sum[v], max_f32(max_f32(under, over), (v_f32){0})); \
            } \
        } \
        memcpy(gaps, sum, sizeof sum); \
    } \
    static size_t near_rows_##kind(const fc_leaf *leaf, const float *point, size_t d, float most, float *gaps, \
                                   uint32_t *passed) { \
        enum { V = FC_LEAF_ROWS / F32_LANES }; \
        const uint8_t *codes = leaf->codes; \
        v_f32 sum[V] = {0}; \
        for (size_t i = 0; i < d; i++, codes += FC_LEAF_ROWS) { \
            const float above = point[i] - leaf->low[i], step = -leaf->step[i]; \
            const v_f32 from = spread_f32(&above), steps = spread_f32(&step); \
            FC_UNROLL \
            for (int v = 0; v < V; v++) \
                sum[v] = add_##kind##_f32(sum[v], step_dot_f32(from, steps, widen_u8(codes + v * F32_LANES))); \
        } \
        memcpy(gaps, sum, sizeof sum); \
        const v_f32 limit = spread_f32(&most); \
        size_t n = 0; \
        for (int v = 0; v < V; v++) n = list_passed(not_less_f32(limit, sum[v]), (size_t)v * F32_LANES, passed, n); \
        return n; \
    }
FC_DEFINE_NEAR(squares)
FC_DEFINE_NEAR(values)

#define FC_NEAR_ENTRIES(function) [FC_GAP_squares] = function##_squares, [FC_GAP_values] = function##_values
