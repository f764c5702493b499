/* softmax.inc.h -- included for each float type of scores: the losses that take a softmax.  Needs rows.inc.h.
 *
 * A row's scores z become e_i = exp(z_i) / 2^m.  The m brings the largest of the first block near 2^HEADROOM, so that
 * the e reach far enough below the largest of all.  The largest, `unit`, stays out of the sum of the others: so what is
 * small beside it keeps its digits.  The loss of a good guess is log(1 + others / unit), and its gradient others / sum.
 * Scores equal to the largest are counted; the first of them is `unit`.  (short.inc.h counts otherwise.)
 *
 * A block is read, searched for its largest and turned into e while memory brings the next.  The row is computed a
 * second time, from its own largest, only where a later block rises RISE or more above the first.
 *
 * Where the first block's largest is outside -LIMIT to LIMIT, it is first subtracted from the scores; the second time,
 * the row's largest is.  That is exact for all scores within a factor of 2 of it; others are so far below it that they
 * do not count.
 */
enum { NAME(BLOCK) = 4096 / (int)sizeof(TYPE) };

typedef struct {
    TYPE *z, *e; /* as they were, in scratch, padded by -inf; e as above, padded by 0 */
    double top, others, unit, sum;
    size_t at; /* of the largest, the first of equals */
} NAME(softened);

/* What turns scores into e. */
typedef struct {
    VECTOR shift, base, cut;
} NAME(scaling);

static inline NAME(scaling) NAME(scaled_by)(VECTOR top) {
    const INTEGERS far = ~((top >= -NAME(LIMIT)) & (top <= NAME(LIMIT)));
    const VECTOR shift = (VECTOR)(far & (INTEGERS)top), highest = top - shift;
    const NAME(scaling) s = {shift, NAME(shifted)(highest) - (NAME(HEADROOM) + NAME(BIAS)), highest - NAME(DEPTH)};
    return s;
}

/* Copy scores to scratch; returns their largest, where NaN may count as any value. */
static inline TYPE NAME(copy_top)(const NAME(a_row) * r, TYPE *z, size_t from, size_t to) {
    VECTOR most = ALL((TYPE)-INFINITY);
    for (size_t i = from; i < to; i += NAME(LANES)) {
        const VECTOR v = NAME(scores_at)(r->scores, r->n, r->readable, i);
        memcpy(z + i, &v, sizeof v);
        most = MAX(most, v);
    }
    return NAME(top_of)(most);
}

/* z to e. */
static inline void NAME(exp_block)(const NAME(a_row) * r, NAME(scaling) how, NAME(softened) * s, size_t from,
                                   size_t to) {
    const NAME(ahead) ahead = NAME(ahead_of)(r, from, NAME(BLOCK));
    for (size_t i = from; i < to; i += NAME(LANES)) {
        const VECTOR v = NAME(exp_over)(LOAD(s->z + i) - how.shift, how.base, how.cut);
        memcpy(s->e + i, &v, sizeof v);
        NAME(ask)(ahead, i);
    }
}

/* Fill z and e, and find the largest. */
FC_INLINED void NAME(exp_row)(const NAME(a_row) * r, NAME(softened) * s) {
    const size_t size = r->groups * FC_LANES, block = NAME(BLOCK);
    TYPE first = 0, top = (TYPE)-INFINITY;
    NAME(scaling) how = {0};
    int again = 0;
    FC_STRETCHES (from, size, block) {
        const size_t to = from + block < size ? from + block : size;
        const TYPE highest = NAME(copy_top)(r, s->z, from, to);
        if (from == 0) first = highest, how = NAME(scaled_by)(ALL(first));
        if (highest > top) top = highest;
        again |= !(highest - first < NAME(RISE));
        if (!again) NAME(exp_block)(r, how, s, from, to);
    }
    if (again) how = NAME(scaled_by)(ALL(top));
    for (size_t from = again ? 0 : size; from < size; from += FC_STRETCH) {
        if (from && fc_interrupted()) break;
        NAME(exp_block)(r, how, s, from, fc_smaller(from + FC_STRETCH, size));
    }
    s->top = (double)top;
}

