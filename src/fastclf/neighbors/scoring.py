"""Scores of kNN by any of scikit-learn's scorers: each training part is fitted, and searched, once for all k."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import threads
from fastclf._shared import validation as check
from fastclf._shared.types import Metric
from fastclf.neighbors.backends.plain import Found
from fastclf.neighbors.ballots import Ballot
from fastclf.neighbors.classifier import KNN
from fastclf.neighbors.folds import Fold
from fastclf.neighbors.memory import Memory
from fastclf.neighbors.voting import Weights, vote_weights

Scoring = str | Callable[[Any, Any, Any], Any]


def scorer_of(scoring: Any, model: Any) -> Callable[..., Any]:
    """Return what scikit-learn makes of `scoring`: a function of a model, rows and labels."""
    from sklearn.metrics import check_scoring, get_scorer_names  # slow to import, and only some searches score so

    if isinstance(scoring, str):
        check.one_of(scoring, get_scorer_names(), "scoring")
    elif scoring is not None and not callable(scoring):
        raise TypeError(f"scoring must be one scorer, by its name or as a function, got {scoring!r}")
    scorer: Callable[..., Any] = check_scoring(model, scoring)
    return scorer


class AllScores:
    """Scores of every k on every fold, by one metric at a time.

    Parameters
    ----------
    scorer : callable
        As `scorer_of` returns.
    ks : sequence of int
        Numbers of neighbours.
    weights : {"uniform", "distance"} or callable
        Of their votes.
    n_threads : int, optional
        Number of threads.
    """

    def __init__(self, scorer: Callable[..., Any], ks: Sequence[int], weights: Weights, n_threads: int | None) -> None:
        self._scorer, self._ks, self._weights, self._n_threads = scorer, ks, weights, n_threads

    def scores(
        self, metric: Metric, X: NDArray[Any], y: NDArray[Any], folds: Sequence[Fold], tell: Callable[[int], None]
    ) -> NDArray[np.float64]:
        """Scores, of shape (ks, folds); `tell` hears of tests that are done."""
        scores = np.empty((len(self._ks), len(folds)))
        for i, fold in enumerate(folds):
            train = fold.train(len(X))
            model = _OneSearch(max(self._ks), metric=metric, weights=self._weights, n_threads=self._n_threads)
            model.fit(X[train], y[train])
            for j, k in enumerate(self._ks):
                model.k = k
                scores[j, i] = self._checked(self._scorer(model, X[fold.test], y[fold.test]))
            tell(len(fold.test))
        return scores

    def _checked(self, score: Any) -> float:
        if not isinstance(score, numbers.Real) or not np.isfinite(float(score)):
            raise ValueError(f"scoring must return finite numbers, got {score!r} of {self._scorer!r}")
        return float(score)


class _OneSearch(KNN):
    """A classifier that keeps the most neighbours it will be asked for: `k` may go down, and be what it was in `fit`.

    For queries that it was asked about last, the fewer neighbours are the first of those.
    """

    _most: int
    _last: tuple[NDArray[Any], Found] | None

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        self._most, self._last = self.k, None
        return super().fit(X, y, sample_weight)

    def _ballots(self, memory: Memory, queries: NDArray[Any] | None) -> Iterator[Ballot]:
        if queries is None or memory.masses is not None:
            yield from super()._ballots(memory, queries)
            return
        distances, indices = self._most_neighbors(memory, queries)
        nearest, rows = np.ascontiguousarray(distances[:, : self.k]), np.ascontiguousarray(indices[:, : self.k])
        yield slice(None), rows, vote_weights(self.weights, nearest.copy() if callable(self.weights) else nearest)

    def _most_neighbors(self, memory: Memory, queries: NDArray[Any]) -> Found:
        if self._last is None or not np.array_equal(self._last[0], queries):
            found = memory.backend.query(queries, self._most, threads.resolve(self.n_threads))
            self._last = queries.copy(), found
        return self._last[1]
