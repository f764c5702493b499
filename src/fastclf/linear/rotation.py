"""Fewer rows than features: J in the coordinates of the rows' own space.

The loss sees only products of weights with rows, and what weights have beside the span of the rows costs a penalty.  So
the optimum lies in that span [1]_.  With X' = Q R, Q having orthonormal columns, W = V Q' has the scores V R and the
penalty of V: the problem is one of as many features as there are rows.

.. [1] T. Hastie and R. Tibshirani, "Efficient quadratic regularization for expression arrays", Biostatistics 5, 2004.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastclf._shared.interrupts import aside
from fastclf.linear.objective import Objective, Point
from fastclf.linear.rows import DenseRows
from fastclf.linear.solving import Solution

Array = NDArray[np.float64]

_FEATURES_A_ROW = 8  # fewer are not worth the factor, which takes 4 n^2 d multiplications
_MOST_ROWS, _MOST_VALUES = 512, 1 << 24  # of which there are two copies in float64
_MOST_UNLIKE = 1e6  # scales of features: turned rows have the rounding of the largest in all directions


def suits(objective: Objective) -> bool:
    """Whether turning the problem pays, and rounding is no matter."""
    rows, penalty = objective.rows, objective.penalty
    n, features = rows.shape
    fits = n <= _MOST_ROWS and n * features <= _MOST_VALUES and features >= _FEATURES_A_ROW * n
    can = isinstance(rows, DenseRows) and penalty.is_strictly_convex and not penalty.l1
    return fits and can and rows.moderate and _are_alike(rows.squares())


def _are_alike(squares: Array) -> bool:
    there = squares[squares > 0]
    return bool(there.size) and float(there.max()) <= _MOST_UNLIKE**2 * float(there.min())


@dataclass(frozen=True)
class Turned:
    """A problem in the rows' coordinates.

    Attributes
    ----------
    given : Objective
        The problem as it was, in float64.
    objective : Objective
        The same of V.
    Q : ndarray of shape (n_features, n_rows)
        Orthonormal columns that span the rows.
    """

    given: Objective
    objective: Objective
    Q: Array

    @classmethod
    def of(cls, objective: Objective) -> Turned:
        """Factorise."""
        given = objective.in_float64()
        X = given.rows.dense()
        Q, R = aside(2 * X.size * len(X), np.linalg.qr, X.T)
        rows = DenseRows(np.ascontiguousarray(R.T), given.rows.n_threads)
        return cls(given, replace(given, rows=rows), Q)

    def start(self, point: Point) -> Point:
        """Return a point of V that has the scores of one of W, and at most its penalty."""
        return self.objective.at(aside(self.Q.size * len(point.W), np.matmul, point.W, self.Q), point.b)

    def back(self, found: Solution) -> Solution:
        """Return a solution of V as one of W; what rounding adds to J counts."""
        V = found.point.W
        W = aside(self.Q.size * len(V), np.matmul, V, self.Q.T)
        point = self.given.at(np.ascontiguousarray(W), found.point.b)
        excess = found.excess + max(point.value - found.point.value, 0.0)
        return Solution(point, excess, found.width)
