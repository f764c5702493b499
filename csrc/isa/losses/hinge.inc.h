/* hinge.inc.h -- included for each float type of scores: the multiclass hinges.  Needs rows.inc.h.
 *
 * Of a row with label y, class i's term is max(0, (s_i - s_y) + margin(y, i)), in float64.  A term at its
 * kink, 0, has slope 0.
 */

/* The margins of the row's label, padded; NULL where there is one for all. */
static inline const double *NAME(fill_margins)(const NAME(a_row) * r) {
    const fc_batch *b = r->batch;
    if (!b->margins) return NULL;
    memcpy(r->buffer[1], b->margins + (size_t)*r->label * r->n, r->n * sizeof(double));
    for (size_t i = r->n; i < r->groups * FC_LANES; i++) r->buffer[1][i] = 0;
    return r->buffer[1];
}

/* The terms of F64_LANES classes from i on, before they are cut at 0; `own` for the label and after the row's end. */
static inline v_f64 NAME(terms_at)(const NAME(a_row) * r, size_t i, const double *margins, double own) {
    const size_t label = (size_t)*r->label;
    const v_f64 margin = margins ? load_v_f64(margins + i) : all_f64(r->batch->margin);
    v_f64 s;
    if (i + F64_LANES <= r->readable) {
        s = NAME(widen)(r->scores + i);
    } else {
        TYPE last[F64_LANES] = {0};
        for (size_t l = 0; i + l < r->n; l++) last[l] = r->scores[i + l];
        s = NAME(widen)(last);
    }
    const v_f64 term = (s - (double)r->scores[label]) + margin;
    if (i + F64_LANES <= r->n && label / F64_LANES != i / F64_LANES) return term;
    const v_i64 at = count_f64 + (int64_t)i;
    return pick_f64((at < (v_i64){0} + (int64_t)r->n) & (at != (v_i64){0} + (int64_t)label), term, all_f64(own));
}

/* --- slopes of 0 or 1: neither squared nor rounded, and one margin ------------------------------------------------ */

static inline int NAME(has_term)(TYPE score, double own, double margin) { return ((double)score - own) + margin > 0; }

/* The largest score without a term: all above it have one, as rounding keeps the order.  False if it is not found at
 * once.
 */
static inline int NAME(last_without)(double own, double margin, TYPE *last) {
    TYPE s = (TYPE)(own - margin);
    if (NAME(has_term)(s, own, margin)) s = NAME(next_to)(s, (TYPE)-INFINITY);
    *last = s;
    return !NAME(has_term)(s, own, margin) && NAME(has_term)(NAME(next_to)(s, (TYPE)INFINITY), own, margin);
}

typedef struct {
    double own, margin; /* the label's score */
    TYPE last, slope;   /* the largest score without a term; of the others */
    lanes loss;
    INTEGERS slopes; /* by lane, how many are not 0 */
} NAME(plain_sums);

/* A group of scores; `slopes`, which may be their place, is written unless it is NULL. */
FC_INLINED void NAME(plain_group)(NAME(plain_sums) * s, const TYPE *scores, TYPE *slopes) {
    FC_UNROLL
    for (int l = 0; l < LANE_VECTORS; l++)
        s->loss.v[l] += positive_f64((NAME(widen)(scores + l * F64_LANES) - s->own) + s->margin);
    FC_UNROLL
    for (size_t l = 0; l < FC_LANES; l += NAME(LANES)) {
        const INTEGERS has_term = LOAD(scores + l) > ALL(s->last);
        const VECTOR v = (VECTOR)(has_term & (INTEGERS)ALL(s->slope));
        s->slopes -= has_term;
        if (slopes) memcpy(slopes + l, &v, sizeof v);
    }
}

/* The group from class i on that has the label or the row's end; neither the label nor what is behind has a term. */
static inline void NAME(special_group)(const NAME(a_row) * r, NAME(plain_sums) * s, size_t i) {
    const size_t label = (size_t)*r->label, n = fc_smaller(r->n - i, FC_LANES);
    TYPE group[FC_LANES];
    for (size_t l = 0; l < FC_LANES; l += NAME(LANES)) {
        const VECTOR v = NAME(scores_at)(r->scores, r->n, r->readable, i + l);
        memcpy(group + l, &v, sizeof v);
    }
    if (label - i < FC_LANES) group[label - i] = (TYPE)-INFINITY;
    NAME(plain_group)(s, group, group);
    if (!r->gradient) return;
    if (n == FC_LANES)
        memcpy(r->gradient + i, group, sizeof group);
    else
        NAME(copy_few)(r->gradient + i, group, n);
}

