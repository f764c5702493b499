# cython: language_level=3, boundscheck=True, wraparound=False
"""The one extension module: check the buffers, call the C interface, check its status, return."""
from libc.stdint cimport int32_t, int64_t, uint8_t

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer


cdef extern from "Python.h":
    int PyErr_CheckSignals() noexcept  # leaves the handler's exception set; `check` passes it on


cdef int poll() noexcept with gil:
    return PyErr_CheckSignals()


cdef int check(fc_status status) except -1:
    if status == FC_OK:
        return 0
    if status == FC_NO_MEMORY:
        raise MemoryError("no memory for the scratch space of the threads")
    if status == FC_BAD_ARGUMENT:
        raise ValueError("the kernel was given sizes, names or values that do not go together")
    return -1  # FC_INTERRUPTED: the signal handler's exception is already set


cdef str MATRIX = "".join([chr(fc_dtype_format(<fc_dtype>i)) for i in range(<int>FC_DTYPE_COUNT)])
cdef str INT64 = "lq"  # C's long where that has 64 bits, else long long


cdef class View:
    """A buffer held for the length of a call."""

    cdef Py_buffer buffer
    cdef fc_matrix matrix

    def __cinit__(self, array, str formats, int ndim, bint writable=False):
        PyObject_GetBuffer(array, &self.buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
        cdef str format = (<bytes>self.buffer.format).decode()
        if len(format) != 1 or format not in formats or self.buffer.ndim != ndim:
            raise TypeError(f"need {ndim} dimensions of format {formats}, got {self.buffer.ndim} of {format}")
        self.matrix.data = self.buffer.buf
        self.matrix.rows = <size_t>self.buffer.shape[0]
        self.matrix.cols = <size_t>self.buffer.shape[1] if ndim == 2 else 1
        self.matrix.dtype = <fc_dtype>MATRIX.find(format)  # means nothing where the format is no matrix's

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    cdef int shaped(self, size_t rows, size_t cols) except -1:
        if self.matrix.rows != rows or self.matrix.cols != cols:
            raise ValueError(f"need shape ({rows}, {cols}), got ({self.matrix.rows}, {self.matrix.cols})")
        return 0


cdef fc_metric metric_id(str metric) except *:
    for i in range(<int>FC_METRIC_COUNT):
        if (<bytes>fc_metric_name(<fc_metric>i)).decode() == metric:
            return <fc_metric>i
    raise ValueError(f"unknown metric {metric!r}")


def metrics():
    """Names of the metrics, in the order of csrc/lists.h."""
    return [(<bytes>fc_metric_name(<fc_metric>i)).decode() for i in range(<int>FC_METRIC_COUNT)]


cdef class Held:
    """Buffers that a C structure points into, held for the length of a call."""

    cdef list views

    def __cinit__(self):
        self.views = []

    cdef View view(self, array, str formats, int ndim, bint writable=False):
        """The buffer of `array`."""
        cdef View v = View(array, formats, ndim, writable)
        self.views.append(v)
        return v

    cdef const void *data(self, array, str formats, size_t length, bint writable=False) except? NULL:
        """The values of a vector of `length`, or NULL for None."""
        if array is None:
            return NULL
        cdef View v = self.view(array, formats, 1, writable)
        v.shaped(length, 1)
        return v.matrix.data

    cdef void *room(self, array, str formats, size_t rows, size_t cols) except? NULL:
        """The values of a matrix of that shape, to be written."""
        cdef View v = self.view(array, formats, 2, True)
        v.shaped(rows, cols)
        return <void *>v.matrix.data

    cdef fc_sketch sketch(self, sketch, size_t rows) except *:
        """A pair (codes, terms)."""
        cdef View codes = self.view(sketch[0], "B", 2), terms = self.view(sketch[1], "B", 2)
        codes.shaped(rows, codes.matrix.cols)
        terms.shaped(rows, sizeof(fc_sketch_terms))
        return fc_sketch(codes.matrix, <const fc_sketch_terms *>terms.matrix.data)


def knn(str metric, Q, X, size_t k, centre, own, bint as_bytes, int n_threads, distance, index,
        stages=(), double refine_cost=1.0, given_up=None, bint tell=False):
    """Write the k nearest rows of X for each row of Q into `distance` and `index`; `as_bytes` if `fits_u8` of both.

    `stages` are tuples (sketch of Q, sketch of X, adds, skew, unit, tilt, cost), a sketch being (codes, terms).  With `tell`,
    return the pairs that came to each stage and to refining, and the seconds they took.
    """
    cdef Held held = Held()
    cdef View d = held.view(distance, "d", 2, True), i = held.view(index, INT64, 2, True), g
    cdef fc_stage stage[FC_MAX_STAGES]
    cdef fc_tally tally
    cdef fc_search search
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    if len(stages) > FC_MAX_STAGES:
        raise ValueError(f"at most {FC_MAX_STAGES} stages, got {len(stages)}")
    search.metric = metric_id(metric)
    search.Q = held.view(Q, MATRIX, 2).matrix
    search.X = held.view(X, MATRIX, 2).matrix
    d.shaped(search.Q.rows, k)
    i.shaped(search.Q.rows, k)
    search.k = k
    search.centre = <const float *>held.data(centre, "f", search.X.cols)
    search.own = <const int64_t *>held.data(own, INT64, search.Q.rows)
    search.bytes = as_bytes
    for n, (of_q, of_x, adds, skew, unit, tilt, cost) in enumerate(stages):
        stage[n] = fc_stage(held.sketch(of_q, search.Q.rows), held.sketch(of_x, search.X.rows), adds, skew, unit, tilt, cost)
    search.stages = stage
    search.n_stages = len(stages)
    search.refine_cost = refine_cost
    search.given_up = NULL
    if given_up is not None:
        g = held.view(given_up, "B", 1, True)
        g.shaped(search.Q.rows, 1)
        search.given_up = <uint8_t *>g.matrix.data
    search.tally = &tally if tell else NULL
    with nogil:
        status = fc_knn(&search, run, <double *>d.matrix.data, <int64_t *>i.matrix.data)
    check(status)
    if tell:
        return [(tally.pairs[n], tally.seconds[n]) for n in range(len(stages) + 1)]


def knn_apart(str metric, X, group, centre, bint as_bytes, int n_threads, distance, index):
    """Write the nearest rows of X to each of them, of other groups than its own."""
    cdef Held held = Held()
    cdef View d = held.view(distance, "d", 2, True), i = held.view(index, INT64, 2, True)
    cdef fc_apart search
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    search.metric = metric_id(metric)
    search.X = held.view(X, MATRIX, 2).matrix
    search.k = d.matrix.cols
    d.shaped(search.X.rows, search.k)
    i.shaped(search.X.rows, search.k)
    search.group = <const int64_t *>held.data(group, INT64, search.X.rows)
    search.centre = <const float *>held.data(centre, "f", search.X.cols)
    search.bytes = as_bytes
    if search.group == NULL:
        raise ValueError("every row needs a group")
    with nogil:
        status = fc_knn_apart(&search, run, <double *>d.matrix.data, <int64_t *>i.matrix.data)
    check(status)


def rerank(str metric, Q, X, row, own, int n_threads, distance, index):
    """Write the nearest rows of X among those in `row`, by query, into `distance` and `index`; -1 where there are too few."""
    cdef Held held = Held()
    cdef View r = held.view(row, INT64, 2), d = held.view(distance, "d", 2, True), i = held.view(index, INT64, 2, True)
    cdef fc_candidates candidates
    cdef fc_run run = fc_run(n_threads, poll)
    cdef size_t k = d.matrix.cols
    cdef fc_status status
    candidates.metric = metric_id(metric)
    candidates.Q = held.view(Q, MATRIX, 2).matrix
    candidates.X = held.view(X, MATRIX, 2).matrix
    candidates.per_query = r.matrix.cols
    r.shaped(candidates.Q.rows, r.matrix.cols)
    d.shaped(candidates.Q.rows, k)
    i.shaped(candidates.Q.rows, k)
    candidates.row = <const int64_t *>r.matrix.data
    candidates.own = <const int64_t *>held.data(own, INT64, candidates.Q.rows)
    with nogil:
        status = fc_rerank(&candidates, k, run, <double *>d.matrix.data, <int64_t *>i.matrix.data)
    check(status)


def sketch(str metric, M, centre, directions, double skew, groups, offset, float step, bint beyond, int n_threads,
           levels):
    """Write codes and terms of the rows of M by level; `groups` is (feature, start, weight) if there are no directions."""
    cdef Held held = Held()
    cdef View m = held.view(M, MATRIX, 2), c, t, w
    cdef fc_metric id = metric_id(metric)
    cdef const float *middle = <const float *>held.data(centre, "f", m.matrix.cols)
    cdef uint8_t *codes[FC_MAX_STAGES]
    cdef fc_sketch_terms *terms[FC_MAX_STAGES]
    cdef fc_sketcher how
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    cdef size_t total = 0
    how.levels = len(levels)
    if how.levels > FC_MAX_STAGES:
        raise ValueError(f"at most {FC_MAX_STAGES} levels, got {how.levels}")
    for n, (of_rows, their_terms) in enumerate(levels):
        c, t = held.view(of_rows, "B", 2, True), held.view(their_terms, "B", 2, True)
        c.shaped(m.matrix.rows, c.matrix.cols)
        t.shaped(m.matrix.rows, sizeof(fc_sketch_terms))
        codes[n], terms[n] = <uint8_t *>c.matrix.data, <fc_sketch_terms *>t.matrix.data
        how.cols[n] = c.matrix.cols
        total += how.cols[n]
    how.directions = NULL
    how.feature = how.start = NULL
    how.weight = NULL
    if directions is not None:
        w = held.view(directions, "f", 2)
        w.shaped(total, m.matrix.cols)
        how.directions = <const float *>w.matrix.data
    else:
        how.feature = <const int64_t *>held.data(groups[0], INT64, len(groups[0]))
        how.weight = <const float *>held.data(groups[2], "f", len(groups[0]))
        how.start = <const int64_t *>held.data(groups[1], INT64, total + 1)
        if groups[1][total] > len(groups[0]):
            raise ValueError("groups end beyond the features")
    how.skew = skew
    how.offset = <const double *>held.data(offset, "d", total)
    how.step = step
    how.beyond = beyond
    with nogil:
        status = fc_sketch_rows(id, &how, m.matrix, middle, run, codes, terms)
    check(status)


def fits_u8(X):
    """Whether all values of X are integers from 0 to 255."""
    cdef View x = View(X, MATRIX, 2)
    cdef int fits = 0
    cdef fc_status status
    with nogil:
        status = fc_fits_u8(x.matrix, poll, &fits)
    check(status)
    return bool(fits)


def pairwise(str metric, Q, X, int n_threads, distance):
    """Write all distances between the rows of Q and those of X into `distance`."""
    cdef View q = View(Q, MATRIX, 2), x = View(X, MATRIX, 2), d = View(distance, "d", 2, True)
    cdef fc_metric m = metric_id(metric)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    d.shaped(q.matrix.rows, x.matrix.rows)
    with nogil:
        status = fc_pairwise(m, q.matrix, x.matrix, run, <double *>d.matrix.data)
    check(status)


def vote(label, index, size_t n_classes, weights, votes, winner):
    """Count the votes of each row of neighbours: label[index], or a two-dimensional `label` where index is None.

    `weights`, `votes` and `winner` may be None.
    """
    cdef View l = View(label, INT64, 2 if index is None else 1)
    cdef View i = None if index is None else View(index, INT64, 2)
    cdef size_t rows = l.matrix.rows if i is None else i.matrix.rows
    cdef size_t k = l.matrix.cols if i is None else i.matrix.cols
    cdef View w = None if weights is None else View(weights, "d", 2)
    cdef View v = None if votes is None else View(votes, "d", 2, True)
    cdef View o = None if winner is None else View(winner, INT64, 1, True)
    cdef const int64_t *ids = NULL
    cdef const double *weight = NULL
    cdef double *counts = NULL
    cdef int64_t *best = NULL
    cdef fc_status status
    if i is not None:
        ids = <const int64_t *>i.matrix.data
    if w is not None:
        w.shaped(rows, k)
        weight = <const double *>w.matrix.data
    if v is not None:
        v.shaped(rows, n_classes)
        counts = <double *>v.matrix.data
    if o is not None:
        o.shaped(rows, 1)
        best = <int64_t *>o.matrix.data
    with nogil:
        status = fc_vote(<const int64_t *>l.matrix.data, l.matrix.rows * l.matrix.cols, ids, rows, k, n_classes, weight, counts, best)
    check(status)


def vote_prefixes(label, index, size_t n_classes, prefix, winner):
    """Write to `winner`, of shape (prefixes, rows), what the first so many neighbours of each row vote for.

    `prefix` ascends.
    """
    cdef View l = View(label, INT64, 1)
    cdef View i = View(index, INT64, 2)
    cdef View p = View(prefix, INT64, 1)
    cdef View o = View(winner, INT64, 2, True)
    cdef fc_status status
    o.shaped(p.matrix.rows, i.matrix.rows)
    with nogil:
        status = fc_vote_prefixes(
            <const int64_t *>l.matrix.data, l.matrix.rows, <const int64_t *>i.matrix.data, i.matrix.rows, i.matrix.cols,
            n_classes, <const int64_t *>p.matrix.data, p.matrix.rows, <int64_t *>o.matrix.data)
    check(status)


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


def activations():
    """Names of the activations, in the order of csrc/lists.h."""
    return [(<bytes>fc_activation_name(<fc_activation>i)).decode() for i in range(<int>FC_ACTIVATION_COUNT)]


cdef fc_window_model window_model_of(Held held, net, bint writable) except *:
    """A model (see Net in the stub) in the dtype of its vectors; without its sums of squares if it is only read."""
    cdef fc_window_model model
    cdef View v = held.view(net.vectors, "fd", 2, writable), w
    cdef str format = "d" if v.matrix.dtype == FC_f64 else "f"
    cdef size_t inputs
    model.dtype, model.words, model.dim = v.matrix.dtype, v.matrix.rows, v.matrix.cols
    model.window, model.trained, model.layers = net.window, net.trained, len(net.layers)
    if not 1 <= model.layers <= FC_WINDOW_LAYERS:
        raise ValueError(f"need 1 to {FC_WINDOW_LAYERS} layers, got {model.layers}")
    model.activation = <fc_activation><int>activations().index(net.activation)
    model.vectors = <void *>v.matrix.data
    model.squares = held.room(net.squares, format, v.matrix.rows, v.matrix.cols) if writable else NULL
    inputs = (2 * model.window + 1) * model.dim
    for i, layer in enumerate(net.layers):
        w = held.view(layer.W, format, 2, writable)
        w.shaped(w.matrix.rows, inputs)
        inputs = w.matrix.rows
        model.layer[i].outputs, model.layer[i].W = inputs, <void *>w.matrix.data
        model.layer[i].b = <void *>held.data(layer.b, format, inputs, writable)
        model.layer[i].W_squares = model.layer[i].b_squares = NULL
        if writable:
            model.layer[i].W_squares = held.room(layer.W_squares, format, w.matrix.rows, w.matrix.cols)
            model.layer[i].b_squares = <void *>held.data(layer.b_squares, format, inputs, True)
    return model


cdef fc_windows windows_of(Held held, word, centre) except *:
    """Windows about `centre` in the text `word`."""
    cdef View w = held.view(word, "i", 1), c = held.view(centre, INT64, 1)
    return fc_windows(<const int32_t *>w.matrix.data, w.matrix.rows, <const int64_t *>c.matrix.data, c.matrix.rows)


def window_scores(net, word, centre, int n_threads, scores):
    """Write the scores of the windows about `centre`."""
    cdef Held held = Held()
    cdef fc_window_model model = window_model_of(held, net, False)
    cdef fc_windows windows = windows_of(held, word, centre)
    cdef View out = held.view(scores, "d" if model.dtype == FC_f64 else "f", 2, True)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    out.shaped(windows.n, model.layer[model.layers - 1].outputs)
    with nogil:
        status = fc_window_scores(&model, windows, run, <void *>out.matrix.data)
    check(status)


def window_train(net, how, word, centre, label, corrupt, corrupt_label, int n_threads, objective):
    """Train on the windows about `centre`, and write what each step began at; False if scores overflow.

    `how` is as Steps in the stub; `corrupt` and `corrupt_label` are None or both are not.
    """
    cdef Held held = Held()
    cdef fc_window_model model = window_model_of(held, net, True)
    cdef fc_window_steps steps
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    cdef double *values
    steps.windows = windows_of(held, word, centre)
    steps.label = <const int64_t *>held.data(label, INT64, steps.windows.n)
    steps.corrupt = <const int64_t *>held.data(corrupt, INT64, steps.windows.n)
    steps.corrupt_label = <const int64_t *>held.data(corrupt_label, INT64, steps.windows.n)
    if (corrupt is None) != (corrupt_label is None):
        raise ValueError("corrupt windows and their labels come together")
    steps.batch, steps.rate, steps.l2, steps.margin = how.batch, how.rate, how.l2, how.margin
    if steps.batch == 0:
        raise ValueError("a batch must have a window")
    values = <double *>held.data(objective, "d", (steps.windows.n - 1) // steps.batch + 1 if steps.windows.n else 0, True)
    with nogil:
        status = fc_window_train(&model, &steps, run, values)
    if status == FC_BAD_ROW:
        return False
    check(status)
    return True


def total(values):
    """The sum of a vector of float64, as if of twice the precision and rounded once."""
    cdef View v = View(values, "d", 1)
    return fc_total(<const double *>v.matrix.data, v.matrix.rows)


def built_isas():
    """Instruction sets that this build has, worst first."""
    return [(<bytes>fc_isa_name(i)).decode() for i in range(fc_isa_count())]


def isas():
    """Names of the instruction sets that this build has and this machine can run, worst first."""
    return [(<bytes>fc_isa_name(i)).decode() for i in range(fc_isa_count()) if fc_isa_available(i)]


def isa():
    """Name of the instruction set in use."""
    return (<bytes>fc_isa_name(fc_isa_active())).decode()


def use_isa(str name):
    """Use another instruction set, for the whole process: one of `isas()`."""
    for i in range(fc_isa_count()):
        if (<bytes>fc_isa_name(i)).decode() == name and fc_isa_use(i):
            return
    raise ValueError(f"instruction set {name!r} is not one of {isas()}")


def has_openmp():
    """Whether this build has OpenMP."""
    return bool(fc_has_openmp())


def max_threads():
    """The most threads that OpenMP and the affinity of this process allow; 1 without OpenMP."""
    return fc_max_threads()


def _start():
    """Lower the instruction set as the environment says."""
    import os

    name = os.environ.get("FASTCLF_ISA")
    if not name:
        return
    try:
        use_isa(name)
    except ValueError:
        raise ImportError(f"FASTCLF_ISA={name!r}: this build and machine have {isas()}") from None


_start()
