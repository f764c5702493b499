"""How the cost of a query of exact search grows with rows n, features d and neighbours k.

usage: python bench/cost_curves.py [--data DIR | --unstructured] [--metric l2|l1|cosine] [--values VALUES]
                                   [--n N ...] [--d D ...] [--k K ...] [--at N D K] [--queries Q] [--rounds R]
                                   [--threads T] [--out DIR]

fastclf, which compares rows in stages where there are enough of them, is set against its own plain search, which
compares every row in full, and against faiss's flat index. One of n, d, k varies, the others stay as --at says; made
data resemble pictures, --data takes some rows of real ones and their first features, and --unstructured is made so that
stages cannot help. Answers are compared first; then the three are timed in turns, A B C A B C. The table tells the
medians of the others' ratios to fastclf; the chart, cost by fastclf's at the first point of a curve.

faiss has no flat index for cosine: it is asked for inner products of rows made 1 long. For l1 it is given fewer
queries, as it would take minutes. Building an index, and learning stages, is not in the cost. Chart: bench-cost.png.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from script import COLOURS, parser, save, say

from fastclf.bench import cases, peers
from fastclf.bench.timing import in_turns, rows_differ

OURS = "fastclf"
OTHERS = (peers.PLAIN, peers.FAISS)
LABELS = {"n": "rows n", "d": "features d", "k": "neighbours k"}
MARKERS = ("o", "s", "^")
TURN_SECONDS = 0.05  # at least, lest a thread of the one before, still waiting for work, be measured too


@dataclass(frozen=True, order=True)
class Setting:
    """How many rows, features and neighbours."""

    n: int
    d: int
    k: int

    def __str__(self) -> str:
        return self.words("n", "d", "k")

    def words(self, *names: str) -> str:
        return ", ".join(f"{name} = {getattr(self, name)}" for name in names)


@dataclass(frozen=True)
class Result:
    """fastclf's cost of a query and its stages; how much longer others take, and how many queries differ, by name."""

    cost: float
    n_stages: int
    times: dict[str, float]
    differ: dict[str, int]


def main() -> int:
    options = parse()
    name, data_of, most = source(options)
    curves = settings(options, most)
    usable, left_out = peers.sort_out(OTHERS, options.threads)
    if left_out:
        say(f"left out: {peers.reasons(left_out)}")
    results = dict(measured(set().union(*curves.values()), data_of, usable, options))
    title = f"{options.metric}, {options.values}, {name}"
    print("\n\n".join(table(axis, curve, results, title) for axis, curve in curves.items()))
    print("\n" + notes(results))
    draw(curves, results, title, options.out)
    return 0


def parse() -> argparse.Namespace:
    arguments, source = parser(__doc__)
    source.add_argument("--unstructured", action="store_true", help="made rows without structure")
    arguments.add_argument("--metric", choices=("l2", "l1", "cosine"), default="l2")
    arguments.add_argument("--values", choices=cases.VALUES, default="float32")
    counts: dict[str, Any] = {"type": int, "nargs": "+"}
    arguments.add_argument("--n", **counts, default=[1000, 2000, 5000, 10000, 20000, 50000], help="rows")
    arguments.add_argument("--d", **counts, default=[32, 64, 128, 256, 512, 1024, 2048, 3072], help="features")
    arguments.add_argument("--k", **counts, default=[1, 3, 10, 30, 100, 300, 1000], help="neighbours")
    arguments.add_argument("--at", type=int, nargs=3, default=(20000, 1024, 10), metavar=("N", "D", "K"))
    arguments.add_argument("--queries", type=int, default=250)
    return arguments.parse_args()


def source(options: argparse.Namespace) -> tuple[str, Callable[[int, int], cases.Data], tuple[int, int] | None]:
    """Return what the data are called, how n rows of d features are had, and how many there are at most."""
    if options.data:
        data = cases.pictures(options.data)
        return data.name, data.part, data.X.shape
    return ("unstructured", cases.unstructured, None) if options.unstructured else ("made", cases.made, None)


