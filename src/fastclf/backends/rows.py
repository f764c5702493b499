"""Rows held in memory: what every backend searches, and compares in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._growing import GrowingArray
from fastclf._interrupts import aside
from fastclf.backends import plain
from fastclf.backends.plain import Found

_QUERY_VALUES = 1 << 23  # looked up at a time: as bytes, and their sketches
_LEAST_QUERIES = 1024


class Batch(NamedTuple):
    """Queries looked up at a time: of which `part`, which rows they are (None: not of these), whether all are bytes."""

    part: slice
    queries: NDArray[Any]
    own: NDArray[np.int64] | None
    as_bytes: bool

    def only(self, some: NDArray[np.int64]) -> Batch:
        """Return a batch of some of the queries."""
        return Batch(self.part, self.queries[some], None if self.own is None else self.own[some], self.as_bytes)


@dataclass(frozen=True)
class Rows:
    """Rows that never change.

    Floats that are all integers from 0 to 255, such as pictures, are kept as bytes: a quarter or an eighth of the
    memory, and several times as fast. The distances are the same to the bit, as sums of such integers are exact.
    """

    metric: str
    held: GrowingArray

    @classmethod
    def remembered(cls, metric: str, X: NDArray[Any], owned: bool) -> Rows:
        """Take rows, copied unless `owned`, which says that nobody else holds them."""
        narrow = _narrowed(X)
        return cls(metric, GrowingArray(aside(X.size, X.copy) if narrow is X and not owned else narrow))

    def __len__(self) -> int:
        return len(self.held)

    @property
    def view(self) -> NDArray[Any]:
        """The rows, read-only."""
        return self.held.view

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return int(self.view.shape[1] * self.view.itemsize)

    def appended(self, X: NDArray[Any]) -> Rows:
        """Return these rows and then those of X."""
        return Rows(self.metric, self.held.appended(_narrowed(X)))

    def keeping(self, kept: NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        return Rows(self.metric, GrowingArray(aside(self.view.size, self.view.__getitem__, kept)))

    def batches(self, Q: NDArray[Any] | None) -> Iterator[Batch]:
        """Go through the queries; Q None stands for the rows themselves."""
        count = len(self) if Q is None else len(Q)
        step = max(_LEAST_QUERIES, _QUERY_VALUES // self.view.shape[1])
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            own = np.arange(part.start, part.stop) if Q is None else None
            queries = self.view[part] if Q is None else Q[part]
            as_bytes = self.view.dtype == np.uint8 and _native.fits_u8(queries)
            if as_bytes:
                queries = queries.astype(np.uint8, copy=False)
            yield Batch(part, queries, own, as_bytes)

    def room(self, Q: NDArray[Any] | None, k: int) -> Found:
        """Room for the answers to Q."""
        return plain.room(len(self) if Q is None else len(Q), k)

    def search(self, batch: Batch, k: int, n_threads: int, middle: NDArray[np.float32] | None) -> Found:
        """Compare all rows; `middle` is their `plain.centre`."""
        return plain.search(
            self.metric, batch.queries, self.view, k, n_threads, middle=middle, own=batch.own, as_bytes=batch.as_bytes
        )

    def search_plainly(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Found:
        """Compare all rows with all queries; with Q None, with each other."""
        distances, indices = self.room(Q, k)
        middle = plain.centre(self.view)
        for batch in self.batches(Q):
            distances[batch.part], indices[batch.part] = self.search(batch, k, n_threads, middle)
        return distances, indices

    def nearest_of(self, candidates: NDArray[np.int64], batch: Batch, k: int, n_threads: int) -> Found:
        """Compare the rows given for each query (negative: none); rows are -1 where these are fewer than k."""
        found = plain.room(len(candidates), k)
        _native.rerank(self.metric, batch.queries, self.view, candidates, batch.own, n_threads, *found)
        return found


def _narrowed(X: NDArray[Any]) -> NDArray[Any]:
    """X as bytes, if it holds nothing else."""
    if X.dtype == np.uint8 or not _native.fits_u8(X):
        return X
    return aside(X.size, X.astype, np.uint8)
