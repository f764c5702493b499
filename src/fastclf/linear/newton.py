"""Newton's method with the whole Hessian, in float64: for few weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from fastclf import _native, _threads
from fastclf._interrupts import aside
from fastclf.linear import dense
from fastclf.linear.objective import Objective, Point
from fastclf.linear.rows import row_blocks
from fastclf.linear.solving import Progress

Array = NDArray[np.float64]

_HALVINGS = 30
_FALLING = 0.1  # in the end, steps are made for as long as each is so much nearer: a few more digits cost little
_WORK_OF_THREADS = 1e10  # multiplications of a Hessian: threads of BLAS cost more than they bring where it is less
_LEAST_DAMPING = 1e-13  # of the Hessian's diagonal: intercepts may move together
_DAMPINGS = (1e-9, 1e-6, 1e-3, 1.0)  # where that leads nowhere


@dataclass(frozen=True)
class _Model:
    """J to second order; weights and intercepts are one vector, class by class, the intercept last."""

    point: Point
    scores: Array
    slope: Array
    hessian: Array


def newton(objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
    """See `Solver`."""
    weights, threads = start.W.size + start.b.size, objective.rows.n_threads
    small = objective.rows.shape[0] * weights**2 < _WORK_OF_THREADS
    with _threads.blas(1 if small else threads), np.errstate(over="ignore", invalid="ignore"):
        return _newton(objective, start, progress)


def _newton(objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
    model, damping, last = _model(objective, start.W, start.b), 0.0, np.inf
    while True:
        step = _step(model, 0.0)
        excess = -float(model.slope @ step) / 2
        if excess <= progress.until(model.point.value) and excess >= _FALLING * last:
            return model.point, excess
        if progress.left <= 0:
            return model.point, excess
        moved, damping = _moved(objective, model, step, damping)
        if moved is None:
            return model.point, excess
        model, last = _model(objective, *moved), excess
        progress.made(model.point.value, excess)


def _moved(
    objective: Objective, model: _Model, step: Array, damping: float
) -> tuple[tuple[Array, Array] | None, float]:
    """Weights after a step, and the damping that it took; None if no step makes J less."""
    for attempt in (0.0, *(damping * 10.0**i for i in range(-1, 2) if damping), *_DAMPINGS):
        if attempt:
            step = _step(model, attempt)
        moved = _search(objective, model, step)
        if moved is not None:
            return moved, attempt
    return None, 0.0


def _step(model: _Model, damping: float) -> Array:
    """Newton's step, with so much added to the Hessian's diagonal, in parts of it, or what it takes to be solved."""
    size = np.sqrt(np.diag(model.hessian))
    size = np.where(size > 0, size, 1)
    hessian = model.hessian / size / size[:, None]
    damping = max(damping, _LEAST_DAMPING)
    while True:
        damped = hessian.copy()
        damped[np.diag_indices_from(damped)] += damping
        try:
            upper = dense.cholesky(damped)
        except scipy.linalg.LinAlgError:  # not positive definite, by rounding
            damping *= 100
            continue
        step: Array = -scipy.linalg.cho_solve((upper, False), model.slope / size, check_finite=False) / size
        return step


def _search(objective: Objective, model: _Model, step: Array) -> tuple[Array, Array] | None:
    """Go along a step, half as far each time, until J falls by a part of what it promises; None if it does not."""
    moves = step.reshape(objective.classes, -1)
    W, b, promised = moves[:, :-1], moves[:, -1], float(model.slope @ step)
    change = _scores(objective, W, b)
    for halving in range(_HALVINGS):
        t = 0.5**halving
        there = model.point.W + t * W
        loss, _ = _losses(objective, model.scores + t * change, False)
        value = loss * objective.scale + objective.l2 * float(np.vdot(there, there))
        if value <= model.point.value + 1e-4 * t * promised:
            return there, model.point.b + t * b
    return None


def _rows(objective: Objective, block: slice) -> Array:
    """Rows in float64, with a 1 for the intercept."""
    X = np.ones((block.stop - block.start, objective.rows.shape[1] + 1))
    X[:, :-1] = objective.rows.dense(block)
    return X


def _scores(objective: Objective, W: Array, b: Array) -> Array:
    weights = np.hstack([W, b[:, None]]).T
    return np.vstack([_rows(objective, block) @ weights for block in row_blocks(objective.rows.shape)])


def _losses(objective: Objective, scores: Array, with_slopes: bool) -> tuple[float, Array]:
    """Sum of the losses, and slopes; infinite where scores are."""
    losses = np.empty(len(scores))
    slopes = np.empty_like(scores) if with_slopes else None
    bad = _native.losses(objective.batch, scores, 1.0, 1, losses, None, slopes)
    return (np.inf if bad is not None else _native.total(losses)), scores if slopes is None else slopes


def _model(objective: Objective, W: Array, b: Array) -> _Model:
    """Evaluate with the Hessian, a block of rows at a time."""
    classes, width = objective.classes, objective.rows.shape[1] + 1
    scores, weights = _scores(objective, W, b), objective.row_weights()
    loss, slopes = _losses(objective, scores, True)
    hessian, slope = np.zeros((classes, width, classes, width)), np.zeros((classes, width))
    for block in row_blocks(objective.rows.shape, 8 * (3 + classes)):
        X, part = _rows(objective, block), objective.part(block)
        slope += slopes[block].T @ X
        curvature = objective.loss.curvature(scores[block], part) * weights[block, None, None]
        aside(X.size * classes**2 * width, _add_curvature, hessian, X, curvature)
    if not (np.isfinite(loss) and np.isfinite(hessian).all()):
        raise ValueError(
            "the Hessian overflows float64 while fitting: X has values that are too large for Newton's method"
        )
    point = objective.point(W, b, loss, slope[:, :-1], slope[:, -1])
    gradient = np.hstack([point.of_W, point.of_b[:, None]])
    return _Model(point, scores, gradient.ravel(), _penalised(hessian, objective))


def _add_curvature(hessian: Array, X: Array, curvature: Array) -> None:
    """Add sum over rows of curvature times x x'."""
    rows, classes, width = curvature.shape[0], len(hessian), X.shape[1]
    for c in range(classes):
        bent = curvature[:, c, : c + 1, None] * X[:, None, :]
        both = (X.T @ bent.reshape(rows, -1)).reshape(width, c + 1, width)
        hessian[c, :, : c + 1] += both
        hessian[:c, :, c] += both[:, :c].transpose(1, 0, 2)


def _penalised(hessian: Array, objective: Objective) -> Array:
    """Add the penalty's curvature, and keep intercepts where they are if there are none."""
    classes, width = hessian.shape[:2]
    for c in range(classes):
        features = np.arange(width - 1)
        hessian[c, features, c, features] += 2 * objective.l2
        if not objective.has_intercept:
            hessian[c, -1], hessian[:, :, c, -1] = 0, 0
            hessian[c, -1, c, -1] = 1
    return hessian.reshape(classes * width, classes * width)
