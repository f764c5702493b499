"""The nearest of all places, from the lists of each.

Lists are in the order of (exact distance, row), but hold the distance rounded to float64. Rows of two lists at one
rounded distance may differ in the exact one. So these are *open*: their values are fetched from where they lie, and the
kernels compare them, exactly. Of one list, or of bytes, no rows are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import _native
from fastclf._shared import threads
from fastclf._shared import validation as check
from fastclf._shared.types import Metric
from fastclf.neighbors.backends import plain
from fastclf.shards._neighbors import Neighbors

Fetch = Callable[[NDArray[np.int64]], ArrayLike]


@dataclass(frozen=True)
class Gathered:
    """The k nearest of all lists, and what lies at the distance of the last; `is_open` says which are to be compared.

    Rows at one distance that are not open are in their order.
    """

    distances: NDArray[np.float64]
    rows: NDArray[np.int64]
    labels: NDArray[Any] | None
    is_open: NDArray[np.bool_]
    k: int

    @property
    def open_rows(self) -> NDArray[np.int64]:
        """The numbers of the rows whose values are needed, ascending."""
        return np.unique(self.rows[self.is_open])

    def first(self) -> Neighbors:
        """Return the k nearest; nothing may be open."""
        labels = None if self.labels is None else self.labels[:, : self.k]
        return Neighbors(self.distances[:, : self.k], self.rows[:, : self.k], labels, False)


def gather(lists: Sequence[Neighbors], k: int, metric: str) -> Gathered:
    """Put lists together by their distances."""
    distances, rows = (np.hstack([getattr(one, name) for one in lists]) for name in ("distances", "rows"))
    origin = np.repeat(np.arange(len(lists)), [one.rows.shape[1] for one in lists])
    # The least key is the nearest; no row comes after one at an infinite distance.
    keys = np.where(rows < 0, np.nan, -distances if _native.Traits(metric).is_product else distances)
    all_ordered = all(one.is_ordered for one in lists)
    order = np.lexsort((rows, keys), axis=1) if all_ordered else np.argsort(keys, axis=1, kind="stable")
    keys = np.take_along_axis(keys, order, axis=1)
    count = min(k, keys.shape[1])
    last = keys[:, count - 1 : count]
    # A NaN as the last says that there are fewer rows: all of these stay.
    width = max(count, int((~np.isnan(keys) & ~(keys > last)).sum(axis=1).max(initial=0)))
    order, keys = order[:, :width], keys[:, :width]
    keys = np.where(keys > last, np.nan, keys)
    is_open = np.zeros(keys.shape, np.bool_) if all_ordered else _across(keys, origin[order])
    labels = [one.labels for one in lists if one.labels is not None]
    carried = np.take_along_axis(np.hstack(labels), order, axis=1) if len(labels) == len(lists) else None
    distances, rows = (np.take_along_axis(array, order, axis=1) for array in (distances, rows))
    return Gathered(distances, rows, carried, is_open, count)


def _across(keys: NDArray[np.float64], origin: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which entries are at the distance of one of another list; a list's own stand side by side."""
    same = keys[:, 1:] == keys[:, :-1]
    meet = same & (origin[:, 1:] != origin[:, :-1])
    group = np.zeros(keys.shape, np.int64)
    np.cumsum(~same, axis=1, out=group[:, 1:])
    group += np.arange(len(keys))[:, np.newaxis] * keys.shape[1]
    found = np.zeros(keys.size + 1, np.bool_)
    found[group[:, 1:][meet]] = True
    is_open: NDArray[np.bool_] = found[group]
    return is_open


