"""Compare exact search by fastclf with that by other packages: same data, same threads, one run.

usage: python bench/compare_backends.py [--data DIR | --made N D] [--rounds R] [--threads T] [--out DIR]

Answers are compared first; then fastclf and a peer are timed in turns, A B A B, and the median of the ratios is told.
Peers that would take minutes are given fewer queries; ratios are per query. Absolute times are not told: they say more
of the machine than of the packages. Chart: bench-backends.png.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import cases
import numpy as np
import peers
from script import COLOURS, parser, save, say
from timing import in_turns, rows_differ


@dataclass(frozen=True)
class Result:
    """One peer on one case: how much longer it takes a query, and on how many queries it answers otherwise."""

    case: str
    peer: str
    times: float
    rows_differ: int
    queries: int


def main() -> int:
    options = parse()
    data = cases.from_directory(options.data) if options.data else cases.made(*options.made)
    found = [peer for peer in peers.PEERS if peer.installed()]
    missing = [peer.name for peer in peers.PEERS if peer not in found]
    if missing:
        say(f"not installed: {', '.join(missing)}")
    results = [result for case in cases.CASES for result in compare(case, data, found, options)]
    print(table(results, data))
    draw(results, data, options.out)
    return 0


def parse() -> argparse.Namespace:
    arguments, source = parser(__doc__)
    source.add_argument("--made", type=int, nargs=2, default=(20000, 1024), metavar=("N", "D"), help="made rows")
    return arguments.parse_args()


def compare(case: cases.Case, data: cases.Data, found: list[peers.Peer], options: argparse.Namespace) -> list[Result]:
    X, Q = data.as_values(case.values)
    Q = Q[: case.n_queries]
    ours = peers.FastClf(X, case.metric, options.threads)
    answer = ours.neighbors(Q, case.k)
    results = []
    for peer in found:
        say(f"{case.name}: {peer.name}")
        part = Q[: peer.queries[case.metric]]
        theirs = peer.build(X, case.metric, options.threads)
        differ = rows_differ(theirs.neighbors(part, case.k), answer)
        a, b = in_turns([(ours, Q), (theirs, part)], case.k, options.rounds).T
        ratio = float(np.median(b / a))
        results.append(Result(case.name, peer.name, ratio, differ, len(part)))
    return results


def table(results: list[Result], data: cases.Data) -> str:
    names = list(dict.fromkeys(result.peer for result in results))
    lines = [f"| {data.name} | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for case in dict.fromkeys(result.case for result in results):
        cells = [result for result in results if result.case == case]
        lines.append(f"| {case} | {' | '.join(f'{cell.times:.3g}' for cell in cells)} |")
    differ = [f"{r.peer} on {r.rows_differ} of {r.queries} ({r.case})" for r in results if r.rows_differ]
    lines.append("")
    lines.append("Times as long as fastclf takes a query, same threads, medians of paired runs.")
    lines.append(f"Other neighbours than fastclf's, by ties or rounding: {'; '.join(differ) or 'none'}.")
    return "\n".join(lines)


def draw(results: list[Result], data: cases.Data, out: Path) -> None:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(result.peer for result in results))
    groups = list(dict.fromkeys(result.case for result in results))
    figure = Figure(figsize=(1.6 + 1.9 * len(groups), 3.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        heights = [next(r.times for r in results if (r.case, r.peer) == (group, name)) for group in groups]
        places = np.arange(len(groups)) + (i - (len(names) - 1) / 2) * width
        bars = axes.bar(places, heights, width * 0.92, label=name, color=COLOURS[i % len(COLOURS)])
        axes.bar_label(bars, [f"{t:.3g}" for t in heights], fontsize=8, padding=2)
    axes.axhline(1, color="#333333", linewidth=1)
    axes.text(1.005, 1, "fastclf", fontsize=8, color="#333333", va="center", transform=axes.get_yaxis_transform())
    axes.set_yscale("log")
    times = [result.times for result in results]
    axes.set_ylim(0.5 * min(1, *times), 2.5 * max(times))
    axes.set_xticks(np.arange(len(groups)), groups)
    axes.set_ylabel("times as long as fastclf")
    axes.set_title(f"Exact search, {data.name}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, 1.0), ncols=len(names))
    save(figure, out / "bench-backends.png")


if __name__ == "__main__":
    sys.exit(main())
