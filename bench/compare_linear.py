"""Compare softmax regression with scikit-learn's: how soon each comes how near to the optimum.

usage: python bench/compare_linear.py [--data DIR] [--iterations N ...] [--l2 L2] [--rounds R] [--threads T]

Rows are pictures over their largest value, less their mean (by default scikit-learn's digits).  scikit-learn's L-BFGS
is fitted anew with each number of iterations; fastclf with default parameters.  The optimum is that of a fit with a
hundred-thousandth of the tolerance.  Times are told as medians of ratios to fastclf's, in turns, with the same number
of threads.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from typing import Any

import numpy as np
from script import COLOURS, parser, pictures, save, say
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from fastclf import LinearClassifier, losses
from fastclf.bench.timing import timed


def main() -> int:
    options = parse()
    data = pictures(options.data)
    X, y = data.X_train / np.float32(data.X_train.max()), data.y_train
    X -= X.mean(axis=0)
    say("finding the optimum")
    best = LinearClassifier(l2=options.l2, tol=1e-9, n_threads=options.threads, verbose=1).fit(X, y).objective_

    def our_fit() -> LinearClassifier:
        return LinearClassifier(l2=options.l2, n_threads=options.threads).fit(X, y)

    ours = our_fit()
    rows = [("fastclf", ours.n_iter_, 1.0, objective(ours, X, y, options.l2) - best)]
    for iterations in options.iterations:
        ratios = []
        for turn in range(options.rounds):
            say(f"scikit-learn, {iterations} iterations, turn {turn + 1} of {options.rounds}")
            seconds = timed(our_fit)[1]
            with threadpool_limits(options.threads):
                theirs, their_seconds = timed(lambda n=iterations: peer(X, y, options.l2, n))
            ratios.append(their_seconds / seconds)
        above = objective(theirs, X, y, options.l2) - best
        rows.append(("scikit-learn", iterations, float(np.median(ratios)), above))
    print("| | iterations | time, of fastclf's | J - J* |\n|---|---|---|---|")
    for name, iterations, ratio, above in rows:
        print(f"| {name} | {iterations} | {ratio:.3g} | {above:.2g} |")
    draw(rows, options)
    return 0


def parse() -> argparse.Namespace:
    arguments, _ = parser(__doc__)
    arguments.add_argument("--iterations", type=int, nargs="+", default=[10, 30, 100], help="of scikit-learn's L-BFGS")
    arguments.add_argument("--l2", type=float, default=1e-4)
    return arguments.parse_args()


def peer(X: np.ndarray, y: np.ndarray, l2: float, iterations: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=1 / (2 * l2 * len(X)), max_iter=iterations, tol=1e-12).fit(X, y)


def objective(model: Any, X: np.ndarray, y: np.ndarray, l2: float) -> float:
    """J, of scores in float64."""
    scores = X.astype(np.float64) @ model.coef_.T.astype(np.float64) + model.intercept_
    codes = np.searchsorted(model.classes_, y)
    return losses.cross_entropy(scores, codes) + l2 * float((model.coef_.astype(np.float64) ** 2).sum())


def draw(rows: list[tuple[str, int, float, float]], options: argparse.Namespace) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        say("no chart: pip install matplotlib")
        return
    figure = Figure(figsize=(5.5, 3.5), dpi=150)
    axes = figure.add_subplot()
    for name, colour, sign in zip(("fastclf", "scikit-learn"), COLOURS, "os", strict=False):
        points = [(ratio, max(above, 1e-12)) for one, _, ratio, above in rows if one == name]
        axes.plot(*zip(*points, strict=True), f"{sign}-", color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel="time, of fastclf's", ylabel="J - J*")
    axes.legend(frameon=False)
    save(figure, options.out / "bench-linear.png")


if __name__ == "__main__":
    sys.exit(main())
