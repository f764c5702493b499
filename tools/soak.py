"""Call fastclf again and again, rightly and wrongly, from several threads at once.

Usage: soak.py SECONDS [--threads N] [--calls N] [--plant answer|leak|refusal]

Every answer has to have the bytes that one thread and the portable instruction set gave at the beginning; every wrong
call has to be refused; memory, files and threads must not grow. The last line tells how many calls were made, and by
how many bytes a call the process grew, with an interval of 95 %. A planted fault has to be reported.
"""

from __future__ import annotations

import argparse
import itertools
import os
import pickle
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fastclf
import fastclf.sklearn
from fastclf import KNN, KNNCV, LinearClassifier, WindowClassifier, _native

Call = Callable[[], Any]

_LEAST_GROWTH = 0.1  # bytes a call: 1 KiB in 10 000 calls
_LOOKS = 200  # at memory
_PARTS, _STUDENTS_T = 10, 2.262  # of 9 degrees of freedom, for 95 %
_METRICS = ("l1", "l2", "cosine", "chebyshev", "inner_product")
_LOSSES = ("cross_entropy", "hinge", "softmax_mse", "mse")


def _rows(n: int, dtype: str) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, 20)).astype(dtype)


def _asked(model: KNN, Q: np.ndarray) -> tuple[np.ndarray, ...]:
    return model.predict(Q), *model.kneighbors(Q)


def _grown(X: np.ndarray, y: np.ndarray, Q: np.ndarray) -> np.ndarray:
    return KNN(3).fit(X, y).partial_fit(Q, y[: len(Q)]).predict(Q)


def right_calls() -> Iterator[tuple[str, Call]]:
    """Yield calls of every kind, by name, whose answers are arrays."""
    y = np.arange(120) % 3
    for dtype in ("uint8", "float32", "float64"):
        X, Q = _rows(120, dtype), _rows(30, dtype)
        for metric in _METRICS:
            yield f"knn {metric} {dtype}", partial(fastclf.knn, Q, X, 5, metric=metric)
            yield f"pairs {metric} {dtype}", partial(fastclf.pairwise_distances, Q, X, metric=metric)
        for name in _LOSSES if dtype != "uint8" else ():
            yield f"{name} {dtype}", partial(getattr(fastclf.losses, name), X / 100, y, return_grad=True)
        yield f"KNN {dtype}", partial(_asked, KNN(3).fit(X, y), Q)
        yield f"a new KNN {dtype}", partial(_grown, X, y, Q)
    yield from _models(y)
    yield "votes", partial(fastclf.majority_vote, np.arange(600).reshape(200, 3) * 7 % 11, 11)


def _models(y: np.ndarray) -> Iterator[tuple[str, Call]]:
    X, Q = _rows(120, "float32"), _rows(30, "float32")
    words, tags = [["a", "b", "c"], ["d", "e"]] * 5, [["X", "Y", "X"], ["Y", "X"]] * 5
    search = KNNCV((1, 3), cv=3).fit(X, y)
    yield "linear", partial(LinearClassifier(max_iter=50).fit(X / 100, y).decision_function, Q / 100)
    yield "steps", lambda: LinearClassifier(random_state=0).partial_fit(X / 100, y).coef_
    yield "cross-validation", partial(search.predict_proba, Q)
    yield "a saved search", lambda: pickle.loads(pickle.dumps(search)).predict(Q)
    window = WindowClassifier(window=1, dim=4, max_iter=2, random_state=0).fit(words, tags)
    yield "window", partial(window.decision_function, words)
    yield "regression", partial(fastclf.sklearn.KNeighborsRegressor(3).fit(X, y).predict, Q)


def wrong_calls() -> list[Call]:
    """Return calls that have to be refused."""
    X = _rows(120, "float32")
    holed, model = X.copy(), KNN(3).fit(X, np.arange(120) % 3)
    holed[7, 3] = np.nan
    return [
        lambda: fastclf.knn(X, X, 0),
        lambda: fastclf.knn(X, X, 121),
        lambda: fastclf.knn(X, holed, 3),
        lambda: fastclf.knn(X[:, :5], X, 3),
        lambda: fastclf.pairwise_distances(X, X, metric="what"),
        lambda: fastclf.majority_vote([[0, 5]], 3),
        lambda: fastclf.losses.cross_entropy(X, np.full(120, 99)),
        lambda: fastclf.losses.hinge(holed, np.zeros(120, int)),
        lambda: model.predict(X[:, :5]),
        lambda: model.partial_fit(holed, np.zeros(120, int)),
        lambda: LinearClassifier(l2=-1).fit(X, np.arange(120) % 3),
        lambda: WindowClassifier().fit([["a"]], [["X", "Y"]]),
    ]


