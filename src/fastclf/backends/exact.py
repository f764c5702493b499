"""The package's own kernels over rows held in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native

# Rows whose mean stands for the middle of the data: any values are right, near ones keep the filter's rounding small.
_CENTRE_ROWS = 256


def centre(X: NDArray[Any]) -> NDArray[np.float32]:
    """Return values near the middle of X's rows, finite in float32."""
    step = max(1, len(X) // _CENTRE_ROWS)
    largest = float(np.finfo(np.float32).max) / 2
    sample = np.clip(X[::step][: 2 * _CENTRE_ROWS], -largest, largest)
    middle: NDArray[np.float32] = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    return middle


def search(
    metric: str,
    Q: NDArray[Any],
    X: NDArray[Any],
    k: int,
    n_threads: int,
    *,
    middle: NDArray[np.float32],
    skip_self: bool = False,
    as_bytes: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distances and indices of the k rows of X nearest to each row of Q."""
    distances = np.empty((len(Q), k))
    indices = np.empty((len(Q), k), dtype=np.int64)
    _native.knn(metric, Q, X, k, middle, skip_self, as_bytes, n_threads, distances, indices)
    return distances, indices


class Exact:
    """All rows, compared by blocked kernels; see `fastclf.backends.Backend`.

    Floats that are all integers from 0 to 255, such as pictures, are kept as bytes: a quarter or an eighth of the
    memory, and several times as fast. The distances are the same to the bit, as sums of such integers are exact.
    """

    def __init__(self, metric: str, X: NDArray[Any], owned: bool) -> None:
        self.metric = metric
        self.n_rows = len(X)
        narrow = _narrowed(X)
        self._buffer = X.copy() if narrow is X and not owned else narrow
        self._centre = centre(X)

    @property
    def rows(self) -> NDArray[Any]:
        """The rows, as a read-only view."""
        view = self._buffer[: self.n_rows]
        view.flags.writeable = False
        return view

    def add(self, X: NDArray[Any]) -> None:
        """Append rows; the buffer doubles when it is full, so that a row costs constant time."""
        X = _narrowed(X)
        total = self.n_rows + len(X)
        dtype = np.promote_types(self._buffer.dtype, X.dtype)
        if total > len(self._buffer) or dtype != self._buffer.dtype:
            buffer = np.empty((max(total, 2 * self.n_rows), X.shape[1]), dtype)
            buffer[: self.n_rows] = self.rows
            self._buffer = buffer
        self._buffer[self.n_rows : total] = X
        self.n_rows = total

    def query(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and indices of the k nearest rows; for Q None, of each row's nearest others."""
        rows = self.rows
        queries = rows if Q is None else Q
        as_bytes = rows.dtype == np.uint8 and _native.fits_u8(queries)
        return search(
            self.metric, queries, rows, k, n_threads, middle=self._centre, skip_self=Q is None, as_bytes=as_bytes
        )


def _narrowed(X: NDArray[Any]) -> NDArray[Any]:
    """X as bytes, if it holds nothing else."""
    return X.astype(np.uint8, copy=False) if _native.fits_u8(X) else X
