/* select.inc.h -- a bound on the k-th least of some values. */
#ifndef FASTCLF_ISA_SELECT
#define FASTCLF_ISA_SELECT

#include "isa/math.inc.h"

static size_t count_up_to(const double *v, size_t n, double most) {
    v_i64 counts = {0};
    size_t i = 0, count = 0;
    for (; i + F64_LANES <= n; i += F64_LANES) counts -= load_v_f64(v + i) <= all_f64(most);
    for (; i < n; i++) count += v[i] <= most;
    for (int l = 0; l < F64_LANES; l++) count += (size_t)counts[l];
    return count;
}

static void find_range(const double *v, size_t n, double *least, double *most) {
    v_f64 high = all_f64(v[0]), low = -high; /* low: the greatest of -v */
    size_t i = 0;
    for (; i + F64_LANES <= n; i += F64_LANES) {
        high = max_f64(high, load_v_f64(v + i));
        low = max_f64(low, -load_v_f64(v + i));
    }
    *least = *most = v[0];
    for (; i < n; i++) {
        *least = v[i] < *least ? v[i] : *least;
        *most = v[i] > *most ? v[i] : *most;
    }
    for (int l = 0; l < F64_LANES; l++) {
        *least = -low[l] < *least ? -low[l] : *least;
        *most = high[l] > *most ? high[l] : *most;
    }
}

/* A number in the order of the values: their bits, but of negative values those of -v with the sign changed. */
static int64_t place_of(double v) {
    const int64_t bits = load_i64(&v);
    return bits < 0 ? INT64_MIN - bits : bits;
}
static double at_place(int64_t place) {
    const int64_t bits = place < 0 ? INT64_MIN - place : place;
    return load_f64(&bits);
}
static uint64_t places_between(int64_t low, int64_t high) { return (uint64_t)high - (uint64_t)low; }

/* Halving the range of places ends within 64 steps whatever the values are, mostly within ten or, where some are
 * negative, twenty; and counting needs no branch that the data decides.
 */
static double kth_least(const double *v, size_t n, size_t k, size_t enough) {
    double least, most;
    find_range(v, n, &least, &most);
    if (count_up_to(v, n, least) >= k) return least;
    int64_t below = place_of(least), high = place_of(most);
    while (places_between(below, high) > 1) {
        const int64_t middle = below + (int64_t)(places_between(below, high) / 2);
        const size_t count = count_up_to(v, n, at_place(middle));
        if (count < k) {
            below = middle;
            continue;
        }
        high = middle;
        if (count <= enough) break;
    }
    return at_place(high);
}

#endif
