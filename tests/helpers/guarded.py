"""Call the kernels on arrays beside pages that nobody may touch: what test_guard_pages.py runs in other processes."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os

import numpy as np
from calls import knn
from names import DTYPES, HALF_DTYPES, METRICS, ROW_DTYPES, SKETCHED_METRICS, TRAITS

from fastclf import _native

PAGE = mmap.PAGESIZE
WIDTHS = range(1, 131)
WIDE = (255, 256, 257, 511, 512, 513, 767, 1023, 1024, 1025, 2049)
OFFSETS = {name: range(64 // np.dtype(name).itemsize) for name in ROW_DTYPES}  # every alignment within 64 bytes
NARROW = ("int8", *HALF_DTYPES)
ROW_COUNTS = (1, 13, 123)
QUERY_COUNTS = (1, 5, 33)  # up to 4 are compared pair by pair, more in tiles
SKETCHED_WIDTHS = (1, 2, 3, 15, 17, 32, 33, 64, 65, 129, 257, 1025)
TERM_BYTES = 20  # of fc_sketch_terms

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
        self._values = {name: values.astype(name) for name in ROW_DTYPES}
        rooms = (Guarded(len(values) * 8) for _ in range(6))
        self.q, self.x, self.centre, self.distance, self.index, self.proposed = rooms

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
    for dtype, d in itertools.product(ROW_DTYPES, WIDTHS):
        for offset in OFFSETS[dtype]:
            yield dtype, d, offset


def end_cases():
    """Yield the dtypes of queries and rows, width and number of rows."""
    pairs = (*itertools.product(DTYPES, DTYPES), *((a, b) for b in NARROW for a in (b, "float32")))
    for (a, b), d in itertools.product(pairs, (*WIDTHS, *WIDE)):
        for n in ROW_COUNTS if a == b and d in WIDTHS else ROW_COUNTS[1:2]:
            yield a, b, d, n


def share_of_starts():
    """A fifth of these cases, and those without an offset; then the rest. Each offset has a fifth of the widths."""
    return parted(start_cases(), lambda i, case: i % 5 == 0 or case[-1] == 0)


def share_of_ends():
    """A fifth of these cases, and all wide ones of one dtype; then the rest."""
    return parted(end_cases(), lambda i, case: i % 5 == 0 or (case[0] == case[1] and case[2] in WIDE))


def parted(cases, is_in_share):
    share, rest = [], []
    for i, case in enumerate(cases):
        (share if is_in_share(i, case) else rest).append(case)
    return share, rest


def run_at_starts(isa, part, progress_path):
    """Arrays at every offset behind a guard page; the number of calls."""
    _native.use_isa(isa)
    progress, arrays, calls = Progress(progress_path), Arrays(), 0
    for dtype, d, offset in share_of_starts()[part]:
        at = offset * np.dtype(dtype).itemsize
        Q, X = arrays.filled(arrays.q.at(at, (5, d), dtype)), arrays.filled(arrays.x.at(at, (7, d), dtype))
        centre = arrays.filled(arrays.centre.at(4 * offset, (d,), "float32"))
        distance = arrays.distance.at(8 * offset, (5, 2), "float64")
        index = arrays.index.at(8 * offset, (5, 2), "int64")
        table = arrays.distance.at(8 * offset, (1, 7), "float64")
        proposed = arrays.proposed.at(8 * offset, (5, 3), "int64")
        proposed[:] = (6, 0, 3)
        for metric in METRICS:
            progress.now(isa, "start", dtype, metric, "d", d, "offset", offset)
            knn(metric, Q, X, 2, centre=centre, out=(distance, index))
            knn(metric, Q, X, 2, as_bytes=True, out=(distance, index))
            knn(metric, Q[:1], X, 2, centre=centre, out=(distance[:1], index[:1]))
            _native.pairwise(metric, Q[:1], X, 1, table)
            _native.rerank(metric, Q, X, proposed, None, 1, distance, index)
            calls += 5
    return calls


def run_at_ends(isa, part, progress_path):
    """Arrays up to a guard page, of all sizes and pairs of dtypes; the number of calls."""
    _native.use_isa(isa)
    progress, arrays, calls = Progress(progress_path), Arrays(), 0
    for a, b, d, n in share_of_ends()[part]:
        X, k = arrays.filled(arrays.x.at_end((n, d), b)), min(n, 3)
        centre = arrays.filled(arrays.centre.at_end((d,), "float32"))
        for nq in QUERY_COUNTS:
            Q = arrays.filled(arrays.q.at_end((nq, d), a))
            distance = arrays.distance.at_end((nq, k), "float64")
            index = arrays.index.at_end((nq, k), "int64")
            for metric in METRICS:
                progress.now(isa, "end", a, b, metric, "d", d, "n", n, "nq", nq)
                for as_bytes in {False, a != "uint8"}:
                    knn(metric, Q, X, k, centre=centre, as_bytes=as_bytes, out=(distance, index))
                calls += 1
        progress.now(isa, "end", a, b, "pairwise", "d", d, "n", n)
        proposed = arrays.proposed.at_end((nq, 2), "int64")
        proposed[:] = (n - 1, 0)
        group = arrays.proposed.at_end((n,), "int64")
        for metric in METRICS:
            if n > 1:
                group[:] = np.arange(n)
                apart = arrays.distance.at_end((n, k - 1), "float64"), arrays.index.at_end((n, k - 1), "int64")
                _native.knn_across_groups(metric, X, group, centre, False, 1, *apart)
            proposed[:] = (n - 1, 0)
            _native.pairwise(metric, Q[:1], X, 1, arrays.distance.at_end((1, n), "float64"))
            _native.rerank(metric, Q, X, proposed, None, 1, distance, index)
            calls += 2
        assert _native.fits_u8(X) == (b != "int8")
    return calls


class Sketches:
    """Guarded room for the sketches of queries and rows, in up to two levels, and for what a sketcher points to."""

    def __init__(self):
        most = max(ROW_COUNTS) * max(SKETCHED_WIDTHS)
        self.codes, self.terms = ([Guarded(size) for _ in range(4)] for size in (most, max(ROW_COUNTS) * TERM_BYTES))
        wide = max(SKETCHED_WIDTHS) * 8
        self.feature, self.start, self.weight, self.offset = (Guarded(wide + 8) for _ in range(4))
        self.directions, self.given_up = Guarded(wide * 6), Guarded(max(ROW_COUNTS))

    def levels(self, which, rows, cols, place):
        """Sketches to be written for so many rows: of the queries (0) or of the rows (1)."""
        rooms = range(2 * which, 2 * which + len(cols))
        return [
            (place(self.codes[i], (rows, m), "uint8"), place(self.terms[i], (rows, TERM_BYTES), "uint8"))
            for i, m in zip(rooms, cols, strict=True)
        ]

    def groups(self, d, size, place):
        """Groups of `size` features."""
        bounds = np.unique([*range(0, d, size), d])
        feature, start = place(self.feature, (d,), "int64"), place(self.start, (len(bounds),), "int64")
        weight = place(self.weight, (d,), "float32")
        feature[:], start[:], weight[:] = np.arange(d), bounds, 1 if size == 1 else 0.5
        return feature, start, weight

    def sketch(self, metric, Q, X, centre, cols, place, **how):
        """Sketch both; stages of a search. For products, there is no offset and queries are sketched as they are."""
        is_product = TRAITS[metric].is_product
        offset = place(self.offset, (sum(cols),), "float64")
        offset[:] = 0 if is_product else 0.25
        centres = (None if is_product else centre, centre)
        of_both = [self.levels(which, len(M), cols, place) for which, M in enumerate((Q, X))]
        for M, middle, levels in zip((Q, X), centres, of_both, strict=True):
            _native.sketch(metric, M, middle, offset=offset, step=1.0, n_threads=1, levels=levels, **how)
        return [(q, x, i > 0, how["gram_excess"], 1.0, 1.0, 0.0) for i, (q, x) in enumerate(zip(*of_both, strict=True))]


def at_end(guarded, shape, dtype):
    return guarded.at_end(shape, dtype)


def at_start(guarded, shape, dtype):
    return guarded.at(0, shape, dtype)


def stage_cases():
    """Yield where arrays lie, dtypes, width, number of queries and of rows."""
    for place, (a, b), d in itertools.product(
        (at_start, at_end), (*zip(ROW_DTYPES, ROW_DTYPES, strict=True), ("float64", "uint8")), SKETCHED_WIDTHS
    ):
        for nq, n in ((33, 13), (1, 123)):
            yield place, a, b, d, nq, n


def run_stages(isa, progress_path):
    """Sketch and search in stages, with arrays that begin or end at a guard page; the number of searches."""
    _native.use_isa(isa)
    progress, arrays, sketches, calls = Progress(progress_path), Arrays(), Sketches(), 0
    for place, a, b, d, nq, n in stage_cases():
        Q, X = arrays.filled(place(arrays.q, (nq, d), a)), arrays.filled(place(arrays.x, (n, d), b))
        centre, k = arrays.filled(place(arrays.centre, (d,), "float32")), min(n, 3)
        distance, index = place(arrays.distance, (nq, k), "float64"), place(arrays.index, (nq, k), "int64")
        given_up = place(sketches.given_up, (nq,), "uint8")
        rows = min(d, 5)
        directions = place(sketches.directions, (rows, d), "float32")
        directions[...] = np.eye(rows, d)
        for metric in SKETCHED_METRICS:
            progress.now(isa, place.__name__, a, b, metric, "d", d, "nq", nq, "n", n)
            for size in (1, 3, None):  # features of a group; None for directions
                if size == 3 and TRAITS[metric].is_product:
                    continue
                if size:
                    cols, groups = [-(-d // size)], sketches.groups(d, size, place)
                    how = {"groups": groups, "directions": None, "residual": False}
                elif TRAITS[metric].norm == "L1":
                    continue
                else:
                    cols = [rows - 2, 2] if rows > 2 else [rows]
                    how = {"groups": None, "directions": directions, "residual": True}
                stages = sketches.sketch(metric, Q, X, centre, cols, place, gram_excess=0.0, **how)
                _native.knn(metric, Q, X, k, centre, None, False, 1, distance, index, stages, 0.0, given_up, True)
                found = distance.tobytes(), index.tobytes()
                knn(metric, Q, X, k, centre=centre, out=(distance, index))
                assert found == (distance.tobytes(), index.tobytes()), (metric, cols)
                calls += 1
    return calls


def plant(isa, what, nq):
    """Make a call that has to touch a guard page, unless `what` is "nothing"."""
    _native.use_isa(isa)
    arrays, d = Arrays(), 24
    Q, X = arrays.filled(arrays.q.at_end((nq, d), "float32")), arrays.filled(arrays.x.at_end((7, d), "float32"))
    distance, index = arrays.distance.at_end((nq, 1), "float64"), arrays.index.at_end((nq, 1), "int64")
    if what.startswith("codes"):
        sketches = Sketches()
        groups = sketches.groups(d, 1, at_end)
        how = {"groups": groups, "directions": None, "residual": False, "gram_excess": 0.0}
        [stage] = sketches.sketch("l2", Q, X, None, [d], at_end, **how)
        codes = sketches.codes[2]
        short = {
            "codes past the end": lambda: codes.at_end((7, d), "uint8", beyond=1),
            "codes before the start": lambda: codes.at(-1, (7, d), "uint8"),
        }[what]()
        given_up = sketches.given_up.at_end((nq,), "uint8")
        _native.knn(
            "l2", Q, X, 1, None, None, False, 1, distance, index,
            [(stage[0], (short, stage[1][1]), *stage[2:])], 0.0, given_up,
        )  # fmt: skip
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
