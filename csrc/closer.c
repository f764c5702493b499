#include "closer.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "matrix.h"
#include "sizes.h"

/* Features of a row that are taken at a time: a multiple of FC_LANES. */
enum { PART = 512 };

/* A vector times 2^-exponent; `lost` is set where that takes bits from a value. */
typedef struct {
    fc_row of;
    int exponent, *lost;
} scaled;

/* Some of a vector's features as float64, and zeros up to a multiple of FC_LANES: their number. */
static size_t take(scaled v, size_t from, double *out) {
    const size_t count = fc_smaller(PART, v.of.matrix->cols - from), all = fc_round_up(count, FC_LANES);
    const double *part = fc_row_part(v.of.matrix, v.of.row, from, count, FC_f64, out);
    const double factor = ldexp(1, -v.exponent), back = ldexp(1, v.exponent);
    int lost = 0;
    if (v.exponent == 0) {
        if (part != out) memcpy(out, part, count * sizeof *out);
    } else {
        for (size_t i = 0; i < count; i++) {
            const double value = part[i];
            out[i] = value * factor;
            lost |= out[i] * back != value;
        }
    }
    for (size_t i = count; i < all; i++) out[i] = 0;
    if (lost) *v.lost = 1;
    return all;
}

/* A power of two about as large as the largest value, which both ways of scaling leave normal. */
static int exponent_of(fc_row v) {
    double room[PART], largest = 0;
    for (size_t from = 0; from < v.matrix->cols; from += PART) {
        const size_t count = fc_smaller(PART, v.matrix->cols - from);
        const double *part = fc_row_part(v.matrix, v.row, from, count, FC_f64, room);
        for (size_t i = 0; i < count; i++) largest = fabs(part[i]) > largest ? fabs(part[i]) : largest;
    }
    if (!(largest > 0 && largest <= DBL_MAX)) return 0;
    const int exponent = ilogb(largest);
    return exponent < -1022 ? -1022 : exponent > 1022 ? 1022 : exponent;
}

static int larger(int a, int b) { return a > b ? a : b; }

static fc_sum sum_of(const fc_kernels *kernels, fc_pair_kind kind, scaled a, scaled b) {
    double of_a[PART], of_b[PART];
    fc_sum sum = {0};
    for (size_t from = 0; from < a.of.matrix->cols; from += PART) {
        const size_t count = take(a, from, of_a);
        take(b, from, of_b);
        kernels->sum[kind][FC_f64](&sum, of_a, of_b, count);
    }
    sum.lost |= *a.lost | *b.lost;
    return sum;
}

/* --- near the ends of the range ------------------------------------------------------------------------------- */

/* Round d * 2^exponent.  Below DBL_MIN float64 is coarser than d is known: v is the nearest if it is nearer than half a
 * step; that v, d.nearest and their difference are exact there.
 */
static int round_scaled(fc_distance d, int exponent, double *distance) {
    const double v = ldexp(d.nearest, exponent);
    *distance = v;
    if (v > DBL_MIN) return fc_is_rounded(d);
    const double off = fabs((d.nearest - ldexp(v, -exponent)) + d.rest) + d.within;
    return off < ldexp(1, -1075 - exponent) * (1 - 0x1p-50);
}

int fc_closer_distance(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row x, double *distance) {
    const int exponent = larger(exponent_of(q), exponent_of(x));
    int lost = 0;
    const fc_sum s = sum_of(kernels, kind, (scaled){q, exponent, &lost}, (scaled){x, exponent, &lost}), none = {0};
    const double error = fc_sum_error(q.matrix->cols);
    return round_scaled(kernels->distance[kind](s, none, none, error), exponent, distance);
}

/* --- angles --------------------------------------------------------------------------------------------------- */

typedef struct {
    scaled v;
    fc_sum squares;
} direction;

/* A vector at a length that leaves room for squares of small differences. */
static direction direction_of(const fc_kernels *kernels, fc_row v, fc_sum squares, int *lost) {
    const double length = squares.value.high;
    if (length > 0x1p-200 && length < 0x1p200) return (direction){{v, 0, lost}, squares};
    const scaled of_v = {v, exponent_of(v), lost};
    return (direction){of_v, sum_of(kernels, FC_PAIR_product, of_v, of_v)};
}

