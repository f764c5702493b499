"""Losses of linear scores are those of the scores, whatever the blocks, and gradients the chain rule has them."""

from __future__ import annotations

import atexit
import inspect
import os
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import children
import numpy as np
import pytest
import threadpoolctl

from fastclf import losses
from fastclf._shared import threads
from fastclf.losses import _blocks

ROWS, FEATURES, CLASSES = 37, 5, 11

OPTIONS = {
    "cross_entropy": [
        {},
        {"weight": np.linspace(0, 2, CLASSES)},
        {"sample_weight": np.linspace(0, 3, ROWS)},
        {"ignore_index": 4},
        {"label_smoothing": 0.2, "weight": np.linspace(0.5, 2, CLASSES)},
        {"target": "probabilities"},
    ],
    "hinge": [
        {},
        {"margin": np.linspace(0, 2, CLASSES * CLASSES).reshape(CLASSES, CLASSES), "squared": True},
        {"kind": "crammer_singer"},
        {"average": True, "count_target": True, "margin": 0.5},
        {"weight": np.linspace(0, 2, CLASSES), "ignore_index": 3},
    ],
}
CASES = [(name, options) for name, rows in OPTIONS.items() for options in rows]
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


@pytest.fixture(params=[True, False], ids=["one block", "blocks"])
def blocks(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(_blocks, "_BLOCK_BYTES", 4 * CLASSES * 8)


def made(rng, dtype, options):
    X, W = rng.standard_normal((ROWS, FEATURES)).astype(dtype), rng.standard_normal((CLASSES, FEATURES)).astype(dtype)
    target = rng.integers(0, CLASSES, ROWS)
    if options.get("target") == "probabilities":
        target = rng.dirichlet(np.ones(CLASSES), ROWS)
    return X, W, rng.standard_normal(CLASSES).astype(dtype), target, {k: v for k, v in options.items() if k != "target"}


def assert_near(found, expected, dtype):
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("intercept", [True, False])
def test_same_as_of_the_scores(name, options, reduction, dtype, intercept, blocks, rng):
    X, W, b, target, options = made(rng, dtype, options)
    b = b if intercept else None
    scores = X.astype(float) @ W.T.astype(float) + (0 if b is None else b)
    options = {**options, "reduction": reduction, "return_grad": True}
    expected, score_gradients = getattr(losses, name)(scores, target, **options)
    found, (of_X, of_W, of_b) = getattr(losses, f"linear_{name}")(X, W, target, b=b, **options)
    assert_near(found, expected, dtype)
    assert_near(of_X, score_gradients @ W, dtype)
    assert_near(of_W, score_gradients.T @ X, dtype)
    assert of_X.dtype == of_W.dtype == dtype
    if intercept:
        assert_near(of_b, score_gradients.sum(axis=0), dtype)
    else:
        assert of_b is None
    assert_near(getattr(losses, f"linear_{name}")(X, W, target, b=b, **{**options, "return_grad": False}), found, dtype)


@pytest.mark.parametrize("name", OPTIONS)
def test_finite_differences(name, rng):
    X, W, b, target, _ = made(rng, "float64", {})
    loss = getattr(losses, f"linear_{name}")
    _, gradients = loss(X, W, target, b=b, return_grad=True)
    for i, gradient in enumerate(gradients):
        direction = rng.standard_normal(gradient.shape)
        moved = [[a + (sign * 1e-6 * direction if j == i else 0) for j, a in enumerate((X, W, b))] for sign in (1, -1)]
        above, below = (loss(x, w, target, b=c) for x, w, c in moved)
        slope = (above - below) / 2e-6
        assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5)


def test_torch(rng):
    torch = pytest.importorskip("torch")
    X, W, b, target, _ = made(rng, "float64", {})
    tensors = [torch.from_numpy(a).requires_grad_(True) for a in (X, W, b)]
    loss = torch.nn.functional.cross_entropy(torch.nn.functional.linear(*tensors), torch.from_numpy(target))
    loss.backward()
    found, gradients = losses.linear_cross_entropy(X, W, target, b=b, return_grad=True)
    assert found == pytest.approx(loss.item(), rel=1e-13)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        assert_near(gradient, tensor.grad.numpy(), "float64")


