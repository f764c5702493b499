"""All rows within a radius: a search finds ever more neighbours of a query, until one lies beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.interrupts import aside
from fastclf.neighbors.backends.protocol import Backend

# How many neighbours are looked for at first, and how many times as many next.
FIRST, _TIMES = 32, 4

# Rows for each neighbour: where there are fewer, all distances are computed, which takes less than to search and sort.
_WORTH = 16

_AT_ONCE = 1 << 20  # neighbours, or distances, that are looked at together
_MOST_HELD = 2 * _AT_ONCE  # rows of the balls of a part, unless it is one query
_SORTING = 20  # times as long as going through the values


@dataclass(frozen=True)
class Balls:
    """Rows within a radius of each of some queries: those of query i from starts[i] to starts[i + 1].

    They are in the order of (distance as reported, row), or of their numbers.
    """

    starts: NDArray[np.int64]
    indices: NDArray[np.int64]
    distances: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many rows each query has."""
        return np.diff(self.starts)

    @property
    def query(self) -> NDArray[np.int64]:
        """The number of the query that each of the rows belongs to."""
        return np.repeat(np.arange(len(self.starts) - 1), self.counts)


_Hits = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]  # queries, rows, distances


@dataclass(frozen=True)
class BallSearch:
    """A search of a backend's rows; `by_distance` says in which order they come."""

    backend: Backend
    n_threads: int
    by_distance: bool = True

    def in_parts(self, Q: NDArray[Any] | None, radii: NDArray[np.float64]) -> Iterator[tuple[slice, Balls]]:
        """Go through parts of the queries; Q None stands for the rows; no row is then in its own ball.

        A part holds 2**21 neighbours, or those of one query, and takes some 50 bytes for each.
        """
        queries = self.backend.rows if Q is None else Q
        start, step = 0, max(1, _AT_ONCE // self.backend.n_rows)
        while start < len(queries):
            part = slice(start, min(start + step, len(queries)))
            hits = self._all_hits(queries[part], radii[part])
            if hits is None:
                step = max(1, step // 2)
                continue
            query, row, distance = hits
            if Q is None:
                others = query + start != row
                query, row, distance = query[others], row[others], distance[others]
            keys = (row, distance, query) if self.by_distance else (row, query)
            order = aside(_SORTING * row.size, np.lexsort, keys)
            counts = np.bincount(query, minlength=part.stop - start)
            yield part, Balls(_starts([counts]), row[order], distance[order])
            start, mean = part.stop, max(FIRST, len(hits[0]) // (part.stop - start))
            step = max(1, min(2 * step, _MOST_HELD // (2 * mean)))

    def whole(self, Q: NDArray[Any] | None, radii: NDArray[np.float64]) -> Balls:
        """Return the balls of all queries."""
        parts = [balls for _, balls in self.in_parts(Q, radii)]
        indices = [np.empty(0, np.int64), *(balls.indices for balls in parts)]
        distances = [np.empty(0), *(balls.distances for balls in parts)]
        return Balls(_starts([balls.counts for balls in parts]), np.concatenate(indices), np.concatenate(distances))

    def _all_hits(self, Q: NDArray[Any], radii: NDArray[np.float64]) -> _Hits | None:
        """Return what is within the radii, if it is not too much to be held."""
        hits, total = [], 0
        for some in self._hits(Q, radii):
            hits.append(some)
            total += len(some[0])
            if total > _MOST_HELD and len(Q) > 1:
                return None
        query, row, distance = zip(*hits, strict=True)
        return np.concatenate(query), np.concatenate(row), np.concatenate(distance)

    def _hits(self, Q: NDArray[Any], radii: NDArray[np.float64]) -> Iterator[_Hits]:
        """Go through what is within the radii, in no order of the queries."""
        open_, k = np.arange(len(Q)), FIRST
        while len(open_) and k * _WORTH <= self.backend.n_rows:
            left = []
            for some in _blocks(open_, k):
                distances, rows = self.backend.query(Q[some], k, self.n_threads)
                is_settled = distances[:, -1] > radii[some]
                inside = (distances <= radii[some, np.newaxis]) & is_settled[:, np.newaxis]
                yield some[np.nonzero(inside)[0]], rows[inside], distances[inside]
                left.append(some[~is_settled])
            open_, k = np.concatenate(left), k * _TIMES
        yield from self._hits_among_all(Q, radii, open_)

    def _hits_among_all(self, Q: NDArray[Any], radii: NDArray[np.float64], open_: NDArray[np.int64]) -> Iterator[_Hits]:
        """Go through what is within the radii of some queries, by their distances from all rows."""
        yield open_[:0], open_[:0], np.empty(0)
        X = self.backend.rows
        width = min(len(X), _AT_ONCE)
        distances = np.empty((max(1, _AT_ONCE // width), width))
        for some in _blocks(open_, width):
            for start in range(0, len(X), width):
                rows = X[start : start + width]
                found = distances.ravel()[: len(some) * len(rows)].reshape(len(some), len(rows))
                _native.pairwise(self.backend.metric, np.ascontiguousarray(Q[some]), rows, self.n_threads, found)
                at, row = np.nonzero(found <= radii[some, np.newaxis])
                yield some[at], row + start, found[at, row]


def _blocks(queries: NDArray[np.int64], each: int) -> Iterator[NDArray[np.int64]]:
    """Go through queries in blocks of `_AT_ONCE` neighbours or distances in all, `each` of them a query."""
    step = max(1, _AT_ONCE // each)
    for start in range(0, len(queries), step):
        yield queries[start : start + step]


def _starts(counts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return where the rows of each query start, and end: one number more than there are counts."""
    return np.cumsum(np.concatenate([np.zeros(1, np.int64), *counts]))
