"""What all estimators do with what they are given, before their own checks."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_random_state, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from fastclf import _native
from fastclf._shared import labels as _labels
from fastclf._shared import reading, sparse
from fastclf._shared import validation as check
from fastclf._shared.aligning import realigned
from fastclf._shared.interrupts import aside
from fastclf._shared.sealing import open_into, sealed

_SORTING = 20  # times as long as going through the values


class Estimator(BaseEstimator):  # type: ignore[misc]
    """What all estimators have in common."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was pickled, with all arrays where kernels can read them."""
        super().__setstate__(realigned(state))

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        """Return what is pickled: the state is sealed, and checked before `__setstate__` sees it.

        What a subclass pickles in ways of its own is left as it is.
        """
        parts: str | tuple[Any, ...] = super().__reduce_ex__(protocol)
        if isinstance(parts, str) or len(parts) < 3 or parts[2] is None or len(parts) > 5:
            return parts
        make, arguments, state, items, pairs = (*parts, None, None)[:5]
        return make, arguments, sealed(state), items, pairs, open_into

    def __copy__(self) -> Self:
        """Return a copy with the same values."""
        copied = type(self).__new__(type(self))
        state: Any = self.__getstate__()
        copied.__setstate__(state)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy with copies of the values."""
        copied = memo[id(self)] = type(self).__new__(type(self))
        state: Any = self.__getstate__()
        copied.__setstate__(copy.deepcopy(state, memo))
        return copied


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
        from sklearn.metrics import accuracy_score  # here, as it takes longer to import than all of fastclf

        labels = y if scipy.sparse.issparse(y) else check.labels_array(y, "y")
        weights = None
        if sample_weight is not None:
            weights = check.weights_of(sample_weight, labels.shape[:1], "sample_weight")
            weights = check.summable(weights[np.newaxis])[0]
        with _full_checks():
            predicted = self.predict(X)
            _labels.refuse_unordered(labels, predicted, "y")
            share = float(accuracy_score(labels, predicted, sample_weight=weights))
        if predicted.ndim > 1 or labels.dtype == predicted.dtype:
            return share
        return float(np.average(_labels.are_equal(labels.ravel(), predicted), weights=weights))  # with none rounded


def checked_data(model: Any, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Any]:
    """Return rows and labels to fit that are finite and as many, as scikit-learn checks them."""
    rows, labels = own_structure(_array(X), "X"), own_structure(y, "y")
    labels = labels if y is None or scipy.sparse.issparse(y) else check.labels_array(y, "y")
    rows, labels = _checked(check_X_y, rows, labels, multi_output=True, estimator=model, **options)
    _check_features(model, X, rows, reset)
    return rows, labels


def own_structure(a: Any, name: str) -> Any:
    """Return a sparse matrix that is valid and stays so, as nobody else has its indices; anything else as it is.

    It has one entry for each place. Values are copied only where they have to be: they are no addresses.
    """
    if not scipy.sparse.issparse(a):
        return a
    reading.refuse_masked(getattr(a, "data", None), name)
    try:
        own = type(a)((a.data, a.indices.copy(), a.indptr.copy()), shape=a.shape) if a.format == "csr" else a.copy()
        if hasattr(own, "check_format"):  # others are checked as they are made, or not indexed by
            aside(own.nnz, own.check_format, full_check=True)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{name} is not a valid sparse matrix, or was changed during the call: {error}") from error
    return aside(_SORTING * own.nnz, sparse.with_sums, own, name)


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
    if (
        known is not None
        and given is not None
        and not (known.shape == given.shape and _labels.are_equal(known, given).all())
    ):
        raise ValueError(f"classes={given.tolist()} is not what it was before: {known.tolist()}")
    return given if known is None else known


def generator(random_state: Any) -> np.random.Generator:
    """Return what draws for a model."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))


def checked_queries(model: Any, X: Any, **options: Any) -> Any:
    """Return rows that are finite and as wide as those the model was fitted on; none are fine."""
    if _is_plainly_right(model, X):  # scikit-learn's checks take longer than a search for one query
        return X
    return checked_rows(model, X, reset=False, ensure_min_samples=0, **options)


