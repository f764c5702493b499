/* scalar.h -- any machine: the specification, and what the compiler makes of it with the baseline's vectors. */
#define FC_VBYTES 16
#include "isa/vectors.h"

/* Of linear.inc.h: rows and classes of scores, and classes and vectors of gradients, summed in registers together. */
#define FC_LINEAR_ROWS 1
#define FC_LINEAR_CLASSES 3
#define FC_LINEAR_VECTORS 4

/* Of matmul.inc.h: rows, and vectors of columns. */
#define FC_MATMUL_ROWS 2
#define FC_MATMUL_VECTORS 2

#define FC_TILES(X) \
    X(dot, u8, 16, 3) \
    X(dot, f32, 16, 3) \
    X(dot, f64, 16, 1) \
    X(min, u8, 16, 1) \
    X(min, f32, 16, 3) \
    X(min, f64, 16, 1)

#include "isa/portable.inc.h"

static inline v_f32 step_dot_f32(v_f32 acc, v_f32 q, v_f32 x) { return acc + q * x; }
static inline v_f64 step_dot_f64(v_f64 acc, v_f64 q, v_f64 x) { return acc + q * x; }

typedef int16_t cell_dot_u8;
static inline v_i32 step_dot_u8(v_i32 acc, v_i32 q, v_i32 x) {
    int16_t a[8], b[8];
    memcpy(a, &q, sizeof a);
    memcpy(b, &x, sizeof b);
    FC_EACH (4) acc[l] += a[2 * l] * b[2 * l] + a[2 * l + 1] * b[2 * l + 1];
    return acc;
}
static inline v_i64 step_min_u8(v_i64 acc, v_i64 q, v_i64 x) {
    uint8_t a[16], b[16];
    memcpy(a, &q, sizeof a);
    memcpy(b, &x, sizeof b);
    FC_EACH (16) acc[l / 8] += a[l] < b[l] ? b[l] - a[l] : a[l] - b[l];
    return acc;
}

/* Sums over FC_VBYTES bytes, four a lane. */
#define FC_DEFINE_PAIR_STEP(kind, term) \
    static inline v_i32 pair_##kind##_u8_step(v_i32 acc, const uint8_t *q, const uint8_t *x) { \
        FC_EACH (16) { \
            const int a = q[l], b = x[l]; \
            acc[l / 4] += term; \
        } \
        return acc; \
    }
FC_DEFINE_PAIR_STEP(sqdiff, (a - b) * (a - b))
FC_DEFINE_PAIR_STEP(absdiff, a < b ? b - a : a - b)
FC_DEFINE_PAIR_STEP(product, a *b)
