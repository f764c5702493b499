"""Checks of what users pass; the only place, beside scikit-learn's own, that raises for it."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import _native
from fastclf._shared import labels as _labels
from fastclf._shared import reading, tensors
from fastclf._shared.interrupts import aside

# What all kernels read as it is; and, with bfloat16, what searches read besides.
KERNEL_DTYPES = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
_NARROW_DTYPES = (np.dtype(np.int8), np.dtype(np.float16))

# Other packages' names of the metrics.
_OTHER_NAMES = {"manhattan": "l1", "cityblock": "l1", "euclidean": "l2"}
METRIC_NAMES = {name: name for name in _native.metrics()} | _OTHER_NAMES

# Integers up to here, and all smaller ones, are exact in the type.
_EXACT_INTEGERS = ((np.dtype(np.float32), 2**24), (np.dtype(np.float64), 2**53))

_CHUNK_VALUES = 1 << 20  # checked at a time: a temporary of a byte each

MOST_CLASSES = 2**31 - 1


def one_of(value: object, known: Any, name: str) -> None:
    """Raise unless `value` is one of the `known` names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {sorted(known)}, got {value!r}")


def at_least(value: Any, low: int, name: str) -> int:
    """`value` as an int of at least `low`."""
    if not isinstance(value, numbers.Integral) or (isinstance(value, bool) and low > 0):
        raise TypeError(f"{name} must be an int, got {value!r} of type {type(value).__name__}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}")
    return int(value)


def share(value: object, name: str) -> None:
    """Raise unless `value` is a number that is more than 0 and at most 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 < float(value) <= 1:
        raise ValueError(f"{name} must be in (0, 1], got {value!r}")


def metric_name(metric: object, name: str = "metric") -> str:
    """Return the kernels' name of `metric`."""
    one_of(metric, METRIC_NAMES, name)
    return METRIC_NAMES[str(metric)]


def neighbor_count(k: object, n_rows: int | None = None, what: str = "n_samples_fit", name: str = "k") -> int:
    """`k` as an int of at least 1, and at most `n_rows`."""
    if isinstance(k, bool | np.bool_) or not isinstance(k, numbers.Integral):
        raise TypeError(f"{name} must be an int, got {k!r} of type {type(k).__name__}")
    count = int(k)
    if count < 1:
        raise ValueError(f"Expected {name} >= 1, got {name} = {k}")
    if n_rows is not None and count > n_rows:
        raise ValueError(f"Expected {name} <= {what}, but {name} = {k}, {what} = {n_rows}")
    return count


def matrix(a: ArrayLike, name: str, *, narrow: bool = False) -> NDArray[Any]:
    """Return `a` as a finite two-dimensional array that the kernels take: see `kernel_array`."""
    array = dense_array(a, name)
    if array.ndim != 2:
        raise ValueError(f"Expected 2D array for {name}, got {array.ndim}D array with shape {array.shape}")
    if array.shape[1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={array.shape}) while a minimum of 1 is required for {name}."
        )
    array = kernel_array(array, name, narrow=narrow)
    check_finite(array, name)
    return array


def dense_array(a: ArrayLike, name: str) -> NDArray[Any]:
    """Return `a` as an array, unless it is sparse."""
    if hasattr(a, "toarray"):
        raise TypeError(f"Sparse data was passed for {name}, but dense data is required. Use '.toarray()' to convert.")
    return as_array(a, name)


def as_array(a: Any, name: str) -> NDArray[Any]:
    """Return `a` as an array; memory that it offers by DLPack or the array interface is not copied.

    Numbers keep their values; those of a frame or a list that no dtype holds together are refused, as are masked ones.
    """
    return tensors.memory_of(a, name) if tensors.is_tensor(a) else reading.array_of(a, name)


def labels_array(a: Any, name: str) -> NDArray[Any]:
    """Return labels as an array of the values that they have; none may be missing."""
    return _labels.labels_of(tensors.memory_of(a, name) if tensors.is_tensor(a) else a, name)


def kernel_array(a: NDArray[Any], name: str, *, narrow: bool = False) -> NDArray[Any]:
    """Return `a` in C order, aligned, as uint8, float32 or float64, whichever holds its values exactly.

    bool becomes uint8; float16 and bfloat16 become float32, or stay what they are if `narrow`; other integers become
    the narrowest of the three that their values fit, but int8 below 0 stays so if `narrow`.
    Python's objects, if they are numbers, become float64.
    """
    if a.dtype == object:
        a = reading.exact_floats(a, name)
    if a.dtype == np.int8:
        a = aside(a.size, _without_sign, a)
    return a if is_for_kernels(a, narrow=narrow) else aside(a.size, _converted, a, name, narrow)


