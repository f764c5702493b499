"""Labels as arrays that hold each as it is given: none becomes another one, and none is missing."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import reading

# What labels may be: by the kinds of the dtypes that hold them, Python's and NumPy's types, and what they are called.
_FAMILIES: dict[str, tuple[tuple[type, ...], str]] = {
    "b": ((bool, np.bool_), "bools"),
    "M": ((np.datetime64,), "dates"),
    "m": ((np.timedelta64,), "time spans"),  # before integers, which NumPy counts them among
    "iu": ((int, np.integer), "integers"),
    "f": ((float, np.floating), "floats"),
    "U": ((str,), "text"),
    "S": ((bytes,), "bytes"),
}
_TAKEN_IN = "USMm"  # kinds of dtypes that NumPy gives lists of such labels and others


def labels_of(a: Any, name: str) -> NDArray[Any]:
    """Return labels as an array, in the dtype that NumPy has for them; those of a frame's columns may be any labels.

    Text that ends with NUL, which NumPy's dtypes of text drop, stays objects. Of an array of such a dtype nobody can
    tell. Bools in a list of integers are integers, 0 and 1, as scikit-learn has them.
    """
    named = reading.named_columns(a) if reading.is_frame(a) else []
    columns = [reading.column_array(column, name) for _, column in named]
    if len(columns) == 1:
        array = columns[0][:, np.newaxis]
    elif any(column.dtype.kind in "OTU" for column in columns):
        array = np.stack([column.astype(object) for column in columns], axis=1)
    else:
        array = reading.array_of(a, name)
    given = array
    if array.dtype == object:
        array = _with_times(reading.narrowed_objects(array))
    elif array.dtype.kind in _TAKEN_IN and not hasattr(a, "__array__"):
        given = reading.items_of(a, array, name)
    if array.dtype.kind in "fmMO":
        _refuse_missing(array, name)
    return _unchanged(array, given, name) if given.dtype == object else array


def _with_times(labels: NDArray[Any]) -> NDArray[Any]:
    """Return objects that are all dates, or all time spans, in such a dtype, if NumPy finds one."""
    for kind in "Mm":
        types, _ = _FAMILIES[kind]
        if labels.size and all(isinstance(label, types) for label in labels.ravel().tolist()):
            narrow = np.array(labels.tolist())
            return narrow if narrow.dtype.kind == kind else labels
    return labels


def _unchanged(labels: NDArray[Any], given: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels if they are those given as objects, or these where they have to stay objects."""
    if labels.dtype.kind in "OUSMm":
        _refuse_mixed(given, name)
    if labels.dtype.kind in "US":
        return given if any(label[-1:] in ("\0", b"\0") for label in given.ravel().tolist()) else labels
    if labels.dtype.kind in "Mm":
        _refuse_moved(labels, given, name)
    return labels


def _refuse_mixed(labels: NDArray[Any], name: str) -> None:
    """Raise for labels of several families; what is of none is for scikit-learn to judge."""
    first = None
    for i, label in enumerate(labels.ravel().tolist()):
        family = _family(label)
        first = first or family
        if family is not None and family != first:
            raise ValueError(
                f"{name} has {first} and other labels, a mix that no dtype holds: {label!r:.60} of type "
                f"{type(label).__name__} {reading.place(i, labels.shape)}"
            )


def _family(label: Any) -> str | None:
    return next((family for types, family in _FAMILIES.values() if isinstance(label, types)), None)


def _refuse_moved(times: NDArray[Any], given: NDArray[Any], name: str) -> None:
    """Raise for times that are others in the unit of all: NumPy lets them overflow."""
    for i, (time, label) in enumerate(zip(times.ravel(), given.ravel().tolist(), strict=True)):
        if time.astype(label.dtype) != label:
            raise ValueError(
                f"{name} has labels of several units, of which {times.dtype} does not hold all: {label!r:.60} "
                f"{reading.place(i, times.shape)}"
            )


