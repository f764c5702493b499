"""Measure how much longer calls take where values are subnormal, than with the same values at scale 1.

Usage: subnormal_cost.py [MOST]

Searches and losses, in float32 and float64; every tenth value is subnormal, or all are. Both kinds take turns, and
their median times are compared. Fails if one takes more than MOST times as long, but for searches where all values are
subnormal: all their pairs are compared exactly.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastclf

_TURNS = 7
_SCALES = {"float32": 1e-40, "float64": 1e-310}
_SHARES = {"a tenth": 0.1, "all": 1.0}
_SEARCHES = ("l1", "l2", "chebyshev", "cosine")
_LOSSES = ("cross_entropy", "hinge")

Floats = NDArray[Any]
Call = Callable[[Floats, Floats], None]


def calls() -> Iterator[tuple[str, Call]]:
    """Yield what is measured, of rows and queries, after its name."""
    for metric in _SEARCHES:
        yield metric, partial(_search, metric)
    for loss in _LOSSES:
        yield loss, partial(_lose, loss)


def _search(metric: str, X: Floats, Q: Floats) -> None:
    fastclf.knn(Q, X, 5, metric=metric)


def _lose(loss: str, X: Floats, _: Floats) -> None:
    getattr(fastclf.losses, loss)(X, np.arange(len(X)) % X.shape[1])


def drawn(dtype: str, scale: float = 1.0, share: float = 1.0) -> tuple[Floats, Floats]:
    """Return rows and queries, a share of whose values are scaled."""
    rng = np.random.default_rng(0)
    made = []
    for count in (4000, 500):
        values = rng.normal(size=(count, 64)).astype(dtype)
        values[rng.random(values.shape) < share] *= scale
        made.append(values)
    return made[0], made[1]


def ratio(call: Call, one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> float:
    """Return how many times as long the other takes."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(_TURNS):
        for inputs, found in zip((one, other), seconds, strict=True):
            start = time.perf_counter()
            call(*inputs)
            found.append(time.perf_counter() - start)
    return float(np.median(seconds[1]) / np.median(seconds[0]))


def main(words: list[str]) -> int:
    """Measure; return the exit status."""
    most = float(words[0]) if words else np.inf
    found: dict[tuple[str, str, str], float] = {}
    for share_name, share in _SHARES.items():
        for dtype, scale in _SCALES.items():
            usual, tiny = drawn(dtype), drawn(dtype, scale, share)
            for name, call in calls():
                times = found[share_name, name, dtype] = ratio(call, usual, tiny)
                print(f"{share_name} subnormal, {name} of {dtype}: {times:.2f}")
    exact = {at for at in found if at[0] == "all" and at[1] in _SEARCHES}
    others = max(times for at, times in found.items() if at not in exact)
    print(f"at most {others:.1f} times; searches where all are, {max(found[at] for at in exact):.0f} times")
    return int(others > most)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
