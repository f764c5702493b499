# cython: language_level=3
"""Nearest rows without the GIL, from Cython."""
import numpy as np

from libc.stdint cimport int64_t

from fastclf.c_api cimport FASTCLF_OK, FASTCLF_f64, FASTCLF_l2, fastclf_api, fastclf_import

cdef const fastclf_api *fastclf = fastclf_import()


def nearest(const double[:, ::1] Q, const double[:, ::1] X, int64_t k):
    """Return distances and indices of the k rows of X nearest to each row of Q."""
    distances, indices = np.empty((Q.shape[0], k)), np.empty((Q.shape[0], k), dtype=np.int64)
    cdef double[:, ::1] d = distances
    cdef int64_t[:, ::1] i = indices
    cdef int status
    if Q.shape[0] == 0 or X.shape[0] == 0 or Q.shape[1] != X.shape[1]:
        raise ValueError("Q and X must have rows, and the same number of features")
    with nogil:
        status = fastclf.knn(
            FASTCLF_l2, FASTCLF_f64, &Q[0, 0], Q.shape[0], &X[0, 0], X.shape[0], X.shape[1], k, 0, &d[0, 0], &i[0, 0])
    if status != FASTCLF_OK:
        raise ValueError((<bytes>fastclf.error_string(status)).decode())
    return distances, indices
