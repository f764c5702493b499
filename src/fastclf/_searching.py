"""Searches for estimators: how many neighbours there can be, in which parts they are looked up, and their graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from fastclf import _validation as check
from fastclf.backends.plain import Found
from fastclf.backends.protocol import Backend
from fastclf.backends.rows import Rows

# Neighbours looked up at a time when only votes are kept.
NEIGHBORS_AT_ONCE = 1 << 18

# What edges of a graph weigh: one, or the distance.
MODES = ("connectivity", "distance")


def nearest(backend: Backend, queries: NDArray[Any] | None, k: object, n_threads: int, name: str = "k") -> Found:
    """Distances and rows of the k nearest, if there are so many; queries None stand for the rows, without themselves.

    The argument of the user's is called `name`.
    """
    others = backend.n_rows - (queries is None)
    what = "n_samples_fit" if queries is not None else "n_samples_fit - 1"
    return backend.query(queries, check.neighbor_count(k, others, what, name), n_threads)


def nearest_in_parts(
    backend: Backend, queries: NDArray[Any] | None, k: object, n_threads: int, name: str = "k"
) -> Iterator[tuple[slice, Found]]:
    """Go through parts of the queries, or all rows at once, with what is nearest to them."""
    for part in parts(queries, check.neighbor_count(k, backend.n_rows, name=name)):
        yield part, nearest(backend, None if queries is None else queries[part], k, n_threads, name)


def parts(queries: NDArray[Any] | None, count: int) -> list[slice]:
    """Return parts of the queries, so many that their neighbours are looked up at a time; all rows at once."""
    step = max(1, NEIGHBORS_AT_ONCE // count)
    return [slice(None)] if queries is None else [slice(i, i + step) for i in range(0, len(queries), step)]


def nearest_to(
    backend: Backend, queries: NDArray[Any] | None, own: NDArray[np.int64], count: int, n_threads: int
) -> Found:
    """Distances and rows of the nearest; queries None stand for the rows `own`, without themselves."""
    if queries is not None:
        return backend.query(queries, count, n_threads)
    return _without_own(backend.query(backend.rows[own], count + 1, n_threads), own)


def _without_own(found: Found, own: NDArray[np.int64]) -> Found:
    """Leave row own[i] out of what query i has found or, where it is not there, the last one: all rows are as near."""
    distances, indices = found
    kept = indices != own[:, np.newaxis]
    kept[kept.all(axis=1), -1] = False
    shape = (len(indices), indices.shape[1] - 1)
    return distances[kept].reshape(shape), indices[kept].reshape(shape)


def nearest_among(backend: Backend, queries: NDArray[Any] | None, k: object, n_threads: int, among: ArrayLike) -> Found:
    """`nearest`, of the rows that a mask allows, all of which are compared."""
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


def blocks(queries: NDArray[np.int64], count: int) -> Iterator[NDArray[np.int64]]:
    """Go through queries, so many that their neighbours are looked up at a time."""
    step = max(1, NEIGHBORS_AT_ONCE // count)
    for start in range(0, len(queries), step):
        yield queries[start : start + step]


def graph(
    distances: NDArray[np.float64], indices: NDArray[np.int64], mode: str, n_rows: int
) -> scipy.sparse.csr_matrix:
    """Return the graph of neighbours, as many of each query, among so many rows; see `MODES`."""
    starts = np.arange(0, indices.size + 1, indices.shape[1])
    return edges(starts, indices.ravel(), distances.ravel(), mode, n_rows)


def edges(
    starts: NDArray[np.int64], indices: NDArray[np.int64], distances: NDArray[np.float64], mode: str, n_rows: int
) -> scipy.sparse.csr_matrix:
    """Return the graph from queries, of which i has the neighbours from starts[i] to starts[i + 1]."""
    weights = np.ones(indices.size) if mode == "connectivity" else distances
    return scipy.sparse.csr_matrix((weights, indices, starts), shape=(len(starts) - 1, n_rows))
