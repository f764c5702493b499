/* pair.inc.h -- the terms of one pair of vectors, added to FC_LANES partial sums: of bytes what distances are made of,
 * of floats bounds on them.
 *
 * Floats: the two values as float64, one subtraction or product, one addition, each rounded once and never contracted;
 * lane l takes features l, l + 16, ...  The last, partial step goes one by one: a vector made of its few values would
 * wait for them to be stored.  Bytes: exact integers, added to lane 0.
 */

enum { PAIR_VECTORS = FC_LANES / F64_LANES };

static inline v_f64 sqdiff_term(v_f64 q, v_f64 x) { return (q - x) * (q - x); }
static inline v_f64 absdiff_term(v_f64 q, v_f64 x) { return abs_f64(q - x); }
static inline v_f64 product_term(v_f64 q, v_f64 x) { return q * x; }

static inline double sqdiff_one(double q, double x) { return (q - x) * (q - x); }
static inline double absdiff_one(double q, double x) { return fabs(q - x); }
static inline double product_one(double q, double x) { return q * x; }

static inline v_f64 widen_f64(const double *p) { return load_v_f64(p); }

#define FC_DEFINE_PAIR(kind, dtype, type) \
    static inline void add_##kind##_##dtype(v_f64 *acc, const type *q, const type *x) { \
        FC_UNROLL \
        for (int v = 0; v < PAIR_VECTORS; v++) \
            acc[v] += kind##_term(widen_##dtype(q + v * F64_LANES), widen_##dtype(x + v * F64_LANES)); \
    } \
    static void pair_##kind##_##dtype(double *lanes, const void *q, const void *x, size_t d) { \
        const type *a = q, *b = x; \
        if (d >= FC_LANES) { \
            v_f64 acc[PAIR_VECTORS]; \
            FC_UNROLL \
            for (int v = 0; v < PAIR_VECTORS; v++) acc[v] = load_v_f64(lanes + v * F64_LANES); \
            for (; d >= FC_LANES; d -= FC_LANES, a += FC_LANES, b += FC_LANES) add_##kind##_##dtype(acc, a, b); \
            FC_UNROLL \
            for (int v = 0; v < PAIR_VECTORS; v++) memcpy(lanes + v * F64_LANES, &acc[v], sizeof acc[v]); \
        } \
        for (size_t l = 0; l < d; l++) lanes[l] += kind##_one((double)a[l], (double)b[l]); \
    }

#define FC_DEFINE_PAIR_U8(kind) \
    static void pair_##kind##_u8(double *lanes, const void *q, const void *x, size_t d) { \
        v_i32 acc = {0}; \
        size_t i = 0; \
        for (; i + U8_STEP <= d; i += U8_STEP) \
            acc = pair_##kind##_u8_step(acc, (const uint8_t *)q + i, (const uint8_t *)x + i); \
        if (i < d) { \
            uint8_t a[U8_STEP], b[U8_STEP]; \
            take_u8(a, (const uint8_t *)q + i, d - i); \
            take_u8(b, (const uint8_t *)x + i, d - i); \
            acc = pair_##kind##_u8_step(acc, a, b); \
        } \
        lanes[0] += (double)total_i32(acc); \
    }

#define FC_PAIRS(X) X(sqdiff) X(absdiff) X(product)
#define FC_DEFINE_PAIRS(kind) FC_DEFINE_PAIR_U8(kind) FC_DEFINE_PAIR(kind, f32, float) FC_DEFINE_PAIR(kind, f64, double)
FC_PAIRS(FC_DEFINE_PAIRS)

#define FC_PAIR_ENTRY(kind) \
    [FC_PAIR_##kind] = {[FC_u8] = pair_##kind##_u8, [FC_f32] = pair_##kind##_f32, [FC_f64] = pair_##kind##_f64},