/* False, with nothing written, if this is another kind of row. */
static inline int NAME(plain_hinge)(const NAME(a_row) * r, double *loss) {
    const fc_batch *b = r->batch;
    const size_t label = (size_t)*r->label, group = label - label % FC_LANES, whole = r->n - r->n % FC_LANES;
    NAME(plain_sums)
    s = {
        .own = (double)r->scores[label], .margin = b->margin, .slope = (TYPE)r->factor, .loss = {{{0}}}, .slopes = {0}};
    if (b->margins || b->squared || b->hinge_width > 0 || !NAME(last_without)(s.own, s.margin, &s.last)) return 0;
    const NAME(ahead) ahead = NAME(ahead_of)(r, 0, r->n);
    FC_STRETCHES (i, whole, FC_LANES) {
        NAME(ask)(ahead, i);
        if (__builtin_expect(i == group, 0))
            NAME(special_group)(r, &s, i);
        else
            NAME(plain_group)(&s, r->scores + i, r->gradient ? r->gradient + i : NULL);
    }
    if (whole < r->n) NAME(special_group)(r, &s, whole);
    double slopes = 0;
    for (int l = 0; l < NAME(LANES); l++) slopes += (double)s.slopes[l];
    if (r->gradient) r->gradient[label] = (TYPE)((0 - slopes) * r->factor);
    *loss = sum_of_lanes(s.loss) + positive_f64(all_f64(b->own_term ? b->margin : 0))[0];
    return 1;
}

static inline double NAME(hinge_row)(const NAME(a_row) * r) {
    const size_t label = (size_t)*r->label;
    const double *margins = NAME(fill_margins)(r);
    const int squared = r->batch->squared;
    const double hinge_width = r->batch->hinge_width;
    double *slope = r->buffer[2];
    lanes loss = {{{0}}}, total = {{{0}}};
    double plain;
    if (!NAME(all_finite)(r->scores, r->n)) return (double)NAN;
    if (NAME(plain_hinge)(r, &plain)) return plain;
    const NAME(ahead) ahead = NAME(ahead_of)(r, 0, r->n);
    FC_STRETCHES (group, r->groups * FC_LANES, FC_LANES) {
        NAME(ask)(ahead, group);
        for (int l = 0; l < LANE_VECTORS; l++) {
            const size_t i = group + (size_t)(l * F64_LANES);
            const hinge_term h = hinge_of(NAME(terms_at)(r, i, margins, -(double)INFINITY), squared, hinge_width);
            memcpy(slope + i, &h.slope, sizeof h.slope);
            loss.v[l] += h.loss;
            total.v[l] += h.slope;
        }
    }
    const double own = margins ? margins[label] : r->batch->margin;
    const v_f64 extra = hinge_of(all_f64(r->batch->own_term ? own : -(double)INFINITY), squared, hinge_width).loss;
    if (r->gradient) {
        NAME(put_row)(r->gradient, slope, r->n, r->factor);
        r->gradient[label] = (TYPE)((0 - sum_of_lanes(total)) * r->factor);
    }
    return sum_of_lanes(loss) + extra[0];
}

/* The largest of n terms, smoothed: hinge_width * log(sum of exp(term / hinge_width)).  It is off by at most
 * hinge_width * log n.  Its gradient is a softmax, which replaces `term`.
 */
static inline double NAME(smooth_largest)(const NAME(a_row) * r, double *term, double most) {
    const double hinge_width = r->batch->hinge_width;
    double sum = 0;
    FC_STRETCHES (i, r->n, F64_LANES) {
        const v_f64 e = exp_f64((load_v_f64(term + i) - most) / hinge_width);
        memcpy(term + i, &e, sizeof e);
    }
    FC_STRETCHES (i, r->n, 1) sum += term[i];
    FC_STRETCHES (i, r->n, 1) term[i] /= sum;
    if (r->gradient) {
        const size_t label = (size_t)*r->label;
        double others = 0;
        FC_STRETCHES (i, r->n, 1) others += i == label ? 0 : term[i];
        NAME(put_row)(r->gradient, term, r->n, r->factor);
        r->gradient[label] = (TYPE)((0 - others) * r->factor);
    }
    return most + hinge_width * log1p_one(sum - 1);
}

/* Crammer and Singer's hinge: the largest of the terms.  Among equal terms, the first has the gradient. */
static inline double NAME(crammer_singer_row)(const NAME(a_row) * r) {
    const size_t label = (size_t)*r->label;
    const double *margins = NAME(fill_margins)(r);
    double *term = r->buffer[2], most = 0;
    size_t at = label;
    if (!NAME(all_finite)(r->scores, r->n)) return (double)NAN;
    FC_STRETCHES (i, r->groups * FC_LANES, F64_LANES) {
        const v_f64 v = NAME(terms_at)(r, i, margins, 0);
        memcpy(term + i, &v, sizeof v);
    }
    FC_STRETCHES (i, r->n, 1)
        if (term[i] > most) most = term[i], at = i;
    if (r->batch->hinge_width > 0 && !r->batch->squared) return NAME(smooth_largest)(r, term, most);
    if (r->gradient) {
        const double slope = (r->batch->squared ? 2 * most : most > 0) * r->factor;
        clear(r->gradient, r->n * sizeof(TYPE));
        r->gradient[label] = (TYPE)(0 - slope);
        r->gradient[at] = (TYPE)(at == label ? 0 : slope);
    }
    return r->batch->squared ? most * most : most;
}
static size_t NAME(crammer_singer)(const fc_batch_part *p) {
    return NAME(each_row)(p, NAME(crammer_singer_row), NULL, NULL);
}
