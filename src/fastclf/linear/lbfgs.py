"""SciPy's L-BFGS on preconditioned variables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from fastclf import _threads
from fastclf._interrupts import aside
from fastclf.linear.objective import Objective, Point
from fastclf.linear.preconditioner import Preconditioner, diagonal, precondition, sample_size
from fastclf.linear.rows import Rows, SparseRows
from fastclf.linear.solving import Progress

Array = NDArray[np.float64]

_MEMORY = 10  # pairs of steps and changes of the gradient
_TRIALS = 40  # of the length of a step: a bad estimate of the curvature may be far off
_ITERATIONS = 50  # until the curvature is estimated anew
_FLATTER = 3  # how much less curved J may be where it ends than where its curvature was estimated
_MOST_DENSE_OF_SPARSE = 1024  # features: a sample of so few is made dense
_LAG, _MOST_SHRINK = 5, 0.98  # iterations that J's fall is compared over, and the slowest that is believed
_DOUBT = 10  # of hinges: estimates are that much too small, now and then
_LEAST_BEND = 1e-3  # of a row, of the mean: so that rows which bend the loss later are not forgotten


class Lbfgs:
    """The solver for many rows or weights; `rng` draws the rows whose curvature is looked at."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._sample: tuple[NDArray[np.int64], Rows] | None = None
        self._values: list[float] = []

    def __call__(self, objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
        """See `Solver`."""
        point, stuck = start, 0
        self._values = [start.value]
        bends = self._bends(objective, start)
        change = self._preconditioner(objective, bends)
        excess = self._excess(objective, change, point)
        while excess > progress.until(point.value) and progress.left > 0 and stuck < 2:
            before = point.value
            with _threads.blas(1):  # BLAS's own would still wait for more to do, at the cost of the next pass over X
                point, excess, flatter = self._run(objective, point, change, bends, progress)
            if flatter <= _FLATTER and excess <= progress.until(point.value):
                return point, excess
            bends = self._bends(objective, point)
            change = self._preconditioner(objective, bends)
            excess = max(self._excess(objective, change, point), to_come(self._values))
            stuck = stuck + 1 if before - point.value <= 1e-3 * progress.until(point.value) else 0
        return point, excess

    def _run(
        self, objective: Objective, start: Point, change: Preconditioner, bends: Array, progress: Progress
    ) -> tuple[Point, float, float]:
        """Make some iterations with one estimate of the curvature.

        Returns where they end, how far that is above the optimum, and how much less curved J is there: by so much, the
        estimate of the distance is too small.
        """
        point, best, excess, slope, flatter = start, start, np.inf, np.empty(0), 1.0

        def evaluate(v: Array) -> tuple[float, Array]:
            nonlocal point, slope
            if v.any():
                W, b = change.plain(v, objective.classes)
                point = objective.at(start.W + W, start.b + b)
            slope = change.gradient(point.of_W, point.of_b)
            return point.value, slope

        def after(_: Array) -> None:
            nonlocal best, excess, flatter
            self._values.append(point.value)
            estimate = self._estimate(objective, slope)
            best, excess = point, max(flatter * estimate, to_come(self._values))
            progress.made(best.value, excess)
            until = progress.until(best.value)
            if excess <= until:
                flatter = max(float(bends.sum() / self._bends(objective, best).sum()), 1.0)
                excess = max(flatter * estimate, to_come(self._values))
            if excess <= until or flatter > _FLATTER or progress.left <= 0:
                raise StopIteration

        options = {"maxiter": _ITERATIONS, "maxcor": _MEMORY, "maxls": _TRIALS, "ftol": 0.0, "gtol": 0.0}
        still = np.zeros(start.W.size + start.b.size)
        scipy.optimize.minimize(evaluate, still, jac=True, method="L-BFGS-B", callback=after, options=options)
        return best, excess, flatter

    def measure(self, objective: Objective, point: Point) -> Callable[[Point], float]:
        """Return what estimates how far a point is above the optimum, by the curvature at another."""
        change = self._preconditioner(objective, self._bends(objective, point))
        return lambda other: self._excess(objective, change, other)

    def _excess(self, objective: Objective, change: Preconditioner, point: Point) -> float:
        return self._estimate(objective, change.gradient(point.of_W, point.of_b))

    @staticmethod
    def _estimate(objective: Objective, gradient: Array) -> float:
        """Return half the square of the gradient; more where one curvature for all classes says less."""
        return (_DOUBT if objective.loss.few_bend else 1) * float(gradient @ gradient) / 2

    def _bends(self, objective: Objective, point: Point) -> Array:
        """Return the curvature of the sampled rows' parts of the objective."""
        sample, rows = self._drawn(objective.rows)
        return row_bends(objective.sample(sample, rows), point)

    def _preconditioner(self, objective: Objective, bends: Array) -> Preconditioner:
        rows, ridge = objective.rows, 2 * objective.l2
        if isinstance(rows, SparseRows) and rows.shape[1] > _MOST_DENSE_OF_SPARSE:
            return diagonal(rows.squares(), float(bends.sum()), ridge)
        sample = self._drawn(rows)[1]
        values = sample.shape[0] * sample.shape[1]
        return aside(values, precondition, sample.dense(), bends, ridge, objective.has_intercept)

    def _drawn(self, rows: Rows) -> tuple[NDArray[np.int64], Rows]:
        """Rows to learn from, by number and taken: the same ones each time."""
        if self._sample is None:
            n, sample = sample_size(*rows.shape), np.arange(rows.shape[0])
            if n < len(sample):
                sample = np.sort(self._rng.choice(sample, n, replace=False))
            self._sample = sample, rows.take(sample)
        return self._sample


def to_come(values: list[float]) -> float:
    """Return what is still to come if J goes on falling as it has: by parts that shrink as its last ones did.

    The gradient alone is no measure where J bends in fewer directions than the sample showed.
    """
    lag = min(len(values) // 2, _LAG)
    if lag == 0:
        return 0.0
    before, last = values[-2 * lag] - values[-lag], values[-lag] - values[-1]
    shrink = min(last / before, _MOST_SHRINK) if before > last > 0 else _MOST_SHRINK
    return max(last, 0.0) * shrink / (1 - shrink)


def row_bends(objective: Objective, point: Point) -> Array:
    """Return the mean curvature over the classes of each row's part of the objective."""
    scores = objective.rows.scores(point.W, point.b).astype(np.float64)
    bends = objective.loss.diagonal(scores, objective.batch).mean(axis=1) * objective.row_weights()
    mean = float(bends.mean())
    least = _LEAST_BEND * mean if mean > 0 else objective.loss.share(objective.classes) / len(bends)
    floored: Array = np.maximum(bends, least)
    return floored
