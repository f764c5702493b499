/* transposed.inc.h -- included for each float type of scores: rows of few classes, transposed.  Each row has a lane, so
 * nothing has to be found or summed across lanes.  The operations and the numbers are the same as in short.inc.h.
 * Needs rows.inc.h and softmax.inc.h.
 *
 * A tile is LANES rows: class c of all of them is the vector at c * LANES.
 */
enum { NAME(WIDE) = NAME(LANES) / F64_LANES }; /* vectors of float64 that hold a lane for each row */

typedef struct {
    v_f64 v[NAME(WIDE)];
} NAME(wide);

static inline NAME(wide) NAME(widen_tile)(VECTOR v) {
    TYPE lane[NAME(LANES)];
    NAME(wide) w;
    memcpy(lane, &v, sizeof v);
    FC_UNROLL
    for (int k = 0; k < NAME(WIDE); k++) w.v[k] = NAME(widen)(lane + k * F64_LANES);
    return w;
}

/* Where a square of a tile begins: the last square ends with the row, and overlaps the one before. */
static inline size_t NAME(square)(size_t c, size_t n) {
    return c + NAME(LANES) > n && n >= NAME(LANES) ? n - NAME(LANES) : c;
}

static inline void NAME(turn_in)(const NAME(a_row) * r, TYPE *z) {
    const size_t n = r->n, readable = r->readable;
    const TYPE *scores = r->scores;
    for (size_t c = 0; c < n; c += NAME(LANES)) {
        const size_t at = NAME(square)(c, n), count = n - at < NAME(LANES) ? n - at : NAME(LANES);
        VECTOR v[NAME(LANES)];
        for (size_t k = 0; k < NAME(LANES); k++) v[k] = NAME(scores_at)(scores + k * n, n, readable - k * n, at);
        NAME(transpose)(v);
        for (size_t k = 0; k < count; k++) memcpy(z + (at + k) * NAME(LANES), &v[k], sizeof v[k]);
    }
}

FC_INLINED void NAME(turn_out)(const NAME(a_row) * r, const TYPE *z) {
    const size_t n = r->n;
    TYPE *gradient = r->gradient;
    for (size_t c = 0; c < n; c += NAME(LANES)) {
        const size_t at = NAME(square)(c, n);
        VECTOR v[NAME(LANES)];
        for (size_t k = 0; k < NAME(LANES); k++) v[k] = at + k < n ? LOAD(z + (at + k) * NAME(LANES)) : ALL(0);
        NAME(transpose)(v);
        for (size_t k = 0; k < NAME(LANES); k++) {
            TYPE *to = gradient + k * n + at, lane[FC_LANES];
            memcpy(lane, &v[k], sizeof v[k]);
            if (n >= NAME(LANES))
                memcpy(to, lane, sizeof v[k]);
            else
                NAME(copy_few)(to, lane, n);
        }
    }
}

/* Partial sums in the order of rows that are not transposed: sum l adds the classes l, l + 16, ...  With fewer classes,
 * the other sums are 0, and are left out.
 */
static inline NAME(wide) NAME(sum_tile)(NAME(wide) * lane, size_t n) {
    for (size_t half = FC_LANES / 2; half; half /= 2)
        for (size_t l = 0; l < half && l + half < n; l++)
            for (int k = 0; k < NAME(WIDE); k++) lane[l].v[k] += lane[l + half].v[k];
    return lane[0];
}

/* The weights of a tile's rows times the gradient's scale; false if one is left out. */
static inline int NAME(tile_factors)(const NAME(a_row) * r, double *factor) {
    const fc_batch *b = r->batch;
    int all = 1;
    for (size_t k = 0; k < NAME(LANES); k++) {
        const double weight = b->weight ? b->weight[r->row + k] : 1;
        factor[k] = weight * b->scale;
        all &= weight != 0 && r->label[k] >= 0;
    }
    return all;
}

/* --- cross-entropy of labels -------------------------------------------------------------------------------------- */

typedef struct {
    double others[NAME(LANES)], unit[NAME(LANES)];
    TYPE top[NAME(LANES)];
} NAME(softened_tile);

