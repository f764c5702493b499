/* refine.c -- from two rows to their distance: by sums of twice float64's precision, and by exact sums where the former
 * leave the rounding or the order open.
 */
#include "neighbors/refine.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "neighbors/closer.h"
#include "core/matrix.h"
#include "neighbors/ray.h"
#include "core/sizes.h"

/* Features of a row that are converted at a time: a multiple of FC_LANES. */
enum { PART = 512 };

/* Fewer rows are compared one by one. */
enum { FEWEST_TOGETHER = 3 };

fc_pairs fc_pairs_of(const fc_metric_row *metric, fc_matrix Q, fc_matrix X, int bytes) {
    return (fc_pairs){metric, fc_kernels_active(), Q, X, fc_common_arithmetic(&Q, &X, bytes)};
}

static fc_row query_of(const fc_pairs *p, size_t query) { return (fc_row){&p->Q, query}; }
static fc_row row_of(const fc_pairs *p, size_t row) { return (fc_row){&p->X, row}; }

/* --- sums ----------------------------------------------------------------------------------------------------- */

/* Rows of another dtype are converted in parts. */
static size_t part_of(const fc_pairs *p, fc_row a, fc_row b) {
    return fc_is_stored(a.matrix->dtype, p->in) && fc_is_stored(b.matrix->dtype, p->in) ? a.matrix->cols : PART;
}

/* Part of row b, beside that of row a: the same, if it is the same row. */
static const void *other_part(const fc_pairs *p, fc_row a, const void *of_a, fc_row b, size_t from, size_t count,
                              void *buffer) {
    if (a.matrix == b.matrix && a.row == b.row) return of_a;
    return fc_row_part(b.matrix, b.row, from, count, p->in, buffer);
}

static double largest_of(const double *lanes) {
    double most = lanes[0];
    for (int l = 1; l < FC_LANES; l++) most = lanes[l] > most ? lanes[l] : most;
    return most;
}

static double fold(fc_pair_kind kind, double *lanes) {
    _Static_assert(FC_LANES == 16, "four halvings");
    if (kind == FC_PAIR_maxdiff) return largest_of(lanes);
    for (int l = 0; l < 8; l++) lanes[l] += lanes[l + 8];
    for (int l = 0; l < 4; l++) lanes[l] += lanes[l + 4];
    for (int l = 0; l < 2; l++) lanes[l] += lanes[l + 2];
    return lanes[0] + lanes[1];
}

/* Of bytes, exactly: all in one lane. */
static double byte_sum(const fc_pairs *p, fc_pair_kind kind, fc_row a, fc_row b) {
    void (*const add)(double *, const void *, const void *, size_t) = p->kernels->pair[kind][FC_IN_u8];
    const size_t d = a.matrix->cols;
    double sum = 0;
    if (a.matrix->dtype == FC_i8)
        return p->kernels->pair_i8[kind]((const int8_t *)a.matrix->data + a.row * d,
                                         (const int8_t *)b.matrix->data + b.row * d, d);
    if (a.matrix->dtype == FC_u8 && b.matrix->dtype == FC_u8) {
        add(&sum, (const uint8_t *)a.matrix->data + a.row * d, (const uint8_t *)b.matrix->data + b.row * d, d);
        return sum;
    }
    uint8_t buffer_a[PART], buffer_b[PART];
    for (size_t from = 0; from < d; from += PART) {
        const size_t count = fc_smaller(PART, d - from);
        add(&sum, fc_row_part(a.matrix, a.row, from, count, FC_IN_u8, buffer_a),
            fc_row_part(b.matrix, b.row, from, count, FC_IN_u8, buffer_b), count);
    }
    return sum;
}

