/* portable.inc.h -- the specification of every step, in plain C: what an instruction set's header does not replace. */

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

static inline v_f64 widen_f32(const float *p) {
    v_f64 v;
    FC_EACH (F64_LANES) v[l] = (double)p[l];
    return v;
}
