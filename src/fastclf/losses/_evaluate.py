"""One call of the loss kernels: outputs, weights of rows, reductions, refusals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
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
        _checks.flag(self.return_grad, "return_grad")
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
    targets: str = "any"  # what the matrix has to hold: a name in `_native.TARGETS`
    column: NDArray[np.float64] | None = None
    margins: NDArray[np.float64] | None = None
    smoothing: float = 0.0
    margin: float = 0.0
    smooth: float = 0.0  # of hinges: see fc_batch
    squared: bool = False
    own_term: bool = False

    def run(
        self,
        scale: float,
        n_threads: int | None,
        of_rows: NDArray[np.float64] | None,
        of_scores: NDArray[np.float64] | None,
        gradient: NDArray[Any] | None,
        first_row: int = 0,
    ) -> None:
        """Call the kernel; raise for the first row that has no answer, numbered from `first_row`."""
        bad = _native.losses(
            self.for_kernels(),
            _matrix(self.scores),
            scale,
            _threads.resolve(n_threads),
            of_rows,
            _matrix(of_scores),
            _matrix(gradient),
        )
        if bad is not None:
            raise ValueError(self._refusal(bad, first_row + bad))

    def for_kernels(self) -> Batch:
        """Return the same with targets of two dimensions."""
        return self if self.target is None else replace(self, target=_matrix(self.target))

    def _refusal(self, i: int, row: int) -> str:
        """Say what is wrong with row i, which the caller knows as `row`."""
        scores, with_softmax = self.scores[i : i + 1], self.loss in _WITH_SOFTMAX
        if np.isnan(scores).any():
            found = "NaN"
        elif with_softmax and (scores == -np.inf).all():
            found = "no class: all are -inf"
        elif (scores == np.inf).any():
            found = "+inf"
        elif not with_softmax and (scores == -np.inf).any():
            found = "-inf"
        else:
            return self._refusal_of_target(i, row)
        return f"scores contains {found} (first in row {row})"

    def _refusal_of_target(self, i: int, row: int) -> str:
        if self.target is None:  # the row was looked at a moment ago
            return f"scores or weights changed during the call (first in row {row})"
        name = "scores_corrupt" if self.loss == "max_margin" else "target"
        target = self.target[i : i + 1].astype(np.float64)
        if not np.isfinite(target).all():
            return f"Input {name} contains {'NaN' if np.isnan(target).any() else 'infinity'} (first in row {row})."
        outside = np.argwhere((target < 0) | (target > 1))
        if len(outside):
            at = [row, *(int(column) for column in outside[0][1:])]
            return f"target{at} = {target[tuple(outside[0])]} is outside [0, 1]"
        return f"target must hold probabilities, but row {row} sums to {target.sum()}"


def _matrix(a: NDArray[Any] | None) -> Any:
    return None if a is None else _checks.as_matrix(a)


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
    scale = scale_of(batch, wanted, math.prod(shape[1:]) if by_score else 1, mean_weight) * share
    each = by_score and wanted.reduction == "none"
    losses = np.empty(shape if each else len(batch.scores))
    gradient = _gradient(wanted, batch) if wanted.return_grad else None
    batch.run(scale, wanted.n_threads, None if each else losses, losses if each else None, gradient)
    loss = reduced(losses, wanted, scale)
    if not wanted.return_grad:
        return loss
    return loss, gradient if wanted.grad_out is None else wanted.grad_out


def reduced(losses: NDArray[np.float64], wanted: Wanted, scale: float) -> Any:
    """Losses of rows or scores, each times `scale`, or their sum."""
    if wanted.reduction != "none":
        return _native.total(losses) * scale if scale else 0.0
    if scale != 1:
        losses *= scale
    return losses


def scale_of(batch: Batch, wanted: Wanted, values: int, mean_weight: NDArray[np.float64] | None) -> float:
    """1, or for a mean 1 over the weights of all rows that count, of so many values each; 0 where none does."""
    if wanted.reduction != "mean":
        return 1.0
    weight = batch.weight if mean_weight is None else mean_weight
    counted = None if batch.label is None or batch.label.min(initial=0) >= 0 else batch.label >= 0
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
    inputs = (batch.target, batch.margins, batch.weight, batch.column)
    others = tuple(a for a in inputs if a is not None)
    return _checks.result_array(wanted.grad_out, "grad_out", batch.scores, others, in_place=True)
