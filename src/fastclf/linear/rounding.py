"""J of a model's weights, where rounding of the scores may count.

A score is a sum of products.  It may be off by the rounding of their absolute values' sum, which is far more than the
score where huge products cancel (two equal columns of 1e20, say).  Then J as a solver computes it is only J by chance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastclf.linear.objective import Objective
from fastclf.linear.rows import row_blocks

Array = NDArray[np.float64]

_EPS, _EPS_OF_LONG = float(np.finfo(np.float64).eps), float(np.finfo(np.longdouble).eps)
_NEGLIGIBLE, _LEAST = 1e-3, 1e-12  # of `tol`, and at least: scores that are off by so much are right
_SHARE = 0.1  # of what J may be above its least value: rounding may change it by that much


def value_of(
    objective: Objective, W: Array, intercept: Array, value: float, tol: float, until: float
) -> tuple[float, bool]:
    """Return J of weights and intercepts, with more digits where `value` may be wrong; and whether it is sure.

    J may be `until` above its least value.
    """
    rows, largest = objective.rows, abs(W).max(axis=0)
    with np.errstate(over="ignore"):
        of_b = float(abs(intercept).max())
        if (rows.peak * float(largest.sum()) + of_b) * _EPS <= max(_NEGLIGIBLE * tol, _LEAST):
            return value, True
        reach = of_b + max(float((abs(rows.given(block)) @ largest).max()) for block in row_blocks(rows.shape))
    scores = np.vstack([_scores(rows.given(block), W, intercept) for block in row_blocks(rows.shape, 16)])
    loss, gradients = objective.losses(scores)
    slope = float(abs(gradients).sum()) * objective.scale
    if _change(objective, slope, reach * _EPS) <= _SHARE * until:
        return value, True
    found = loss * objective.scale + objective.penalty.value(W)
    return found, _change(objective, slope, reach * _EPS_OF_LONG) <= _SHARE * until


def _change(objective: Objective, slope: float, off: float) -> float:
    """Return how much the mean loss changes at most if each score is off by `off`, where its slopes sum to `slope`."""
    if objective.loss.slack is not None:  # kinks: a term may change its slope by 1 at once
        return (slope + objective.classes) * off
    return slope * off + 4 * objective.classes * off**2  # squared hinges bend most: 2 for each term, of two scores


def _scores(X: Array, W: Array, intercept: Array) -> Array:
    scores: Array = (X.astype(np.longdouble) @ W.T.astype(np.longdouble) + intercept).astype(np.float64)
    return scores
