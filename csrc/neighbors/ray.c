#include "neighbors/ray.h"

#include <math.h>

#include "neighbors/scaled.h"
#include "core/sizes.h"

static double value_at(fc_scaled v, size_t i) {
    double buffer[FC_LANES];
    fc_scaled_take(v, i, 1, buffer);
    return buffer[0];
}

/* The first feature whose value is not 0; the number of features if all are 0. */
static size_t first_feature(fc_row v) {
    const size_t d = v.matrix->cols;
    size_t i = 0;
    while (i < d && value_at((fc_scaled){v, 0}, i) == 0) i++;
    return i;
}

/* A vector times a power of two that brings `value`, one of its values, near 1, unless it is not far from 1. */
static fc_scaled scaled_by(fc_row v, double value) {
    const int exponent = ilogb(value);
    if (exponent > -256 && exponent < 256) return (fc_scaled){v, 0};
    return (fc_scaled){v, exponent < -1022 ? -1022 : exponent > 1022 ? 1022 : exponent};
}

/* Whether u b = v a.  Where nothing is lost to underflow, a product is exactly its high and low; so two products are
 * equal only if both parts are.
 */
static int are_equal_products(double u, double b, double v, double a) {
    if (a == 0 || b == 0) return a == b;
    const fc_twofold s = fc_two_product(u, b), t = fc_two_product(v, a);
    return fabs(s.high) > 0x1p-960 && fabs(s.high) < 0x1p990 && s.high == t.high && s.low == t.low;
}

int fc_on_one_ray(fc_row a, fc_row b) {
    const size_t d = a.matrix->cols, pivot = first_feature(a);
    if (pivot == d) return 0;
    const double first_a = value_at((fc_scaled){a, 0}, pivot), first_b = value_at((fc_scaled){b, 0}, pivot);
    if (first_b == 0 || !isfinite(first_a) || !isfinite(first_b) || (first_a < 0) != (first_b < 0)) return 0;
    const fc_scaled of_a = scaled_by(a, first_a), of_b = scaled_by(b, first_b);
    const double u = value_at(of_a, pivot), v = value_at(of_b, pivot);
    double part_a[FC_SCALED_PART], part_b[FC_SCALED_PART];
    for (size_t from = 0, count; from < d; from += count) {
        count = fc_smaller(from ? FC_SCALED_PART : FC_LANES, d - from); /* mostly a few tell */
        if (fc_scaled_take(of_a, from, count, part_a) || fc_scaled_take(of_b, from, count, part_b)) return 0;
        for (size_t i = 0; i < count; i++)
            if (!are_equal_products(u, part_b[i], v, part_a[i])) return 0;
    }
    return 1;
}