def test_gradients_are_written_where_they_are_wanted(blocks, rng):
    X, W, b, target, _ = made(rng, "float32", {})
    out = tuple(np.full_like(a, np.nan) for a in (X, W, b))
    _, found = losses.linear_cross_entropy(X, W, target, b=b, return_grad=True, grad_out=out)
    assert found is out
    _, expected = losses.linear_cross_entropy(X, W, target, b=b, return_grad=True)
    for a, e in zip(out, expected, strict=True):
        assert a.tobytes() == e.tobytes()


@pytest.mark.parametrize(("n", "d"), [(0, 5), (4, 0), (0, 0), (1, 1)])
def test_small_shapes(n, d, rng):
    X, W, b = np.ones((n, d)), np.ones((3, d)), np.array([0.0, 1.0, 2.0])
    loss, (of_X, of_W, of_b) = losses.linear_cross_entropy(X, W, np.zeros(n, int), b=b, return_grad=True)
    expected = losses.cross_entropy(X @ W.T + b, np.zeros(n, int))
    assert loss == pytest.approx(expected, rel=1e-14)
    assert (of_X.shape, of_W.shape, of_b.shape) == ((n, d), (3, d), (3,))
    assert n or not of_W.any()
    _, of_scores = losses.cross_entropy(X @ W.T + b, np.zeros(n, int), return_grad=True)
    np.testing.assert_allclose(of_b, of_scores.sum(axis=0), rtol=1e-14)


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2], lambda a: a[::-1][::-1]]
)
def test_layouts(layout, rng):
    X, W, b, target, _ = made(rng, "float32", {})
    expected = losses.linear_cross_entropy(X, W, target, b=b, return_grad=True)
    found = losses.linear_cross_entropy(layout(X), layout(W), target, b=b, return_grad=True)
    assert found[0] == expected[0]
    assert all(a.tobytes() == e.tobytes() for a, e in zip(found[1], expected[1], strict=True))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": np.zeros((4, 3))}, ValueError, "X has 3 features, but W has 5"),
        ({"X": np.zeros(5)}, ValueError, "Expected 2D array for X"),
        ({"X": np.full((4, 5), np.nan)}, ValueError, "Input X contains NaN"),
        ({"W": np.full((3, 5), np.inf)}, ValueError, "Input W contains infinity"),
        ({"W": np.zeros((0, 5))}, ValueError, "W must have at least one class"),
        ({"b": np.zeros(2)}, ValueError, r"b must have shape \(3,\)"),
        ({"target": [0, 1, 2, 3]}, ValueError, r"target\[3\] = 3 is outside \[0, 3\)"),
        ({"target": [0, 1]}, ValueError, r"target must have shape \(4,\)"),
        ({"X": np.full((4, 5), 1e200), "W": np.full((3, 5), 1e200)}, ValueError, r"overflows float64 .*row 0"),
        ({"grad_out": (np.zeros((4, 5)),)}, TypeError, "grad_out must be a tuple of three arrays"),
        ({"grad_out": (np.zeros((4, 5)), np.zeros((3, 4)), np.zeros(3))}, ValueError, r"grad_out\[1\] must be float64"),
    ],
)
def test_bad_calls(change, error, message):
    call = {"X": np.ones((4, 5)), "W": np.ones((3, 5)), "b": np.zeros(3), "target": [0, 1, 2, 0], **change}
    with pytest.raises(error, match=message):
        losses.linear_cross_entropy(**call, return_grad=True)


@pytest.mark.parametrize("name", OPTIONS)
def test_arguments_are_in_the_order_of_pytorch(name):
    loss = getattr(losses, f"linear_{name}")
    assert list(inspect.signature(loss).parameters)[:3] == ["X", "W", "target"]
    with pytest.raises(TypeError, match="takes 3 positional arguments but 5 were given"):
        loss(np.ones((4, 5)), np.ones((3, 5)), np.zeros(3), [0, 1, 2, 0], None)


