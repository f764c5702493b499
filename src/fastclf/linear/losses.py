"""What the solvers need to know of each loss: its kernel, how it is smoothed, and its curvature.

A curvature is the Hessian of a row's loss by its scores.  Where the loss is not twice differentiable, or not convex, it
is a positive semi-definite matrix that takes the Hessian's place (a generalised Hessian, or Gauss and Newton's).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from fastclf._shared.batch import Batch

Scores = Any  # float64 arrays of shape (rows, classes), or (rows, classes, classes)


@dataclass(frozen=True)
class Loss:
    """One of the losses that `LinearClassifier` minimises.

    Attributes
    ----------
    kernel : str
        Its name among the kernels.
    curvature : callable
        Curvatures of rows, of shape (rows, classes, classes), of scores and the batch they belong to.
    diagonal : callable
        The diagonals of these, of shape (rows, classes).
    squared : bool
        Whether the hinge is squared.
    over_classes : bool
        Whether a row's loss is a mean over the classes.
    of_differences : bool
        Whether the loss stays the same when all scores of a row grow by as much.
    convex : bool
        Whether the loss is.
    most_bend : callable
        The most that a row's loss may bend by its scores, by the number of classes; of hinges, how long steps may be.
    slack : callable, optional
        Of a loss with kinks, which is solved smoothed: each row's loss less the product of smoothed gradients with the
        terms. It is what the smoothed optimum leaves of the duality gap.
    most_rounded : callable
        By how much smoothing may add to a row's loss, in widths; from the number of classes.
    steady : float
        Scores that all move by no more keep 0.7 of their curvature, whatever they are.
    log_probabilities : callable, optional
        Logarithms of the classes' probabilities, from scores.
    """

    kernel: str
    curvature: Callable[[Scores, Batch], Scores]
    diagonal: Callable[[Scores, Batch], Scores]
    squared: bool = False
    over_classes: bool = False
    of_differences: bool = True
    convex: bool = True
    most_bend: Callable[[int], float] = float
    slack: Callable[[Scores, Batch], Scores] | None = None
    most_rounded: Callable[[int], float] = float
    steady: float = 0.0
    log_probabilities: Callable[[Scores], Scores] | None = None

    @property
    def few_bend(self) -> bool:
        """Whether only rows near or beyond a margin bend the loss, as of hinges; they differ from class to class."""
        return self.squared or self.slack is not None

    def share(self, classes: int) -> float:
        """Return what a sum over classes is multiplied with."""
        return 1 / classes if self.over_classes else 1.0


def _as_diagonals(rows: Scores) -> Scores:
    full = np.zeros((*rows.shape, rows.shape[1]))
    np.einsum("rii->ri", full)[:] = rows
    return full


def _softmax(scores: Scores) -> Scores:
    return softmax(_within_range(scores), axis=1)


def _log_softmax(scores: Scores) -> Scores:
    return log_softmax(_within_range(scores), axis=1)


def _within_range(scores: Scores) -> Scores:
    """Clip scores to half the range, so that their differences are within it."""
    half = np.finfo(scores.dtype).max / 2
    return np.clip(scores, -half, half)


def _softmax_curvature(scores: Scores, batch: Batch) -> Scores:  # noqa: ARG001
    p = _softmax(scores)
    return _as_diagonals(p) - p[:, :, None] * p[:, None, :]


def _softmax_diagonal(scores: Scores, batch: Batch) -> Scores:  # noqa: ARG001
    p = _softmax(scores)
    return p * (1 - p)


def _sigmoid_diagonal(scores: Scores, batch: Batch) -> Scores:
    p = expit(scores)
    if batch.column is None or batch.target is None:
        return p * (1 - p)
    return p * (1 - p) * (1 + (batch.column - 1) * batch.target)


def _sigmoid_curvature(scores: Scores, batch: Batch) -> Scores:
    return _as_diagonals(_sigmoid_diagonal(scores, batch))


def _mse_diagonal(scores: Scores, batch: Batch) -> Scores:  # noqa: ARG001
    return np.full(scores.shape, 2.0)


def _mse_curvature(scores: Scores, batch: Batch) -> Scores:
    return _as_diagonals(_mse_diagonal(scores, batch))


def _softmax_mse_curvature(scores: Scores, batch: Batch) -> Scores:
    """Gauss and Newton's: 2 J' J, of the softmax's derivative J."""
    slope = _softmax_curvature(scores, batch)
    return 2 * slope @ slope


