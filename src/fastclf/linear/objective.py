"""J(W, b) = mean loss + penalty of W, with its gradient: what the solvers minimise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.batch import Batch
from fastclf.linear.losses import Loss
from fastclf.linear.penalty import Penalty
from fastclf.linear.rows import Rows, row_blocks


@dataclass(frozen=True)
class Point:
    """Weights, and what the objective is there."""

    W: NDArray[np.float64]
    b: NDArray[np.float64]
    value: float
    of_W: NDArray[np.float64]
    of_b: NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """The objective of some rows.

    `scale` makes a mean of a sum over rows; without `has_intercept` the intercepts stay as they are.
    """

    rows: Rows
    loss: Loss
    batch: Batch
    penalty: Penalty
    scale: float
    has_intercept: bool

    def at(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> Point:
        """Evaluate; X is read once."""
        loss, of_W, of_b = self.rows.loss(self.batch, W, b)
        return self.point(W, b, loss, of_W, of_b)

    def point(
        self,
        W: NDArray[np.float64],
        b: NDArray[np.float64],
        loss: float,
        of_W: NDArray[np.float64],
        of_b: NDArray[np.float64],
    ) -> Point:
        """Return the point with these sums over the rows."""
        value = loss * self.scale + self.penalty.value(W)
        by_b = of_b * self.scale if self.has_intercept else np.zeros_like(of_b)
        return Point(W, b, value, of_W * self.scale + self.penalty.slope(W), by_b)

    def without_shared(self, W: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return weights without what all classes share, where only differences of scores count.

        J's gradient has no such part at them but by rounding, and steps are to have none.  Weights that rounding leads
        there hardly come back: only the penalty bends J in that direction, and no estimate of the curvature knows it.
        """
        return W - W.mean(axis=0) if self.loss.of_differences and not self.penalty.l1 else W

    def losses(self, scores: NDArray[np.float64], with_gradients: bool = True) -> tuple[float, NDArray[np.float64]]:
        """Return the sum of the rows' losses and, if asked for, gradients by the scores; infinite where scores are."""
        losses = np.empty(len(scores))
        gradients = np.empty_like(scores) if with_gradients else None
        bad = _native.losses(self.batch, scores, 1.0, 1, losses, None, gradients)
        return (np.inf if bad is not None else _native.total(losses)), scores if gradients is None else gradients

    def smoothed(self, width: float) -> Objective:
        """Return the objective with kinks rounded over that width."""
        return replace(self, batch=replace(self.batch, hinge_width=width))

    def slack(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        """Return the mean of the rows' slack: the duality gap where the smoothed objective has its least value."""
        slack, weights, total = self.loss.slack, self.row_weights(), 0.0
        assert slack is not None
        for block in row_blocks((self.rows.shape[0], self.classes)):
            scores = self.rows.take(block).scores(W, b).astype(np.float64)
            total += float(weights[block] @ slack(scores, self.part(block)))
        return total

    def in_float64(self) -> Objective:
        """Return the same objective, computed in float64."""
        rows = self.rows.in_float64()
        if rows is self.rows:
            return self
        scores = np.broadcast_to(np.float64(0), self.batch.scores.shape)
        return replace(self, rows=rows, batch=replace(self.batch, scores=scores))

    def part(self, rows: NDArray[np.int64] | slice) -> Batch:
        """Return what some rows are compared with."""
        batch = self.batch
        label = None if batch.label is None else batch.label[rows]
        target = None if batch.target is None else batch.target[rows]
        weight = None if batch.weight is None else batch.weight[rows]
        return replace(batch, label=label, target=target, weight=weight)

    def sample(self, rows: NDArray[np.int64] | slice, taken: Rows | None = None) -> Objective:
        """Return the objective of some rows, if they have been taken already those: its scale is that of their mean."""
        taken, part = self.rows.take(rows) if taken is None else taken, self.part(rows)
        total = taken.shape[0] if part.weight is None else float(part.weight.sum())
        scale = self.loss.share(self.classes) / total if total else 0.0
        return replace(self, rows=taken, batch=part, scale=scale)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.batch.scores.shape[1])

    def row_weights(self) -> NDArray[np.float64]:
        """Return what each row counts in the mean."""
        weight = self.batch.weight
        return np.full(self.rows.shape[0], self.scale) if weight is None else weight * self.scale
