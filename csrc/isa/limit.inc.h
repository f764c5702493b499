/* limit.inc.h -- a bound on the k-th least of some values, none of them negative. */

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

static int64_t bits_of(double v) { return load_i64(&v); }
static double of_bits(int64_t bits) { return load_f64(&bits); }

/* Values that are not negative are in the order of their bits: halving the range of these ends within 64 steps whatever
 * the values are, mostly within ten, and counting needs no branch that the data decides.
 */
static double limit_of(const double *v, size_t n, size_t k, size_t enough) {
    double least, most;
    find_range(v, n, &least, &most);
    if (count_up_to(v, n, least) >= k) return least;
    int64_t below = bits_of(least), high = bits_of(most);
    while (high - below > 1) {
        const int64_t middle = below + (high - below) / 2;
        const size_t count = count_up_to(v, n, of_bits(middle));
        if (count < k) {
            below = middle;
            continue;
        }
        high = middle;
        if (count <= enough) break;
    }
    return of_bits(high);
}
