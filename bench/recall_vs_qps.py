"""Recall against queries per second: fastclf's approximate search, graphs of other packages, and exact search.

usage: python bench/recall_vs_qps.py [--hdf5 FILE | --data DIR] [--n N] [--d D] [--k K] [--queries Q] [--rounds R]
                                     [--threads T] [--out DIR]

--hdf5 takes a file as ann-benchmarks makes them, of Euclidean or angular distances; --data, pictures, by l2. Without
them, N vectors of D features are made that resemble embeddings, and searched by cosine. fastclf is given a recall and
finds out how hard to search; graphs are searched ever harder until they find nearly all. Recall is the share of the
rows found that are no further than the k-th nearest, as ann-benchmarks has it, by distances in float64; the k-th
nearest is exact search's, whose distances are compared with the file's first. Then each method is timed in turns with
exact search, A B C A B C, and the medians of the ratios are told. Building is not in the times. Absolute times are not
told: they say more of the machine than of the packages. Chart: bench-recall.png.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import approximate
import numpy as np
from script import COLOURS, parser, save, say

from fastclf.bench import cases, peers
from fastclf.bench.timing import TURN_SECONDS, in_turns

EXACT = "fastclf, exact"
METRICS = {"euclidean": "l2", "angular": "cosine"}  # by ann-benchmarks' names
MARKERS = ("o", "s", "^", "D")
RATE = "queries per second, by exact search's"
QUERIES_AT_ONCE = 100  # whose neighbours' values are gathered
ENOUGH = 0.999  # recall, beyond which no more effort is tried
ROUNDING = {"rtol": 1e-9, "atol": 1e-12}  # of distances in float64
FILE_ROUNDING = {"rtol": 1e-3, "atol": 1e-5}  # of the file's, in float32


@dataclass(frozen=True)
class Task:
    """Rows to search, rows to ask for, the metric; and distances of the nearest, if they are known."""

    name: str
    metric: str
    X: np.ndarray
    Q: np.ndarray
    known: np.ndarray | None = None


@dataclass(frozen=True)
class Result:
    """One method with one setting: the share of the neighbours that it finds, and its rate by exact search's."""

    method: str
    setting: str
    recall: float
    rate: float


class Exact(peers.FastClf):
    """fastclf's exact search; of the queries of a task, how far the k-th nearest is."""

    def __init__(self, task: Task, k: int, n_threads: int) -> None:
        super().__init__(task.X, task.metric, n_threads, k=k)
        self.distances, self.found = self.model.kneighbors(task.Q)


def main() -> int:
    options = parse()
    task = task_of(options)
    methods = [method for method in approximate.METHODS if method.installed()]
    missing = dict.fromkeys(method.name for method in approximate.METHODS if method not in methods)
    if missing:
        say(f"not installed: {', '.join(missing)}")
    say(EXACT)
    exact = Exact(task, options.k, options.threads)
    if (differ := differing(exact.distances, task.known)) > 0:
        say(f"{task.name}: exact search's distances are not the file's for {differ} of {len(task.Q)} queries")
        return 1
    results = [Result(EXACT, "", recall(task, exact.found, exact.distances[:, -1]), 1.0)]
    for method in methods:
        results += measured(method, task, exact, options)
    title = f"{task.name}, {task.metric}, k = {options.k}"
    print(table(results, title))
    draw(results, title, options)
    return 0


def parse() -> argparse.Namespace:
    arguments, source = parser(__doc__)
    source.add_argument("--hdf5", type=Path, metavar="FILE", help="train, test and distances, as ann-benchmarks' files")
    arguments.add_argument("--n", type=int, default=100_000, help="made rows")
    arguments.add_argument("--d", type=int, default=128, help="features of made rows")
    arguments.add_argument("--k", type=int, default=10, help="neighbours")
    arguments.add_argument("--queries", type=int, default=1000)
    return arguments.parse_args()


def task_of(options: argparse.Namespace) -> Task:
    if options.hdf5:
        return from_hdf5(options.hdf5, options.queries)
    data = cases.pictures(options.data) if options.data else cases.embeddings(options.n, options.d)
    metric = "l2" if options.data else "cosine"
    return Task(data.name, metric, *(rows.astype(np.float32) for rows in (data.X, data.Q[: options.queries])))


