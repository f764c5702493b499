"""What a search and a step of a fit cost on a Dask cluster of processes on this machine: work and bytes, not seconds.

usage: python bench/scale_out.py [--rows N] [--features D] [--neighbors K] [--queries Q] [--rounds R] [--workers W ...]

The first table is of one process: the processor's time of a search through shards, each limited by what those before
have found, as a multiple of that of one index of the same rows. The second is of clusters, with eight shards: tasks and
bytes that workers send, for a query and for a step of a softmax regression of ten classes; and the
workers' processor time of a search, as a multiple of one process's. Answers are compared.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
import warnings
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from script import say, turns
from sklearn.exceptions import ConvergenceWarning

import fastclf
from fastclf import shards
from fastclf.dask import DaskKNN, DaskLinearClassifier
from fastclf.dask._linear_objective import PlacedRows
from fastclf.dask._search import limits_of, rounds

SHARDS = (1, 2, 5, 10, 20)
METRICS = ("l1", "l2", "cosine")
ON_CLUSTERS = 8  # shards
CLASSES, ITERATIONS = 10, (4, 24)  # what the latter take more than the former is that of steps


def main() -> int:
    options = parse()
    X, Q = made(options.rows, options.features, 0), made(options.queries, options.features, 1)
    print("| metric | " + " | ".join(f"{count} shards" for count in SHARDS) + " |\n" + "|---" * (len(SHARDS) + 1) + "|")
    for metric in METRICS:
        say(f"shards, {metric}")
        print(
            f"| {metric} | " + " | ".join(f"{ratio:.2f}" for ratio in of_shards(X, Q, metric, options)) + " |",
            flush=True,
        )
    print(
        "\n| workers | tasks a batch | bytes a query | work | tasks a step | bytes a step |\n|---|---|---|---|---|---|"
    )
    for workers in options.workers:
        say(f"{workers} workers")
        print(f"| {workers} | " + " | ".join(on_cluster(X, Q, workers, options)) + " |", flush=True)
    return 0


def parse() -> argparse.Namespace:
    arguments = turns(__doc__)
    arguments.add_argument("--rows", type=int, default=300_000, metavar="N")
    arguments.add_argument("--features", type=int, default=128, metavar="D")
    arguments.add_argument("--neighbors", type=int, default=10, metavar="K")
    arguments.add_argument("--queries", type=int, default=8192, metavar="Q")
    arguments.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8], metavar="W")
    return arguments.parse_args()


def made(n: int, d: int, seed: int) -> np.ndarray:
    """Rows whose variance falls from feature to feature, as that of embeddings does along principal directions."""
    rows = np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)
    return (rows * (1 + np.arange(d, dtype=np.float32)) ** -0.7).astype(np.float32)


# --- one process ------------------------------------------------------------------------------------------------------


def of_shards(X: np.ndarray, Q: np.ndarray, metric: str, options: argparse.Namespace) -> list[float]:
    """Medians of the ratios of times, for each number of shards."""
    k, found = options.neighbors, []
    with fastclf.threads(1):
        one = shards.index_rows(X, metric=metric)
        expected = shards.nearest(one, Q, k)
        for count in SHARDS:
            edges = np.linspace(0, len(X), count + 1).astype(int)
            parts = [
                (int(start), shards.index_rows(X[start:end], metric=metric, places=count))
                for start, end in itertools.pairwise(edges)
            ]
            same_rows(through(parts, Q, X, k, metric).rows, expected.rows)
            ratios = []
            for _ in range(options.rounds):
                theirs = processor(lambda parts=parts: through(parts, Q, X, k, metric))
                ratios.append(theirs / processor(lambda: shards.nearest(one, Q, k)))
            found.append(float(np.median(ratios)))
    return found


def through(parts: list[Any], Q: np.ndarray, X: np.ndarray, k: int, metric: str) -> shards.Neighbors:
    """Search one shard after the other, as the tasks of a cluster do."""
    lists: list[shards.Neighbors] = []
    for start, end in rounds(len(parts)):
        limits = limits_of(lists, k, metric) if lists else None
        lists += [shards.nearest(shard, Q, k, first_row=first, limits=limits) for first, shard in parts[start:end]]
    return shards.merge(lists, k, Q, X.__getitem__, metric=metric)


def processor(run: Any) -> float:
    """The processor's time that a call takes."""
    before = time.process_time()
    run()
    return time.process_time() - before


def same_rows(found: np.ndarray, expected: np.ndarray) -> None:
    if not np.array_equal(found, expected):
        sys.exit("answers differ")


# --- clusters ---------------------------------------------------------------------------------------------------------


def on_cluster(X: np.ndarray, Q: np.ndarray, workers: int, options: argparse.Namespace) -> list[str]:
    """A row of the table."""
    k, size = options.neighbors, -(-len(X) // ON_CLUSTERS)
    with fastclf.threads(1):
        one = fastclf.KNN(k, metric="l2").fit(X, np.zeros(len(X), int))
        expected = one.kneighbors(Q)[1]
        work = min(processor(lambda: one.kneighbors(Q)) for _ in range(options.rounds))
    local = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**local, silence_logs=50) as cluster, Client(cluster) as client:
        rows = da.from_array(X, chunks=(size, -1)).persist()
        y = np.arange(len(X)) % CLASSES
        model = DaskKNN(k).fit(rows, y)
        same_rows(model.kneighbors(Q)[1], expected)
        each = [counted(client, lambda: model.kneighbors(Q)) for _ in range(options.rounds)]
        tasks, sent, used = np.min(each, axis=0)
        batches = -(-len(Q) // min(model._most_queries(k), max(256, -(-len(Q) // workers))))
        evaluations: list[int] = []
        search = [f"{tasks / batches:.0f}", f"{sent / len(Q):.0f}", f"{used / work:.2f}"]
        short, long = (
            counted(client, lambda most=most: evaluations.append(steps_of(rows, y, most))) for most in ITERATIONS
        )
        more = np.subtract(long, short) / (evaluations[1] - evaluations[0])
        return [*search, f"{more[0]:.0f}", f"{more[1]:.0f}"]


def steps_of(rows: Any, y: np.ndarray, most: int) -> int:
    """Fit, and return how many times sums of all shards were asked for."""
    asked = []

    def loss(self: Any, *args: Any) -> Any:
        asked.append(1)
        return summed(self, *args)

    summed, PlacedRows.loss = PlacedRows.loss, loss
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            DaskLinearClassifier(max_iter=most, tol=0, random_state=0).fit(rows, y)
    finally:
        PlacedRows.loss = summed
    return len(asked)


def counted(client: Any, run: Any) -> tuple[float, float, float]:
    """Tasks that a call runs, bytes that workers send, and the workers' processor time."""
    before = state(client)
    run()
    return tuple(np.subtract(state(client), before))


def state(client: Any) -> tuple[float, float, float]:
    def tasks(dask_scheduler: Any) -> int:
        return sum(prefix.state_counts["memory"] for prefix in dask_scheduler.task_prefixes.values())

    sent = client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
    return client.run_on_scheduler(tasks), sum(sent.values()), sum(client.run(time.process_time).values())


if __name__ == "__main__":
    sys.exit(main())
