#include "neighbors/exact.h"

#include <string.h>

#include "core/matrix.h"
#include "core/sizes.h"
#include "neighbors/wide.h"

enum { PART = 512 }; /* features of a row that are converted at a time */

static void add_absdiff(fc_wide *sum, double q, double x) {
    const double sign = q < x ? -1 : 1;
    fc_wide_add(sum, q, sign);
    fc_wide_add(sum, x, -sign);
}

static void add_sqdiff(fc_wide *sum, double q, double x) {
    fc_wide_add(sum, q, q);
    fc_wide_add(sum, x, x);
    fc_wide_add(sum, q, -x);
    fc_wide_add(sum, q, -x);
}

/* The sum over the features; false if a value is not finite. */
static int add_pair(fc_wide *sum, fc_pair_kind kind, fc_row a, fc_row b) {
    static void (*const add[FC_PAIR_COUNT])(fc_wide *, double, double) = {
        [FC_PAIR_absdiff] = add_absdiff, [FC_PAIR_sqdiff] = add_sqdiff, [FC_PAIR_product] = fc_wide_add};
    double buffer_a[PART], buffer_b[PART];
    const size_t d = a.matrix->cols;
    memset(sum, 0, sizeof *sum);
    for (size_t from = 0; from < d; from += PART) {
        const size_t count = fc_smaller(PART, d - from);
        const double *u = fc_row_part(a.matrix, a.row, from, count, FC_IN_f64, buffer_a);
        const double *v = fc_row_part(b.matrix, b.row, from, count, FC_IN_f64, buffer_b);
        for (size_t i = 0; i < count; i++) add[kind](sum, u[i], v[i]);
    }
    return !sum->not_finite;
}

static fc_big sum_of(fc_pair_kind kind, fc_row a, fc_row b) {
    fc_wide sum;
    add_pair(&sum, kind, a, b);
    return fc_big_of(&sum);
}

/* --- angles --------------------------------------------------------------------------------------------------- */

/* 1 - s / sqrt(p), of s^2 <= p. */
typedef struct {
    fc_big s, s2, p;
} angle;

static angle angle_of(const fc_big *s, const fc_big *qq, const fc_big *xx) {
    return (angle){*s, fc_big_product(s, s), fc_big_product(qq, xx)};
}

static double quotient(const fc_big *a, const fc_big *b) {
    int of_a, of_b;
    const double above = fc_big_leading(a, &of_a).high, below = fc_big_leading(b, &of_b).high;
    return ldexp(above / below, of_a - of_b);
}

/* About the angle, to a few roundings: 1 + c where the cosine -c is not positive, else (p - s^2) / p / (1 + c). */
static double about(const angle *a) {
    const fc_big n = fc_big_difference(&a->p, &a->s2);
    const double c = a->s.sign ? sqrt(quotient(&a->s2, &a->p)) : 0;
    if (a->s.sign <= 0) return 1 + c;
    return n.sign ? quotient(&n, &a->p) / (1 + c) : 0;
}

/* Compare the angle with the middle between v >= 0 and the float64 after it. */
static int compare_to_middle(const angle *a, double v) {
    fc_wide rest = {0}; /* 1 - the middle, to be compared with the cosine */
    fc_wide_add(&rest, 1, 1);
    fc_wide_add(&rest, -v, 1);
    fc_wide_add(&rest, v - nextafter(v, INFINITY), 0.5);
    const fc_big u = fc_big_of(&rest);
    if (u.sign != a->s.sign) return u.sign > a->s.sign ? 1 : -1;
    const fc_big u2 = fc_big_product(&u, &u), u2p = fc_big_product(&u2, &a->p);
    return u.sign * fc_big_compare(&u2p, &a->s2);
}

static int is_even(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits % 2 == 0;
}

static double rounded_angle(const angle *a) {
    if (!a->p.sign) return 1;
    if (fc_big_compare(&a->s2, &a->p) > 0) return NAN; /* values have changed between the sums */
    double v = about(a);
    for (int order; (order = compare_to_middle(a, v)) > 0 || (order == 0 && !is_even(v));) v = nextafter(v, INFINITY);
    while (v > 0) {
        const double less = nextafter(v, 0);
        const int order = compare_to_middle(a, less);
        if (order > 0 || (order == 0 && is_even(v))) break;
        v = less;
    }
    return v;
}

double fc_exact_angle(double s, double qq, double xx) {
    const double factors[] = {s, qq, xx};
    fc_big big[3];
    for (int i = 0; i < 3; i++) {
        fc_wide sum = {0};
        fc_wide_add(&sum, factors[i], 1);
        big[i] = fc_big_of(&sum);
    }
    const angle a = angle_of(&big[0], &big[1], &big[2]);
    return rounded_angle(&a);
}

/* By s / sqrt(xx): the row with the greater is nearer.  s is 0 where xx is. */
static int order_of_angles(fc_row q, fc_row a, fc_row b) {
    const fc_big of_a = sum_of(FC_PAIR_product, q, a), of_b = sum_of(FC_PAIR_product, q, b);
    if (of_a.sign != of_b.sign) return of_a.sign > of_b.sign ? -1 : 1;
    const fc_big aa = sum_of(FC_PAIR_product, a, a), bb = sum_of(FC_PAIR_product, b, b);
    const fc_big of_a2 = fc_big_product(&of_a, &of_a), of_b2 = fc_big_product(&of_b, &of_b);
    const fc_big left = fc_big_product(&of_a2, &bb), right = fc_big_product(&of_b2, &aa);
    return -of_a.sign * fc_big_compare(&left, &right);
}

/* -------------------------------------------------------------------------------------------------------------- */

double fc_exact_distance(const fc_metric_row *metric, fc_row q, fc_row x) {
    fc_wide sum;
    if (!add_pair(&sum, metric->pair, q, x)) return NAN;
    const fc_big s = fc_big_of(&sum);
    if (metric->form == FC_FORM_sum) return fc_big_rounded(&s);
    if (metric->form == FC_FORM_root) return fc_big_root(&s);
    if (metric->form == FC_FORM_minus) return s.sign ? -s.sign * fc_big_rounded(&s) : 0;
    const fc_big qq = sum_of(metric->pair, q, q), xx = sum_of(metric->pair, x, x);
    const angle a = angle_of(&s, &qq, &xx);
    return rounded_angle(&a);
}

int fc_exact_order(const fc_metric_row *metric, fc_row q, fc_row a, fc_row b) {
    if (metric->form == FC_FORM_angle) return order_of_angles(q, a, b);
    const fc_big of_a = sum_of(metric->pair, q, a), of_b = sum_of(metric->pair, q, b);
    const int order = of_a.sign == of_b.sign ? of_a.sign * fc_big_compare(&of_a, &of_b) : of_a.sign - of_b.sign;
    return metric->form == FC_FORM_minus ? (order < 0) - (order > 0) : (order > 0) - (order < 0);
}
