# Losses and linear models: a part of _native.pyx.


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
    batch.squared, batch.own_term = how.squared, how.own_term
    return batch


def losses(how, scores, double scale, int n_threads, of_rows, of_scores, gradient):
    """Write losses of rows, of scores, and gradients, where they are not None; return the first row with no answer, or None."""
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


cdef fc_linear linear_of(Held held, X, centre, W, b) except *:
    """A model in the dtype of W."""
    cdef fc_linear model
    cdef View w = held.view(W, "fd", 2)
    cdef str format = "d" if w.matrix.dtype == FC_f64 else "f"
    model.X = held.view(X, MATRIX, 2).matrix
    w.shaped(w.matrix.rows, model.X.cols)
    model.dtype, model.W, model.classes = w.matrix.dtype, w.matrix.data, w.matrix.rows
    model.centre = held.data(centre, format, model.X.cols)
    model.b = held.data(b, format, model.classes)
    return model


def linear_scores(X, centre, W, b, int n_threads, scores):
    """Write (X - centre) W' + b; `centre` and `b` may be None."""
    cdef Held held = Held()
    cdef fc_linear model = linear_of(held, X, centre, W, b)
    cdef View out = held.view(scores, "d" if model.dtype == FC_f64 else "f", 2, True)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    out.shaped(model.X.rows, model.classes)
    with nogil:
        status = fc_linear_scores(&model, run, <void *>out.matrix.data)
    check(status)


def linear_loss(how, X, centre, W, b, int n_threads, of_W, of_b):
    """Write the gradients of the sum of losses; return the sum, or None if a row has no answer."""
    cdef Held held = Held()
    cdef fc_linear model = linear_of(held, X, centre, W, b)
    cdef fc_batch batch = batch_of(held, how, fc_matrix(NULL, model.X.rows, model.classes, model.dtype))
    cdef View w = held.view(of_W, "d", 2, True), v = held.view(of_b, "d", 1, True)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    cdef double loss = 0
    w.shaped(model.classes, model.X.cols)
    v.shaped(model.classes, 1)
    with nogil:
        status = fc_linear_loss(&model, &batch, run, &loss, <double *>w.matrix.data, <double *>v.matrix.data)
    if status == FC_BAD_ROW:
        return None
    check(status)
    return loss


def sparse_product(start, index, value, M, int n_threads, out):
    """Write the product of a sparse matrix in compressed rows with M."""
    cdef Held held = Held()
    cdef View s = held.view(start, INT64, 1), i = held.view(index, "i", 1), v = held.view(value, MATRIX, 1)
    cdef View m = held.view(M, "fd", 2), o
    cdef fc_sparse product
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    if s.matrix.rows == 0:
        raise ValueError("start must have a value for each row, and one more")
    i.shaped(v.matrix.rows, 1)
    product = fc_sparse(s.matrix.rows - 1, v.matrix.rows, <const int64_t *>s.matrix.data, <const int32_t *>i.matrix.data,
                        v.matrix.data, v.matrix.dtype, m.matrix)
    o = held.view(out, "d" if m.matrix.dtype == FC_f64 else "f", 2, True)
    o.shaped(product.rows, m.matrix.cols)
    with nogil:
        status = fc_sparse_product(&product, run, <void *>o.matrix.data)
    check(status)


def total(values):
    """The sum of a vector of float64, as if of twice the precision and rounded once."""
    cdef View v = View(values, "d", 1)
    return fc_total(<const double *>v.matrix.data, v.matrix.rows)
