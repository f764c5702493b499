"""SciPy's L-BFGS on preconditioned variables, and Newton's method by conjugate gradients to end with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from fastclf._shared import threads
from fastclf.linear.conjugate import HARD, REDUCTION, REDUCTION_AGAIN, conjugate
from fastclf.linear.newton import Newton, distance
from fastclf.linear.objective import Objective, Point
from fastclf.linear.preconditioner import Preconditioner
from fastclf.linear.sampling import Sample, Variables
from fastclf.linear.settling import Rest, passing, without
from fastclf.linear.solving import Progress, affords_newton

Array = NDArray[np.float64]

_MEMORY = 10  # pairs of steps and changes of the gradient
_TRIALS = 40  # of the length of a step: a bad estimate of the curvature may be far off
_ITERATIONS = 50  # until the curvature is estimated anew
_LAG, _MOST_SHRINK = 5, 0.98  # iterations that J's fall is compared over, and the slowest that is believed
_DOUBT = 10  # of hinges: estimates are that much too small, now and then
_EASE = 30  # times what is allowed: there conjugate gradients take over, which come as near in as many passes

_STEADY = 0.25  # how far J's fall may be off what was foretold, in parts of it, if curvature has stayed as it was
_MOST_ROUNDING = 1e-14  # of J
_LEAST_OF_FLOAT32 = 1e-5  # of J: nearer to the optimum, sums in float32 are no help
_END_OF_FLOAT32 = 1e-7  # of J: nearer, even gradients in float32 may lead nowhere
_MANY = 15  # conjugate gradients: the curvature should be estimated anew
_HALVINGS = 30
_MOST_SETTINGS_ASIDE = 4  # of transient scores


class Lbfgs:
    """The solver for many rows or weights; `rng` draws the rows that the curvature is learned from."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._sample: Sample | None = None
        self._careful = False  # about rows that stand out, which takes a pass over the rows
        self._values: list[float] = []

    def approach(self, objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
        """See `Solver`: the estimate is half the squared length of the gradient in preconditioned variables."""
        if _may_run_off(objective):
            return Newton().approach(objective, start, progress)
        point, estimate, _ = self._approach(objective, start, progress, 1.0)
        return point, estimate

    def polish(self, objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
        """See `Solver`; of many rows with kinks, which bend otherwise at each step, it is as `approach` has it."""
        if _may_run_off(objective):
            return Newton().polish(objective, start, progress)
        if affords_newton(objective):
            return Newton().polish(objective, self._approach(objective, start, progress, _EASE)[0], progress)
        if objective.batch.hinge_width:
            return self.approach(objective, start, progress)
        point, _, variables = self._approach(objective, start, progress, _EASE)
        with threads.blas(1):
            return self._close(objective, point, variables, progress)

    def distance(self, objective: Objective, point: Point, until: float) -> float:
        """Return how far J is above its least value at a point, by the curvature of all rows there."""
        if affords_newton(objective):
            return distance(objective, point)
        exact, change = objective.in_float64(), self._drawn(objective).variables(objective, point).change
        found = conjugate(exact, exact.at(point.W, point.b), change, until)
        return 2 * (found.falls + found.left)

    def estimator(self, objective: Objective, point: Point) -> Callable[[Point], float]:
        """Return what estimates how far a point is above the optimum, by the curvature of a sample at another."""
        change = self._drawn(objective).variables(objective, point).change
        return lambda other: self._estimate(objective, change.gradient(other.of_W, other.of_b))

    def _approach(
        self, objective: Objective, start: Point, progress: Progress, ease: float
    ) -> tuple[Point, float, Variables]:
        """Run until the estimate is `ease` times what is allowed; also return the last variables."""
        point, stuck, sample = start, 0, self._drawn(objective)
        self._values = [start.value]
        while True:
            variables = sample.variables(objective, point)
            change = variables.change
            estimate = self._estimate(objective, change.gradient(point.of_W, point.of_b))
            if len(self._values) > 1:
                estimate = max(estimate, self._to_come(objective))
            until = _allowed(objective, point, progress, ease)
            if estimate <= until or progress.left <= 0 or stuck >= 2:
                return point, estimate, variables
            before = point.value
            with threads.blas(1):  # BLAS's own would still wait for more to do, at the cost of the next pass over X
                point, estimate = self._run(objective, point, change, progress, ease)
            until = _allowed(objective, point, progress, ease)
            if estimate <= until and (ease > 1 or not sample.flatter(variables, objective, point)):
                return point, estimate, variables
            stuck = stuck + 1 if before - point.value <= 1e-3 * until else 0

    def _run(
        self, objective: Objective, start: Point, change: Preconditioner, progress: Progress, ease: float
    ) -> tuple[Point, float]:
        """Make some iterations with one estimate of the curvature; return where they end, and the estimate there."""
        point, best, estimate, slope = start, start, np.inf, np.empty(0)

        def evaluate(v: Array) -> tuple[float, Array]:
            nonlocal point, slope
            if v.any():
                W, b = change.plain(v, objective.classes)
                point = objective.at(start.W + W, start.b + b)
            slope = change.gradient(point.of_W, point.of_b)
            return point.value, slope

        def after(_: Array) -> None:
            nonlocal best, estimate
            self._values.append(point.value)
            best, estimate = point, max(self._estimate(objective, slope), self._to_come(objective))
            progress.made(best.value, estimate)
            if estimate <= _allowed(objective, best, progress, ease) or progress.left <= 0:
                raise StopIteration

        options = {"maxiter": _ITERATIONS, "maxcor": _MEMORY, "maxls": _TRIALS, "ftol": 0.0, "gtol": 0.0}
        still = np.zeros(start.W.size + start.b.size)
        scipy.optimize.minimize(evaluate, still, jac=True, method="L-BFGS-B", callback=after, options=options)
        return best, estimate

    def _close(
        self, objective: Objective, point: Point, variables: Variables, progress: Progress
    ) -> tuple[Point, float]:
        """Make Newton's steps by conjugate gradients, until all rows' curvature says that the optimum is near.

        It is believed of a step by which J fell as much as foretold, in variables that are still those of this point.
        """
        rough, exact, sample, again = objective, objective.in_float64(), self._drawn(objective), False
        # Of more features than rows, J is flat in many directions but for l2.
        stuck, least = 0, HARD if rough.rows.shape[0] < rough.rows.shape[1] else 1.0
        while True:
            until = progress.until(point.value)
            if objective is not exact and until < _LEAST_OF_FLOAT32 * point.value:
                objective, point = exact, exact.at(point.W, point.b)
            found = conjugate(objective, point, variables.change, until, least, REDUCTION_AGAIN if again else REDUCTION)
            least = min(found.least, HARD) if found.steps > _MANY else found.least
            moved = _along(exact, point, *variables.change.plain(found.step, exact.classes))
            fell = point.value - moved.value
            if fell >= 0 or objective is not exact:
                point = moved
            steady = abs(fell - found.falls) <= _STEADY * found.falls + _MOST_ROUNDING * point.value
            excess = _excess(variables.change, point, least)
            if steady and least <= HARD and found.falls > until:  # J may be less curved there, in other directions
                excess = np.inf
            if steady and excess <= until:
                excess = self._surely(rough, exact, point, variables, least, until, again)
                again = True
            progress.made(point.value, excess)
            if point.value <= until:  # no loss is below 0
                return point, point.value
            stuck = stuck + 1 if fell <= 1e-3 * until else 0
            if (steady and excess <= until) or progress.left <= 0 or stuck > 2:
                return point, excess if steady else np.inf
            if not steady and not self._careful:
                self._careful, self._sample = True, Sample.with_outstanding(rough.rows, self._rng)
                return self.polish(rough, rough.at(point.W, point.b), progress)
            if not steady:
                objective = exact
            if found.steps > _MANY or not steady or sample.flatter(variables, rough, point):
                variables = sample.variables(rough, point)

    def _surely(
        self,
        rough: Objective,
        exact: Objective,
        point: Point,
        variables: Variables,
        least: float,
        until: float,
        again: bool,
    ) -> float:
        """Return how far J is above its least value by the gradient, without the transient scores.

        Where there are some, infinity the first time: a further step, which may polish them, takes fewer passes.
        `rough` is the objective in what its rows are computed in, which is enough to tell which scores these are.
        """
        sample, change = self._drawn(rough), variables.change
        if sample.flatter(variables, rough, point):
            return np.inf
        excess = _excess(change, point, least)
        if exact.loss.few_bend:  # kinks' curvature never lasts
            return excess
        step = change.plain(-change.gradient(point.of_W, point.of_b) / least, exact.classes)
        moving = self._passing(rough, exact, point, step)
        if moving is None:
            return excess
        if not again:
            return np.inf
        return self._without_passing(rough, exact, point, moving, least, until)

    def _passing(
        self, rough: Objective, exact: Objective, point: Point, step: tuple[Array, Array]
    ) -> tuple[Array, Array] | None:
        """Return the rows' scores, and how they move by a step, if any bends J less where it moves."""
        moves = rough.rows.scores(*step).astype(np.float64)
        if abs(moves).max() <= exact.loss.steady:
            return None
        scores = rough.rows.scores(point.W, point.b).astype(np.float64)
        return (scores, moves) if passing(exact, scores, moves).any() else None

    def _without_passing(
        self, rough: Objective, exact: Objective, point: Point, moving: tuple[Array, Array], least: float, until: float
    ) -> float:
        """Return how far J is above its least value without the scores that pass, those that then pass, and so on."""
        scores, moves = moving
        dropped = np.zeros(scores.shape, np.bool_)
        for _ in range(_MOST_SETTINGS_ASIDE):
            dropped |= passing(exact, without(exact, scores, dropped), moves)
            rest = Rest(exact, dropped)
            left, change = rest.of(point), self._drawn(rough).variables(rough, point, dropped).change
            found = conjugate(rest, left, change, until, min(least, HARD))
            moves = rough.rows.scores(*change.plain(found.step, exact.classes)).astype(np.float64)
            if not passing(exact, without(exact, scores, dropped), moves).any():
                return point.value - left.value + 2 * (found.falls + found.left)
        return np.inf

    def _drawn(self, objective: Objective) -> Sample:
        """Rows to learn from: the same ones each time."""
        if self._sample is None:
            self._sample = Sample.of(objective.rows, self._rng)
        return self._sample

    @staticmethod
    def _estimate(objective: Objective, gradient: Array) -> float:
        """Return half the square of the gradient; more where one curvature for all classes says less."""
        return (_DOUBT if objective.loss.few_bend else 1) * float(gradient @ gradient) / 2

    def _to_come(self, objective: Objective) -> float:
        """Return what is still to come of hinges, if J goes on falling by parts that shrink as its last ones did.

        The gradient alone is no measure where J bends in fewer directions than the sample showed.
        """
        values = self._values
        lag = min(len(values) // 2, _LAG)
        if lag == 0 or not objective.loss.few_bend:
            return 0.0
        before, last = values[-2 * lag] - values[-lag], values[-lag] - values[-1]
        shrink = min(last / before, _MOST_SHRINK) if before > last > 0 else _MOST_SHRINK
        return max(last, 0.0) * shrink / (1 - shrink)


def _allowed(objective: Objective, point: Point, progress: Progress, ease: float) -> float:
    """Return how far above the optimum L-BFGS may end: if others go on from there, at least what float32 can tell."""
    least = _END_OF_FLOAT32 * point.value if ease > 1 and objective.rows.dtype == np.float32 else 0.0
    return max(ease * progress.until(point.value), least)


def _may_run_off(objective: Objective) -> bool:
    """Whether weights may go far off where J is flat, and a method that knows where that is can be had.

    Without a penalty nothing keeps them from it as kinks are hardly rounded any more.
    """
    return bool(objective.batch.hinge_width) and not objective.penalty.is_strictly_convex and affords_newton(objective)


def _along(objective: Objective, start: Point, W: Array, b: Array) -> Point:
    """Go along a step, half as far each time that J is larger there."""
    for halving in range(_HALVINGS):
        moved = objective.at(start.W + W * 0.5**halving, start.b + b * 0.5**halving)
        if moved.value <= start.value or halving == _HALVINGS - 1:
            break
    return moved


def _excess(change: Preconditioner, point: Point, least: float) -> float:
    """Return twice how far J is above its least value, if its curvature in the variables is at least `least`."""
    slope = change.gradient(point.of_W, point.of_b)
    return float(slope @ slope) / least
