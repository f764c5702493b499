"""Modules import what lies below them, so that a change touches those above it and nobody else."""

from __future__ import annotations

import ast
import graphlib
import sys
from pathlib import Path

import numpy as np
import pytest

import fastclf
from fastclf import KNN, _native

ROOT = Path(fastclf.__file__).parent

# Lowest first.  A name is a module, or with .* all modules of a package that have no line of their own.  Modules of one
# layer may import one another, though not in a circle.
LAYERS = (
    {"fastclf._native"},
    {
        f"fastclf._{name}"
        for name in ("aligning", "files", "growing", "interrupts", "progress", "reading", "threads", "types")
    },
    {f"fastclf._{name}" for name in ("batch", "config", "parameters", "validation")},
    {"fastclf._estimators", "fastclf.datasets", "fastclf.plotting"},
    # what losses are made of, and what users see
    {"fastclf.losses.*"},
    {"fastclf.losses"},
    # what backends are built of; the protocol; those who implement it; which there are
    {"fastclf.backends.plain", "fastclf.backends.report", "fastclf.backends.rows", "fastclf.backends.vectors"},
    {"fastclf.backends.protocol"},
    {"fastclf.backends.indexed", "fastclf.backends.calibration"},
    {"fastclf.backends.approximate"},
    {"fastclf.backends.*"},
    {"fastclf.backends.registry", "fastclf.backends"},
    # nearest neighbours
    {"fastclf._memory", "fastclf._searching", "fastclf._voting", "fastclf.functional"},
    {"fastclf._ballots", "fastclf._lookups"},
    {"fastclf.neighbors"},
    {"fastclf.sklearn.*"},
    {"fastclf.sklearn"},
    {"fastclf._folds"},
    {"fastclf._scoring"},
    {"fastclf.model_selection"},
    # linear classifiers: what is minimised, the protocol of solvers, those who implement it, a fit
    {"fastclf.linear.dense", "fastclf.linear.losses", "fastclf.linear.penalty", "fastclf.linear.rows"},
    {"fastclf.linear.objective"},
    {"fastclf.linear.solving"},
    {"fastclf.linear.*"},
    {"fastclf.linear.inputs"},
    {"fastclf.linear.fitting", "fastclf.linear.prediction"},
    {"fastclf.linear.classifier"},
    {"fastclf.linear"},
    # classifiers of windows
    {"fastclf.window.*"},
    {"fastclf.window"},
    {"fastclf._comparison"},
    {"fastclf"},
    {"fastclf.__main__"},
)
LEVELS = {name: level for level, layer in enumerate(LAYERS) for name in layer}


def modules():
    """Path of each module of the package by its name."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def level(name):
    """Layer of a module."""
    return LEVELS.get(name, LEVELS.get(f"{name.rpartition('.')[0]}.*"))


def imported(source, known):
    """Names of the package's modules that a source imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "fastclf":
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in full)


def upward(sources):
    """Yield each import that runs upward, of sources by module."""
    known = {*sources, "fastclf._native"}
    for name, source in sources.items():
        yield from ((name, other) for other in imported(source, known) if level(other) > level(name))


@pytest.fixture(scope="module")
def sources():
    return {name: path.read_text(encoding="utf-8") for name, path in modules().items()}


def test_each_module_has_a_layer(sources):
    assert [name for name in sources if level(name) is None] == []


def test_each_layer_has_its_modules(sources):
    packages = {f"{name.rpartition('.')[0]}.*" for name in sources}
    assert {*LEVELS} <= {*sources, *packages, "fastclf._native"}


def test_no_import_runs_upward(sources):
    assert list(upward(sources)) == []


def test_no_import_runs_in_a_circle(sources):
    known = {*sources, "fastclf._native"}
    # The package's own names are imported when they are first asked for; before, only for type checkers.
    graph = {name: set(imported(source, known)) for name, source in sources.items() if name != "fastclf"}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("fastclf.backends.exact", "from fastclf.backends import registry"),
        ("fastclf.backends.protocol", "from fastclf.backends.exact import Exact"),
        ("fastclf.linear.objective", "import fastclf.linear.fitting"),
        ("fastclf._validation", "def late():\n    from fastclf.neighbors import KNN"),
    ],
)
def test_a_planted_import_is_seen(sources, module, line):
    planted = list(upward(sources | {module: f"{sources[module]}\n{line}\n"}))
    assert [name for name, _ in planted] == [module]


def test_a_prediction_is_five_calls_from_the_kernel(monkeypatch, rng):
    search, depths = _native.knn, []

    def watched(*args, **keywords):
        frame, depth = sys._getframe(1), 1
        while frame.f_code.co_name != "predict":
            frame, depth = frame.f_back, depth + 1
        depths.append(depth + 1)  # that of the kernel
        return search(*args, **keywords)

    model = KNN(3, backend="exact").fit(rng.random((50, 4)), np.arange(50) % 2)
    monkeypatch.setattr(_native, "knn", watched)
    model.predict(rng.random((5, 4)))
    assert depths
    assert max(depths) <= 5
