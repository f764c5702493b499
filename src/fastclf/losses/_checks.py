"""Checks of what users pass to losses."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import validation as check
from fastclf._shared.batch import as_matrix
from fastclf._shared.interrupts import aside


def float_array(a: ArrayLike, name: str) -> NDArray[Any]:
    """Return `a` as float32 or float64, whichever holds it, in C order, aligned: not copied if it is that already."""
    array = check.kernel_array(check.dense_array(a, name), name)
    return aside(array.size, array.astype, np.float32) if array.dtype == np.uint8 else array


def finite_array(a: ArrayLike, name: str, ndim: int) -> NDArray[Any]:
    """Return `a` as a finite `float_array` of `ndim` dimensions."""
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
    array = check.writable(out, name, like.dtype, like.shape)
    if any(np.may_share_memory(array, a) for a in others):
        raise ValueError(f"{name} overlaps an input or another result")
    itself = in_place and array.ctypes.data == like.ctypes.data
    if not itself and np.may_share_memory(array, like):
        raise ValueError(f"{name} overlaps an input" + "; it may only be the scores themselves" * in_place)
    return array


def class_ids(target: ArrayLike, like: NDArray[Any], ignore_index: int | None) -> NDArray[np.int64]:
    """Class ids of the rows of `like`, as a copy of their own; -1 where they are `ignore_index`."""
    array, (rows, classes) = check.dense_array(target, "target"), like.shape
    if array.dtype.kind not in "iub" and array.size:
        raise TypeError(f"target of shape {array.shape} must hold class ids, which are integers; got {array.dtype}")
    if array.shape != (rows,):
        raise ValueError(f"target must have shape ({rows},), as scores have {rows} rows; got {array.shape}")
    array = array.astype(np.uint64 if array.dtype == np.uint64 else np.int64)  # what is checked is the copy
    low, high = (int(array.min()), int(array.max())) if rows else (0, 0)
    if low < 0 or high >= classes or (ignore_index is not None and low <= ignore_index <= high):
        return _class_ids_with_others(array, classes, ignore_index)
    return array.astype(np.int64, copy=False)


def _class_ids_with_others(target: NDArray[Any], classes: int, ignore_index: int | None) -> NDArray[np.int64]:
    """`class_ids`, where not all are classes that count."""
    ignored = np.zeros(target.shape, bool) if ignore_index is None else target == ignore_index
    outside = ((target < 0) | (target >= classes)) & ~ignored
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise ValueError(f"target[{row}] = {target[row]} is outside [0, {classes})")
    ids = target.astype(np.int64)
    ids[ignored] = -1
    return ids


def values(target: ArrayLike, like: NDArray[Any], name: str = "target") -> NDArray[Any]:
    """Numbers in the shape of `like`, in a dtype that the kernels read; these look at what they are."""
    array = check.dense_array(target, name)
    if array.shape != like.shape:
        raise ValueError(f"{name} must have the scores' shape {like.shape}, got {array.shape}")
    return check.kernel_array(array, name)


def class_targets(
    target: ArrayLike, like: NDArray[Any], ignore_index: int | None
) -> tuple[NDArray[np.int64] | None, NDArray[Any] | None]:
    """Class ids, or (two-dimensional) values of classes: the other of the two is None."""
    array = check.dense_array(target, "target")
    if array.ndim != 2:
        return class_ids(array, like, ignore_index), None
    return None, values(array, like)


def weights(weight: ArrayLike | None, size: int, name: str) -> NDArray[np.float64] | None:
    """Finite weights, not negative, one for each of `size`."""
    return None if weight is None else check.weights_of(weight, (size,), name)


def column_weights(weight: Any, size: int, name: str) -> NDArray[np.float64] | None:
    """`weights` of columns, or one number for all of them."""
    array = None if weight is None else check.dense_array(weight, name)
    return weights(np.full(size, array) if array is not None and array.ndim == 0 else array, size, name)


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


def integer_or_none(value: object, name: str) -> int | None:
    """Return an int, or None."""
    if value is None:
        return None
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an int or None, got {value!r}")
    return int(value)
