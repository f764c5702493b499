"""What workers do in a linear fit: they hold chunks, checked once, and add up what these have of the objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import estimators, threads
from fastclf._shared import validation as check
from fastclf._shared.aligning import realigned
from fastclf.dask._engine import own_threads
from fastclf.linear.inputs import Labels, batch_of
from fastclf.linear.losses import LOSSES
from fastclf.linear.objective import Objective
from fastclf.linear.penalty import Penalty
from fastclf.linear.rows import DenseRows
from fastclf.linear.settling import passing

Array = NDArray[np.float64]
Sums = tuple[float, Array, Array]


@dataclass(frozen=True)
class Chunk:
    """Rows in the kernels' form, which are not copied, their labels among the chunk's own classes, their weights."""

    X: NDArray[Any]
    labels: Labels
    weight: Array | None

    def __sizeof__(self) -> int:
        return int(self.X.nbytes)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what came from another process, with all arrays where kernels can read them."""
        self.__dict__.update(realigned(state))


class Held(Objective):
    """A chunk's part of the objective, which tells Dask how large it is."""

    def __sizeof__(self) -> int:
        assert isinstance(self.rows, DenseRows)
        return int(self.rows.X.nbytes)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what came from another process, as `Chunk` does."""
        self.__dict__.update(realigned(state))


class Facts(NamedTuple):
    """What all have to know of a chunk; `weighed` sums the weights of each class or, of an indicator, each label."""

    n_rows: int
    n_features: int
    classes: NDArray[Any]
    is_indicator: bool
    is_float64: bool
    weighed: Array
    total: float


class Common(NamedTuple):
    """What all chunks' objectives have in common."""

    loss: str
    classes: NDArray[Any]
    margin: Any
    factors: Array | None  # of the classes' weights or, of an indicator, of the columns' positive labels
    penalty: Penalty
    scale: float
    has_intercept: bool
    centre: Array
    in_float64: bool


class Asked(NamedTuple):
    """Over what width kinks are rounded, what is computed in, and by how many threads."""

    width: float
    in_float64: bool
    n_threads: int | None


def chunk_of(X: Any, y: Any, weight: Any, number: int, loss: str) -> Chunk:
    """Check a chunk; errors say which one it is."""
    try:
        rows = check.matrix(X, "X")
        if len(y) != len(rows):
            raise ValueError(f"X has {len(rows)} rows, but y has {len(y)} entries")
        weights = None if weight is None else check.weights_of(weight, (len(rows),), "sample_weight")
        return Chunk(rows, _labels_of(y, loss), weights)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} (in chunk {number} of X)") from error


def _labels_of(y: Any, loss: str) -> Labels:
    labels = check.labels_array(y, "y")
    if loss == "sigmoid" and labels.ndim == 2 and labels.shape[1] > 1:
        return Labels.of_indicator(labels, None)
    if not len(labels):
        return Labels(labels.ravel(), np.empty(0, np.int64))
    return Labels(*estimators.codes_of(estimators.checked_classes(labels)))


def facts_of(chunk: Chunk) -> Facts:
    """Return what all have to know of a chunk."""
    X, labels = chunk.X, chunk.labels
    weights = np.ones(len(X)) if chunk.weight is None else chunk.weight
    if labels.codes is None:
        assert labels.indicator is not None
        weighed: Array = weights @ labels.indicator
    else:
        weighed = np.bincount(labels.codes, weights, len(labels.classes)).astype(np.float64)
    is_float64, total = X.dtype == np.float64, float(weights.sum())
    return Facts(len(X), X.shape[1], labels.classes, labels.codes is None, is_float64, weighed, total)


def rows_of(chunk: Chunk, numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Return some rows."""
    taken: NDArray[Any] = chunk.X[numbers]
    return taken


def objective_of(chunk: Chunk, common: Common, codes: NDArray[np.int64] | None) -> Held:
    """Return a chunk's part of the objective; `codes` are those of its own classes among all."""
    rows = DenseRows(chunk.X, 1, common.centre, common.in_float64)
    labels, weight, column = Labels(common.classes, indicator=chunk.labels.indicator), chunk.weight, common.factors
    if chunk.labels.codes is not None:
        assert codes is not None
        labels, column = Labels(common.classes, codes[chunk.labels.codes]), None
        if common.factors is not None:
            weight = (1.0 if weight is None else weight) * common.factors[labels.codes]
    loss = LOSSES[common.loss]
    batch = batch_of(rows, loss, labels, common.margin, weight, column)
    batch = replace(batch, scores=batch.scores[:0])  # they are of no value, but would travel
    return Held(rows, loss, batch, common.penalty, common.scale, common.has_intercept)


def sampled(part: Objective, numbers: NDArray[np.int64]) -> tuple[NDArray[Any], Any, Any, Any]:
    """Return some rows, their labels, targets and weights."""
    assert isinstance(part.rows, DenseRows)
    of = part.part(numbers)
    return part.rows.X[numbers], of.label, of.target, of.weight


def weights(W: Array, b: Array) -> tuple[Array, Array]:
    """Return a step's weights: the one task that has them, from which all others get them."""
    return W, b


def _as_asked(part: Objective, asked: Asked) -> Objective:
    """Return a part as it is asked for; its rows are the same memory."""
    assert isinstance(part.rows, DenseRows)
    used = threads.resolve(own_threads(asked.n_threads))
    rows = DenseRows(part.rows.X, used, part.rows.centre, asked.in_float64)
    scores = np.broadcast_to(rows.dtype.type(0), (rows.shape[0], part.classes))
    return replace(part, rows=rows, batch=replace(part.batch, scores=scores, hinge_width=asked.width))


def sums_of(part: Objective, asked: Asked, at: tuple[Array, Array]) -> Sums:
    """Return a part's sum of losses, and its gradients."""
    ready = _as_asked(part, asked)
    return ready.rows.loss(ready.batch, *at)


def added(sums: Sequence[Sums]) -> Sums:
    """Add sums up in their order."""
    loss, of_W, of_b = sums[0]
    for more in sums[1:]:
        loss, of_W, of_b = loss + more[0], of_W + more[1], of_b + more[2]
    return loss, of_W, of_b


def slack_of(part: Objective, asked: Asked, at: tuple[Array, Array]) -> float:
    """Return a part's share of the mean slack."""
    return _as_asked(part, asked).slack(*at)


def passes(part: Objective, asked: Asked, at: tuple[Array, Array], step: tuple[Array, Array]) -> bool:
    """Whether any score of a part bends J less where a step moves it; see fastclf.linear.settling."""
    ready = _as_asked(part, asked)
    moves = ready.rows.scores(*step).astype(np.float64)
    if not abs(moves).max() > ready.loss.steady:
        return False
    return bool(passing(ready, ready.rows.scores(*at).astype(np.float64), moves).any())


def squares_of(part: Objective) -> Array:
    """Return sums of each feature's squares."""
    assert isinstance(part.rows, DenseRows)
    return part.rows.sums_of_squares()


def largest_shares(part: Objective, total: Array) -> Array:
    """Return each row's largest share of the squares of a feature in all rows."""
    assert isinstance(part.rows, DenseRows)
    return part.rows.shares_of(total)
