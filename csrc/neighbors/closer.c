#include "neighbors/closer.h"

#include <float.h>
#include <math.h>

#include "neighbors/scaled.h"
#include "core/sizes.h"

static int larger(int a, int b) { return a > b ? a : b; }

static fc_sum sum_of(const fc_kernels *kernels, fc_pair_kind kind, fc_scaled a, fc_scaled b) {
    double of_a[FC_SCALED_PART], of_b[FC_SCALED_PART];
    const size_t d = a.of.matrix->cols;
    fc_sum sum = {0};
    for (size_t from = 0; from < d; from += FC_SCALED_PART) {
        const size_t count = fc_smaller(FC_SCALED_PART, d - from);
        sum.lost |= fc_scaled_take(a, from, count, of_a) | fc_scaled_take(b, from, count, of_b);
        kernels->sum[kind][FC_IN_f64](&sum, of_a, of_b, count);
    }
    return sum;
}

fc_distance fc_distance_of(const fc_kernels *kernels, const fc_metric_row *metric, fc_sum sum, double error) {
    const fc_sum none = {0};
    if (sum.value.high == 0 && !sum.lost) return (fc_distance){0};
    return fc_has_range(metric->pair, sum.value.high) ? kernels->distance[metric->form](sum, none, none, error)
                                                      : fc_unknown;
}

/* --- near the ends of the range ------------------------------------------------------------------------------- */

/* Round d * 2^exponent.  Below DBL_MIN, float64's steps are coarser than d is known.  There v is the nearest if it is
 * nearer than half a step; v, d.nearest and their difference are then exact.
 */
static int round_scaled(fc_distance d, int exponent, double *distance) {
    const double v = ldexp(d.nearest, exponent);
    *distance = v;
    if (fabs(v) > DBL_MIN) return fc_is_rounded(d);
    const double off = fabs((d.nearest - ldexp(v, -exponent)) + d.rest) + d.within;
    return off < ldexp(1, -1075 - exponent) * (1 - 0x1p-50);
}

int fc_closer_distance(const fc_kernels *kernels, const fc_metric_row *metric, fc_row q, fc_row x, double *distance) {
    const int exponent = larger(fc_scaled_exponent(q), fc_scaled_exponent(x));
    const fc_sum s = sum_of(kernels, metric->pair, (fc_scaled){q, exponent}, (fc_scaled){x, exponent});
    const fc_distance d = fc_distance_of(kernels, metric, s, fc_sum_error(q.matrix->cols));
    return round_scaled(d, metric->degree * exponent, distance);
}

int fc_closer_product(const fc_kernels *kernels, fc_row q, fc_row x, double *distance) {
    const fc_scaled u = {q, fc_scaled_exponent(q)}, v = {x, fc_scaled_exponent(x)};
    const fc_sum s = sum_of(kernels, FC_PAIR_product, u, v), qq = sum_of(kernels, FC_PAIR_product, u, u),
                 xx = sum_of(kernels, FC_PAIR_product, v, v);
    const fc_distance d = kernels->distance[FC_FORM_minus](s, qq, xx, fc_sum_error(q.matrix->cols));
    return round_scaled(d, u.exponent + v.exponent, distance);
}

/* --- angles --------------------------------------------------------------------------------------------------- */

typedef struct {
    fc_scaled v;
    fc_sum squares;
} direction;

/* A vector scaled to a length at which squares of small differences stay in range. */
static direction direction_of(const fc_kernels *kernels, fc_row v, fc_sum squares) {
    const double length = squares.value.high;
    if (length > 0x1p-200 && length < 0x1p200) return (direction){{v, 0}, squares};
    const fc_scaled of_v = {v, fc_scaled_exponent(v)};
    return (direction){of_v, sum_of(kernels, FC_PAIR_product, of_v, of_v)};
}

/* With w = x - c q, |q|^2 |x|^2 - (q x)^2 = |q|^2 |w|^2 - (q w)^2.  The left side cancels; the right does not, as w is
 * small.  |w|^2 is off by a part `error` of itself, and so is |q|^2; q w is off by as much of |q||w|, which bounds q w
 * itself.  Together that is 4 error of |q|^2 |w|^2.  The divisor adds 4 error of the quotient; roundings of pairs are
 * below 2^-98.
 */
