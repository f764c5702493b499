"""Accuracies of kNN on the folds of a cross-validation: from one search among all rows, or from one for each fold."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import validation as check
from fastclf.neighbors.backends.plain import Found, allocate, centre
from fastclf.neighbors.backends.protocol import Wanted
from fastclf.neighbors.backends.registry import build
from fastclf.neighbors.backends.rows import Rows
from fastclf.neighbors.classifier import KNN
from fastclf.neighbors.voting import Weights, vote_weights

# Neighbours looked up at a time.
_NEIGHBORS_AT_ONCE = 1 << 20

# Of a training part with less than this share of the rows, neighbours are searched for in this part alone.
_LEAST_SHARE = 0.5

# An index of a training part is made for no fewer tests: for others, comparing all its rows takes less.
_LEAST_INDEXED = 500

# In comparisons of a query with a row: what it takes to copy the row; what more neighbours cost, a share; and what it
# costs that both rows of a pair are offered one another.
_COPYING = 30
_MORE_NEIGHBORS = 1.2
_BOTH_WAYS = 1.2

_MOST_HELD = 96 << 20  # bytes of all rows' neighbours at the same time

# How many neighbours have to be found so that enough are training rows: the mean and this many deviations.
_DEVIATIONS = 3

# Tests with too few neighbours are searched for once more among all rows, with a number that is sure to be enough, if
# that is at most this many times as many; else in their training part.
_MOST_TIMES = 4


@dataclass(frozen=True)
class Fold:
    """A test part and its training part.

    Attributes
    ----------
    test : ndarray of int
        Rows of the test part, ascending.
    n_train : int
        Number of rows of the training part.
    left_out : ndarray of int, optional
        Rows that are not in the training part, where that is a large one without repeated rows: others are left out of
        what a search among all rows finds.
    listed : ndarray of int, optional
        Rows of any other training part, ascending.
    """

    test: NDArray[np.int64]
    n_train: int
    left_out: NDArray[np.int64] | None
    listed: NDArray[np.int64] | None

    @classmethod
    def of(cls, part: tuple[Any, Any], n_rows: int) -> Fold:
        """Take row numbers of training and test as a splitter gives them."""
        train_rows, test_rows = (_row_numbers(rows, n_rows) for rows in part)
        times = np.bincount(train_rows, minlength=n_rows)
        if times.max() > 1 or len(train_rows) < _LEAST_SHARE * n_rows:
            return cls(np.sort(test_rows), len(train_rows), None, np.sort(train_rows))
        return cls(np.sort(test_rows), len(train_rows), np.flatnonzero(times == 0), None)

    def train(self, n_rows: int) -> NDArray[np.int64]:
        """Rows of the training part, ascending."""
        if self.listed is not None:
            return self.listed
        is_train = np.ones(n_rows, dtype=bool)
        is_train[self.left_out] = False
        return np.flatnonzero(is_train)


def folds_of(cv: Any, X: Any, y: NDArray[Any], groups: Any) -> list[Fold]:
    """Return the parts that `cv` makes, if it makes any."""
    from sklearn.model_selection import check_cv  # it brings scikit-learn's metrics, which are slow to import

    if cv is not None and not isinstance(cv, numbers.Integral) and not hasattr(cv, "split"):
        cv = list(cv) if isinstance(cv, Iterable) else [cv]
        if not all(isinstance(part, Sequence) and len(part) == 2 for part in cv):
            raise ValueError(f"cv must be a number of folds, a splitter, or pairs of training and test, got {cv!r}")
    folds = [Fold.of(part, len(y)) for part in check_cv(cv, y, classifier=True).split(X, y, groups)]
    if not folds:
        raise ValueError(f"cv must make at least one pair of training and test, got {cv!r}")
    return folds


def _row_numbers(part: Any, n_rows: int) -> NDArray[np.int64]:
    rows = np.array(part)  # what is checked is the copy
    if rows.dtype == bool and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows) or rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(f"cv must give parts of row numbers from 0 to {n_rows - 1}, at least one, got {part!r}")
    return rows.astype(np.int64)


def groups_of(folds: Sequence[Fold], n_rows: int) -> NDArray[np.int64] | None:
    """Return the number of the fold that tests each row, -1 where none does.

    None if a row is tested more than once, or a fold does not train on all rows that it does not test.
    """
    if not all(_trains_on_the_others(fold, n_rows) for fold in folds):
        return None
    group = np.full(n_rows, -1)
    for i, fold in enumerate(folds):
        group[fold.test] = i
    return group if np.count_nonzero(group >= 0) == sum(len(fold.test) for fold in folds) else None


def _trains_on_the_others(fold: Fold, n_rows: int) -> bool:
    if fold.left_out is not None:
        return np.array_equal(fold.test, fold.left_out)
    return np.array_equal(np.sort(np.concatenate([fold.test, fold.train(n_rows)])), np.arange(n_rows))


def _are_better_together(folds: Sequence[Fold], n_rows: int) -> bool:
    """Whether comparing all tested rows with all rows takes fewer comparisons than each test part with its training."""
    tested = np.zeros(n_rows, dtype=bool)
    for fold in folds:
        tested[fold.test] = True
    return bool(_comparisons_across_groups(folds) > _MORE_NEIGHBORS * n_rows * tested.sum())


def _comparisons_across_groups(folds: Sequence[Fold]) -> int:
    """Return what a search for each fold costs, in comparisons of a query with a row."""
    return sum(fold.n_train * (len(fold.test) + _COPYING) for fold in folds)


@dataclass(frozen=True)
class Choices:
    """The choices that are compared: numbers of neighbours, with their votes and classes."""

    ks: Sequence[int]
    weights: Weights
    codes: NDArray[np.int64]
    n_classes: int

    def hits(self, neighbors: Found, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each k's vote of the rows' neighbours is right, of shape (ks, rows)."""
        distances, indices = neighbors
        if self.weights == "uniform":
            return self._hits_of_equal_votes(indices, rows)
        hits = np.empty((len(self.ks), len(rows)), dtype=bool)
        winners = np.empty(len(rows), dtype=np.int64)
        for hit, k in zip(hits, self.ks, strict=True):
            nearest = distances[:, :k]  # a function of the user's may change what it is given
            weights = vote_weights(self.weights, nearest.copy() if callable(self.weights) else nearest)
            _native.vote(self.codes, np.ascontiguousarray(indices[:, :k]), self.n_classes, weights, None, winners)
            hit[:] = winners == self.codes[rows]
        return hits

    def _hits_of_equal_votes(self, indices: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Find hits where each vote counts one: a neighbour votes once, for all k that it is among."""
        order = np.argsort(self.ks)
        winners = np.empty((len(self.ks), len(rows)), dtype=np.int64)
        ks = np.array(self.ks, dtype=np.int64)[order]
        _native.vote_prefixes(self.codes, np.ascontiguousarray(indices), self.n_classes, ks, winners)
        hits = np.empty(winners.shape, dtype=bool)
        hits[order] = winners == self.codes[rows]
        return hits


class Scorer:
    """Searches by one metric for the neighbours of rows among them.

    Parameters
    ----------
    model : KNN
        Fitted on the rows.
    choices : Choices
        What is compared.
    n_threads : int
        Number of threads.
    """

    def __init__(self, model: KNN, choices: Choices, n_threads: int) -> None:
        self._metric, self._backend = check.metric_name(model.metric), model._memory.backend
        self._rows, self._choices, self._n_threads = self._backend.rows, choices, n_threads
        self._most = max(choices.ks)
        self._is_out = np.zeros(len(self._rows), dtype=bool)  # but for the length of a call

    def scores(self, folds: Sequence[Fold], tell: Callable[[int], None]) -> NDArray[np.float64]:
        """Accuracies, of shape (ks, folds); `tell` hears of tests that are done."""
        n = len(self._rows)
        group = groups_of(folds, n)
        if group is not None and (group >= 0).all() and self._are_better_across_groups(folds):
            of_all = self._choices.hits(self._across_groups(group), np.arange(n))
            tell(n)
            return _accuracies([[of_all[:, fold.test]] for fold in folds])
        hits: list[list[NDArray[np.bool_]]] = [[] for _ in folds]
        for i, rows, found in self._found(folds):
            hits[i].append(self._choices.hits(found, rows))
            tell(len(rows))
        return _accuracies(hits)

    def _found(self, folds: Sequence[Fold]) -> Iterator[tuple[int, NDArray[np.int64], Found]]:
        """Go through all tests: number of the fold, rows, and their neighbours in the training part."""
        together = [i for i, fold in enumerate(folds) if fold.left_out is not None]
        if not self._index_pays(folds) and not _are_better_together([folds[i] for i in together], len(self._rows)):
            together = []
        left = [fold.test for fold in folds]
        for count in self._counts([folds[i] for i in together]):
            few = {i: [left[i][:0]] for i in together}
            for i, tests, neighbors in self._among_all({i: left[i] for i in together}, count):
                enough, found = self._training(folds[i], neighbors)
                few[i].append(tests[~enough])
                if enough.any():
                    yield i, tests[enough], found
            for i in together:
                left[i] = np.concatenate(few[i])
        for i, tests in enumerate(left):
            for rows, found in self._alone(folds[i], tests):
                yield i, rows, found

    def _among_all(
        self, tests: Mapping[int, NDArray[np.int64]], count: int
    ) -> Iterator[tuple[int, NDArray[np.int64], Found]]:
        """Go through tests of folds, with `count` neighbours among all rows."""
        for rows in _blocks(np.unique(np.concatenate(list(tests.values()))), count):
            distances, indices = self._query(rows, count)
            for i, of_fold in tests.items():
                part = of_fold[slice(*np.searchsorted(of_fold, (rows[0], rows[-1] + 1)))]
                if len(part):
                    at = np.searchsorted(rows, part)
                    yield i, part, (distances[at], indices[at])

    def _counts(self, folds: Sequence[Fold]) -> list[int]:
        """How many neighbours among all rows likely leave enough training rows; how many do, if not many more."""
        if not folds:
            return []
        share = min(fold.n_train for fold in folds) / len(self._rows)
        more = _DEVIATIONS * math.sqrt(self._most * (1 - share)) / share
        sure = self._most + len(self._rows) - min(fold.n_train for fold in folds)
        likely = min(math.ceil(self._most / share + more) + 1, sure)
        return [likely, sure] if likely < sure <= _MOST_TIMES * likely else [likely]

    def _index_pays(self, folds: Sequence[Fold]) -> bool:
        """Whether what is beside the rows helps to search among all of them."""
        counts = self._counts([fold for fold in folds if fold.left_out is not None])
        return bool(counts) and self._backend.pays(counts[0])

    def _are_better_across_groups(self, folds: Sequence[Fold]) -> bool:
        """Whether computing each pair of rows once, and holding what all have found, takes less than a search each."""
        n, k = len(self._rows), self._most
        lists, answers, others = 16 * (k + max(k, 8)), 16 * k, 100  # bytes of a row
        fits = not self._index_pays(folds) and n * (lists + answers + others) <= _MOST_HELD
        return fits and _BOTH_WAYS * n * n / 2 < _comparisons_across_groups(folds)

    def _across_groups(self, group: NDArray[np.int64]) -> Found:
        """Neighbours of all rows among those of other groups."""
        rows, found = self._rows, allocate(len(self._rows), self._most)
        as_bytes = rows.dtype == np.uint8
        _native.knn_across_groups(self._metric, rows, group, centre(rows), as_bytes, self._n_threads, *found)
        return found

    def _query(self, rows: NDArray[np.int64], count: int) -> Found:
        return self._backend.query(self._rows[rows], count, self._n_threads)

    def _training(self, fold: Fold, found: Found) -> tuple[NDArray[np.bool_], Found]:
        """Which rows have found enough neighbours in the training part, and these."""
        distances, indices = found
        self._is_out[fold.left_out] = True
        kept = ~self._is_out[indices]
        self._is_out[fold.left_out] = False
        kept &= np.cumsum(kept, axis=1) <= self._most
        enough = kept.sum(axis=1) == self._most
        kept[~enough] = False
        return enough, (distances[kept].reshape(-1, self._most), indices[kept].reshape(-1, self._most))

    def _alone(self, fold: Fold, tests: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Found]]:
        """Go through tests of a fold, with neighbours searched for in its training part alone."""
        if not len(tests):
            return
        train = fold.train(len(self._rows))
        X, wanted = self._rows[train], Wanted(self._most, self._n_threads)
        if self._backend.pays(self._most) and len(tests) >= _LEAST_INDEXED:
            query = partial(build("auto", self._metric, X, True, wanted).query, k=self._most, n_threads=self._n_threads)
        else:
            plain = Rows.remembered(self._metric, X, True)
            query = partial(plain.search_plainly, k=self._most, n_threads=self._n_threads)
        for rows in _blocks(tests, self._most):
            distances, indices = query(self._rows[rows])
            yield rows, (distances, train[indices])


def _accuracies(hits: Sequence[Sequence[NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """Return the share of hits, of shape (ks, folds)."""
    return np.array([np.hstack(parts).mean(axis=1) for parts in hits]).T


def _blocks(rows: NDArray[np.int64], count: int) -> Iterator[NDArray[np.int64]]:
    """Go through rows in blocks, whose neighbours, `count` each, are looked up at a time."""
    step = max(1, _NEIGHBORS_AT_ONCE // count)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
