# cython: language_level=3, boundscheck=True, wraparound=False
"""The one extension module: check the buffers, call the C interface, check its status, return."""
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_New


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
        raise ValueError(
            "the kernel was given sizes, names or values that do not go together, or another thread changed them")
    return -1  # FC_INTERRUPTED: the signal handler's exception is already set


cdef str format_of(fc_dtype dtype):
    return chr(fc_dtype_format(dtype))


cdef str MATRIX = "".join([format_of(<fc_dtype>i) for i in range(<int>FC_DTYPE_COUNT)])
cdef str BFLOAT16 = format_of(FC_bf16)
cdef str INT64 = "lq"  # C's long where that has 64 bits, else long long


cdef class View:
    """A buffer held for the length of a call."""

    cdef Py_buffer buffer
    cdef fc_matrix matrix

    def __cinit__(self, array, str formats, int ndim, bint writable=False):
        cdef object dtype = getattr(array, "dtype", None)
        cdef bint is_bfloat16 = getattr(dtype, "kind", "") == "V" and dtype.name == "bfloat16" and dtype.isnative
        cdef object exporter = array.view("uint16") if is_bfloat16 else array  # no buffer has a format for it
        PyObject_GetBuffer(
            exporter, &self.buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
        cdef str format = BFLOAT16 if is_bfloat16 else (<bytes>self.buffer.format).decode()
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

    cdef void *allocate(self, array, str formats, size_t rows, size_t cols) except? NULL:
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


include "_native_neighbors.pxi"
include "_native_losses.pxi"
include "_native_linear.pxi"
include "_native_window.pxi"


def built_isas():
    """Instruction sets that this build has, worst first."""
    return [(<bytes>fc_isa_name(i)).decode() for i in range(fc_isa_count())]


def isas():
    """Names of the instruction sets that this build has and this machine can run, worst first."""
    return [name for i, name in enumerate(built_isas()) if fc_isa_available(i)]


def isa():
    """Name of the instruction set in use."""
    return built_isas()[fc_isa_active()]


def use_isa(str name):
    """Use another instruction set, for the whole process: one of `isas()`."""
    names = built_isas()
    if name not in names or not fc_isa_use(names.index(name)):
        raise ValueError(f"instruction set {name!r} is not one of {isas()}")


def has_openmp():
    """Whether this build has OpenMP."""
    return bool(fc_has_openmp())


def was_forked():
    """Whether this process may be a fork of one that had threads of GNU's OpenMP: only new threads can use it then."""
    return bool(fc_was_forked())


def max_threads():
    """The most threads that OpenMP, or the variables that it reads, and the affinity of this process allow."""
    return fc_max_threads()


C_API = PyCapsule_New(<void *>&fc_api_table, "fastclf._C_API", NULL)


def c_addresses():
    """Addresses of the functions of fastclf_api.h by their names there, less the prefix, in the order of the table."""
    cdef size_t i = 0
    addresses = {}
    while fc_api_name(i) != NULL:
        addresses[(<bytes>fc_api_name(i)).decode()] = <size_t>fc_api_address(i)
        i += 1
    return addresses


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
