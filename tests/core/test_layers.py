"""Modules import what lies below them, so that a change touches those above it and nobody else."""

from __future__ import annotations

import ast
import graphlib
import re
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
    # what all share
    {
        f"fastclf._shared.{name}"
        for name in ("aligning", "files", "growing", "interrupts", "labels", "progress", "sealing")
    }
    | {f"fastclf._shared.{name}" for name in ("reading", "tensors", "threads", "types")},
    {f"fastclf._shared.{name}" for name in ("batch", "class_weights", "config", "parameters", "validation")}
    | {"fastclf._c_interface"},
    {"fastclf._shared.estimators", "fastclf._shared.sparse", "fastclf.plotting"},
    {"fastclf.datasets._pictures"},
    {"fastclf.datasets._reading"},
    {"fastclf.datasets._fetching"},
    {"fastclf.datasets"},
    {"fastclf._shared"},
    # what losses are made of, and what users see
    {"fastclf.losses.*"},
    {"fastclf.losses"},
    {"fastclf.torch"},
    # what backends are built of; the protocol; those who implement it; which there are
    {f"fastclf.neighbors.backends.{name}" for name in ("plain", "report", "rows", "vectors")},
    {"fastclf.neighbors.backends.protocol"},
    {"fastclf.neighbors.backends.calibration"},
    {"fastclf.neighbors.backends.libraries"},
    {"fastclf.neighbors.backends.approximate"},
    {"fastclf.neighbors.backends.*"},
    {"fastclf.neighbors.backends.registry", "fastclf.neighbors.backends"},
    # nearest neighbours
    {f"fastclf.neighbors.{name}" for name in ("functions", "memory", "searching", "voting")},
    {"fastclf.neighbors.ballots", "fastclf.neighbors.lookups"},
    {"fastclf.neighbors.classifier"},
    {"fastclf.sklearn.*"},
    {"fastclf.sklearn"},
    {"fastclf.neighbors.folds", "fastclf.neighbors.selection"},
    {"fastclf.neighbors.scoring"},
    {"fastclf.neighbors.cross_validation"},
    {"fastclf.neighbors"},
    # linear classifiers: what is minimised, the protocol of solvers, those who implement it, a fit
    {"fastclf.linear.dense", "fastclf.linear.losses", "fastclf.linear.penalty", "fastclf.linear.rows"},
    {"fastclf.linear.objective"},
    {"fastclf.linear.solving"},
    {"fastclf.linear.*"},
    {"fastclf.linear.inputs"},
    {"fastclf.linear.fitting", "fastclf.linear.prediction"},
    {"fastclf.linear.classifier"},
    {"fastclf.linear"},
    # rows in several places, and Dask, which has them on workers
    {"fastclf.shards._linear", "fastclf.shards._neighbors"},
    {"fastclf.shards._merging"},
    {"fastclf.shards"},
    {f"fastclf.dask.{name}" for name in ("_collections", "_engine")},
    {f"fastclf.dask.{name}" for name in ("_folds", "_linear_parts", "_search", "_votes")},
    {"fastclf.dask._linear_objective", "fastclf.dask._scoring"},
    {"fastclf.dask._linear", "fastclf.dask._neighbors"},
    {"fastclf.dask._trials"},
    {"fastclf.dask._cross_validation"},
    {"fastclf.dask"},
    # classifiers of windows
    {"fastclf.window.*"},
    {"fastclf.window"},
    {"fastclf._reports.machine", "fastclf._reports.tables"},
    {"fastclf._reports.page"},
    {"fastclf._reports"},
    {"fastclf.bench.timing"},
    {"fastclf._comparison"},
    {"fastclf._job"},
    {"fastclf"},
    {"fastclf.bench.cases", "fastclf.bench.peers"},
    {"fastclf.bench.*"},
    {"fastclf.bench.__main__", "fastclf.bench"},
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
        ("fastclf.neighbors.backends.exact", "from fastclf.neighbors.backends import registry"),
        ("fastclf.neighbors.backends.protocol", "from fastclf.neighbors.backends.exact import Exact"),
        ("fastclf.linear.objective", "import fastclf.linear.fitting"),
        ("fastclf._shared.validation", "def late():\n    from fastclf.neighbors.classifier import KNN"),
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


# --- C ----------------------------------------------------------------------------------------------------------------

CSRC = Path(__file__).parents[2] / "csrc"

# Folders, lowest first; files of csrc itself are the interface that all have.  Kernels see their own family's headers.
FOLDERS = ({"core"}, {"neighbors", "losses"}, {"linear"}, {"window"}, {"api"})
FOLDER_LEVELS = {name: level for level, folders in enumerate(FOLDERS) for name in folders}


def headers(source):
    """Folders of the headers that a C source includes."""
    return {Path(name).parts[:-1] for name in re.findall(r'^#include "([^"]+)"', source, re.MULTILINE)}


def may_include(folder, other):
    """Whether a file of one folder may include one of another, both as tuples of names."""
    if not other or folder == other:
        return True
    if folder[:1] == ("isa",):
        return other in {("core",), ("isa",), folder[1:]}
    return other[0] != "isa" and FOLDER_LEVELS[other[0]] < FOLDER_LEVELS[folder[0]] if folder else False


def test_no_include_runs_upward():
    files = [*CSRC.rglob("*.c"), *CSRC.rglob("*.h")]
    folders = {path: path.relative_to(CSRC).parts[:-1] for path in files}
    assert len(files) > 90
    for path in files:
        wrong = [other for other in headers(path.read_text("utf-8")) if not may_include(folders[path], other)]
        assert wrong == [], path


@pytest.mark.parametrize(
    ("folder", "other"),
    [("core", "neighbors"), ("losses", "linear"), ("neighbors", "losses"), ("window", "isa"), ("isa/losses", "linear")],
)
def test_a_planted_include_is_seen(folder, other):
    assert [
        name for name in headers(f'#include "{other}/kernels.h"') if not may_include(tuple(folder.split("/")), name)
    ]