/* In float64; of bytes, exactly. */
static double plain_sum(const fc_pairs *p, fc_pair_kind kind, fc_row a, fc_row b) {
    double lanes[FC_LANES] = {0}, buffer_a[PART], buffer_b[PART];
    const size_t d = a.matrix->cols, step = part_of(p, a, b);
    if (p->in == FC_IN_u8) return byte_sum(p, kind, a, b);
    for (size_t from = 0; from < d; from += step) {
        const size_t count = fc_smaller(step, d - from);
        const void *of_a = fc_row_part(a.matrix, a.row, from, count, p->in, buffer_a);
        p->kernels->pair[kind][p->in](lanes, of_a, other_part(p, a, of_a, b, from, count, buffer_b), count);
    }
    return fold(kind, lanes);
}

static fc_sum sum_of(const fc_pairs *p, fc_pair_kind kind, fc_row a, fc_row b) {
    fc_sum sum = {0};
    if (p->in == FC_IN_u8) {
        sum.value.high = byte_sum(p, kind, a, b);
        return sum;
    }
    double buffer_a[PART], buffer_b[PART];
    const size_t d = a.matrix->cols, step = part_of(p, a, b);
    for (size_t from = 0; from < d; from += step) {
        const size_t count = fc_smaller(step, d - from);
        p->kernels->sum[kind][p->in](&sum, fc_row_part(a.matrix, a.row, from, count, p->in, buffer_a),
                                     fc_row_part(b.matrix, b.row, from, count, p->in, buffer_b), count);
    }
    return sum;
}

/* 3 * 2^k for fc_kernels' quick sums: 2^k is more than `most`. */
static double start_for(double most) {
    uint64_t bits;
    memcpy(&bits, &most, sizeof bits);
    bits &= (uint64_t)0x7ff << 52; /* the power of two that it begins with */
    memcpy(&most, &bits, sizeof most);
    return 12 * most;
}

/* A sum of products of floats whose absolute terms sum to about `most`, which is tame. */
static fc_sum quick_sum(const fc_pairs *p, fc_row a, fc_row b, double most) {
    const size_t d = a.matrix->cols, step = part_of(p, a, b);
    const double start = start_for(most);
    double buffer_a[PART], buffer_b[PART];
    fc_sum sum = {{0, 0}, 1};
    for (size_t from = 0; from < d; from += step) {
        const size_t count = fc_smaller(step, d - from);
        const void *of_a = fc_row_part(a.matrix, a.row, from, count, p->in, buffer_a),
                   *of_b = other_part(p, a, of_a, b, from, count, buffer_b);
        const fc_twofold t = p->kernels->quick[p->in](of_a, of_b, count, start);
        const fc_twofold high = fc_two_sum(sum.value.high, t.high);
        sum.value = (fc_twofold){high.high, high.low + (sum.value.low + t.low)};
    }
    return sum;
}

/* Not of bytes, whose products are exact, unless they make an angle. */
static int needs_squares(const fc_pairs *p) { return p->metric->pair == FC_PAIR_product && !fc_orders_all(p); }

static int is_angle(const fc_pairs *p) { return p->metric->form == FC_FORM_angle; }

/* A sum of products of vectors with these sums of squares. */
static fc_sum product_of(const fc_pairs *p, fc_row a, double aa, fc_row b, double bb) {
    const int is_quick = p->in != FC_IN_u8 && fc_is_tame(aa) && fc_is_tame(bb);
    return is_quick ? quick_sum(p, a, b, sqrt(aa * bb)) : sum_of(p, FC_PAIR_product, a, b);
}

fc_sum fc_squares_of(const fc_pairs *p, const fc_matrix *M, size_t row) {
    const fc_row v = {M, row};
    if (!needs_squares(p)) return (fc_sum){0};
    const double squares = plain_sum(p, FC_PAIR_product, v, v);
    return product_of(p, v, squares, v, squares);
}

/* --- distances ------------------------------------------------------------------------------------------------ */

static fc_sum exactly(double v) { return (fc_sum){{v, 0}, 0}; }

static double distance_of_bytes(const fc_pairs *p, double s, double qq, double xx) {
    if (!is_angle(p)) return p->metric->distance(s, 0, 0);
    const fc_distance d = p->kernels->distance[FC_FORM_angle](exactly(s), exactly(qq), exactly(xx), 0);
    return fc_is_rounded(d) ? d.nearest : fc_exact_angle(s, qq, xx);
}

