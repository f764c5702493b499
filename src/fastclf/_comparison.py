"""Backends and scikit-learn on the same queries: their times, and how often they agree."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from fastclf.bench.timing import median_ratio
from fastclf.neighbors.backends.registry import BACKENDS
from fastclf.neighbors.classifier import KNN

RECALLS = (0.9, 0.99)

_ROUNDS = 5


class Result(NamedTuple):
    """One backend: how many times as fast as exact search, the recall it promises, and how many predictions agree."""

    name: str
    times_as_fast: float
    recall: float
    agree: int


def compare(model: KNN, X: NDArray[Any], y: NDArray[Any], queries: NDArray[Any]) -> Iterator[Result]:
    """Compare exact search with others of the same k and metric, fitted on the same rows, where they are installed.

    Times are medians of paired ratios, after a warm-up.
    """
    exact = _model("exact", model).fit(X, y)
    expected = exact.predict(queries)
    yield Result("fastclf exact", 1.0, 1.0, len(queries))
    for name, other in _others(model):
        rows, asked = (part.astype(np.float32) if name.startswith("scikit") else part for part in (X, queries))
        try:
            other.fit(rows, y)
        except ImportError:
            continue
        agree = int(np.sum(other.predict(asked) == expected))
        ratio = 1 / median_ratio(partial(exact.predict, queries), partial(other.predict, asked), _ROUNDS)
        yield Result(name, ratio, getattr(other, "recall_", 1.0), agree)


def _others(model: KNN) -> Iterator[tuple[str, Any]]:
    for name, entry in BACKENDS.items():
        if name == "exact":
            continue
        for recall in RECALLS if entry.takes_recall else (None,):
            promised = "" if recall is None else f", recall {recall}"
            yield f"fastclf {name}{promised}", _model(name, model, recall)
    yield "scikit-learn brute", KNeighborsClassifier(model.k, algorithm="brute", metric=model.metric)


def _model(backend: str, model: KNN, recall: float | None = None) -> KNN:
    return KNN(model.k, metric=model.metric, backend=backend, recall=recall)