def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is that of the package ml_dtypes, which whoever has such arrays has imported."""
    return dtype.kind == "V" and dtype.name == "bfloat16"


def is_for_kernels(a: NDArray[Any], *, narrow: bool = False) -> bool:
    """Whether the kernels take an array as it is; searches take those that are `narrow`, too."""
    flags = a.flags
    is_narrow = a.dtype in _NARROW_DTYPES or (is_bfloat16(a.dtype) and a.dtype.isnative)
    is_read = a.dtype in KERNEL_DTYPES or (narrow and is_narrow)
    return is_read and flags.c_contiguous and flags.aligned


def _without_sign(a: NDArray[np.int8]) -> NDArray[Any]:
    """Return int8 as uint8, in the same memory, if none is negative."""
    return a if a.min(initial=0) < 0 else a.view(np.uint8)


def _converted(a: NDArray[Any], name: str, narrow: bool) -> NDArray[Any]:
    return np.require(a.astype(_kernel_dtype(a, name, narrow), copy=False), requirements=["C", "A"])


def _kernel_dtype(a: NDArray[Any], name: str, narrow: bool = False) -> np.dtype[Any]:
    if is_bfloat16(a.dtype):
        return a.dtype.newbyteorder("=") if narrow else np.dtype(np.float32)
    if a.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {a.dtype}; numbers are required (bool, integers or floats)")
    dtype = a.dtype.newbyteorder("=")
    if dtype in KERNEL_DTYPES:
        return dtype
    if dtype == np.bool_:
        return np.dtype(np.uint8)
    if dtype == np.float16:
        return dtype if narrow else np.dtype(np.float32)
    if narrow and dtype == np.int8:
        return dtype
    if dtype.kind in "iu":
        return _integer_dtype(a, name)
    with np.errstate(over="ignore"):
        changed = (a.astype(np.float64) != a) & ~np.isnan(a)
    if changed.any():  # long double
        at = _first(changed)
        reading.refuse_inexact(name, a.dtype, np.dtype(np.float64), a[at], f"at {list(at)}")
    return np.dtype(np.float64)


def _first(where: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(where)), where.shape))


def _integer_dtype(a: NDArray[Any], name: str) -> np.dtype[Any]:
    low, high = (int(a.min()), int(a.max())) if a.size else (0, 0)
    if low >= 0 and high <= 255:
        return np.dtype(np.uint8)
    for dtype, exact in _EXACT_INTEGERS:
        if max(-low, high) <= exact:
            return dtype
    raise _inexact_integers(a, name, np.dtype(np.float64), 53)


def _inexact_integers(a: NDArray[Any], name: str, dtype: np.dtype[Any], bits: int) -> ValueError:
    at = _first((a > 2**bits) | (a < -(2**bits)) if a.dtype.kind == "i" else a > 2**bits)
    return ValueError(
        f"{name} of dtype {a.dtype} holds {a[at]}, beyond 2**{bits} (at {list(at)}): such integers are not exact in "
        f"{dtype}"
    )


def refuse_beyond_float32(a: NDArray[Any], name: str) -> None:
    """Raise for integers that are computed with in float32, but not exact there."""
    if a.dtype.kind in "iu" and _integer_dtype(a, name) == np.float64:
        raise _inexact_integers(a, name, np.dtype(np.float32), 24)


def check_finite(a: NDArray[Any], name: str) -> None:
    """Raise, in scikit-learn's words, for NaN or infinity in a matrix; uses a constant amount of memory."""
    row = _native.first_not_finite(a) if is_for_kernels(a, narrow=True) else _first_not_finite(a)
    if row is not None:
        found = "NaN" if np.isnan(a[row]).any() else f"infinity or a value too large for {a.dtype!r}"
        raise ValueError(f"Input {name} contains {found} (first in row {row}).")


