"""Newton's step by conjugate gradients: the curvature of all rows, from differences of gradients.

The least Ritz value bounds, as well as can be seen, how little J is curved in the preconditioned variables [1]_: the
gradient that is left, squared, divided by it, bounds how much J falls beyond.

.. [1] G. H. Golub and G. Meurant, "Matrices, Moments and Quadrature with Applications", Princeton University Press,
   2010.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from fastclf.linear.objective import Objective, Point
from fastclf.linear.preconditioner import Preconditioner

Array = NDArray[np.float64]

_MOST_STEPS = 60
_REDUCTION = 0.01  # of the squared gradient: before that, directions of little curvature may not have shown
_REDUCTION_OF_HARD = 1e-6  # where some are known to be
_SHARE = 0.4  # of what is allowed: as much may be left


@dataclass(frozen=True)
class Found:
    """A step in preconditioned variables.

    Attributes
    ----------
    step : ndarray of shape (n_weights,)
        The step.
    falls : float
        How much J falls by it, to second order.
    left : float
        How much J would fall beyond it, at most by what was seen.
    least : float
        The least Ritz value.
    steps : int
        How many passes over the rows it took.
    """

    step: Array
    falls: float
    left: float
    least: float
    steps: int


def conjugate(objective: Objective, point: Point, change: Preconditioner, until: float, is_hard: bool = False) -> Found:
    """Solve the Newton equations until a small part of `until` is left; to more digits where it `is_hard`.

    Differences are taken over steps that change J by about `until`: over so much the curvature should hold.
    """
    gradient = change.gradient(point.of_W, point.of_b)
    step, residual, squared, falls = np.zeros_like(gradient), -gradient, float(gradient @ gradient), 0.0
    direction, left, least, length, first = residual, np.inf, 1.0, 1.0, squared
    enough = first * (_REDUCTION_OF_HARD if is_hard else _REDUCTION)
    diagonal: list[float] = []  # of Lanczos' matrix, and beside it
    beside: list[float] = []
    while squared > 0 and len(diagonal) < _MOST_STEPS:
        bent = _bent(objective, point, change, direction, gradient, np.sqrt(until / squared))
        curvature = float(direction @ bent)
        if not (0 < curvature < np.inf and 0 < squared / curvature < np.inf):  # rounding, or a loss that is not convex
            break
        shared = beside[-1] ** 2 * length if beside else 0.0
        length = squared / curvature
        diagonal.append(1 / length + shared)
        step, residual, falls = step + length * direction, residual - length * bent, falls + length * squared / 2
        before, squared = squared, float(residual @ residual)
        if not np.isfinite(diagonal[-1]):
            break
        ritz = float(scipy.linalg.eigvalsh_tridiagonal(diagonal, beside)[0])
        if not ritz > 0:
            break
        least, left = ritz, squared / (2 * ritz)
        if left <= _SHARE * until and squared <= enough:
            break
        beside.append(np.sqrt(squared / before) / length)
        direction = residual + squared / before * direction
    return Found(step, falls, left if squared > 0 else 0.0, least, len(diagonal))


def _bent(
    objective: Objective, point: Point, change: Preconditioner, direction: Array, gradient: Array, by: float
) -> Array:
    """Return the Hessian times a direction."""
    W, b = change.plain(by * direction, objective.classes)
    there = objective.at(point.W + W, point.b + b)
    bent: Array = (change.gradient(there.of_W, there.of_b) - gradient) / by
    return bent
