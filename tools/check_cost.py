"""Measure what checks and signals cost: the functions of Python beside those of the C interface.

Usage: check_cost.py [PERCENT [MICROSECONDS]]

The C interface converts nothing, makes no arrays and asks for no signals. Both take turns, on arrays of a benchmark's
size and on the smallest ones. Fails if a function of Python takes PERCENT longer on the large ones, or MICROSECONDS
longer on the small ones: the medians of what it takes longer in one turn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import c_functions

import fastclf

_TURNS = 41
_CALLS = {"small": 500, "large": 1}  # in one turn
_THREADS = 1

_F32 = c_functions.DTYPES[np.dtype(np.float32)]
_L2, _CROSS_ENTROPY = c_functions.NUMBERS["l2"], c_functions.NUMBERS["cross_entropy"]


class Pair(NamedTuple):
    """The same work by Python's function and by C's; and what the latter has written, as the former returns it."""

    python: Callable[[], Any]
    c: Callable[[], object]
    written: Callable[[], Any]


def searching(size: str) -> Pair:
    """Search for nearest rows."""
    n_queries, n_rows, features, k = {"small": (1, 3, 4, 1), "large": (500, 10_000, 128, 7)}[size]
    Q, X = _floats(n_queries, features), _floats(n_rows, features)
    found = np.empty((n_queries, k)), np.empty((n_queries, k), np.int64)
    asked = _L2, _F32, Q, n_queries, X, n_rows, features, k, _THREADS
    return Pair(lambda: fastclf.knn(Q, X, k, n_threads=_THREADS), _of_c("knn", *asked, *found), lambda: found)


def comparing(size: str) -> Pair:
    """Find all distances."""
    n_queries, n_rows, features = {"small": (1, 3, 4), "large": (200, 4000, 128)}[size]
    Q, X, found = _floats(n_queries, features), _floats(n_rows, features), np.empty((n_queries, n_rows))
    asked = _L2, _F32, Q, n_queries, X, n_rows, features, _THREADS
    return Pair(
        lambda: fastclf.pairwise_distances(Q, X, n_threads=_THREADS),
        _of_c("pairwise_distances", *asked, found),
        lambda: found,
    )


def voting(size: str) -> Pair:
    """Count votes."""
    n, k, classes = {"small": (1, 3, 3), "large": (200_000, 20, 10)}[size]
    labels = np.random.default_rng(0).integers(0, classes, (n, k))
    found = np.empty(n, np.int64)
    asked = labels, n * k, None, n, k, classes, None, None
    return Pair(lambda: fastclf.majority_vote(labels, classes), _of_c("majority_vote", *asked, found), lambda: found)


def losing(size: str) -> Pair:
    """Find losses and gradients."""
    n, classes = {"small": (2, 3), "large": (5000, 1000)}[size]
    scores, labels = _floats(n, classes), np.arange(n) % classes
    losses, gradient, bad = np.empty(n), np.empty_like(scores), np.empty(1, np.int64)
    asked = _CROSS_ENTROPY, _F32, scores, n, classes, labels, None, None, None, None, 0.0, 0, 1 / n, _THREADS
    options = {"return_grad": True, "grad_out": np.empty_like(scores), "n_threads": _THREADS}
    return Pair(
        lambda: fastclf.losses.cross_entropy(scores, labels, **options),
        _of_c("loss", *asked, losses, gradient, bad),
        lambda: (losses.mean(), gradient),
    )


def _of_c(name: str, *arguments: Any) -> Callable[[], object]:
    """Return a call of the C interface, its arrays' addresses found beforehand: ctypes takes long for these."""
    function = c_functions.FUNCTIONS[name]
    given = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]

    def call(_held: tuple[Any, ...] = arguments) -> None:
        if function(*given):
            raise ValueError(f"{name} is refused")

    return call


def _floats(rows: int, cols: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, cols)).astype(np.float32)


def check_same(pair: Pair) -> None:
    """Raise unless both give the same answer."""
    found = pair.python()
    pair.c()
    expected = pair.written()
    for one, other in zip(*(a if isinstance(a, tuple) else (a,) for a in (found, expected)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def seconds(call: Callable[[], object], times: int) -> float:
    """Return what a call takes."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def main(words: list[str]) -> int:
    """Print what is found; return the exit status."""
    percent, microseconds = ([float(word) for word in words] + [2.0, 5.0][len(words) :])[:2]
    most = {"large": 0.0, "small": 0.0}
    for make in (searching, comparing, voting, losing):
        for size in most:
            pair = make(size)
            check_same(pair)
            turns = [(seconds(pair.python, _CALLS[size]), seconds(pair.c, _CALLS[size])) for _ in range(_TURNS)]
            longer = [100 * (p / c - 1) if size == "large" else 1e6 * (p - c) for p, c in turns]
            found = float(np.median(longer))
            most[size] = max(most[size], found)
            print(f"{make.__name__}, {size}: {found:+.2f} {'%' if size == 'large' else 'µs'}")
    print(f"at most {most['large']:.1f} % of large calls, {most['small']:.0f} µs of small ones")
    return int(most["large"] > percent or most["small"] > microseconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