typedef struct {
    lanes sum, lost;
} NAME(summed);

/* Add FC_LANES values. */
static inline void NAME(add_values)(NAME(summed) * sum, const TYPE *values) {
    FC_UNROLL
    for (int l = 0; l < LANE_VECTORS; l++)
        sum->sum.v[l] = NAME(plus)(sum->sum.v[l], NAME(widen)(values + l * F64_LANES), &sum->lost.v[l]);
}

/* Add FC_LANES of e, but for those of scores equal to the largest. */
static inline void NAME(add_others)(NAME(summed) * sum, const NAME(softened) * s, size_t i) {
    FC_UNROLL
    for (int l = 0; l < LANE_VECTORS; l++) {
        const v_f64 e = NAME(widen)(s->e + i + l * F64_LANES);
        const v_f64 other = only_f64(NAME(widen)(s->z + i + l * F64_LANES) != s->top, e);
        sum->sum.v[l] = NAME(plus)(sum->sum.v[l], other, &sum->lost.v[l]);
    }
}

/* Bits of the scores of a group that equal the largest (or are NaN). */
static inline unsigned NAME(top_bits)(const NAME(softened) * s, size_t i) {
    unsigned bits = 0;
    FC_UNROLL
    for (int l = 0; l < FC_LANES; l += NAME(LANES))
        bits |= NAME(not_less)(LOAD(s->z + i + (size_t)l), ALL((TYPE)s->top)) << l;
    return bits;
}

FC_INLINED void NAME(sum_row)(NAME(softened) * s, size_t groups) {
    NAME(summed) sum = {{{{0}}}, {{{0}}}};
    int ties = 0;
    FC_STRETCHES (i, groups * FC_LANES, FC_LANES) {
        const unsigned bits = NAME(top_bits)(s, i);
        if (bits && !ties) s->at = i + (size_t)__builtin_ctz(bits);
        ties += __builtin_popcount(bits);
        if (bits)
            NAME(add_others)(&sum, s, i);
        else
            NAME(add_values)(&sum, s->e + i);
    }
    for (int l = 0; l < LANE_VECTORS; l++) sum.sum.v[l] += sum.lost.v[l];
    s->unit = (double)s->e[s->at];
    s->others = sum_of_lanes(sum.sum) + (ties - 1) * s->unit;
    s->sum = s->unit + s->others;
}

/* False if the row has no softmax. */
FC_INLINED int NAME(soften)(const NAME(a_row) * r, NAME(softened) * s) {
    s->z = (TYPE *)r->buffer[0];
    s->e = (TYPE *)r->buffer[1];
    s->at = 0;
    NAME(exp_row)(r, s);
    NAME(sum_row)(s, r->groups);
    return s->top < (double)INFINITY && s->top > -(double)INFINITY && s->others / s->unit < (double)INFINITY;
}

/* e times a factor from LEAST to MOST, in the dtype itself. */
FC_INLINED void NAME(put_times)(TYPE *to, const TYPE *e, size_t n, TYPE f) {
    const size_t whole = n - n % NAME(LANES);
    FC_STRETCHES (i, whole, NAME(LANES)) {
        const VECTOR v = LOAD(e + i) * f;
        memcpy(to + i, &v, sizeof v);
    }
    if (whole == n) return;
    const size_t last = NAME(last_of)(n);
    const VECTOR v = LOAD(e + last) * f;
    if (n >= NAME(LANES)) {
        memcpy(to + last, &v, sizeof v);
    } else {
        TYPE few[FC_LANES];
        memcpy(few, &v, sizeof v);
        NAME(copy_few)(to, few, n);
    }
}

/* e times any factor. */
static inline void NAME(put_scaled)(TYPE *to, const TYPE *e, size_t n, double factor) {
    const TYPE f = (TYPE)factor;
    if (f >= NAME(LEAST) && f <= NAME(MOST))
        NAME(put_times)(to, e, n, f);
    else
        FC_STRETCHES (i, n, 1) to[i] = (TYPE)((double)e[i] * factor);
}