def _softmax_mse_diagonal(scores: Scores, batch: Batch) -> Scores:  # noqa: ARG001
    """2 sum_k (p_i [i = k] - p_i p_k)^2."""
    p = _softmax(scores)
    return 2 * p**2 * (1 - 2 * p + (p**2).sum(1, keepdims=True))


def _terms(scores: Scores, batch: Batch) -> Scores:
    """Terms of the hinges before they are cut at 0, 0 for the label."""
    assert batch.label is not None
    rows = np.arange(len(scores))
    margins = batch.margin if batch.margins is None else batch.margins[batch.label]
    found = scores - scores[rows, batch.label][:, None] + margins
    found[rows, batch.label] = 0
    return found


def _hinge_bends(scores: Scores, batch: Batch) -> Scores:
    """Second derivatives of the terms, 0 for the label."""
    found = _terms(scores, batch)
    if batch.squared:
        return 2.0 * (found > 0)
    gradients = expit(found / batch.hinge_width)
    gradients[np.arange(len(scores)), batch.label] = 0
    return gradients * (1 - gradients) / batch.hinge_width


def _hinge_diagonal(scores: Scores, batch: Batch) -> Scores:
    bends = _hinge_bends(scores, batch)
    bends[np.arange(len(scores)), batch.label] = bends.sum(1)
    return bends


def _hinge_curvature(scores: Scores, batch: Batch) -> Scores:
    """Sum over terms of bend times (e_i - e_y)(e_i - e_y)'."""
    rows, bends = np.arange(len(scores)), _hinge_bends(scores, batch)
    full = _as_diagonals(bends)
    full[rows, batch.label] -= bends
    full[rows, :, batch.label] -= bends
    full[rows, batch.label, batch.label] = bends.sum(1)
    return full


def _largest_curvature(scores: Scores, batch: Batch) -> Scores:
    return _softmax_curvature(_terms(scores, batch) / batch.hinge_width, batch) / batch.hinge_width


def _largest_diagonal(scores: Scores, batch: Batch) -> Scores:
    return _softmax_diagonal(_terms(scores, batch) / batch.hinge_width, batch) / batch.hinge_width


def _hinge_slack(scores: Scores, batch: Batch) -> Scores:
    found = _terms(scores, batch)
    return (np.maximum(found, 0) - expit(found / batch.hinge_width) * found).sum(axis=1)


def _most_of_sums(classes: int) -> float:
    return (classes - 1) * math.log(2)


def _largest_slack(scores: Scores, batch: Batch) -> Scores:
    found = _terms(scores, batch)
    return found.max(axis=1) - (_softmax(found / batch.hinge_width) * found).sum(axis=1)


LOSSES = {
    "softmax": Loss(
        "cross_entropy",
        _softmax_curvature,
        _softmax_diagonal,
        most_bend=lambda _: 0.5,
        steady=0.089,  # p and 1 - p each change by a factor of exp(2 * move) at most
        log_probabilities=_log_softmax,
    ),
    "hinge": Loss("hinge", _hinge_curvature, _hinge_diagonal, slack=_hinge_slack, most_rounded=_most_of_sums),
    "squared_hinge": Loss("hinge", _hinge_curvature, _hinge_diagonal, squared=True),
    "crammer_singer": Loss(
        "crammer_singer", _largest_curvature, _largest_diagonal, slack=_largest_slack, most_rounded=math.log
    ),
    "mse": Loss(
        "mse",
        _mse_curvature,
        _mse_diagonal,
        over_classes=True,
        of_differences=False,
        most_bend=lambda _: 2.0,
        steady=np.inf,
    ),
    "softmax_mse": Loss(
        "softmax_mse",
        _softmax_mse_curvature,
        _softmax_mse_diagonal,
        over_classes=True,
        convex=False,
        most_bend=lambda _: 0.5,
        log_probabilities=_log_softmax,
    ),
    "sigmoid": Loss(
        "binary_cross_entropy_with_logits",
        _sigmoid_curvature,
        _sigmoid_diagonal,
        over_classes=True,
        of_differences=False,
        most_bend=lambda _: 0.25,
        steady=0.35,  # d/ds log(p (1 - p)) = 1 - 2 p
        log_probabilities=log_expit,
    ),
}
