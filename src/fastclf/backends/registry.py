"""Which backends there are, which parameters they take, and which one "auto" takes."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf import _validation as check
from fastclf.backends.protocol import Backend, Wanted


class Entry(NamedTuple):
    """Where a backend is, and what is to be known before it is imported.

    Attributes
    ----------
    path : str
        "module:Class"; the module is imported when its backend is first asked for.
    takes_recall, takes_index : bool
        Whether it has these parameters of `KNN`; one with a recall is approximate.
    most_features : float
        Of rows with more it compares nearly all, one by one: the main job leaves it out.
    """

    path: str
    takes_recall: bool = False
    takes_index: bool = False
    most_features: float = np.inf


BACKENDS = {
    "exact": Entry("fastclf.backends.exact:Exact"),
    "kdtree": Entry("fastclf.backends.kdtree:KDTree", most_features=64),
    "faiss": Entry("fastclf.backends.faiss:Faiss", takes_recall=True, takes_index=True),
}

# From so many rows of so many features on, a k-d tree answers sooner by L2 than all rows are compared, on data that
# suit it least: independent features of equal scale, in float32.  Of bytes, where exact search is faster and many ties
# keep a tree busy, and by the other metrics, exact search is taken.  And from so many rows on, an approximate index
# answers sooner.  Measured by bench/crossovers.py.
_TREE_FROM_ROWS = {1: 1_000, 2: 1_000, 3: 4_000, 4: 8_000, 5: 32_000, 6: 64_000, 7: 128_000, 8: 512_000}
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
        name = suitable(metric, X.shape, _native.fits_u8(X), wanted.recall)
    module, _, cls = BACKENDS[name].path.partition(":")
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
