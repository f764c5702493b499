"""Score and train windows beside pages that nobody may touch: what test_guard_pages.py runs in other processes."""

from __future__ import annotations

import itertools
import os
from types import SimpleNamespace

from guarded import Guarded, Progress
from guarded_losses import ENDS, lie
from names import FLOAT_DTYPES

from fastclf import _native

DIMS = (1, 2, 3, 4, 7, 8, 15, 16, 17, 33)
SHAPES = ((0, None, 2), (1, None, 5), (2, 3, 4), (1, 17, 6), (3, 8, 2))  # window, hidden, classes
WORDS, WINDOWS = 5, 9
LAYER = ("W", "b", "W_squares", "b_squares")
NAMES = ("vectors", "squares", "word", "centre", "label", "corrupt", "corrupt_label", "objective", "scores")
PLANTED = (*NAMES, *(f"{name}{i}" for i in range(2) for name in LAYER))


class Arrays:
    """Guarded room for the arrays of a call."""

    def __init__(self):
        self._room = {name: Guarded(8 * 7 * 33 * 17) for name in PLANTED}

    def call(self, dtype, dim, shape, end, planted=None):
        """Train and score; the array that `planted` names lies an element beyond its room."""
        window, hidden, classes = shape

        def view(name, shape, dtype=dtype, value=0):
            array = lie(self._room[name], shape, dtype, end, name == planted)
            inside = slice(None) if name != planted else slice(-1) if end else slice(1, None)
            array.reshape(-1)[inside] = value
            return array

        layers, inputs = [], (2 * window + 1) * dim
        for i, outputs in enumerate([classes] if hidden is None else [hidden, classes]):
            W, W_squares = (view(f"{name}{i}", (outputs, inputs)) for name in ("W", "W_squares"))
            b, b_squares = (view(f"{name}{i}", (outputs,)) for name in ("b", "b_squares"))
            layers.append(SimpleNamespace(W=W, b=b, W_squares=W_squares, b_squares=b_squares))
            inputs = outputs
        net = SimpleNamespace(
            vectors=view("vectors", (WORDS, dim), value=1),
            squares=view("squares", (WORDS, dim)),
            layers=layers,
            window=window,
            trained=WORDS,
            activation="tanh",
        )
        word = view("word", (WINDOWS + 2 * window,), "int32", WORDS - 1 if end else 0)
        centre = view("centre", (WINDOWS,), "int64", window)
        corrupt = view("corrupt", (WINDOWS,), "int64", window + WINDOWS - 1)
        label, other = view("label", (WINDOWS,), "int64", classes - 1), view("corrupt_label", (WINDOWS,), "int64")
        for pairs in ((corrupt, other), (None, None)):
            objective = view("objective", (3,), "float64")
            steps = SimpleNamespace(batch=4, rate=0.1, l2=1e-3, margin=1.0)
            assert _native.window_train(net, steps, word, centre, label, *pairs, 1, objective)
        _native.window_scores(net, word, centre, 1, view("scores", (WINDOWS, classes)))


def cases():
    return itertools.product(FLOAT_DTYPES, DIMS, SHAPES, ENDS)


def run_window(isa, progress_path):
    """Window kernels of every shape; the number of cases."""
    _native.use_isa(isa)
    progress, arrays, calls = Progress(progress_path), Arrays(), 0
    for dtype, dim, shape, end in cases():
        progress.now(isa, dtype, dim, shape, end)
        arrays.call(dtype, dim, shape, end)
        calls += 1
    return calls


def statuses_of_plants(isa, planted):
    """How forked processes end that call the kernels with one array beyond its room, or none: by case, as text."""
    _native.use_isa(isa)
    arrays, found = Arrays(), {}
    for dtype, end, name in itertools.product(FLOAT_DTYPES, ENDS, PLANTED):
        pid = os.fork()
        if pid == 0:
            arrays.call(dtype, 8, (1, 16, 4), end, name if planted else None)
            os._exit(0)
        found[f"{dtype} end={end} {name}"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return found
