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

/* The largest of each lane, where NaN may count as any value. */
FC_INLINED VECTOR NAME(top_lanes)(const NAME(a_row) * r) {
    const size_t last = NAME(last_of)(r->n);
    VECTOR most = NAME(scores_at)(r->scores + last, r->n - last, r->readable - last, 0);
    for (size_t i = 0; i < last; i += NAME(LANES)) most = MAX(most, LOAD(r->scores + i));
    return most;
}

/* Write a row's e, padded by 0 to whole groups.  That may write up to FC_LANES values after the n: a band's rows are
 * written in their order, and scratch has a group more.  The scores that are `ahead` of these are asked for.
 */
FC_INLINED void NAME(exp_short)(const NAME(a_row) * r, TYPE *e, NAME(scaling) how, size_t ahead) {
    const size_t n = r->n, last = NAME(last_of)(n), whole = n / FC_LANES * FC_LANES;
    const NAME(ahead) next = NAME(ahead_of)(r, 0, ahead);
    for (size_t i = 0; i < last; i += NAME(LANES)) {
        const VECTOR v = NAME(exp_over)(LOAD(r->scores + i) - how.shift, how.base, how.cut);
        memcpy(e + i, &v, sizeof v);
        NAME(ask)(next, i);
    }
    const VECTOR z = NAME(scores_at)(r->scores + last, n - last, r->readable - last, 0) - how.shift;
    const VECTOR v = NAME(exp_over)(z, how.base, how.cut);
    if (whole < n) memset(e + n, 0, FC_LANES * sizeof *e);
    memcpy(e + last, &v, sizeof v);
}

/* Sum a row's e, as NAME(sum_row) does but for what it counts. */
FC_INLINED NAME(short_sums) NAME(sum_short)(const TYPE *e, size_t n, TYPE unit) {
    NAME(summed) sum = {{{{0}}}, {{{0}}}};
    int ties = 0;
    for (size_t i = 0; i < n; i += FC_LANES) {
        TYPE others[FC_LANES];
        FC_UNROLL
        for (size_t l = 0; l < FC_LANES; l += NAME(LANES)) {
            const VECTOR v = LOAD(e + i + l), other = (VECTOR)((v != ALL(unit)) & (INTEGERS)v);
            ties += __builtin_popcount(NAME(equal)(v, ALL(unit))); /* by what is no vector unit: those are busy */
            memcpy(others + l, &other, sizeof other);
        }
        NAME(add_values)(&sum, others);
    }
    for (int l = 0; l < LANE_VECTORS; l++) sum.sum.v[l] += sum.lost.v[l];
    return (NAME(short_sums)){sum_of_vectors(sum.sum), ties};
}

/* One row that is not special, as NAME(label_row) does it. */
static inline double NAME(label_short_row)(const NAME(a_row) * r) {
    TYPE *e = (TYPE *)r->buffer[0];
    const TYPE top = NAME(top_of)(NAME(top_lanes)(r));
    const NAME(scaling) how = NAME(scaled_by)(ALL(top));
    const VECTOR of_top = NAME(exp_over)(ALL(top) - how.shift, how.base, how.cut);
    const double unit = (double)of_top[0];
    NAME(exp_short)(r, e, how, NAME(BLOCK));
    const NAME(short_sums) sums = NAME(sum_short)(e, r->n, of_top[0]);
    return NAME(finish_label)(r, e, top, unit, sum_of_f64(sums.others) + (sums.ties - 1) * unit);
}
