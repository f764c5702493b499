/* short.inc.h -- included for each float type of scores: rows of at most a block, whose largest score is known before
 * the first exponential, so that scores are not copied.  The operations are those of softmax.inc.h; but e that equal
 * `unit` are counted, not scores that equal the largest.  Needs rows.inc.h and softmax.inc.h.
 *
 * Exponentials and their sum are loops of their own: together, an exponential's long chain of operations and the sum's
 * would leave the processor waiting.
 */

/* Partial sums of a row's e, but for those that equal `unit`; and how many these are. */
typedef struct {
    v_f64 others;
    int ties;
} NAME(short_sums);

/* Where the last vector of n values begins: it ends with them, and overlaps the one before. */
static inline size_t NAME(last_of)(size_t n) { return n > NAME(LANES) ? n - NAME(LANES) : 0; }

/* The largest of each lane, where NaN may count as any value. */
FC_INLINED VECTOR NAME(top_lanes)(const TYPE *scores, size_t n, size_t readable) {
    const size_t last = NAME(last_of)(n);
    VECTOR most = NAME(scores_at)(scores + last, n - last, readable - last, 0);
    for (size_t i = 0; i < last; i += NAME(LANES)) most = MAX(most, LOAD(scores + i));
    return most;
}

/* Write a row's e, padded by 0 to whole groups. */
FC_INLINED void NAME(exp_short)(const TYPE *scores, size_t n, size_t readable, TYPE *e, NAME(scaling) how,
                                NAME(ahead) ahead) {
    const size_t last = NAME(last_of)(n), padded = n / FC_LANES * FC_LANES;
    for (size_t i = 0; i < last; i += NAME(LANES)) {
        const VECTOR v = NAME(exp_over)(LOAD(scores + i) - how.shift, how.base, how.cut);
        memcpy(e + i, &v, sizeof v);
        NAME(ask)(ahead, i);
    }
    const VECTOR z = NAME(scores_at)(scores + last, n - last, readable - last, 0) - how.shift;
    const VECTOR v = NAME(exp_over)(z, how.base, how.cut);
    if (padded < n) memset(e + n, 0, FC_LANES * sizeof *e);
    memcpy(e + last, &v, sizeof v);
}

FC_INLINED NAME(short_sums) NAME(sum_short)(const TYPE *e, size_t n, TYPE unit) {
    NAME(summed) sum = {{{{0}}}, {{{0}}}};
    int ties = 0;
    for (size_t i = 0; i < n; i += FC_LANES) {
        TYPE others[FC_LANES];
        FC_UNROLL
        for (size_t l = 0; l < FC_LANES; l += NAME(LANES)) {
            const VECTOR v = LOAD(e + i + l);
            const VECTOR other = (VECTOR)((v != ALL(unit)) & (INTEGERS)v);
            ties += __builtin_popcount(NAME(equal)(v, ALL(unit)));
            memcpy(others + l, &other, sizeof other);
        }
        FC_UNROLL
        for (int l = 0; l < LANE_VECTORS; l++)
            sum.sum.v[l] = NAME(plus)(sum.sum.v[l], NAME(widen)(others + l * F64_LANES), &sum.lost.v[l]);
    }
    for (int l = 0; l < LANE_VECTORS; l++) sum.sum.v[l] += sum.lost.v[l];
    for (int half = LANE_VECTORS / 2; half; half /= 2)
        for (int l = 0; l < half; l++) sum.sum.v[l] += sum.sum.v[l + half];
    return (NAME(short_sums)){sum.sum.v[0], ties};
}

/* One row that is not special, as NAME(label_row) does it. */
static inline double NAME(label_short_row)(const NAME(a_row) * r) {
    const size_t label = (size_t)*r->label;
    TYPE *e = (TYPE *)r->buffer[0];
    const TYPE top = NAME(top_of)(NAME(top_lanes)(r->scores, r->n, r->readable)), score = r->scores[label];
    const NAME(scaling) how = NAME(scaled_by)(ALL(top));
    const VECTOR of_top = NAME(exp_over)(ALL(top) - how.shift, how.base, how.cut);
    const double unit = (double)of_top[0];
    NAME(exp_short)(r->scores, r->n, r->readable, e, how, NAME(ahead_of)(r, 0, NAME(BLOCK)));
    const NAME(short_sums) sums = NAME(sum_short)(e, r->n, of_top[0]);
    const double others = sum_of_f64(sums.others) + (sums.ties - 1) * unit;
    if (!(top < (TYPE)INFINITY && top > -(TYPE)INFINITY && others / unit < (double)INFINITY)) return (double)NAN;
    if (r->gradient) {
        const double factor = r->factor / (unit + others), rest = unit + (others - (double)e[label]);
        NAME(put_scaled)(r->gradient, e, r->n, factor);
        r->gradient[label] = (TYPE)((0 - (score == top ? others : rest)) * factor);
    }
    *r->ratio = others / unit;
    return (double)top - (double)score;
}
