"""Multiclass SVMs by their dual problem: which method, and in what order.

Measured: of more rows than features the method of multipliers comes near the optimum first, whatever the penalty.
Where few rows are left on a margin, steps on faces end sooner.  Of fewer rows coordinate ascent needs no other start.
Of squared terms it is the only method here.
"""

from __future__ import annotations

import numpy as np

from fastclf._shared import threads
from fastclf.linear.ascent import ascend
from fastclf.linear.multipliers import multiply
from fastclf.linear.objective import Objective, Point
from fastclf.linear.rows import DenseRows, Rows
from fastclf.linear.solving import Progress, Solution, affords_newton
from fastclf.linear.svm import Dual, Svm

_MANY_VALUES = 1 << 23  # of rows: sweeps by one thread take longer than the other method
_BOUND_TOL, _BOUND_ITERATIONS = 1e-8, 1000  # of a bound that is asked for
_BEGINNING = 60  # iterations of the method of multipliers, where coordinate ascent may follow


def suits(objective: Objective) -> bool:
    """Whether this solves the objective: there is a dual problem of hinges, a penalty and moderate rows."""
    return objective.loss.few_bend and objective.penalty.is_strictly_convex and objective.rows.moderate


def is_first_choice(objective: Objective) -> bool:
    """Whether "auto" begins with this.

    Squared hinges bend: where rows are many or the whole Hessian is cheap, their curvature by features tells more.
    """
    rows, features = objective.rows.shape
    return not objective.loss.squared or (rows <= features and not affords_newton(objective))


def bound_pays(objective: Objective) -> bool:
    """Whether a bound is worth its time: for squared hinges one thread sweeps through all rows."""
    return not (objective.loss.squared and _is_long(objective.rows))


def _is_long(rows: Rows) -> bool:
    return isinstance(rows, DenseRows) and rows.shape[0] * rows.shape[1] > _MANY_VALUES


def solve(objective: Objective, start: Point, progress: Progress, rng: np.random.Generator) -> Solution:
    """Minimise J; the excess of the solution is a proof."""
    if start.value == 0:  # no hinge is negative
        return Solution(start, 0.0)
    svm, (n, features) = Svm.of(objective), objective.rows.shape
    found = Dual(start.W, start.b, start.value, np.zeros((n, objective.classes)))
    multiplies = n > features and not svm.squared
    alone = multiplies and _is_long(objective.rows)

    def is_over() -> bool:
        return progress.left <= 0 or found.gap <= progress.until(found.value)

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if multiplies:
            with progress.at_most(progress.left if alone else _BEGINNING) as some:
                found = multiply(svm, objective, found, some, rng)
        if not (alone or is_over()):
            with threads.blas(1):
                found = ascend(svm, found, progress, int(rng.integers(2**63)))
        if multiplies and not (alone or is_over()):
            found = multiply(svm, objective, found, progress, rng)
    return Solution(svm.objective.at(found.W, found.b), found.gap)


def lower_bound(objective: Objective, start: Point, floor: float, rng: np.random.Generator) -> float:
    """Return what J is nowhere below, near its least value as far as that can be proven."""
    found = solve(objective.in_float64(), start, Progress(_BOUND_TOL, floor, _BOUND_ITERATIONS, lambda *_: None), rng)
    return found.point.value - found.excess
