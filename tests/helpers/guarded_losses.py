"""Compute losses of arrays beside pages that nobody may touch: what test_guard_pages.py runs in other processes."""

from __future__ import annotations

import itertools
import os
import random

import numpy as np
from guarded import WIDTHS, Guarded, Progress
from names import DTYPES, FLOAT_DTYPES
from reference_losses import LOSSES

from fastclf import _native
from fastclf._shared.batch import Batch

CLASSES = (*WIDTHS, 255, 256, 257, 511, 513, 1023, 1024, 1025, 2049)
ROW_COUNTS = (1, 7, 16, 17, 33)
ENDS = (False, True)
PLANTED_SHAPES = ((1, 24), (33, 5), (17, 300))

NO_TARGETS = {"softmax", "log_softmax"}
LABELS_ONLY = {"hinge", "crammer_singer"}
OVER_SCORES = {name for name, loss in LOSSES.items() if loss.by_score}
COLUMN_WEIGHTS = {"cross_entropy", "binary_cross_entropy_with_logits"}


def lie(guarded, shape, dtype, end, beyond=0):
    """View an array that ends at the second guard page, or starts behind the first; or so many elements beyond that."""
    size = np.dtype(dtype).itemsize
    return guarded.at_end(shape, dtype, beyond * size) if end else guarded.at(-beyond * size, shape, dtype)


class Arrays:
    """Guarded room for one call's arrays, by the name of the argument."""

    def __init__(self):
        rng = np.random.default_rng(1)
        rows, cols = max(ROW_COUNTS), max(CLASSES)
        values = rng.integers(-4, 5, rows * cols)
        self._scores = {name: (values / 2).astype(name) for name in FLOAT_DTYPES}
        parts = np.abs(values) / 4
        self._targets = {name: (parts if name in FLOAT_DTYPES else parts > 0).astype(name) for name in DTYPES}
        self._rng = rng
        sizes = {"scores": rows * cols, "target": rows * cols, "gradient": rows * cols, "of_scores": rows * cols}
        sizes |= {"label": rows, "weight": rows, "of_rows": rows, "column": cols, "margins": cols * cols}
        self._room = {name: Guarded(size * 8) for name, size in sizes.items()}
        for name in ("column", "margins"):
            room = self._room[name]
            room.at(0, (room.size // 8,), "float64")[:] = np.resize([0.5, 1, 2], room.size // 8)

    def call(self, loss, dtype, shape, end, options, planted=None):
        """Call the kernel; `planted` is an argument to lie an element beyond its room."""
        rows, cols = shape
        lowest = 1 - options.get("ignored", False)

        def view(name, shape, dtype="float64", values=None):
            if not options.get(name):
                return None
            array = lie(self._room[name], shape, dtype, end, name == planted)
            if values is not None and name != planted:
                array[...] = values
            return array

        def part(values):
            return values[: rows * cols].reshape(shape)

        labels = self._rng.integers(lowest - 1, cols, rows)
        if planted:
            labels[:] = cols - 1 if end else 0
        of_target = options.get("target", "float64")
        scores = view("scores", shape, dtype, part(self._scores[dtype]))
        gradient = scores if options.get("in_place") else view("gradient", shape, dtype)
        how = Batch(
            loss,
            scores,
            view("label", (rows,), "int64", labels),
            view("target", shape, of_target, part(self._targets[of_target])),
            view("weight", (rows,), values=self._rng.integers(lowest, 4, rows)),
            options.get("targets", "any"),
            view("column", (cols,)),
            view("margins", (cols, cols)),
            options.get("smoothing", 0.0),
            1.0,
            options.get("smooth", 0.0),
            options.get("squared", False),
            options.get("own_term", False),
            parameter=1.0,
        )
        bad = _native.losses(how, scores, 0.5, 1, view("of_rows", (rows,)), view("of_scores", shape), gradient)
        assert bad is None, bad


def options_of(loss, chosen):
    """Options of a call: `chosen` decides which of those that the loss has."""
    coin = (False, True)
    options = {"scores": True, "weight": chosen(coin), "of_rows": True, "ignored": chosen(coin)}
    if loss in NO_TARGETS:
        options |= {"of_rows": chosen(coin), "ignored": False}
    elif loss in LABELS_ONLY or chosen(coin):
        options["label"] = True
    else:
        options |= {"target": chosen(DTYPES), "targets": chosen(("any", "parts"))}
    options["in_place"], gradient = chosen(((True, False), (False, True), (False, loss in NO_TARGETS)))
    options["gradient"] = gradient
    options["of_scores"] = loss in OVER_SCORES and chosen(coin)
    options["column"] = loss in COLUMN_WEIGHTS and chosen(coin)
    options["smoothing"] = 0.1 if loss == "cross_entropy" and chosen(coin) else 0.0
    options["margins"] = loss in LABELS_ONLY and chosen(coin)
    options["smooth"] = 0.5 if loss in LABELS_ONLY and chosen(coin) else 0.0
    return options | {"squared": chosen(coin), "own_term": chosen(coin)}


def loss_cases():
    """Yield loss, dtype, classes, rows and whether arrays lie at the end of their room."""
    return itertools.product(_native.loss_names(), FLOAT_DTYPES, CLASSES, ROW_COUNTS, ENDS)


def run_losses(isa, progress_path):
    """Losses of every shape, with options that change from call to call; the number of calls."""
    _native.use_isa(isa)
    progress, arrays, chosen, calls = Progress(progress_path), Arrays(), random.Random(1).choice, 0
    for loss, dtype, cols, rows, end in loss_cases():
        options = options_of(loss, chosen)
        given = " ".join(f"{name}={value}" for name, value in options.items() if value)
        progress.now(*f"{isa} {loss} {dtype} {rows} x {cols} end={end} {given}"[: Progress.LENGTH].split())
        arrays.call(loss, dtype, (rows, cols), end, options)
        calls += 1
    return calls


def planted_arguments(loss):
    """Yield the arrays that a loss reads or writes, and the options of a call that does."""
    every = {"scores": True, "gradient": True, "of_rows": True, "weight": True}
    if loss in NO_TARGETS:
        del every["of_rows"]
    else:
        every["label"] = True
    for name, losses in {"of_scores": OVER_SCORES, "column": COLUMN_WEIGHTS, "margins": LABELS_ONLY}.items():
        if loss in losses:
            every[name] = True
    yield from ((name, every) for name in every)
    if loss not in NO_TARGETS | LABELS_ONLY:
        for dtype in DTYPES:
            yield "target", {**every, "label": False, "target": dtype}


def statuses_of_plants(isa, planted):
    """How forked processes end that call kernels with one array beyond its room, or none: by case, as text."""
    _native.use_isa(isa)
    arrays, found = Arrays(), {}
    for loss, dtype, shape, end in itertools.product(_native.loss_names(), FLOAT_DTYPES, PLANTED_SHAPES, ENDS):
        for name, options in planted_arguments(loss):
            pid = os.fork()
            if pid == 0:
                arrays.call(loss, dtype, shape, end, options, name if planted else None)
                os._exit(0)
            case = f"{loss} {dtype} {shape} end={end} {name} {options.get('target', '')}"
            found[case] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return found
