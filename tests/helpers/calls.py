"""Call the search kernel itself, past the checks and conversions of the public functions."""

from __future__ import annotations

import numpy as np

from fastclf import _native


def outputs(nq, k):
    """Arrays for the distances and rows of `k` neighbours each."""
    return np.empty((nq, k)), np.empty((nq, k), np.int64)


def knn(metric, Q, X, k, *, centre=None, as_bytes=False, n_threads=1, out=None):
    """Distances and rows, written into `out` if given."""
    distance, index = out or outputs(len(Q), k)
    _native.knn(metric, Q, X, k, centre, None, as_bytes, n_threads, distance, index)
    return distance, index
