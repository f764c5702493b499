"""Exact search of arrays, with nothing learned from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native

Found = tuple[NDArray[np.float64], NDArray[np.int64]]

# The sample whose median stands for the middle of the data: any values are right, near ones keep the filter's rounding
# small.
_SAMPLE_ROWS = 255
_SAMPLE_VALUES = 1 << 17
_SAMPLE_A_QUERY = 4


def centre(X: NDArray[Any], n_queries: int | None = None) -> NDArray[np.float32] | None:
    """Return values near the middle of X's rows, finite in float32; bytes need none.

    For a few queries of X, as many rows tell it as are found in less time than the queries take.
    """
    if X.dtype == np.uint8 or not len(X):
        return None
    most = _SAMPLE_ROWS if n_queries is None else _SAMPLE_A_QUERY * n_queries
    rows = max(1, min(most, _SAMPLE_ROWS, _SAMPLE_VALUES // X.shape[1], len(X)))
    largest = float(np.finfo(np.float32).max) / 2
    with np.errstate(over="ignore"):
        middle = np.clip(np.median(X[:: len(X) // rows][:rows], axis=0), -largest, largest)
    return np.asarray(middle, dtype=np.float32)


def room(n_queries: int, k: int) -> Found:
    """Room for the distances and indices of so many queries' neighbours."""
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
    distances, indices = room(len(Q), k)
    _native.knn(metric, Q, X, k, middle, own, as_bytes, n_threads, distances, indices)
    return distances, indices
