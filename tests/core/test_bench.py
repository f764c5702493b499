"""The benchmark runs, with whichever peers are installed, and agrees with them."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

SCRIPT = Path(__file__).parents[2] / "bench" / "compare_backends.py"


@pytest.mark.slow
def test_compare_backends(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--made", "400", "32", "--rounds", "1", "--out", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    head, *rows = tables(done)[0]
    assert {row[0] for row in rows} == {
        f"{metric}, {values}" for metric in ("l1", "l2") for values in ("uint8", "float32 0..255", "float32")
    }
    without_l1 = {"usearch", "hnswlib", "NumKong"}
    for name, *cells in rows:
        for peer, cell in zip(head[1:], cells, strict=True):
            assert (cell == "") == (name.startswith("l1") and peer in without_l1), (name, peer)
            assert cell == "" or float(cell) > 0
    assert "scikit-learn" in head
    assert (tmp_path / "bench-backends.png").exists()


@pytest.mark.slow
def test_compare_linear(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT.with_name("compare_linear.py"), "--iterations", "5", "--out", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    table = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row[1].strip() for row in table[2:]] == ["fastclf", "scikit-learn"]
    assert 0 <= float(table[2][4]) < float(table[3][4])
    assert (tmp_path / "bench-linear.png").exists()


@pytest.mark.slow
def test_compare_cross_validation():
    done = ran("compare_cross_validation.py", "--rows", "500", "--ks", "1", "7")
    assert done.returncode == 0, done.stderr
    (_, *rows) = tables(done)[0]
    assert [row[0] for row in rows] == ["uint8", "float32 0..255", "float32"]
    # Which of equally far rows counts is scikit-learn's own affair: few of a fold's 100 rows.
    assert all(float(ratio) > 0 and float(differ) <= 0.05 for _, ratio, differ in rows)


@pytest.mark.slow
def test_compare_windows():
    pytest.importorskip("torch")
    done = ran("compare_windows.py", "--passes", "1")
    assert done.returncode == 0, done.stderr
    table = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row[1].strip() for row in table[2:]] == ["PyTorch", "fastclf, softmax", "fastclf, max_margin"]
    assert all(float(row[2]) > 0 and 0.5 < float(row[3]) <= 1 for row in table[2:])


def ran(script, *options):
    return subprocess.run(
        [sys.executable, SCRIPT.with_name(script), *options, "--rounds", "1"],
        capture_output=True,
        text=True,
        timeout=120,
    )


def tables(done):
    """Cells of the tables that a script wrote, heads first; other lines, such as of a build, are passed over."""
    groups = itertools.groupby(done.stdout.splitlines(), lambda line: line.startswith("|"))
    parts = [list(lines) for is_table, lines in groups if is_table]
    rows = [[[cell.strip() for cell in line.split("|")[1:-1]] for line in lines] for lines in parts]
    return [[head, *cells] for head, _, *cells in rows]


@pytest.fixture
def script(monkeypatch):
    """Import a script."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    return importlib.import_module


def test_recall_counts_rows_that_are_as_near(script):
    bench = script("recall_vs_qps")
    X, Q = np.array([[0, 0], [3, 0], [1, 0], [0, 1]], dtype=np.float32), np.zeros((1, 2), dtype=np.float32)
    shares = {(0, 2): 1.0, (3, 0): 1.0, (0, 1): 0.5, (0, -1): 0.5, (1, 1): 0.0}
    for found, share in shares.items():
        assert bench.recall(bench.Task("", "l2", X, Q), np.array([found]), np.array([1.0])) == share, found


def test_recall_by_cosine_heeds_no_lengths(script):
    bench = script("recall_vs_qps")
    X, Q = np.array([[0, 5], [2, 2], [-9, 0], [1, 0], [0, 0]]), np.array([[3.0, 0]])
    shares = {(3, 1): 1.0, (3, 0): 0.5, (3, 4): 0.5, (2, 0): 0.0}
    for found, share in shares.items():
        task = bench.Task("", "cosine", X, Q)
        assert bench.recall(task, np.array([found]), np.array([1 - 0.5**0.5])) == share, found


def test_faster_from_wants_two_numbers_of_rows(script):
    faster_from = script("crossovers").faster_from
    assert faster_from([1, 2, 4, 8], [2.0, 0.5, 1.5, 1.1]) == "4"
    assert faster_from([1, 2, 4, 8], [2.0, 0.5, 1.0, 1.1]) == "none"
    assert faster_from([1, 2, 4, 8], [1.2, 1.1]) == "1"


