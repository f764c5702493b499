"""Multiclass SVMs of many rows: the method of multipliers, and a proof of where it ends.

The kinks of the hinges are rounded about multipliers, a guess of the dual optimum [1]_.  What is then smooth is
minimised by L-BFGS, on variables preconditioned as those of other losses; its gradients by the scores are the next
multipliers.  So kinks need not be rounded ever less, as they would about 0 [2]_: the smooth problems stay well
conditioned.

Gradients are feasible dual points.  Each proves a bound, as `Svm.lower_bound` has it; far from the optimum their
directions of most curvature spoil it.  The best point between two of them proves more: one such mixture is kept.

.. [1] R. T. Rockafellar, "Augmented Lagrangians and applications of the proximal point algorithm in convex
   programming", Mathematics of Operations Research 1, 1976.
.. [2] Y. Nesterov, "Smooth minimization of non-smooth functions", Mathematical Programming 103, 2005.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import threads
from fastclf.linear.objective import Objective, Point
from fastclf.linear.preconditioner import Preconditioner
from fastclf.linear.sampling import Sample
from fastclf.linear.solving import Progress, largest_margin
from fastclf.linear.svm import Array, Dual, Svm

# Widths over which kinks are rounded, in margins: to begin with, in the end, and as parts of the one before.  By
# measurement: sums of terms begin farther from 0 than a largest one.
_WIDEST, _WIDEST_OF_LARGEST = 3.0, 0.3
_SHRINK, _SHRINK_OF_LARGEST = 0.4, 0.6
_NARROWEST = 0.1

_EXACTNESS = 0.01  # of the smooth problem: its distance from its optimum, in parts of how far J is above it
_LEARNT = (0, 2)  # changes of the multipliers after which the curvature is learned anew
_MEMORY = 20  # pairs of steps and changes of the gradient
_MOST_STEPS = 30  # between two changes of the multipliers, each of which takes up to a pass
_STEEP = 0.7  # of the slope, left after a step: it was too short by as much as a secant says
_LONGEST, _TRIALS = 4.0, 20
_FALL = 1e-4  # of what the slope promises
_ASKS = 5  # steps after a proof that was not enough, until the next
_PATIENCE = 100  # steps in which the gap has to become half as large


class _At:
    """Weights, and the smooth problem there: its value, gradients, and the dual point whose gradients these are."""

    def __init__(self, point: Point, hinges: float, a: Array, scores: NDArray[Any]) -> None:
        self.point, self.hinges, self.a, self.scores = point, hinges, a, scores
        self._slope: tuple[Preconditioner, Array] | None = None

    def slope(self, change: Preconditioner) -> Array:
        """Return the gradient by preconditioned variables: once computed, kept for those."""
        if self._slope is None or self._slope[0] is not change:
            self._slope = change, change.gradient(self.point.of_W, self.point.of_b)
        return self._slope[1]


@dataclass
class _Mixture:
    """A dual point, and what its bound is made of.

    Attributes
    ----------
    a : ndarray of shape (n_rows, n_classes)
        The point.
    W : ndarray of shape (n_classes, n_features + 1)
        Its weights; the last are those of a feature that is the root of `Svm.unit` everywhere.  With these, intercepts'
        gradients that do not sum to 0 count against it.
    linear : float
        Weighted sum of a times margins.
    sums : ndarray of shape (n_classes,)
        Weighted sums of a.
    """

    a: Array
    W: Array
    linear: float
    sums: Array

    def value(self, l2: float, b: Array) -> float:
        """Return the dual objective, of intercepts that are held near `b`."""
        return self.linear + float(self.sums @ b) - l2 * float(np.vdot(self.W, self.W))

    def add(self, other: _Mixture, l2: float, b: Array) -> None:
        """Move to the best point between this one and another."""
        change, sums = other.W - self.W, other.sums - self.sums
        bend = 2 * l2 * float(np.vdot(change, change))
        slope = other.linear - self.linear + float(sums @ b) - 2 * l2 * float(np.vdot(self.W, change))
        part = min(max(slope / bend, 0.0), 1.0) if bend > 0 else 0.0
        if part > 0:
            self.a = (1 - part) * self.a + part * other.a
            self.W, self.sums = self.W + part * change, self.sums + part * sums
            self.linear += part * (other.linear - self.linear)


def multiply(svm: Svm, objective: Objective, start: Dual, progress: Progress, rng: np.random.Generator) -> Dual:
    """Minimise J until the gap is small enough, no longer falls, or iterations run out: each is about a pass."""
    return _Multipliers(svm, objective, start, rng).run(progress)


class _Multipliers:
    def __init__(self, svm: Svm, objective: Objective, start: Dual, rng: np.random.Generator) -> None:
        self._objective, self._svm, self._found = objective, svm, start
        self._sample = Sample.of(objective.rows, rng)
        largest, unit = self._svm.largest, largest_margin(objective)
        self._width, self._least = (_WIDEST_OF_LARGEST if largest else _WIDEST) * unit, _NARROWEST * unit
        self._shrink = _SHRINK_OF_LARGEST if largest else _SHRINK
        self._multipliers = start.a
        self._memory: deque[tuple[Array, Array, float]] = deque(maxlen=_MEMORY)
        self._best: tuple[float, Array, Array] | None = None
        self._mixture: _Mixture | None = None
        self._gap, self._halved, self._patience, self._asks = np.inf, np.inf, _PATIENCE, 0

    def run(self, progress: Progress) -> Dual:
        """Change multipliers until the end."""
        here, changes = self._at(self._found.W, self._found.b), 0
        while True:
            if changes in _LEARNT:
                smoothed = self._objective.smoothed(self._width)
                change = self._sample.variables(smoothed, here.point).change
                self._memory.clear()
            here, found = self._settled(here, change, progress)
            if found is not None:
                return replace(found, a=here.a)
            changes += 1
            self._width = max(self._least, self._shrink * self._width)
            with threads.blas(1):  # as in _settled
                here = self._again(here)

    def _settled(self, here: _At, change: Preconditioner, progress: Progress) -> tuple[_At, Dual | None]:
        """Make steps until the smooth problem is solved well enough; return a proof, too, where the search is over."""
        left = _MOST_STEPS
        while left > 0:
            with threads.blas(1):  # BLAS's threads would wait for more to do, and slow the next passes
                asks = False
                while left > 0 and not asks:
                    here, is_over = self._stepped(here, change, progress)
                    left = 0 if self._is_exact(here, change, progress) else left - 1
                    asks = is_over or self._may_be_proven(progress)
            if asks:
                found, self._asks = self._proven(), _ASKS
                if is_over or found.gap <= progress.until(found.value):
                    return here, found
        return here, None

    def _stepped(self, here: _At, change: Preconditioner, progress: Progress) -> tuple[_At, bool]:
        """Make a step and note it; return whether no more is to be gained, too."""
        moved = self._step(here, change)
        self._gap, self._patience, self._asks = self._noted(moved), self._patience - 1, self._asks - 1
        progress.made(self._value(moved), self._gap)
        if self._gap < self._halved / 2:
            self._halved, self._patience = self._gap, _PATIENCE
        return moved, progress.left <= 0 or self._patience <= 0 or moved is here

    def _may_be_proven(self, progress: Progress) -> bool:
        """Whether the gap seems small enough, and the last proof that failed is some steps ago."""
        assert self._best is not None
        return self._asks <= 0 and self._gap <= progress.until(self._best[0])

    def _at(self, W: Array, b: Array) -> _At:
        """Evaluate: X is read once."""
        penalty = self._objective.penalty
        scores = np.empty(self._multipliers.shape, self._objective.rows.dtype)
        return self._evaluated(W, b, scores, penalty.slope(W), np.zeros_like(b), known=False)

    def _again(self, here: _At) -> _At:
        """Take the dual point found here for multipliers; evaluate at the same weights, by what changes of its rows."""
        self._multipliers, point = here.a, here.point
        return self._evaluated(point.W, point.b, here.scores, point.of_W, point.of_b, known=True)

    def _evaluated(self, W: Array, b: Array, scores: NDArray[Any], of_W: Array, of_b: Array, known: bool) -> _At:
        """Evaluate; the gradients that are found are added to `of_W` and `of_b`."""
        rows, a = self._objective.rows, np.empty_like(self._multipliers)
        value, hinges, by_W, by_b = self._svm.lagrangian(rows, W, b, self._multipliers, self._width, a, scores, known)
        if self._objective.has_intercept:
            of_b = of_b + by_b
        return _At(Point(W, b, value + self._objective.penalty.value(W), of_W + by_W, of_b), hinges, a, scores)

    def _value(self, here: _At) -> float:
        """Return J."""
        return here.hinges + self._objective.penalty.value(here.point.W)

    def _step(self, here: _At, change: Preconditioner) -> _At:
        """Make a step of L-BFGS; stay, if none makes the smooth problem less."""
        gradient = here.slope(change)
        along = self._direction(gradient)
        slope, length = float(gradient @ along), 1.0
        if not slope < 0:
            return here
        W, b = change.plain(along, len(here.point.b))
        for _ in range(_TRIALS):
            moved = self._at(here.point.W + length * W, here.point.b + length * b)
            if moved.point.value <= here.point.value + _FALL * length * slope:
                break
            length /= 4
        else:
            return here
        after = moved.slope(change)
        left = float(after @ along) / slope
        if length == 1 and left > _STEEP:
            farther = min(1 / (1 - left), _LONGEST) if left < 1 else _LONGEST
            other = self._at(here.point.W + farther * W, here.point.b + farther * b)
            if other.point.value < moved.point.value:
                moved, length = other, farther
                after = moved.slope(change)
        bent, step = after - gradient, length * along
        if float(step @ bent) > 0:
            self._memory.append((step, bent, 1 / float(step @ bent)))
        return moved

    def _direction(self, gradient: Array) -> Array:
        """Return the quasi-Newton step: the two loops of L-BFGS."""
        along, parts = -gradient, []
        for step, bent, inverse in reversed(self._memory):
            part = inverse * float(step @ along)
            along = along - part * bent
            parts.append(part)
        if self._memory:
            _, bent, inverse = self._memory[-1]
            along = along / (inverse * float(bent @ bent))
        for (step, bent, inverse), part in zip(self._memory, reversed(parts), strict=True):
            along = along + (part - inverse * float(bent @ along)) * step
        return along

    def _is_exact(self, here: _At, change: Preconditioner, progress: Progress) -> bool:
        """Whether the smooth problem is near its optimum for what its multipliers are worth."""
        gradient = here.slope(change)
        above = max(self._value(here) - here.point.value, progress.until(here.point.value))
        return float(gradient @ gradient) / 2 <= _EXACTNESS * above

    def _noted(self, here: _At) -> float:
        """Keep the least J and the best dual point; return about how far these are apart."""
        value, l2, b = self._value(here), self._svm.l2, here.point.b
        if self._best is None or value < self._best[0]:
            self._best = value, here.point.W, b
        flows = self._svm.flows(here.a)
        sums = flows.sum(axis=0)
        W = here.point.W - here.point.of_W / (2 * l2)
        constant = sums * (-np.sqrt(self._svm.unit) / (2 * l2))
        dual = _Mixture(here.a, np.column_stack([W, constant]), float(np.vdot(flows, self._svm.margins)), sums)
        if self._mixture is None or dual.value(l2, b) > self._mixture.value(l2, b):
            dual, self._mixture = self._mixture or dual, dual
        self._mixture.add(dual, l2, b)
        return self._best[0] - self._mixture.value(l2, b)

    def _proven(self) -> Dual:
        """Return the least J, in float64, and what the mixture proves."""
        assert self._best is not None
        assert self._mixture is not None
        a, (_, W, b) = self._mixture.a, self._best
        value = self._svm.objective.at(W, b).value
        return self._found.better(W, b, value, a, self._svm.lower_bound(a, self._svm.weights(a), self._svm.flows(a)))
