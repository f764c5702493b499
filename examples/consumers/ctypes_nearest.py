"""Nearest rows by ctypes, which needs no compiler."""

import ctypes

import numpy as np

import fastclf

L2, FLOAT64 = 1, 2  # FASTCLF_l2 and FASTCLF_f64 of fastclf_api.h: such numbers never change

_functions = fastclf.c_functions()
_array, _size = ctypes.c_void_p, ctypes.c_int64
_knn = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_int, _array, _size, _array, _size, _size, _size, ctypes.c_int, _array, _array
)(_functions["knn"].address)
_error_string = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_int)(_functions["error_string"].address)


def nearest(Q, X, k):
    """Return distances and indices of the k rows of X nearest to each row of Q; ctypes lets go of the GIL."""
    Q, X = (np.ascontiguousarray(a, dtype=np.float64) for a in (Q, X))
    if Q.ndim != 2 or X.ndim != 2 or Q.shape[1] != X.shape[1]:
        raise ValueError("Q and X must be matrices with the same number of features")
    distances, indices = np.empty((len(Q), k)), np.empty((len(Q), k), dtype=np.int64)
    status = _knn(
        L2, FLOAT64, Q.ctypes.data, len(Q), X.ctypes.data, *X.shape, k, 0, distances.ctypes.data, indices.ctypes.data
    )
    if status:
        raise ValueError(_error_string(status).decode())
    return distances, indices
