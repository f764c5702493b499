"""One call of the loss kernels: outputs, weights of rows, reductions, refusals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native, _threads
from fastclf import _validation as check
from fastclf.losses import _checks

REDUCTIONS = ("none", "mean", "sum")

# Losses that a softmax comes into: a score of -inf is a class that is not there.
_WITH_SOFTMAX = ("softmax", "log_softmax", "cross_entropy", "kl_div", "softmax_mse")


@dataclass(frozen=True)
class Wanted:
    """What the caller of a loss asked for: the arguments that every loss has."""

    reduction: str
    return_grad: bool
    grad_out: Any
    n_threads: int | None

    def __post_init__(self) -> None:
        """Raise for what cannot be."""
        check.one_of(self.reduction, REDUCTIONS, "reduction")
        if self.grad_out is not None and not self.return_grad:
            raise ValueError("grad_out was given, but return_grad is False")
        if self.n_threads is not None:
            _threads.checked(self.n_threads)


@dataclass(frozen=True)
class Batch:
    """Scores in the kernels' form, and what they are compared with: labels (-1: left out) or targets of their shape.

    One-dimensional scores are a column.
    """

    loss: str
    scores: NDArray[Any]
    label: NDArray[np.int64] | None = None
    target: NDArray[Any] | None = None
    weight: NDArray[np.float64] | None = None  # of rows
    column: NDArray[np.float64] | None = None
    margins: NDArray[np.float64] | None = None
    smoothing: float = 0.0
    margin: float = 0.0
    squared: bool = False
    own_term: bool = False

    def run(
        self,
        scale: float,
        n_threads: int | None,
        of_rows: NDArray[np.float64] | None,
        of_scores: NDArray[np.float64] | None,
        gradient: NDArray[Any] | None,
    ) -> None:
        """Call the kernel; raise for the first row that has no answer."""
        bad = _native.losses(
            self.loss,
            _matrix(self.scores),
            self.label,
            _matrix(self.target),
            self.weight,
            self.column,
            self.margins,
            scale,
            self.smoothing,
            self.margin,
            self.squared,
            self.own_term,
            _threads.resolve(n_threads),
            of_rows,
            _matrix(of_scores),
            _matrix(gradient),
        )
        if bad is not None:
            raise ValueError(_refusal(self.scores[bad], bad, self.loss in _WITH_SOFTMAX))


def _matrix(a: Any) -> Any:
    return a[:, np.newaxis] if a is not None and a.ndim == 1 else a


def _refusal(row: NDArray[Any], number: int, with_softmax: bool) -> str:
    if np.isnan(row).any():
        found = "NaN"
    elif with_softmax and (row == -np.inf).all():
        found = "no class: all are -inf"
    else:
        found = "+inf" if (row == np.inf).any() else "-inf"
    return f"scores contains {found} (first in row {number})"


def evaluate(
    batch: Batch,
    wanted: Wanted,
    *,
    by_score: bool = False,
    share: float = 1.0,
    mean_weight: NDArray[np.float64] | None = None,
) -> Any:
    """Return the loss, or (loss, gradient), as `wanted`.

    With `by_score` the loss is a mean over scores instead of rows, and reduction "none" gives one of each.  `share` is
    a factor of all losses; `mean_weight` are the rows' weights in a mean's denominator, if not those of the batch.
    """
    shape = batch.scores.shape
    scale = share
    if wanted.reduction == "mean":
        scale *= _over_weights(batch, batch.weight if mean_weight is None else mean_weight, math.prod(shape[1:]) if by_score else 1)
    each = np.empty(shape) if by_score and wanted.reduction == "none" else None
    of_rows = np.empty(len(batch.scores)) if each is None else None
    gradient = _gradient(wanted, batch) if wanted.return_grad else None
    batch.run(scale, wanted.n_threads, of_rows, each, gradient)
    loss: Any = each if of_rows is None else of_rows
    if wanted.reduction != "none":
        loss = _native.total(of_rows) * scale if scale else 0.0
    elif share != 1:
        loss *= share
    if not wanted.return_grad:
        return loss
    return loss, gradient if wanted.grad_out is None else wanted.grad_out


def _over_weights(batch: Batch, weight: NDArray[np.float64] | None, values: int) -> float:
    """1 over the weights of all rows that count, of so many values each; 0 where none does."""
    counted = None if batch.label is None else batch.label >= 0
    if weight is None:
        total = float(len(batch.scores) if counted is None else np.count_nonzero(counted))
    else:
        total = _native.total(weight if counted is None else np.where(counted, weight, 0.0))
    total *= values
    if total and not 1e-300 < total < 1e300:
        raise ValueError(f"the weights sum to {total}: a mean cannot divide by that")
    return 1 / total if total else 0.0


def _gradient(wanted: Wanted, batch: Batch) -> NDArray[Any]:
    if wanted.grad_out is None:
        return np.empty_like(batch.scores)
    others = tuple(a for a in (batch.target, batch.margins) if a is not None)
    return _checks.result_array(wanted.grad_out, "grad_out", batch.scores, others)
