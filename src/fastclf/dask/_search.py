"""A search of all shards for a batch of queries: tasks, which depend on each other as drawn.

    nearest in one shard -- limits -- in another -- limits -- in two -- limits -- in four -- limits -- in all others
    gather -- numbers of open rows -- their values -- settle

Each shard is searched where it lies.  Labels travel with the rows' numbers, as codes of the classes of all shards.
"""

from __future__ import annotations

import abc
import contextlib
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from dask.delayed import Delayed
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import estimators, threads
from fastclf._shared import labels as _labels
from fastclf._shared import validation as check
from fastclf.dask._engine import own_threads, task
from fastclf.shards._merging import Gathered, gather, settle
from fastclf.shards._neighbors import Neighbors, Shard, index_rows, nearest

# How many shards have been searched when limits are taken.  A shard finds about k / m rows within those of m shards, so
# that more limits would save little, and each makes the others wait.
_ROUNDS = (0, 1, 2, 4, 8)


class Held(Protocol):
    """What a worker holds of one chunk."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    def values_at(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of some rows, whose numbers within the chunk ascend."""


class Part(NamedTuple):
    """The rows of one chunk, labelled by codes of its own classes; without rows, None."""

    shard: Shard | None
    classes: NDArray[Any] | None
    n_features: int

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return 0 if self.shard is None else self.shard.n_rows

    def values_at(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of some rows."""
        assert self.shard is not None
        values: NDArray[Any] = self.shard.values[rows]
        return values


class Facts(NamedTuple):
    """What all have to know of a part."""

    n_rows: int
    n_features: int
    classes: NDArray[Any] | None


@contextlib.contextmanager
def in_chunk(number: int) -> Iterator[None]:
    """Have errors say which of all chunks they are about."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} (in chunk {number} of X)") from error


def rounds(count: int) -> Iterator[tuple[int, int]]:
    """Return the parts, of so many, that are searched with the same limits: the first, and the one after the last."""
    return itertools.pairwise((*(at for at in _ROUNDS if at < count), count))


@dataclass(frozen=True)
class Search(abc.ABC):
    """A search of all parts that have rows, in the order of these; what is nearest in one a subclass says."""

    parts: tuple[Delayed, ...]
    heights: tuple[int, ...]
    metric: str
    n_threads: int | None

    @functools.cached_property
    def first_rows(self) -> list[int]:
        """Where the rows of each part begin among all."""
        return list(itertools.accumulate(self.heights[:-1], initial=0))

    def nearest(self, queries: Delayed, k: int, turn: int) -> Delayed:
        """Return the task of the k nearest of all; batches that take turns begin with different shards."""
        count = len(self.parts)
        order = [(turn + i) % count for i in range(count)]
        lists: dict[int, Delayed] = {}
        for start, end in rounds(count):
            limits = task("knn-limits", limits_of, list(lists.values()), k, self.metric) if lists else None
            lists |= {i: self._nearest(i, queries, k, limits) for i in order[start:end]}
        if count == 1:
            return lists[0]
        gathered = task("knn-gather", gather, [lists[i] for i in range(count)], k, self.metric)
        numbers = task("knn-open", open_rows, gathered)
        places = zip(self.parts, self.first_rows, strict=True)
        values = [task("knn-values", values_of, *place, numbers) for place in places]
        return task("knn-settle", settled, gathered, queries, self.metric, numbers, values, self.n_threads)

    @abc.abstractmethod
    def _nearest(self, i: int, queries: Delayed, k: int, limits: Delayed | None) -> Delayed:
        """Return the task of the nearest in part i."""


@dataclass(frozen=True)
class Searched(Search):
    """The same among all rows of each `Part`, with the codes of its classes among all."""

    codes: tuple[NDArray[np.int64], ...]

    def _nearest(self, i: int, queries: Delayed, k: int, limits: Delayed | None) -> Delayed:
        place = self.first_rows[i], self.codes[i]
        return task("knn-nearest", nearest_of, self.parts[i], *place, queries, k, limits, self.n_threads)


