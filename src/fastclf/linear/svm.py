"""The dual problem of a multiclass SVM: its form for the kernels, and what a dual point proves.

Each row i has a vector a_i, a gradient of its hinge by its scores.  With W(a) = -sum_i w_i a_i x_i' / (2 l2) and any a
that is feasible,

    J* >= sum_i w_i <a_i, margins of y_i> - l2 |W(a)|^2 = D(a).

Of squared terms the sum of w_i a_ic^2 / 4 over the classes beside the label's is subtracted.
An intercept asks for sum_i w_i a_i = 0, too.  Where that is not so yet, each class's a_i are made shorter: by
`balancing_factors` of certificate.py, which keep them feasible.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.interrupts import aside
from fastclf.linear.certificate import balancing_factors
from fastclf.linear.objective import Objective
from fastclf.linear.rows import BYTES_OF_CACHED_COPY, Compressed, DenseRows, Rows, SparseRows, overflow, row_blocks

Array = NDArray[np.float64]

_SAMPLE_ROWS = 255  # that tell about where all are


@dataclass(frozen=True)
class Dual:
    """What is known of both problems: the least J so far, the greatest lower bound, and a dual point to go on from."""

    W: Array
    b: Array
    value: float
    a: Array
    bound: float = 0.0  # no hinge is negative

    @property
    def gap(self) -> float:
        """How far J is above its least value at most."""
        return self.value - self.bound

    def better(self, W: Array, b: Array, value: float, a: Array, bound: float) -> Dual:
        """Return the better of this and another primal point, and of this and another dual point."""
        kept = self
        if value < kept.value:
            kept = replace(kept, W=W, b=b, value=value)
        return replace(kept, a=a, bound=bound) if bound > kept.bound else kept


@dataclass(frozen=True)
class Svm:
    """The problem, as models.h has it.

    Attributes
    ----------
    objective : Objective
        What is minimised, in float64.
    X, centre, compressed
        Dense rows and what is subtracted from them; or compressed ones.
    shift : ndarray of shape (n_features,)
        What is subtracted besides from bytes and float32, and made up for in the sums. Without intercepts there is no
        centre, and values far from 0 would cost the digits that tell steps near the optimum apart.
    label : ndarray of shape (n_rows,)
        Classes.
    weight : ndarray of shape (n_rows,)
        What rows count in the mean.
    margins : ndarray of shape (n_classes, n_classes)
        For each true class and each other one; 0 for a class and itself.
    l2 : float
        Of the penalty.
    largest, squared : bool
        Whether a hinge is the largest of its terms, not their sum; whether its terms are squared.
    of_class : csr_array of shape (n_classes, n_rows)
        The weights by class.
    """

    objective: Objective
    X: NDArray[np.generic] | None
    centre: Array | None
    compressed: Compressed | None
    shift: Array
    label: NDArray[np.int64]
    weight: Array
    margins: Array
    l2: float
    largest: bool
    squared: bool
    of_class: scipy.sparse.csr_array

    @classmethod
    def of(cls, objective: Objective) -> Svm:
        """Return the dual problem of an objective of hinges, not smoothed."""
        objective = objective.in_float64()
        rows, batch, classes = objective.rows, objective.batch, objective.classes
        assert batch.label is not None
        margins = np.full((classes, classes), batch.margin) if batch.margins is None else batch.margins.copy()
        np.fill_diagonal(margins, 0)
        weight, n = objective.row_weights(), rows.shape[0]
        return cls(
            objective,
            X=rows.X if isinstance(rows, DenseRows) else None,
            centre=rows.centre if rows.centre.any() else None,
            compressed=rows.compressed if isinstance(rows, SparseRows) else None,
            shift=_shift(objective, weight),
            label=batch.label,
            weight=weight,
            margins=margins,
            l2=objective.penalty.l2,
            largest=objective.loss.kernel == "crammer_singer",
            squared=objective.loss.squared,
            of_class=scipy.sparse.csr_array((weight, (batch.label, np.arange(n))), shape=(classes, n)),
        )

    @functools.cached_property
    def squares(self) -> Array:
        """Squared lengths of the rows, by a pass over them: coordinate ascent needs these, and intercepts do."""
        return self.objective.rows.squared_lengths()

    @functools.cached_property
    def unit(self) -> float:
        """Square of a constant feature, which holds intercepts as the penalty holds weights; 0 without these.

        It is as large as the others together.  Of squared terms, for which no step on a face moves intercepts, it is
        less, so that sweeps are not slow; and large beside l2, so that intercepts move far in a sweep.  (Factors by
        measurement.)
        """
        if not self.objective.has_intercept:
            return 0.0
        typical = float(self.weight @ self.squares / self.weight.sum())
        return (max(typical / 100, 100 * self.l2) if self.squared else typical) or 1.0

    def ascend(self, sweeps: int, seed: int, a: Array, b: Array) -> Array:
        """Change `a`, and `b` from the offset to the intercepts; return W."""
        padded = -(-len(b) // _native.SVM_FOURS) * _native.SVM_FOURS
        W = np.empty((self.objective.rows.shape[1], padded))
        _native.svm_ascend(self, sweeps, seed, a, W, b)
        return np.ascontiguousarray(W.T[: len(b)])

    def rows(self, which: NDArray[np.int64] | slice) -> Any:
        """Return some rows, less the centre, in float64; compressed ones stay so."""
        return self.objective.rows.take(which).matrix().astype(np.float64, copy=False)

    def weights(self, a: Array) -> Array:
        """Return W of a dual point."""
        rows = self.objective.rows
        total = np.zeros((a.shape[1], rows.shape[1]))
        is_dense = isinstance(rows, DenseRows)
        for block in row_blocks(rows.shape, BYTES_OF_CACHED_COPY) if is_dense else row_blocks(rows.shape):
            X = self.rows(block)
            weighted = a[block] * self.weight[block, None]
            total += aside(X.shape[0] * total.size, _product, X, weighted).T
        return total / (-2 * self.l2)

    def lagrangian(
        self,
        rows: Rows,
        W: Array,
        b: Array,
        multipliers: Array,
        width: float,
        a: Array,
        scores: NDArray[Any],
        known: bool,
    ) -> tuple[float, float, Array, Array]:
        """Write `a`; return the augmented Lagrangian's hinges, the hinges themselves, and gradients by W and b.

        Scores are written, too; or read, where they are known: gradients are then less by those of the multipliers.
        Sums are in the rows' dtype: `rows` may be those of the objective in float32.
        """
        if isinstance(rows, SparseRows):
            if not known:
                scores[:] = rows.scores(W.astype(rows.dtype), b.astype(rows.dtype))
            slopes = scores.copy()
            found = _native.svm_lagrangian_of_scores(self, slopes, rows.n_threads, multipliers, width, a, known)
            if found is None:
                raise overflow(rows.dtype)
            return *found, *rows.gradients(slopes)
        assert isinstance(rows, DenseRows)
        of_W, of_b, centre = np.empty(W.shape), np.empty(b.shape), (rows.centre + self.shift).astype(rows.dtype)
        W, b = W.astype(rows.dtype), (b + W @ self.shift).astype(rows.dtype)
        found = _native.svm_lagrangian(
            self, rows.X, centre, W, b, rows.n_threads, multipliers, width, a, scores, known, of_W, of_b
        )
        if found is None:
            raise overflow(rows.dtype)
        return *found, of_W + np.outer(of_b, self.shift), of_b

    def flows(self, a: Array) -> Array:
        """Return, for each true class, the weighted sum of its rows of `a`."""
        found: Array = aside(a.size, self.of_class.__matmul__, a)
        return found

    def lower_bound(self, a: Array, W: Array, flows: Array) -> float:
        """Return D, which J is nowhere below, up to rounding; `W` is that of `a`."""
        squares = self._squares(a)
        if self.unit > 0:
            factors = balancing_factors(flows)
            if (factors < 1).any():
                flows, W = flows * factors[:, None], self.weights(a * factors[self.label, None])
                squares = squares * factors**2
        return float(np.vdot(flows, self.margins) - squares.sum()) - self.objective.penalty.value(W)

    def _squares(self, a: Array) -> Array:
        """Return, for each true class, what squared terms take from the dual objective: a^2 / 4 of each."""
        if not self.squared:
            return np.zeros(a.shape[1])
        own = np.take_along_axis(a, self.label[:, None], axis=1)[:, 0]
        found: Array = self.of_class @ (np.einsum("ij,ij->i", a, a) - own**2)
        return found / 4


def _shift(objective: Objective, weight: Array) -> Array:
    """Return the median of a sample of the rows that count, where these have no centre: values far off move it little.

    Features of which half the values are about 0 are left as they are, and so exact.
    """
    rows, counting = objective.rows, np.flatnonzero(weight)
    if objective.has_intercept or not isinstance(rows, DenseRows) or rows.X.dtype == np.float64 or not len(counting):
        return np.zeros(rows.shape[1])
    some = rows.X[counting[:: -(-len(counting) // _SAMPLE_ROWS)]]
    quarters = [len(some) * part // 4 for part in (1, 2, 3)]
    low, middle, high = np.partition(some, quarters, axis=0)[quarters].astype(np.float64)
    return np.where((low > 0) | (high < 0), middle, 0)


def _product(X: Any, a: Array) -> Array:
    product: Array = X.T @ a
    return product
