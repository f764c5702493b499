"""Exact arrays of data frames, columns, lists and Python objects: no number is changed on the way."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

_ROUNDED_FROM = np.float64(2**53)  # integers that change in float64 are beyond, and there at or beyond

_MOST_DIMENSIONS = 64  # that NumPy makes of nested lists

# How data frames other than those of pandas, and like them, give the names of their columns, and the columns.
_INTERFACES = (("columns", "iter_columns"), ("column_names", "itercolumns"))


def is_frame(a: Any) -> bool:
    """Whether `a` has named columns, as data frames of pandas, polars or Arrow have them."""
    if _is_lazy(a):
        return False
    if hasattr(a, "iloc"):
        return bool(a.ndim == 2)
    return any(hasattr(a, names) and hasattr(a, columns) for names, columns in _INTERFACES)


def _is_lazy(a: Any) -> bool:
    """Whether `a` is a plan of a frame that is still to be computed, as polars has them."""
    return hasattr(type(a), "collect") and hasattr(type(a), "collect_schema")


def named_columns(frame: Any) -> list[tuple[Any, Any]]:
    """Return the columns of a frame, each with its name."""
    if hasattr(frame, "iloc"):
        return list(frame.items())
    names, columns = next(pair for pair in _INTERFACES if all(hasattr(frame, name) for name in pair))
    return list(zip(getattr(frame, names), getattr(frame, columns)(), strict=True))


class _InexactError(ValueError):
    """A number that float64 does not hold."""


def array_of(a: Any, name: str) -> NDArray[Any]:
    """Return `a` as an array; of a frame, in one dtype that holds the numbers of all columns exactly."""
    refuse_unread(a, name)
    if isinstance(a, np.ndarray) or _is_plain_frame(a):
        refuse_masked(a, name)
        return np.asarray(a)
    columns = named_columns(a) if is_frame(a) else []
    if columns:
        return _table(columns, name)
    try:
        array = column_array(a, name)
    except ValueError as error:  # a ragged list, say
        raise ValueError(f"{name} cannot be read as an array: {error}") from None
    if array.dtype.kind == "f" and not hasattr(a, "__array__"):
        _refuse_rounded_items(a, array, name)
    return array


def refuse_unread(a: Any, name: str) -> None:
    """Raise for what has no values, or none yet."""
    if a is None:
        raise ValueError(f"{name} is None; an array is required")
    if _is_lazy(a):
        raise TypeError(f"{name} is a {type(a).__name__}, which has no values yet: give {name}.collect() instead")


def refuse_masked(a: Any, name: str) -> None:
    """Raise for masked entries, also of arrays in lists and among objects: NumPy would take what is under the mask."""
    if _has_masked(a):
        raise TypeError(f"{name} has masked entries; fill or drop them first")


def _has_masked(a: Any) -> bool:
    if type(a) is np.ndarray and a.dtype != object:  # most calls: these hold no mask
        return False
    holders = [a]
    for _ in range(_MOST_DIMENSIONS):  # a list may hold itself
        if any(isinstance(holder, np.ma.MaskedArray) and _is_masked(holder) for holder in holders):
            return True
        inner = [_items(holder) for holder in {id(holder): holder for holder in holders}.values()]
        types = set(map(type, itertools.chain.from_iterable(inner)))
        further = tuple(of for of in types if issubclass(of, np.ndarray) or _is_list(of))
        if not further:
            break
        holders = [item for item in itertools.chain.from_iterable(inner) if isinstance(item, further)]
    return False


def _is_masked(a: np.ma.MaskedArray[Any, Any]) -> bool:
    """Whether an entry is masked, in any field of a record; `np.ma.is_masked` fails for records."""
    return bool(np.ascontiguousarray(np.ma.getmask(a)).view(np.bool_).any())


def _items(holder: Any) -> Any:
    """Return the objects that a list or an array holds; of numbers, or of what is neither, none."""
    if isinstance(holder, np.ndarray):
        return holder.ravel() if holder.dtype == object else ()
    return holder if _is_list(type(holder)) else ()


def _is_list(of: type) -> bool:
    return issubclass(of, Sequence) and not issubclass(of, str | bytes | bytearray | memoryview | range)


def _is_plain_frame(a: Any) -> bool:
    """Whether NumPy makes an exact array of a frame by itself, often without a copy: of one dtype, or of floats."""
    if not (is_frame(a) and hasattr(a, "iloc")):
        return False
    dtypes = set(a.dtypes)
    if not all(isinstance(dtype, np.dtype) for dtype in dtypes):
        return False
    kinds = {dtype.kind for dtype in dtypes}
    return kinds == {"f"} or (len(dtypes) == 1 and kinds <= set("biu"))


def column_array(a: Any, name: str) -> NDArray[Any]:
    """Return a column, or anything that NumPy reads, as an array; numbers of a column that come as objects as such."""
    refuse_masked(a, name)
    try:
        array = np.asanyarray(a)
    except Exception:
        if not hasattr(a, "to_list"):
            raise
        array = np.array(a.to_list(), dtype=object)  # integers of 128 bits, say, which NumPy does not have
    if array is not a:
        refuse_masked(array, name)
    array = np.asarray(array)
    return narrowed_objects(array) if hasattr(a, "dtype") or hasattr(a, "type") else array


def narrowed_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Return objects that are all bools, all integers or all floats in such a dtype, if one holds them."""
    if array.dtype != object:
        return array
    types = set(map(type, array.ravel().tolist()))
    for family, kinds in (((bool, np.bool_), "b"), ((int, np.integer), "iu"), (float, "f")):
        if types and all(issubclass(cls, family) for cls in types) and (kinds == "b" or bool not in types):
            narrow = np.array(array.tolist())
            return narrow if narrow.dtype.kind in kinds else array
    return array


