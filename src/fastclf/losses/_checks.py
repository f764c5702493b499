"""Checks of what users pass to losses."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import _validation as check


def dense_array(a: ArrayLike, name: str) -> NDArray[Any]:
    """Return `a` as an array, unless it is sparse or has masked entries."""
    check.refuse_masked(a, name)
    if hasattr(a, "toarray"):
        raise TypeError(f"Sparse data was passed for {name}, but dense data is required. Use '.toarray()' to convert.")
    return check.as_array(a, name)


def as_matrix(a: NDArray[Any]) -> NDArray[Any]:
    """Return `a`, or the column that one dimension is."""
    return a[:, np.newaxis] if a.ndim == 1 else a


def float_array(a: ArrayLike, name: str) -> NDArray[Any]:
    """Return `a` as float32 or float64, whichever holds it, in C order, aligned: not copied if it is that already."""
    array = check.kernel_array(dense_array(a, name), name)
    return array.astype(np.float32) if array.dtype == np.uint8 else array


def finite_array(a: ArrayLike, name: str, ndim: int) -> NDArray[Any]:
    """Return `a` as a finite `float_array` of so many dimensions."""
    array = float_array(a, name)
    if array.ndim != ndim:
        raise ValueError(f"Expected {ndim}D array for {name}, got {array.ndim}D array with shape {array.shape}")
    check.check_finite(as_matrix(array), name)
    return array


def scores(a: ArrayLike) -> NDArray[Any]:
    """Return `a` as scores of classes: a `float_array` of shape (n_samples, n_classes)."""
    array = float_array(a, "scores")
    if array.ndim != 2:
        raise ValueError(f"scores must have shape (n_samples, n_classes), got shape {array.shape}")
    if array.shape[1] == 0:
        raise ValueError(f"scores must have at least one class, got shape {array.shape}")
    return array


def score_array(a: ArrayLike) -> NDArray[Any]:
    """Return `a` as scores that each count for themselves: a `float_array` of one or two dimensions."""
    array = float_array(a, "scores")
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise ValueError(f"scores must have shape (n_samples,) or (n_samples, n_columns), got shape {array.shape}")
    return array


def result_array(
    out: Any, name: str, like: NDArray[Any], others: tuple[NDArray[Any], ...], *, in_place: bool = False
) -> NDArray[Any]:
    """Return `out` as an array that results shaped as `like` can be written into, beside `like` and others.

    With `in_place` it may be `like` itself.
    """
    if not hasattr(out, "__array_interface__") and not hasattr(out, "__dlpack__"):
        raise TypeError(f"{name} must be an array, got {type(out).__name__}")
    array = check.as_array(out, name)
    if array.dtype != like.dtype or array.shape != like.shape:
        raise ValueError(f"{name} must be {like.dtype} of shape {like.shape}, got {array.dtype} of shape {array.shape}")
    if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
        raise ValueError(f"{name} must be C-contiguous, aligned and writeable")
    if any(np.may_share_memory(array, a) for a in others):
        raise ValueError(f"{name} overlaps an input or another result")
    itself = in_place and array.ctypes.data == like.ctypes.data
    if not itself and np.may_share_memory(array, like):
        raise ValueError(f"{name} overlaps an input" + "; it may only be the scores themselves" * in_place)
    return array


def labels(target: NDArray[Any], shape: tuple[int, ...], ignore_index: int | None) -> NDArray[np.int64]:
    """Class ids of the rows of scores of that shape, as a copy of their own; -1 where they are `ignore_index`."""
    rows, classes = shape
    if target.dtype.kind not in "iub" and target.size:
        raise TypeError(f"target of shape {target.shape} must hold class ids, which are integers; got {target.dtype}")
    if target.shape != (rows,):
        raise ValueError(f"target must have shape ({rows},), as scores have {rows} rows; got {target.shape}")
    low, high = (int(target.min()), int(target.max())) if rows else (0, 0)
    if low < 0 or high >= classes or (ignore_index is not None and low <= ignore_index <= high):
        return _labels_with_others(target, classes, ignore_index)
    return target.astype(np.int64)


def _labels_with_others(target: NDArray[Any], classes: int, ignore_index: int | None) -> NDArray[np.int64]:
    """`labels`, where not all are classes that count."""
    ignored = np.zeros(target.shape, bool) if ignore_index is None else target == ignore_index
    outside = ((target < 0) | (target >= classes)) & ~ignored
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise ValueError(f"target[{row}] = {target[row]} is outside [0, {classes})")
    ids = target.astype(np.int64)
    ids[ignored] = -1
    return ids


def class_ids(target: ArrayLike, like: NDArray[Any], ignore_index: int | None) -> NDArray[np.int64]:
    """`target` as `labels` of the rows of `like`."""
    return labels(dense_array(target, "target"), like.shape, ignore_index)


def values(target: ArrayLike, like: NDArray[Any], name: str = "target") -> NDArray[Any]:
    """Numbers in the shape of `like`, in a dtype that the kernels read; these look at what they are."""
    array = dense_array(target, name)
    if array.shape != like.shape:
        raise ValueError(f"{name} must have the scores' shape {like.shape}, got {array.shape}")
    return check.kernel_array(array, name)


def class_targets(
    target: ArrayLike, like: NDArray[Any], ignore_index: int | None
) -> tuple[NDArray[np.int64] | None, NDArray[Any] | None]:
    """Class ids, or (two-dimensional) values of classes: the other of the two is None."""
    array = dense_array(target, "target")
    if array.ndim != 2:
        return labels(array, like.shape, ignore_index), None
    return None, values(array, like)


def weights(weight: ArrayLike | None, size: int, name: str) -> NDArray[np.float64] | None:
    """Finite weights, not negative, one for each of `size`."""
    if weight is None:
        return None
    array = dense_array(weight, name)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, got dtype {array.dtype}")
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), got {array.shape}")
    array = _float64(array)
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{name}[{at}] = {array[at]}: weights must be finite and not negative")
    return array


def column_weights(weight: Any, size: int, name: str) -> NDArray[np.float64] | None:
    """`weights` of columns, or one number for all of them."""
    array = None if weight is None else dense_array(weight, name)
    return weights(np.full(size, array) if array is not None and array.ndim == 0 else array, size, name)


def _float64(a: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):  # of longer types: infinities are refused
        return np.require(a, np.float64, ["C", "A"])


def by_class(
    label: NDArray[np.int64], of_class: NDArray[np.float64] | None, of_row: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Weights of rows from those of their classes and their own; rows left out have any."""
    if of_class is None:
        return of_row
    picked = of_class[label]
    if of_row is None:
        return picked
    with np.errstate(over="ignore"):
        both = picked * of_row
    if not np.isfinite(both).all():
        raise ValueError("weight times sample_weight is beyond float64")
    return both


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


def integer_or_none(value: object, name: str) -> int | None:
    """Return an int, or None."""
    if value is None:
        return None
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an int or None, got {value!r}")
    return int(value)


def flag(value: object, name: str) -> bool:
    """Return a bool."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def margins(margin: Any, classes: int) -> tuple[float, NDArray[np.float64] | None]:
    """One margin, or a matrix of one for each true class (row) and other class (column)."""
    if isinstance(margin, numbers.Number):
        return number(margin, "margin"), None
    matrix = dense_array(margin, "margin")
    if matrix.ndim == 0:
        return number(matrix[()], "margin"), None
    if matrix.shape != (classes, classes) or matrix.dtype.kind not in "biuf":
        raise ValueError(
            f"margin must be a number or a matrix of shape ({classes}, {classes}), got {matrix.dtype} of shape "
            f"{matrix.shape}"
        )
    matrix = _float64(matrix)
    check.check_finite(matrix, "margin")
    return 0.0, matrix
