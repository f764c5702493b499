"""One call of a loss: what its caller asked for, reductions, where the gradient goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import threads
from fastclf._shared import validation as check
from fastclf._shared.batch import Batch
from fastclf._shared.parameters import flag
from fastclf._shared.tensors import given_back
from fastclf.losses import _checks

REDUCTIONS = ("none", "mean", "sum")


@dataclass(frozen=True)
class Wanted:
    """What the caller of a loss asked for: the arguments that every loss has."""

    reduction: str
    return_grad: bool
    grad_out: Any
    n_threads: int | None
    given: Any  # what results that are arrays are to be like

    def __post_init__(self) -> None:
        """Raise for what cannot be."""
        check.one_of(self.reduction, REDUCTIONS, "reduction")
        flag(self.return_grad, "return_grad")
        if self.grad_out is not None and not self.return_grad:
            raise ValueError("grad_out was given, but return_grad is False")
        if self.n_threads is not None:
            threads.checked(self.n_threads)


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
    if gradient is None:
        return loss
    return loss, given_back(gradient, wanted.given) if wanted.grad_out is None else wanted.grad_out


def reduced(losses: NDArray[np.float64], wanted: Wanted, scale: float) -> Any:
    """Return losses of rows or scores, each times `scale`, or their sum, a number."""
    if wanted.reduction != "none":
        return _native.total(losses) * scale if scale else 0.0
    if scale != 1:
        losses *= scale
    return given_back(losses, wanted.given)


def scale_of(batch: Batch, wanted: Wanted, values: int, mean_weight: NDArray[np.float64] | None) -> float:
    """1; for a mean, 1 over the weights of all rows that count, times the values of a row; 0 where no row counts."""
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
