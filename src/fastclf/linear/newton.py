"""Newton's method with the whole Hessian, in float64: for few weights, and to prove where another solver ended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import threads as _threads
from fastclf.linear import steps
from fastclf.linear.objective import Objective, Point
from fastclf.linear.quadratic import Quadratic, quadratic, scores_of
from fastclf.linear.rows import OverflowedError
from fastclf.linear.settling import passing
from fastclf.linear.solving import Progress
from fastclf.linear.steps import Step

Array = NDArray[np.float64]

_HALVINGS = 30
_FALLING = 0.1  # in the end, steps are made while each comes this much nearer: a few more digits cost little
_WORK_OF_THREADS = 1e10  # multiplications of a Hessian: threads of BLAS cost more than they bring where it is less
_DAMPINGS = (1e-9, 1e-6, 1e-3, 1.0)  # of the Hessian's diagonal, where a step leads nowhere
_ROUNDING = 2e-16  # of J
_SHORT, _KINKS = 0.1, 8  # parts of a step, behind which a kink is looked for; the most kinks, one after the other
_MOST_STILL, _LEAST_FALL = 3, 1e-9  # steps that J falls by no more than that, in parts of what they promise

_MOST_SETTINGS_ASIDE = 4


class Newton:
    """The solver for few weights."""

    def approach(self, objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
        """See `Solver`: the estimate is by the whole Hessian where it ends."""
        return self._descend(objective, start, progress, False)

    def polish(self, objective: Objective, start: Point, progress: Progress) -> tuple[Point, float]:
        """See `Solver`."""
        return self._descend(objective, start, progress, True)

    def _descend(self, objective: Objective, start: Point, progress: Progress, surely: bool) -> tuple[Point, float]:
        weights, threads = start.W.size + start.b.size, objective.rows.n_threads
        small = objective.rows.shape[0] * weights**2 < _WORK_OF_THREADS
        with _threads.blas(1 if small else threads):
            return _descend(objective.in_float64(), start, progress, surely)


def _descend(objective: Objective, start: Point, progress: Progress, surely: bool) -> tuple[Point, float]:
    model, damping, last, still = quadratic(objective, start.W, start.b), 0.0, np.inf, 0
    while True:
        value, step = model.point.value, steps.newton(model)
        until, excess = progress.until(value), step.excess
        if value <= until:  # no loss is below 0
            return model.point, value
        if excess <= until and (excess >= _FALLING * last or excess <= _ROUNDING**2 * value):
            excess = _excess(model, step) if surely else excess
            if excess <= until:
                return model.point, excess
        if progress.left <= 0 or still >= _MOST_STILL:
            return model.point, excess
        moved, damping = _moved(model, step, damping)
        if moved is None:
            return model.point, excess
        model, last = quadratic(objective, *moved), step.excess
        still = still + 1 if value - model.point.value <= max(_ROUNDING * value, _LEAST_FALL * step.excess) else 0
        progress.made(model.point.value, step.excess)


def distance(objective: Objective, point: Point) -> float:
    """Return how far J is above its least value at a point, by the whole Hessian there; infinite if it cannot tell."""
    with _threads.blas(1):
        model = quadratic(objective.in_float64(), point.W, point.b)
        return _excess(model, steps.newton(model))


def _excess(model: Quadratic, step: Step) -> float:
    """Return how far J is above its least value, by a step; infinite if that cannot be told."""
    least, dropped = model, np.zeros(model.scores.shape, np.bool_)
    for _ in range(_MOST_SETTINGS_ASIDE):
        moves = scores_of(model.objective, *step.parts(model.objective.classes))
        moving = passing(model.objective, least.scores, moves)
        if not moving.any():
            return model.point.value - least.point.value + step.excess
        dropped |= moving
        least = quadratic(model.objective, model.point.W, model.point.b, dropped)
        step = steps.newton(least)
    return np.inf


def _moved(model: Quadratic, step: Step, damping: float) -> tuple[tuple[Array, Array] | None, float]:
    """Weights after a step, and the damping that it took; None if no step makes J less."""
    for attempt in (0.0, *(damping * 10.0**i for i in range(-1, 2) if damping), *_DAMPINGS):
        moved = _search(model, steps.damped(model, attempt) if attempt else step)
        if attempt == 0 and model.objective.loss.squared:
            moved = _past_kinks(model, step, moved)
        if moved is not None:
            return moved, attempt
    return None, 0.0


def _past_kinks(model: Quadratic, step: Step, moved: tuple[Array, Array] | None) -> tuple[Array, Array] | None:
    """Return where a step leads that knows how J bends behind the kink that has stopped another one, if that is lower.

    A row of huge values bends J far more than all others, but only beyond its margin: steps that do not know of it end
    there, one after the other.
    """
    W, b = step.parts(model.objective.classes)
    for _ in range(_KINKS):
        part = 0.5**_HALVINGS if moved is None else float(np.vdot(moved[0] - model.point.W, W) / np.vdot(W, W))
        if part > _SHORT:
            break
        try:
            there = quadratic(model.objective, model.point.W + 2 * part * W, model.point.b + 2 * part * b)
        except OverflowedError:  # of the Hessian there: what has been found so far is right nevertheless
            break
        bent = steps.newton(replace(model, scores=there.scores, hessian=there.hessian))
        other = _search(model, bent)
        at = model.objective.at
        if other is None or (moved is not None and at(*other).value >= at(*moved).value):
            break
        moved = other
        W, b = bent.parts(model.objective.classes)
    return moved


def _search(model: Quadratic, step: Step) -> tuple[Array, Array] | None:
    """Go along a step, half as far each time, until J falls by a part of what it promises; None if it does not."""
    objective, point = model.objective, model.point
    (W, b), promised = step.parts(objective.classes), float(model.slope @ step.along)
    change = scores_of(objective, W, b)
    for halving in range(_HALVINGS):
        t = 0.5**halving
        there = point.W + t * W
        loss, _ = objective.losses(model.scores + t * change, with_gradients=False)
        value = loss * objective.scale + objective.penalty.value(there)
        if value <= point.value * (1 + _ROUNDING) + 1e-4 * t * promised:
            return there, point.b + t * b
    return None
