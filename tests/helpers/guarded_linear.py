"""Compute linear scores beside pages that nobody may touch: what test_guard_pages.py runs in other processes."""

from __future__ import annotations

import itertools
import os

import numpy as np
from guarded import Guarded, Progress
from guarded_losses import ENDS, lie

from fastclf import _native
from fastclf._shared.batch import Batch

DTYPES = (("uint8", "float32"), ("float32", "float32"), ("float32", "float64"), ("float64", "float64"))
WIDTHS = (*range(1, 18), 31, 33, 63, 65, 129)
CLASSES = (1, 2, 3, 5, 6, 7, 13, 17)
ROWS = 7
SPARSE = 3  # values a row
PLANTED = ("X", "centre", "W", "b", "label", "scores", "of_W", "of_b", "value", "index", "start", "M", "out")


class Arrays:
    """Guarded room for the arrays of a call."""

    def __init__(self):
        self._room = {name: Guarded(8 * 129 * 17) for name in PLANTED}

    def view(self, name, shape, dtype, end, planted):
        array = lie(self._room[name], shape, dtype, end, name == planted)
        if name != planted:
            array[...] = 1
        return array

    def call(self, dtype, own, width, classes, end, planted=None):
        """Call the three kernels; the array that `planted` names lies an element beyond its room."""

        def view(name, shape, of=own):
            return self.view(name, shape, of, end, planted)

        X, centre = view("X", (ROWS, width), dtype), view("centre", (width,))
        W, b, label = view("W", (classes, width)), view("b", (classes,)), view("label", (ROWS,), "int64")
        if planted != "label":
            label[...] = classes - 1
        _native.linear_scores(X, centre, W, b, 1, view("scores", (ROWS, classes)))
        of_W, of_b = view("of_W", (classes, width), "float64"), view("of_b", (classes,), "float64")
        _native.linear_loss(Batch("cross_entropy", W, label=label), X, centre, W, b, 1, of_W, of_b)
        start, index = view("start", (ROWS + 1,), "int64"), view("index", (ROWS * SPARSE,), "int32")
        if planted != "start":
            start[...] = np.arange(ROWS + 1) * SPARSE
        if planted != "index":
            index[...] = width - 1 if end else 0
        value = view("value", (ROWS * SPARSE,), dtype)
        _native.sparse_product(start, index, value, view("M", (width, classes)), 1, view("out", (ROWS, classes)))


def cases():
    return itertools.product(DTYPES, WIDTHS, CLASSES, ENDS)


def run_linear(isa, progress_path):
    """Linear kernels of every shape; the number of cases."""
    _native.use_isa(isa)
    progress, arrays, calls = Progress(progress_path), Arrays(), 0
    for (dtype, own), width, classes, end in cases():
        progress.now(*f"{isa} {dtype} {own} {width} {classes} end={end}".split())
        arrays.call(dtype, own, width, classes, end)
        calls += 1
    return calls


def statuses_of_plants(isa, planted):
    """How forked processes end that call the kernels with one array beyond its room, or none: by case, as text."""
    _native.use_isa(isa)
    arrays, found = Arrays(), {}
    for (dtype, own), end, name in itertools.product(DTYPES, ENDS, PLANTED):
        pid = os.fork()
        if pid == 0:
            arrays.call(dtype, own, 24, 6, end, name if planted else None)
            os._exit(0)
        found[f"{dtype} {own} end={end} {name}"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return found
