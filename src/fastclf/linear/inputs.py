"""Checks of what `LinearClassifier` is given, and its form for the solvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import estimators, threads
from fastclf._shared import labels as _labels
from fastclf._shared import validation as check
from fastclf._shared.batch import Batch
from fastclf._shared.class_weights import with_class_weights
from fastclf._shared.interrupts import aside
from fastclf._shared.parameters import flag, margins, number
from fastclf.linear.losses import LOSSES, Loss
from fastclf.linear.objective import Objective
from fastclf.linear.penalty import Penalty
from fastclf.linear.rows import DenseRows, Rows, SparseRows

SOLVERS = ("auto", "dual", "lbfgs", "newton", "sgd")

_MOST_PENALTY = 1e150  # so that sums of its products with weights, and squares, are within the range of float64
_CENTRE_ROWS = 1024  # whose mean is taken
_HUGE, _SHRINK = 2.0**1000, 2.0**-20  # sums of that many values beyond the former are had times the latter
_FAR = 1e15  # values beyond this, or all below its inverse, leave float32 too little range for weights and sums


@dataclass(frozen=True)
class Options:
    """Parameters of the classifier that need no data, checked."""

    loss: Loss
    penalty: Penalty
    fit_intercept: bool
    solver: str
    max_iter: int
    tol: float
    n_threads: int
    verbose: int
    warm_start: bool
    rng: np.random.Generator

    @classmethod
    def of(cls, model: Any, l1: Any = 0.0) -> Options:
        """Check those of a model, and an L1 penalty."""
        check.one_of(model.loss, tuple(LOSSES), "loss")
        check.one_of(model.solver, SOLVERS, "solver")
        l2, l1 = _penalty(model.l2, "l2"), _penalty(l1, "l1")
        _check_dual(model.solver, model.loss, l2)
        if l1 > 0:
            _check_elastic(model.solver, model.loss)
        return cls(
            loss=LOSSES[model.loss],
            penalty=Penalty(l2, l1),
            fit_intercept=flag(model.fit_intercept, "fit_intercept"),
            solver=model.solver,
            max_iter=check.at_least(model.max_iter, 1, "max_iter"),
            tol=number(model.tol, "tol", 0),
            n_threads=threads.resolve(model.n_threads),
            verbose=check.at_least(model.verbose, 0, "verbose"),
            warm_start=flag(model.warm_start, "warm_start"),
            rng=estimators.generator(model.random_state),
        )


def _check_dual(solver: str, loss: str, l2: float) -> None:
    """Refuse the dual solver where there is no dual problem for it."""
    if solver != "dual":
        return
    hinges = [name for name, of in LOSSES.items() if of.few_bend]
    if loss not in hinges:
        raise ValueError(f"loss must be one of {hinges} with solver='dual', got {loss!r}")
    if l2 == 0:
        raise ValueError(f"l2 must be greater than 0 with solver='dual', got {l2}")


def _penalty(value: Any, name: str) -> float:
    """Check a penalty's weight."""
    weight = number(value, name, 0)
    if weight > _MOST_PENALTY:
        raise ValueError(f"{name} must be at most {_MOST_PENALTY:g}, got {value!r}")
    return weight


def _check_elastic(solver: str, loss: str) -> None:
    """Refuse an L1 penalty of a loss that is not smooth and convex, and solvers that do not know it."""
    smooth = [name for name, of in LOSSES.items() if of.slack is None and of.convex]
    if loss not in smooth:
        raise ValueError(f"loss must be one of {smooth} with l1 > 0, got {loss!r}")
    if solver not in ("auto", "lbfgs"):
        raise ValueError(f"solver must be 'auto' or 'lbfgs' with l1 > 0, got {solver!r}")