def settle(
    of: Gathered, Q: NDArray[Any], metric: str, numbers: NDArray[np.int64], values: NDArray[Any], n_threads: int
) -> Neighbors:
    """Put what is open in order, by the values of the rows `numbers`, which ascend."""
    queries = np.flatnonzero(of.is_open.any(axis=1))
    if not len(queries):
        return of.first()
    is_open, rows = of.is_open[queries], of.rows[queries]
    places = np.where(is_open, np.searchsorted(numbers, rows), -1)
    if (places == len(numbers)).any() or (numbers[places[is_open]] != rows[is_open]).any():
        raise ValueError("rows at one distance cannot be compared: some of their values are missing")
    found = plain.allocate(len(queries), int(is_open.sum(axis=1).max()))
    _native.rerank(metric, np.ascontiguousarray(Q[queries]), values, places, None, n_threads, *found)
    there = found[1] >= 0
    if not np.array_equal(there.sum(axis=1), is_open.sum(axis=1)):
        raise ValueError("a row is in several lists: each has to be in one")
    if not np.array_equal(found[0][there], of.distances[queries][is_open]):
        raise ValueError("the values of rows are not those that the lists were made of")
    settled = of.rows.copy()
    rows[is_open] = numbers[found[1][there]]
    settled[queries] = rows
    labels = None if of.labels is None else _carried(of, queries, settled)
    return Gathered(of.distances, settled, labels, of.is_open, of.k).first()


def _carried(of: Gathered, queries: NDArray[np.int64], settled: NDArray[np.int64]) -> NDArray[Any]:
    """Return the labels of rows that have changed places with others of their query."""
    assert of.labels is not None
    labels = of.labels.copy()
    before, after = (np.argsort(rows[queries], axis=1, kind="stable") for rows in (of.rows, settled))
    moved = np.take_along_axis(of.labels[queries], before, axis=1)
    there = labels[queries]
    np.put_along_axis(there, after, moved, axis=1)
    labels[queries] = there
    return labels


def merge(
    lists: Sequence[Neighbors],
    k: int,
    Q: ArrayLike,
    fetch: Fetch,
    *,
    metric: Metric = "l2",
    n_threads: int | None = None,
) -> Neighbors:
    """Find the `k` nearest of all rows from the lists of several places.

    Parameters
    ----------
    lists : sequence of Neighbors
        What `nearest` found in each place, of the same queries, for at least `k` neighbours.
    k : int
        Number of neighbours, at least 1.
    Q : array-like of shape (n_queries, n_features)
        The queries.
    fetch : callable
        Called with global row numbers, ascending, where rows of different places are at one distance, as rounded to
        float64. It returns the values of these rows, an array-like of shape (n_numbers, n_features).
    metric : {"l1", "l2", "cosine", ...}, default="l2"
        Distance of the lists.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.

    Returns
    -------
    Neighbors
        The first `k` rows of all places in the order of (exact distance, row): the bytes that one search of all rows
        gives. Where the lists have fewer rows, as many as they have.

    Raises
    ------
    TypeError, ValueError
        If the lists are none, or not of as many queries as Q has; if a row is in two of them; if what `fetch` returns
        are not the rows that the lists were made of; if a parameter is not as described.

    Notes
    -----
    Only rows at one distance are fetched, each once for all queries. Memory is some 60 bytes for each entry of the
    lists.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclf import shards
    >>> X = np.array([[0.0], [2.0], [0.5], [2.0]])
    >>> places = [(0, shards.index_rows(X[:2])), (2, shards.index_rows(X[2:]))]
    >>> lists = [shards.nearest(rows, [[1.5]], 3, first_row=first) for first, rows in places]
    >>> shards.merge(lists, 3, [[1.5]], lambda numbers: X[numbers]).rows
    array([[1, 3, 2]])
    """
    name, count, queries = check.metric_name(metric), check.neighbor_count(k), check.matrix(Q, "Q", narrow=True)
    if not lists:
        raise ValueError("lists are none: at least one is needed")
    for i, one in enumerate(lists):
        if one.rows.shape != one.distances.shape or one.rows.ndim != 2 or len(one.rows) != len(queries):
            raise ValueError(f"lists[{i}] has rows of shape {one.rows.shape}, but Q has {len(queries)} queries")
    gathered = gather(lists, count, name)
    numbers = gathered.open_rows
    if not len(numbers):
        return gathered.first()
    values = check.matrix(fetch(numbers), "what fetch returns", narrow=True)
    if values.shape != (len(numbers), queries.shape[1]):
        raise ValueError(f"fetch must return shape {(len(numbers), queries.shape[1])}, got {values.shape}")
    return settle(gathered, queries, name, numbers, values, threads.resolve(n_threads))
