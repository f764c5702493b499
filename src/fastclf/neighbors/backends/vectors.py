"""Rows as other libraries search them: floats whose distances or products are ordered as the metric has it, nearly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native

_BLOCK_VALUES = 1 << 22
_SAMPLE_ROWS = 1000  # whose middle is taken
_MOST_EXPONENT = 1023  # of a finite power of two
_LARGEST = 1e12  # of a value: the squares of float32 differences stay finite


def blocks(X: NDArray[Any]) -> Iterator[slice]:
    """Go through rows in parts of some millions of values."""
    step = max(1, _BLOCK_VALUES // X.shape[1])
    for start in range(0, len(X), step):
        yield slice(start, min(start + step, len(X)))


def unit_rows(X: NDArray[Any], cols: int) -> NDArray[np.float64]:
    """Rows at unit length, with zeros up to `cols` values; of a row of zeros the first of these, if any, is 1.

    Squared distances between them are twice the cosine distances: a row of zeros is at right angles to all others.
    """
    unit = np.zeros((len(X), cols))
    d = X.shape[1]
    rows = X.astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    np.divide(rows, largest, out=rows, where=largest > 0)  # squares stay in range
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    np.divide(rows, length, out=unit[:, :d], where=length > 0)
    unit[:, d : d + 1] = length == 0
    return unit


@dataclass(frozen=True)
class Vectors:
    """How rows become float32 vectors of `cols` values: moved and scaled for float32's precision, or at unit length.

    For inner products they are not moved.
    """

    at_unit_length: bool
    cols: int
    centre: NDArray[np.float64] | float
    scale: float

    @classmethod
    def learned(cls, metric: str, X: NDArray[Any], cols: int) -> Vectors:
        """Put the origin in the middle of the rows, and take for one a power of two beyond the largest value then."""
        traits = _native.Traits(metric)
        if traits.at_unit_length:
            return cls(True, cols, 0.0, 1.0)
        sample = X[:: max(1, len(X) // _SAMPLE_ROWS)].astype(np.float64)
        middle = np.median(sample / 2, axis=0) * 2  # so that sums stay in range
        centre = 0.0 if traits.is_product else middle
        largest = max(float(np.abs(X[part].astype(np.float64) - centre).max()) for part in blocks(X))
        exponent = min(-math.frexp(largest)[1], _MOST_EXPONENT)
        return cls(False, cols, centre, math.ldexp(1.0, exponent) if 0 < largest < np.inf else 1.0)

    def of(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Vectors of the rows of X."""
        if self.at_unit_length:
            return unit_rows(X, self.cols).astype(np.float32)
        vectors = np.zeros((len(X), self.cols), dtype=np.float32)
        for part in blocks(X):
            moved = (X[part].astype(np.float64) - self.centre) * self.scale
            vectors[part, : X.shape[1]] = np.clip(moved, -_LARGEST, _LARGEST)
        return vectors
