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
from fastclf.linear.newton import Newton
from fastclf.linear.objective import Objective, Point
from fastclf.linear.rows import OverflowedError
from fastclf.linear.solving import Progress, Solution, affords_newton, largest_margin, minimise

_VARIANCE_ROWS = 1024  # from which SGD learns how far features vary together

_MOST_ROUNDING = 1e-12  # of intercepts
_FLOOR = 1e-3  # of J at W = 0: less J counts as so much, as it may have no least value but 0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """Weights and intercepts, and how they came about."""

    W: Array
    intercept: Array
    value: float
    curve: list[float]
    converged: bool
    width: float
    complaint: str


def fit(objective: Objective, W: Array, b: Array, loss: str, options: Options) -> Fit:
    """Minimise, until J is within `tol` of its least value, as far as can be told, or iterations run out."""
    start, at_zero = _start(objective, W, b)
    curve: list[float] = []
    with iterations(f"fitting {loss}", options.verbose, options.max_iter) as tell:

        def note(value: float, excess: float) -> None:
            curve.append(value)
            tell(value, excess)

        progress = Progress(options.tol, _FLOOR * at_zero, options.max_iter, note)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is no step
            try:
                found = _solution(objective, start, options, progress)
            except OverflowedError:  # of float32, perhaps
                found = _solution(objective.in_float64(), start, options, progress)
    intercept, value = _kept(objective, found.point)
    excess, until = found.excess + max(value - found.point.value, 0.0), progress.until(value)
    complaint = _complaint(excess, until, len(curve), options.max_iter)
    return Fit(found.point.W, intercept, value, curve, excess <= until, found.width, complaint)


def _start(objective: Objective, W: Array, b: Array) -> tuple[Point, float]:
    """Evaluate where to begin: at 0 if J is less there; and J at 0."""
    zero = objective.at(np.zeros_like(W), np.zeros_like(b))
    if not (W.any() or b.any()):
        return zero, zero.value
    try:
        start = objective.at(W, b)
    except OverflowedError:
        return zero, zero.value
    return start if start.value <= zero.value else zero, zero.value


def intercept_of(objective: Objective, W: Array, b: Array) -> Array:
    """Return intercepts about 0 for those about the rows' centre; with mean 0 where only differences count."""
    intercept = b - W @ objective.rows.centre
    if objective.loss.of_differences:
        intercept -= intercept.mean()
    return intercept


def _kept(objective: Objective, point: Point) -> tuple[Array, float]:
    """Return the intercepts of a point, and J with these: rounding, far from the centre, may count."""
    intercept = intercept_of(objective, point.W, point.b)
    about = (intercept + point.W.astype(np.longdouble) @ objective.rows.centre).astype(np.float64)
    off = about - point.b
    if objective.loss.of_differences:
        off -= off.mean()
    if not abs(off).max() > _MOST_ROUNDING:
        return intercept, point.value
    return intercept, objective.in_float64().at(point.W, about).value


def _complaint(excess: float, until: float, iterations: int, most: int) -> str:
    """Say why a fit has not converged."""
    told = (
        f"J about {excess:.2g} above the optimum" if np.isfinite(excess) else "J how far above the optimum is unknown"
    )
    if iterations >= most:
        return (
            f"the fit ended after {iterations} iterations (max_iter={most}) with {told}, which is more than the "
            f"{until:.2g} that tol allows; raise max_iter or tol"
        )
    return (
        f"the fit ended after {iterations} iterations with {told}, where tol allows {until:.2g}: further steps neither "
        f"made J less nor showed that it is near enough; change tol, raise l2, scale the features or try another solver"
    )


def _solution(objective: Objective, start: Point, options: Options, progress: Progress) -> Solution:
    solver = options.solver
    if solver == "auto":
        solver = "newton" if affords_newton(objective) else "lbfgs"
    if solver == "sgd":
        return _epochs(objective, begin_descent(objective, start.W, start.b), options, progress)
    return minimise(Newton() if solver == "newton" else Lbfgs(options.rng), objective, start, progress)


def _epochs(objective: Objective, descent: sgd.Descent, options: Options, progress: Progress) -> Solution:
    """Go through the rows until the average of the weights is good enough, by the curvature there."""
    solver, smooth, exact = Lbfgs(options.rng), _smoothed(objective), objective.in_float64()
    estimate: Callable[[Point], float] | None = None
    excess = least = np.inf
    while True:
        descent, _ = descend(descent, objective, options)
        point = objective.at(descent.mean_W, descent.mean_b)
        estimate = estimate or solver.estimator(smooth, point)
        about, until = estimate(point), progress.until(point.value)
        if about <= min(until, least):
            excess, least = solver.distance(smooth, point, until), about / 2
            estimate = solver.estimator(smooth, point)
        progress.made(point.value, about)
        if excess <= until or progress.left <= 0:
            return Solution(exact.at(descent.mean_W, descent.mean_b), excess)


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
    values = []
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found below, or in the scores
        moved.learn(objective.rows.take(np.sort(order[:_VARIANCE_ROWS])))
        for start in range(0, n, sgd.BATCH_ROWS):
            rows = np.sort(order[start : start + sgd.BATCH_ROWS])
            batch = replace(objective.sample(rows), scale=of_all / len(rows))
            values.append(moved.step(batch))
    if not (np.isfinite(moved.mean_W).all() and np.isfinite(moved.mean_b).all()):
        raise OverflowedError(f"steps overflow {objective.rows.dtype}: X has values that are too large")
    return moved, values