static fc_distance small_angle(const fc_kernels *kernels, direction q, direction x, fc_sum qx, double error) {
    const fc_twofold qq = q.squares.value, p = fc_twofold_product(qq, x.squares.value);
    const double c = qx.value.high / qq.high;
    const size_t d = q.v.of.matrix->cols;
    double of_q[FC_SCALED_PART], of_x[FC_SCALED_PART];
    fc_sum ww = {0}, qw = {0};
    for (size_t from = 0; from < d; from += FC_SCALED_PART) {
        const size_t count = fc_smaller(FC_SCALED_PART, d - from);
        ww.lost |= fc_scaled_take(q.v, from, count, of_q) | fc_scaled_take(x.v, from, count, of_x);
        kernels->residual(&ww, &qw, of_q, of_x, fc_round_up(count, FC_LANES), c);
    }
    if (ww.value.high == 0 && !ww.lost) return (fc_distance){0, 0, 0};
    if (!fc_is_tame(ww.value.high)) return fc_unknown;
    const fc_twofold most = fc_twofold_product(qq, ww.value);
    const fc_twofold n = fc_twofold_sum(most, fc_twofold_negative(fc_twofold_product(qw.value, qw.value)));
    const fc_twofold under = fc_twofold_sum(p, fc_twofold_product(qx.value, fc_twofold_root(p)));
    const fc_twofold v = fc_twofold_quotient(n, under);
    const double off = 4 * error + 0x1p-98;
    return (fc_distance){v.high, v.low, off * (fabs(v.high) + most.high / under.high)};
}

/* Whether s^2 > p / 4, s > 0. */
static int is_small(direction q, direction x, fc_sum qx) {
    return qx.value.high > 0.5 * sqrt(q.squares.value.high * x.squares.value.high);
}

fc_distance fc_closer_angle(const fc_kernels *kernels, fc_row q, fc_sum qq, fc_row x, fc_sum xx, fc_sum qx) {
    const direction u = direction_of(kernels, q, qq), v = direction_of(kernels, x, xx);
    const double error = fc_quick_error(q.matrix->cols);
    fc_distance d = fc_unknown;
    if (u.v.exponent || v.v.exponent) {
        qx = sum_of(kernels, FC_PAIR_product, u.v, v.v);
        d = kernels->distance[FC_FORM_angle](qx, u.squares, v.squares, error);
    }
    return !fc_is_rounded(d) && is_small(u, v, qx) ? small_angle(kernels, u, v, qx, error) : d;
}

/* --- order ---------------------------------------------------------------------------------------------------- */

typedef struct {
    fc_sum sum;
    double most;
} gap;

static gap gap_of(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row a, fc_row b, double far, double near) {
    double of_q[FC_SCALED_PART], of_a[FC_SCALED_PART], of_b[FC_SCALED_PART];
    const size_t d = q.matrix->cols;
    gap g = {0};
    for (size_t from = 0; from < d; from += FC_SCALED_PART) {
        const size_t count = fc_smaller(FC_SCALED_PART, d - from);
        fc_scaled_take((fc_scaled){q, 0}, from, count, of_q);
        fc_scaled_take((fc_scaled){a, 0}, from, count, of_a);
        fc_scaled_take((fc_scaled){b, 0}, from, count, of_b);
        kernels->gap[kind](&g.sum, &g.most, of_q, of_a, of_b, fc_round_up(count, FC_LANES), far, near);
    }
    return g;
}

/* Scaling takes less than 2^-1074 from a value, times factors of at most 4.  Beside a tame sum that is nothing, but the
 * sum is no longer exact.
 */
static gap scaled_gap(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row a, fc_row b) {
    const int of_q = fc_scaled_exponent(q), of_rows = larger(fc_scaled_exponent(a), fc_scaled_exponent(b)),
              far = kind == FC_PAIR_product ? of_q : larger(of_q, of_rows);
    gap g = gap_of(kernels, kind, q, a, b, ldexp(1, -far), ldexp(1, -of_rows));
    g.sum.lost = 1;
    return g;
}

int fc_closer_order(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row a, fc_row b) {
    gap g = gap_of(kernels, kind, q, a, b, 1, 1);
    if (g.most == 0 && !g.sum.lost) return 0;
    if (!fc_has_range(kind, g.most)) {
        g = scaled_gap(kernels, kind, q, a, b);
        if (!fc_is_tame(g.most)) return 2;
    }
    const double value = g.sum.value.high, margin = fc_off(g.sum, fc_sum_error(q.matrix->cols), g.most);
    if (fabs(value) > margin) return value < 0 ? -1 : 1;
    return value == 0 && margin == 0 ? 0 : 2;
}