static int are_equal(fc_row a, fc_row b) {
    const size_t bytes = a.matrix->cols * fc_dtype_size(a.matrix->dtype);
    const char *of_a = a.matrix->data, *of_b = b.matrix->data;
    return a.matrix->dtype == b.matrix->dtype && memcmp(of_a + a.row * bytes, of_b + b.row * bytes, bytes) == 0;
}

/* By differences, of rows not known to be equal.  The largest rounded difference is the largest one, rounded. */
static double difference_by(const fc_pairs *p, fc_row q, fc_row x) {
    if (p->metric->pair == FC_PAIR_maxdiff) return plain_sum(p, FC_PAIR_maxdiff, q, x);
    const fc_sum sum = sum_of(p, p->metric->pair, q, x);
    const fc_distance d = fc_distance_of(p->kernels, p->metric, sum, fc_sum_error(p->Q.cols));
    double distance;
    if (fc_is_rounded(d)) return d.nearest;
    if (!(d.within < INFINITY) && fc_closer_distance(p->kernels, p->metric, q, x, &distance)) return distance;
    return fc_exact_distance(p->metric, q, x);
}

/* The first sum is quick.  The second is exact where little is lost, as of vectors at right angles. */
static double product_by(const fc_pairs *p, fc_row q, fc_sum qq, fc_row x, fc_sum xx) {
    fc_distance (*const make)(fc_sum, fc_sum, fc_sum, double) = p->kernels->distance[FC_FORM_minus];
    fc_distance d = make(product_of(p, q, qq.value.high, x, xx.value.high), qq, xx, fc_quick_error(p->Q.cols));
    double distance;
    if (fc_is_rounded(d)) return d.nearest;
    d = make(sum_of(p, FC_PAIR_product, q, x), qq, xx, fc_sum_error(p->Q.cols));
    if (fc_is_rounded(d)) return d.nearest;
    if (!(d.within < INFINITY) && fc_closer_product(p->kernels, q, x, &distance)) return distance;
    return fc_exact_distance(p->metric, q, x);
}

static double angle_by(const fc_pairs *p, fc_row q, fc_sum qq, fc_row x, fc_sum xx) {
    const fc_sum s = product_of(p, q, qq.value.high, x, xx.value.high);
    fc_distance d = p->kernels->distance[FC_FORM_angle](s, qq, xx, fc_quick_error(p->Q.cols));
    if (fc_is_rounded(d)) return d.nearest;
    /* The answer does not need this, but 0 is mostly one of these cases. */
    if ((fc_is_tame(qq.value.high) && are_equal(q, x)) || fc_on_one_ray(q, x)) return 0;
    d = fc_closer_angle(p->kernels, q, qq, x, xx, s);
    return fc_is_rounded(d) ? d.nearest : fc_exact_distance(p->metric, q, x);
}

double fc_refine_by(const fc_pairs *p, size_t query, fc_sum qq, size_t row, fc_sum xx) {
    const fc_row q = query_of(p, query), x = row_of(p, row);
    if (p->in == FC_IN_u8)
        return distance_of_bytes(p, byte_sum(p, p->metric->pair, q, x), qq.value.high, xx.value.high);
    if (!needs_squares(p)) return difference_by(p, q, x);
    return is_angle(p) ? angle_by(p, q, qq, x, xx) : product_by(p, q, qq, x, xx);
}

/* Rows of few features, together.  Those that stay open are NaN. */
static void refine_narrow(const fc_pairs *p, size_t query, const uint32_t *rows, size_t n, double *distance) {
    const size_t d = p->Q.cols, lanes = fc_round_up(n, FC_NARROW_ROWS);
    double of_q[FC_NARROW], of_x[FC_NARROW], panel[FC_NARROW * FC_PANEL];
    for (size_t r = 0; r < lanes; r++) {
        const double *x = fc_row_part(&p->X, rows[r < n ? r : n - 1], 0, d, FC_IN_f64, of_x);
        for (size_t i = 0; i < d; i++) panel[i * FC_PANEL + r] = x[i];
    }
    const double *q = fc_row_part(&p->Q, query, 0, d, FC_IN_f64, of_q);
    p->kernels->narrow[p->metric->pair](q, panel, d, n, fc_sum_error(d), p->metric->form, distance);
}

