"""The penalty that J adds to the mean loss: the one place that knows its form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDING = 1e-14  # of l1: a gradient scaled to be no larger than l1 may be so much larger


@dataclass(frozen=True)
class Penalty:
    """l2 * sum of W^2 + l1 * sum of |W|; intercepts are not penalised.

    Gradients, curvature and `gap` are those of the first sum: only `elastic.py` minimises the second.
    """

    l2: float
    l1: float = 0.0

    def value(self, W: Array) -> float:
        """Return the penalty."""
        of_l1 = self.l1 * float(abs(W).sum()) if self.l1 else 0.0
        return self.l2 * float(np.vdot(W, W)) + of_l1

    def slope(self, W: Array) -> Array:
        """Return its gradient, of what has one."""
        return 2 * self.l2 * W

    def conjugate(self, S: Array) -> float:
        """Return the most that sum of V * S - value(V) is for any V."""
        beyond = np.maximum(abs(S) - self.l1, 0)
        if self.l2 > 0:
            return float(np.vdot(beyond, beyond)) / (4 * self.l2)
        return np.inf if (beyond > _ROUNDING * self.l1).any() else 0.0

    def curvature(self, W: Array) -> Array:
        """Return the diagonal of its Hessian, which has nothing beside it, in the shape of W; read-only."""
        return np.broadcast_to(2 * self.l2, W.shape)

    def shared_curvature(self, W: Array) -> Array:
        """Return, by feature, the curvature of all classes in the mean."""
        shared: Array = self.curvature(W)[0]
        return shared

    @property
    def is_strictly_convex(self) -> bool:
        """Whether `gap` is defined."""
        return self.l2 > 0

    def gap(self, W: Array, of_W: Array) -> float:
        """Return value(W) + conjugate(-of_W) + sum of W * of_W, which is 0 where `of_W` is -slope(W).

        The conjugate is the penalty in the dual problem: of S, the most that sum of V * S - value(V) is for any V.
        """
        off = W + of_W / (2 * self.l2)
        return self.l2 * float(np.vdot(off, off))
