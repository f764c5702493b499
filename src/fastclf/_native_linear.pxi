# Linear models and products of sparse matrices: a part of _native.pyx.


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
    product = fc_sparse(
        s.matrix.rows - 1, v.matrix.rows, <const int64_t *>s.matrix.data, <const int32_t *>i.matrix.data,
        v.matrix.data, v.matrix.dtype, m.matrix)
    o = held.view(out, "d" if m.matrix.dtype == FC_f64 else "f", 2, True)
    o.shaped(product.rows, m.matrix.cols)
    with nogil:
        status = fc_sparse_product(&product, run, <void *>o.matrix.data)
    check(status)