def _bytes(answer: Any) -> list[bytes]:
    return [np.asarray(part).tobytes() for part in (answer if isinstance(answer, tuple | list) else (answer,))]


def _is_refused(call: Call) -> bool:
    try:
        call()
    except (ValueError, TypeError):
        return True
    return False


class Soak:
    """Threads that make calls until told to stop, and what they found."""

    def __init__(self, n_threads: int, plant: str | None) -> None:
        isa = _native.isa()
        _native.use_isa(_native.isas()[0])
        with fastclf.threads(1):
            self._right = [(name, call, _bytes(call())) for name, call in right_calls()]
        _native.use_isa(isa)
        self._wrong = wrong_calls()
        if plant == "answer":
            self._right[3][2][0] = b"another"
        if plant == "refusal":
            self._wrong.append(lambda: None)
        self._kept: list[bytes] | None = [] if plant == "leak" else None
        self._stop = threading.Event()
        self._counts = [0] * n_threads
        self.faults: list[str] = []
        self._threads = [threading.Thread(target=self._work, args=(i,)) for i in range(n_threads)]

    def _work(self, place: int) -> None:
        draw = random.Random(place)
        while not self._stop.is_set():
            try:
                self._make_a_call(draw)
            except Exception as error:  # whatever it is, it is a fault
                self.faults.append(repr(error))
            self._counts[place] += 1

    def _make_a_call(self, draw: random.Random) -> None:
        if self._kept is not None:
            self._kept.append(bytes(3000))
        if draw.random() < 0.3:
            place = draw.randrange(len(self._wrong))
            if not _is_refused(self._wrong[place]):
                self.faults.append(f"wrong call {place} is not refused")
            return
        name, call, expected = draw.choice(self._right)
        with fastclf.threads(draw.choice((1, 2, 3))):
            if _bytes(call()) != expected:
                self.faults.append(f"another answer: {name}")

    def run(self, seconds: float, least_calls: int = 0) -> np.ndarray:
        """Work for so long and so many calls; return calls and memory, each time that these were looked at.

        That is `_LOOKS` times however long it takes: more looks would be memory that grows.
        """
        for thread in self._threads:
            thread.start()
        start, looks = time.monotonic(), [(0, _memory())]
        while len(looks) <= _LOOKS and not self.faults:
            time.sleep(seconds / _LOOKS)
            calls, done = sum(self._counts), (time.monotonic() - start) / seconds
            if min(done, calls / max(least_calls, 1)) >= len(looks) / _LOOKS:
                looks.append((calls, _memory()))
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return np.array(looks, float).reshape(-1, 2)


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _open_files_and_threads() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def growth(looks: np.ndarray) -> tuple[float, float]:
    """Return bytes a call, and how far they may be off by chance; of the later two thirds, by parts."""
    late = looks[len(looks) // 3 :]
    calls, memory = np.diff(late[np.linspace(0, len(late) - 1, _PARTS + 1).astype(int)], axis=0).T
    slopes = memory / np.maximum(calls, 1)
    return float(slopes.mean()), float(_STUDENTS_T * slopes.std(ddof=1) / np.sqrt(_PARTS))


def main(words: list[str]) -> int:
    """Run for as long as the words say; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--calls", type=int, default=0, help="make at least so many")
    parser.add_argument("--plant", choices=["answer", "leak", "refusal"])
    options = parser.parse_args(words)
    first = Soak(options.threads, None)
    first.run(options.seconds / 10)  # what is made once: pools, caches, arenas
    before = _open_files_and_threads()
    soak = Soak(options.threads, options.plant)
    looks = soak.run(options.seconds, options.calls)
    soak.faults[:0] = first.faults
    slope, chance = growth(looks)
    if slope - chance > _LEAST_GROWTH:
        soak.faults.append("memory grows")
    after = _open_files_and_threads()
    if any(now > then for now, then in zip(after, before, strict=True)):
        soak.faults.append(f"files and threads were {before}, are {after}")
    for fault in itertools.islice(dict.fromkeys(soak.faults), 10):
        print(f"fault: {fault}")
    print(
        f"{looks[-1, 0]:.0f} calls, threads: {options.threads}, {len(soak.faults)} faults, "
        f"{slope:+.2f} ± {chance:.2f} bytes a call"
    )
    return int(bool(soak.faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
