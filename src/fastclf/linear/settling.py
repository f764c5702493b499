"""Transient scores: those whose loss bends less where a step leads.

The curvature at a point tells how far the optimum is only if it lasts that far.  Some rows alone may hold J in a
direction (a value of -9999 for "missing", say).  Then the curvature is gone once these rows are on their right side,
and J may fall much further.  So transient scores are set aside, as if they were as right as can be.  A row's loss is at
least what its other scores contribute, so J's least value is at least that of J without them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastclf._shared.batch import Batch
from fastclf.linear.objective import Objective, Point
from fastclf.linear.rows import Rows

Array = NDArray[np.float64]

_LASTING = 0.7  # of a curvature: less is not what it was
_ROWS = 8192  # at a time: a curvature takes some copies of the scores
_RIGHT = 1e100  # a score, times its side, that leaves no loss


def passing(objective: Objective, scores: Array, moves: Array) -> NDArray[np.bool_]:
    """Return which scores bend J less where they move."""
    found, weights = np.empty(scores.shape, np.bool_), objective.row_weights()
    for start in range(0, len(scores), _ROWS):
        rows = slice(start, start + _ROWS)
        found[rows] = _passing(objective, objective.part(rows), scores[rows], moves[rows], weights[rows])
    return found


def _passing(objective: Objective, batch: Batch, scores: Array, moves: Array, weights: Array) -> NDArray[np.bool_]:
    if objective.loss.of_differences:
        moves = moves - moves.mean(axis=1, keepdims=True)
    here, there = (objective.loss.diagonal(at, batch) for at in (scores, scores + moves))
    found: NDArray[np.bool_] = (there < _LASTING * here) & (moves != 0) & (weights[:, None] > 0)
    if batch.label is not None and objective.loss.of_differences:  # its score counts in all differences
        found[np.arange(len(found)), batch.label] = False
    return found


def without(objective: Objective, scores: Array, dropped: NDArray[np.bool_]) -> Array:
    """Return the scores, those `dropped` as right as can be."""
    label, target = objective.batch.label, objective.batch.target
    if label is not None:
        hot = np.arange(objective.classes) == label[:, None]
    else:
        assert target is not None
        hot = target > 0
    return np.where(dropped, np.where(hot, _RIGHT, -_RIGHT), scores)


@dataclass(frozen=True)
class Rest:
    """The objective without what the scores `dropped` have of it."""

    objective: Objective
    dropped: NDArray[np.bool_]

    @property
    def rows(self) -> Rows:
        """All rows; some may have no loss."""
        return self.objective.rows

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.objective.classes

    def at(self, W: Array, b: Array) -> Point:
        """Evaluate."""
        return self.of(self.objective.at(W, b))

    def of(self, point: Point) -> Point:
        """Return the point with the rest of the objective there."""
        value, of_W, of_b = _held(self.objective, point, self.dropped)
        return replace(point, value=point.value - value, of_W=point.of_W - of_W, of_b=point.of_b - of_b)


def _held(objective: Objective, point: Point, dropped: NDArray[np.bool_]) -> tuple[float, Array, Array]:
    """Return what the scores `dropped` have of J, and of its gradients by weights and intercepts."""
    rows = np.flatnonzero(dropped.any(axis=1))
    part = replace(objective.sample(rows), scale=objective.scale)
    scores = part.rows.scores(point.W, point.b)
    with_them, gradients = part.losses(scores)
    least, others = part.losses(without(part, scores, dropped[rows]))
    gradients -= others
    of_W = part.rows.matrix().T @ gradients
    of_b = gradients.sum(axis=0) if objective.has_intercept else np.zeros(objective.classes)
    return (with_them - least) * part.scale, of_W.T * part.scale, of_b * part.scale
