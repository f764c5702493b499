"""What can find the neighbours: a registry of classes with one protocol."""

from __future__ import annotations

import importlib
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastclf import _validation as check
from fastclf.backends.report import Report

# Name -> "module:Class"; a module is imported when its backend is first asked for.
BACKENDS = {"exact": "fastclf.backends.exact:Exact"}

# Names that the interface has reserved, for a clear answer until their backends exist.
PLANNED = ("faiss", "kdtree")


class Backend(Protocol):
    """Rows that can be searched, and never change."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    def __init__(self, metric: str, X: NDArray[Any], owned: bool, n_threads: int) -> None:
        """Take rows X of a kernel dtype; `owned` says that nobody else holds the array."""

    def extended(self, X: NDArray[Any], n_threads: int) -> Self:
        """Return a backend with more rows."""

    def query(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and indices of the k nearest rows; for Q None, of each row's nearest others."""

    def explain(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Report:
        """Tell what searches for Q do; for Q None, what is to be expected of them."""


def backend_class(name: str) -> type[Backend]:
    """Return the class of backend `name`; "auto" is the exact one."""
    check.one_of(name, {"auto", *BACKENDS, *PLANNED}, "backend")
    if name in PLANNED:
        raise NotImplementedError(f"backend={name!r} does not exist yet; use one of {sorted(['auto', *BACKENDS])}")
    module, _, cls = BACKENDS["exact" if name == "auto" else name].partition(":")
    found: type[Backend] = getattr(importlib.import_module(module), cls)
    return found
