"""What a nearest-neighbours model remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import labels as _labels
from fastclf._shared.growing import GrowingArray
from fastclf.neighbors.backends.protocol import Backend


@dataclass(frozen=True)
class Memory:
    """What a model remembers; it never changes, so that a prediction sees one state of a model that grows beside it.

    `masses` says how many rows each stands for; None: one.
    """

    backend: Backend
    codes: GrowingArray
    classes: NDArray[Any]
    masses: GrowingArray | None = None

    def counting(self, labels: NDArray[Any] | None, name: str) -> Memory:
        """With classes for all of the labels."""
        if labels is None:
            return self
        classes = _labels.joined(self.classes, np.unique(labels), name)
        if len(classes) == len(self.classes):
            return self
        codes = np.searchsorted(classes, self.classes)[self.codes.view]
        return replace(self, codes=GrowingArray(codes), classes=classes)

    def extended(self, rows: NDArray[Any], labels: NDArray[Any], n_threads: int) -> Memory:
        """With more rows, of known classes, which stand for themselves."""
        codes = np.searchsorted(self.classes, labels.astype(self.classes.dtype, copy=False))
        masses = None if self.masses is None else self.masses.appended(np.ones(len(rows)))
        return Memory(self.backend.extended(rows, n_threads), self.codes.appended(codes), self.classes, masses)

    def keeping(self, kept: NDArray[np.bool_], n_threads: int) -> Memory:
        """With these rows alone."""
        masses = None if self.masses is None else GrowingArray(self.masses.view[kept])
        codes = GrowingArray(self.codes.view[kept])
        return Memory(self.backend.keeping(kept, n_threads), codes, self.classes, masses)
