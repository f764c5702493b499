/* scores.inc.h -- included for each dtype of scores: the losses that are sums over scores, FC_SCORE_LOSSES.
 *
 * The scores of a part's rows follow one another, so that they are gone through as one run whatever the rows' length;
 * then rows are weighted and summed.
 */

/* Scores, targets and column weights of a part in float64, and zeros up to a whole group. */
static inline size_t NAME(fill_scores)(const fc_batch_part *p) {
    const fc_batch *b = p->batch;
    const size_t cols = b->scores.cols, n = p->rows * cols;
    const TYPE *scores = (const TYPE *)b->scores.data + p->first * cols;
    double *s = p->room[0], *t = p->room[1], *w = p->room[2];
    for (size_t i = 0; i < n; i++) s[i] = (double)scores[i];
    if (b->label) {
        memset(t, 0, n * sizeof *t);
        for (size_t i = 0; i < p->rows; i++)
            if (b->label[p->first + i] >= 0) t[i * cols + (size_t)b->label[p->first + i]] = 1;
    } else {
        widen_row(t, &b->target, p->first * cols, n);
    }
    for (size_t i = 0; i < n; i++) w[i] = 1;
    for (size_t i = 0; b->column && i < n; i++) w[i] = b->column[i % cols];
    for (size_t i = n; i % FC_LANES; i++) s[i] = t[i] = w[i] = 0;
    return n;
}

/* The row's own part of a run of losses and slopes. */
static inline double NAME(put_scores)(const NAME(a_row) *r, double *ratio) {
    (void)ratio;
    const fc_batch *b = r->batch;
    const size_t from = (size_t)(r->scores - (const TYPE *)b->scores.data) - r->first * r->n;
    const double *loss = r->room[3] + from, *slope = r->room[4] + from;
    if (!NAME(all_finite)(r->scores, r->n)) return (double)NAN;
    for (size_t i = 0; r->each && i < r->n; i++) r->each[i] = loss[i] * r->weight;
    if (r->gradient) NAME(put_row)(r->gradient, slope, r->n, r->factor);
    return sum_of_row(loss, r->n);
}

#define FC_DEFINE_SCORE_LOSS(name, let, loss, slope) \
    static size_t NAME(name)(const fc_batch_part *p) { \
        const v_f64 m = all_f64(p->batch->margin); \
        const size_t n = NAME(fill_scores)(p); \
        (void)m; \
        for (size_t i = 0; i < n; i += F64_LANES) { \
            const v_f64 s = load_v_f64(p->room[0] + i), t = load_v_f64(p->room[1] + i), w = load_v_f64(p->room[2] + i); \
            let; \
            const v_f64 of_loss = (loss), of_slope = (slope); \
            (void)w; \
            memcpy(p->room[3] + i, &of_loss, sizeof of_loss); \
            memcpy(p->room[4] + i, &of_slope, sizeof of_slope); \
        } \
        return NAME(each_row)(p, NAME(put_scores), NULL, NULL); \
    }
FC_SCORE_LOSSES(FC_DEFINE_SCORE_LOSS)
#undef FC_DEFINE_SCORE_LOSS
