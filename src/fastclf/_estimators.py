"""What all estimators do with what they are given, before their own checks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import check_array, check_random_state, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from fastclf import _reading
from fastclf import _validation as check
from fastclf._aligning import realigned
from fastclf._interrupts import aside

_SORTING = 20  # times as long as going through the values


class Estimator(BaseEstimator):  # type: ignore[misc]
    """What all estimators have in common."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was pickled, with all arrays where kernels can read them."""
        super().__setstate__(realigned(state))


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """What classifiers of rows have in common."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the accuracy: the share of the rows whose class is predicted.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows, as `predict` takes them; nearest-neighbours models take None, too.
        y : array-like of shape (n_queries,), or of the shape of an indicator
            Their true classes.
        sample_weight : array-like of shape (n_queries,), optional
            Weights of the rows.

        Returns
        -------
        float
            The accuracy, from 0 to 1.

        Raises
        ------
        TypeError, ValueError
            As `predict` does; or if `y` or `sample_weight` do not go with X.

        Examples
        --------
        >>> from fastclf import KNN
        >>> model = KNN(k=1).fit([[0.0], [1.0], [5.0]], ["a", "a", "b"])
        >>> model.score([[0.4], [6.0]], ["a", "b"]), round(model.score(None, ["a", "a", "b"]), 3)
        (1.0, 0.667)
        """
        labels = y if scipy.sparse.issparse(y) else check.labels_array(y, "y")
        weights = None if sample_weight is None else check.as_array(sample_weight, "sample_weight")
        with _full_checks():
            return float(accuracy_score(labels, self.predict(X), sample_weight=weights))


def checked_data(model: Any, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Any]:
    """Return rows and labels to fit that are finite and as many, as scikit-learn checks them."""
    rows, labels = own_structure(_array(X), "X"), own_structure(y, "y")
    labels = labels if y is None or scipy.sparse.issparse(y) else check.labels_array(y, "y")
    rows, labels = _checked(check_X_y, rows, labels, multi_output=True, estimator=model, **options)
    _check_features(model, X, rows, reset)
    return rows, labels


def own_structure(a: Any, name: str) -> Any:
    """Return a sparse matrix that is valid and stays so, as nobody else has its indices; anything else as it is.

    Values are copied only where they have to be: they are no addresses.
    """
    if not scipy.sparse.issparse(a):
        return a
    try:
        own = type(a)((a.data, a.indices.copy(), a.indptr.copy()), shape=a.shape) if a.format == "csr" else a.copy()
        if own.dtype.kind in "biu" and not getattr(own, "has_canonical_format", True):
            own = own.astype(np.int64 if own.dtype.itemsize < 8 else own.dtype)  # entries of one place are added up
        if hasattr(own, "check_format"):  # others are checked as they are made, or not indexed by
            aside(own.nnz, own.check_format, full_check=True)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{name} is not a valid sparse matrix, or was changed during the call: {error}") from error
    return own


def checked_classes(labels: Any) -> Any:
    """Return a copy of labels if they are classes, one for each row."""
    labels = np.array(column_or_1d(labels, warn=True))
    aside(_SORTING * labels.size, check_classification_targets, labels)
    return labels


def codes_of(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes, sorted, and the number of each label among them."""
    classes, codes = aside(_SORTING * labels.size, np.unique, labels, return_inverse=True)
    return classes, codes.astype(np.int64, copy=False)


def agreed_classes(given: NDArray[Any] | None, known: NDArray[Any] | None) -> NDArray[Any] | None:
    """Return the classes that `partial_fit` counts with: those given, which have to be those known, if any are."""
    if given is not None and len(given) < 2:
        raise ValueError(f"classes={given.tolist()}: at least 2 classes are needed")
    if known is not None and given is not None and not np.array_equal(known, given):
        raise ValueError(f"classes={given.tolist()} is not what it was before: {known.tolist()}")
    return given if known is None else known


def generator(random_state: Any) -> np.random.Generator:
    """Return what draws for a model."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


def checked_queries(model: Any, X: Any, **options: Any) -> Any:
    """Return rows that are finite and as wide as those the model was fitted on; none are fine."""
    return checked_rows(model, X, reset=False, ensure_min_samples=0, **options)


def checked_rows(model: Any, X: Any, reset: bool, **options: Any) -> Any:
    """Return rows without labels that are finite, as scikit-learn checks them."""
    rows = own_structure(_array(X), "X")
    rows = _checked(check_array, rows, input_name="X", estimator=model, **options)
    _check_features(model, X, rows, reset)
    return rows


def rows_to_keep(array: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Return checked rows for the kernels, and whether nobody else holds them."""
    rows = check.kernel_array(array, "X")
    return rows, not np.may_share_memory(rows, array)


def _array(X: Any) -> Any:
    """Return X as an array of the numbers that it has, for scikit-learn to check; sparse data as they are."""
    check.refuse_masked(X, "X")
    if scipy.sparse.issparse(X) or isinstance(X, np.matrix):
        return X
    if _reading.is_frame(X) and len(X.columns) and hasattr(X, "sparse"):  # whose columns are all sparse
        _reading.refuse_rounded_sparse(X, "X")
        return X
    array = check.as_array(X, "X")
    if array.ndim != 2:
        return X  # scikit-learn says what it is
    return _reading.exact_floats(array, "X") if array.dtype == object else array


def _checked(by: Callable[..., Any], rows: Any, *labels: Any, **options: Any) -> Any:
    """Return what a check of scikit-learn's does; it looks at all values, whatever the configuration."""

    def checked() -> Any:  # the configuration is the thread's
        with _full_checks():
            found = by(rows, *labels, dtype="numeric", **options)
            _refuse_other_infinite(found[0] if labels else found)
            return found

    return aside(getattr(rows, "size", 0), checked)


def _full_checks() -> Any:
    """Have scikit-learn look at all values, which are NumPy's, whatever its configuration: kernels rely on it."""
    return config_context(assume_finite=False, array_api_dispatch=False)


def _refuse_other_infinite(rows: Any) -> None:
    """Look at long floats, and at those in the other byte order, which not all versions of scikit-learn do."""
    if rows.dtype in check.KERNEL_DTYPES or rows.dtype.kind != "f":
        return
    if not scipy.sparse.issparse(rows):
        check.check_finite(rows, "X")
    elif not np.isfinite(rows.data).all():
        raise ValueError("Input X contains NaN or infinity.")


def _check_features(model: Any, X: Any, rows: Any, reset: bool) -> None:
    """Compare names and number of the features with those seen before, or keep them."""
    validate_data(model, X if _reading.is_frame(X) else rows, reset=reset, skip_check_array=True)


@contextlib.contextmanager
def unchanged_if_it_fails(model: Any) -> Iterator[None]:
    """Leave an estimator as it was if what is done to it raises, also what `validate_data` has set."""
    before = dict(model.__dict__)
    try:
        yield
    except BaseException:
        model.__dict__ = before
        raise
