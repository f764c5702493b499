# cython: language_level=3, boundscheck=True, wraparound=False
"""The one extension module: check the buffers, call the C interface, check its status, return."""
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
        self.matrix.dtype = <fc_dtype>MATRIX.find(format)

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


def knn(str metric, Q, X, size_t k, centre, bint skip_self, bint as_bytes, int n_threads, distance, index):
    """Write the k nearest rows of X for each row of Q into `distance` and `index`; `as_bytes` if `fits_u8` of both."""
    cdef View q = View(Q, MATRIX, 2), x = View(X, MATRIX, 2)
    cdef View d = View(distance, "d", 2, True), i = View(index, INT64, 2, True)
    cdef View c = None if centre is None else View(centre, "f", 1)
    cdef fc_metric m = metric_id(metric)
    cdef const float *middle = NULL
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    d.shaped(q.matrix.rows, k)
    i.shaped(q.matrix.rows, k)
    if c is not None:
        c.shaped(x.matrix.cols, 1)
        middle = <const float *>c.matrix.data
    with nogil:
        status = fc_knn(m, q.matrix, x.matrix, k, middle, skip_self, as_bytes, run,
                        <double *>d.matrix.data, <int64_t *>i.matrix.data)
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
