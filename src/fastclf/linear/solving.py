"""Which solver, over which smoothed objectives, until when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastclf.linear.objective import Objective, Point

# A step of Newton's method takes memory as the square, and time as the cube, of the number of weights, and rows times
# their square for the Hessian.  Up to the work below a step takes as long as a few passes of L-BFGS.  Where few rows
# bend a loss, as with hinges, L-BFGS takes hundreds, and knows less well how near it is.
_MOST_NEWTON_WEIGHTS = 2048
_MOST_NEWTON_SCORES = 1 << 24  # that are held
_MOST_NEWTON_WORK, _MOST_NEWTON_WORK_OF_HINGES = 1e8, 1e10

_ROUNDING = 1e-15  # of J: nearer to the optimum is not to be had

# Kinks are rounded ever less: each width is this part of the one before.
_SHRINK = 0.2
_FEWEST_WIDTH = 1e-12  # of the margin

# How exactly a smoothed objective is minimised: to a part of what smoothing will change J by; to begin with, of J.
_SLACK, _FIRST_SLACK = 0.1, 0.02


@dataclass
class Progress:
    """Points that solvers come to, and when to stop.

    Attributes
    ----------
    tol : float
        How far above the optimum J may be in the end, in parts of J.
    floor : float
        What J counts as where it is less.
    left : int
        Iterations that may still be made.
    tell : callable
        Called with J and the estimated distance after each.
    least : float
        A distance that is small enough in any case.
    """

    tol: float
    floor: float
    left: int
    tell: Callable[[float, float], None]
    least: float = 0.0

    def made(self, value: float, excess: float) -> None:
        """Count an iteration that ended at this objective."""
        self.left -= 1
        self.tell(value, excess)

    @contextmanager
    def at_most(self, iterations: int) -> Iterator[Progress]:
        """Give a part of the iterations that are left; what is made of it counts here."""
        part = replace(self, left=min(iterations, self.left))
        before = part.left
        yield part
        self.left -= before - part.left

    def until(self, value: float) -> float:
        """Return what the estimated distance from the optimum has to come below at this objective."""
        return max(self.least, max(self.tol, _ROUNDING) * max(value, self.floor))


class Solver(Protocol):
    """A method for smooth objectives."""

    def approach(self, objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
        """Return a point near the optimum, and an estimate of J's distance there from its least value."""

    def polish(self, objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
        """Return a point, computed in float64, and J's distance there by the curvature of all rows; or infinity."""


@dataclass(frozen=True)
class Solution:
    """Where a fit ended.

    Attributes
    ----------
    point : Point
        With the objective's own value, of no smoothing.
    excess : float
        Estimated distance from the optimum; the part that smoothing causes is proven.
    width : float
        Over which kinks were rounded in the end.
    """

    point: Point
    excess: float
    width: float = 0.0


def affords_newton(objective: Objective, others_fail: bool = False) -> bool:
    """Whether the problem is so small that the whole Hessian is worth its cost: more of it where other solvers fail."""
    (rows, features), classes = objective.rows.shape, objective.classes
    weights = classes * (features + 1)
    work = _MOST_NEWTON_WORK_OF_HINGES if others_fail or objective.loss.few_bend else _MOST_NEWTON_WORK
    fits = weights <= _MOST_NEWTON_WEIGHTS and rows * classes <= _MOST_NEWTON_SCORES
    return fits and rows * weights**2 <= work and objective.rows.moderate


def minimise(solver: Solver, objective: Objective, start: Point, progress: Progress) -> Solution:
    """Find the optimum; of an objective with kinks, as that of smoothed ones."""
    if start.value == 0:  # no loss is below 0
        return Solution(start, 0.0)
    if objective.loss.slack is None:
        return Solution(*solver.polish(objective, start, progress))
    return _by_smoothing(solver, objective, start.W, start.b, progress)


def _by_smoothing(
    solver: Solver, objective: Objective, W: NDArray[np.float64], b: NDArray[np.float64], progress: Progress
) -> Solution:
    """Round the kinks over ever smaller widths; what that does to J is known."""
    exact, widest = objective.in_float64(), largest_margin(objective)
    width, error, tol = widest, np.inf, progress.tol
    while True:
        smooth = objective.smoothed(width)
        start = smooth.at(W, b)
        progress.tol, progress.least = tol / 2, min(_SLACK * _SHRINK * error, _FIRST_SLACK * start.value)
        rounded, excess = solver.approach(smooth, start, progress)
        error = smoothing_error(smooth, rounded.W, rounded.b)
        point = exact.at(rounded.W, rounded.b)
        last = progress.left <= 0 or width < _FEWEST_WIDTH * widest
        if last or error + excess <= max(tol, _ROUNDING) * max(point.value, progress.floor):
            progress.tol, progress.least = tol / 4, 0.0
            rounded, excess = solver.polish(smooth, rounded, progress)
            error = smoothing_error(smooth.in_float64(), rounded.W, rounded.b)
            point = exact.at(rounded.W, rounded.b)
        progress.tol, progress.least = tol, 0.0
        # The error is that of the smoothed optimum: the remaining distance from it counts twice.
        if last or error + 2 * excess <= progress.until(point.value):
            return Solution(point, error + 2 * excess, width)
        W, b = rounded.W, rounded.b
        width *= _SHRINK


def smoothing_error(smooth: Objective, W: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return how far J is above its optimum at most, where the smoothed J is at its own: the duality gap there.

    Without a penalty weights near that optimum may be far from it, and the gap with them: then it is what smoothing
    adds at most, to any J. Of large problems, where solvers only estimate how near they are, the gap has to do.
    """
    if not smooth.penalty.is_strictly_convex and affords_newton(smooth):
        weight = float(smooth.row_weights().sum())
        return weight * smooth.loss.most_rounded(smooth.classes) * smooth.batch.hinge_width
    return smooth.slack(W, b)


def largest_margin(objective: Objective) -> float:
    """Return the scale of the terms: the largest margin, or 1 if all are 0."""
    batch = objective.batch
    found = abs(batch.margin) if batch.margins is None else float(np.abs(batch.margins).max())
    return found or 1.0
