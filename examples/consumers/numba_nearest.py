"""Nearest rows within a function that Numba compiles."""

import ctypes

import numba
import numpy as np

import fastclf

L2, FLOAT64 = 1, 2  # FASTCLF_l2 and FASTCLF_f64 of fastclf_api.h: such numbers never change

_array, _size = ctypes.c_void_p, ctypes.c_int64
_knn = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_int, _array, _size, _array, _size, _size, _size, ctypes.c_int, _array, _array
)(fastclf.c_functions()["knn"].address)


@numba.njit(nogil=True)
def nearest(Q, X, k):
    """Return distances and indices of the k rows of X nearest to each row of Q, both float64 in C order."""
    if Q.shape[1] != X.shape[1]:
        raise ValueError("Q and X must have the same number of features")
    distances, indices = np.empty((len(Q), k)), np.empty((len(Q), k), dtype=np.int64)
    status = _knn(
        L2, FLOAT64, Q.ctypes.data, len(Q), X.ctypes.data, len(X), X.shape[1], k, 0, distances.ctypes.data,
        indices.ctypes.data,
    )  # fmt: skip
    if status != 0:
        raise ValueError("fastclf refuses the arguments")
    return distances, indices


@numba.njit(nogil=True)
def mean_radius(X, k):
    """Return the mean distance of rows from their k-th nearest others: the search is a part of the loop's code."""
    total = 0.0
    for i in range(len(X)):
        total += nearest(X[i : i + 1], X, k + 1)[0][0, k]
    return total / len(X)
