"""What a process finds whose signal stack would not hold AMX's registers when fastclf is first imported."""

from __future__ import annotations

import ctypes

SIZE = 8192  # of the registers alone; a signal's frame holds more


class Stack(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def isas_with_a_small_stack():
    """Return the instruction sets that there are then, and whether products are right."""
    room = ctypes.create_string_buffer(SIZE)
    stack = Stack(ctypes.addressof(room), 0, SIZE)
    assert ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None) == 0

    import numpy as np

    import fastclf

    X = np.arange(600, dtype=np.uint8).reshape(20, 30)
    _, nearest = fastclf.knn(X, X, 1)
    return [fastclf.show_config("dicts")["isas"], nearest[:, 0].tolist() == list(range(20))]