/* Sums as NAME(sum_short) has them; z becomes e. */
static inline void NAME(soften_tile)(const NAME(a_row) * r, TYPE *z, NAME(softened_tile) * s) {
    const size_t n = r->n;
    const NAME(ahead) ahead = NAME(ahead_of)(r, 0, n * NAME(LANES));
    VECTOR top = LOAD(z);
    INTEGERS ties = {0};
    NAME(wide) sum[FC_LANES], lost[FC_LANES];
    for (size_t c = 1; c < n; c++) top = MAX(top, LOAD(z + c * NAME(LANES)));
    const NAME(scaling) how = NAME(scaled_by)(top);
    const VECTOR of_top = NAME(exp_over)(top - how.shift, how.base, how.cut);
    for (size_t c = 0; c < n; c++) {
        const VECTOR score = LOAD(z + c * NAME(LANES)), e = NAME(exp_over)(score - how.shift, how.base, how.cut);
        const INTEGERS is_unit = e == of_top;
        const NAME(wide) other = NAME(widen_tile)((VECTOR)(~is_unit & (INTEGERS)e));
        NAME(wide) *of_lane = &sum[c % FC_LANES], *lost_there = &lost[c % FC_LANES];
        memcpy(z + c * NAME(LANES), &e, sizeof e);
        NAME(ask)(ahead, c * NAME(LANES));
        ties -= is_unit;
        if (c < FC_LANES)
            *of_lane = other, *lost_there = (NAME(wide)){{{0}}};
        else
            for (int k = 0; k < NAME(WIDE); k++)
                of_lane->v[k] = NAME(plus)(of_lane->v[k], other.v[k], &lost_there->v[k]);
    }
    for (size_t l = 0; l < FC_LANES && n > FC_LANES; l++)
        for (int k = 0; k < NAME(WIDE); k++) sum[l].v[k] += lost[l].v[k];
    const NAME(wide) others = NAME(sum_tile)(sum, n);
    const NAME(wide) unit = NAME(widen_tile)(of_top);
    memcpy(s->others, &others, sizeof others);
    memcpy(s->unit, &unit, sizeof unit);
    memcpy(s->top, &top, sizeof top);
    for (int k = 0; k < NAME(LANES); k++) s->others[k] += (double)(ties[k] - 1) * s->unit[k];
}

/* Losses, less their logarithms; `share`, by which each row's e becomes its gradient; and `slope`, the gradient at its
 * label.  Class c of row k has its e at k * by_row + c * by_class.  False if a row has to be looked at by itself.
 */
FC_INLINED int NAME(finish_tile)(const NAME(a_row) * r, const TYPE *e, size_t by_row, size_t by_class,
                                 const NAME(softened_tile) * s, const double *factor, double *loss, TYPE *share,
                                 TYPE *slope) {
    double score[NAME(LANES)], of_label[NAME(LANES)];
    v_i64 plain = ~(v_i64){0};
    for (size_t k = 0; k < NAME(LANES); k++) {
        const size_t label = (size_t)r->label[k];
        score[k] = (double)r->scores[k * r->n + label];
        of_label[k] = (double)e[k * by_row + label * by_class];
    }
    for (size_t k = 0; k < NAME(LANES); k += F64_LANES) {
        const v_f64 unit = load_v_f64(s->unit + k), others = load_v_f64(s->others + k), top = NAME(widen)(s->top + k);
        const v_f64 own = load_v_f64(score + k), f = load_v_f64(factor + k) / (unit + others), ratio = others / unit;
        const v_f64 rest = pick_f64(own == top, others, unit + (others - load_v_f64(of_label + k))), behind = top - own;
        memcpy(r->ratio + k, &ratio, sizeof ratio);
        memcpy(loss + k, &behind, sizeof behind);
        NAME(narrow)(share + k, f);
        NAME(narrow)(slope + k, (0 - rest) * f);
        plain &= (ratio < all_f64((double)INFINITY)) & (f >= (double)NAME(LEAST)) & (f <= (double)NAME(MOST));
    }
    for (int l = 1; l < F64_LANES; l++) plain[0] &= plain[l];
    return plain[0] != 0;
}

