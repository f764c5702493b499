"""How long this processor takes to compare a feature of two rows: measured once, when a fit first has to know."""

from __future__ import annotations

import functools
import time
from typing import Any

import numpy as np

from fastclf.neighbors.backends import plain

# Nanoseconds of a core with AVX-512, by the norm and the kind of dtype.
_TYPICAL = {
    "L1": {"u1": 1 / 125, "i1": 1 / 125, "f2": 1 / 20, "f4": 1 / 20, "f8": 1 / 10},
    "L2": {"u1": 1 / 230, "i1": 1 / 230, "f2": 1 / 42, "f4": 1 / 42, "f8": 1 / 21},
    "Linf": {"u1": 1 / 60, "i1": 1 / 60, "f2": 1 / 20, "f4": 1 / 20, "f8": 1 / 11},
}
_METRICS = {"L1": "l1", "L2": "l2", "Linf": "chebyshev"}

WORTHWHILE = 1 << 20  # values of rows to be searched: for fewer, what is typical will do
_QUERIES, _ROWS = 32, 256
_NARROW, _WIDE = 512, 2560  # features: the difference leaves out what a search takes besides
_RUNS, _LONG = 7, 1e-3  # the least of so many runs counts, or of fewer that take this long, in seconds
_MOST_APART = 16.0  # from what is typical, where other programs make a run take long


def kind_of(dtype: np.dtype[Any]) -> str:
    """Return the kind of a dtype by how long its comparisons take."""
    return "f2" if dtype.kind == "V" else dtype.str[1:]


def feature(norm: str, kind: str, values: float = np.inf) -> float:
    """Nanoseconds that it takes to compare a feature of a query and a row, in a search of so many values."""
    return _measured(norm, kind) if values >= WORTHWHILE else _TYPICAL[norm][kind]


@functools.cache
def _measured(norm: str, kind: str) -> float:
    more = _seconds(_METRICS[norm], kind, _WIDE) - _seconds(_METRICS[norm], kind, _NARROW)
    typical = _TYPICAL[norm][kind]
    each = 1e9 * more / (_QUERIES * _ROWS * (_WIDE - _NARROW))
    return float(np.clip(each, typical / _MOST_APART, typical * _MOST_APART))


def _seconds(metric: str, kind: str, features: int) -> float:
    rng = np.random.default_rng(0)
    Q, X = (rng.integers(0, 256, (n, features)).astype(kind) for n in (_QUERIES, _ROWS))
    middle = plain.centre(X)
    plain.search(metric, Q, X, 1, 1, middle=middle)  # the first call takes longer
    seconds: list[float] = []
    while len(seconds) < _RUNS and sum(seconds) < _LONG:
        start = time.perf_counter()
        plain.search(metric, Q, X, 1, 1, middle=middle)
        seconds.append(time.perf_counter() - start)
    return min(seconds)
