"""A search for the rows of one fold among those of the others, and how many of them are voted right.

The rows of a chunk are indexed where they lie, those of each fold by themselves, once.  Queries are rows of these
indexes, too: they go to the other folds' indexes in all chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import Delayed
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import estimators
from fastclf._shared import validation as check
from fastclf.dask._engine import own_threads, task
from fastclf.dask._search import Search, in_chunk, limits_of
from fastclf.neighbors.folds import Choices
from fastclf.neighbors.voting import Weights
from fastclf.shards._merging import merge
from fastclf.shards._neighbors import Neighbors, Shard, index_rows, nearest


class OneFold(NamedTuple):
    """The rows of a chunk that are in one fold, labelled by codes of all classes, and their numbers, which ascend."""

    shard: Shard
    rows: NDArray[np.int64]

    @property
    def codes(self) -> NDArray[np.int64]:
        """The classes of the rows."""
        assert self.shard.labels is not None
        return self.shard.labels


class FoldedPart(NamedTuple):
    """What a worker holds of one chunk: its rows by the numbers of their folds, -1 for those that none tests."""

    folds: dict[int, OneFold]
    n_rows: int
    n_features: int

    def values_at(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of some rows, whose numbers within the chunk ascend."""
        own = [(one, np.flatnonzero(np.isin(one.rows, rows))) for one in self.folds.values()]
        order = np.argsort(np.concatenate([one.rows[at] for one, at in own]))
        values: NDArray[Any] = np.concatenate([one.shard.values[at] for one, at in own])[order]
        return values


@dataclass(frozen=True)
class SearchOfOthers(Search):
    """A search of each `FoldedPart` among the rows that are not in fold `fold`."""

    fold: int

    def _nearest(self, i: int, queries: Delayed, k: int, limits: Delayed | None) -> Delayed:
        place = self.parts[i], self.first_rows[i]
        return task("knn-nearest", nearest_of_others, *place, self.fold, queries, k, limits, self.n_threads)


# --- on workers -----------------------------------------------------------------------------------------------------


def own_classes(y: Any, number: int) -> tuple[NDArray[Any] | None, NDArray[np.int64]]:
    """Return the classes of a chunk's labels, None if it has none, and the labels as codes of these."""
    with in_chunk(number):
        if not len(y):
            return None, np.empty(0, np.int64)
        return estimators.codes_of(estimators.checked_classes(check.labels_array(y, "y")))


def groups_in(groups: Any) -> NDArray[Any]:
    """Return the groups of a chunk's rows."""
    return check.labels_array(groups, "groups") if len(groups) else np.empty(0)


def folded_part_of(
    X: Any,
    codes: NDArray[np.int64],
    folds: NDArray[np.int64],
    number: int,
    places: int,
    metric: Any,
    k: int,
    n_threads: int | None,
) -> FoldedPart:
    """Index one of all chunks, fold by fold; errors say which one it is."""
    with in_chunk(number):
        rows = check.matrix(X, "X", narrow=True)
        if len(rows) != len(codes):
            raise ValueError(f"X has {len(rows)} rows, but y has {len(codes)} entries")
    indexed = {}
    for fold in np.unique(folds).tolist():
        own = np.flatnonzero(folds == fold)
        shard = index_rows(rows[own], codes[own], metric=metric, k=k, places=places, n_threads=own_threads(n_threads))
        indexed[fold] = OneFold(shard, own)
    return FoldedPart(indexed, *rows.shape)


def width_of(part: FoldedPart) -> int:
    """Return how many features a part has."""
    return part.n_features


def queries_of(part: FoldedPart, fold: int, start: int, stop: int) -> NDArray[Any]:
    """Return some of the rows that a fold tests."""
    return part.folds[fold].shard.values[start:stop]


def codes_of(part: FoldedPart, fold: int, start: int, stop: int) -> NDArray[np.int64]:
    """Return the classes of some of the rows that a fold tests."""
    return part.folds[fold].codes[start:stop]


def nearest_of_others(
    part: FoldedPart,
    first_row: int,
    fold: int,
    queries: NDArray[Any],
    k: int,
    limits: NDArray[np.float64] | None,
    n_threads: int | None,
) -> Neighbors:
    """Find the nearest rows of a part that are not in a fold."""
    others = [one for number, one in part.folds.items() if number != fold]
    if not others:
        none = np.empty((len(queries), 0))
        return Neighbors(none, none.astype(np.int64), none.astype(np.int64), True)
    used, lists = own_threads(n_threads), []
    metric: Any = others[0].shard.metric
    for one in others:
        found = nearest(one.shard, queries, k, limits=limits, n_threads=used)
        lists.append(replace(found, rows=np.where(found.rows < 0, -1, first_row + one.rows[found.rows])))
        limits = _narrower(limits, limits_of(lists, k, metric), metric)

    def fetch(numbers: NDArray[np.int64]) -> NDArray[Any]:
        return part.values_at(numbers - first_row)

    merged = merge(lists, k, queries, fetch, metric=metric, n_threads=used)
    return replace(merged, is_ordered=all(found.is_ordered for found in lists))


def _narrower(limits: NDArray[np.float64] | None, others: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    if limits is None:
        return others
    return (np.maximum if _native.Traits(metric).is_product else np.minimum)(limits, others)


def hits_of(
    found: Neighbors, codes: NDArray[np.int64], ks: Sequence[int], weights: Weights, n_classes: int
) -> NDArray[np.int64]:
    """Return how many rows, of these classes, the votes of their first neighbours are right about, for each k."""
    assert found.labels is not None
    voters = np.arange(found.labels.size).reshape(found.labels.shape)
    choices = Choices(ks, weights, np.concatenate([found.labels.ravel(), codes]), n_classes)
    hits = choices.hits((found.distances, voters), found.labels.size + np.arange(len(codes)))
    counts: NDArray[np.int64] = hits.sum(axis=1)
    return counts
