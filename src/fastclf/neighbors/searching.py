"""Searches for estimators: how many neighbours there can be, in which parts they are looked up, and their graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import validation as check
from fastclf.neighbors.backends.plain import Found
from fastclf.neighbors.backends.protocol import Backend
from fastclf.neighbors.backends.rows import Rows

# Neighbours looked up at a time when only votes are kept.
NEIGHBORS_AT_ONCE = 1 << 18

# What edges of a graph weigh: one, or the distance.
MODES = ("connectivity", "distance")


def checked_count(backend: Backend, queries: NDArray[Any] | None, k: object, name: str = "k") -> int:
    """Return k, which the user's argument of that name says, if each query has as many neighbours.

    Queries None stand for the rows; no row is then its own neighbour.
    """
    others = backend.n_rows - (queries is None)
    return check.neighbor_count(k, others, "n_samples_fit" + " - 1" * (queries is None), name)


def in_parts(queries: NDArray[Any] | None, count: int) -> Iterator[tuple[slice, NDArray[Any] | None]]:
    """Go through parts of the queries whose neighbours are looked up at a time; None stands for all rows at once."""
    if queries is None:
        yield slice(None), None
        return
    step = max(1, NEIGHBORS_AT_ONCE // count)
    for start in range(0, len(queries), step):
        yield slice(start, start + step), queries[start : start + step]


def nearest_to(
    backend: Backend, queries: NDArray[Any] | None, own: NDArray[np.int64], count: int, n_threads: int
) -> Found:
    """Distances and rows of the nearest; queries None stand for the rows `own`, without themselves."""
    if queries is not None:
        return backend.query(queries, count, n_threads)
    return _without_own(backend.query(backend.rows[own], count + 1, n_threads), own)


def _without_own(found: Found, own: NDArray[np.int64]) -> Found:
    """Leave row own[i] out of what query i has found or, where it is not there, the last one: no row is farther."""
    distances, indices = found
    kept = indices != own[:, np.newaxis]
    kept[kept.all(axis=1), -1] = False
    shape = (len(indices), indices.shape[1] - 1)
    return distances[kept].reshape(shape), indices[kept].reshape(shape)


def nearest_among(backend: Backend, queries: NDArray[Any] | None, k: object, n_threads: int, among: ArrayLike) -> Found:
    """Distances and rows of the k nearest that a mask allows: all of these are compared."""
    mask = check.bool_mask(among, backend.n_rows, "among")
    rows = np.flatnonzero(mask)
    others = len(rows) - (queries is None)
    what = "the rows among which" + " there are others" * (queries is None)
    count = check.neighbor_count(k, others, what)
    allowed = Rows.remembered(backend.metric, backend.rows[rows], True)
    if queries is not None:
        distances, indices = allowed.search_plainly(queries, count, n_threads)
        return distances, rows[indices]
    distances, indices = allowed.search_plainly(backend.rows, min(count + 1, len(rows)), n_threads)
    return _without_own((distances, rows[indices]), np.arange(backend.n_rows))


def graph(
    distances: NDArray[np.float64], indices: NDArray[np.int64], mode: str, n_rows: int
) -> scipy.sparse.csr_matrix:
    """Return the graph of neighbours, as many of each query, among `n_rows` rows; see `MODES`."""
    starts = np.arange(0, indices.size + 1, indices.shape[1])
    return edges(starts, indices.ravel(), distances.ravel(), mode, n_rows)


def edges(
    starts: NDArray[np.int64], indices: NDArray[np.int64], distances: NDArray[np.float64], mode: str, n_rows: int
) -> scipy.sparse.csr_matrix:
    """Return the graph from queries; query i has the neighbours from starts[i] to starts[i + 1]."""
    weights = np.ones(indices.size) if mode == "connectivity" else distances
    return scipy.sparse.csr_matrix((weights, indices, starts), shape=(len(starts) - 1, n_rows))
