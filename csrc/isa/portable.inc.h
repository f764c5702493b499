/* portable.inc.h -- the specification of every step, in plain C: what an instruction set's header does not replace.
 * Needs vectors.h.
 */

#define FC_EACH(lanes) for (int l = 0; l < (lanes); l++)

static inline v_f32 spread_f32(const void *p) {
    v_f32 v;
    FC_EACH (F32_LANES) v[l] = *(const float *)p;
    return v;
}
static inline v_f64 spread_f64(const void *p) {
    v_f64 v;
    FC_EACH (F64_LANES) v[l] = *(const double *)p;
    return v;
}
static inline v_i32 spread_i32(const void *p) { return (v_i32){0} + load_i32(p); }
static inline v_i64 spread_i64(const void *p) { return (v_i64){0} + load_i64(p); }

static inline v_f32 step_min_f32(v_f32 acc, v_f32 q, v_f32 x) {
    FC_EACH (F32_LANES) acc[l] += q[l] < x[l] ? q[l] : x[l];
    return acc;
}
static inline v_f64 step_min_f64(v_f64 acc, v_f64 q, v_f64 x) {
    FC_EACH (F64_LANES) acc[l] += q[l] < x[l] ? q[l] : x[l];
    return acc;
}

/* a + b, where it is inexact such that its last bit is 1 ("rounded to odd"): rounding it again to fewer bits, or a sum
 * with it, is then right.
 */
static inline double sum_to_odd(double a, double b) {
    const fc_twofold sum = fc_two_sum(a, b);
    int64_t bits = load_i64(&sum.high);
    if ((sum.low > 0 || sum.low < 0) && bits % 2 == 0) bits += (sum.low > 0) == (sum.high > 0) ? 1 : -1;
    return load_f64(&bits);
}

/* a b + c, rounded once.  The product of float32 is exact in float64.  That of float64 is a sum of two; the lesser
 * parts of the whole sum are rounded to odd [1].  C's function, which takes much longer, has the ends of the range.
 *
 * [1] S. Boldo and G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to
 * odd", IEEE Transactions on Computers 57(4), 2008.
 */
static inline float fma_one_f32(float a, float b, float c) { return (float)sum_to_odd((double)a * b, (double)c); }
static inline double fma_one_f64(double a, double b, double c) {
    const double product = a * b, least = 0x1p-900, most = 0x1p900;
    if (a == 0 || b == 0) return product + c;
    if (!(fabs(product) > least && fabs(product) < most && fabs(a) < most && fabs(b) < most && fabs(c) < most))
        return fma(a, b, c);
    const fc_twofold parts = fc_two_product(a, b), low = fc_two_sum(c, parts.low),
                     high = fc_two_sum(parts.high, low.high);
    return high.high + sum_to_odd(high.low, low.low);
}
static inline v_f32 fma_f32(v_f32 a, v_f32 b, v_f32 c) {
    v_f32 v;
    FC_EACH (F32_LANES) v[l] = fma_one_f32(a[l], b[l], c[l]);
    return v;
}
static inline v_f64 fma_f64(v_f64 a, v_f64 b, v_f64 c) {
    v_f64 v;
    FC_EACH (F64_LANES) v[l] = fma_one_f64(a[l], b[l], c[l]);
    return v;
}
static inline v_f32 max_f32(v_f32 a, v_f32 b) {
    FC_EACH (F32_LANES) a[l] = a[l] > b[l] ? a[l] : b[l];
    return a;
}
static inline v_f64 max_f64(v_f64 a, v_f64 b) {
    FC_EACH (F64_LANES) a[l] = a[l] > b[l] ? a[l] : b[l];
    return a;
}

static inline void narrow_f32(float *to, v_f64 v) {
    FC_EACH (F64_LANES) to[l] = (float)v[l];
}
static inline half_i32 narrow_i64(v_i64 v) {
    half_i32 low;
    FC_EACH (F64_LANES) low[l] = (int32_t)v[l];
    return low;
}

static inline unsigned not_less_f32(v_f32 a, v_f32 b) {
    unsigned bits = 0;
    FC_EACH (F32_LANES) bits |= (unsigned)!(a[l] < b[l]) << l;
    return bits;
}
static inline unsigned not_less_f64(v_f64 a, v_f64 b) {
    unsigned bits = 0;
    FC_EACH (F64_LANES) bits |= (unsigned)!(a[l] < b[l]) << l;
    return bits;
}
static inline unsigned equal_f32(v_f32 a, v_f32 b) {
    unsigned bits = 0;
    FC_EACH (F32_LANES) bits |= (unsigned)(a[l] == b[l]) << l;
    return bits;
}
static inline unsigned equal_f64(v_f64 a, v_f64 b) {
    unsigned bits = 0;
    FC_EACH (F64_LANES) bits |= (unsigned)(a[l] == b[l]) << l;
    return bits;
}

static inline v_f64 widen_f32(const float *p) {
    v_f64 v;
    FC_EACH (F64_LANES) v[l] = (double)p[l];
    return v;
}