def _table(columns: list[tuple[Any, Any]], name: str) -> NDArray[Any]:
    arrays = [_number_column(column, name, label) for label, column in columns]
    dtype = np.result_type(*{array.dtype for array in arrays})
    table = np.empty((len(arrays[0]), len(arrays)), dtype)
    for j, ((label, _), array) in enumerate(zip(columns, arrays, strict=True)):
        table[:, j] = array
        refuse_rounded(array, table[:, j], name, label)
    return table


def _number_column(column: Any, name: str, label: Any) -> NDArray[Any]:
    array = column_array(column, name)
    if array.dtype.kind in "UT":
        array = array.astype(object)
    if array.ndim != 1 or array.dtype.kind not in "biufO":
        what = array.dtype if array.ndim == 1 else f"arrays of {array.dtype}"
        raise ValueError(
            f"{name} has dtype {what} in column {label!r}; numbers are required (bool, integers or floats)"
        )
    if array.dtype == object:
        return exact_floats(array, name, column=label)
    dtype = getattr(column, "dtype", getattr(column, "type", None))
    if array.dtype.kind == "f" and not isinstance(dtype, np.dtype) and np.isnan(array).any():
        _refuse_nan(name, dtype, np.nan, f"in row {int(np.argmax(np.isnan(array)))}, column {label!r}")
    return array


def refuse_rounded(column: NDArray[Any], converted: NDArray[Any], name: str, label: Any) -> None:
    """Raise if the integers of a column were changed by their conversion to floats."""
    if converted.dtype.kind != "f" or column.dtype.kind not in "iu":
        return
    far = np.flatnonzero(np.abs(converted) >= _ROUNDED_FROM)
    for row, value, x in zip(far.tolist(), column[far].tolist(), converted[far].tolist(), strict=True):
        if value != x:
            refuse_inexact(name, column.dtype, converted.dtype, value, f"in row {row}, column {label!r}")


