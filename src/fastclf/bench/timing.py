"""How searches are compared: by what they answer, then by time, in turns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TURN_SECONDS = 0.05  # at least, lest a thread of the one before, still waiting for work, be measured too


def rows_differ(one: NDArray[Any], other: NDArray[Any]) -> int:
    """Count the queries, as far as both have answers, whose neighbours are not the same rows."""
    count = min(len(one), len(other))
    return int((np.sort(one[:count]) != np.sort(other[:count])).any(axis=1).sum())


def in_turns(
    searches: Sequence[tuple[Any, NDArray[Any]]], k: int, rounds: int, least_seconds: float = 0.0
) -> NDArray[Any]:
    """Seconds a query, of shape (rounds, searches): A B C A B C.

    Each search comes with its queries, and is asked as often in one turn as makes it last `least_seconds`.
    """
    calls = [1] * len(searches)
    if least_seconds:
        calls = [max(1, math.ceil(least_seconds / (len(Q) * per_query(search, Q, k)))) for search, Q in searches]
    return np.array(
        [[per_query(search, Q, k, n) for (search, Q), n in zip(searches, calls, strict=True)] for _ in range(rounds)]
    )


def per_query(search: Any, Q: NDArray[Any], k: int, calls: int = 1) -> float:
    """Return the seconds that a query takes, of so many calls."""
    start = time.perf_counter()
    for _ in range(calls):
        search.neighbors(Q, k)
    return (time.perf_counter() - start) / (calls * len(Q))


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """Return a result, and the seconds it took."""
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def median_ratio(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int, least_seconds: float = 0.0) -> float:
    """Return how many times as long theirs takes: the median of turns A B A B, after a turn that is not counted.

    Each is called as often in one turn as makes it last `least_seconds`.
    """
    calls = (ours, theirs)
    for call in calls:
        call()
    often = [max(1, math.ceil(least_seconds / timed(call)[1])) for call in calls]
    turns = [[_per_call(call, times) for call, times in zip(calls, often, strict=True)] for _ in range(rounds)]
    return float(np.median([b / a for a, b in turns]))


def _per_call(call: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times
