"""Searches for the rows of all folds, and votes of what is found: tasks, a metric at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import Delayed
from numpy.typing import NDArray

from fastclf._shared import validation as check
from fastclf._shared.types import Metric
from fastclf.dask import _collections as collections
from fastclf.dask import _folds as work
from fastclf.dask._engine import Engine, task
from fastclf.dask._neighbors import most_queries
from fastclf.dask._search import Search, check_widths
from fastclf.neighbors.voting import Weights

_TASKS_AT_ONCE = 4096  # about as many: a scheduler takes a millisecond for each


class Chunks(NamedTuple):
    """What is known of the rows of each chunk: the classes' codes, and the numbers of the folds that test them."""

    codes: list[NDArray[np.int64]]
    folds: list[NDArray[np.int64]]
    n_classes: int


class Batch(NamedTuple):
    """Some of the rows of a part that a fold tests."""

    part: Delayed
    fold: int
    start: int
    stop: int


@dataclass(frozen=True)
class Trials:
    """Searches for the rows of each fold among those of the others, and votes of their neighbours."""

    engine: Engine
    chunks: Chunks
    ks: list[int]
    weights: Weights
    n_folds: int
    n_threads: int | None
    verbose: int

    def hits(self, X: Any, n_features: int, metric: Metric) -> NDArray[np.int64]:
        """Return how many rows are voted right, of shape (ks, folds)."""
        parts = self._indexed(X, n_features, metric)
        heights = tuple(len(self.chunks.codes[i]) for i in parts)
        shared = tuple(parts.values()), heights, check.metric_name(metric), self.n_threads
        searches = [work.SearchOfOthers(*shared, fold) for fold in range(self.n_folds)]
        batches = list(self._batches(parts, most_queries(max(self.ks), heights, n_features)))
        hits = np.zeros((len(self.ks), self.n_folds), np.int64)
        at_once = max(self.engine.workers(), _TASKS_AT_ONCE // len(parts))
        for first in range(0, len(batches), at_once):
            some = batches[first : first + at_once]
            tasks = [self._tested(searches[batch.fold], batch, turn) for turn, batch in enumerate(some, first)]
            counts = self.engine.compute(tasks, f"searching ({metric})", self.verbose)
            for batch, right in zip(some, counts, strict=True):
                hits[:, batch.fold] += right
        return hits

    def _indexed(self, X: Any, n_features: int, metric: Metric) -> dict[int, Delayed]:
        """Return the parts of the chunks that have rows, by the chunks' numbers."""
        name, k, (codes, folds, _) = check.metric_name(metric), max(self.ks), self.chunks
        places = sum(len(np.unique(of_chunk)) for of_chunk in folds)
        each = enumerate(zip(collections.blocks(X), codes, folds, strict=True))
        tasks = [
            task("knn-index", work.folded_part_of, *chunk, i, places, name, k, self.n_threads) for i, chunk in each
        ]
        parts = self.engine.persist(tasks)
        facts = [task("knn-facts", work.width_of, part) for part in parts]
        check_widths(self.engine.compute(facts, f"indexing chunks ({metric})", self.verbose), n_features)
        return {i: part for i, part in enumerate(parts) if len(codes[i])}

    def _batches(self, parts: dict[int, Delayed], most: int) -> Iterator[Batch]:
        """Go through all tests, at most so many rows of one part and fold at a time."""
        for i, part in parts.items():
            counts = np.bincount(self.chunks.folds[i] + 1, minlength=self.n_folds + 1)[1:]
            for fold, count in enumerate(counts.tolist()):
                for start in range(0, count, most):
                    yield Batch(part, fold, start, min(start + most, count))

    def _tested(self, search: Search, batch: Batch, turn: int) -> Delayed:
        """Return the task that counts what is voted right of a batch."""
        found = search.nearest(task("knn-queries", work.queries_of, *batch), max(self.ks), turn)
        codes = task("knn-codes", work.codes_of, *batch)
        return task("knn-hits", work.hits_of, found, codes, self.ks, self.weights, self.chunks.n_classes)
