"""The penalty that J adds to the mean loss: the one place that knows its form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Penalty:
    """l2 * sum of W^2; intercepts are not penalised."""

    l2: float

    def value(self, W: Array) -> float:
        """Return the penalty."""
        return self.l2 * float(np.vdot(W, W))

    def slope(self, W: Array) -> Array:
        """Return its gradient."""
        return 2 * self.l2 * W

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
        apart = W + of_W / (2 * self.l2)
        return self.l2 * float(np.vdot(apart, apart))
