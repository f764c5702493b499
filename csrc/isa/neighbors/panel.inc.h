/* panel.inc.h -- quick sums (quick.inc.h) of a query and the rows of a panel, a row a lane, and the distances that they
 * make.  What stays open is NaN.
 */
#ifndef FASTCLF_ISA_PANEL
#define FASTCLF_ISA_PANEL

#include "isa/neighbors/closer.inc.h"
#include "isa/neighbors/quick.inc.h"

enum { PANEL_VECTORS = FC_PANEL / F64_LANES, PANEL_GROUP = 4 }; /* vectors summed in registers together */

static inline v_f64 most_absdiff(double q, v_f64 x) { return q + x; }
static inline v_f64 most_sqdiff(double q, v_f64 x) { return q + x; }
static inline v_f64 most_product(double q, v_f64 x) { return q * x; }

/* 3 * 2^k for quick sums: 2^k is more than twice `most`. */
static inline v_f64 starts_for(v_f64 most) { return 12 * (v_f64)((v_i64)most & (int64_t)0x7ff << 52); }

/* 2 s - a - b: |q - x| = 2 max(q, x) - q - x, and (q - x)^2 = q^2 + x^2 - 2 q x with its sign changed. */
static inline v_pair twice_less(v_pair s, fc_twofold a, v_pair b) {
    const v_pair first = sum_of_two(2 * s.high, (v_f64){0} - a.high), both = sum_of_two(first.high, -b.high);
    return ordered_sum_of_two(both.high, both.low + (first.low + (2 * s.low - a.low - b.low)));
}

/* v.high where the distance is known to round to it; else NaN. */
static inline v_f64 rounded_or_nan(v_pair v, v_f64 within) {
    const v_i64 is_rounded = (v.high + (v.low - within) == v.high) & (v.high + (v.low + within) == v.high);
    return (v_f64)((v_i64)v.high | ~is_rounded);
}

static inline v_f64 roots_of(v_f64 v) {
    double roots[F64_LANES];
    memcpy(roots, &v, sizeof v);
    for (int l = 0; l < F64_LANES; l++) roots[l] = sqrt(roots[l]);
    return load_v_f64(roots);
}

/* From the sum of a pair's differences, which is off by at most `off`. */
static inline v_f64 finish_difference(v_pair sum, v_f64 off, fc_form form) {
    if (form == FC_FORM_sum) return rounded_or_nan(sum, off);
    const v_f64 root = roots_of(sum.high), square = root * root;
    const v_f64 left = (sum.high - square) - product_error(root, root, square) + sum.low;
    return rounded_or_nan(ordered_sum_of_two(root, left / (2 * root)), off / root + 0x1p-101 * root);
}

static inline v_f64 finish_absdiff(v_pair s, fc_twofold q, v_pair x, v_f64 most, double error, fc_form form) {
    return finish_difference(twice_less(s, q, x), error * most, form);
}

static inline v_f64 finish_sqdiff(v_pair s, fc_twofold q, v_pair x, v_f64 most, double error, fc_form form) {
    const v_pair negated = twice_less(s, q, x);
    return finish_difference((v_pair){-negated.high, -negated.low}, error * most, form);
}

/* Minus the sum, or the angle; q and x: one over the lengths. */
static inline v_f64 finish_product(v_pair s, fc_twofold q, v_pair x, v_f64 most, double error, fc_form form) {
    if (form == FC_FORM_minus) return rounded_or_nan((v_pair){-s.high, -s.low}, error * most);
    const v_twofold lengths = product_of_pairs((v_pair){(v_f64){0} + q.high, (v_f64){0} + q.low}, x);
    const v_twofold c = product_of_pairs(s, ordered_sum_of_two(lengths.term, lengths.error));
    const v_pair v = sum_of_pairs((v_pair){(v_f64){0} + 1, (v_f64){0}}, ordered_sum_of_two(-c.term, -c.error));
    return rounded_or_nan(v, (v_f64){0} + error);
}

/* Whether quick sums lose nothing that counts at the ends of float64's range; additions lose nothing at the lower. */
static inline v_i64 range_absdiff(v_f64 most) { return most <= FC_PANEL_MOST; }
static inline v_i64 range_sqdiff(v_f64 most) { return (most >= FC_PANEL_LEAST) & (most <= FC_PANEL_MOST); }
static inline v_i64 range_product(v_f64 most) { return range_sqdiff(most); }

#define FC_DEFINE_PANEL_SUMS(kind, what) \
    static void panel_start_##kind(fc_panel_sums *s, const fc_panel_total *q, const fc_panel_totals *x) { \
        for (int l = 0; l < FC_PANEL; l += F64_LANES) { \
            const v_f64 start = starts_for(most_##kind(q->most, load_v_f64(x->most + l))), none = {0}; \
            memcpy(s->sum + l, &start, sizeof start); \
            memcpy(s->rest + l, &none, sizeof none); \
        } \
    } \
    static void panel_add_##kind(fc_panel_sums *s, const double *q, const double *panel, size_t d, size_t rows) { \
        for (size_t l = 0; l < rows; l += PANEL_GROUP * F64_LANES) { \
            v_f64 sum[PANEL_GROUP], rest[PANEL_GROUP]; \
            memcpy(sum, s->sum + l, sizeof sum); \
            memcpy(rest, s->rest + l, sizeof rest); \
            for (size_t i = 0; i < d; i++) { \
                const v_f64 of_q = spread_f64(q + i); \
                FC_UNROLL \
                for (int v = 0; v < PANEL_GROUP; v++) \
                    add_##what(&sum[v], &rest[v], of_q, load_v_f64(panel + i * FC_PANEL + l + (size_t)v * F64_LANES)); \
            } \
            memcpy(s->sum + l, sum, sizeof sum); \
            memcpy(s->rest + l, rest, sizeof rest); \
        } \
    }
FC_DEFINE_PANEL_SUMS(absdiff, maximum)
FC_DEFINE_PANEL_SUMS(sqdiff, product)
FC_DEFINE_PANEL_SUMS(product, product)

#define FC_DEFINE_PANEL_FINISH(kind) \
    static void panel_finish_##kind(const fc_panel_sums *s, const fc_panel_total *q, const fc_panel_totals *x, \
                                    double error, fc_form form, double *distance) { \
        for (int l = 0; l < FC_PANEL; l += F64_LANES) { \
            const v_f64 most = most_##kind(q->most, load_v_f64(x->most + l)); \
            const v_pair of_x = {load_v_f64(x->high + l), load_v_f64(x->low + l)}; \
            const v_pair sum = sum_of_two(load_v_f64(s->sum + l) - starts_for(most), load_v_f64(s->rest + l)); \
            const v_i64 found = (v_i64)finish_##kind(sum, q->value, of_x, most, error, form) | ~range_##kind(most); \
            memcpy(distance + l, &found, sizeof found); \
        } \
    }
FC_DEFINE_PANEL_FINISH(absdiff)
FC_DEFINE_PANEL_FINISH(sqdiff)
FC_DEFINE_PANEL_FINISH(product)

#define FC_PANEL_ENTRY(kind) [FC_PAIR_##kind] = {panel_start_##kind, panel_add_##kind, panel_finish_##kind}
#define FC_PANEL_ENTRIES FC_PANEL_ENTRY(absdiff), FC_PANEL_ENTRY(sqdiff), FC_PANEL_ENTRY(product)

#endif
