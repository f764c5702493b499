# Losses and their sums: a part of _native.pyx.


def loss_names():
    """Names of the losses, in the order of csrc/lists.h."""
    return [(<bytes>fc_loss_name(<fc_loss>i)).decode() for i in range(<int>FC_LOSS_COUNT)]


def softmax_losses():
    """Names of the losses that take a softmax of the scores."""
    return [name for i, name in enumerate(loss_names()) if fc_loss_has_softmax(<fc_loss>i)]


cdef dict LOSS_IDS = {name: i for i, name in enumerate(loss_names())}


cdef fc_loss loss_id(str loss) except *:
    found = LOSS_IDS.get(loss)
    if found is None:
        raise ValueError(f"unknown loss {loss!r}")
    return <fc_loss><int>found


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
    batch.scale, batch.label_smoothing = 1, how.label_smoothing
    batch.margin, batch.hinge_width = how.margin, how.hinge_width
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
    cdef void *gradients = NULL
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
        gradients = <void *>out.matrix.data
    with nogil:
        status = fc_losses(&batch, run, loss_of_row, loss_of_score, gradients, &bad)
    if status == FC_BAD_ROW:
        return bad
    check(status)


cdef bint are_apart(const void *a, size_t a_bytes, const void *b, size_t b_bytes) noexcept:
    return <size_t>a + a_bytes <= <size_t>b or <size_t>b + b_bytes <= <size_t>a


cdef bint take_labels(
        const int64_t *given, size_t rows, size_t classes, int64_t ignored, int64_t *label) noexcept nogil:
    """Copy labels; whether all are classes, and none is ignored."""
    cdef int ok = 1
    for i in range(rows):
        label[i] = given[i]  # what is checked is the copy
        ok &= (<unsigned long long>label[i] < classes) & (label[i] != ignored)  # negative ones are large
    return ok != 0


def mean_loss(str loss, scores, target, gradient, double margin, int64_t ignored, int n_threads):
    """The mean loss, and the first row with no answer or None; None unless all labels are classes and arrays are apart.

    The gradient is written where it is not None, also into the scores themselves.
    """
    cdef View z, t, g = None
    try:
        z, t = View(scores, MATRIX, 2), View(target, INT64, 1)
        if gradient is not None:
            g = View(gradient, MATRIX, 2, True)
    except (ValueError, TypeError):  # in another order, read-only, of another type
        return None
    cdef size_t rows = z.matrix.rows, cols = z.matrix.cols, bad = 0, size = <size_t>z.buffer.itemsize
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status = FC_OK
    cdef fc_batch batch
    cdef double *losses
    cdef int64_t *label
    cdef double value = 0
    cdef bint ok
    if rows == 0 or cols == 0 or t.matrix.rows != rows or <size_t>z.matrix.data % size or <size_t>t.matrix.data % 8:
        return None
    memset(&batch, 0, sizeof(fc_batch))
    if g is not None:
        if (g.matrix.rows != rows or g.matrix.cols != cols or g.matrix.dtype != z.matrix.dtype
                or <size_t>g.matrix.data % size
                or not are_apart(g.matrix.data, rows * cols * size, t.matrix.data, rows * 8)
                or not (g.matrix.data == z.matrix.data
                        or are_apart(g.matrix.data, rows * cols * size, z.matrix.data, rows * cols * size))):
            return None
    batch.loss, batch.scores, batch.margin, batch.scale = loss_id(loss), z.matrix, margin, 1.0 / <double>rows
    losses = <double *>malloc(rows * (sizeof(double) + sizeof(int64_t)))
    if losses == NULL:
        raise MemoryError("no memory for the losses of rows")
    batch.label = label = <int64_t *>(losses + rows)
    with nogil:
        ok = take_labels(<const int64_t *>t.matrix.data, rows, cols, ignored, label)
        if ok:
            status = fc_losses(&batch, run, losses, NULL, <void *>g.matrix.data if g is not None else NULL, &bad)
        if ok and status == FC_OK:
            value = fc_total(losses, rows) * batch.scale
        free(losses)
    if not ok:
        return None
    if status == FC_BAD_ROW:
        return value, bad
    check(status)
    return value, None


def total(values):
    """The sum of a vector of float64, as if of twice the precision and rounded once."""
    cdef View v = View(values, "d", 1)
    return fc_total(<const double *>v.matrix.data, v.matrix.rows)
