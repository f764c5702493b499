/* float.inc.h -- included for each float type: what templates of several families share.  Needs isa.h. */

enum { NAME(LANES) = FC_VBYTES / (int)sizeof(TYPE) };

/* Transpose a square matrix of LANES x LANES in log2(LANES) rounds; each interleaves the first half with the second. */
static inline void NAME(transpose)(VECTOR *v) {
    VECTOR u[NAME(LANES)];
    FC_UNROLL
    for (int round = 1; round < NAME(LANES); round *= 2) {
        FC_UNROLL
        for (int i = 0; i < NAME(LANES) / 2; i++) {
            u[2 * i] = NAME(zip_low)(v[i], v[i + NAME(LANES) / 2]);
            u[2 * i + 1] = NAME(zip_high)(v[i], v[i + NAME(LANES) / 2]);
        }
        FC_UNROLL
        for (int i = 0; i < NAME(LANES); i++) v[i] = u[i];
    }
}

/* Values i, i + 1, ... of n, in float64; 0 after the last. */
static inline v_f64 NAME(run_at)(const TYPE *values, size_t i, size_t n) {
    TYPE last[F64_LANES] = {0};
    if (i + F64_LANES <= n) return NAME(widen)(values + i);
    for (size_t l = 0; i + l < n; l++) last[l] = values[i + l];
    return NAME(widen)(last);
}