void fc_refine_rows(const fc_pairs *p, size_t query, fc_sum qq, const uint32_t *rows, size_t n, double *distance) {
    const int together =
        n >= FEWEST_TOGETHER && p->Q.cols <= FC_NARROW && p->in != FC_IN_u8 && p->kernels->narrow[p->metric->pair];
    if (together) refine_narrow(p, query, rows, n, distance);
    for (size_t r = 0; r < n; r++)
        if (!together || isnan(distance[r])) distance[r] = fc_refine(p, query, qq, rows[r]);
}

static int sign_of(int64_t v) { return (v > 0) - (v < 0); }

/* By s / sqrt(xx), the greatest first: its square is a quotient of integers of 62 and 31 bits. */
static int order_of_byte_angles(const fc_pairs *p, fc_row q, fc_row a, fc_row b) {
    __extension__ typedef unsigned __int128 uint128;
    const int64_t s = (int64_t)byte_sum(p, FC_PAIR_product, q, a), t = (int64_t)byte_sum(p, FC_PAIR_product, q, b);
    if (sign_of(s) != sign_of(t)) return s > t ? -1 : 1;
    const uint128 left = (uint128)(uint64_t)(s * s) * (uint64_t)byte_sum(p, FC_PAIR_product, b, b),
                  right = (uint128)(uint64_t)(t * t) * (uint64_t)byte_sum(p, FC_PAIR_product, a, a);
    return sign_of(s) * ((left < right) - (left > right));
}

/* -1, 0 or 1 as u is less than v, equal, or greater; 2 where that stays open.  At the same reported distance, u and v
 * are so near that the difference of their `nearest` is exact.
 */
static int order_within(fc_distance u, fc_distance v) {
    const double gap = (u.nearest - v.nearest) + (u.rest - v.rest), margin = u.within + v.within;
    if (fabs(gap) > margin) return gap < 0 ? -1 : 1;
    return gap == 0 && margin == 0 ? 0 : 2;
}

/* The sum of products loses nothing where it is 0: so rows at right angles tie. */
static int order_of_angles(const fc_pairs *p, fc_row q, fc_sum qq, fc_row a, fc_row b) {
    const double error = fc_quick_error(p->Q.cols);
    const fc_sum qa = sum_of(p, FC_PAIR_product, q, a), aa = fc_squares_of(p, &p->X, a.row);
    const fc_sum qb = sum_of(p, FC_PAIR_product, q, b), bb = fc_squares_of(p, &p->X, b.row);
    const int order = order_within(p->kernels->distance[FC_FORM_angle](qa, qq, aa, error),
                                   p->kernels->distance[FC_FORM_angle](qb, qq, bb, error));
    if (order != 2) return order;
    return order_within(fc_closer_angle(p->kernels, q, qq, a, aa, qa), fc_closer_angle(p->kernels, q, qq, b, bb, qb));
}

/* |q - x| * scale exactly, unless that is outside float64's range. */
static fc_twofold gap_of(double q, double x, double scale) {
    const double a = q * scale, b = -x * scale;
    const fc_twofold gap = fabs(a) < fabs(b) ? fc_fast_two_sum(b, a) : fc_fast_two_sum(a, b);
    return gap.high < 0 ? fc_twofold_negative(gap) : gap;
}

static int is_less(fc_twofold a, fc_twofold b) { return a.high < b.high || (a.high == b.high && a.low < b.low); }

