"""From how many rows on SciPy's k-d tree, and an approximate index, answer sooner than exact search.

usage: python bench/crossovers.py [--most N] [--metric l2|l1] [--rounds R] [--threads T]

`_FAISS_FROM_ROWS` in src/fastclf/neighbors/backends/registry.py comes from here; SciPy's tree is only compared with.
For it, features are independent and uniform; for the index, which is to find 0.95 of the neighbours, rows are made that
resemble embeddings. The number of rows doubles until the other has been faster at two numbers in a row: the first of
them is told, and exact search's times by the other's, medians of paired turns. Building is not in the times.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from script import say

import fastclf
from fastclf.bench import cases, peers
from fastclf.bench.timing import in_turns

K = 5
QUERIES = 1000
TREE_FEATURES = range(1, 11)
TREE_LEAST_ROWS = 1000
INDEX_FEATURES = (96, 384)
INDEX_LEAST_ROWS = 8000
TURN_SECONDS = 0.05  # at least, lest a thread of the one before, still waiting for work, be measured too

Rows = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
Build = Callable[[np.ndarray, str, int], Any]


def main() -> int:
    options = parse()
    print(table("k-d tree", TREE_FEATURES, TREE_LEAST_ROWS, independent, options, peers.SciPyTree))
    if find_spec("faiss") is None:
        say("not installed: faiss")
        return 0
    print()
    print(table("faiss", INDEX_FEATURES, INDEX_LEAST_ROWS, embedded, options, approximate))
    return 0


def parse() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--most", type=int, default=512_000, metavar="N", help="rows")
    arguments.add_argument("--metric", choices=("l2", "l1"), default="l2")
    arguments.add_argument("--rounds", type=int, default=5, help="turns of which the median is told")
    arguments.add_argument("--threads", type=int, default=fastclf.show_config("dicts")["n_threads"])
    options = arguments.parse_args()
    if options.most < INDEX_LEAST_ROWS:
        arguments.error(f"--most must be at least {INDEX_LEAST_ROWS}")
    return options


def independent(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((n, d), dtype=np.float32), rng.random((QUERIES, d), dtype=np.float32)


def embedded(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    data = cases.embeddings(n, d)
    return data.X, data.Q[:QUERIES]


def approximate(X: np.ndarray, metric: str, n_threads: int) -> peers.FastClf:
    return peers.FastClf(X, metric, n_threads, k=K, backend="faiss", recall=0.95)


def table(
    name: str, features: range | tuple[int, ...], least: int, rows: Rows, options: argparse.Namespace, other: Build
) -> str:
    sizes = list(itertools.takewhile(lambda n: n <= options.most, (least << i for i in itertools.count())))
    lines = [
        f"| {name}, {options.metric} | faster from | {' | '.join(map(str, sizes))} |",
        "|---" * (len(sizes) + 2) + "|",
    ]
    for d in features:
        ratios = list(until_faster(d, sizes, rows, options, other))
        cells = [f"{ratio:.3g}" for ratio in ratios] + [""] * (len(sizes) - len(ratios))
        lines.append(f"| d = {d} | {faster_from(sizes, ratios)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def until_faster(d: int, sizes: list[int], rows: Rows, options: argparse.Namespace, other: Build) -> Iterator[float]:
    """How many times as long exact search takes, until it has been longer for two numbers of rows."""
    wins = 0
    for n in sizes:
        say(f"{other.__name__}: d = {d}, n = {n}")
        ratio = times_as_long(*rows(n, d), options, other)
        yield ratio
        wins = wins + 1 if ratio > 1 else 0
        if wins == 2:
            return


def times_as_long(X: np.ndarray, Q: np.ndarray, options: argparse.Namespace, other: Build) -> float:
    searches = [build(X, options.metric, options.threads) for build in (peers.FastClf, other)]
    exact, others = in_turns([(search, Q) for search in searches], K, options.rounds, TURN_SECONDS).T
    return float(np.median(exact / others))


def faster_from(sizes: list[int], ratios: list[float]) -> str:
    """Name the first number of rows at which the other is faster, and at the next as well."""
    for n, (ratio, following) in zip(sizes, itertools.pairwise(ratios), strict=False):
        if min(ratio, following) > 1:
            return str(n)
    return "none"


if __name__ == "__main__":
    sys.exit(main())
