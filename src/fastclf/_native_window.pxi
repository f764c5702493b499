# Window models: a part of _native.pyx.


def activations():
    """Names of the activations, in the order of csrc/lists.h."""
    return [(<bytes>fc_activation_name(<fc_activation>i)).decode() for i in range(<int>FC_ACTIVATION_COUNT)]


cdef fc_window_model window_model_of(Held held, net, bint writable) except *:
    """A model (see Net in the stub) in the dtype of its vectors; without its sums of squares if it is only read."""
    cdef fc_window_model model
    cdef View v = held.view(net.vectors, "fd", 2, writable), w
    cdef str format = format_of(v.matrix.dtype)
    cdef size_t inputs
    model.in_, model.words, model.dim = fc_arithmetic_of(v.matrix.dtype), v.matrix.rows, v.matrix.cols
    model.window, model.trained, model.layers = net.window, net.trained, len(net.layers)
    if not 1 <= model.layers <= FC_WINDOW_LAYERS:
        raise ValueError(f"need 1 to {FC_WINDOW_LAYERS} layers, got {model.layers}")
    model.activation = <fc_activation><int>activations().index(net.activation)
    model.vectors = <void *>v.matrix.data
    model.squares = held.allocate(net.squares, format, v.matrix.rows, v.matrix.cols) if writable else NULL
    inputs = (2 * model.window + 1) * model.dim
    for i, layer in enumerate(net.layers):
        w = held.view(layer.W, format, 2, writable)
        w.shaped(w.matrix.rows, inputs)
        inputs = w.matrix.rows
        model.layer[i].outputs, model.layer[i].W = inputs, <void *>w.matrix.data
        model.layer[i].b = <void *>held.data(layer.b, format, inputs, writable)
        model.layer[i].W_squares = model.layer[i].b_squares = NULL
        if writable:
            model.layer[i].W_squares = held.allocate(layer.W_squares, format, w.matrix.rows, w.matrix.cols)
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
    cdef View out = held.view(scores, format_of(fc_dtype_of(model.in_)), 2, True)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    out.shaped(windows.n, model.layer[model.layers - 1].outputs)
    with nogil:
        status = fc_window_scores(&model, windows, run, <void *>out.matrix.data)
    check(status)


def window_train(net, how, word, centre, label, corrupt, corrupt_label, int n_threads, objective, weight=None):
    """Train on the windows about `centre`, and write what each step began at; False if scores overflow.

    `how` is as Steps in the stub; `corrupt` and `corrupt_label` are None or both are not. `weight` is of windows.
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
    steps.weight = <const double *>held.data(weight, "d", steps.windows.n)
    if (corrupt is None) != (corrupt_label is None):
        raise ValueError("corrupt windows and their labels come together")
    steps.batch, steps.rate, steps.l2, steps.margin = how.batch, how.rate, how.l2, how.margin
    if steps.batch == 0:
        raise ValueError("a batch must have a window")
    made = (steps.windows.n - 1) // steps.batch + 1 if steps.windows.n else 0
    values = <double *>held.data(objective, "d", made, True)
    with nogil:
        status = fc_window_train(&model, &steps, run, values)
    if status == FC_BAD_ROW:
        return False
    check(status)
    return True
