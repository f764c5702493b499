/* losses.inc.h -- losses and their gradients, a row at a time.  A sum has FC_LANES partial sums of float64: lane l adds
 * the terms l, l + 16, ...  The order is fixed, so that the bytes do not depend on the instruction set.
 */
#ifndef FASTCLF_ISA_LOSSES
#define FASTCLF_ISA_LOSSES

#include "core/numbers.h"
#include "core/threads.h"
#include "isa/floats.inc.h"

enum { LANE_VECTORS = FC_LANES / F64_LANES };

/* The most classes of rows that are transposed, for cross-entropy and for hinges; and of rows that go through a loss
 * together at all.
 */
enum { FC_TURNED_CLASSES = 24, FC_TURNED_HINGES = 128, FC_FEW_CLASSES = 256 };
_Static_assert(F32_LANES *FC_FEW_CLASSES * sizeof(float) <= FC_LOSS_STEP * sizeof(double) &&
                   F64_LANES * FC_FEW_CLASSES <= FC_LOSS_STEP,
               "a tile of rows fits into scratch");
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

/* Lanes in halves: the order of all sums. */
static inline double sum_of_f64(v_f64 v) {
    double lane[F64_LANES];
    memcpy(lane, &v, sizeof lane);
    for (int half = F64_LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

static inline v_f64 sum_of_vectors(lanes sum) {
    for (int half = LANE_VECTORS / 2; half; half /= 2)
        for (int l = 0; l < half; l++) sum.v[l] += sum.v[l + half];
    return sum.v[0];
}

static inline double sum_of_lanes(lanes sum) { return sum_of_f64(sum_of_vectors(sum)); }

/* for (i = 0; i < n; i += step), but it ends early where a signal ends the call.  It asks after each stretch, so never
 * for most rows.  FC_STRETCH is a multiple of `step`.
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

/* The sum of n values.  Those after the last whole group are the last terms of the first lanes; a whole group can be
 * read there.
 */
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

/* Whether each of n targets by itself is what a loss takes. */
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

/* A term of a hinge, cut at 0, and its slope.  Smoothed, it is hinge_width * log(1 + exp(term / hinge_width)). */
typedef struct {
    v_f64 loss, slope;
} hinge_term;

static inline hinge_term hinge_of(v_f64 term, int squared, double hinge_width) {
    const v_f64 kept = positive_f64(term);
    if (squared) return (hinge_term){kept * kept, kept + kept};
    if (!(hinge_width > 0)) return (hinge_term){kept, only_f64(term > 0, all_f64(1))};
    const v_f64 s = term / hinge_width, e = exp_f64(-abs_f64(s));
    return (hinge_term){hinge_width * (positive_f64(s) + log1p_f64(e)), sigmoid(s, e)};
}

/* n values of a matrix of any dtype, from entry `from`. */
static void widen_row(double *to, const fc_matrix *m, size_t from, size_t n) {
    switch (m->dtype) {
#define FC_CASE(dtype, type, format) \
    case FC_##dtype: \
        FC_STRETCHES (i, n, 1) to[i] = (double)fc_number_##dtype(((const type *)m->data)[from + i]); \
        break;
        FC_DTYPES(FC_CASE)
#undef FC_CASE
    case FC_DTYPE_COUNT:
        break;
    }
}

/* loss = weight * (loss + log(1 + ratio)); ratio and weight may be NULL, and a weight of 0 is not multiplied with. */
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

/* sum + v.  Values of float32 have sums in float64 that are as good as exact; for float64, `lost` adds up what rounding
 * takes.
 */
static inline v_f64 plus_f32(v_f64 sum, v_f64 v, v_f64 *lost) {
    (void)lost;
    return sum + v;
}
static inline v_f64 plus_f64(v_f64 sum, v_f64 v, v_f64 *lost) {
    const v_f64 next = sum + v, part = next - sum;
    *lost += (sum - (next - part)) + (v - part);
    return next;
}

/* For softmax.inc.h's exponentials: 2^HEADROOM e^RISE is in the dtype's range, and 2^HEADROOM e^-DEPTH is normal. */
static const float LIMIT_f32 = 0x1p14f, HEADROOM_f32 = 60, DEPTH_f32 = 126, RISE_f32 = 40;
static const double LIMIT_f64 = 0x1p19, HEADROOM_f64 = 100, DEPTH_f64 = 770, RISE_f64 = 40;
/* Factors by which e may be multiplied in the dtype itself.  For float32 they are normal numbers: others lose digits
 * when rounded.  For float64 both ways are the same operation. */
static const float LEAST_f32 = 0x1p-126f, MOST_f32 = 0x1p126f;
static const double LEAST_f64 = 0, MOST_f64 = 0x1p1023;

#define FC_TEMPLATE "isa/losses/rows.inc.h"
#include "isa/each_float.inc.h"
#define FC_TEMPLATE "isa/losses/softmax.inc.h"
#include "isa/each_float.inc.h"
#define FC_TEMPLATE "isa/losses/short.inc.h"
#include "isa/each_float.inc.h"
#define FC_TEMPLATE "isa/losses/hinge.inc.h"
#include "isa/each_float.inc.h"
#define FC_TEMPLATE "isa/losses/transposed.inc.h"
#include "isa/each_float.inc.h"
#define FC_TEMPLATE "isa/losses/bands.inc.h"
#include "isa/each_float.inc.h"
#define FC_TEMPLATE "isa/losses/parts.inc.h"
#include "isa/each_float.inc.h"
#define FC_TEMPLATE "isa/losses/scores.inc.h"
#include "isa/each_float.inc.h"

#define FC_LOSS_ENTRY(name, ...) [FC_##name] = {[FC_IN_f32] = name##_f32, [FC_IN_f64] = name##_f64},

#endif
