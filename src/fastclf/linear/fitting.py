"""A fit from checked data to weights: the solver's choice, its progress and criterion; and steps of `partial_fit`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastclf._shared.progress import iterations
from fastclf.linear import dual, elastic, rotation, rounding, sgd
from fastclf.linear.certificate import duality_gap
from fastclf.linear.inputs import Options
from fastclf.linear.lbfgs import Lbfgs
from fastclf.linear.newton import Newton
from fastclf.linear.objective import Objective, Point
from fastclf.linear.rows import MODERATE, DenseRows, OverflowedError
from fastclf.linear.solving import Progress, Solution, Solver, affords_newton, largest_margin, minimise

_VARIANCE_ROWS = 1024  # from which SGD learns how far features vary together
_FEWEST, _MOST_ROUNDS = 12, 40  # iterations for squared hinges: of L-BFGS, then through their dual problem

_MOST_ROUNDING = 1e-12  # of intercepts
_FLOOR = 1e-3  # of J at W = 0: a lower J counts as this much, as it may have no least value but 0

_UNSURE = (
    "J of the weights is not known: their scores are small differences of products so large that rounding counts; "
    "scale the features, raise l2, or leave out columns that depend on each other"
)

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


def fit(objective: Objective, W: Array, b: Array, loss: str, options: Options, solver: Solver | None = None) -> Fit:
    """Minimise, until J is within `tol` of its least value, as far as can be told, or iterations run out.

    By another solver than the options', if one is given.
    """
    start, at_zero = _start(objective, W, b)
    curve: list[float] = []
    with iterations(f"fitting {loss}", options.verbose, options.max_iter) as tell:

        def note(value: float, excess: float) -> None:
            curve.append(value)
            tell(value, excess)

        progress = Progress(options.tol, _FLOOR * at_zero, options.max_iter, note)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is no step
            try:
                found = _solution(objective, start, options, progress, solver)
            except OverflowedError:  # of float32, perhaps
                found = _solution(objective.in_float64(), start, options, progress, solver)
            ended = _ended(objective, found, options, progress, curve, solver is None)
            if ended.converged or solver is not None or not _may_go_on(objective, options, progress):
                return ended
            found = minimise(Newton(), objective, start, progress)
            other = _ended(objective, found, options, progress, curve, True)
    return other if other.converged or other.value <= ended.value else ended


def _may_go_on(objective: Objective, options: Options, progress: Progress) -> bool:
    """Whether "auto", which has taken another solver for the sooner one, may compute the whole Hessian after all."""
    is_left = options.solver == "auto" and progress.left > 0 and not elastic.suits(objective)
    return is_left and not affords_newton(objective) and affords_newton(objective, others_fail=True)


def _ended(
    objective: Objective, found: Solution, options: Options, progress: Progress, curve: list[float], has_rows: bool
) -> Fit:
    """Return what a solution comes to with the intercepts as they are kept, and where rounding counts."""
    intercept, value = _kept(objective, found.point)
    is_sure = True
    if has_rows:
        until = progress.until(value)
        value, is_sure = rounding.value_of(objective, found.point.W, intercept, value, options.tol, until)
    excess = found.excess + max(value - found.point.value, 0.0) if is_sure else np.inf
    until = progress.until(value)
    complaint = _complaint(excess, until, len(curve), options.max_iter) if is_sure else _UNSURE
    return Fit(found.point.W, intercept, value, curve, excess <= until, found.width, complaint)


def proven_gap(objective: Objective, W: Array, b: Array, width: float, options: Options) -> float:
    """Return a bound on how far J is above its least value; infinite where none is known.

    Kinks have many gradients: which of them prove something, the dual problem knows.  It is solved anew.  Those of
    squared hinges prove something near the optimum, too.
    """
    if elastic.suits(objective):
        return elastic.proven_gap(objective, W, b)
    if not (dual.suits(objective) and dual.bound_pays(objective)):
        return duality_gap(objective, W, b, width)
    zero, here = (objective.in_float64().at(*at) for at in ((np.zeros_like(W), np.zeros_like(b)), (W, b)))
    by_dual = here.value - dual.lower_bound(objective, here, _FLOOR * zero.value, options.rng)
    return min(by_dual, duality_gap(objective, W, b, width)) if objective.loss.squared else by_dual


def _start(objective: Objective, W: Array, b: Array) -> tuple[Point, float]:
    """Evaluate where to begin: at 0 if J is less there; and J at 0."""
    zero = objective.at(np.zeros_like(W), np.zeros_like(b))
    if not (W.any() or b.any()):
        return zero, zero.value
    try:
        start = objective.at(objective.without_shared(W), b)
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


def _solution(
    objective: Objective, start: Point, options: Options, progress: Progress, given: Solver | None
) -> Solution:
    if given is not None:
        return minimise(given, objective, start, progress)
    if elastic.suits(objective):
        if not objective.rows.moderate:
            raise ValueError(f"X must have values below {MODERATE:g} with l1 > 0, whose solver squares them")
        return elastic.minimise(objective, start, progress)
    if options.solver != "sgd" and rotation.suits(objective):
        turned = rotation.Turned.of(objective)
        return turned.back(_solution(turned.objective, turned.start(start), options, progress, None))
    solver = options.solver
    if solver == "dual" and not dual.suits(objective):
        raise ValueError(f"X must have values below {MODERATE:g} with solver='dual', which squares them")
    if solver == "dual" or (solver == "auto" and dual.suits(objective) and dual.is_first_choice(objective)):
        if solver == "auto" and objective.loss.squared:
            return _of_few_rows(objective, start, options, progress)
        found = dual.solve(objective, start, progress, options.rng)
        if solver == "dual" or not affords_newton(objective) or _is_over(found, progress):
            return found
        start = found.point  # values of many magnitudes, perhaps: the Hessian may tell what the dual problem does not
    if solver == "auto":
        solver = "newton" if affords_newton(objective) else "lbfgs"
    if solver == "sgd":
        return _epochs(objective, begin_descent(objective, start.W, start.b), options, progress)
    return minimise(Newton() if solver == "newton" else Lbfgs(options.rng), objective, start, progress)


def _better(one: Solution, other: Solution, progress: Progress) -> Solution:
    """Return the solution that is proven to be near the optimum, the first if both are, or the lower one."""
    near = [solution for solution in (one, other) if solution.excess <= progress.until(solution.point.value)]
    return near[0] if near else min(one, other, key=lambda solution: solution.point.value)


def _is_over(found: Solution, progress: Progress) -> bool:
    return progress.left <= 0 or found.excess <= progress.until(found.point.value)


def _of_few_rows(objective: Objective, start: Point, options: Options, progress: Progress) -> Solution:
    """Minimise squared hinges of no more rows than features.

    Where features vary together, L-BFGS needs some ten iterations, and the dual problem many sweeps.  Of heavy tails it
    is the other way round.  From where sweeps are stuck L-BFGS may not converge: it goes on from where it was.
    """
    if isinstance(objective.rows, DenseRows):
        with progress.at_most(_FEWEST) as some:
            found = minimise(Lbfgs(options.rng), objective, start, some)
        if _is_over(found, progress):
            return found
        start = found.point
    with progress.at_most(_MOST_ROUNDS) as some:
        found = dual.solve(objective, start, some, options.rng)
    if _is_over(found, progress):
        return found
    return _better(minimise(Lbfgs(options.rng), objective, start, progress), found, progress)


def _epochs(objective: Objective, descent: sgd.Descent, options: Options, progress: Progress) -> Solution:
    """Go through the rows until the average of the weights is good enough, by the curvature there."""
    solver, smooth, exact = Lbfgs(options.rng), _smoothed(objective), objective.in_float64()
    estimate: Callable[[Point], float] | None = None
    excess = least = np.inf
    while True:
        descent, _ = descend(descent, objective, options)
        point = objective.at(objective.without_shared(descent.mean_W), descent.mean_b)
        estimate = estimate or solver.estimator(smooth, point)
        about, until = estimate(point), progress.until(point.value)
        if about <= min(until, least):
            excess, least = solver.distance(smooth, point, until), about / 2
            estimate = solver.estimator(smooth, point)
        progress.made(point.value, about)
        if excess <= until or progress.left <= 0:
            return Solution(exact.at(point.W, point.b), excess)


def _smoothed(objective: Objective) -> Objective:
    """Curvature of a hinge is that of one rounded over its margin."""
    return objective if objective.loss.slack is None else objective.smoothed(largest_margin(objective))


def begin_descent(objective: Objective, W: Array, b: Array) -> sgd.Descent:
    """Begin mini-batches at some weights."""
    return sgd.Descent(objective.without_shared(W), b, objective.rows.centre, np.zeros(objective.rows.shape[1]))


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
