"""Arrays of the same values in all layouts."""

from __future__ import annotations

import numpy as np


def strided(a):
    wide = np.zeros((3 * a.shape[0], 2 * a.shape[1] + 1), a.dtype)
    wide[1::3, 1::2] = a
    return wide[1::3, 1::2]


def misaligned(by):
    def make(a):
        buffer = np.zeros(a.nbytes + 128, np.uint8)
        start = (-buffer.ctypes.data) % 64 + by
        view = buffer[start : start + a.nbytes].view(a.dtype).reshape(a.shape)
        view[...] = a
        return view

    return make


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


class Subclass(np.ndarray):
    """An array whose indexing is not NumPy's."""

    def __getitem__(self, key):
        raise AssertionError("the subclass's own indexing was used")


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": strided,
    "columns of a wider array": lambda a: np.hstack([a, a])[:, : a.shape[1]],
    "rows backwards": lambda a: a[::-1].copy()[::-1],
    "columns backwards": lambda a: a[:, ::-1].copy()[:, ::-1],
    "read-only": read_only,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "byte-swapped, strided": lambda a: strided(a.astype(a.dtype.newbyteorder())),
    "subclass": lambda a: a.view(Subclass),
    "masked without a mask": lambda a: np.ma.array(a),
    "masked with nothing masked": lambda a: np.ma.array(a, mask=np.zeros(a.shape, bool)),
    "list": lambda a: a.tolist(),
    "array interface": lambda a: memoryview(np.ascontiguousarray(a)),
    **{f"misaligned by {by}": misaligned(by) for by in (1, 2, 3, 4, 7, 8, 15, 17, 31, 32, 33, 63)},
}
