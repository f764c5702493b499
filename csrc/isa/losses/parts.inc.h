/* parts.inc.h -- included for each float type of scores: losses of which several rows may go together.  The table of
 * kernels holds these functions; those of other losses of rows stand beside what they do with a row.  Needs rows.inc.h,
 * softmax.inc.h, short.inc.h, hinge.inc.h, transposed.inc.h and bands.inc.h.
 */

/* Beyond a block the largest score is found on the way. */
static inline double NAME(any_label_row)(const NAME(a_row) * r) {
    return r->n <= NAME(BLOCK) ? NAME(label_short_row)(r) : NAME(label_row)(r);
}

static size_t NAME(cross_entropy)(const fc_batch_part *p) {
    const int by_label = p->batch->label && p->batch->label_smoothing == 0 && !p->batch->column;
    return by_label ? NAME(each_row)(p, NAME(any_label_row), NAME(label_rows), p->buffer[2])
                    : NAME(each_row)(p, NAME(target_row), NULL, NULL);
}
static size_t NAME(hinge)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(hinge_row), NAME(hinge_tile), NULL); }
