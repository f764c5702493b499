/* refine.c -- from two rows to their distance: by sums of twice float64's precision, and where these leave the rounding
 * or the order open, by exact ones.
 */
#include "refine.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "closer.h"
#include "matrix.h"
#include "sizes.h"

/* Features of a row that are converted at a time: a multiple of FC_LANES. */
enum { PART = 512 };

static fc_row query_of(const fc_pairs *p, size_t query) { return (fc_row){&p->Q, query}; }
static fc_row row_of(const fc_pairs *p, size_t row) { return (fc_row){&p->X, row}; }

/* --- sums ----------------------------------------------------------------------------------------------------- */

/* Rows of another dtype are converted in parts. */
static size_t part_of(const fc_pairs *p, fc_row a, fc_row b) {
    return a.matrix->dtype == p->dtype && b.matrix->dtype == p->dtype ? a.matrix->cols : PART;
}

static double fold(double *lanes) {
    _Static_assert(FC_LANES == 16, "four halvings");
    for (int l = 0; l < 8; l++) lanes[l] += lanes[l + 8];
    for (int l = 0; l < 4; l++) lanes[l] += lanes[l + 4];
    for (int l = 0; l < 2; l++) lanes[l] += lanes[l + 2];
    return lanes[0] + lanes[1];
}

/* Of bytes, exactly: all in one lane. */
static double byte_sum(const fc_pairs *p, fc_pair_kind kind, fc_row a, fc_row b) {
    void (*const add)(double *, const void *, const void *, size_t) = p->kernels->pair[kind][FC_u8];
    const size_t d = a.matrix->cols;
    double sum = 0;
    if (a.matrix->dtype == FC_u8 && b.matrix->dtype == FC_u8) {
        add(&sum, (const uint8_t *)a.matrix->data + a.row * d, (const uint8_t *)b.matrix->data + b.row * d, d);
        return sum;
    }
    uint8_t room_a[PART], room_b[PART];
    for (size_t from = 0; from < d; from += PART) {
        const size_t count = fc_smaller(PART, d - from);
        add(&sum, fc_row_part(a.matrix, a.row, from, count, FC_u8, room_a),
            fc_row_part(b.matrix, b.row, from, count, FC_u8, room_b), count);
    }
    return sum;
}

/* In float64; of bytes, exactly. */
static double plain_sum(const fc_pairs *p, fc_pair_kind kind, fc_row a, fc_row b) {
    double lanes[FC_LANES] = {0}, room_a[PART], room_b[PART];
    const size_t d = a.matrix->cols, step = part_of(p, a, b);
    if (p->dtype == FC_u8) return byte_sum(p, kind, a, b);
    for (size_t from = 0; from < d; from += step) {
        const size_t count = fc_smaller(step, d - from);
        p->kernels->pair[kind][p->dtype](lanes, fc_row_part(a.matrix, a.row, from, count, p->dtype, room_a),
                                         fc_row_part(b.matrix, b.row, from, count, p->dtype, room_b), count);
    }
    return fold(lanes);
}

