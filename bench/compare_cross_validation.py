"""Compare a cross-validation of k with scikit-learn's grid search: same rows, same folds, same threads, one run.

usage: python bench/compare_cross_validation.py [--data DIR] [--rows N] [--ks K ...] [--rounds R] [--threads T]

Rows are the first of the training pictures (by default of scikit-learn's digits): as bytes, as floats that hold the
same, and as floats that no byte holds. Five stratified folds, L2; scikit-learn compares all rows ("brute"). Times are
told as medians of ratios to fastclf's, in turns; beside them, the most by which the accuracy of a fold differs: votes
that tie, and distances that scikit-learn rounds.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from script import add_data, pictures, say, turns
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from fastclf import KNNCV
from fastclf.bench.cases import VALUES
from fastclf.bench.timing import timed

FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


def main() -> int:
    options = parse()
    data = pictures(options.data)
    rows, y = data.X_train[: options.rows], data.y_train[: options.rows]
    print("| | time, of fastclf's | accuracies differ by |\n|---|---|---|")
    for values, converted in VALUES.items():
        ratio, differ = compare(converted(rows), y, values, options)
        print(f"| {values} | {ratio:.3g} | {differ:.2g} |", flush=True)
    return 0


def parse() -> argparse.Namespace:
    arguments = turns(__doc__)
    add_data(arguments)
    arguments.add_argument("--rows", type=int, default=5000, metavar="N")
    arguments.add_argument("--ks", type=int, nargs="+", default=[1, 3, 5, 7, 9, 11, 15, 21, 51, 101], metavar="K")
    return arguments.parse_args()


def compare(X: np.ndarray, y: np.ndarray, values: str, options: argparse.Namespace) -> tuple[float, float]:
    """Return the median of the ratios of times, and the largest difference of a fold's accuracy."""
    ratios, floats = [], X.astype(np.float32)
    for turn in range(options.rounds):
        say(f"{values}, turn {turn + 1} of {options.rounds}")
        ours, seconds = timed(lambda: KNNCV(options.ks, metrics=("l2",), cv=FOLDS, n_threads=options.threads).fit(X, y))
        with threadpool_limits(options.threads):
            theirs, their_seconds = timed(lambda: peer(options.ks).fit(floats, y))
        ratios.append(their_seconds / seconds)
    accuracies = np.stack([theirs.cv_results_[f"split{i}_test_score"] for i in range(FOLDS.n_splits)], axis=1)
    return float(np.median(ratios)), float(np.abs(ours.cv_scores_[0] - accuracies).max())


def peer(ks: list[int]) -> GridSearchCV:
    return GridSearchCV(KNeighborsClassifier(algorithm="brute"), {"n_neighbors": ks}, cv=FOLDS, refit=False)


if __name__ == "__main__":
    sys.exit(main())
