"""Rows held in memory: what every backend searches, and compares in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.growing import GrowingArray
from fastclf._shared.interrupts import aside
from fastclf.neighbors.backends import plain
from fastclf.neighbors.backends.plain import Found

_QUERY_VALUES = 1 << 23  # looked up at a time: as bytes, and their sketches
_LEAST_QUERIES = 1024

# Rows that came after a tree or an index was made are compared one by one, up to this share of the others.
_MOST_LATER = 1 / 32

_BYTES = {np.dtype(np.int8), np.dtype(np.uint8)}


class Batch(NamedTuple):
    """Queries looked up at a time: their `part`, which rows they are (None: none of these), whether all are bytes.

    Rows farther than a query's limit, if there are limits, need not be found: their places hold -1.
    """

    part: slice
    queries: NDArray[Any]
    own: NDArray[np.int64] | None
    as_bytes: bool
    limits: NDArray[np.float64] | None = None

    def only(self, some: NDArray[np.int64]) -> Batch:
        """Return a batch of some of the queries."""
        own = None if self.own is None else self.own[some]
        limits = None if self.limits is None else self.limits[some]
        return Batch(self.part, self.queries[some], own, self.as_bytes, limits)


@dataclass(frozen=True)
class Rows:
    """Rows that never change.

    Floats that are all integers from 0 to 255, such as pictures, are kept as bytes: half, a quarter or an eighth of the
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
        held, more = self.held, _narrowed(X)
        if {held.view.dtype, more.dtype} == _BYTES:
            held, more = GrowingArray(_with_sign(held.view)), _with_sign(more)
        return Rows(self.metric, held.appended(more, _holding_both(held.view.dtype, more.dtype)))

    def keeping(self, kept: NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        return Rows(self.metric, GrowingArray(aside(self.view.size, self.view.__getitem__, kept)))

    def batches(self, Q: NDArray[Any] | None, limits: NDArray[np.float64] | None = None) -> Iterator[Batch]:
        """Go through the queries; Q None stands for the rows themselves."""
        count = len(self) if Q is None else len(Q)
        step = max(_LEAST_QUERIES, _QUERY_VALUES // self.view.shape[1])
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            own = np.arange(part.start, part.stop) if Q is None else None
            queries = plain.widened(self.view[part] if Q is None else Q[part], self.view)
            as_bytes = self.view.dtype == np.uint8 and _native.fits_u8(queries)
            if as_bytes:
                queries = queries.astype(np.uint8, copy=False)
            yield Batch(part, queries, own, as_bytes, None if limits is None else limits[part])

    def allocate(self, Q: NDArray[Any] | None, k: int) -> Found:
        """Arrays for the answers to Q."""
        return plain.allocate(len(self) if Q is None else len(Q), k)

    def ascending(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return distances, or of inner products, which descend, those with their signs changed."""
        return -distances if _native.Traits(self.metric).is_product else distances

    def search(self, batch: Batch, k: int, n_threads: int, middle: NDArray[np.float32] | None) -> Found:
        """Compare all rows; `middle` is their `plain.centre`."""
        return plain.search(
            self.metric, batch.queries, self.view, k, n_threads, middle=middle, own=batch.own, as_bytes=batch.as_bytes
        )

    def search_plainly(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Found:
        """Compare all rows with all queries; with Q None, with each other."""
        distances, indices = self.allocate(Q, k)
        middle = plain.centre(self.view)
        for batch in self.batches(Q):
            distances[batch.part], indices[batch.part] = self.search(batch, k, n_threads, middle)
        return distances, indices

    def outgrow(self, covered: int) -> bool:
        """Whether so many rows came after the first `covered` that a tree or an index of these should get them, too."""
        return len(self) > (1 + _MOST_LATER) * covered

    def nearest_from(
        self, start: int, batch: Batch, k: int, n_threads: int, middle: NDArray[np.float32] | None
    ) -> NDArray[np.int64]:
        """Find the nearest of the rows from `start` on: k, and one more where a query's own row may be among them.

        Where these are fewer, it is all of them.
        """
        later = self.view[start:]
        count = min(k + (batch.own is not None), len(later))
        if not count:
            return np.empty((len(batch.queries), 0), dtype=np.int64)
        _, indices = plain.search(
            self.metric, batch.queries, later, count, n_threads, middle=middle, as_bytes=batch.as_bytes
        )
        return indices + start

    def nearest_of(self, candidates: NDArray[np.int64], batch: Batch, k: int, n_threads: int) -> Found:
        """Compare the rows given for each query (negative: none); rows are -1 where these are fewer than k."""
        found = plain.allocate(len(candidates), k)
        _native.rerank(self.metric, batch.queries, self.view, candidates, batch.own, n_threads, *found)
        return found


def _narrowed(X: NDArray[Any]) -> NDArray[Any]:
    """X as bytes, if it holds nothing else."""
    if X.dtype == np.uint8 or not _native.fits_u8(X):
        return X
    return aside(X.size, X.astype, np.uint8)


def _with_sign(bytes_: NDArray[Any]) -> NDArray[Any]:
    """Return bytes as int8, in the same memory, if it holds them."""
    fits = bytes_.dtype == np.int8 or bytes_.max(initial=0) <= np.iinfo(np.int8).max
    return bytes_.view(np.int8) if fits else bytes_


def _holding_both(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """Return the narrowest dtype of rows that holds all values of two."""
    if a == b:
        return a
    if a.itemsize != b.itemsize:
        return a if a.itemsize > b.itemsize else b
    return np.dtype(np.float16 if a.itemsize == 1 else np.float32)