def check_widths(widths: Sequence[int], n_features: int) -> None:
    """Raise unless all chunks have as many features as X says."""
    for i, width in enumerate(widths):
        if width != n_features:
            raise ValueError(f"X has {n_features} features, but its chunk {i} has {width}")


def all_classes(known: NDArray[Any] | None, each: Sequence[NDArray[Any] | None]) -> NDArray[Any]:
    """Return the classes of all parts, sorted."""
    classes = known
    for own in each:
        assert own is not None
        classes = own if classes is None else _labels.joined(classes, own, "y")
    assert classes is not None
    return classes


def codes_among(classes: NDArray[Any], own: NDArray[Any] | None) -> NDArray[np.int64]:
    """Return where each of some classes stands among all."""
    assert own is not None
    return np.searchsorted(classes, own.astype(classes.dtype, copy=False))


# --- on workers -----------------------------------------------------------------------------------------------------


def part_of(X: Any, y: Any, number: int, of: int, metric: Any, k: int, n_threads: int | None) -> Part:
    """Index one of all chunks; errors say which one it is."""
    with in_chunk(number):
        rows = check.matrix(X, "X", narrow=True)
        labels = estimators.checked_classes(check.labels_array(y, "y")) if len(rows) else np.empty(0)
        if len(labels) != len(rows) or len(y) != len(rows):
            raise ValueError(f"X has {len(rows)} rows, but y has {len(y)} entries")
        if not len(rows):
            return Part(None, None, rows.shape[1])
        classes, codes = estimators.codes_of(labels)
        shard = index_rows(rows, codes, metric=metric, k=k, places=of, n_threads=own_threads(n_threads))
        return Part(shard, classes, rows.shape[1])


def facts_of(part: Part) -> Facts:
    """Return what all have to know of a part."""
    return Facts(part.n_rows, part.n_features, part.classes)


def checked_batch(X: Any, n_features: int) -> NDArray[Any]:
    """Return a batch of queries for the kernels."""
    queries = check.matrix(X, "X", narrow=True)
    if queries.shape[1] != n_features:
        raise ValueError(f"X has {queries.shape[1]} features, but the model was fitted on {n_features}")
    return queries


def nearest_of(
    part: Part,
    first_row: int,
    codes: NDArray[np.int64],
    queries: NDArray[Any],
    k: int,
    limits: NDArray[Any] | None,
    n_threads: int | None,
) -> Neighbors:
    """Find the nearest rows of a part."""
    assert part.shard is not None
    found = nearest(part.shard, queries, k, first_row=first_row, limits=limits, n_threads=own_threads(n_threads))
    return replace(found, labels=codes[found.labels])


def limits_of(lists: Sequence[Neighbors], k: int, metric: str) -> NDArray[np.float64]:
    """Return distances within which k rows of these lists are; infinite where the lists do not have as many."""
    sign = -1.0 if _native.Traits(metric).is_product else 1.0
    keys = np.hstack([np.where(one.rows < 0, np.inf, sign * one.distances) for one in lists])
    if keys.shape[1] < k:
        return np.full(len(keys), sign * np.inf)
    return sign * np.partition(keys, k - 1, axis=1)[:, k - 1]


def open_rows(gathered: Gathered) -> NDArray[np.int64]:
    """Return the numbers of rows that are to be compared."""
    return gathered.open_rows


def values_of(held: Held, first_row: int, numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Return the values of those of the rows that a worker holds."""
    own = numbers[(numbers >= first_row) & (numbers < first_row + held.n_rows)]
    return held.values_at(own - first_row)


def settled(
    gathered: Gathered,
    queries: NDArray[Any],
    metric: str,
    numbers: NDArray[np.int64],
    values: Sequence[NDArray[Any]],
    n_threads: int | None,
) -> Neighbors:
    """Return the k nearest of all; parts are in the order of their rows, so their values are in that of `numbers`."""
    used = threads.resolve(own_threads(n_threads))
    rows = check.matrix(np.concatenate(values), "X", narrow=True)  # of int8 and uint8 NumPy makes int16
    return settle(gathered, check.matrix(queries, "X", narrow=True), metric, numbers, rows, used)
