"""Matrices larger than memory."""

from __future__ import annotations

import contextlib
import mmap

import numpy as np

_MAP_NORESERVE = 0x4000


def zeros(rows, cols, dtype):
    """Zeros that take address space, and memory only where they are written to."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    memory = mmap.mmap(-1, rows * cols * np.dtype(dtype).itemsize, flags)
    with contextlib.suppress(OSError):  # a kernel without large pages only takes longer to map them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(rows, cols)
