"""What can find the neighbours: a registry of classes with one protocol."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
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
}

# From so many rows on an approximate index answers sooner.  Measured by bench/crossovers.py.
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
    def rows(self) -> NDArray[Any]:
        """The rows as they are compared, read-only: floats that hold bytes are bytes."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def recall(self) -> float:
        """Share of the neighbours that searches find: 1, or what was measured."""

    def __init__(self, metric: str, X: NDArray[Any], owned: bool, wanted: Wanted) -> None:
        """Take rows X of a kernel dtype; `owned` says that nobody else holds the array."""

    def pays(self, k: int) -> bool:
        """Whether what is beside the rows, if anything is, saves comparing all of them in a search for k neighbours."""

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
        name = suitable(len(X), wanted.recall)
    module, _, cls = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), cls)(metric, X, owned, wanted)
    if wanted.recall is not None and backend.recall < wanted.recall:
        warnings.warn(
            f"recall={wanted.recall} was not reached: {backend.recall:.4f} of held-out rows' neighbours were found",
            UserWarning,
            stacklevel=3,  # KNN.fit's caller
        )
    return backend


def suitable(n_rows: int, recall: float | None) -> str:
    """Return the name of the backend that should be fastest for so many rows."""
    if recall is not None and recall < 1 and n_rows >= _FAISS_FROM_ROWS and importlib.util.find_spec("faiss"):
        return "faiss"
    return "exact"