static inline double NAME(softmax_row)(const NAME(a_row) * r) {
    NAME(softened) s;
    if (!NAME(soften)(r, &s)) return (double)NAN;
    if (r->gradient) NAME(put_scaled)(r->gradient, s.e, r->n, r->factor / s.sum);
    return 0;
}
static size_t NAME(softmax)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(softmax_row), NULL, NULL); }

static inline double NAME(log_softmax_row)(const NAME(a_row) * r) {
    NAME(softened) s;
    double *out = r->buffer[2];
    if (!NAME(soften)(r, &s)) return (double)NAN;
    const double log_sum = log1p_one(s.others / s.unit);
    FC_STRETCHES (i, r->groups * FC_LANES, F64_LANES) {
        const v_f64 v = (NAME(widen)(s.z + i) - s.top) - log_sum;
        memcpy(out + i, &v, sizeof v);
    }
    if (r->gradient) NAME(put_row)(r->gradient, out, r->n, r->factor);
    return 0;
}
static size_t NAME(log_softmax)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(log_softmax_row), NULL, NULL); }

/* --- targets ------------------------------------------------------------------------------------------------------ */

/* Move a part of the targets to all classes that are there. */
static inline void NAME(smooth_labels)(const NAME(a_row) * r, const NAME(softened) * s, double *t) {
    const double part = r->batch->label_smoothing;
    size_t there = 0;
    FC_STRETCHES (i, r->n, 1) there += (double)s->z[i] > -(double)INFINITY;
    FC_STRETCHES (i, r->n, 1)
        t[i] = (1 - part) * t[i] + ((double)s->z[i] > -(double)INFINITY ? part / (double)there : 0);
}

/* Write the row's targets in float64, padded by 0, and their sum; false if they are not what they have to be. */
FC_INLINED int NAME(fill_targets)(const NAME(a_row) * r, const NAME(softened) * s, double *t, double *total) {
    const fc_batch *b = r->batch;
    clear(t, r->groups * FC_LANES * sizeof *t);
    if (r->label) {
        t[*r->label] = 1;
    } else {
        widen_row(t, &b->target, r->row * r->n, r->n);
        if (!all_within(t, r->n, b->targets)) return 0;
        if (b->targets == FC_PROBABILITIES && !(fabs(sum_of_row(t, r->n) - 1) <= 1e-3)) return 0;
    }
    if (b->label_smoothing > 0) NAME(smooth_labels)(r, s, t);
    if (b->column)
        FC_STRETCHES (i, r->n, 1) t[i] *= b->column[i];
    *total = sum_of_row(t, r->n);
    return 1;
}

/* sum_i t_i (-log p_i), or for kl_div sum_i t_i (log t_i - log p_i); where t_i is 0, its term is 0. */
static inline double NAME(soft_loss)(const NAME(a_row) * r, const NAME(softened) * s, const double *t, int divergence) {
    const double log_sum = log1p_one(s->others / s->unit);
    lanes sum = {{{0}}};
    FC_STRETCHES (group, r->groups * FC_LANES, FC_LANES)
        for (int l = 0; l < LANE_VECTORS; l++) {
            const size_t i = group + (size_t)(l * F64_LANES);
            const v_f64 w = load_v_f64(t + i);
            v_f64 nats = (s->top - NAME(widen)(s->z + i)) + log_sum;
            if (divergence) nats += log_f64(w);
            sum.v[l] += only_f64(w != 0, w * nats);
        }
    return sum_of_lanes(sum);
}

/* Gradients p_i (sum t) - t_i, computed as p_i (sum of other t) - t_i (sum of other p): so a certain target keeps its
 * digits.
 */
static inline void NAME(put_soft_gradients)(const NAME(a_row) * r, const NAME(softened) * s, const double *t,
                                            double total) {
    double *slope = r->buffer[3];
    const double share = 1 / s->sum;
    FC_STRETCHES (i, r->groups * FC_LANES, F64_LANES) {
        const v_f64 e = NAME(widen)(s->e + i), w = load_v_f64(t + i), q = e * share, others = (s->sum - e) * share;
        const v_f64 v = q * (total - w) - w * others;
        memcpy(slope + i, &v, sizeof v);
    }
    slope[s->at] = s->unit * share * (total - t[s->at]) - t[s->at] * (s->others * share);
    NAME(put_row)(r->gradient, slope, r->n, r->factor);
}

