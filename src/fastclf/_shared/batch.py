"""Scores and what they are compared with: what losses, and the classifiers that minimise them, give to the kernels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import threads

# For these a score of -inf is a class that is not there.
_WITH_SOFTMAX = _native.softmax_losses()


@dataclass(frozen=True)
class Batch:
    """Scores in the kernels' form, and what they are compared with: labels (-1: left out) or targets of their shape.

    One-dimensional scores are a column.
    """

    loss: str
    scores: NDArray[Any]
    label: NDArray[np.int64] | None = None
    target: NDArray[Any] | None = None
    weight: NDArray[np.float64] | None = None  # of rows
    targets: str = "any"  # what the matrix has to hold: a name in `_native.TARGETS`
    column: NDArray[np.float64] | None = None
    margins: NDArray[np.float64] | None = None
    label_smoothing: float = 0.0
    margin: float = 0.0
    hinge_width: float = 0.0  # of hinges: see fc_batch
    squared: bool = False
    own_term: bool = False
    parameter: float = 0.0  # p in the row of csrc/lists.h
    called: str = "scores"  # what the caller knows the scores as

    def run(
        self,
        scale: float,
        n_threads: int | None,
        of_rows: NDArray[np.float64] | None,
        of_scores: NDArray[np.float64] | None,
        gradient: NDArray[Any] | None,
        first_row: int = 0,
    ) -> None:
        """Call the kernel; raise for the first row that has no answer, numbered from `first_row`."""
        bad = _native.losses(
            self.for_kernels(),
            _matrix(self.scores),
            scale,
            threads.resolve(n_threads),
            of_rows,
            _matrix(of_scores),
            _matrix(gradient),
        )
        if bad is not None:
            raise self.error_of(bad, first_row + bad)

    def for_kernels(self) -> Batch:
        """Return the same with targets of two dimensions."""
        return self if self.target is None else replace(self, target=_matrix(self.target))

    def error_of(self, i: int, row: int) -> ValueError:
        """Say what is wrong with row i, which the caller knows as `row`."""
        return ValueError(self._refusal(i, row))

    def _refusal(self, i: int, row: int) -> str:
        scores, with_softmax = self.scores[i : i + 1], self.loss in _WITH_SOFTMAX
        if np.isnan(scores).any():
            found = "NaN"
        elif with_softmax and (scores == -np.inf).all():
            found = "no class: all are -inf"
        elif (scores == np.inf).any():
            found = "+inf"
        elif not with_softmax and (scores == -np.inf).any():
            found = "-inf"
        else:
            return self._refusal_of_target(i, row)
        return f"{self.called} contains {found} (first in row {row})"

    def _refusal_of_target(self, i: int, row: int) -> str:
        if self.target is None:  # the row was looked at a moment ago
            return f"{self.called} or weights changed during the call (first in row {row})"
        name = "scores_corrupt" if self.loss == "max_margin" else "target"
        target = self.target[i : i + 1].astype(np.float64)
        if not np.isfinite(target).all():
            return f"Input {name} contains {'NaN' if np.isnan(target).any() else 'infinity'} (first in row {row})."
        outside = np.argwhere((target < 0) | (target > 1))
        if len(outside):
            at = [row, *(int(column) for column in outside[0][1:])]
            return f"target{at} = {target[tuple(outside[0])]} is outside [0, 1]"
        return f"target must hold probabilities, but row {row} sums to {target.sum()}"


def _matrix(a: NDArray[Any] | None) -> Any:
    return None if a is None else as_matrix(a)


def as_matrix(a: NDArray[Any]) -> NDArray[Any]:
    """Return `a`, or the column that one dimension is."""
    return a[:, np.newaxis] if a.ndim == 1 else a
