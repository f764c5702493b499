"""What all estimators do with what they are given, before their own checks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from fastclf import _validation as check


def checked_data(model: Any, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Any]:
    """Return rows and labels to fit that are finite and as many, as scikit-learn checks them."""
    check.refuse_masked(X, "X")
    check.refuse_masked(y, "y")
    rows, labels = validate_data(model, X, y, reset=reset, dtype="numeric", multi_output=True, **options)
    check.refuse_rounded(X, rows, "X")
    return rows, labels


def checked_classes(labels: Any) -> Any:
    """Return labels if they are classes, one for each row."""
    labels = column_or_1d(labels, warn=True)
    check_classification_targets(labels)
    return labels


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
    rows = validate_data(model, X, reset=False, dtype="numeric", ensure_min_samples=0, **options)
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
