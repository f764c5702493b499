"""Nearest rows by cffi, which takes the functions' signatures as they are."""

import cffi
import numpy as np

import fastclf

L2, FLOAT64 = 1, 2  # FASTCLF_l2 and FASTCLF_f64 of fastclf_api.h: such numbers never change

_ffi = cffi.FFI()
_functions = fastclf.c_functions()
_knn, _error_string = (
    _ffi.cast(_functions[name].signature, _functions[name].address) for name in ("knn", "error_string")
)


def nearest(Q, X, k):
    """Return distances and indices of the k rows of X nearest to each row of Q; cffi lets go of the GIL."""
    Q, X = (np.ascontiguousarray(a, dtype=np.float64) for a in (Q, X))
    if Q.ndim != 2 or X.ndim != 2 or Q.shape[1] != X.shape[1]:
        raise ValueError("Q and X must be matrices with the same number of features")
    distances, indices = np.empty((len(Q), k)), np.empty((len(Q), k), dtype=np.int64)
    q, x, d, i = (_ffi.from_buffer("char[]", a) for a in (Q, X, distances, indices))
    status = _knn(L2, FLOAT64, q, len(Q), x, *X.shape, k, 0, _ffi.cast("double *", d), _ffi.cast("int64_t *", i))
    if status:
        raise ValueError(_ffi.string(_error_string(status)).decode())
    return distances, indices
