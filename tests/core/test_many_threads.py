"""Up to 16 threads: the bytes are those of one."""

from __future__ import annotations

import threading
from pathlib import Path

import calls
import children
import numpy as np
import pytest
from names import METRICS

from fastclf import losses

THREADS = (1, 2, 3, 4, 7, 8, 16)


def rows(shape, dtype):
    values = np.random.default_rng(7).integers(0, 256, shape)
    return values.astype(dtype) if dtype == "uint8" else values.astype(dtype) / np.dtype(dtype).type(7)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("shape", [(1200, 900, 64), (4, 16000, 1024)], ids=["queries", "rows"])
def test_searches_by_many_threads(metric, dtype, shape):
    queries, n, d = shape
    Q, X = rows((queries, d), dtype), rows((n, d), dtype)
    found = {b"".join(a.tobytes() for a in calls.knn(metric, Q, X, 5, n_threads=n_threads)) for n_threads in THREADS}
    assert len(found) == 1


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "hinge", "softmax_mse"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_by_many_threads(loss, dtype):
    scores = rows((60000, 80), dtype) - np.dtype(dtype).type(16)
    label = np.arange(len(scores)) * 7 % 80
    call = getattr(losses, loss)
    found = set()
    for n_threads in THREADS:
        value, gradient = call(scores, label, return_grad=True, n_threads=n_threads)
        found.add(np.asarray(value).tobytes() + gradient.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_linear_gradients_by_many_threads(dtype):
    X = rows((2000, 1200), dtype)
    W, b = rows((11, 1200), "float64") / 1e5, np.arange(11.0)
    found = set()
    for n_threads in THREADS:
        value, gradients = losses.linear_cross_entropy(
            X, W, np.arange(2000) % 11, b=b, return_grad=True, n_threads=n_threads
        )
        found.add(np.asarray(value).tobytes() + b"".join(g.tobytes() for g in gradients))
    assert len(found) == 1


def threads_of_a_search():
    """The threads of this process before a search by 16, and the most during it."""
    Q, counts, over = rows((6000, 64), "float32"), [], threading.Event()

    def count():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Threads:"))

    def watch():
        while not over.is_set():
            counts.append(count())

    before, watcher = count(), threading.Thread(target=watch)
    watcher.start()
    calls.knn("l1", Q, Q, 5, n_threads=16)
    over.set()
    watcher.join()
    return before, max(counts, default=0)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to read")
def test_so_many_threads_are_at_work():
    before, most = children.result(threads_of_a_search)
    assert most >= before + 16  # 15 beside the caller, and the one that watches
