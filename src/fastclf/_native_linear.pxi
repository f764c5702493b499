# Linear models and products of sparse matrices: a part of _native.pyx.


cdef fc_linear linear_of(Held held, X, centre, W, b) except *:
    """A model in the dtype of W."""
    cdef fc_linear model
    cdef View w = held.view(W, "fd", 2)
    cdef str format = format_of(w.matrix.dtype)
    model.X = held.view(X, MATRIX, 2).matrix
    w.shaped(w.matrix.rows, model.X.cols)
    model.in_, model.W, model.classes = fc_arithmetic_of(w.matrix.dtype), w.matrix.data, w.matrix.rows
    model.centre = held.data(centre, format, model.X.cols)
    model.b = held.data(b, format, model.classes)
    return model


def linear_scores(X, centre, W, b, int n_threads, scores):
    """Write (X - centre) W' + b; `centre` and `b` may be None."""
    cdef Held held = Held()
    cdef fc_linear model = linear_of(held, X, centre, W, b)
    cdef View out = held.view(scores, format_of(fc_dtype_of(model.in_)), 2, True)
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
    cdef fc_batch batch = batch_of(held, how, fc_matrix(NULL, model.X.rows, model.classes, fc_dtype_of(model.in_)))
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


cdef fc_strided strided_of(Held held, array, str format) except *:
    """A matrix, or the transpose of one, whose rows lie one after the other or a fixed step apart."""
    cdef bint is_turned = array.flags.f_contiguous and not array.flags.c_contiguous
    cdef View v = held.view(array.T if is_turned else array, format, 2)
    cdef size_t rows = v.matrix.rows, cols = v.matrix.cols
    if is_turned:
        return fc_strided(v.matrix.data, cols, rows, 1, cols)
    return fc_strided(v.matrix.data, rows, cols, cols, 1)


def matmul(A, B, bias, bint add, int n_threads, out, row_sums=None):
    """Write A B, + out with `add`, + bias where it is not None; add the sums of A's rows to `row_sums`.

    A and B may be of either order.
    """
    cdef Held held = Held()
    cdef View c = held.view(out, "fd", 2, True)
    cdef str format = format_of(c.matrix.dtype)
    cdef fc_strided a = strided_of(held, A, format), b = strided_of(held, B, format)
    cdef const void *of_columns = held.data(bias, format, b.cols)
    cdef double *of_rows = <double *>held.data(row_sums, "d", a.rows, True)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    c.shaped(a.rows, b.cols)
    with nogil:
        status = fc_matmul(fc_arithmetic_of(c.matrix.dtype), &a, &b, of_columns, add, run, <void *>c.matrix.data,
                           of_rows)
    check(status)


cdef fc_sparse sparse_of(Held held, start, index, value) except *:
    """A sparse matrix in compressed rows; what it is multiplied with is left open."""
    cdef View s = held.view(start, INT64, 1), i = held.view(index, "i", 1), v = held.view(value, MATRIX, 1)
    if s.matrix.rows == 0:
        raise ValueError("start must have a value for each row, and one more")
    i.shaped(v.matrix.rows, 1)
    return fc_sparse(
        s.matrix.rows - 1, v.matrix.rows, <const int64_t *>s.matrix.data, <const int32_t *>i.matrix.data,
        v.matrix.data, v.matrix.dtype, fc_matrix(NULL, 0, 0, v.matrix.dtype))


def sparse_product(start, index, value, M, int n_threads, out):
    """Write the product of a sparse matrix in compressed rows with M."""
    cdef Held held = Held()
    cdef fc_sparse product = sparse_of(held, start, index, value)
    cdef View m = held.view(M, "fd", 2), o = held.view(out, format_of(m.matrix.dtype), 2, True)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    product.M = m.matrix
    o.shaped(product.rows, m.matrix.cols)
    with nogil:
        status = fc_sparse_product(&product, run, <void *>o.matrix.data)
    check(status)


SVM_FOURS = <int>FC_SVM_FOURS


