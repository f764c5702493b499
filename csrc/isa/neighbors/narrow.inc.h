/* narrow.inc.h -- the distances of a query from some rows of few features, a row a lane: the same sums as in sum.inc.h,
 * which need not be folded here.  What stays open is NaN.
 */
#ifndef FASTCLF_ISA_NARROW
#define FASTCLF_ISA_NARROW

#include "isa/neighbors/panel.inc.h"

/* fc_has_range of a vector of sums. */
static inline v_i64 narrow_range_absdiff(v_f64 sum) { return sum <= DBL_MAX; }
static inline v_i64 narrow_range_sqdiff(v_f64 sum) { return (sum > 1e-140) & (sum < 1e140); }

/* `off` of the sums that have lost something, else 0. */
static inline v_f64 off_where(v_i64 lost, v_f64 off) { return (v_f64)((v_i64)off & ((lost & INT64_MAX) != 0)); }

#define FC_DEFINE_NARROW(kind) \
    static void narrow_##kind(const double *q, const double *panel, size_t d, size_t rows, double error, fc_form form, \
                              double *distance) { \
        for (size_t l = 0; l < rows; l += F64_LANES) { \
            v_f64 high = {0}, low = {0}; \
            v_i64 lost = {0}; \
            for (size_t i = 0; i < d; i++) \
                add_term(&high, &low, &lost, kind##_twofold(spread_f64(q + i), load_v_f64(panel + i * FC_PANEL + l))); \
            const v_f64 off = off_where(lost, error * high); \
            const v_i64 found = \
                (v_i64)finish_difference(ordered_sum_of_two(high, low), off, form) | ~narrow_range_##kind(high); \
            memcpy(distance + l, &found, sizeof found); \
        } \
    }
FC_DEFINE_NARROW(absdiff)
FC_DEFINE_NARROW(sqdiff)

#define FC_NARROW_ENTRIES [FC_PAIR_absdiff] = narrow_absdiff, [FC_PAIR_sqdiff] = narrow_sqdiff

#endif
