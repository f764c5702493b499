"""Aligned arrays of unpickled models: with pickles of protocol 5 the reader chooses where memory lies."""

from __future__ import annotations

from typing import Any

import numpy as np

# Of what kernels read, also in bytes that hold structures.
_ALIGNMENT = 8


def realigned(value: Any, copies: dict[int, Any] | None = None) -> Any:
    """Return a value of a model's state with copies of arrays that are not aligned; if all are, the value itself.

    Objects of fastclf are changed. `copies` are those made so far, so that what shares an array goes on doing so.
    """
    copies = {} if copies is None else copies
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject or _is_aligned(value):
            return value
        if id(value) not in copies:
            copies[id(value)] = value.copy()
        return copies[id(value)]
    if isinstance(value, dict | list | tuple):
        if id(value) not in copies:
            copies[id(value)] = value  # containers may hold themselves
            copies[id(value)] = _container(value, copies)
        return copies[id(value)]
    if type(value).__module__.startswith("fastclf.") and hasattr(value, "__dict__") and id(value) not in copies:
        copies[id(value)] = value  # objects may refer to each other
        vars(value).update(_changed(vars(value), copies))
    return value


def _container(value: Any, copies: dict[int, Any]) -> Any:
    if isinstance(value, dict):
        changed = _changed(value, copies)
        return {**value, **changed} if changed else value
    changed = _changed(dict(enumerate(value)), copies)
    items = [changed.get(i, item) for i, item in enumerate(value)]
    return value if not changed else type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def _changed(items: dict[Any, Any], copies: dict[int, Any]) -> dict[Any, Any]:
    """Return those of the items that are no longer themselves."""
    now = {key: realigned(item, copies) for key, item in items.items()}
    return {key: item for key, item in now.items() if item is not items[key]}


def _is_aligned(a: np.ndarray[Any, Any]) -> bool:
    return a.flags.aligned and a.ctypes.data % _ALIGNMENT == 0
