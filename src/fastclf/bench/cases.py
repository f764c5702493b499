"""What is compared: rows of a list, and the data they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import datasets
from fastclf._shared.types import Metric

Rows = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One comparison: `n_queries` queries against all training rows."""

    metric: Metric
    values: str
    k: int
    n_queries: int

    @property
    def name(self) -> str:
        """What the case is called."""
        return f"{self.metric}, {self.values}"


# What is made of bytes: the bytes, the same values as floats, or floats that no byte holds.
VALUES: dict[str, Callable[[Rows], Rows]] = {
    "uint8": lambda bytes_: bytes_,
    "float32 0..255": lambda bytes_: bytes_.astype(np.float32),
    "float32": lambda bytes_: (bytes_.astype(np.float32) - np.float32(120.7)) / np.float32(64.2),
}

METRICS: tuple[Metric, ...] = ("l2", "l1")
CASES = [Case(metric, values, 7, 1000) for metric in METRICS for values in VALUES]


@dataclass(frozen=True)
class Data:
    """Rows to search, labels to vote with, rows to ask for; and what to call them."""

    name: str
    X: Rows
    y: Rows
    Q: Rows

    def as_values(self, values: str) -> tuple[Rows, Rows]:
        """Return rows and queries as `VALUES` has them."""
        return VALUES[values](self.X), VALUES[values](self.Q)

    def part(self, n: int, d: int) -> Data:
        """Return n rows at random, the fewer among the more, and the first d features; all of what is not enough."""
        rows = np.random.default_rng(0).permutation(len(self.X))[:n]
        return replace(self, X=self.X[rows, :d], y=self.y[rows], Q=np.ascontiguousarray(self.Q[:, :d]))


def pictures(where: str | PathLike[str]) -> Data:
    """Return the pictures of a directory, or of the data set that has this name."""
    data = datasets.load_or_fetch(where, verbose=1)
    return Data(Path(fspath(where)).name, data.X_train, data.y_train.astype(np.int64), data.X_test)


def made(n: int, d: int, seed: int = 0) -> Data:
    """Correlated bytes: the spectrum of their covariance decays as that of pictures does."""
    rng = np.random.default_rng(seed)
    rank = min(d, 64)
    scales = 40 / np.sqrt(1 + np.arange(rank))
    directions = rng.normal(size=(rank, d)).astype(np.float32) * scales[:, None].astype(np.float32)
    total = n + max(1000, n // 10)
    values = rng.normal(size=(total, rank)).astype(np.float32) @ directions + 8 * rng.normal(size=(total, d)) + 128
    rows = np.clip(values, 0, 255).astype(np.uint8)
    labels = rng.integers(0, 10, total)
    return Data(f"made, {n} x {d}", rows[:n], labels[:n], rows[n:])


def unstructured(n: int, d: int, seed: int = 0) -> Data:
    """Bytes as independent and normal as bytes can be: nothing shorter than a row tells what it is like."""
    rng = np.random.default_rng(seed)
    total = n + max(1000, n // 10)
    rows = np.clip(128 + 40 * rng.normal(size=(total, d)), 0, 255).astype(np.uint8)
    return Data(f"unstructured, {n} x {d}", rows[:n], rng.integers(0, 10, n), rows[n:])


def embeddings(n: int, d: int, seed: int = 0) -> Data:
    """Floats at unit length, as networks make of texts and pictures: clusters of unlike sizes, correlated features."""
    rng = np.random.default_rng(seed)
    total = n + max(1000, n // 10)
    clusters = max(10, n // 1000)
    labels = rng.choice(clusters, total, p=rng.dirichlet(np.ones(clusters)))
    centres = rng.standard_normal((clusters, d), dtype=np.float32)
    rows = (centres[labels] + rng.standard_normal((total, d), dtype=np.float32)) / np.sqrt(1 + np.arange(d))
    rows = (rows @ np.linalg.qr(rng.standard_normal((d, d)))[0]).astype(np.float32)  # no feature tells more than others
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Data(f"embeddings, {n} x {d}", rows[:n], labels[:n], rows[n:])