@dataclass(frozen=True)
class Labels:
    """Classes, and the rows' codes among them; or indicators of several labels a row."""

    classes: NDArray[Any]
    codes: NDArray[np.int64] | None = None
    indicator: NDArray[np.uint8] | None = None

    @classmethod
    def of(cls, y: Any, loss: str, classes: NDArray[Any] | None = None) -> Labels:
        """Check `y`; with `classes`, all of it has to be among them."""
        array = y if scipy.sparse.issparse(y) else np.asarray(y)
        if loss == "sigmoid" and array.ndim == 2 and array.shape[1] > 1:
            return cls.of_indicator(y, classes)
        found, codes = estimators.codes_of(estimators.checked_classes(y))
        if classes is None:
            if len(found) < 2:
                raise ValueError(f"y has only one class, {found.tolist()}: at least 2 classes are needed")
            return cls(found, codes)
        if found.dtype.kind in "iufmM" and classes.dtype.kind in "iufmM":
            _labels.joined(classes, found, "y")  # no label becomes another one by rounding, or overflow
        unknown = np.setdiff1d(found, classes)
        if len(unknown):
            raise ValueError(f"y has class labels {unknown.tolist()[:5]} that are not among the classes so far")
        return cls(classes, np.searchsorted(classes, found)[codes].astype(np.int64))

    @classmethod
    def of_indicator(cls, y: Any, classes: NDArray[Any] | None) -> Labels:
        """Check an indicator of several labels a row; `classes` are its columns, if it is known how many there are."""
        array = y.toarray() if scipy.sparse.issparse(y) else np.array(check.dense_array(y, "y"))
        if not np.isin(array, (0, 1)).all():
            raise ValueError(f"y of several labels a row must hold only 0 and 1, got {np.unique(array)[:5].tolist()}")
        array = array.astype(np.uint8, order="C")
        columns = np.arange(array.shape[1])
        if classes is not None and not np.array_equal(classes, columns):
            raise ValueError(f"y has {len(columns)} columns, but the classes so far are {len(classes)}")
        return cls(columns, indicator=array)

    def weights(self, class_weight: Any, sample_weight: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        """Return weights of the rows: those given, times their classes'."""
        if class_weight is None or self.codes is None:
            return sample_weight
        return with_class_weights(self.codes, self.classes, class_weight, sample_weight)

    def positive_weights(
        self, class_weight: Any, sample_weight: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        """Return weights of the positive labels of an indicator's columns."""
        if class_weight is None or self.indicator is None:
            return None
        positive = np.average(self.indicator, axis=0, weights=sample_weight)
        return self.column_factors(class_weight, positive)

    def column_factors(self, class_weight: Any, positive: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return weights of the positive labels of an indicator's columns, where their shares are `positive`."""
        if isinstance(class_weight, str) and class_weight == "balanced":
            both = (positive > 0) & (positive < 1)  # else there is nothing to balance
            odds: NDArray[np.float64] = np.divide(1 - positive, positive, out=np.ones_like(positive), where=both)
            return odds
        if not isinstance(class_weight, dict):
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}")
        of_columns = [class_weight.get(int(column), 1.0) for column in self.classes]
        return check.weights_of(of_columns, (len(self.classes),), "class_weight")


def kernel_rows(X: Any) -> Any:
    """Return validated X in a form that the kernels read: of arrays in C order, no copy.

    A sparse X has passed `estimators.own_structure`.
    """
    if not scipy.sparse.issparse(X):
        return check.kernel_array(X, "X")
    if max(X.shape) > np.iinfo(np.int32).max:
        raise ValueError(
            f"sparse X has shape {X.shape}; at most {np.iinfo(np.int32).max} rows and features are supported"
        )
    rows = scipy.sparse.csr_array(X)
    rows.data = check.kernel_array(rows.data, "X")
    return rows


def rows_of(X: Any, options: Options, centre: NDArray[np.float64] | None = None) -> Rows:
    """Return rows about their middle, or another centre."""
    if scipy.sparse.issparse(X):
        if centre is not None and centre.any():
            raise ValueError("X is sparse, but partial_fit was begun with dense X, about whose mean it goes on")
        return SparseRows(X, options.n_threads)
    some = X[:: _stride(len(X))]
    some = aside(some.size, some.astype, np.float64)
    largest = float(max(aside(some.size, some.max, initial=0.0), -aside(some.size, some.min, initial=0.0)))
    if centre is None and options.fit_intercept:
        centre = aside(some.size, _mean, some, _SHRINK if largest > _HUGE else 1.0)
    far = not (1 / _FAR < largest < _FAR) and largest > 0
    return DenseRows(X, options.n_threads, centre, in_float64=far)


def middle_numbers(n_rows: int) -> NDArray[np.int64]:
    """Return which of so many dense rows tell their centre, and what they are computed in: of these alone, all do."""
    return np.arange(0, n_rows, _stride(n_rows))


def _stride(n_rows: int) -> int:
    return max(1, n_rows // _CENTRE_ROWS)


def _mean(rows: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return the mean, exact of a constant: less that, it is no feature. It is computed of values times `scale`.

    The rows are used up: new memory may take longer than all that is computed.
    """
    if scale != 1:
        rows *= scale
    first = rows[0].copy()
    rows -= first
    mean: NDArray[np.float64] = first + rows.mean(axis=0)
    return mean / scale


def in_float64(X: Any, n_threads: int) -> Rows:
    """Return rows as they are, to be computed with in float64."""
    form = SparseRows if scipy.sparse.issparse(X) else DenseRows
    return form(X, n_threads, in_float64=True)


def objective_of(
    rows: Rows, labels: Labels, margin: Any, options: Options, class_weight: Any, sample_weight: ArrayLike | None
) -> Objective:
    """Return what is minimised."""
    n, classes = rows.shape[0], len(labels.classes)
    given = None if sample_weight is None else check.weights_of(sample_weight, (n,), "sample_weight")
    weight = labels.weights(class_weight, given)
    with np.errstate(over="ignore"):
        total = float(n if weight is None else weight.sum())
    check_total(total)
    batch = batch_of(rows, options.loss, labels, margin, weight, labels.positive_weights(class_weight, given))
    scale = options.loss.share(classes) / total
    return Objective(rows, options.loss, batch, options.penalty, scale, options.fit_intercept)


def check_total(total: float) -> None:
    """Raise unless a mean over rows whose weights sum to `total` can be had."""
    if total == 0:
        raise ValueError("all rows have weight zero: at least one must count")
    if not 1e-300 < total < 1e300:
        raise ValueError(f"the weights of the rows sum to {total}: a mean cannot divide by that")


def batch_of(
    rows: Rows,
    loss: Loss,
    labels: Labels,
    margin: Any,
    weight: NDArray[np.float64] | None,
    column: NDArray[np.float64] | None,
) -> Batch:
    """Return what rows are compared with; `column` weighs positive labels of an indicator."""
    one, matrix = margins(margin, len(labels.classes))
    return Batch(
        loss.kernel,
        np.broadcast_to(rows.dtype.type(0), (rows.shape[0], len(labels.classes))),
        label=labels.codes,
        target=labels.indicator,
        weight=weight,
        targets="parts",
        column=column,
        margin=one,
        margins=matrix,
        squared=loss.squared,
    )
