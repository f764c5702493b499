"""Checks of parameters that losses and the classifiers that minimise them share: numbers, flags, margins."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import validation as check


def number(value: Any, name: str, low: float = -np.inf, high: float = np.inf) -> float:
    """Return a finite real number from `low` to `high`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    try:
        x = float(value)
    except OverflowError:  # an int beyond the range
        x = np.inf
    if not (np.isfinite(x) and low <= x <= high):
        limits = f"in [{low}, {high}]" if high < np.inf else f"at least {low}" if low > -np.inf else "finite"
        raise ValueError(f"{name} must be {limits}, got {value!r:.60}")
    return x


def flag(value: object, name: str) -> bool:
    """Return a bool."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def margins(margin: Any, classes: int) -> tuple[float, NDArray[np.float64] | None]:
    """One margin, or a matrix of one for each true class (row) and other class (column)."""
    if margin is None or isinstance(margin, numbers.Number | str):
        return number(margin, "margin"), None
    matrix = check.dense_array(margin, "margin")
    if matrix.ndim == 0:
        return number(matrix[()], "margin"), None
    if matrix.shape != (classes, classes) or matrix.dtype.kind not in "biuf":
        raise ValueError(
            f"margin must be a number or a matrix of shape ({classes}, {classes}), got {matrix.dtype} of shape "
            f"{matrix.shape}"
        )
    matrix = check.float64_array(matrix, "margin")
    check.check_finite(matrix, "margin")
    return 0.0, matrix
