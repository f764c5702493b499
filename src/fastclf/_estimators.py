"""What all estimators do with what they are given, before their own checks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
import sklearn
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from fastclf import _validation as check
from fastclf._interrupts import aside, is_long

_SORTING = 20  # times as long as going through the values


def checked_data(model: Any, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Any]:
    """Return rows and labels to fit that are finite and as many, as scikit-learn checks them."""
    check.refuse_masked(X, "X")
    check.refuse_masked(y, "y")
    X, y = own_structure(X, "X"), own_structure(y, "y")
    rows, labels = _validated(model, X, reset, y=y, multi_output=True, **options)
    check.refuse_rounded(X, rows, "X")
    return rows, labels


def own_structure(a: Any, name: str) -> Any:
    """Return a sparse matrix that is valid and stays so, as nobody else has its indices; anything else as it is.

    Values are copied only where they have to be: they are no addresses.
    """
    if not scipy.sparse.issparse(a):
        return a
    try:
        own = type(a)((a.data, a.indices.copy(), a.indptr.copy()), shape=a.shape) if a.format == "csr" else a.copy()
        if hasattr(own, "check_format"):  # others are checked as they are made, or not indexed by
            aside(own.nnz, own.check_format, full_check=True)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{name} is not a valid sparse matrix, or was changed during the call: {error}") from error
    return own


def _validated(model: Any, X: Any, reset: bool, **options: Any) -> Any:
    """Return what `validate_data` does, with what it sets only in the end: not after an interruption."""
    options |= {"reset": reset, "dtype": "numeric"}
    size = getattr(X, "size", 0)
    if not isinstance(size, int) or not is_long(size):
        return validate_data(model, X, **options)
    stand_in = object.__new__(type(model))
    stand_in.__dict__ = dict(model.__dict__)
    config = sklearn.get_config()  # of this thread

    def validated() -> Any:
        with sklearn.config_context(**config):
            return validate_data(stand_in, X, **options)

    found = aside(size, validated)
    if reset:
        model.__dict__ = stand_in.__dict__
    return found


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
    check.refuse_masked(X, "X")
    X = own_structure(X, "X")
    rows = _validated(model, X, False, ensure_min_samples=0, **options)
    check.refuse_rounded(X, rows, "X")
    return rows


@contextlib.contextmanager
def unchanged_if_it_fails(model: Any) -> Iterator[None]:
    """Leave an estimator as it was if what is done to it raises, also what `validate_data` has set."""
    before = dict(model.__dict__)
    try:
        yield
    except BaseException:
        model.__dict__ = before
        raise