def from_hdf5(path: Path, queries: int) -> Task:
    try:
        import h5py
    except ImportError:
        raise SystemExit("--hdf5 needs h5py: pip install h5py") from None
    with h5py.File(path) as file:
        distance = file.attrs.get("distance")
        if distance not in METRICS:
            raise SystemExit(f"{path.name}: distance must be one of {list(METRICS)}, got {distance!r}")
        X, Q = np.float32(file["train"][:]), np.float32(file["test"][:queries])
        return Task(path.stem, METRICS[distance], X, Q, file["distances"][:queries])


def differing(ours: np.ndarray, known: np.ndarray | None) -> int:
    """Count the queries whose distances are not those known, as far as both go."""
    if known is None:
        return 0
    k = min(ours.shape[1], known.shape[1])
    return int((~np.isclose(np.sort(known)[:, :k], ours[:, :k], **FILE_ROUNDING)).any(axis=1).sum())


def measured(method: approximate.Method, task: Task, exact: Exact, options: argparse.Namespace) -> Iterator[Result]:
    """Build one method, search with its settings until one finds enough, and forget it."""
    say(f"building {method.name}")
    search = method.build(task.X, task.metric, options.k, options.threads)
    tuned, shares = [], []
    for setting in search.settings:
        say(f"{method.name}: {search.parameter} {setting}")
        tuned.append(approximate.Tuned(search, setting))
        shares.append(recall(task, tuned[-1].neighbors(task.Q, options.k), exact.distances[:, -1]))
        if shares[-1] >= ENOUGH:
            break
    seconds = in_turns([(one, task.Q) for one in (exact, *tuned)], options.k, options.rounds, TURN_SECONDS)
    rates = np.median(seconds[:, :1] / seconds[:, 1:], axis=0).tolist()
    for one, share, rate in zip(tuned, shares, rates, strict=True):
        yield Result(method.name, f"{search.parameter} {one.setting}", share, rate)


def recall(task: Task, found: np.ndarray, furthest: np.ndarray) -> float:
    """Share of the rows found (-1: none) that are no further than `furthest` of their query, however ties went."""
    near = 0
    for start in range(0, len(found), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        distances = distances_of(task.metric, task.Q[part], task.X[found[part]])
        limits = furthest[part, None]
        within = (distances <= limits) | np.isclose(distances, limits, **ROUNDING)
        near += int((within & (found[part] >= 0)).sum())
    return near / found.size


def distances_of(metric: str, Q: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Distances in float64 of rows of shape (queries, k, features)."""
    Q, rows = Q[:, None].astype(np.float64), rows.astype(np.float64)
    if metric == "l2":
        return np.linalg.norm(rows - Q, axis=-1)
    lengths = np.linalg.norm(rows, axis=-1) * np.linalg.norm(Q, axis=-1)
    products = (rows * Q).sum(axis=-1)
    return 1 - np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)


def table(results: list[Result], title: str) -> str:
    lines = [f"| {title} | parameter | recall | {RATE} |", "|---|---|---|---|"]
    lines += [f"| {r.method} | {r.setting} | {r.recall:.4f} | {r.rate:.3g} |" for r in results]
    lines.append("")
    lines.append("Same threads, medians of paired turns.")
    return "\n".join(lines)


def draw(results: list[Result], title: str, options: argparse.Namespace) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for i, name in enumerate(dict.fromkeys(r.method for r in results if r.method != EXACT)):
        draw_curve(axes, [r for r in results if r.method == name], COLOURS[i], MARKERS[i])
    axes.axhline(1, color="#333333", linewidth=1)
    axes.plot([r.recall for r in results if r.method == EXACT], [1], "*", color="#333333", markersize=11, label=EXACT)
    axes.set_yscale("log")
    axes.set_xlabel(f"recall@{options.k}")
    axes.set_ylabel(RATE)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    save(figure, options.out / "bench-recall.png")


def draw_curve(axes: Any, curve: list[Result], colour: str, marker: str) -> None:
    places = [r.recall for r in curve], [r.rate for r in curve]
    axes.plot(*places, marker, linestyle="-", markersize=5, color=colour, label=curve[0].method)


if __name__ == "__main__":
    sys.exit(main())
