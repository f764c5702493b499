"""Mistakes that a sanitizer has to report if the extension module is built with it. The word says which."""

from __future__ import annotations

import ctypes
import sys

import numpy as np

import fastclf

ROWS, COLS = 64, 40


def distances(Q, out):
    """Call the C interface, which believes addresses and lengths."""
    types = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    types += [ctypes.c_int64, ctypes.c_int64, ctypes.c_int, ctypes.c_void_p]
    address = fastclf.c_functions()["pairwise_distances"].address
    call = ctypes.CFUNCTYPE(ctypes.c_int, *types)(address)
    X = np.ones((ROWS, COLS))
    assert call(1, 2, Q, ROWS, X.ctypes.data, ROWS, COLS, 1, out.ctypes.data) == 0


def over_read():
    """Give it memory that is shorter than it is told."""
    Q = np.ones((ROWS // 2, COLS))
    distances(Q.ctypes.data, np.empty((ROWS, ROWS)))


def overflow():
    """Double a number in code that was compiled as the module was: the second word says where it is."""
    ctypes.CDLL(sys.argv[2]).doubled(2**31 - 1)


if __name__ == "__main__":
    {f.__name__: f for f in (over_read, overflow)}[sys.argv[1]]()