def are_equal(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which labels are the same, whatever dtypes hold them: none is changed to compare it."""
    kinds = {a.dtype.kind, b.dtype.kind}
    if not kinds & set("Mm"):
        if a.dtype != b.dtype and not kinds <= set("biu"):  # integers NumPy compares exactly, with floats Python does
            a, b = a.astype(object), b.astype(object)
        return np.asarray(np.equal(a, b), bool)
    if len(kinds) == 1:
        return _are_equal_times(a, b)
    # One by one, as an object may be a time. As objects, nanoseconds would be integers, and equal to such.
    a, b = np.broadcast_arrays(a, b)
    pairs = ((label_of(x), label_of(y)) for x, y in zip(a.ravel(), b.ravel(), strict=True))
    same = [x.dtype.kind == y.dtype.kind and bool(_are_equal_times(x, y)) for x, y in pairs]
    return np.array(same, bool).reshape(a.shape)


def _are_equal_times(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Compare in the finer unit those that it holds: others overflow, silently."""
    finer = np.promote_types(a.dtype, b.dtype)
    of_a, of_b = a.astype(finer), b.astype(finer)
    same: NDArray[np.bool_] = (of_a == of_b) & (of_a.astype(a.dtype) == a) & (of_b.astype(b.dtype) == b)
    return same


def label_of(value: Any) -> NDArray[Any]:
    """Return one label as an array of no dimensions; a time of Python's or pandas' as NumPy has it, without zones."""
    if isinstance(value, datetime.date | datetime.timedelta) and getattr(value, "tzinfo", None) is None:
        if hasattr(value, "to_numpy"):  # of pandas, with its nanoseconds
            return np.asarray(value.to_numpy())
        return np.asarray(value, "m8" if isinstance(value, datetime.timedelta) else "M8")
    if isinstance(value, np.generic):
        return np.asarray(value)
    label = np.empty((), object)
    label[()] = value
    return label


def refuse_unordered(labels: NDArray[Any], classes: NDArray[Any], name: str) -> None:
    """Raise for times among other labels, or others among times, which nothing orders."""
    kinds = {labels.dtype.kind, classes.dtype.kind}
    if len(kinds) > 1 and kinds & set("Mm") and "O" not in kinds:
        raise ValueError(f"{name} has labels that are {_kind_of(labels)}, but the classes are {_kind_of(classes)}")


def joined(known: NDArray[Any], new: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the sorted union of labels, if one dtype holds both without changing any."""
    kinds = [_kind_of(labels) for labels in (known, new)]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{name} has class labels that are {kinds[1]}, but those so far are {kinds[0]}")
    if kinds[0] != "numbers":
        return np.union1d(known, new)
    for dtype in (known.dtype, np.promote_types(known.dtype, new.dtype)):
        with np.errstate(invalid="ignore", over="ignore"):
            both = known.astype(dtype), new.astype(dtype)
        if [labels.tolist() for labels in both] == [known.tolist(), new.tolist()]:
            return np.union1d(*both)
    raise ValueError(f"{name} has class labels of dtype {new.dtype} that do not go with those so far, of {known.dtype}")


def _kind_of(labels: NDArray[Any]) -> str:
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels):
        return "text"
    return {"i": "numbers", "u": "numbers", "f": "numbers", "b": "bool", "U": "text", "T": "text", "O": "objects"}.get(
        labels.dtype.kind, str(labels.dtype)
    )


def _refuse_missing(labels: NDArray[Any], name: str) -> None:
    """Raise for what is missing, whichever way it is said."""
    if labels.dtype == object:
        items = labels.ravel().tolist()
        missing = np.array(
            [reading.is_missing(item) or (isinstance(item, float) and item != item) for item in items], bool
        )
    else:
        missing = (np.isnan if labels.dtype.kind == "f" else np.isnat)(labels.ravel())
    if missing.any():
        i = int(np.argmax(missing))
        label = labels.ravel()[i]
        found = "NaN" if isinstance(label, float | np.floating) else label
        raise ValueError(
            f"Input {name} contains {found} (first {reading.place(i, labels.shape)}): what is missing is not valid as "
            f"a label"
        )