def settings(options: argparse.Namespace, most: tuple[int, int] | None) -> dict[str, list[Setting]]:
    """Return the curve of each axis; where there is less data, curves end with all of it."""
    fixed = Setting(*options.at)
    curves = {axis: [replace(fixed, **{axis: value}) for value in getattr(options, axis)] for axis in LABELS}
    if most:
        n, d = most
        curves = {axis: [replace(at, n=min(at.n, n), d=min(at.d, d)) for at in curve] for axis, curve in curves.items()}
    return {axis: sorted(set(curve)) for axis, curve in curves.items()}


def measured(
    wanted: set[Setting],
    data_of: Callable[[int, int], cases.Data],
    usable: list[peers.Peer],
    options: argparse.Namespace,
) -> Iterator[tuple[Setting, Result]]:
    for (n, d), group in itertools.groupby(sorted(wanted), lambda at: (at.n, at.d)):
        X, Q = data_of(n, d).as_values(options.values)
        Q = Q[: options.queries]
        ours = peers.FastClf(X, options.metric, options.threads)
        others = {peer.name: peer.build(X, options.metric, options.threads) for peer in usable}
        parts = {peer.name: Q[: peer.queries[options.metric]] for peer in usable}
        for at in group:
            say(str(at))
            answer = ours.neighbors(Q, at.k)
            differ = {name: rows_differ(other.neighbors(parts[name], at.k), answer) for name, other in others.items()}
            asked = [(ours, Q), *((other, parts[name]) for name, other in others.items())]
            seconds = in_turns(asked, at.k, options.rounds, TURN_SECONDS)
            times = np.median(seconds[:, 1:] / seconds[:, :1], axis=0).tolist()
            cost = float(np.median(seconds[:, 0]))
            yield at, Result(cost, ours.n_stages, dict(zip(others, times, strict=True)), differ)


def table(axis: str, curve: list[Setting], results: dict[Setting, Result], title: str) -> str:
    first = results[curve[0]]
    lines = [
        f"| {title}; {fixed_words(axis, curve)} | {' | '.join(first.times)} | fastclf, by its first | stages |",
        f"|---|{'---|' * len(first.times)}---|---|",
    ]
    for at in curve:
        result = results[at]
        cells = [f"{value:.3g}" for value in (*result.times.values(), result.cost / first.cost)]
        lines.append(f"| {axis} = {getattr(at, axis)} | {' | '.join(cells)} | {result.n_stages} |")
    return "\n".join(lines)


def fixed_words(axis: str, curve: list[Setting]) -> str:
    return curve[0].words(*(name for name in LABELS if name != axis))


def notes(results: dict[Setting, Result]) -> str:
    differ = [
        f"{name} on {count} ({at})" for at, result in results.items() for name, count in result.differ.items() if count
    ]
    return (
        "Times as long as fastclf takes a query, same threads, medians of paired turns; then fastclf's own cost by\n"
        "that in the first line, and how many stages it uses.\n"
        f"Other neighbours than fastclf's (ties, rounding or an error): {'; '.join(differ) or 'none'}."
    )


def draw(curves: dict[str, list[Setting]], results: dict[Setting, Result], title: str, out: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(curves))
    for axes, (axis, curve) in zip(panels, curves.items(), strict=True):
        draw_panel(axes, axis, curve, results)
    panels[0].set_ylabel("cost of a query, fastclf's first = 1")
    figure.suptitle(f"Exact search, {title}", fontsize=11)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=9, loc="outside lower center", ncols=len(labels))
    save(figure, out / "bench-cost.png")


def draw_panel(axes: Any, axis: str, curve: list[Setting], results: dict[Setting, Result]) -> None:
    values = [getattr(at, axis) for at in curve]
    ours = np.array([results[at].cost for at in curve]) / results[curve[0]].cost
    costs = {OURS: ours} | {name: ours * [results[at].times[name] for at in curve] for name in results[curve[0]].times}
    for i, (name, line) in enumerate(costs.items()):
        axes.plot(values, line, MARKERS[i], linestyle="-", color=COLOURS[i], label=name, zorder=3 - i)
    whole = [i for i, at in enumerate(curve) if not results[at].n_stages]
    label = "fastclf where it uses no stages"
    axes.plot(
        np.take(values, whole), ours[whole], "o", color=COLOURS[0], markerfacecolor="white", label=label, zorder=4
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(values, [str(value) for value in values], fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel(LABELS[axis])
    axes.set_title(fixed_words(axis, curve), fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    sys.exit(main())
