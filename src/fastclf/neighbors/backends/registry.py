"""Which backends there are, which parameters they take, and which one "auto" takes."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastclf._shared import validation as check
from fastclf.neighbors.backends.protocol import Backend, Wanted


class Entry(NamedTuple):
    """Where a backend is, and what is to be known before it is imported.

    Attributes
    ----------
    path : str
        "module:Class"; the module is imported when its backend is first asked for.
    takes_recall, takes_index : bool
        Whether it has these parameters of `KNN`; one with a recall is approximate.
    """

    path: str
    takes_recall: bool = False
    takes_index: bool = False


BACKENDS = {
    "exact": Entry("fastclf.neighbors.backends.exact:Exact"),
    "faiss": Entry("fastclf.neighbors.backends.faiss:Faiss", takes_recall=True, takes_index=True),
}

# From this many rows on an approximate index answers sooner.  Measured by bench/crossovers.py.
_FAISS_FROM_ROWS = 16_000


def checked(name: str, index: object, recall: object) -> None:
    """Raise unless there is a backend of that name, which takes these parameters."""
    check.one_of(name, {"auto", *BACKENDS}, "backend")
    if recall is not None:
        check.share(recall, "recall")
        takers = [*(other for other, entry in BACKENDS.items() if entry.takes_recall), "auto"]
        _taken("recall", recall, takers, name)
    if index is not None:
        if not isinstance(index, str):
            raise TypeError(f"index must be a FAISS factory string or None, got {index!r}")
        _taken("index", index, [other for other, entry in BACKENDS.items() if entry.takes_index], name)


def _taken(parameter: str, value: object, takers: list[str], backend: str) -> None:
    if backend not in takers:
        known = " or ".join(map(repr, takers))
        raise ValueError(f"{parameter}={value!r} is for backend={known}, got backend={backend!r}")


def build(name: str, metric: str, X: NDArray[Any], owned: bool, wanted: Wanted) -> Backend:
    """Build backend `name` of the rows X, or the one that suits them."""
    if name == "auto":
        name = suitable(len(X), wanted.recall)
    module, _, cls = BACKENDS[name].path.partition(":")
    backend: Backend = getattr(importlib.import_module(module), cls)(metric, X, owned, wanted)
    if wanted.recall is not None and backend.recall < wanted.recall:
        warnings.warn(
            f"recall={wanted.recall} was not reached: {backend.recall:.4f} of held-out rows' neighbours were found",
            UserWarning,
            stacklevel=3,  # KNN.fit's caller
        )
    return backend


def suitable(n_rows: int, recall: float | None) -> str:
    """Return the name of the backend that should be fastest for `n_rows` rows."""
    if recall is not None and recall < 1 and n_rows >= _FAISS_FROM_ROWS and importlib.util.find_spec("faiss"):
        return "faiss"
    return "exact"
