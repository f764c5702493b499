"""Newton's step by conjugate gradients: the curvature of all rows, from differences of gradients.

The least Ritz value bounds, as well as can be seen, how little J is curved in the preconditioned variables [1]_.  The
square of the remaining gradient, divided by it, bounds how much further J may fall.

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
from fastclf.linear.settling import Rest

Array = NDArray[np.float64]

_MOST_STEPS = 60
REDUCTION = 0.01  # of the squared gradient: before that, directions of little curvature may not have shown
REDUCTION_AGAIN = 0.1  # where they have been looked for
_REDUCTION_OF_HARD = 1e-6  # where some are known to be
HARD = 0.1  # curvature, in variables in which it should be 1
_NEAR = 1e-3  # of a step that changes J by what is allowed: a difference over this much is the derivative
_SHARE = 0.4  # of what is allowed: this much may be left


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
        How much J would fall after it, at most, by the curvature that was seen.
    least : float
        The least Ritz value, or what was known to be less.
    steps : int
        How many passes over the rows it took.
    """

    step: Array
    falls: float
    left: float
    least: float
    steps: int


def conjugate(
    objective: Objective | Rest,
    point: Point,
    change: Preconditioner,
    until: float,
    least: float = 1.0,
    reduction: float = REDUCTION,
) -> Found:
    """Solve the Newton equations until a small part of `until` is left; to more digits where J is hardly curved.

    `least` is a curvature that there may be: no more is counted on. The squared gradient is reduced to a part of
    `reduction` in any case.

    Products with the Hessian are differences of gradients: over near points in float64; in float32, which would round
    these to nothing, over steps that change J by about `until`.
    """
    gradient = change.gradient(point.of_W, point.of_b)
    step, residual, squared, falls = np.zeros_like(gradient), -gradient, float(gradient @ gradient), 0.0
    direction, left, length, first = residual, np.inf, 1.0, squared
    near = _NEAR if objective.rows.dtype == np.float64 else 1.0
    diagonal: list[float] = []  # of Lanczos' matrix, and beside it
    beside: list[float] = []
    while squared > 0 and len(diagonal) < _MOST_STEPS:
        bent = _bent(objective, point, change, direction, near * np.sqrt(until / squared))
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
        least = min(least, ritz)
        left, enough = squared / (2 * least), _REDUCTION_OF_HARD if least <= HARD else reduction
        if left <= _SHARE * until and squared <= enough * first:
            break
        beside.append(np.sqrt(squared / before) / length)
        direction = residual + squared / before * direction
    return Found(step, falls, left if squared > 0 else 0.0, least, len(diagonal))


def _bent(objective: Objective | Rest, point: Point, change: Preconditioner, direction: Array, by: float) -> Array:
    """Return the Hessian times a direction.

    The difference is taken before the change of variables, which rounds to float32: of small differences nothing would
    be left.
    """
    W, b = change.plain(by * direction, objective.classes)
    there = objective.at(point.W + W, point.b + b)
    bent: Array = change.gradient(there.of_W - point.of_W, there.of_b - point.of_b) / by
    return bent
