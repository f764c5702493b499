"""Call the kernels on arrays beside pages that nobody may touch: what test_guard_pages.py runs in other processes."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os

import numpy as np
from calls import knn

from fastclf import _native

DTYPES = ("uint8", "float32", "float64")
PAGE = mmap.PAGESIZE
WIDTHS = range(1, 131)
WIDE = (255, 256, 257, 511, 512, 513, 767, 1023, 1024, 1025, 2049)
OFFSETS = {"uint8": range(64), "float32": range(16), "float64": range(8)}  # every alignment within 64 bytes
ROW_COUNTS = (1, 13, 123)
QUERY_COUNTS = (1, 5, 33)  # up to 4 are compared pair by pair, more in tiles

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_PROT_NONE = 0


class Guarded:
    """Memory between two pages that may not be touched."""

    def __init__(self, capacity):
        self.size = -(-capacity // PAGE) * PAGE
        self._map = mmap.mmap(-1, self.size + 2 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        for guard in (address, address + PAGE + self.size):
            if _libc.mprotect(guard, PAGE, _PROT_NONE):
                raise OSError(ctypes.get_errno(), "mprotect")

    def at(self, offset, shape, dtype):
        """View an array that starts `offset` bytes after the first guard page."""
        count = int(np.prod(shape))
        return np.frombuffer(self._map, dtype, count, PAGE + offset).reshape(shape)

    def at_end(self, shape, dtype, beyond=0):
        """View an array that ends at the second guard page, or `beyond` bytes into it."""
        return self.at(self.size - int(np.prod(shape)) * np.dtype(dtype).itemsize + beyond, shape, dtype)


class Arrays:
    """Guarded room for one call's arrays."""

    def __init__(self):
        values = np.random.default_rng(1).integers(0, 200, max(ROW_COUNTS) * max(WIDE))
        self._values = {name: values.astype(name) for name in DTYPES}
        self.q, self.x, self.centre, self.distance, self.index = (Guarded(len(values) * 8) for _ in range(5))

    def filled(self, array):
        """`array` with the values that all arrays of its dtype start with."""
        array[...] = self._values[array.dtype.name][: array.size].reshape(array.shape)
        return array


class Progress:
    """The case under way, in a file that outlives the process."""

    LENGTH = 200

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(b" " * self.LENGTH)
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), self.LENGTH)

    def now(self, *case):
        self._map[:] = " ".join(map(str, case)).ljust(self.LENGTH).encode()


def start_cases():
    """Yield dtype, width and offset."""
    for dtype, d in itertools.product(DTYPES, WIDTHS):
        for offset in OFFSETS[dtype]:
            yield dtype, d, offset


def end_cases():
    """Yield the dtypes of queries and rows, width and number of rows."""
    for a, b, d in itertools.product(DTYPES, DTYPES, (*WIDTHS, *WIDE)):
        for n in ROW_COUNTS if a == b and d in WIDTHS else ROW_COUNTS[1:2]:
            yield a, b, d, n


def run_at_starts(isa, progress_path):
    """Arrays at every offset behind a guard page; the number of calls."""
    _native.use_isa(isa)
    progress, arrays, calls = Progress(progress_path), Arrays(), 0
    for dtype, d, offset in start_cases():
        at = offset * np.dtype(dtype).itemsize
        Q, X = arrays.filled(arrays.q.at(at, (5, d), dtype)), arrays.filled(arrays.x.at(at, (7, d), dtype))
        centre = arrays.filled(arrays.centre.at(4 * offset, (d,), "float32"))
        distance = arrays.distance.at(8 * offset, (5, 2), "float64")
        index = arrays.index.at(8 * offset, (5, 2), "int64")
        table = arrays.distance.at(8 * offset, (1, 7), "float64")
        for metric in _native.metrics():
            progress.now(isa, "start", dtype, metric, "d", d, "offset", offset)
            knn(metric, Q, X, 2, centre=centre, out=(distance, index))
            knn(metric, Q, X, 2, as_bytes=True, out=(distance, index))
            knn(metric, Q[:1], X, 2, centre=centre, out=(distance[:1], index[:1]))
            _native.pairwise(metric, Q[:1], X, 1, table)
            calls += 4
    return calls


def run_at_ends(isa, progress_path):
    """Arrays up to a guard page, of all sizes and pairs of dtypes; the number of calls."""
    _native.use_isa(isa)
    progress, arrays, calls = Progress(progress_path), Arrays(), 0
    for a, b, d, n in end_cases():
        X, k = arrays.filled(arrays.x.at_end((n, d), b)), min(n, 3)
        centre = arrays.filled(arrays.centre.at_end((d,), "float32"))
        for nq in QUERY_COUNTS:
            Q = arrays.filled(arrays.q.at_end((nq, d), a))
            distance = arrays.distance.at_end((nq, k), "float64")
            index = arrays.index.at_end((nq, k), "int64")
            for metric in _native.metrics():
                progress.now(isa, "end", a, b, metric, "d", d, "n", n, "nq", nq)
                for as_bytes in {False, a != "uint8"}:
                    knn(metric, Q, X, k, centre=centre, as_bytes=as_bytes, out=(distance, index))
                calls += 1
        progress.now(isa, "end", a, b, "pairwise", "d", d, "n", n)
        for metric in _native.metrics():
            _native.pairwise(metric, Q[:1], X, 1, arrays.distance.at_end((1, n), "float64"))
            calls += 1
        assert _native.fits_u8(X)
    return calls


def plant(isa, what, nq):
    """Make a call that has to touch a guard page, unless `what` is "nothing"."""
    _native.use_isa(isa)
    arrays, d = Arrays(), 24
    Q, X = arrays.filled(arrays.q.at_end((nq, d), "float32")), arrays.filled(arrays.x.at_end((7, d), "float32"))
    distance, index = arrays.distance.at_end((nq, 1), "float64"), arrays.index.at_end((nq, 1), "int64")
    if what == "a read past the end":
        X = arrays.x.at_end((7, d), "float32", beyond=4)
    elif what == "a read before the start":
        X = arrays.x.at(-4, (7, d), "float32")
    elif what == "a write past the end":
        index = arrays.index.at_end((nq, 1), "int64", beyond=8)
    knn("l2", Q, X, 1, out=(distance, index))


def statuses_of_plants(isa, what):
    """How forked processes end that make a planted call, pair by pair and in tiles."""
    found = []
    for nq in (1, 5):
        pid = os.fork()
        if pid == 0:
            plant(isa, what, nq)
            os._exit(0)
        found.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return found
