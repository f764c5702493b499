"""Smooth losses with an L1 penalty, which leaves many weights 0; with L2 beside it, the elastic net.

W is the difference of two parts that are not negative, and whose sum is penalised instead of the absolute values.  Then
all is smooth but for bounds, which L-BFGS-B knows [1]_.  Features count at unit scale.

The duality gap tells when to stop.  Let G be the mean loss's gradient by the weights, and its gradient by the
intercepts 0.  Losses are convex and at least 0, so for any s in [0, 1]

    J* >= s (loss - <W, G>) - conjugate(-s G)

where the conjugate is the penalty's [2]_: of l2 |W|^2 + l1 |W|_1 it is sum of max(|S| - l1, 0)^2 / (4 l2).

.. [1] R. H. Byrd, P. Lu, J. Nocedal and C. Zhu, "A limited memory algorithm for bound constrained optimization", SIAM
   Journal on Scientific Computing 16, 1995.
.. [2] S.-J. Kim, K. Koh, M. Lustig, S. Boyd and D. Gorinevsky, "An interior-point method for large-scale
   l1-regularized least squares", IEEE Journal of Selected Topics in Signal Processing 1, 2007.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from fastclf._shared import threads
from fastclf.linear.objective import Objective, Point
from fastclf.linear.penalty import Penalty
from fastclf.linear.rows import Rows, row_blocks
from fastclf.linear.solving import Progress, Solution

Array = NDArray[np.float64]

_MEMORY = 20  # pairs of steps and changes of the gradient
_TIGHTER = 0.2  # than the last time a gap is asked for, where intercepts have made it larger again
_MOST_STUCK = 3  # times that the gap has not become much smaller
_NEWTON_STEPS, _HALVINGS = 60, 30  # of intercepts
_MOST_SLOPE = 1e-10  # by an intercept at its best: more is not rounding
_REACH = 100  # as far off intercepts' optimum counts, where rounding is all that is left of the slope


def suits(objective: Objective) -> bool:
    """Whether this solves the objective: there is an L1 penalty."""
    return objective.penalty.l1 > 0


def minimise(objective: Objective, start: Point, progress: Progress) -> Solution:
    """Minimise J; the excess of the solution is a proven bound, up to rounding of the gradient by the intercepts."""
    penalty, exact, unit = objective.penalty, objective.in_float64(), _units(objective.rows)
    part, ease, least, stuck = objective, 1.0, np.inf, 0
    with threads.blas(1):
        found = _with_best_intercepts(exact, start)
        excess = gap_at_best_intercepts(penalty, found)
        while excess > progress.until(found.value) and progress.left > 0 and stuck < _MOST_STUCK:
            found = _with_best_intercepts(exact, _descend(part, found, unit, progress, ease))
            excess = gap_at_best_intercepts(penalty, found)
            stuck = stuck + 1 if excess > least / 2 else 0
            part, ease, least = exact, _TIGHTER * ease, min(least, excess)
    return Solution(found, excess)


def proven_gap(objective: Objective, W: Array, b: Array) -> float:
    """Return a bound on how far J is above its least value."""
    exact = objective.in_float64()
    here = exact.at(W, b)
    found = _with_best_intercepts(exact, here)
    return here.value - found.value + gap_at_best_intercepts(objective.penalty, found)


def gap_at_best_intercepts(penalty: Penalty, point: Point) -> float:
    """Return how far J is above its least value at most; infinite if the intercepts are not at their best."""
    loss, G = point.value - penalty.value(point.W), point.of_W - penalty.slope(point.W)
    rest = loss - float(np.vdot(point.W, G)) - float(point.b @ point.of_b)
    largest = float(abs(G).max())
    scales = {min(1.0, penalty.l1 / largest) if largest else 1.0, 1.0}
    proven = max(s * rest - penalty.conjugate(s * G) for s in scales)
    if abs(point.of_b).max() > _MOST_SLOPE:
        return np.inf
    off = float(abs(point.of_b).sum()) * (float(abs(point.b).max()) + _REACH)
    return point.value - proven + off


def _units(rows: Rows) -> Array:
    """Return what features at unit scale are multiplied with."""
    total = np.zeros(rows.shape[1])
    for block in row_blocks(rows.shape):
        part = rows.take(block)
        total += part.squares() * (part.shape[0] / rows.shape[0])
    return 1 / np.sqrt(np.where(total > 0, total, 1.0))


def _descend(objective: Objective, start: Point, unit: Array, progress: Progress, ease: float) -> Point:
    """Run until the gap is `ease` times what is allowed, but for the intercepts; or J falls no more."""
    penalty, shape, point = objective.penalty, start.W.shape, objective.at(start.W, start.b)
    n_weights = start.W.size

    def evaluate(v: Array) -> tuple[float, Array]:
        nonlocal point
        positive, negative = v[: 2 * n_weights].reshape(2, *shape)
        point = objective.at((positive - negative) * unit, v[2 * n_weights :])
        by_V, l1_of_V = point.of_W * unit, np.broadcast_to(penalty.l1 * unit, shape)
        overlap = penalty.l1 * float(((positive + negative) * unit - abs(point.W)).sum())  # where both are above 0
        slope = np.concatenate([(l1_of_V + by_V).ravel(), (l1_of_V - by_V).ravel(), point.of_b])
        return point.value + overlap, slope

    def after(_: Array) -> None:
        gap = gap_at_best_intercepts(penalty, replace(point, of_b=np.zeros_like(point.of_b)))
        progress.made(point.value, gap)
        if gap <= ease * progress.until(point.value) or progress.left <= 0:
            raise StopIteration

    V = start.W / unit
    begin = np.concatenate([np.maximum(V, 0).ravel(), np.maximum(-V, 0).ravel(), start.b])
    bounds = scipy.optimize.Bounds(np.repeat([0.0, -np.inf], [2 * n_weights, start.b.size]), np.inf)
    options = {"maxiter": max(progress.left, 1), "maxfun": 2**31 - 1, "maxcor": _MEMORY, "ftol": 0.0, "gtol": 0.0}
    end = scipy.optimize.minimize(
        evaluate, begin, jac=True, method="L-BFGS-B", bounds=bounds, callback=after, options=options
    )
    evaluate(end.x)
    return point


def _with_best_intercepts(objective: Objective, point: Point) -> Point:
    """Move the intercepts to where J's gradient by them is 0, by Newton's method; evaluate in the objective's dtype."""
    if not objective.has_intercept:
        return objective.at(point.W, point.b)
    fixed, b = objective.rows.scores(point.W, np.zeros_like(point.b)).astype(np.float64), point.b
    loss, slope, hessian = _by_intercepts(objective, fixed, b)
    for _ in range(_NEWTON_STEPS):
        step = -np.linalg.lstsq(hessian, slope, rcond=None)[0]
        for halving in range(_HALVINGS):
            moved = b + step * 0.5**halving
            there = _by_intercepts(objective, fixed, moved)
            if there[0] < loss or abs(there[1]).max() < abs(slope).max():
                break
        else:
            break
        b, (loss, slope, hessian) = moved, there
    return objective.at(point.W, b)


def _by_intercepts(objective: Objective, fixed: Array, b: Array) -> tuple[float, Array, Array]:
    """Return the mean loss of scores `fixed` + b, its gradient by b and its Hessian."""
    scores, weights = fixed + b, objective.row_weights()
    loss, gradients = objective.losses(scores)
    hessian = np.zeros((len(b), len(b)))
    for block in row_blocks((len(fixed), len(b) ** 2)):
        curvature = objective.loss.curvature(scores[block], objective.part(block))
        hessian += np.einsum("r,rcd->cd", weights[block], curvature)
    return loss * objective.scale, gradients.sum(axis=0) * objective.scale, hessian
