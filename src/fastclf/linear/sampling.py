"""Rows that the curvature is learned from."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastclf._shared.interrupts import aside
from fastclf.linear.objective import Objective, Point
from fastclf.linear.preconditioner import Preconditioner, diagonal, precondition, sample_size
from fastclf.linear.rows import Rows, SparseRows
from fastclf.linear.settling import without

Array = NDArray[np.float64]

_MOST_DENSE_OF_SPARSE = 1024  # features: a sample of so few is made dense
_FLATTER = 3  # how much less curved J may be by any feature where it ends than where its curvature was estimated
_LEAST_BEND = 1e-3  # of a row of hinges, of the mean: so that rows which bend the loss later are not forgotten
_OUTSTANDING = 8  # times its share of a feature, of all rows' in a sample: such a row is taken
_TINY = 1e-12  # of the largest: rows that bend nothing are no reason for a division by 0


class Variables:
    """A change of variables, and J's curvature by each feature where it was made."""

    def __init__(self, change: Preconditioner, find_curvature: Callable[[], Array]) -> None:
        self.change = change
        self._find_curvature = find_curvature

    @functools.cached_property
    def curvature(self) -> Array:
        """Found when it is first asked for."""
        return self._find_curvature()


@dataclass(frozen=True)
class Sample:
    """Some rows: their numbers, themselves, and how many rows each stands for."""

    numbers: NDArray[np.int64]
    rows: Rows
    counts: Array

    @classmethod
    def of(cls, rows: Rows, rng: np.random.Generator) -> Sample:
        """Draw rows, without putting back."""
        n, size = rows.shape[0], sample_size(*rows.shape)
        numbers = np.arange(n) if size == n else np.sort(rng.choice(n, size, replace=False))
        return cls(numbers, rows.take(numbers), np.full(size, n / size))

    @classmethod
    def with_outstanding(cls, rows: Rows, rng: np.random.Generator) -> Sample:
        """Draw rows, but take all whose values stand out: few rows may have most of a feature."""
        n, size = rows.shape[0], sample_size(*rows.shape)
        if size == n:
            return cls.of(rows, rng)
        shares = rows.shares()
        most = np.argpartition(-shares, size // 2)[: size // 2]
        outstanding = most[shares[most] > _OUTSTANDING / size]
        others = np.setdiff1d(np.arange(n), outstanding)
        drawn = rng.choice(others, size - len(outstanding), replace=False)
        numbers, counts = np.concatenate([outstanding, drawn]), np.ones(size)
        counts[len(outstanding) :] = len(others) / len(drawn)
        order = np.argsort(numbers)
        return cls(numbers[order], rows.take(numbers[order]), counts[order])

    def variables(self, objective: Objective, point: Point, dropped: NDArray[np.bool_] | None = None) -> Variables:
        """Return variables in which J is about as curved in all directions, by these rows; of many sparse features all.

        Scores of all rows that are `dropped` are as right as can be.
        """
        rows, bends = objective.rows, self._bends(objective, point, dropped)
        ridge = objective.penalty.shared_curvature(point.W)
        kind = objective.has_intercept, objective.loss.of_differences
        if isinstance(rows, SparseRows) and rows.shape[1] > _MOST_DENSE_OF_SPARSE:
            change = diagonal(rows, row_bends(objective, point, dropped), ridge, *kind)
        else:
            size = self.rows.shape[0] * self.rows.shape[1]
            change = aside(size, precondition, self.rows.dense(), bends, ridge, *kind)
        return Variables(change, lambda: self._curvature(objective, point, bends))

    def flatter(self, than: Variables, objective: Objective, point: Point) -> bool:
        """Whether J is much less curved at a point, by some feature, than where variables were made."""
        now = self._curvature(objective, point, self._bends(objective, point))
        return bool((_FLATTER * now < than.curvature).any())

    def _curvature(self, objective: Objective, point: Point, bends: Array) -> Array:
        """Return J's curvature by each feature, by these rows and how much they bend it."""
        return self.rows.bent(bends, objective.has_intercept) + objective.penalty.shared_curvature(point.W)

    def _bends(self, objective: Objective, point: Point, dropped: NDArray[np.bool_] | None = None) -> Array:
        """Return the mean curvature over the classes of each row's part of the sample's objective."""
        part = replace(objective.sample(self.numbers, self.rows), scale=objective.scale)
        return row_bends(part, point, None if dropped is None else dropped[self.numbers], self.counts)


def row_bends(
    objective: Objective, point: Point, dropped: NDArray[np.bool_] | None = None, counts: Array | float = 1.0
) -> Array:
    """Return the mean curvature over the classes of each row's part of the objective, as often as it `counts`."""
    scores = objective.rows.scores(point.W, point.b).astype(np.float64)
    if dropped is not None:
        scores = without(objective, scores, dropped)
    weights = objective.row_weights() * counts
    bends: Array = objective.loss.diagonal(scores, objective.batch).mean(axis=1) * weights
    if not bends.any():
        bends = weights * objective.loss.share(objective.classes)
    least = _LEAST_BEND * bends.mean() if objective.loss.few_bend else _TINY * bends.max()
    floored: Array = np.maximum(bends, least)
    return floored
