/* bands.inc.h -- included for each float type of scores: LANES rows of a middling number of classes, each step for all
 * of them before the next.  What a row has to wait for, as its largest score and its sum, is on its way while other
 * rows are worked on, and no branch depends on where a row's largest score is.  The operations and the numbers are the
 * same as for single rows.  Needs rows.inc.h, softmax.inc.h, short.inc.h and transposed.inc.h.
 *
 * A band is LANES rows.  What is to be found or summed across the lanes of each row is transposed first: then it goes
 * from vector to vector, for all rows together.
 */

/* Row k of a band: what short.inc.h needs of it. */
static inline NAME(a_row) NAME(row_of_band)(const NAME(a_row) * r, size_t k) {
    return (NAME(a_row)){.scores = r->scores + k * r->n,
                         .n = r->n,
                         .readable = r->readable - k * r->n,
                         .gradient = r->gradient ? r->gradient + k * r->n : NULL};
}

/* Find the rows' largest scores, where NaN may count as any value. */
FC_INLINED void NAME(top_band)(const NAME(a_row) * r, TYPE *top) {
    VECTOR most[NAME(LANES)];
    for (size_t k = 0; k < NAME(LANES); k++) {
        const NAME(a_row) row = NAME(row_of_band)(r, k);
        most[k] = NAME(top_lanes)(&row);
    }
    NAME(transpose)(most);
    for (int half = NAME(LANES) / 2; half; half /= 2)
        for (int l = 0; l < half; l++) most[l] = MAX(most[l], most[l + half]);
    memcpy(top, &most[0], sizeof most[0]);
}

/* Sum v[k] for each k of LANES, in the order of sum_of_f64. */
FC_INLINED void NAME(sum_rows)(v_f64 *v, double *sum) {
    for (int k = 0; k < NAME(LANES); k += F64_LANES) {
        transpose_f64(v + k);
        for (int half = F64_LANES / 2; half; half /= 2)
            for (int l = 0; l < half; l++) v[k + l] += v[k + l + half];
        memcpy(sum + k, &v[k], sizeof v[k]);
    }
}

/* Write the rows' e, each in `width` values, padded by 0. */
FC_INLINED void NAME(soften_band)(const NAME(a_row) * r, size_t width, TYPE *e, NAME(softened_tile) * s) {
    v_f64 others[NAME(LANES)];
    double ties[NAME(LANES)];
    NAME(top_band)(r, s->top);
    const NAME(scaling) how = NAME(scaled_by)(LOAD(s->top));
    const VECTOR of_top = NAME(exp_over)(LOAD(s->top) - how.shift, how.base, how.cut);
    const NAME(wide) unit = NAME(widen_tile)(of_top);
    memcpy(s->unit, &unit, sizeof unit);
    for (size_t k = 0; k < NAME(LANES); k++) {
        const NAME(scaling) of_row = {ALL(how.shift[k]), ALL(how.base[k]), ALL(how.cut[k])};
        const NAME(a_row) row = NAME(row_of_band)(r, k);
        NAME(exp_short)(&row, e + k * width, of_row, r->n * NAME(LANES));
    }
    for (size_t k = 0; k < NAME(LANES); k++) {
        const NAME(short_sums) sums = NAME(sum_short)(e + k * width, r->n, of_top[k]);
        others[k] = sums.others;
        ties[k] = sums.ties;
    }
    NAME(sum_rows)(others, s->others);
    for (size_t k = 0; k < NAME(LANES); k++) s->others[k] += (ties[k] - 1) * s->unit[k];
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
        NAME(put_times)(to, e + k * width, r->n, share[k]);
        to[r->label[k]] = slope[k];
    }
    return 1;
}

/* Rows of few classes are transposed, as a single one would leave most of a vector empty. */
static inline int NAME(label_rows)(const NAME(a_row) * r, double *loss) {
    return r->n <= FC_TURNED_CLASSES ? NAME(label_tile)(r, loss) : NAME(label_band)(r, loss);
}
