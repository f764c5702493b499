"""How many times as long the best peer takes as exact search, over features and rows, for three kinds of rows.

usage: python bench/map.py [--n N ...] [--d D ...] [--values MOST] [--queries Q] [--rounds R] [--threads T] [--out DIR]

Peers are faiss's flat index and, of up to 64 features, SciPy's k-d tree: the sooner of both counts. Rows are spread
evenly, or in 100 clusters, or lie where three numbers tell all features, with some noise. Answers are compared first;
then searches are timed in turns, A B C A B C, and the table tells medians of ratios. Sizes of more than --values values
are left out. Building is not in the times. Chart: bench-map.png.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from script import save, say, turns

from fastclf.bench import peers
from fastclf.bench.timing import in_turns, rows_differ

K = 10
TREE_FEATURES = 64
TURN_SECONDS = 0.05  # at least, lest a thread of the one before, still waiting for work, be measured too
CLUSTERS = 100


class Cell(NamedTuple):
    """By how much the best peer is slower, which it is, and how many queries have other neighbours."""

    ratio: float
    peer: str
    differ: int


def spread(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    return rng.random((n, d), dtype=np.float32)


def clustered(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    centres = rng.standard_normal((CLUSTERS, d), dtype=np.float32)
    return centres[rng.integers(0, CLUSTERS, n)] + rng.standard_normal((n, d), dtype=np.float32) / 4


def of_three_numbers(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    hidden = np.tanh(rng.standard_normal((n, 3), dtype=np.float32) @ rng.standard_normal((3, d), dtype=np.float32))
    return hidden + rng.standard_normal((n, d), dtype=np.float32) / 50


KINDS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "spread": spread,
    "clustered": clustered,
    "of three numbers": of_three_numbers,
}


def main() -> int:
    options = parse()
    cells = {}
    for kind, d, n in itertools.product(KINDS, options.d, options.n):
        if n * d <= options.values:
            say(f"{kind}, {n} x {d}")
            rows = KINDS[kind](n + options.queries, d, np.random.default_rng(0))
            cells[kind, n, d] = measured(rows, options)
    print("\n\n".join(table(kind, cells, options) for kind in KINDS))
    print("\n" + notes(cells))
    draw(cells, options)
    return 0


def parse() -> Any:
    arguments = turns(__doc__)
    counts: dict[str, Any] = {"type": int, "nargs": "+"}
    arguments.add_argument("--n", **counts, default=[1000, 10_000, 100_000, 1_000_000], help="rows")
    arguments.add_argument("--d", **counts, default=[1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096], help="features")
    arguments.add_argument("--values", type=int, default=1 << 27, help="of all rows, at most")
    arguments.add_argument("--queries", type=int, default=1000)
    arguments.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    return arguments.parse_args()


def measured(rows: np.ndarray, options: Any) -> Cell:
    X, Q = rows[: -options.queries], rows[-options.queries :].copy()
    ours = peers.FastClf(X, "l2", options.threads)
    others = {"faiss": peers.Faiss} if peers.FAISS.installed() else {}
    if X.shape[1] <= TREE_FEATURES or not others:
        others["SciPy"] = peers.SciPyTree
    built = {name: build(X, "l2", options.threads) for name, build in others.items()}
    answer = ours.neighbors(Q, K)
    differ = {name: rows_differ(other.neighbors(Q, K), answer) for name, other in built.items()}
    seconds = in_turns([(search, Q) for search in (ours, *built.values())], K, options.rounds, TURN_SECONDS)
    ratios = dict(zip(built, np.median(seconds[:, 1:] / seconds[:, :1], axis=0).tolist(), strict=True))
    best = min(ratios, key=ratios.__getitem__)
    return Cell(ratios[best], best, differ[best])


def table(kind: str, cells: dict[tuple[str, int, int], Cell], options: Any) -> str:
    lines = [f"| {kind} | {' | '.join(f'n = {n}' for n in options.n)} |", "|---" * (len(options.n) + 1) + "|"]
    for d in options.d:
        of_d = [cells.get((kind, n, d)) for n in options.n]
        lines.append(f"| d = {d} | {' | '.join(f'{c.ratio:.3g} ({c.peer})' if c else '' for c in of_d)} |")
    return "\n".join(lines)


def notes(cells: dict[tuple[str, int, int], Cell]) -> str:
    differ = [
        f"{cell.peer} on {cell.differ} ({kind}, {n} x {d})" for (kind, n, d), cell in cells.items() if cell.differ
    ]
    return (
        f"Times as long as fastclf's exact search takes for {K} neighbours, same threads, medians of paired turns.\n"
        f"Other neighbours than fastclf's (ties, rounding or an error): {'; '.join(differ) or 'none'}."
    )


def draw(cells: dict[tuple[str, int, int], Cell], options: Any) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.6), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(KINDS), sharey=True)
    for axes, kind in zip(panels, KINDS, strict=True):
        ratios = np.full((len(options.d), len(options.n)), np.nan)
        for at in np.ndindex(ratios.shape):
            cell = cells.get((kind, options.n[at[1]], options.d[at[0]]))
            if cell:
                ratios[at] = cell.ratio
                axes.text(at[1], at[0], f"{cell.ratio:.2g}", ha="center", va="center", fontsize=8)
        image = axes.imshow(np.log2(ratios), cmap="PuOr", vmin=-4, vmax=4, aspect="auto")
        axes.set_xticks(range(len(options.n)), [f"{n:.0e}" for n in options.n], fontsize=8)
        axes.set_yticks(range(len(options.d)), [str(d) for d in options.d], fontsize=8)
        axes.set_xlabel("rows")
        axes.set_title(kind, fontsize=10)
    panels[0].set_ylabel("features")
    bar = figure.colorbar(image, ax=panels, ticks=range(-4, 5, 2))
    bar.ax.set_yticklabels([f"{2.0**power:g}" for power in range(-4, 5, 2)], fontsize=8)
    figure.suptitle("Times as long as exact search: the best peer", fontsize=11)
    save(figure, options.out / "bench-map.png")


if __name__ == "__main__":
    sys.exit(main())
