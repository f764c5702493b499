"""Checks of what `LinearClassifier` is given, and its form for the solvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import compute_class_weight

from fastclf import _estimators, _threads
from fastclf import _validation as check
from fastclf._batch import Batch
from fastclf._interrupts import aside
from fastclf._parameters import flag, margins, number
from fastclf.linear.losses import LOSSES, Loss
from fastclf.linear.objective import Objective
from fastclf.linear.penalty import Penalty
from fastclf.linear.rows import DenseRows, Rows, SparseRows

SOLVERS = ("auto", "lbfgs", "newton", "sgd")

_CENTRE_ROWS = 1024  # of which the mean is taken
_FAR = 1e15  # values beyond this, or all below its inverse, leave float32 too little room for weights and sums


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
    def of(cls, model: Any) -> Options:
        """Check those of a model."""
        check.one_of(model.loss, tuple(LOSSES), "loss")
        check.one_of(model.solver, SOLVERS, "solver")
        return cls(
            loss=LOSSES[model.loss],
            penalty=Penalty(number(model.l2, "l2", 0)),
            fit_intercept=flag(model.fit_intercept, "fit_intercept"),
            solver=model.solver,
            max_iter=check.at_least(model.max_iter, 1, "max_iter"),
            tol=number(model.tol, "tol", 0),
            n_threads=_threads.resolve(model.n_threads),
            verbose=check.at_least(model.verbose, 0, "verbose"),
            warm_start=flag(model.warm_start, "warm_start"),
            rng=_estimators.generator(model.random_state),
        )


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
            return cls._indicator(y, classes)
        found, codes = _estimators.codes_of(_estimators.checked_classes(y))
        if classes is None:
            if len(found) < 2:
                raise ValueError(f"y has only one class, {found.tolist()}: at least 2 classes are needed")
            return cls(found, codes)
        if found.dtype.kind in "iuf" and classes.dtype.kind in "iuf":
            check.joined_labels(classes, found, "y")  # no label becomes another one by rounding
        unknown = np.setdiff1d(found, classes)
        if len(unknown):
            raise ValueError(f"y has class labels {unknown.tolist()[:5]} that are not among the classes so far")
        return cls(classes, np.searchsorted(classes, found)[codes].astype(np.int64))

    @classmethod
    def _indicator(cls, y: Any, classes: NDArray[Any] | None) -> Labels:
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
        given = np.ones(len(self.codes)) if sample_weight is None else sample_weight
        if isinstance(class_weight, str) and class_weight == "balanced":
            of_class = np.bincount(self.codes, given, len(self.classes))
            counted = np.divide(
                given.sum(), len(self.classes) * of_class, out=np.zeros_like(of_class), where=of_class > 0
            )
        else:
            counted = compute_class_weight(class_weight, classes=self.classes, y=self.classes[self.codes])
        if not (np.isfinite(counted).all() and (counted >= 0).all()):
            raise ValueError(f"class_weight must be finite and not negative, got {class_weight!r}")
        weights: NDArray[np.float64] = given * counted[self.codes]
        return weights

    def positive_weights(
        self, class_weight: Any, sample_weight: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        """Return weights of the positive labels of an indicator's columns."""
        if class_weight is None or self.indicator is None:
            return None
        if isinstance(class_weight, str) and class_weight == "balanced":
            positive = np.average(self.indicator, axis=0, weights=sample_weight)
            both = (positive > 0) & (positive < 1)  # else there is nothing to balance
            odds: NDArray[np.float64] = np.divide(1 - positive, positive, out=np.ones_like(positive), where=both)
            return odds
        if not isinstance(class_weight, dict):
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}")
        of_columns = [class_weight.get(int(column), 1.0) for column in self.classes]
        return check.weights_of(of_columns, (len(self.classes),), "class_weight")


def kernel_rows(X: Any) -> Any:
    """Return validated X in a form that the kernels read: of arrays in C order, no copy.

    Indices of a sparse X are the caller's own (`_estimators.own_structure`), and are put in order where they are not.
    """
    if not scipy.sparse.issparse(X):
        return check.kernel_array(X, "X")
    if max(X.shape) > np.iinfo(np.int32).max:
        raise ValueError(
            f"sparse X has shape {X.shape}; at most {np.iinfo(np.int32).max} rows and features are supported"
        )
    return aside(X.nnz, _ordered, scipy.sparse.csr_array(X))


def _ordered(X: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    if not X.has_canonical_format:
        # A copy; sums of bytes are no bytes.
        X.data = check.kernel_array(X.data, "X").astype(np.int64) if X.dtype.kind in "biu" else X.data.copy()
        X.sum_duplicates()
        if not np.isfinite(X.data).all():
            raise ValueError(f"Input X contains entries of the same place whose sum is beyond {X.dtype}")
    X.data = check.kernel_array(X.data, "X")
    return X


def rows_of(X: Any, options: Options, centre: NDArray[np.float64] | None = None) -> Rows:
    """Return rows about their middle, or another centre."""
    if scipy.sparse.issparse(X):
        if centre is not None and centre.any():
            raise ValueError("X is sparse, but partial_fit was begun with dense X, about whose mean it goes on")
        return SparseRows(X, options.n_threads)
    some = X[:: max(1, len(X) // _CENTRE_ROWS)]
    some = aside(some.size, some.astype, np.float64)
    if centre is None and options.fit_intercept:
        centre = aside(some.size, _mean, some)
    largest = float(max(aside(some.size, some.max, initial=0.0), -aside(some.size, some.min, initial=0.0)))
    far = not (1 / _FAR < largest < _FAR) and largest > 0
    return DenseRows(X, options.n_threads, centre, in_float64=far)


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean, exact of a constant: less that, it is no feature."""
    mean: NDArray[np.float64] = rows[0] + (rows - rows[0]).mean(axis=0)
    return mean


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
    if total == 0:
        raise ValueError("all rows have weight zero: at least one must count")
    if not 1e-300 < total < 1e300:
        raise ValueError(f"the weights of the rows sum to {total}: a mean cannot divide by that")
    one, matrix = margins(margin, classes)
    batch = Batch(
        options.loss.kernel,
        np.broadcast_to(rows.dtype.type(0), (n, classes)),
        label=labels.codes,
        target=labels.indicator,
        weight=weight,
        targets="parts",
        column=labels.positive_weights(class_weight, given),
        margin=one,
        margins=matrix,
        squared=options.loss.squared,
    )
    scale = options.loss.share(classes) / total
    return Objective(rows, options.loss, batch, options.penalty, scale, options.fit_intercept)
