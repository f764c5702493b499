"""Losses of linear scores, a block of rows at a time: all scores together are never held."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import threads
from fastclf._shared.batch import Batch
from fastclf._shared.tensors import given_back
from fastclf.losses import _checks
from fastclf.losses._evaluate import Wanted, reduced, scale_of

# Scores of a block take at most this many bytes, or are one row's.  W is read for each block: small ones cost time.
_BLOCK_BYTES = 64 << 20
_BLOCK_ROWS = 32  # a block's rows are a multiple, which suits BLAS's tiles
_MOST_ROWS = 4096  # of a block: sums of more would round more

# Products are made in parts of these sizes, whatever the number of threads.
_PART_ROWS, _PART_CLASSES, _PART_FEATURES = 512, 1024, 192


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
        """Rows whose scores are held together, and where."""
        fit = min(_BLOCK_BYTES // (len(self.W) * self.X.itemsize), _MOST_ROWS)
        step = min(max(1, fit - fit % _BLOCK_ROWS if fit > _BLOCK_ROWS else fit), len(self.X))
        scores = np.empty((step, len(self.W)), self.X.dtype)
        for start in range(0, len(self.X), max(step, 1)):
            rows = slice(start, min(start + step, len(self.X)))
            yield rows, scores[: rows.stop - start]

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
        """Return arrays for the gradients, that of W zeroed."""
        like = (self.X, self.W, self.b)
        if out is None:
            return np.empty_like(self.X), np.zeros_like(self.W), None if self.b is None else np.empty_like(self.b)
        if not isinstance(out, tuple) or len(out) != 3 or (out[2] is None) != (self.b is None):
            raise TypeError("grad_out must be a tuple of three arrays, the third None without b")
        found: list[Any] = []
        for i, (array, a) in enumerate(zip(out, like, strict=True)):
            others = tuple(x for x in (*like, *inputs, *found) if x is not None)
            found.append(None if a is None else _checks.result_array(array, f"grad_out[{i}]", a, others))
        found[1].fill(0)
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
    of_b, risky = np.zeros(len(model.W)), model.may_overflow()
    with threads.Workers(threads.resolve(wanted.n_threads)) as workers:
        for rows, scores in model.blocks():
            _fill_scores(workers, model, rows, scores)
            if risky:
                _refuse_overflow(scores, rows.start)
            _part(batch, rows, scores).run(
                scale, wanted.n_threads, losses[rows], None, scores if gradients else None, rows.start
            )
            if gradients:
                of_b += _add_gradients(workers, model, rows, scores, gradients)
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


def _parts(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _fill_scores(workers: threads.Workers, model: LinearModel, rows: slice, scores: NDArray[Any]) -> None:
    """Write X W' + b."""
    X, W, b = model.X[rows], model.W, model.b

    def fill(some: slice, classes: slice) -> None:
        with _no_warnings():  # they are the thread's own
            np.matmul(X[some], W[classes].T, out=scores[some, classes])
            if b is not None:
                scores[some, classes] += b[classes]

    every = itertools.product(_parts(len(X), _PART_ROWS), _parts(len(W), _PART_CLASSES))
    workers.each([functools.partial(fill, *part) for part in every])


def _refuse_overflow(scores: NDArray[Any], first: int) -> None:
    bad = ~np.isfinite(scores).all(axis=1)
    if bad.any():
        raise ValueError(f"X W' + b overflows {scores.dtype} (first in row {first + int(np.flatnonzero(bad)[0])})")


def _add_gradients(
    workers: threads.Workers,
    model: LinearModel,
    rows: slice,
    of_scores: NDArray[Any],
    gradients: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None],
) -> NDArray[np.float64]:
    """Write the gradients of the scores times W, and add their transpose times X; return their sum."""
    X, W, (of_X, of_W, _) = model.X[rows], model.W, gradients
    of_rows = of_X[rows]

    def fill(some: slice, features: slice) -> None:
        with _no_warnings():
            np.matmul(of_scores[some], W[:, features], out=of_rows[some, features])

    def product(some: slice, classes: slice) -> NDArray[Any]:
        with _no_warnings():
            return np.asarray(of_scores[some, classes].T @ X[some])

    def add(classes: slice) -> None:
        for some in by_row:
            of_W[classes] += product(some, classes)

    by_row, by_class = _parts(len(X), _PART_ROWS), _parts(len(W), _PART_CLASSES)
    every = itertools.product(by_row, _parts(X.shape[1], _PART_FEATURES))
    workers.each([functools.partial(fill, *part) for part in every])
    if len(by_class) > 1:
        workers.each([functools.partial(add, classes) for classes in by_class])
    else:
        for found in workers.each([functools.partial(product, some, slice(None)) for some in by_row]):
            of_W += found
    total: NDArray[np.float64] = of_scores.sum(axis=0, dtype=np.float64)
    return total


def _no_warnings() -> Any:
    return np.errstate(over="ignore", invalid="ignore")
