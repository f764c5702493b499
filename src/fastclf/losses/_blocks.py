"""Losses of linear scores, a block of rows at a time: no more scores are held than those of one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import _native
from fastclf._shared import threads
from fastclf._shared.batch import Batch
from fastclf._shared.tensors import given_back
from fastclf.losses import _checks
from fastclf.losses._evaluate import Wanted, reduced, scale_of

# Scores of a block take at most so many bytes, or are one row's. W is read for each block: small ones cost time.
_BLOCK_BYTES = 256 << 20
_MOST_ROWS = 4096  # of a block: sums of more would round more


@dataclass(frozen=True)
class LinearModel:
    """Rows, weights and intercepts, of one dtype."""

    X: NDArray[Any]
    W: NDArray[Any]
    b: NDArray[Any] | None

    @classmethod
    def of(cls, X: ArrayLike, W: ArrayLike, b: ArrayLike | None) -> LinearModel:
        """Check and bring to one dtype."""
        arrays = [_checks.finite_array(X, "X", 2), _checks.finite_array(W, "W", 2)]
        if b is not None:
            arrays.append(_checks.finite_array(b, "b", 1))
        rows, weights = arrays[:2]
        if rows.shape[1] != weights.shape[1]:
            raise ValueError(f"X has {rows.shape[1]} features, but W has {weights.shape[1]}: they must be equal")
        if len(weights) == 0:
            raise ValueError(f"W must have at least one class, got shape {weights.shape}")
        if b is not None and arrays[2].shape != (len(weights),):
            raise ValueError(
                f"b must have shape ({len(weights)},), as W has {len(weights)} classes; got {arrays[2].shape}"
            )
        dtype = np.result_type(*arrays)
        same = [a.astype(dtype, copy=False) for a in arrays]
        return cls(same[0], same[1], same[2] if b is not None else None)

    def scores(self) -> NDArray[Any]:
        """Return an array with the scores' shape and dtype that takes no memory."""
        return np.broadcast_to(self.X.dtype.type(0), (len(self.X), len(self.W)))

    def blocks(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Rows whose scores are held together, and where: about equally long blocks; without rows, one of none."""
        rows, classes = len(self.X), len(self.W)
        most = max(1, min(_BLOCK_BYTES // (classes * self.X.itemsize), _MOST_ROWS))
        count = max(1, math.ceil(rows / most))
        step = max(1, math.ceil(rows / count))
        scores = np.empty((step, classes), self.X.dtype)
        for start in range(0, max(1, rows), step):
            some = slice(start, min(start + step, rows))
            yield some, scores[: some.stop - start]

    def may_overflow(self) -> bool:
        """Whether a score could leave the range: not if the largest values bound it."""
        if self.X.size == 0:
            return False
        x, w = (max(float(a.max()), -float(a.min())) for a in (self.X, self.W))
        b = 0.0 if self.b is None else float(np.abs(self.b).max())
        return bool(x * w * self.X.shape[1] + b > np.finfo(self.X.dtype).max)

    def gradients(
        self, out: Any, inputs: tuple[NDArray[Any] | None, ...]
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """Return arrays for the gradients."""
        like = (self.X, self.W, self.b)
        if out is None:
            return np.empty_like(self.X), np.empty_like(self.W), None if self.b is None else np.empty_like(self.b)
        if not isinstance(out, tuple) or len(out) != 3 or (out[2] is None) != (self.b is None):
            raise TypeError("grad_out must be a tuple of three arrays, the third None without b")
        found: list[Any] = []
        for i, (array, a) in enumerate(zip(out, like, strict=True)):
            others = tuple(x for x in (*like, *inputs, *found) if x is not None)
            found.append(None if a is None else _checks.result_array(array, f"grad_out[{i}]", a, others))
        return found[0], found[1], found[2]


def evaluate_linear(
    model: LinearModel,
    batch: Batch,
    wanted: Wanted,
    *,
    share: float = 1.0,
    mean_weight: NDArray[np.float64] | None = None,
) -> Any:
    """Return the loss of the model's scores, or (loss, gradients); see `fastclf.losses._evaluate.evaluate`."""
    scale = scale_of(batch, wanted, 1, mean_weight) * share
    losses = np.empty(len(model.X))
    inputs = (batch.target, batch.weight, batch.column, batch.margins)
    gradients = model.gradients(wanted.grad_out, inputs) if wanted.return_grad else None
    of_b = None if model.b is None else np.zeros(len(model.b))
    risky, n_threads = model.may_overflow(), threads.resolve(wanted.n_threads)
    for rows, scores in model.blocks():
        _native.matmul(model.X[rows], model.W.T, model.b, False, n_threads, scores)
        if risky:
            _refuse_overflow(scores, rows.start)
        _part(batch, rows, scores).run(scale, n_threads, losses[rows], None, scores if gradients else None, rows.start)
        if gradients:
            _native.matmul(scores, model.W, None, False, n_threads, gradients[0][rows])
            _native.matmul(scores.T, model.X[rows], None, rows.start > 0, n_threads, gradients[1], of_b)
    loss = reduced(losses, wanted, scale)
    if gradients is None:
        return loss
    if gradients[2] is not None:
        gradients[2][:] = of_b
    return loss, _given_back(gradients, wanted.given) if wanted.grad_out is None else wanted.grad_out


def _given_back(gradients: tuple[NDArray[Any] | None, ...], given: Any) -> tuple[Any, ...]:
    return tuple(None if gradient is None else given_back(gradient, given) for gradient in gradients)


def _part(batch: Batch, rows: slice, scores: NDArray[Any]) -> Batch:
    """Return the batch of these rows."""
    return replace(
        batch,
        scores=scores,
        label=None if batch.label is None else batch.label[rows],
        target=None if batch.target is None else batch.target[rows],
        weight=None if batch.weight is None else batch.weight[rows],
    )


def _refuse_overflow(scores: NDArray[Any], first: int) -> None:
    row = _native.first_not_finite(scores)
    if row is not None:
        raise ValueError(f"X W' + b overflows {scores.dtype} (first in row {first + row})")
