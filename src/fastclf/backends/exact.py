"""The package's own kernels over rows held in memory."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._growing import GrowingArray

# The sample whose median stands for the middle of the data: any values are right, near ones keep the filter's rounding
# small.
_SAMPLE_ROWS = 255
_SAMPLE_VALUES = 1 << 17


def centre(X: NDArray[Any]) -> NDArray[np.float32] | None:
    """Return values near the middle of X's rows, finite in float32; bytes need none."""
    if X.dtype == np.uint8 or not len(X):
        return None
    rows = max(1, min(_SAMPLE_ROWS, _SAMPLE_VALUES // X.shape[1], len(X)))
    largest = float(np.finfo(np.float32).max) / 2
    with np.errstate(over="ignore"):
        middle = np.clip(np.median(X[:: len(X) // rows][:rows], axis=0), -largest, largest)
    return np.asarray(middle, dtype=np.float32)


def search(
    metric: str,
    Q: NDArray[Any],
    X: NDArray[Any],
    k: int,
    n_threads: int,
    *,
    middle: NDArray[np.float32] | None,
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
        narrow = _narrowed(X)
        self._rows = GrowingArray(X.copy() if narrow is X and not owned else narrow)
        self._centre = centre(X)
        self._centred_rows = len(X)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def extended(self, X: NDArray[Any]) -> Self:
        """Return a backend that has more rows; this one stays as it is."""
        longer = copy.copy(self)
        longer._rows = self._rows.appended(_narrowed(X))
        if len(longer._rows) >= 2 * self._centred_rows:
            longer._centre = centre(longer._rows.view)
            longer._centred_rows = len(longer._rows)
        return longer

    def query(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and indices of the k nearest rows; for Q None, of each row's nearest others."""
        rows = self._rows.view
        queries = rows if Q is None else Q
        as_bytes = rows.dtype == np.uint8 and _native.fits_u8(queries)
        return search(
            self.metric, queries, rows, k, n_threads, middle=self._centre, skip_self=Q is None, as_bytes=as_bytes
        )


def _narrowed(X: NDArray[Any]) -> NDArray[Any]:
    """X as bytes, if it holds nothing else."""
    return X.astype(np.uint8, copy=False) if _native.fits_u8(X) else X