@pytest.mark.parametrize("name", OPTIONS)
def test_four_arguments_are_in_the_order_of_the_formula(name, rng):
    loss = getattr(losses, f"linear_{name}")
    X, W, b, target, _ = made(rng, "float64", {})
    assert loss(X, W, b, target) == loss(X, W, target, b=b)
    with pytest.raises(TypeError, match="the third is b, which has integers here"):
        loss(X, W, target, b)
    with pytest.raises(TypeError, match="takes 3 positional arguments but 4"):
        loss(X, W, b, target, b=b)


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        ((100, 10, 3), [100]),
        ((10000, 10, 3), [3334, 3334, 3332]),
        ((3000, 2000, 50000), [1000] * 3),
        ((3, 2, 10**8), [1] * 3),
    ],
)
def test_how_many_rows_scores_are_held_of(shape, rows):
    n, d, classes = shape
    of = np.broadcast_to(np.float32(0), (classes, d))
    with mock.patch.object(np, "empty", lambda shape, dtype: np.broadcast_to(np.zeros((), dtype), shape)):
        held = list(_blocks.LinearModel(np.broadcast_to(np.float32(0), (n, d)), of, None).blocks())
    assert [len(scores) for _, scores in held] == rows
    assert [some.stop for some, _ in held] == np.cumsum(rows).tolist()


def test_no_scores_of_all_rows_are_held(monkeypatch, rng):
    monkeypatch.setattr(_blocks, "_BLOCK_BYTES", 1 << 18)
    X, W = rng.standard_normal((4000, 4), dtype=np.float32), rng.standard_normal((500, 4), dtype=np.float32)
    target = rng.integers(0, 500, 4000)
    losses.linear_cross_entropy(X, W, target, return_grad=True)
    tracemalloc.start()
    losses.linear_cross_entropy(X, W, target, return_grad=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6 < 4000 * 500 * 4


def test_calls_at_the_same_time(rng):
    X, W, b, target, _ = made(rng, "float32", {})

    def call(i):
        return losses.linear_cross_entropy(X, W, target, b=b, n_threads=1 + i % 3)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(call, range(40))) == {call(0)}


def test_blas_has_its_threads_back_after_limits_at_the_same_time():
    def call(i):
        with threads.blas(1 + i % 3):
            return blas_threads()

    before = threadpoolctl.threadpool_info()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(40)))
    assert threadpoolctl.threadpool_info() == before


def parts_of_a_call():
    """A call whose products have several parts, each for a thread, as bytes."""
    rng = np.random.default_rng(4)
    X, W = rng.standard_normal((1100, 300), dtype=np.float32), rng.standard_normal((200, 300), dtype=np.float32)
    loss, gradients = losses.linear_cross_entropy(X, W, rng.integers(0, 200, 1100), return_grad=True, n_threads=2)
    return [loss.hex(), *(g.tobytes().hex() for g in gradients if g is not None)]


def test_the_least_limit_of_blas_holds_while_it_is_wanted():
    with threads.blas(2):
        with threads.blas(1), threads.blas(3):
            assert blas_threads() == {1}
        assert blas_threads() == {2}


def blas_threads():
    return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}


def answers_while_the_interpreter_ends():
    """Call at exit, and in a thread that goes on after the main one; each prints whether its answer is right."""
    expected = parts_of_a_call()

    def tell(when):
        print(when, parts_of_a_call() == expected, flush=True)

    def wait_and_tell():
        threading.main_thread().join()
        tell("after the main thread:")

    atexit.register(tell, "at exit:")
    threading.Thread(target=wait_and_tell).start()


def test_calls_while_the_interpreter_ends():
    done = children.run(answers_while_the_interpreter_ends)
    assert {"after the main thread: True", "at exit: True"} <= set(done.stdout.splitlines()), done.stderr


_FORK = """
import os, threading, time
import numpy as np
from fastclf import losses
from fastclf._shared import threads
rng = np.random.default_rng(0)
X, W = (rng.standard_normal((n, 300), dtype=np.float32) for n in (600, 700))
target = rng.integers(0, 700, 600)
def loss():
    return losses.linear_cross_entropy(X, W, target, n_threads=2)
def loop():
    with threads.blas(1):
        while True:
            loss()
right = loss()
threading.Thread(target=loop, daemon=True).start()
for _ in range(5):
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        os._exit(int(bool(threads._blas_wanted) or loss() != right))
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forks_during_calls_of_other_threads():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _FORK], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
