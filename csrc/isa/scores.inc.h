/* scores.inc.h -- included for each dtype of scores: the losses that are sums over scores, FC_SCORE_LOSSES.
 *
 * The scores of a part's rows follow one another, so that they are gone through as one run whatever the rows' length;
 * then rows are weighted and summed.
 */

/* Targets of a part in float64; false if one is not what the loss takes. */
static inline int NAME(fill_run)(const fc_batch_part *p, double *t, size_t n) {
    const fc_batch *b = p->batch;
    const size_t cols = b->scores.cols;
    if (!b->label) {
        widen_row(t, &b->target, p->first * cols, n);
        return all_within(t, n, b->targets);
    }
    memset(t, 0, n * sizeof *t);
    for (size_t i = 0; i < p->rows; i++)
        if (p->label[i] >= 0) t[i * cols + (size_t)p->label[i]] = 1;
    return 1;
}

/* Weights of the columns of a part, or NULL. */
static inline const double *NAME(fill_columns)(const fc_batch_part *p, double *w, size_t n) {
    const double *column = p->batch->column;
    const size_t cols = p->batch->scores.cols;
    if (!column) return NULL;
    for (size_t i = 0; i < n; i += cols) memcpy(w + i, column, cols * sizeof *w);
    return w;
}

/* The next scores of n, in float64; those beyond are 0. */
static inline v_f64 NAME(run_at)(const TYPE *scores, size_t i, size_t n) {
    TYPE last[F64_LANES] = {0};
    if (i + F64_LANES <= n) return NAME(widen)(scores + i);
    for (size_t l = 0; i + l < n; l++) last[l] = scores[i + l];
    return NAME(widen)(last);
}

/* One row's part of a run whose losses and slopes are there. */
static inline double NAME(put_run)(const NAME(a_row) * r) {
    const fc_batch *b = r->batch;
    const size_t from = (r->row - r->first) * r->n;
    const double *loss = r->room[2] + from, *slope = r->room[3] + from;
    if (!NAME(all_finite)(r->scores, r->n)) return (double)NAN;
    if (!b->label && !all_within(r->room[0] + from, r->n, b->targets)) return (double)NAN;
    for (size_t i = 0; r->each && i < r->n; i++) r->each[i] = loss[i] * r->weight;
    if (r->gradient) NAME(put_row)(r->gradient, slope, r->n, r->factor);
    return sum_of_row(loss, r->n);
}

/* The same for all rows, where none is special. */
static inline size_t NAME(put_runs)(const fc_batch_part *p, const double *loss, const double *slope, size_t n) {
    const size_t cols = p->batch->scores.cols;
    if (p->each) memcpy(p->each, loss, n * sizeof *loss);
    if (p->gradient) NAME(put_row)(p->gradient, slope, n, p->batch->scale);
    for (size_t i = 0; p->loss && i < p->rows; i++) p->loss[i] = sum_of_row(loss + i * cols, cols);
    return p->rows;
}

#define FC_DEFINE_SCORE_LOSS(name, let, loss, slope) \
    static size_t NAME(name)(const fc_batch_part *part) { \
        const fc_batch *b = part->batch; \
        const size_t n = part->rows * b->scores.cols; \
        const TYPE *scores = (const TYPE *)b->scores.data + part->first * b->scores.cols; \
        double *targets = part->room[0], *losses = part->room[2], *slopes = part->room[3]; \
        const int plain = NAME(fill_run)(part, targets, n) && NAME(all_finite)(scores, n) && !b->weight && !b->label; \
        const double *columns = NAME(fill_columns)(part, part->room[1], n); \
        const v_f64 p = all_f64(b->parameter); \
        (void)p; \
        for (size_t i = 0; i < n; i += F64_LANES) { \
            const v_f64 s = NAME(run_at)(scores, i, n), t = load_v_f64(targets + i); \
            const v_f64 w = columns ? load_v_f64(columns + i) : all_f64(1); \
            let; \
            const v_f64 of_loss = (loss), of_slope = (slope); \
            (void)w; \
            memcpy(losses + i, &of_loss, sizeof of_loss); \
            memcpy(slopes + i, &of_slope, sizeof of_slope); \
        } \
        return plain ? NAME(put_runs)(part, losses, slopes, n) : NAME(each_row)(part, NAME(put_run), NULL, NULL); \
    }
FC_SCORE_LOSSES(FC_DEFINE_SCORE_LOSS)
#undef FC_DEFINE_SCORE_LOSS