static inline double NAME(soft_row)(const NAME(a_row) * r, int divergence) {
    NAME(softened) s;
    double *t = r->buffer[2], total;
    if (!NAME(soften)(r, &s) || !NAME(fill_targets)(r, &s, t, &total)) return (double)NAN;
    const double loss = NAME(soft_loss)(r, &s, t, divergence);
    if (r->gradient) NAME(put_soft_gradients)(r, &s, t, total);
    return loss;
}

/* --- losses ------------------------------------------------------------------------------------------------------- */

/* The loss of a label, less its logarithm, and the gradient; NaN where there is no softmax. */
FC_INLINED double NAME(finish_label)(const NAME(a_row) * r, const TYPE *e, TYPE top, double unit, double others) {
    const size_t label = (size_t)*r->label;
    const TYPE score = r->scores[label];
    const double sum = unit + others, rest = score == top ? others : unit + (others - (double)e[label]);
    if (!(top < (TYPE)INFINITY && top > -(TYPE)INFINITY && others / unit < (double)INFINITY)) return (double)NAN;
    if (r->gradient) {
        NAME(put_scaled)(r->gradient, e, r->n, r->factor / sum);
        r->gradient[label] = (TYPE)((0 - rest) * (r->factor / sum));
    }
    *r->ratio = others / unit;
    return (double)top - (double)score;
}

static inline double NAME(label_row)(const NAME(a_row) * r) {
    NAME(softened) s;
    if (!NAME(soften)(r, &s)) return (double)NAN;
    return NAME(finish_label)(r, s.e, (TYPE)s.top, s.unit, s.others);
}

static inline double NAME(target_row)(const NAME(a_row) * r) { return NAME(soft_row)(r, 0); }

static inline double NAME(kl_div_row)(const NAME(a_row) * r) { return NAME(soft_row)(r, 1); }
static size_t NAME(kl_div)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(kl_div_row), NULL, NULL); }

/* Differences d = p - t; gradients 2 p_i (d_i - sum_j p_j d_j).  For the largest score,
 * 1 - p is more precise than p.
 */
static inline double NAME(softmax_mse_row)(const NAME(a_row) * r) {
    NAME(softened) s;
    double *t = r->buffer[2], *q = r->buffer[3], *d = r->buffer[4], total;
    if (!NAME(soften)(r, &s) || !NAME(fill_targets)(r, &s, t, &total)) return (double)NAN;
    const double missing = s.others / s.sum, of_top = s.unit / s.sum;
    FC_STRETCHES (i, r->groups * FC_LANES, F64_LANES) {
        const v_f64 share = NAME(widen)(s.e + i) / s.sum, difference = share - load_v_f64(t + i);
        memcpy(q + i, &share, sizeof share);
        memcpy(d + i, &difference, sizeof difference);
    }
    d[s.at] = (1 - t[s.at]) - missing;
    q[s.at] = 0;
    const double others = dot_f64(q, d, r->groups), loss = dot_f64(d, d, r->groups), top = of_top * d[s.at];
    FC_STRETCHES (i, r->groups * FC_LANES, F64_LANES) {
        const v_f64 slope = 2 * load_v_f64(q + i) * ((load_v_f64(d + i) - top) - others);
        memcpy(t + i, &slope, sizeof slope);
    }
    t[s.at] = 2 * of_top * (d[s.at] * missing - others);
    if (r->gradient) NAME(put_row)(r->gradient, t, r->n, r->factor);
    if (r->each)
        FC_STRETCHES (i, r->n, 1) r->each[i] = d[i] * d[i] * r->weight;
    return loss;
}
static size_t NAME(softmax_mse)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(softmax_mse_row), NULL, NULL); }