/* With w = x - c q, |q|^2 |x|^2 - (q x)^2 = |q|^2 |w|^2 - (q w)^2: what cancels on the left does not on the right, where
 * w is small.
 */
static fc_distance small_angle(const fc_kernels *kernels, direction q, direction x, fc_sum qx, double error) {
    const fc_twofold qq = q.squares.value, p = fc_twofold_product(qq, x.squares.value);
    const double c = qx.value.high / qq.high;
    double of_q[PART], of_x[PART];
    fc_sum ww = {0}, qw = {0};
    for (size_t from = 0; from < q.v.of.matrix->cols; from += PART) {
        const size_t count = take(q.v, from, of_q);
        take(x.v, from, of_x);
        kernels->residual(&ww, &qw, of_q, of_x, count, c);
    }
    if (ww.value.high == 0 && !ww.lost && !*q.v.lost) return (fc_distance){0, 0, 0};
    if (!fc_is_tame(ww.value.high)) return (fc_distance){0, 0, INFINITY};
    const fc_twofold most = fc_twofold_product(qq, ww.value);
    const fc_twofold n = fc_twofold_sum(most, fc_twofold_negative(fc_twofold_product(qw.value, qw.value)));
    const fc_twofold under = fc_twofold_sum(p, fc_twofold_product(qx.value, fc_twofold_root(p)));
    const fc_twofold v = fc_twofold_quotient(n, under);
    const double off = 4 * error + 0x1p-98;
    return (fc_distance){v.high, v.low, off * (fabs(v.high) + most.high / under.high)};
}

fc_distance fc_closer_angle(const fc_kernels *kernels, fc_row q, fc_sum qq, fc_row x, fc_sum xx, fc_sum qx) {
    int lost = 0;
    const direction u = direction_of(kernels, q, qq, &lost), v = direction_of(kernels, x, xx, &lost);
    const double error = fc_quick_error(q.matrix->cols);
    if (u.v.exponent || v.v.exponent) qx = sum_of(kernels, FC_PAIR_product, u.v, v.v);
    const fc_distance d = kernels->distance[FC_PAIR_product](qx, u.squares, v.squares, error);
    return d.nearest < 0.5 && d.within > 0 && d.within < INFINITY ? small_angle(kernels, u, v, qx, error) : d;
}

/* --- order ---------------------------------------------------------------------------------------------------- */

typedef struct {
    fc_sum sum;
    double most;
} gap;

static gap gap_of(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row a, fc_row b, double far, double near) {
    double of_q[PART], of_a[PART], of_b[PART];
    gap g = {0};
    int lost = 0;
    for (size_t from = 0; from < q.matrix->cols; from += PART) {
        const size_t count = take((scaled){q, 0, &lost}, from, of_q);
        take((scaled){a, 0, &lost}, from, of_a);
        take((scaled){b, 0, &lost}, from, of_b);
        kernels->gap[kind](&g.sum, &g.most, of_q, of_a, of_b, count, far, near);
    }
    return g;
}

/* Whether nothing but roundings is between a gap and its exact value: additions alone lose nothing at the lower end. */
static int is_within_range(fc_pair_kind kind, const gap *g) {
    return kind == FC_PAIR_absdiff ? g->most <= DBL_MAX : fc_is_tame(g->most);
}

static gap scaled_gap(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row a, fc_row b) {
    const int of_rows = larger(exponent_of(a), exponent_of(b)), of_all = larger(exponent_of(q), of_rows);
    gap g = gap_of(kernels, kind, q, a, b, ldexp(1, -of_all), ldexp(1, -of_rows));
    g.sum.lost = 1;
    return g;
}

int fc_closer_order(const fc_kernels *kernels, fc_pair_kind kind, fc_row q, fc_row a, fc_row b) {
    gap g = gap_of(kernels, kind, q, a, b, 1, 1);
    if (g.most == 0 && !g.sum.lost) return 0;
    if (!is_within_range(kind, &g)) {
        g = scaled_gap(kernels, kind, q, a, b);
        if (!fc_is_tame(g.most)) return 2;
    }
    const double value = g.sum.value.high, margin = fc_off(g.sum, fc_sum_error(q.matrix->cols), g.most);
    if (fabs(value) > margin) return value < 0 ? -1 : 1;
    return value == 0 && margin == 0 ? 0 : 2;
}
