/* parts.inc.h -- included for each float type of scores: what the table of kernels holds for the losses of rows.  Needs
 * rows.inc.h, softmax.inc.h, hinge.inc.h, transposed.inc.h and bands.inc.h.
 */

static size_t NAME(softmax)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(softmax_row), NULL, NULL); }
static size_t NAME(log_softmax)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(log_softmax_row), NULL, NULL); }
static size_t NAME(kl_div)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(kl_div_row), NULL, NULL); }
static size_t NAME(softmax_mse)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(softmax_mse_row), NULL, NULL); }
static size_t NAME(cross_entropy)(const fc_batch_part *p) {
    const int by_label = p->batch->label && p->batch->label_smoothing == 0 && !p->batch->column;
    return by_label ? NAME(each_row)(p, NAME(label_row), NAME(label_rows), p->buffer[2])
                    : NAME(each_row)(p, NAME(target_row), NULL, NULL);
}
static size_t NAME(hinge)(const fc_batch_part *p) { return NAME(each_row)(p, NAME(hinge_row), NAME(hinge_tile), NULL); }
static size_t NAME(crammer_singer)(const fc_batch_part *p) {
    return NAME(each_row)(p, NAME(crammer_singer_row), NULL, NULL);
}
