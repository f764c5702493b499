"""Newton's step of a quadratic model, and how far the optimum is by it.

The Hessian is a Gram matrix, H = A' A, where A is the rows of X, each times a square root of its curvature.  A Cholesky
factor of H in float64 knows directions whose curvature is above 1e-16 of the largest.  The singular values of A, which
are square roots of curvatures, know those above 1e-32.  So where features nearly depend on each other, steps come from
A.  Directions that are none in float64 (features that are there twice, a constant, all classes' weights together) are
left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from fastclf._shared.interrupts import aside
from fastclf.linear import dense
from fastclf.linear.quadratic import Quadratic, rows_with_ones

Array = NDArray[np.float64]

_EPS, _TINY = float(np.finfo(np.float64).eps), 1e-150  # with a square
_LEAST_PIVOT = 1e-6  # of Cholesky's factor, of features at unit scale: its square is far above rounding
_MOST_ENTRIES = 1 << 26  # of A
_MOST_NOISE = 8  # roundings: what is less may be none
_MOST_BLIND = 1e-7  # rounding of a gradient of no curvature, at unit scale, of J's root: above, it may hide a slope


@dataclass(frozen=True)
class Step:
    """A step of weights and intercepts as one vector; and how far J is above its least value, if it bends as there."""

    along: Array
    excess: float

    def parts(self, classes: int) -> tuple[Array, Array]:
        """Return what weights and intercepts move by."""
        moves = self.along.reshape(classes, -1)
        return moves[:, :-1], moves[:, -1]


def newton(model: Quadratic) -> Step:
    """Return the step to the least value of the model.

    The excess is told as the whole of Newton's decrement squared: a quadratic has half of it, an exponential all of it.
    """
    size = _size(model)
    factor = _factor(_held_together(model, size))
    if factor is None or np.diag(factor).min() < _LEAST_PIVOT:
        return _by_singular_values(model, size)
    return _solved(model, factor, size)


def damped(model: Quadratic, damping: float) -> Step:
    """Return a shorter step: `damping` times the Hessian's diagonal is added to it."""
    size = _size(model)
    while True:
        hessian = _held_together(model, size)
        hessian[np.diag_indices_from(hessian)] += damping
        factor = _factor(hessian)
        if factor is not None:
            return _solved(model, factor, size)
        damping *= 100


def _size(model: Quadratic) -> Array:
    """Roots of the Hessian's diagonal: with these for units, features' scales do not matter."""
    size: Array = np.sqrt(np.diag(model.hessian))
    return np.where(size > 0, size, 1.0)


def _held_together(model: Quadratic, size: Array) -> Array:
    """Return the Hessian at unit scale; where only differences of scores count, with what holds all classes' sum."""
    hessian: Array = model.hessian / size / size[:, None]
    if model.objective.loss.of_differences:
        classes = model.objective.classes
        scale = size.reshape(classes, -1)
        held = np.minimum.reduce(scale) / scale / np.sqrt(classes)
        by_feature = hessian.reshape(classes, scale.shape[1], classes, scale.shape[1])
        features = np.arange(scale.shape[1])
        by_feature[:, features, :, features] += np.einsum("cj,dj->jcd", held, held)
    return hessian


def _factor(hessian: Array) -> Array | None:
    """Return Cholesky's upper factor; None where the matrix is not positive definite, by rounding."""
    try:
        factor: Array = dense.cholesky(hessian)
    except scipy.linalg.LinAlgError:
        return None
    return factor if np.isfinite(np.diag(factor)).all() else None


def _solved(model: Quadratic, factor: Array, size: Array) -> Step:
    along: Array = -scipy.linalg.cho_solve((factor, False), model.slope / size, check_finite=False) / size
    along = _without_shared(model, along)
    return Step(along, max(-float(model.slope @ along), 0.0))


