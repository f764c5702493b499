"""Sizes beyond memory, or beyond what 64 bits hold: an error, whatever else is asked for."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest

import fastclf

SPARE = 1 << 30  # bytes

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc to read")


def huge(rows, cols, dtype):
    """An array that is one value in memory."""
    return np.broadcast_to(np.zeros(1, dtype), (rows, cols))


def small(rows=3, cols=4):
    return np.ones((rows, cols), "float32")


CALLS = {
    "knn, rows": lambda: fastclf.knn(small(), huge(1 << 40, 4, "float32"), 1),
    "knn, queries": lambda: fastclf.knn(huge(1 << 40, 4, "float64"), small(), 1),
    "knn, features": lambda: fastclf.knn(huge(2, 1 << 50, "uint8"), huge(2, 1 << 50, "uint8"), 1),
    "knn, more bytes than 64 bits count": lambda: fastclf.knn(huge(1 << 31, 1 << 29, "float64"), small(), 1),
    "knn, answers": lambda: fastclf.knn(small(1 << 20, 1), small(1 << 20, 1), 1 << 20),
    "knn, more answers than 64 bits count": lambda: fastclf.knn(
        huge(1 << 32, 1, "uint8"), huge(1 << 33, 1, "uint8"), 1 << 32
    ),
    "distances, more than 64 bits count": lambda: fastclf.pairwise_distances(
        huge(1 << 32, 1, "uint8"), huge(1 << 33, 1, "uint8")
    ),
    "knn, k": lambda: fastclf.knn(small(), small(), 1 << 40),
    "distances": lambda: fastclf.pairwise_distances(small(1 << 20, 1), small(1 << 20, 1)),
    "votes, classes": lambda: fastclf.majority_vote([[0, 1]], 1 << 40),
    "votes, labels": lambda: fastclf.majority_vote(huge(1 << 40, 3, "int64"), 2),
    "loss": lambda: fastclf.losses.cross_entropy(huge(1 << 40, 4, "float32"), np.zeros(3, int)),
    "softmax": lambda: fastclf.losses.softmax(huge(1 << 36, 1 << 10, "float32")),
}


def error_of(name):
    """The error that a call raises in little memory, and whether the process still works."""
    assert fastclf.knn(small(), small(), 1)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        CALLS[name]()
    except (ValueError, MemoryError) as error:
        return [type(error).__name__, fastclf.knn(small(), small(), 1)[1].tolist()]
    return ["nothing", None]


@pytest.mark.parametrize("name", CALLS)
def test_what_no_memory_holds(forks, name):
    error, answer = forks.result(error_of, name)
    assert error in ("ValueError", "MemoryError")
    assert answer == [[0], [0], [0]]


def test_a_row_of_a_million_features():
    X = np.zeros((3, 1 << 20), "uint8")
    X[1], X[2, -1] = 255, 1
    distances, rows = fastclf.knn(X[:1], X, 3, metric="l1")
    assert rows.tolist() == [[0, 2, 1]]
    assert distances.tolist() == [[0, 1, 255 << 20]]
