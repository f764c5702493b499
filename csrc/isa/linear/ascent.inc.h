/* ascent.inc.h -- included once: what a row adds to weights that are stored by feature.  Needs linear.inc.h.
 */

/* Add the values of row 0 of a sparse matrix, each times `factor`, to rows of M, which are whole fours of columns.
 * Products and sums of float64 are each rounded, so that the bytes are the same on every instruction set.
 */
static void add_row(const fc_sparse *s, const double *factor, double *M) {
    const size_t classes = s->M.cols, end = fc_sparse_start(s, 1);
    for (size_t i = fc_sparse_start(s, 0); i < end; i++) {
        const double value = fc_value_at(s->value, i, s->dtype);
        double *m = M + fc_within(FC_ONCE(s->index[i]), s->M.rows) * classes;
        for (size_t c = 0; c < classes; c += 4) {
            sum_of_four_f64 sum, f;
            memcpy(&sum, m + c, sizeof sum);
            memcpy(&f, factor + c, sizeof f);
            sum += value * f;
            memcpy(m + c, &sum, sizeof sum);
        }
    }
}