static fc_sum sum_of(const fc_pairs *p, fc_pair_kind kind, fc_row a, fc_row b) {
    fc_sum sum = {0};
    if (p->dtype == FC_u8) {
        sum.value.high = byte_sum(p, kind, a, b);
        return sum;
    }
    double room_a[PART], room_b[PART];
    const size_t d = a.matrix->cols, step = part_of(p, a, b);
    for (size_t from = 0; from < d; from += step) {
        const size_t count = fc_smaller(step, d - from);
        p->kernels->sum[kind][p->dtype](&sum, fc_row_part(a.matrix, a.row, from, count, p->dtype, room_a),
                                        fc_row_part(b.matrix, b.row, from, count, p->dtype, room_b), count);
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
    double room_a[PART], room_b[PART];
    fc_sum sum = {{0, 0}, 1};
    for (size_t from = 0; from < d; from += step) {
        const size_t count = fc_smaller(step, d - from);
        const fc_twofold t =
            p->kernels->quick[p->dtype](fc_row_part(a.matrix, a.row, from, count, p->dtype, room_a),
                                        fc_row_part(b.matrix, b.row, from, count, p->dtype, room_b), count, start);
        const fc_twofold high = fc_two_sum(sum.value.high, t.high);
        sum.value = (fc_twofold){high.high, high.low + (sum.value.low + t.low)};
    }
    return sum;
}

static int needs_squares(const fc_pairs *p) { return p->metric->refine == FC_PAIR_product; }

/* A sum of products of vectors with these sums of squares. */
static fc_sum product_of(const fc_pairs *p, fc_row a, double aa, fc_row b, double bb) {
    const int is_quick = p->dtype != FC_u8 && fc_is_tame(aa) && fc_is_tame(bb);
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
    if (!needs_squares(p)) return p->metric->distance(s, 0, 0);
    const fc_distance d = p->kernels->distance[FC_PAIR_product](exactly(s), exactly(qq), exactly(xx), 0);
    return fc_is_rounded(d) ? d.nearest : fc_exact_angle(s, qq, xx);
}

static int are_equal(fc_row a, fc_row b) {
    const size_t bytes = a.matrix->cols * fc_dtype_size(a.matrix->dtype);
    const char *of_a = a.matrix->data, *of_b = b.matrix->data;
    return a.matrix->dtype == b.matrix->dtype && memcmp(of_a + a.row * bytes, of_b + b.row * bytes, bytes) == 0;
}

/* By differences: of two rows that are not known to be equal. */
static double difference_by(const fc_pairs *p, fc_row q, fc_row x) {
    const fc_pair_kind kind = p->metric->refine;
    const fc_sum none = {0};
    const fc_distance d = p->kernels->distance[kind](sum_of(p, kind, q, x), none, none, fc_sum_error(p->Q.cols));
    double distance;
    if (fc_is_rounded(d)) return d.nearest;
    if (!(d.within < INFINITY) && fc_closer_distance(p->kernels, kind, q, x, &distance)) return distance;
    return fc_exact_distance(kind, q, x);
}

/* By products. */
static double angle_by(const fc_pairs *p, fc_row q, fc_sum qq, fc_row x, fc_sum xx) {
    const fc_sum s = product_of(p, q, qq.value.high, x, xx.value.high);
    fc_distance d = p->kernels->distance[FC_PAIR_product](s, qq, xx, fc_quick_error(p->Q.cols));
    if (fc_is_rounded(d)) return d.nearest;
    if (fc_is_tame(qq.value.high) && are_equal(q, x)) return 0; /* not needed for the answer: mostly it is this */
    d = fc_closer_angle(p->kernels, q, qq, x, xx, s);
    return fc_is_rounded(d) ? d.nearest : fc_exact_distance(FC_PAIR_product, q, x);
}

double fc_refine_by(const fc_pairs *p, size_t query, fc_sum qq, size_t row, fc_sum xx) {
    const fc_row q = query_of(p, query), x = row_of(p, row);
    if (p->dtype == FC_u8)
        return distance_of_bytes(p, byte_sum(p, p->metric->refine, q, x), qq.value.high, xx.value.high);
    return needs_squares(p) ? angle_by(p, q, qq, x, xx) : difference_by(p, q, x);
}

/* By s / sqrt(xx), none of which is negative: its square is of integers of 62 and 31 bits. */
static int order_of_byte_angles(const fc_pairs *p, fc_row q, fc_row a, fc_row b) {
    __extension__ typedef unsigned __int128 uint128;
    const uint64_t s = (uint64_t)byte_sum(p, FC_PAIR_product, q, a), t = (uint64_t)byte_sum(p, FC_PAIR_product, q, b);
    if (!s || !t) return (s == 0) - (t == 0);
    const uint128 left = (uint128)(s * s) * (uint64_t)byte_sum(p, FC_PAIR_product, b, b),
                  right = (uint128)(t * t) * (uint64_t)byte_sum(p, FC_PAIR_product, a, a);
    return (left < right) - (left > right);
}

/* -1, 0 or 1 as u is less than v, equal, or greater; 2 where it may be any of these.  At the same reported distance
 * they are so near that the difference of their `nearest` is exact.
 */
static int order_within(fc_distance u, fc_distance v) {
    const double gap = (u.nearest - v.nearest) + (u.rest - v.rest), margin = u.within + v.within;
    if (fabs(gap) > margin) return gap < 0 ? -1 : 1;
    return gap == 0 && margin == 0 ? 0 : 2;
}

/* Products are summed so that nothing is lost of zeros: rows at right angles tie. */
static int order_of_angles(const fc_pairs *p, fc_row q, fc_sum qq, fc_row a, fc_row b) {
    const double error = fc_quick_error(p->Q.cols);
    const fc_sum qa = sum_of(p, FC_PAIR_product, q, a), aa = fc_squares_of(p, &p->X, a.row);
    const fc_sum qb = sum_of(p, FC_PAIR_product, q, b), bb = fc_squares_of(p, &p->X, b.row);
    const int order = order_within(p->kernels->distance[FC_PAIR_product](qa, qq, aa, error),
                                   p->kernels->distance[FC_PAIR_product](qb, qq, bb, error));
    if (order != 2) return order;
    return order_within(fc_closer_angle(p->kernels, q, qq, a, aa, qa), fc_closer_angle(p->kernels, q, qq, b, bb, qb));
}

int fc_order_at(const fc_pairs *p, size_t query, fc_sum qq, size_t a, size_t b) {
    const fc_row q = query_of(p, query), u = row_of(p, a), v = row_of(p, b);
    if (a == b || fc_orders_all(p) || are_equal(u, v)) return 0;
    if (p->dtype == FC_u8) return order_of_byte_angles(p, q, u, v);
    const fc_pair_kind kind = p->metric->refine;
    const int order = needs_squares(p) ? order_of_angles(p, q, qq, u, v) : fc_closer_order(p->kernels, kind, q, u, v);
    return order == 2 ? fc_exact_order(kind, q, u, v) : order;
}

/* --- bounds --------------------------------------------------------------------------------------------------- */

/* Roundings of sums in float64, twice as many as there are, which covers those of the bounds. */
static double plain_error(const fc_pairs *p) { return ((double)p->Q.cols / 16 + 16) * 0x1p-52; }

/* Whether nothing but rounding is between plain sums and exact ones. */
static int has_bounds(fc_pair_kind kind, double s, double qq, double xx) {
    if (kind == FC_PAIR_absdiff) return s <= DBL_MAX / 2;
    return kind == FC_PAIR_sqdiff ? fc_is_tame(s) : fc_is_tame(qq) && fc_is_tame(xx);
}

fc_bounds fc_estimate(const fc_pairs *p, size_t query, fc_sum query_squares, size_t row) {
    const fc_row q = query_of(p, query), x = row_of(p, row);
    const double s = plain_sum(p, p->metric->refine, q, x),
                 xx = needs_squares(p) ? plain_sum(p, FC_PAIR_product, x, x) : 0;
    const double qq = query_squares.value.high;
    if (fc_orders_all(p)) return (fc_bounds){p->metric->distance(s, qq, xx), 0};
    if (!has_bounds(p->metric->refine, s, qq, xx)) return (fc_bounds){0, INFINITY};
    const double distance = p->metric->distance(s, qq, xx);
    const double off = plain_error(p) * (p->metric->degree ? distance : 1);
    return (fc_bounds){fmax(distance - off, 0), (float)(2 * off * (1 + 0x1p-20)) + FLT_MIN};
}