def svm_ascend(how, size_t sweeps, unsigned long long seed, a, W, b):
    """Make sweeps of dual coordinate ascent: change `a` and `b`, write W by feature, padded.

    Return how many rows were looked at.
    """
    cdef Held held = Held()
    cdef fc_svm svm
    cdef View w = held.view(W, "d", 2, True), margins = held.view(how.margins, "d", 2)
    cdef View dual = held.view(a, "d", 2, True), x
    cdef size_t rows, features = w.matrix.rows, visits = 0
    cdef fc_run run = fc_run(1, poll)
    cdef fc_status status
    cdef double *intercept
    svm.classes = dual.matrix.cols
    w.shaped(features, (svm.classes + FC_SVM_FOURS - 1) // FC_SVM_FOURS * FC_SVM_FOURS)
    svm.X, svm.centre = fc_matrix(NULL, 0, 0, w.matrix.dtype), NULL
    if how.compressed is None:
        x = held.view(how.X, MATRIX, 2)
        x.shaped(x.matrix.rows, features)
        svm.X, svm.centre = x.matrix, <const double *>held.data(how.centre, "d", features)
        rows = svm.X.rows
    else:
        svm.sparse = sparse_of(held, how.compressed.start, how.compressed.index, how.compressed.value)
        svm.sparse.M = w.matrix
        rows = svm.sparse.rows
    svm.label = <const int64_t *>held.data(how.label, INT64, rows)
    svm.weight = <const double *>held.data(how.weight, "d", rows)
    svm.squares = <const double *>held.data(how.squares, "d", rows)
    margins.shaped(svm.classes, svm.classes)
    svm.margins = <const double *>margins.matrix.data
    svm.l2, svm.unit, svm.largest, svm.squared = how.l2, how.unit, how.largest, how.squared
    dual.shaped(rows, svm.classes)
    intercept = <double *>held.data(b, "d", svm.classes, True)
    with nogil:
        status = fc_svm_ascend(&svm, run, sweeps, seed, <double *>dual.matrix.data, <double *>w.matrix.data, intercept,
                               &visits)
    check(status)
    return visits


cdef fc_svm_terms terms_of(Held held, how, multipliers, double width, a, bint known, size_t rows,
                           size_t classes) except *:
    """The terms of an augmented Lagrangian."""
    cdef fc_svm_terms terms
    cdef View margins = held.view(how.margins, "d", 2), from_ = held.view(multipliers, "d", 2)
    margins.shaped(classes, classes)
    from_.shaped(rows, classes)
    terms.label = <const int64_t *>held.data(how.label, INT64, rows)
    terms.weight = <const double *>held.data(how.weight, "d", rows)
    terms.margins, terms.multipliers = <const double *>margins.matrix.data, <const double *>from_.matrix.data
    terms.width, terms.largest = width, how.largest
    terms.a = <double *>held.allocate(a, "d", rows, classes)
    terms.scores, terms.known = NULL, known
    return terms


def svm_lagrangian(how, X, centre, W, b, int n_threads, multipliers, double width, a, scores, bint known, of_W, of_b):
    """Write `a` and gradients; return the augmented Lagrangian and the sum of hinges, or None if scores overflow.

    Scores are written, too; or read, where they are known: gradients are then less by those of the multipliers.
    """
    cdef Held held = Held()
    cdef fc_linear model = linear_of(held, X, centre, W, b)
    cdef fc_svm_terms terms = terms_of(held, how, multipliers, width, a, known, model.X.rows, model.classes)
    cdef View w = held.view(of_W, "d", 2, True), v = held.view(of_b, "d", 1, True)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    cdef double value = 0, hinges = 0
    terms.scores = held.allocate(scores, format_of(fc_dtype_of(model.in_)), model.X.rows, model.classes)
    w.shaped(model.classes, model.X.cols)
    v.shaped(model.classes, 1)
    with nogil:
        status = fc_svm_lagrangian(&model, &terms, run, &value, &hinges, <double *>w.matrix.data,
                                   <double *>v.matrix.data)
    if status == FC_BAD_ROW:
        return None
    check(status)
    return value, hinges


def svm_lagrangian_of_scores(how, scores, int n_threads, multipliers, double width, a, bint known):
    """The same for scores, which become the gradients by them."""
    cdef Held held = Held()
    cdef View s = held.view(scores, "fd", 2, True)
    cdef fc_svm_terms terms = terms_of(held, how, multipliers, width, a, known, s.matrix.rows, s.matrix.cols)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    cdef double value = 0, hinges = 0
    with nogil:
        status = fc_svm_lagrangian_of_scores(s.matrix, &terms, run, &value, &hinges)
    if status == FC_BAD_ROW:
        return None
    check(status)
    return value, hinges