def checked_rows(model: Any, X: Any, reset: bool, **options: Any) -> Any:
    """Return rows without labels that are finite, as scikit-learn checks them."""
    rows = own_structure(_array(X), "X")
    rows = _checked(check_array, rows, input_name="X", estimator=model, **options)
    _check_features(model, X, rows, reset)
    return rows


def _is_plainly_right(model: Any, X: Any) -> bool:
    """Whether queries are an array for the kernels in which scikit-learn's checks would find nothing to say."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == getattr(model, "n_features_in_", None)
        and not hasattr(model, "feature_names_in_")
        and check.is_for_kernels(X, narrow=True)
        and _native.first_not_finite(X) is None
    )


def rows_to_keep(array: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Return checked rows for searches, and whether nobody else holds them."""
    rows = check.kernel_array(array, "X", narrow=True)
    return rows, not np.may_share_memory(rows, array)


def _array(X: Any) -> Any:
    """Return X as an array of the numbers that it has, for scikit-learn to check; sparse data as they are."""
    if scipy.sparse.issparse(X) or isinstance(X, np.matrix):
        return X
    if reading.is_frame(X) and len(X.columns) and hasattr(X, "sparse"):  # whose columns are all sparse
        reading.refuse_rounded_sparse(X, "X")
        return X
    array = check.as_array(X, "X")
    if array.ndim != 2:
        return X  # scikit-learn says what it is
    return reading.exact_floats(array, "X") if array.dtype == object else array


def _checked(by: Callable[..., Any], rows: Any, *labels: Any, **options: Any) -> Any:
    """Return what a check of scikit-learn's does; it looks at all values, whatever the configuration."""

    def checked() -> Any:  # the configuration is the thread's
        with _full_checks(), np.errstate(over="ignore", invalid="ignore"):  # a sum tells it whether all are finite
            found = by(_stand_in(rows), *labels, dtype="numeric", **options)
            if _is_bfloat16(rows):
                found = (rows, *found[1:]) if labels else rows
            _refuse_other_infinite(found[0] if labels else found)
            return found

    size = getattr(rows, "size", 0)
    return aside(size if isinstance(size, int) else 0, checked)  # of a tensor it is a method


def _stand_in(rows: Any) -> Any:
    """Return what scikit-learn is to check: of bfloat16, which it does not know, other numbers of the same shape."""
    return np.broadcast_to(np.float32(0), rows.shape) if _is_bfloat16(rows) else rows


def _is_bfloat16(rows: Any) -> bool:
    return isinstance(rows, np.ndarray) and check.is_bfloat16(rows.dtype)


def _full_checks() -> Any:
    """Have scikit-learn look at all values, which are NumPy's, whatever its configuration: kernels rely on it."""
    return config_context(assume_finite=False, array_api_dispatch=False)


def _refuse_other_infinite(rows: Any) -> None:
    """Look at long floats, and at those in the other byte order, which not all versions of scikit-learn do."""
    if rows.dtype in check.KERNEL_DTYPES or not (rows.dtype.kind == "f" or check.is_bfloat16(rows.dtype)):
        return
    if not scipy.sparse.issparse(rows):
        check.check_finite(rows, "X")
    elif not np.isfinite(rows.data).all():
        raise ValueError("Input X contains NaN or infinity.")


def _check_features(model: Any, X: Any, rows: Any, reset: bool) -> None:
    """Compare names and number of the features with those seen before, or keep them."""
    validate_data(model, X if reading.is_frame(X) else rows, reset=reset, skip_check_array=True)


@contextlib.contextmanager
def unchanged_if_it_fails(model: Any) -> Iterator[None]:
    """Leave an estimator as it was if what is done to it raises, also what `validate_data` has set."""
    before = dict(model.__dict__)
    try:
        yield
    except BaseException:
        model.__dict__ = before
        raise
