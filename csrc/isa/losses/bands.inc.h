/* bands.inc.h -- included for each float type of scores: LANES rows of a middling number of classes, each step for all
 * of them before the next.  What a row has to wait for, as its largest score and its sum, is on its way while other
 * rows are worked on, and no branch depends on where a row's largest score is.  The operations and the numbers are the
 * same as for single rows.  Needs rows.inc.h, softmax.inc.h and transposed.inc.h.
 *
 * A band is LANES rows in scratch, each padded to whole groups of FC_LANES by -inf.
 */

/* Copy the rows' scores, and find their largest, where NaN may count as any value. */
FC_INLINED void NAME(take_band)(const NAME(a_row) * r, size_t width, TYPE *z, TYPE *top) {
    for (size_t k = 0; k < NAME(LANES); k++) {
        VECTOR most = ALL((TYPE)-INFINITY);
        for (size_t i = 0; i < width; i += NAME(LANES)) {
            const VECTOR v = NAME(scores_at)(r->scores + k * r->n, r->n, r->readable - k * r->n, i);
            memcpy(z + k * width + i, &v, sizeof v);
            most = MAX(most, v);
        }
        top[k] = NAME(top_of)(most);
    }
}

/* One row's sum as NAME(sum_row) has it; z becomes e. */
FC_INLINED double NAME(soften_in_band)(TYPE *z, size_t width, NAME(scaling) how, TYPE top, NAME(ahead) ahead,
                                       int *ties) {
    NAME(summed) sum = {{{{0}}}, {{{0}}}};
    INTEGERS count = {0};
    for (size_t i = 0; i < width; i += FC_LANES) {
        TYPE others[FC_LANES];
        FC_UNROLL
        for (size_t l = 0; l < FC_LANES; l += NAME(LANES)) {
            const VECTOR score = LOAD(z + i + l), e = NAME(exp_over)(score - how.shift, how.base, how.cut);
            const INTEGERS is_top = score == ALL(top);
            const VECTOR other = (VECTOR)(~is_top & (INTEGERS)e);
            count -= is_top;
            memcpy(z + i + l, &e, sizeof e);
            memcpy(others + l, &other, sizeof other);
        }
        NAME(ask)(ahead, i);
        FC_UNROLL
        for (int l = 0; l < LANE_VECTORS; l++)
            sum.sum.v[l] = NAME(plus)(sum.sum.v[l], NAME(widen)(others + l * F64_LANES), &sum.lost.v[l]);
    }
    for (int l = 0; l < LANE_VECTORS; l++) sum.sum.v[l] += sum.lost.v[l];
    *ties = 0;
    for (int l = 0; l < NAME(LANES); l++) *ties += (int)count[l];
    return sum_of_lanes(sum.sum);
}

FC_INLINED void NAME(soften_band)(const NAME(a_row) * r, size_t width, TYPE *z, NAME(softened_tile) * s) {
    NAME(take_band)(r, width, z, s->top);
    const NAME(scaling) how = NAME(scaled_by)(LOAD(s->top));
    const NAME(wide) unit = NAME(widen_tile)(NAME(exp_over)(LOAD(s->top) - how.shift, how.base, how.cut));
    memcpy(s->unit, &unit, sizeof unit);
    for (size_t k = 0; k < NAME(LANES); k++) {
        const NAME(scaling) of_row = {ALL(how.shift[k]), ALL(how.base[k]), ALL(how.cut[k])};
        const NAME(a_row) row = {.scores = r->scores + k * r->n,
                                 .readable = r->readable - k * r->n,
                                 .gradient = r->gradient ? r->gradient + k * r->n : NULL};
        int ties;
        const double sum = NAME(soften_in_band)(z + k * width, width, of_row, s->top[k],
                                                NAME(ahead_of)(&row, 0, r->n * NAME(LANES)), &ties);
        s->others[k] = sum + (double)(ties - 1) * s->unit[k];
    }
}

/* False, with no gradient written, if a row has to be looked at by itself. */
static inline int NAME(label_band)(const NAME(a_row) * r, double *loss) {
    const size_t width = r->groups * FC_LANES;
    TYPE *e = (TYPE *)r->buffer[0], share[NAME(LANES)], slope[NAME(LANES)];
    double factor[NAME(LANES)];
    NAME(softened_tile) s;
    if (!NAME(tile_factors)(r, factor)) return 0;
    NAME(soften_band)(r, width, e, &s);
    if (!NAME(finish_tile)(r, e, width, 1, &s, factor, loss, share, slope)) return 0;
    for (size_t k = 0; r->gradient && k < NAME(LANES); k++) {
        TYPE *to = r->gradient + k * r->n;
        NAME(put_scaled)(to, e + k * width, r->n, (double)share[k]);
        to[r->label[k]] = slope[k];
    }
    return 1;
}

/* Rows of few classes are transposed, as a single one would leave most of a vector empty. */
static inline int NAME(label_rows)(const NAME(a_row) * r, double *loss) {
    return r->n <= FC_TURNED_CLASSES ? NAME(label_tile)(r, loss) : NAME(label_band)(r, loss);
}
