"""Exact search of arrays, with nothing learned from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.interrupts import aside

Found = tuple[NDArray[np.float64], NDArray[np.int64]]

# The middle of the data is told by a sample: any values are right, near ones keep the filter's rounding small.
_SAMPLE_ROWS = 255
_SAMPLE_A_QUERY = 4


def centre(X: NDArray[Any], n_queries: int | None = None) -> NDArray[np.float32] | None:
    """Return values near the middle of X's rows, finite in float32; bytes need none.

    For a few queries of X, as many rows tell it as are found in less time than the queries take.
    """
    if X.dtype == np.uint8 or not len(X):
        return None
    middle = np.empty(X.shape[1], dtype=np.float32)
    _native.centre(X, _SAMPLE_ROWS if n_queries is None else _SAMPLE_A_QUERY * n_queries, middle)
    return middle


def widened(Q: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
    """Return queries as the kernels compute with them, so that each is converted once: narrow ones in float32.

    Only int8 is compared with int8 as it is.
    """
    if Q.itemsize > 2 or Q.dtype == np.uint8 or Q.dtype == X.dtype == np.int8:
        return Q
    return aside(Q.size, Q.astype, np.float32)


def allocate(n_queries: int, k: int) -> Found:
    """Arrays for the distances and indices of the neighbours of `n_queries` queries."""
    return np.empty((n_queries, k)), np.empty((n_queries, k), dtype=np.int64)


def search(
    metric: str,
    Q: NDArray[Any],
    X: NDArray[Any],
    k: int,
    n_threads: int,
    *,
    middle: NDArray[np.float32] | None,
    own: NDArray[np.int64] | None = None,
    as_bytes: bool = False,
) -> Found:
    """Distances and indices of the k rows of X nearest to each row of Q, without row own[i] for query i."""
    distances, indices = allocate(len(Q), k)
    _native.knn(metric, Q, X, k, middle, own, as_bytes, n_threads, distances, indices)
    return distances, indices
