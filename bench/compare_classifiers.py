"""What fitting and predicting cost, classifier by classifier: same pictures, same threads, one run.

usage: python bench/compare_classifiers.py [--data DIR] [--rounds R] [--threads T]

Pictures are scikit-learn's digits, or those of --data. Times are told as multiples of the time in which the softmax
classifier predicts a picture: medians of turns, A B C A B C. Beside them is the accuracy on the test pictures.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from typing import Any

import numpy as np
from script import add_data, pictures, say, turns

from fastclf import KNN, LinearClassifier, datasets
from fastclf.bench.timing import timed

FEW = 1000  # queries, at most


def main() -> int:
    options = parse()
    data = pictures(options.data)
    largest = np.float32(data.X_train.max())
    parts = {np.uint8: (data.X_train, data.X_test)}
    parts[np.float32] = tuple(rows.astype(np.float32) / largest for rows in parts[np.uint8])
    rows = [row for row in classifiers(options.threads) if "recall" not in row[0] or find_spec("faiss")]
    turn_by_turn = [measured(rows, parts, data, turn, options.rounds) for turn in range(options.rounds)]
    fit, predict, accuracy = np.median(turn_by_turn, axis=0).T
    print("| | fit, a row | predict, a row | accuracy |\n|---|---|---|---|")
    for (name, _, _), one_fit, one_predict, right in zip(rows, fit, predict, accuracy, strict=True):
        print(f"| {name} | {one_fit / predict[0]:.2g} | {one_predict / predict[0]:.2g} | {right:.3f} |")
    return 0


def parse() -> argparse.Namespace:
    arguments = turns(__doc__)
    add_data(arguments)
    return arguments.parse_args()


def classifiers(threads: int) -> list[tuple[str, Any, type]]:
    """Return what is compared: its name, the model, the dtype of its pictures."""
    return [
        ("linear, softmax", LinearClassifier("softmax", l2=1e-3, n_threads=threads), np.float32),
        ("linear, hinge", LinearClassifier("hinge", l2=1e-3, n_threads=threads), np.float32),
        ("linear, squared error", LinearClassifier("mse", l2=1e-3, n_threads=threads), np.float32),
        ("neighbours, l2", KNN(k=5, n_threads=threads), np.uint8),
        ("neighbours, l1", KNN(k=5, metric="l1", n_threads=threads), np.uint8),
        ("neighbours, l2, recall 0.95", KNN(k=5, backend="faiss", recall=0.95, n_threads=threads), np.uint8),
    ]


def measured(
    rows: list[tuple[str, Any, type]], parts: dict[type, Any], data: datasets.Dataset, turn: int, rounds: int
) -> list[tuple[float, float, float]]:
    """Return for each classifier the seconds a row of a fit and of a prediction, and its accuracy."""
    results = []
    for name, model, dtype in rows:
        say(f"{name}, turn {turn + 1} of {rounds}")
        X, Q = parts[dtype]
        _, fit = timed(lambda model=model, X=X: model.fit(X, data.y_train))
        predicted, predict = timed(lambda model=model, Q=Q: model.predict(Q[:FEW]))
        right = float(np.mean(predicted == data.y_test[:FEW]))
        results.append((fit / len(X), predict / len(predicted), right))
    return results


if __name__ == "__main__":
    sys.exit(main())