def _without_shared(model: Quadratic, along: Array) -> Array:
    """Return a step without what all classes share, where only differences of scores count."""
    by_class = along.reshape(model.objective.classes, -1)
    return model.objective.without_shared(by_class).ravel()


def _by_singular_values(model: Quadratic, size: Array) -> Step:
    """Solve by those of A; a part of the gradient that may be rounding makes no step, but counts in the distance."""
    _, values, directions = aside(float(len(size)) ** 3, np.linalg.svd, _triangle(model, size))
    slope, least = model.slope / size, _EPS * max(model.scores.size, len(size)) * float(values[0]) + _TINY
    parts, there = directions @ slope, values > least
    rounding = _rounding(model, size)
    noise = abs(directions) @ (rounding + _EPS * abs(slope))
    # Directions of no curvature are off by so much of the others.
    noise[~there] += _EPS * float(values[0]) * float((abs(parts[there]) / values[there]).sum())
    real = abs(parts) > _MOST_NOISE * noise
    values = np.maximum(values, least)
    excess = np.where(real, parts, np.where(there, noise, 0)) / values
    along: Array = -(np.where(real, parts / values**2, 0) @ directions) / size
    along[np.diag(model.hessian) == 0] = 0  # of features that are 0 everywhere
    along = _without_shared(model, along)
    is_blind = (~there & ~real & (noise > _MOST_BLIND * np.sqrt(model.point.value))).any()
    alone = np.maximum(abs(slope) - _MOST_NOISE * rounding, 0).max()  # as much each weight would bring by itself
    return Step(along, np.inf if is_blind else max(float(excess @ excess), float(alone**2)))


def _triangle(model: Quadratic, size: Array) -> Array:
    """Return R, with R' R = H at unit scale: A's, a block of rows after the other."""
    objective, classes = model.objective, model.objective.classes
    width = len(size) // classes
    held = np.ones(width)
    held[-1] = float(objective.has_intercept)
    ridge = np.tile(1 - held, (classes, 1))
    ridge[:, :-1] = np.sqrt(objective.penalty.curvature(model.point.W))
    triangle: Array = np.diag(ridge.ravel() / size)
    step = max(1, _MOST_ENTRIES // (classes * len(size)))
    for start in range(0, len(model.scores), step):
        block = slice(start, min(start + step, len(model.scores)))
        X, roots = rows_with_ones(objective, block) * held, _roots(model, block)
        part = np.einsum("rck,rj->rkcj", roots, X, optimize=False).reshape(-1, len(size)) / size
        stacked = np.vstack([triangle, part[part.any(axis=1)]])
        triangle = aside(stacked.size * len(size), _upper, stacked)
    return triangle


def _upper(rows: Array) -> Array:
    """Return R of rows = Q R."""
    return np.asarray(np.linalg.qr(rows, mode="r"), np.float64)


def _roots(model: Quadratic, block: slice) -> Array:
    """Return square roots of rows' curvatures: roots times their transposes are these."""
    objective = model.objective
    curvature = objective.loss.curvature(model.scores[block], objective.part(block))
    values, vectors = np.linalg.eigh(curvature)
    weights = objective.row_weights()[block, None]
    roots: Array = vectors * np.sqrt(np.maximum(values, 0) * weights)[:, None, :]
    return roots


def _rounding(model: Quadratic, size: Array) -> Array:
    """Return what rounding may have made of the gradient at unit scale."""
    objective = model.objective
    terms = np.zeros((objective.classes, objective.rows.shape[1] + 1))
    step = max(1, _MOST_ENTRIES // terms.shape[1])
    for start in range(0, len(model.scores), step):
        block = slice(start, min(start + step, len(model.scores)))
        terms += abs(model.gradients[block]).T @ abs(rows_with_ones(objective, block))
    terms *= objective.scale
    terms[:, :-1] += abs(objective.penalty.slope(model.point.W))
    if not objective.has_intercept:
        terms[:, -1] = 0
    return _EPS * terms.ravel() / size
