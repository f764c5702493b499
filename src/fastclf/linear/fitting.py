"""A fit from checked data to weights: the solver's choice, its progress and criterion; and steps of `partial_fit`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastclf._progress import iterations
from fastclf.linear import sgd
from fastclf.linear.inputs import Options
from fastclf.linear.lbfgs import Lbfgs
from fastclf.linear.newton import newton
from fastclf.linear.objective import Objective, Point
from fastclf.linear.solving import Progress, Solution, largest_margin, minimise, prefers_newton

_VARIANCE_ROWS = 1024  # from which SGD learns how far features vary together

_FLOOR = 1e-3  # of J at W = 0: less J counts as so much, as it may have no least value but 0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Weights, intercepts about the rows' centre, and how they came about."""

    W: Array
    b: Array
    value: float
    curve: list[float]
    converged: bool
    width: float
    complaint: str


def fit(objective: Objective, W: Array, b: Array, loss: str, options: Options) -> Fit:
    """Minimise, until J is estimated to be within `tol` of its least value, or iterations run out."""
    zero = objective.at(np.zeros_like(W), np.zeros_like(b))
    start, at_zero = objective.at(W, b) if W.any() or b.any() else zero, zero.value
    curve: list[float] = []
    with iterations(f"fitting {loss}", options.verbose, options.max_iter) as tell:

        def note(value: float, excess: float) -> None:
            curve.append(value)
            tell(value, excess)

        progress = Progress(options.tol, _FLOOR * at_zero, options.max_iter, note)
        found = _solution(objective, start, options, progress)
    until = progress.until(found.point.value)
    converged = found.excess <= until
    complaint = (
        f"the fit ended after {len(curve)} iterations (max_iter={options.max_iter}) with J about {found.excess:.2g} "
        f"above the optimum, which is more than the {until:.2g} that tol allows; raise max_iter or tol"
    )
    return Fit(found.point.W, found.point.b, found.point.value, curve, converged, found.width, complaint)


def _solution(objective: Objective, start: Point, options: Options, progress: Progress) -> Solution:
    solver = options.solver
    if solver == "auto":
        solver = "newton" if prefers_newton(objective) else "lbfgs"
    if solver == "sgd":
        return _epochs(objective, begin_descent(objective, start.W, start.b), options, progress)
    return minimise(newton if solver == "newton" else Lbfgs(options.rng), objective, start, progress)


def _epochs(objective: Objective, descent: sgd.Descent, options: Options, progress: Progress) -> Solution:
    """Go through the rows until the average of the weights is good enough, by the curvature there."""
    solver, smooth = Lbfgs(options.rng), _smoothed(objective)
    measure: Callable[[Point], float] | None = None
    while True:
        descent, _ = descend(descent, objective, options)
        point = objective.at(descent.mean_W, descent.mean_b)
        measure = measure or solver.measure(smooth, point)
        excess = measure(point)
        if excess <= progress.until(point.value):
            measure = solver.measure(smooth, point)
            excess = measure(point)
        progress.made(point.value, excess)
        if excess <= progress.until(point.value) or progress.left <= 0:
            return Solution(point, excess)


def _smoothed(objective: Objective) -> Objective:
    """Curvature of a hinge is that of one rounded over its margin."""
    return objective if objective.loss.slack is None else objective.smoothed(largest_margin(objective))


def begin_descent(objective: Objective, W: Array, b: Array) -> sgd.Descent:
    """Begin mini-batches at some weights."""
    return sgd.Descent(W, b, objective.rows.centre, np.zeros(objective.rows.shape[1]))


def descend(descent: sgd.Descent, objective: Objective, options: Options) -> tuple[sgd.Descent, list[float]]:
    """Make a step for each mini-batch of the rows; `descent` stays as it was."""
    moved = copy.copy(descent)
    moved.mean_W, moved.mean_b = descent.mean_W.copy(), descent.mean_b.copy()
    n = objective.rows.shape[0]
    order, of_all = options.rng.permutation(n), objective.scale * n
    moved.learn(objective.rows.take(np.sort(order[:_VARIANCE_ROWS])))
    values = []
    for start in range(0, n, sgd.BATCH_ROWS):
        rows = np.sort(order[start : start + sgd.BATCH_ROWS])
        batch = replace(objective.sample(rows), scale=of_all / len(rows))
        values.append(moved.step(batch))
    return moved, values
