"""J to second order at a point, in float64: with the Hessian of all weights and intercepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastclf._shared.interrupts import aside
from fastclf.linear.objective import Objective, Point
from fastclf.linear.rows import OverflowedError, row_blocks
from fastclf.linear.settling import without

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Quadratic:
    """The model; weights and intercepts are one vector, class by class, the intercept last.

    Attributes
    ----------
    objective : Objective
        What it is a model of, in float64.
    point : Point
        Where.
    scores, gradients : ndarray of shape (n_rows, n_classes)
        The rows' scores there, and their losses' gradients by them.
    slope : ndarray of shape (n_weights,)
        The gradient.
    hessian : ndarray of shape (n_weights, n_weights)
        With 1 for an intercept that stays as it is.
    """

    objective: Objective
    point: Point
    scores: Array
    gradients: Array
    slope: Array
    hessian: Array


def quadratic(objective: Objective, W: Array, b: Array, dropped: NDArray[np.bool_] | None = None) -> Quadratic:
    """Evaluate with the Hessian, a block of rows at a time; those `dropped` are as right as can be."""
    classes, width = objective.classes, objective.rows.shape[1] + 1
    scores, weights = scores_of(objective, W, b), objective.row_weights()
    if dropped is not None:
        scores = without(objective, scores, dropped)
    loss, gradients = objective.losses(scores)
    hessian, slope = np.zeros((classes, width, classes, width)), np.zeros((classes, width))
    for block in row_blocks(objective.rows.shape, 8 * (3 + classes)):
        X, part = rows_with_ones(objective, block), objective.part(block)
        slope += gradients[block].T @ X
        curvature = objective.loss.curvature(scores[block], part) * weights[block, None, None]
        aside(X.size * classes**2 * width, _add_curvature, hessian, X, curvature)
    if not (np.isfinite(loss) and np.isfinite(hessian).all()):
        raise OverflowedError(
            "the Hessian overflows float64 while fitting: X has values that are too large for Newton's method"
        )
    point = objective.point(W, b, loss, slope[:, :-1], slope[:, -1])
    gradient = np.hstack([point.of_W, point.of_b[:, None]])
    return Quadratic(objective, point, scores, gradients, gradient.ravel(), _penalised(hessian, objective, W))


def _add_curvature(hessian: Array, X: Array, curvature: Array) -> None:
    """Add sum over rows of curvature times x x'."""
    rows, classes, width = curvature.shape[0], len(hessian), X.shape[1]
    for c in range(classes):
        bent = curvature[:, c, : c + 1, None] * X[:, None, :]
        both = (X.T @ bent.reshape(rows, -1)).reshape(width, c + 1, width)
        hessian[c, :, : c + 1] += both
        hessian[:c, :, c] += both[:, :c].transpose(1, 0, 2)


def _penalised(hessian: Array, objective: Objective, W: Array) -> Array:
    """Add the penalty's curvature, and keep intercepts where they are if there are none."""
    classes, width = hessian.shape[:2]
    curvature = objective.penalty.curvature(W)
    for c in range(classes):
        features = np.arange(width - 1)
        hessian[c, features, c, features] += curvature[c]
        if not objective.has_intercept:
            hessian[c, -1], hessian[:, :, c, -1] = 0, 0
            hessian[c, -1, c, -1] = 1
    return hessian.reshape(classes * width, classes * width)


def rows_with_ones(objective: Objective, block: slice) -> Array:
    """Rows in float64, with a 1 for the intercept."""
    X = np.ones((block.stop - block.start, objective.rows.shape[1] + 1))
    X[:, :-1] = objective.rows.dense(block)
    return X


def scores_of(objective: Objective, W: Array, b: Array) -> Array:
    """Scores in float64."""
    weights = np.hstack([W, b[:, None]]).T
    return np.vstack([rows_with_ones(objective, block) @ weights for block in row_blocks(objective.rows.shape)])