static fc_twofold largest_gap(fc_row q, fc_row x, double scale) {
    double room_q[PART], room_x[PART];
    fc_twofold most = {0, 0};
    for (size_t from = 0; from < q.matrix->cols; from += PART) {
        const size_t count = fc_smaller(PART, q.matrix->cols - from);
        const double *of_q = fc_row_part(q.matrix, q.row, from, count, FC_IN_f64, room_q),
                     *of_x = fc_row_part(x.matrix, x.row, from, count, FC_IN_f64, room_x);
        for (size_t i = 0; i < count; i++) {
            const fc_twofold gap = gap_of(of_q[i], of_x[i], scale);
            if (is_less(most, gap)) most = gap;
        }
    }
    return most;
}

/* Gaps outside the range are compared by halves.  The values of such a gap are so large that their halves are exact.
 * Other gaps are less, whatever halving takes from them.
 */
static int order_of_largest(fc_row q, fc_row a, fc_row b) {
    for (double scale = 1;; scale = 0.5) {
        const fc_twofold of_a = largest_gap(q, a, scale), of_b = largest_gap(q, b, scale);
        if (scale < 1 || (of_a.high <= DBL_MAX && of_b.high <= DBL_MAX))
            return is_less(of_a, of_b) ? -1 : is_less(of_b, of_a);
    }
}

int fc_order_at(const fc_pairs *p, size_t query, fc_sum qq, size_t a, size_t b) {
    const fc_row q = query_of(p, query), u = row_of(p, a), v = row_of(p, b);
    if (a == b || fc_orders_all(p) || are_equal(u, v)) return 0;
    if (p->in == FC_IN_u8) return order_of_byte_angles(p, q, u, v);
    if (is_angle(p) && fc_on_one_ray(u, v)) return 0;
    const fc_pair_kind kind = p->metric->pair;
    if (kind == FC_PAIR_maxdiff) return order_of_largest(q, u, v);
    const int order = is_angle(p) ? order_of_angles(p, q, qq, u, v) : fc_closer_order(p->kernels, kind, q, u, v);
    return order == 2 ? fc_exact_order(p->metric, q, u, v) : order;
}

/* --- bounds --------------------------------------------------------------------------------------------------- */

/* Twice the roundings of a sum in float64: the rest covers the roundings of the bounds. */
static double plain_error(const fc_pairs *p) { return ((double)p->Q.cols / 16 + 16) * 0x1p-52; }

/* Whether plain sums differ from exact ones by nothing but rounding. */
static int has_bounds(fc_pair_kind kind, double s, double qq, double xx) {
    if (kind == FC_PAIR_absdiff || kind == FC_PAIR_maxdiff) return s <= DBL_MAX / 2;
    return kind == FC_PAIR_sqdiff ? fc_is_tame(s) : fc_is_tame(qq) && fc_is_tame(xx);
}

/* What plain_error is a part of. */
static double unit_of_error(const fc_pairs *p, double distance, double qq, double xx) {
    switch (p->metric->form) {
    case FC_FORM_angle:
        return 1;
    case FC_FORM_minus:
        return sqrt(qq * xx);
    case FC_FORM_sum:
    case FC_FORM_root:
    case FC_FORM_COUNT:
        break;
    }
    return distance;
}

fc_bounds fc_estimate(const fc_pairs *p, size_t query, fc_sum query_squares, size_t row) {
    const fc_row q = query_of(p, query), x = row_of(p, row);
    const double s = plain_sum(p, p->metric->pair, q, x),
                 xx = needs_squares(p) ? plain_sum(p, FC_PAIR_product, x, x) : 0;
    const double qq = query_squares.value.high;
    if (fc_orders_all(p)) return (fc_bounds){p->metric->distance(s, qq, xx), 0};
    const double least = p->metric->form == FC_FORM_minus ? -INFINITY : 0;
    if (!has_bounds(p->metric->pair, s, qq, xx)) return (fc_bounds){least, INFINITY};
    const double distance = p->metric->distance(s, qq, xx);
    const double off = plain_error(p) * unit_of_error(p, distance, qq, xx);
    return (fc_bounds){fmax(distance - off, least), (float)(2 * off * (1 + 0x1p-20)) + FLT_MIN};
}