def refuse_rounded_sparse(frame: Any, name: str) -> None:
    """Raise if the integers in sparse columns of a frame are changed by their conversion to the dtype of all."""
    columns = [(label, np.asarray(column.array.sp_values), column) for label, column in frame.items()]
    dtype = np.result_type(*{values.dtype for _, values, _ in columns})
    for label, values, column in columns:
        if dtype.kind == "f" and (np.abs(values.astype(dtype)) >= _ROUNDED_FROM).any():
            dense = np.asarray(column)
            refuse_rounded(dense, dense.astype(dtype), name, label)


def _refuse_rounded_items(a: Any, array: NDArray[Any], name: str) -> None:
    """Raise if NumPy has rounded integers of nested lists to the dtype of the floats beside them."""
    far = np.abs(array) >= _ROUNDED_FROM
    if not far.any():
        return
    items = items_of(a, array, name)
    for at in zip(*np.nonzero(far), strict=True):
        value = python_number(items[at])
        if value != python_number(array[at]):
            refuse_inexact(name, object, array.dtype, value, f"at {[int(i) for i in at]}")


def items_of(a: Any, array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the objects in nested lists that NumPy has made an array of."""
    items = np.array(a, dtype=object)
    if items.shape != array.shape:
        raise ValueError(f"{name} changed while it was read: its shape was {array.shape} and is {items.shape}")
    return items


def exact_floats(objects: NDArray[Any], name: str, *, column: Any = None) -> NDArray[np.float64]:
    """Return Python's numbers, of any class, and text that denotes numbers, in float64 with exactly their values."""
    floats = np.empty(objects.size)
    for i, value in enumerate(objects.ravel().tolist()):
        try:
            floats[i] = _exact_float(value)
        except _InexactError:
            refuse_inexact(name, objects.dtype, floats.dtype, value, place(i, objects.shape, column))
        except (TypeError, ValueError) as error:
            where = place(i, objects.shape, column)
            if is_missing(value):
                _refuse_nan(name, objects.dtype, value, where)
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name} has dtype object; numbers are required, got {value!r:.60} {where}: {error}") from None
    return floats.reshape(objects.shape)


def _refuse_nan(name: str, dtype: Any, value: Any, place: str) -> NoReturn:
    raise ValueError(
        f"Input {name} contains NaN: {name} has dtype {dtype}; numbers are required, got {value!r} {place}"
    )


def is_missing(value: Any) -> bool:
    """Whether an object stands for a value that is not there."""
    pandas = sys.modules.get("pandas")
    return any(value is missing for missing in (None, getattr(pandas, "NA", None), getattr(pandas, "NaT", None)))


def python_number(value: Any) -> Any:
    """Return a scalar of NumPy, or of a library like it, as a number of Python, which compares exactly."""
    if not hasattr(value, "dtype"):
        return value
    if getattr(value.dtype, "kind", "") in ("m", "M") or getattr(value, "shape", ()) != ():
        raise TypeError("a time or an array is no number")
    return value.item()


def _exact_float(value: Any) -> float:
    if type(value) is float:
        return value
    number = python_number(value)
    try:
        x = float(number)
    except OverflowError:
        raise _InexactError from None
    if isinstance(number, bytes):
        number = number.decode()
    if isinstance(number, str):
        number = Decimal(number)
    if x != number and x == x:
        raise _InexactError
    return x


def place(i: int, shape: tuple[int, ...], column: Any = None) -> str:
    """Say where value i of an array, or of its column, is."""
    if column is not None:
        return f"in row {i}, column {column!r}"
    return f"at {[int(at) for at in np.unravel_index(i, shape)]}"


def refuse_inexact(name: str, dtype: Any, held: Any, value: Any, place: str) -> NoReturn:
    """Raise for a value that would be changed."""
    raise ValueError(
        f"{name} of dtype {np.dtype(dtype)} has values that {held} does not hold exactly: {value!r:.60} {place}"
    )
