"""A seal on pickled models: what was changed on the way, or by a newer version, is refused when it is loaded.

The checksum is of all values that fastclf's own objects hold: numbers, strings, arrays, NumPy's random generators, and
plain containers of them.  The byte order of arrays does not count, as pickle may change it.  Nor do objects of other
packages; the seal says where they are, as some are plain when they are loaded.  A checksum finds accidents, not
attacks: see docs/persistence.md.
"""

from __future__ import annotations

import zlib
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import numpy as np

FORMAT = 1  # of the state: raised when older versions could not read it

_PLAIN = (bool, float, complex, str, bytes, bytearray, range, type(None))  # repr tells all of them
_DICTS = (dict, Counter, OrderedDict, defaultdict)

_BLOCK_BYTES = 32 << 20
_LONGEST_FLOAT = 8  # bytes; longer ones have padding that holds anything


def sealed(state: Any) -> tuple[Any, int, int, tuple[int, ...]]:
    """Return a model's state with its format, its checksum and the places of objects that do not count."""
    values = _Checksum()
    return state, FORMAT, values.of(state), tuple(values.foreign)


def open_into(model: Any, parts: Any) -> None:
    """Give a new model the state of its seal; raise ValueError if that is broken, or from a newer version."""
    name = type(model).__name__
    version = _version(parts)
    if version > FORMAT:
        raise ValueError(
            f"this {name} was saved in format {version} by a newer version of fastclf; this one reads {FORMAT} at most"
        )
    if not _is_sealed(parts):
        raise ValueError(f"this {name} is damaged: it has no checksum")
    state, _, expected, foreign = parts
    if _Checksum(foreign).of(state) != expected:
        raise ValueError(f"this {name} is damaged: its values are not those that were saved")
    model.__setstate__(state)


def _version(parts: Any) -> int:
    """Return the format that a seal of any version names, or 0."""
    return parts[1] if isinstance(parts, tuple) and len(parts) > 1 and type(parts[1]) is int else 0


def _is_sealed(parts: Any) -> bool:
    if not (isinstance(parts, tuple) and len(parts) == 4 and type(parts[3]) is tuple):
        return False
    return all(type(number) is int for number in (*parts[1:3], *parts[3]))


def checksum(state: Any) -> int:
    """Return the CRC-32 of all that a state holds."""
    return _Checksum().of(state)


class _Checksum:
    """The CRC-32 of a state's values but the foreign ones: those given, by place, and other packages' objects."""

    def __init__(self, foreign: tuple[int, ...] = ()) -> None:
        self._value = 0
        self._inside: set[int] = set()  # the objects that are being gone through: some refer to each other
        self._place = 0  # of the value that is being added, in the order in which they are gone through
        self._given = frozenset(foreign)
        self.foreign: list[int] = []

    def of(self, state: Any) -> int:
        self._add(state)
        self._text(f"foreign {self.foreign}")
        return self._value

    def _bytes(self, data: Any) -> None:
        self._value = zlib.crc32(data, self._value)

    def _text(self, text: str) -> None:
        self._bytes(f"{len(text)} {text};".encode("utf-8", "surrogatepass"))

    def _add(self, value: Any) -> None:
        self._place += 1
        kind = type(value)
        if self._place in self._given:
            self.foreign.append(self._place)
        elif isinstance(value, np.ndarray | np.generic):
            self._array(np.asanyarray(value))
        elif kind is int:
            self._text(f"int {value:x}")
        elif kind in _PLAIN:
            self._text(f"{kind.__name__} {value!r}")
        elif id(value) in self._inside:
            self._text("itself")
        else:
            self._inside.add(id(value))
            self._object(value, kind)
            self._inside.discard(id(value))

    def _array(self, array: np.ndarray[Any, Any]) -> None:
        dtype = array.dtype
        self._text(f"{dtype.name if dtype.names is None else dtype.names} {array.shape}")
        if dtype.names is not None:  # there may be gaps between the fields
            self._all(array[name] for name in dtype.names)
        elif dtype.hasobject or dtype.kind == "T":
            self._all(array.ravel().tolist())
        elif array.size and array.nbytes and not (dtype.kind in "fc" and dtype.type(0).real.itemsize > _LONGEST_FLOAT):
            self._values(np.atleast_1d(np.asarray(array)))

    def _values(self, rows: np.ndarray[Any, Any]) -> None:
        step = max(1, _BLOCK_BYTES * len(rows) // rows.nbytes)
        native = rows.dtype.newbyteorder("=")
        for start in range(0, len(rows), step):  # Ctrl-C is heard in between
            block = np.ascontiguousarray(rows[start : start + step], native)
            self._bytes(block.reshape(-1).view(np.uint8))

    def _all(self, values: Any) -> None:
        for value in values:
            self._add(value)

    def _set(self, values: Any, kind: type) -> None:
        parts = [_Checksum() for _ in values]
        sums = sorted(part.of(value) for part, value in zip(parts, values, strict=True))
        if any(part.foreign for part in parts):  # its items have no order, so none of them has a place
            self.foreign.append(self._place)
        else:
            self._text(f"{kind.__name__} {sums}")

    def _object(self, value: Any, kind: type) -> None:
        is_own = kind.__module__.startswith("fastclf.")
        if kind in _DICTS:
            self._text(kind.__name__)
            self._all(item for pair in value.items() for item in pair)
        elif kind in (list, tuple) or (is_own and isinstance(value, tuple)):
            self._text(kind.__name__)
            self._all(value)
        elif kind is slice:
            self._text("slice")
            self._all((value.start, value.stop, value.step))
        elif kind in (set, frozenset):
            self._set(value, kind)
        elif kind is np.random.Generator:  # what is drawn next is a part of an answer
            self._text("generator")
            self._add(value.bit_generator.state)
        elif is_own and not hasattr(value, "get_params"):  # estimators have seals of their own
            self._text(kind.__qualname__)
            self._all(value.__reduce_ex__(4)[1:3])
        else:
            self.foreign.append(self._place)
