/* scores.inc.h -- included for each float type of scores: the losses that are sums over scores, FC_SCORE_LOSSES.  Needs
 * rows.inc.h.
 *
 * The scores of a part's rows follow one another, so they are computed as one run, however long rows are.  Then rows
 * are weighted and summed.
 */

/* Targets of a part in float64; false if one is not what the loss takes. */
static inline int NAME(fill_run)(const fc_batch_part *p, double *t, size_t n) {
    const fc_batch *b = p->batch;
    const size_t cols = b->scores.cols;
    if (!b->label) {
        widen_row(t, &b->target, p->first * cols, n);
        return all_within(t, n, b->targets);
    }
    clear(t, n * sizeof *t);
    for (size_t i = 0; i < p->rows; i++)
        if (p->label[i] >= 0) t[i * cols + (size_t)p->label[i]] = 1;
    return 1;
}

/* Weights of the columns of a part, or NULL. */
static inline const double *NAME(fill_columns)(const fc_batch_part *p, double *w, size_t n) {
    const double *column = p->batch->column;
    const size_t cols = p->batch->scores.cols;
    if (!column) return NULL;
    for (size_t i = 0; i < n; i += cols) copy(w + i, column, cols);
    return w;
}

/* Write the results of one row from a run whose losses and gradients are computed. */
static inline double NAME(put_run)(const NAME(a_row) * r) {
    const fc_batch *b = r->batch;
    const size_t from = (r->row - r->first) * r->n;
    const double *loss = r->buffer[2] + from, *slope = r->buffer[3] + from;
    if (!NAME(all_finite)(r->scores, r->n)) return (double)NAN;
    if (!b->label && !all_within(r->buffer[0] + from, r->n, b->targets)) return (double)NAN;
    if (r->each)
        FC_STRETCHES (i, r->n, 1) r->each[i] = loss[i] * r->weight;
    if (r->gradient) NAME(put_row)(r->gradient, slope, r->n, r->factor);
    return sum_of_row(loss, r->n);
}

/* The same for all rows together, where none is special. */
FC_INLINED size_t NAME(put_runs)(const fc_batch_part *p, const double *loss, const double *slope, size_t n) {
    const size_t cols = p->batch->scores.cols;
    if (p->each) copy(p->each, loss, n);
    if (p->gradient) NAME(put_row)(p->gradient, slope, n, p->batch->scale);
    for (size_t i = 0; p->loss && i < p->rows; i++) p->loss[i] = sum_of_row(loss + i * cols, cols);
    return p->rows;
}

#define FC_DEFINE_SCORE_LOSS(name, let, loss, slope) \
    static size_t NAME(name)(const fc_batch_part *part) { \
        const fc_batch *b = part->batch; \
        const size_t n = part->rows * b->scores.cols; \
        const TYPE *scores = (const TYPE *)b->scores.data + part->first * b->scores.cols; \
        double *targets = part->buffer[0], *losses = part->buffer[2], *gradients = part->buffer[3]; \
        const int plain = NAME(fill_run)(part, targets, n) && NAME(all_finite)(scores, n) && !b->weight && !b->label; \
        const double *columns = NAME(fill_columns)(part, part->buffer[1], n); \
        const v_f64 p = all_f64(b->parameter); \
        (void)p; \
        FC_STRETCHES (i, n, F64_LANES) { \
            const v_f64 s = NAME(run_at)(scores, i, n), t = load_v_f64(targets + i); \
            const v_f64 w = columns ? load_v_f64(columns + i) : all_f64(1); \
            let; \
            const v_f64 of_loss = (loss), of_slope = (slope); \
            (void)w; \
            memcpy(losses + i, &of_loss, sizeof of_loss); \
            memcpy(gradients + i, &of_slope, sizeof of_slope); \
        } \
        return plain ? NAME(put_runs)(part, losses, gradients, n) : NAME(each_row)(part, NAME(put_run), NULL, NULL); \
    }
FC_SCORE_LOSSES(FC_DEFINE_SCORE_LOSS)
#undef FC_DEFINE_SCORE_LOSS