def _first_not_finite(a: NDArray[Any]) -> int | None:
    rows = max(1, _CHUNK_VALUES // max(1, a.shape[1]))
    for start in range(0, len(a), rows):
        is_finite = np.isfinite(a[start : start + rows])
        if not is_finite.all():
            return start + int(np.flatnonzero(~is_finite.all(axis=1))[0])
    return None


def same_width(Q: NDArray[Any], X: NDArray[Any]) -> None:
    """Raise unless both have the same number of features."""
    if Q.shape[1] != X.shape[1]:
        raise ValueError(f"Q has {Q.shape[1]} features, but X has {X.shape[1]}: they must be equal")


def output(out: object, shape: tuple[int, ...], inputs: tuple[NDArray[Any], ...]) -> NDArray[np.float64]:
    """Return the memory of `out`, if distances can be written straight into it."""
    array = writable(out, "out", np.dtype(np.float64), shape)
    if any(np.may_share_memory(array, a) for a in inputs):
        raise ValueError("out overlaps an input")
    return array


def writable(out: object, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the memory of `out`, if results of that dtype and shape can be written straight into it."""
    tensors.refuse_untold(out, name)
    array = as_array(out, name)
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{name} must be {dtype} of shape {shape}, got {array.dtype} of shape {array.shape}")
    if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
        raise ValueError(f"{name} must be C-contiguous, aligned and writeable")
    return array


def bool_mask(a: Any, n_rows: int, name: str) -> NDArray[np.bool_]:
    """Return a copy of `a`, if it is a mask of `n_rows` rows."""
    array = dense_array(a, name)
    if array.dtype != np.bool_ or array.shape != (n_rows,):
        raise ValueError(f"{name} must be bools of shape ({n_rows},), got {array.dtype} of shape {array.shape}")
    return array.copy()


def rows_mask(a: Any, n_rows: int, name: str) -> NDArray[np.bool_]:
    """Return which rows `a` names: a mask of them, or numbers from 0 on."""
    array = dense_array(a, name)
    if array.dtype == np.bool_:
        return bool_mask(array, n_rows, name)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise ValueError(f"{name} must be row numbers or a mask of rows, got {array.dtype} of shape {array.shape}")
    numbers = array.astype(np.int64)  # what is checked is the copy
    outside = (numbers < 0) | (numbers >= n_rows)
    if outside.any():
        raise ValueError(f"{name} must be from 0 to {n_rows - 1}, got {array[np.argmax(outside)]}")
    mask = np.zeros(n_rows, dtype=bool)
    mask[numbers] = True
    return mask


def votes(labels: ArrayLike, n_classes: object) -> NDArray[np.int64]:
    """`labels` of neighbours, a row for each query, as `class_ids` has them."""
    array = as_array(labels, "labels")
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"labels must have shape (rows, k) with k >= 1, got shape {array.shape}")
    return class_ids(array, "labels", n_classes)


def class_ids(array: NDArray[Any], name: str, n_classes: object) -> NDArray[np.int64]:
    """Return integers as int64, in C order, aligned, for a kernel that refuses those outside [0, n_classes).

    Then `refused_ids` says which one it was. To look for it beforehand would add half of the time that votes take.
    """
    if array.dtype.kind not in "iub":
        raise TypeError(f"{name} must be integers, got dtype {array.dtype}")
    if isinstance(n_classes, bool) or not isinstance(n_classes, numbers.Integral):
        raise TypeError(f"n_classes must be an int, got {n_classes!r}")
    if not 1 <= int(n_classes) <= MOST_CLASSES:
        raise ValueError(f"n_classes must be from 1 to {MOST_CLASSES}, got {n_classes}")
    may_wrap = array.dtype.kind == "u" and array.itemsize == np.dtype(np.int64).itemsize
    if may_wrap and has_outside(array, int(n_classes)):
        raise refused_ids(array, name, int(n_classes))
    return aside(array.size, lambda: np.require(array, np.int64, ["C", "A"]))


def has_outside(ids: NDArray[Any], n_classes: int) -> bool:
    """Whether an array has a number outside [0, n_classes)."""
    return aside(ids.size, _first_outside, ids, n_classes) is not None


def refused_ids(ids: NDArray[Any], name: str, n_classes: int) -> ValueError:
    """Return the error for a number outside [0, n_classes), also if another thread has changed it since."""
    at = aside(ids.size, _first_outside, ids, n_classes)
    found = -1 if at is None else int(ids[at])
    if at is None or 0 <= found < n_classes:
        return ValueError(f"{name} changed during the call: one was outside [0, {n_classes})")
    return ValueError(f"{name}[{', '.join(map(str, at))}] = {found} is outside [0, {n_classes})")


def _first_outside(ids: NDArray[Any], n_classes: int) -> tuple[int, ...] | None:
    flat = ids.reshape(-1)
    for start in range(0, len(flat), _CHUNK_VALUES):
        part = flat[start : start + _CHUNK_VALUES]
        outside = (part < 0) | (part >= n_classes)
        if outside.any():
            return tuple(map(int, np.unravel_index(start + int(outside.argmax()), ids.shape)))
    return None


def vote_weights(weights: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """`weights` as finite, non-negative float64 of the given shape."""
    checked = weights_of(weights, shape, "weights")
    return aside(checked.size, summable, checked)


def weights_of(weights: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """`weights` as finite, non-negative float64 of the given shape, in C order, aligned."""
    array = dense_array(weights, name)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return aside(array.size, _weights_in_float64, array, name)


def _weights_in_float64(weights: NDArray[Any], name: str) -> NDArray[np.float64]:
    array = float64_array(weights, name)
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name}{list(at)} = {array[at]}: weights must be finite and not negative")
    return array


def float64_array(a: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return `a` in float64, C order, aligned, if that holds its values exactly."""
    _kernel_dtype(a, name)
    return np.require(a, np.float64, ["C", "A"])


def summable(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `weights` with rows whose sum could overflow scaled down by a power of two, which changes no vote."""
    room = 2.0 ** np.ceil(np.log2(weights.shape[1]) + 1)
    high = weights.max(axis=1, initial=0) > np.finfo(np.float64).max / room
    return np.where(high[:, None], weights / room, weights) if high.any() else weights


def class_labels(classes: ArrayLike, name: str) -> NDArray[Any]:
    """Return `classes` sorted and without repetition, if they are one-dimensional labels."""
    array = labels_array(classes, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity")
    try:
        return np.unique(array)
    except TypeError as error:
        raise TypeError(f"{name} cannot be sorted: {error}") from None
