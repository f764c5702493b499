/* metrics.h -- the formulas of FC_METRICS, functions of each metric by its name.
 *
 *   rank          what grows with the distance, from 2P and the sums of both vectors
 *   error         |rank| is off by at most g * error, when every sum is off by a part g of its sum of absolute terms
 *   undo          distance from rank
 *   length        of q-x by the metric's norm, at that distance: sketches and trees use it
 *   distance      from the pair's sum s and the vectors' sums of squares qq and xx, in float64.  Of bytes it is what is
 *                 reported, unless the form is an angle.  Else it is within (d / 16 + 16) 2^-52 of that: relative,
 *                 absolute where the degree is 0, or of products as a part of |q| |x|
 *
 * and four that split  rank - g * error <= rank of `threshold`  into parts by row and by query:
 *
 *      2P + row_factor(x) * query_factor(q) + query_part(q) >= row_part(x)
 */
#ifndef FASTCLF_METRICS_H
#define FASTCLF_METRICS_H

#include <math.h>

#include "neighbors/kernels.h"

/* Every metric's functions are given the same. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* --- l1: sum |q-x| -------------------------------------------------------------------------------------------- */

static inline double l1_rank(double P2, const fc_sums *q, const fc_sums *x) { return q->sum + x->sum - P2; }
static inline double l1_error(double rank, const fc_sums *q, const fc_sums *x) { return 2 * (q->abs + x->abs); }
static inline double l1_undo(double rank) { return rank; }
static inline double l1_length(double distance) { return distance; }
static inline double l1_row_part(const fc_sums *x, double g) { return x->sum - g * 2 * x->abs; }
static inline double l1_row_factor(const fc_sums *x) { return 0; }
static inline double l1_query_factor(const fc_sums *q, double threshold, double g) { return 0; }
static inline double l1_query_part(const fc_sums *q, double threshold, double g) {
    return threshold - q->sum + g * 2 * q->abs;
}
static inline double l1_distance(double s, double qq, double xx) { return s; }

/* --- l2: the root of sum (q-x)^2 ------------------------------------------------------------------------------ */

static inline double l2_rank(double P2, const fc_sums *q, const fc_sums *x) { return q->sq + x->sq - P2; }
static inline double l2_error(double rank, const fc_sums *q, const fc_sums *x) { return 2 * (q->sq + x->sq); }
static inline double l2_undo(double rank) { return sqrt(rank); }
static inline double l2_length(double distance) { return distance; }
static inline double l2_row_part(const fc_sums *x, double g) { return x->sq - g * 2 * x->sq; }
static inline double l2_row_factor(const fc_sums *x) { return 0; }
static inline double l2_query_factor(const fc_sums *q, double threshold, double g) { return 0; }
static inline double l2_query_part(const fc_sums *q, double threshold, double g) {
    return threshold * threshold - q->sq + g * 2 * q->sq;
}
static inline double l2_distance(double s, double qq, double xx) { return sqrt(s); }

/* --- cosine: 1 - q x / (|q| |x|) ------------------------------------------------------------------------------
 *
 * With P off by at most g |q| |x| and each length by g / 2 of itself, the rank is off by less than 4 g.  A zero vector
 * is at distance 1 from everything, as scikit-learn has it.
 */

static inline double cosine_rank(double P2, const fc_sums *q, const fc_sums *x) {
    return 1 - P2 / (2 * sqrt(q->sq) * sqrt(x->sq));
}
static inline double cosine_error(double rank, const fc_sums *q, const fc_sums *x) { return 4; }
static inline double cosine_undo(double rank) { return rank; }
static inline double cosine_length(double distance) { return sqrt(2 * distance); }
static inline double cosine_row_part(const fc_sums *x, double g) { return 0; }
static inline double cosine_row_factor(const fc_sums *x) { return sqrt(x->sq); }
static inline double cosine_query_factor(const fc_sums *q, double threshold, double g) {
    return 2 * (threshold - 1 + g * 4) * sqrt(q->sq);
}
static inline double cosine_query_part(const fc_sums *q, double threshold, double g) { return 0; }
static inline double cosine_distance(double s, double qq, double xx) {
    return qq > 0 && xx > 0 ? fmin(fmax(1 - s / sqrt(qq * xx), 0), 2) : 1;
}

/* --- sqeuclidean: sum (q-x)^2 --------------------------------------------------------------------------------------
 *
 * Distances below float64's range are 0.  Adding 2^-1074 gives back at least what the threshold has lost there.
 */

static inline double sqeuclidean_rank(double P2, const fc_sums *q, const fc_sums *x) { return l2_rank(P2, q, x); }
static inline double sqeuclidean_error(double rank, const fc_sums *q, const fc_sums *x) { return l2_error(rank, q, x); }
static inline double sqeuclidean_undo(double rank) { return rank; }
static inline double sqeuclidean_length(double distance) { return sqrt(distance + 0x1p-1074); }
static inline double sqeuclidean_row_part(const fc_sums *x, double g) { return l2_row_part(x, g); }
static inline double sqeuclidean_row_factor(const fc_sums *x) { return 0; }
static inline double sqeuclidean_query_factor(const fc_sums *q, double threshold, double g) { return 0; }
static inline double sqeuclidean_query_part(const fc_sums *q, double threshold, double g) {
    return threshold - q->sq + g * 2 * q->sq;
}
static inline double sqeuclidean_distance(double s, double qq, double xx) { return s; }

/* --- chebyshev: max |q-x| ---------------------------------------------------------------------------------------
 *
 * No centre moves the values, so each difference is off by a part of itself, and so is the largest.  1 / (1 - g) is at
 * most 1 + 2g where g is at most 1/2; where it is not, nothing is proven.
 */

static inline double chebyshev_rank(double P2, const fc_sums *q, const fc_sums *x) { return -P2; }
static inline double chebyshev_error(double rank, const fc_sums *q, const fc_sums *x) { return rank; }
static inline double chebyshev_undo(double rank) { return rank; }
static inline double chebyshev_length(double distance) { return distance; }
static inline double chebyshev_row_part(const fc_sums *x, double g) { return 0; }
static inline double chebyshev_row_factor(const fc_sums *x) { return 0; }
static inline double chebyshev_query_factor(const fc_sums *q, double threshold, double g) { return 0; }
static inline double chebyshev_query_part(const fc_sums *q, double threshold, double g) {
    return threshold * (1 + 2 * g);
}
static inline double chebyshev_distance(double s, double qq, double xx) { return s; }

/* --- inner_product: minus sum q x -------------------------------------------------------------------------------
 *
 * P is off by at most g |q| |x|.  The lengths are known to a part g / 2 of themselves: twice as much covers that.  No
 * difference of vectors has a length at a product.
 */

static inline double inner_product_rank(double P2, const fc_sums *q, const fc_sums *x) { return -P2 / 2; }
static inline double inner_product_error(double rank, const fc_sums *q, const fc_sums *x) {
    return 2 * sqrt(q->sq) * sqrt(x->sq);
}
static inline double inner_product_undo(double rank) { return rank; }
static inline double inner_product_length(double distance) { return NAN; }
static inline double inner_product_row_part(const fc_sums *x, double g) { return 0; }
static inline double inner_product_row_factor(const fc_sums *x) { return sqrt(x->sq); }
static inline double inner_product_query_factor(const fc_sums *q, double threshold, double g) {
    return 4 * g * sqrt(q->sq);
}
static inline double inner_product_query_part(const fc_sums *q, double threshold, double g) { return 2 * threshold; }
static inline double inner_product_distance(double s, double qq, double xx) { return -s; }

#pragma GCC diagnostic pop

#endif
