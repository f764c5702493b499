"""What can find the neighbours: a registry of classes with one protocol."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastclf import _validation as check
from fastclf.backends.report import Report

# Name -> "module:Class"; a module is imported when its backend is first asked for.
BACKENDS = {
    "exact": "fastclf.backends.exact:Exact",
    "faiss": "fastclf.backends.faiss:Faiss",
    "kdtree": "fastclf.backends.kdtree:KDTree",
}

# From so many rows of so many features on, a k-d tree answers sooner than all rows are compared, on data that suit it
# least: independent features, of equal scale.  And from so many rows on, an approximate index answers sooner than
# exact search.  Measured by bench/crossovers.py.
_TREE_FROM_ROWS = {1: 1_000, 2: 1_000, 3: 1_000, 4: 1_000, 5: 4_000, 6: 16_000, 7: 32_000, 8: 64_000, 9: 256_000}
_FAISS_FROM_ROWS = 16_000


@dataclass(frozen=True)
class Wanted:
    """What a backend is to be built for.

    Attributes
    ----------
    k : int
        Number of neighbours that is most often asked for.
    n_threads : int
        To build with.
    index : str, optional
        FAISS's description of an index.
    recall : float, optional
        Share of the neighbours to be found.
    verbose : int
        Whether to show how far building has come.
    """

    k: int
    n_threads: int
    index: str | None = None
    recall: float | None = None
    verbose: int = 0


class Backend(Protocol):
    """Rows that can be searched, and never change."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def recall(self) -> float:
        """Share of the neighbours that searches find: 1, or what was measured."""

    @property
    def learned(self) -> bool:
        """Whether there is anything beside the rows, so that searching all of them is faster than searching parts."""

    def __init__(self, metric: str, X: NDArray[Any], owned: bool, wanted: Wanted) -> None:
        """Take rows X of a kernel dtype; `owned` says that nobody else holds the array."""

    def extended(self, X: NDArray[Any], n_threads: int) -> Self:
        """Return a backend with more rows."""

    def query(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and indices of the k nearest rows; for Q None, of each row's nearest others."""

    def explain(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Report:
        """Tell what searches for Q do; for Q None, what is to be expected of them."""


def checked(name: str, index: object, recall: object) -> None:
    """Raise unless there is a backend of that name, which takes these parameters, and it can be used."""
    check.one_of(name, {"auto", *BACKENDS}, "backend")
    if recall is not None:
        check.share(recall, "recall")
        if name not in ("auto", "faiss"):
            raise ValueError(f"recall={recall!r} is for backend='faiss' or 'auto', got backend={name!r}")
    if index is not None:
        if not isinstance(index, str):
            raise TypeError(f"index must be a FAISS factory string or None, got {index!r}")
        if name != "faiss":
            raise ValueError(f"index={index!r} is for backend='faiss', got backend={name!r}")


def build(name: str, metric: str, X: NDArray[Any], owned: bool, wanted: Wanted) -> Backend:
    """Build backend `name` of the rows X, or the one that suits them."""
    if name == "auto":
        name = suitable(metric, X, wanted.recall)
    module, _, cls = BACKENDS[name].partition(":")
    backend: type[Backend] = getattr(importlib.import_module(module), cls)
    return backend(metric, X, owned, wanted)


def suitable(metric: str, X: NDArray[Any], recall: float | None) -> str:
    """Return the name of the backend that should be fastest for rows X."""
    rows, cols = X.shape
    if metric != "cosine" and rows >= _TREE_FROM_ROWS.get(cols, np.inf):
        return "kdtree"
    return "faiss" if recall is not None and rows >= _FAISS_FROM_ROWS else "exact"
