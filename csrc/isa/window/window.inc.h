/* window.inc.h -- included for each float type: activations of hidden layers, and steps of Adagrad.  Needs
 * floats.inc.h.
 */

/* Keep the first of `n` values, rounded to the type. */
static inline void NAME(put_some)(TYPE *to, v_f64 v, size_t n) {
    TYPE some[F64_LANES];
    NAME(narrow)(some, v);
    memcpy(to, some, (n < F64_LANES ? n : F64_LANES) * sizeof *to);
}

#define FC_DEFINE_ACTIVATION(name, value, slope) \
    static void NAME(activate_##name)(const void *sums, size_t n, void *values) { \
        for (size_t i = 0; i < n; i += F64_LANES) { \
            const v_f64 s = NAME(run_at)(sums, i, n); \
            NAME(put_some)((TYPE *)values + i, value, n - i); \
        } \
    } \
    static void NAME(turn_back_##name)(const double *by_value, const void *values, size_t n, void *by_sum) { \
        for (size_t i = 0; i < n; i += F64_LANES) { \
            const v_f64 y = NAME(run_at)(values, i, n), g = run_at_f64(by_value, i, n); \
            NAME(put_some)((TYPE *)by_sum + i, g * (slope), n - i); \
        } \
    }
FC_ACTIVATIONS(FC_DEFINE_ACTIVATION)
#undef FC_DEFINE_ACTIVATION

static void NAME(adagrad)(void *weights, void *squares, const double *gradients, size_t n, double rate) {
    TYPE *w = weights, *sum = squares;
    for (size_t i = 0; i < n; i++) {
        const TYPE g = (TYPE)gradients[i];
        sum[i] += g * g;
        w[i] -= (TYPE)rate * g / (NAME(root)(sum[i]) + (TYPE)1e-10);
    }
}

#define FC_ACTIVATE_ENTRY_f32(name, ...) [FC_##name] = activate_##name##_f32,
#define FC_ACTIVATE_ENTRY_f64(name, ...) [FC_##name] = activate_##name##_f64,
#define FC_TURN_BACK_ENTRY_f32(name, ...) [FC_##name] = turn_back_##name##_f32,
#define FC_TURN_BACK_ENTRY_f64(name, ...) [FC_##name] = turn_back_##name##_f64,
#define FC_WINDOW_ENTRY_OF(dtype) \
    [FC_IN_##dtype] = {.activate = {FC_ACTIVATIONS(FC_ACTIVATE_ENTRY_##dtype)}, \
                       .backward = {FC_ACTIVATIONS(FC_TURN_BACK_ENTRY_##dtype)}, \
                       .adagrad = adagrad_##dtype},
