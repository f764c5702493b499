# Losses and their sums: a part of _native.pyx.


cdef fc_loss loss_id(str loss) except *:
    for i in range(<int>FC_LOSS_COUNT):
        if (<bytes>fc_loss_name(<fc_loss>i)).decode() == loss:
            return <fc_loss>i
    raise ValueError(f"unknown loss {loss!r}")


def loss_names():
    """Names of the losses, in the order of csrc/lists.h."""
    return [(<bytes>fc_loss_name(<fc_loss>i)).decode() for i in range(<int>FC_LOSS_COUNT)]


TARGETS = {"any": <int>FC_ANY_FINITE, "parts": <int>FC_PARTS, "probabilities": <int>FC_PROBABILITIES}


cdef fc_batch batch_of(Held held, how, fc_matrix scores) except *:
    """What `how` (see Loss in the stub) says of these scores."""
    cdef fc_batch batch
    cdef View t
    batch.loss = loss_id(how.loss)
    batch.scores = scores
    batch.targets = <fc_targets><int>TARGETS[how.targets]
    batch.target = fc_matrix(NULL, 0, 0, <fc_dtype>0)
    if how.target is not None:
        batch.target = held.view(how.target, MATRIX, 2).matrix
    batch.label = <const int64_t *>held.data(how.label, INT64, scores.rows)
    batch.weight = <const double *>held.data(how.weight, "d", scores.rows)
    batch.column = <const double *>held.data(how.column, "d", scores.cols)
    batch.margins = NULL
    if how.margins is not None:
        t = held.view(how.margins, "d", 2)
        t.shaped(scores.cols, scores.cols)
        batch.margins = <const double *>t.matrix.data
    batch.scale, batch.smoothing, batch.margin, batch.smooth = 1, how.smoothing, how.margin, how.smooth
    batch.parameter = how.parameter
    batch.squared, batch.own_term = how.squared, how.own_term
    return batch


def losses(how, scores, double scale, int n_threads, of_rows, of_scores, gradient):
    """Write losses of rows, of scores, and gradients, where not None; return the first row with no answer, or None."""
    cdef Held held = Held()
    cdef View z = held.view(scores, MATRIX, 2), out
    cdef fc_batch batch = batch_of(held, how, z.matrix)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    cdef size_t rows = z.matrix.rows, cols = z.matrix.cols, bad = 0
    cdef double *loss_of_row = NULL
    cdef double *loss_of_score = NULL
    cdef void *slopes = NULL
    batch.scale = scale
    if of_rows is not None:
        out = held.view(of_rows, "d", 1, True)
        out.shaped(rows, 1)
        loss_of_row = <double *>out.matrix.data
    if of_scores is not None:
        out = held.view(of_scores, "d", 2, True)
        out.shaped(rows, cols)
        loss_of_score = <double *>out.matrix.data
    if gradient is not None:
        out = held.view(gradient, MATRIX, 2, True)
        out.shaped(rows, cols)
        if out.matrix.dtype != z.matrix.dtype:
            raise TypeError("the gradient must have the scores' dtype")
        slopes = <void *>out.matrix.data
    with nogil:
        status = fc_losses(&batch, run, loss_of_row, loss_of_score, slopes, &bad)
    if status == FC_BAD_ROW:
        return bad
    check(status)


def total(values):
    """The sum of a vector of float64, as if of twice the precision and rounded once."""
    cdef View v = View(values, "d", 1)
    return fc_total(<const double *>v.matrix.data, v.matrix.rows)
