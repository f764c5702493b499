"""The package's own kernels over rows held in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._growing import GrowingArray
from fastclf.backends import choosing
from fastclf.backends.cascades import Tally
from fastclf.backends.report import Report, Step

_QUERY_VALUES = 1 << 23  # looked up at a time: as bytes, and their sketches
_LEAST_QUERIES = 1024


class Exact:
    """All rows, compared by blocked kernels; see `fastclf.backends.Backend`.

    Floats that are all integers from 0 to 255, such as pictures, are kept as bytes: a quarter or an eighth of the
    memory, and several times as fast. The distances are the same to the bit, as sums of such integers are exact.

    Beside the rows there may be sketches of them, which prove most rows of a search too far to matter.
    """

    def __init__(self, metric: str, X: NDArray[Any], owned: bool, n_threads: int) -> None:
        self.metric = metric
        narrow = _narrowed(X)
        self._rows = GrowingArray(X.copy() if narrow is X and not owned else narrow)
        self._learn(n_threads)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def extended(self, X: NDArray[Any], n_threads: int) -> Self:
        """Return a backend that has more rows; this one stays as it is."""
        longer = copy.copy(self)
        more = _narrowed(X)
        longer._rows = self._rows.appended(more)
        if len(longer._rows) >= 2 * self._learned_rows or longer._rows.view.dtype != self._rows.view.dtype:
            longer._learn(n_threads)
        else:
            longer._cascade = self._cascade.appended(more, n_threads)
        return longer

    def query(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and indices of the k nearest rows; for Q None, of each row's nearest others."""
        return self._search(Q, k, n_threads, None)

    def explain(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Report:
        """Tell what searches for Q do or, for Q None, should do by what a sample has shown."""
        cascade, rows = self._cascade, self._rows.view
        tally = cascade.tally()
        if Q is None:
            tally.pairs[:] = [len(rows), *(stage.left * len(rows) for stage in cascade.stages)]
        else:
            self._search(Q, k, n_threads, tally)
            tally.pairs /= max(len(Q), 1)
        words = [*(stage.words for stage in cascade.stages), "in full"]
        seconds = np.append(tally.seconds, tally.sketching * n_threads)
        shares = seconds / seconds.sum() if seconds.any() else np.full(len(seconds), np.nan)
        sketch_bytes = sum(stage.codes.view.shape[1] + stage.terms.view.shape[1] for stage in cascade.stages)
        return Report(
            metric=self.metric,
            n_rows=len(rows),
            row_bytes=rows.shape[1] * rows.itemsize,
            sketch_bytes=sketch_bytes,
            n_queries=None if Q is None else len(Q),
            steps=tuple(map(Step, words, tally.pairs.tolist(), shares[:-1].tolist())),
            sketching_share=float(shares[-1]),
            given_up=tally.given_up,
        )

    def _search(
        self, Q: NDArray[Any] | None, k: int, n_threads: int, tally: Tally | None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        rows = self._rows.view
        count = len(rows) if Q is None else len(Q)
        distances = np.empty((count, k))
        indices = np.empty((count, k), dtype=np.int64)
        for part in _parts(count, rows.shape[1]):
            own = np.arange(part.start, part.stop) if Q is None else None
            queries = rows[part] if Q is None else Q[part]
            as_bytes = rows.dtype == np.uint8 and _native.fits_u8(queries)
            if as_bytes:
                queries = queries.astype(np.uint8, copy=False)
            distances[part], indices[part] = self._cascade.search(
                queries, rows, k, n_threads, own=own, as_bytes=as_bytes, tally=tally
            )
        return distances, indices

    def _learn(self, n_threads: int) -> None:
        rows = self._rows.view
        self._learned_rows = len(rows)
        self._cascade = choosing.learn(self.metric, rows, n_threads)


def _parts(count: int, cols: int) -> Iterator[slice]:
    step = max(_LEAST_QUERIES, _QUERY_VALUES // cols)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _narrowed(X: NDArray[Any]) -> NDArray[Any]:
    """X as bytes, if it holds nothing else."""
    return X.astype(np.uint8, copy=False) if _native.fits_u8(X) else X
