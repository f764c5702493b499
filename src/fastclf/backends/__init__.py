"""What can find the neighbours: a registry of classes with one protocol."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf import _validation as check
from fastclf.backends.report import Report

# Name -> "module:Class"; a module is imported when its backend is first asked for.
BACKENDS = {
    "exact": "fastclf.backends.exact:Exact",
    "faiss": "fastclf.backends.faiss:Faiss",
    "kdtree": "fastclf.backends.kdtree:KDTree",
}

# From so many rows of so many features on, a k-d tree answers sooner by L2 than all rows are compared, on data that
# suit it least: independent features of equal scale, in float32.  Of bytes, where exact search is faster and many ties
# keep a tree busy, and by the other metrics, exact search is taken.  And from so many rows on, an approximate index
# answers sooner.  Measured by bench/crossovers.py.
_TREE_FROM_ROWS = {1: 1_000, 2: 1_000, 3: 4_000, 4: 8_000, 5: 32_000, 6: 64_000, 7: 128_000, 8: 512_000}
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
    def metric(self) -> str:
        """The kernels' name of the metric."""

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

    def keeping(self, kept: NDArray[np.bool_], n_threads: int) -> Self:
        """Return a backend of some of the rows, at least one."""

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
        name = suitable(metric, X.shape, _native.fits_u8(X), wanted.recall)
    module, _, cls = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), cls)(metric, X, owned, wanted)
    if wanted.recall is not None and backend.recall < wanted.recall:
        warnings.warn(
            f"recall={wanted.recall} was not reached: {backend.recall:.4f} of held-out rows' neighbours were found",
            UserWarning,
            stacklevel=3,  # KNN.fit's caller
        )
    return backend


def suitable(metric: str, shape: tuple[int, ...], is_bytes: bool, recall: float | None) -> str:
    """Return the name of the backend that should be fastest for rows of that shape."""
    rows, cols = shape
    if metric == "l2" and not is_bytes and rows >= _TREE_FROM_ROWS.get(cols, np.inf):
        return "kdtree"
    if recall is not None and recall < 1 and rows >= _FAISS_FROM_ROWS and importlib.util.find_spec("faiss"):
        return "faiss"
    return "exact"