/* False, with no gradient written, if a row has to be looked at by itself. */
static inline int NAME(label_tile)(const NAME(a_row) * r, double *loss) {
    const int64_t *label = r->label;
    TYPE *e = (TYPE *)r->buffer[0], share[NAME(LANES)], slope[NAME(LANES)];
    double factor[NAME(LANES)];
    NAME(softened_tile) s;
    if (!NAME(tile_factors)(r, factor)) return 0;
    NAME(turn_in)(r, e);
    NAME(soften_tile)(r, e, &s);
    if (!NAME(finish_tile)(r, e, 1, NAME(LANES), &s, factor, loss, share, slope)) return 0;
    if (!r->gradient) return 1;
    for (size_t c = 0; c < r->n * NAME(LANES); c += NAME(LANES)) {
        const VECTOR v = LOAD(e + c) * LOAD(share);
        memcpy(e + c, &v, sizeof v);
    }
    NAME(turn_out)(r, e);
    for (size_t k = 0; k < NAME(LANES); k++) r->gradient[k * r->n + (size_t)label[k]] = slope[k];
    return 1;
}

/* --- hinge -------------------------------------------------------------------------------------------------------- */

static inline int NAME(hinge_tile)(const NAME(a_row) * r, double *loss) {
    const fc_batch *b = r->batch;
    const int64_t *label = r->label;
    const v_f64 none = all_f64(-(double)INFINITY);
    TYPE *z = (TYPE *)r->buffer[0];
    double factor[NAME(LANES)], own_score[NAME(LANES)], total[NAME(LANES)];
    NAME(wide) own, factors, losses[FC_LANES], totals[FC_LANES];
    v_i64 labels[NAME(WIDE)];
    VECTOR zero = ALL(0);
    if (r->n > FC_TURNED_HINGES || b->margins || !NAME(tile_factors)(r, factor)) return 0;
    NAME(turn_in)(r, z);
    for (size_t k = 0; k < NAME(LANES); k++) own_score[k] = (double)z[(size_t)label[k] * NAME(LANES) + k];
    memcpy(&own, own_score, sizeof own);
    memcpy(&factors, factor, sizeof factors);
    memcpy(labels, label, sizeof labels);
    const NAME(ahead) ahead = NAME(ahead_of)(r, 0, r->n * NAME(LANES));
    for (size_t c = 0; c < r->n; c++) {
        const VECTOR score = LOAD(z + c * NAME(LANES));
        const NAME(wide) s = NAME(widen_tile)(score);
        zero += score * 0;
        NAME(ask)(ahead, c * NAME(LANES));
        for (int k = 0; k < NAME(WIDE); k++) {
            const v_f64 term = (s.v[k] - own.v[k]) + b->margin;
            const hinge_term h =
                hinge_of(pick_f64(labels[k] != (v_i64){0} + (int64_t)c, term, none), b->squared, b->hinge_width);
            const v_f64 begun = all_f64(0); /* with it -0 becomes 0, as in rows that are not transposed */
            losses[c % FC_LANES].v[k] = (c < FC_LANES ? begun : losses[c % FC_LANES].v[k]) + h.loss;
            totals[c % FC_LANES].v[k] = (c < FC_LANES ? begun : totals[c % FC_LANES].v[k]) + h.slope;
            NAME(narrow)(z + c * NAME(LANES) + k * F64_LANES, h.slope * factors.v[k]);
        }
    }
    const NAME(wide) sum = NAME(sum_tile)(losses, r->n), all = NAME(sum_tile)(totals, r->n);
    const v_f64 extra = hinge_of(b->own_term ? all_f64(b->margin) : none, b->squared, b->hinge_width).loss;
    for (int l = 0; l < NAME(LANES); l++)
        if (!(zero[l] == 0)) return 0;
    memcpy(loss, &sum, sizeof sum);
    memcpy(total, &all, sizeof all);
    for (size_t k = 0; k < NAME(LANES); k++) loss[k] += extra[0];
    if (!r->gradient) return 1;
    NAME(turn_out)(r, z);
    for (size_t k = 0; k < NAME(LANES); k++)
        r->gradient[k * r->n + (size_t)label[k]] = (TYPE)((0 - total[k]) * factor[k]);
    return 1;
}
