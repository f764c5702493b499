/* load_float.inc.h -- load.inc.h's functions for one float TYPE; NAME adds its suffix.  Needs isa.h. */

enum { NAME(LOAD) = FC_VBYTES / sizeof(TYPE) };

static inline double NAME(total)(NAME(v) v) {
    double t[2] = {0};
    for (int l = 0; l < NAME(LOAD); l++) t[l % 2] += (double)v[l];
    return t[0] + t[1];
}

static inline NAME(v) NAME(take)(const TYPE *x, size_t left) {
    if (left >= NAME(LOAD)) return NAME(load_v)(x);
    TYPE v[NAME(LOAD)] = {0};
    memcpy(v, x, left * sizeof(TYPE));
    return NAME(load_v)(v);
}

static inline NAME(v) NAME(take_centred)(const TYPE *x, const TYPE *centre, size_t i, size_t count) {
    const NAME(v) v = NAME(take)(x + i, count - i);
    return centre ? v - NAME(take)(centre + i, count - i) : v;
}

static void NAME(load_dot)(const void *x, const void *centre, size_t count, void *out, fc_sums *sums) {
    NAME(v) sq = {0};
    for (size_t i = 0; i < count; i += NAME(LOAD)) {
        const NAME(v) v = NAME(take_centred)(x, centre, i, count);
        memcpy((TYPE *)out + i, &v, sizeof v);
        sq += v * v;
    }
    sums->sq += NAME(total)(sq);
}

static void NAME(load_min)(const void *x, const void *centre, size_t count, void *out, fc_sums *sums) {
    NAME(v) sum = {0}, abs = {0};
    for (size_t i = 0; i < count; i += NAME(LOAD)) {
        const NAME(v) v = NAME(take_centred)(x, centre, i, count);
        memcpy((TYPE *)out + i, &v, sizeof v);
        sum += v;
        abs += NAME(abs)(v);
    }
    sums->sum += NAME(total)(sum);
    sums->abs += NAME(total)(abs);
}