@pytest.mark.slow
def test_recall_vs_qps(tmp_path):
    done = ran("recall_vs_qps.py", "--n", "600", "--d", "16", "--queries", "50", "--k", "5", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    head, exact, *others = tables(done)[0]
    assert len(head) == 4
    assert exact == ["fastclf, exact", "", "1.0000", "1"]
    packages = {"fastclf": "faiss", "faiss HNSW32": "faiss", "hnswlib": "hnswlib", "usearch": "usearch"}
    assert {row[0] for row in others} == {name for name, package in packages.items() if find_spec(package)}
    found = {}
    for name, setting, recall, rate in others:
        assert float(rate) > 0
        if name == "fastclf":
            assert float(recall) >= float(setting.split()[1]) - 0.05
        found[name] = float(recall)
    assert all(recall > 0.99 for recall in found.values())  # of the last setting, the most work
    assert (tmp_path / "bench-recall.png").exists()


@pytest.fixture
def ann_file(tmp_path, rng):
    """Write a file in ann-benchmarks' layout, some of whose rows are there twice; distances are scikit-learn's."""
    h5py = pytest.importorskip("h5py")

    def written(distance, times=1.0):
        X, Q = (rng.normal(size=(n, 6)).astype(np.float32) for n in (300, 20))
        X[200:] = X[:100]
        metric = {"euclidean": "euclidean", "angular": "cosine"}.get(distance, "l1")
        model = NearestNeighbors(n_neighbors=12, algorithm="brute", metric=metric).fit(X.astype(np.float64))
        distances, neighbors = model.kneighbors(Q.astype(np.float64))
        path = tmp_path / "made.hdf5"
        with h5py.File(path, "w") as file:
            file.attrs["distance"] = distance
            file["train"], file["test"], file["neighbors"] = X, Q, neighbors.astype(np.int32)
            file["distances"] = (distances * times).astype(np.float32)
        return path

    return written


@pytest.mark.slow
@pytest.mark.parametrize(("distance", "metric"), [("euclidean", "l2"), ("angular", "cosine")])
def test_recall_of_a_file(ann_file, distance, metric, tmp_path):
    done = ran("recall_vs_qps.py", "--hdf5", ann_file(distance), "--k", "7", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    head, exact, *_ = tables(done)[0]
    assert head[0] == f"made, {metric}, k = 7"
    assert exact[2:] == ["1.0000", "1"]


@pytest.mark.slow
def test_recall_of_a_file_that_is_wrong(ann_file, tmp_path):
    done = ran("recall_vs_qps.py", "--hdf5", ann_file("euclidean", times=1.01), "--out", tmp_path)
    assert done.returncode == 1
    assert "distances are not the file's for 20 of 20 queries" in done.stderr
    done = ran("recall_vs_qps.py", "--hdf5", ann_file("jaccard"), "--out", tmp_path)
    assert done.returncode == 1
    assert "distance must be one of ['euclidean', 'angular'], got 'jaccard'" in done.stderr


@pytest.mark.slow
def test_crossovers():
    done = ran("crossovers.py", "--most", "8000")
    assert done.returncode == 0, done.stderr
    found = tables(done)
    assert found[0][0] == ["k-d tree, l2", "faster from", "1000", "2000", "4000", "8000"]
    assert [row[0] for row in found[0][1:]] == [f"d = {d}" for d in range(1, 11)]
    if find_spec("faiss"):
        assert found[1][0] == ["faiss, l2", "faster from", "8000"]
        assert [row[0] for row in found[1][1:]] == ["d = 96", "d = 384"]
    for head, *rows in found:
        for _, start, *cells in rows:
            ratios = [float(cell) for cell in cells if cell]
            assert all(ratio > 0 for ratio in ratios)
            assert len(ratios) == (len(cells) if start == "none" else head[2:].index(start) + 2)


@pytest.mark.slow
def test_compare_classifiers():
    pytest.importorskip("faiss")
    done = ran("compare_classifiers.py")
    assert done.returncode == 0, done.stderr
    (_, *rows) = tables(done)[0]
    assert len(rows) == 6
    assert float(rows[0][2]) == 1
    assert all(float(fit) > 0 and float(predict) > 0 and float(right) > 0.9 for _, fit, predict, right in rows)
