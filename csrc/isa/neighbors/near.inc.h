/* near.inc.h -- how far a point is from boxes, and from the rows of a leaf.  A lane is a box or a row.
 *
 * Any rounding will do, with products fused or not: docs/exactness.md bounds it.
 */
#ifndef FASTCLF_ISA_NEAR
#define FASTCLF_ISA_NEAR

#include "isa/neighbors/prune.inc.h"

#ifndef FC_WIDEN_U8
static inline v_f32 widen_u8(const uint8_t *p) {
    v_f32 v;
    for (int l = 0; l < F32_LANES; l++) v[l] = (float)p[l];
    return v;
}
#endif

FC_INLINED v_f32 add_gaps(fc_gap_kind kind, v_f32 sum, v_f32 gap) {
    switch (kind) {
    case FC_GAP_squares:
        return step_dot_f32(sum, gap, gap);
    case FC_GAP_values:
        return sum + abs_f32(gap);
    case FC_GAP_COUNT:
        break;
    }
    return sum;
}

/* List which of some vectors of gaps are no more than `most`. */
FC_INLINED size_t list_near(const float *gaps, int vectors, float most, uint32_t *survivors) {
    const v_f32 threshold = spread_f32(&most);
    size_t n = 0;
    for (int v = 0; v < vectors; v++) {
        const v_f32 of = load_v_f32(gaps + v * F32_LANES);
        n = list_survivors(not_less_f32(threshold, of), (size_t)v * F32_LANES, survivors, n);
    }
    return n;
}

static size_t list_rows(const float *gaps, float most, uint32_t *survivors) {
    return list_near(gaps, FC_LEAF_ROWS / F32_LANES, most, survivors);
}

FC_INLINED size_t near_boxes(fc_gap_kind kind, const float *boxes, const float *point, size_t d, float most,
                             float *gaps, uint32_t *survivors) {
    enum { V = FC_TREE_BOXES / F32_LANES };
    v_f32 sum[V] = {0};
    for (size_t i = 0; i < d; i++, boxes += 2 * FC_TREE_BOXES) {
        const v_f32 at = spread_f32(point + i);
        FC_UNROLL
        for (int v = 0; v < V; v++) {
            const v_f32 under = load_v_f32(boxes + v * F32_LANES) - at,
                        over = at - load_v_f32(boxes + FC_TREE_BOXES + v * F32_LANES);
            sum[v] = add_gaps(kind, sum[v], max_f32(max_f32(under, over), (v_f32){0}));
        }
    }
    memcpy(gaps, sum, sizeof sum);
    return list_near(gaps, V, most, survivors);
}

FC_INLINED size_t near_rows(fc_gap_kind kind, const fc_leaf *leaf, const float *point, size_t d, float most,
                            float *gaps, uint32_t *survivors) {
    enum { V = FC_LEAF_ROWS / F32_LANES };
    const uint8_t *codes = leaf->codes;
    v_f32 sum[V] = {0};
    for (size_t i = 0; i < d; i++, codes += FC_LEAF_ROWS) {
        const float above = point[i] - leaf->low[i], step = -leaf->step[i];
        const v_f32 from = spread_f32(&above), steps = spread_f32(&step);
        FC_UNROLL
        for (int v = 0; v < V; v++)
            sum[v] = add_gaps(kind, sum[v], step_dot_f32(from, steps, widen_u8(codes + v * F32_LANES)));
    }
    memcpy(gaps, sum, sizeof sum);
    return list_near(gaps, V, most, survivors);
}

#define FC_DEFINE_NEAR(kind) \
    static size_t near_boxes_##kind(const float *boxes, const float *point, size_t d, float most, float *gaps, \
                                    uint32_t *survivors) { \
        return near_boxes(FC_GAP_##kind, boxes, point, d, most, gaps, survivors); \
    } \
    static size_t near_rows_##kind(const fc_leaf *leaf, const float *point, size_t d, float most, float *gaps, \
                                   uint32_t *survivors) { \
        return near_rows(FC_GAP_##kind, leaf, point, d, most, gaps, survivors); \
    }
FC_DEFINE_NEAR(squares)
FC_DEFINE_NEAR(values)

#define FC_NEAR_ENTRIES(function) [FC_GAP_squares] = function##_squares, [FC_GAP_values] = function##_values

#endif
