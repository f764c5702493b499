"""What a backend is built for, and what it has to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastclf.neighbors.backends.report import Report


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
    parts : int
        How many parts of all rows there are, each with a backend of its own, which a search goes through.
    """

    k: int
    n_threads: int
    index: str | None = None
    recall: float | None = None
    verbose: int = 0
    parts: int = 1


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
