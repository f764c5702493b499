/* losses.inc.h -- losses and their gradients, a row at a time: sums in FC_LANES partial sums of float64, lane l the
 * terms l, l + 16, ..., added in one order, so that their bytes do not depend on the instruction set.
 */

enum { LANE_VECTORS = FC_LANES / F64_LANES, FC_FEW_CLASSES = 128 };
_Static_assert(F32_LANES *FC_FEW_CLASSES <= FC_LOSS_STEP, "a tile of rows fits into scratch");
typedef struct {
    v_f64 v[LANE_VECTORS];
} lanes;

/* 0, 1, 2, ... */
#if FC_VBYTES == 64
static const v_i32 count_f32 = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const v_i64 count_f64 = {0, 1, 2, 3, 4, 5, 6, 7};
#elif FC_VBYTES == 32
static const v_i32 count_f32 = {0, 1, 2, 3, 4, 5, 6, 7};
static const v_i64 count_f64 = {0, 1, 2, 3};
#else
static const v_i32 count_f32 = {0, 1, 2, 3};
static const v_i64 count_f64 = {0, 1};
#endif

static inline double sum_of_lanes(lanes sum) {
    double lane[F64_LANES];
    for (int half = LANE_VECTORS / 2; half; half /= 2)
        for (int l = 0; l < half; l++) sum.v[l] += sum.v[l + half];
    memcpy(lane, &sum.v[0], sizeof lane);
    for (int half = F64_LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

/* for (i = 0; i < n; i += step), left where a signal ends the call: that is asked after each stretch, so that most rows
 * never do.  `step` is a part of a stretch.
 */
enum { FC_STRETCH = 1 << 16 };
#define FC_STRETCHES(i, n, step) \
    for (size_t i = 0, i##_end; i < (n) && !(__builtin_expect(i != 0, 0) && fc_interrupted());) \
        for (i##_end = fc_smaller(i + FC_STRETCH, (n)); i < i##_end; i += (step))

static inline void clear(void *to, size_t bytes) {
    FC_STRETCHES (i, bytes, FC_STRETCH) memset((char *)to + i, 0, fc_smaller(FC_STRETCH, bytes - i));
}

static inline void copy(double *to, const double *from, size_t n) {
    FC_STRETCHES (i, n, FC_STRETCH) memcpy(to + i, from + i, fc_smaller(FC_STRETCH, n - i) * sizeof *to);
}

/* n values, which memory follows: those beyond whole groups are the last terms of the first lanes. */
static inline double sum_of_row(const double *v, size_t n) {
    lanes sum = {{{0}}};
    const size_t whole = n - n % FC_LANES;
    if (n == 1) return v[0];
    FC_STRETCHES (i, whole, FC_LANES)
        for (int l = 0; l < LANE_VECTORS; l++) sum.v[l] += load_v_f64(v + i + l * F64_LANES);
    for (int l = 0; whole < n && l < LANE_VECTORS; l++) {
        const v_i64 left = (v_i64){0} + ((int64_t)(n - whole) - l * F64_LANES);
        sum.v[l] += only_f64(count_f64 < left, load_v_f64(v + whole + l * F64_LANES));
    }
    return sum_of_lanes(sum);
}

/* Whether n targets are what a loss takes, each for itself. */
static inline int all_within(const double *t, size_t n, fc_targets targets) {
    const double low = targets == FC_ANY_FINITE ? -DBL_MAX : 0, high = targets == FC_ANY_FINITE ? DBL_MAX : 1;
    v_i64 ok = ~(v_i64){0};
    const size_t whole = n - n % F64_LANES;
    FC_STRETCHES (i, whole, F64_LANES) ok &= (load_v_f64(t + i) >= low) & (load_v_f64(t + i) <= high);
    for (size_t i = whole; i < n; i++) ok[0] &= -(int64_t)(t[i] >= low && t[i] <= high);
    for (int l = 1; l < F64_LANES; l++) ok[0] &= ok[l];
    return ok[0] != 0;
}

FC_INLINED double dot_f64(const double *a, const double *b, size_t groups) {
    lanes sum = {{{0}}};
    FC_STRETCHES (i, groups * FC_LANES, FC_LANES)
        for (int l = 0; l < LANE_VECTORS; l++)
            sum.v[l] += load_v_f64(a + i + l * F64_LANES) * load_v_f64(b + i + l * F64_LANES);
    return sum_of_lanes(sum);
}

/* 1 / (1 + exp(-s)), given e = exp(-|s|). */
static inline v_f64 sigmoid(v_f64 s, v_f64 e) { return pick_f64(s < 0, e, all_f64(1)) / (1 + e); }

/* A term of a hinge, cut at 0, and its slope; smoothed, smooth * log(1 + exp(term / smooth)). */
typedef struct {
    v_f64 loss, slope;
} hinge_term;

static inline hinge_term hinge_of(v_f64 term, int squared, double smooth) {
    const v_f64 kept = positive_f64(term);
    if (squared) return (hinge_term){kept * kept, kept + kept};
    if (!(smooth > 0)) return (hinge_term){kept, only_f64(term > 0, all_f64(1))};
    const v_f64 s = term / smooth, e = exp_f64(-abs_f64(s));
    return (hinge_term){smooth * (positive_f64(s) + log1p_f64(e)), sigmoid(s, e)};
}

/* n values of a matrix of any dtype, from entry `from`. */
static void widen_row(double *to, const fc_matrix *m, size_t from, size_t n) {
    if (m->dtype == FC_u8)
        FC_STRETCHES (i, n, 1) to[i] = ((const uint8_t *)m->data)[from + i];
    else if (m->dtype == FC_f32)
        FC_STRETCHES (i, n, 1) to[i] = (double)((const float *)m->data)[from + i];
    else
        copy(to, (const double *)m->data + from, n);
}

/* loss = weight * (loss + log(1 + ratio)), where there is a ratio and a weight; of weight 0, nothing. */
static inline void finish_losses(double *loss, const double *ratio, const double *weight, size_t n) {
    size_t i = 0;
    for (; ratio && i + F64_LANES <= n; i += F64_LANES) {
        const v_f64 v = load_v_f64(loss + i) + log1p_f64(load_v_f64(ratio + i));
        memcpy(loss + i, &v, sizeof v);
    }
    for (; ratio && i < n; i++) loss[i] += log1p_one(ratio[i]);
    for (i = 0; weight && i < n; i++)
        if (weight[i] != 0) loss[i] *= weight[i];
}

/* sum + v: of float32, whose sums in float64 are as good as exact; of float64, with what rounding takes added up. */
static inline v_f64 plus_f32(v_f64 sum, v_f64 v, v_f64 *lost) {
    (void)lost;
    return sum + v;
}
static inline v_f64 plus_f64(v_f64 sum, v_f64 v, v_f64 *lost) {
    const v_f64 next = sum + v, part = next - sum;
    *lost += (sum - (next - part)) + (v - part);
    return next;
}

/* a b + c, for sums of products of that dtype.  Fused is the same everywhere only where it can be had from float64: of
 * float32.
 */
static inline v_f32 times_plus_f32(v_f32 a, v_f32 b, v_f32 c) { return fma_f32(a, b, c); }
static inline v_f64 times_plus_f64(v_f64 a, v_f64 b, v_f64 c) { return a * b + c; }

static inline void narrow_f64(double *to, v_f64 v) { memcpy(to, &v, sizeof v); }

static inline float root_f32(float v) { return sqrtf(v); }
static inline double root_f64(double v) { return sqrt(v); }

/* Of softmax.inc.h's exponentials: 2^HEADROOM e^RISE is in the dtype's range, and e^-DEPTH of 2^HEADROOM normal. */
static const float LIMIT_f32 = 0x1p14f, HEADROOM_f32 = 60, DEPTH_f32 = 126, RISE_f32 = 40;
static const double LIMIT_f64 = 0x1p19, HEADROOM_f64 = 100, DEPTH_f64 = 770, RISE_f64 = 40;
/* Factors by which e may be multiplied in the dtype itself: of float32, normal numbers, else the rounded factor has
 * lost digits; of float64, both ways are the same operation. */
static const float LEAST_f32 = 0x1p-126f, MOST_f32 = 0x1p126f;
static const double LEAST_f64 = 0, MOST_f64 = 0x1p1023;

#define NAME(stem) stem##_f64
#define TYPE double
#define VECTOR v_f64
#define INTEGER int64_t
#define INTEGERS v_i64
#define ALL all_f64
#define LOAD load_v_f64
#define MAX max_f64
#include "rows.inc.h"
#include "softmax.inc.h"
#include "hinge.inc.h"
#include "turned.inc.h"
#include "linear.inc.h"
#include "parts.inc.h"
#include "scores.inc.h"
#include "window.inc.h"
#undef NAME
#undef TYPE
#undef VECTOR
#undef INTEGER
#undef INTEGERS
#undef ALL
#undef LOAD
#undef MAX

#define NAME(stem) stem##_f32
#define TYPE float
#define VECTOR v_f32
#define INTEGER int32_t
#define INTEGERS v_i32
#define ALL all_f32
#define LOAD load_v_f32
#define MAX max_f32
#include "rows.inc.h"
#include "softmax.inc.h"
#include "hinge.inc.h"
#include "turned.inc.h"
#include "linear.inc.h"
#include "parts.inc.h"
#include "scores.inc.h"
#include "window.inc.h"
#undef NAME
#undef TYPE
#undef VECTOR
#undef INTEGER
#undef INTEGERS
#undef ALL
#undef LOAD
#undef MAX

#define FC_LOSS_ENTRY(name, ...) [FC_##name] = {[FC_f32] = name##_f32, [FC_f64] = name##_f64},
