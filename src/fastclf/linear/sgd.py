"""Mini-batch gradient steps with averaging: for rows that come in parts, or too many rows for many passes.

Steps are made in features of equal scale.  Their length suits the largest curvature of a batch [1]_; the average counts
later weights more [2]_.

.. [1] F. Bach and E. Moulines, "Non-strongly-convex smooth stochastic approximation with convergence rate O(1/n)", NIPS
   2013.
.. [2] S. Lacoste-Julien, M. Schmidt and F. Bach, "A simpler approach to obtaining an O(1/t) convergence rate for the
   projected stochastic subgradient method", 2012.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastclf.linear.objective import Objective
from fastclf.linear.rows import Rows

BATCH_ROWS = 256

_POWER_ITERATIONS = 10
_TINY = np.finfo(np.float64).tiny
_SLOWING = 1000  # steps until they are 1 / sqrt(2) as long


@dataclass
class Descent:
    """Weights on their way: of rows less `centre`.

    Attributes
    ----------
    W, b : ndarray
        Where the last step ended.
    mean_W, mean_b : ndarray
        Their averages: what is used.
    centre : ndarray of shape (n_features,)
        Of the first rows.
    squares : ndarray of shape (n_features,)
        The largest mean square of each feature in any batch.
    variance : float
        The largest in any direction of the features at unit scale.
    steps : int
        Made so far.
    """

    W: NDArray[np.float64]
    b: NDArray[np.float64]
    centre: NDArray[np.float64]
    squares: NDArray[np.float64]
    variance: float = 0.0
    steps: int = 0
    mean_W: NDArray[np.float64] = field(init=False)
    mean_b: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        """Begin the averages."""
        self.mean_W, self.mean_b = self.W.copy(), self.b.copy()

    def learn(self, rows: Rows) -> None:
        """Take the directions in which more rows vary into account."""
        S, scale = rows.matrix(), np.sqrt(rows.squares())
        scale[scale == 0] = 1
        vector = np.ones(len(scale))
        for _ in range(_POWER_ITERATIONS):
            along = S @ (vector / scale)
            vector = S.T @ along / scale
            vector /= np.linalg.norm(vector) or 1.0
        self.variance = max(self.variance, float(np.mean((S @ (vector / scale)) ** 2)))

    def step(self, objective: Objective) -> float:
        """Make a step along the gradient of a batch; return the batch's objective before."""
        point = objective.at(self.W, self.b)
        # By batch: a feature that few rows have bends the batches that have it more than the mean.
        self.squares = np.maximum(self.squares, objective.rows.squares())
        # The most that a batch of these rows may bend J: in any direction together, and each row for itself.
        bend = objective.loss.most_bend(objective.classes)
        bend *= 1 + self.variance + len(self.squares) / BATCH_ROWS
        length = 0.5 / np.sqrt(1 + self.steps / _SLOWING)
        most = bend * self.squares + objective.penalty.curvature(self.W)
        self.W = self.W - length * point.of_W / np.maximum(most, _TINY)
        self.b = self.b - length * point.of_b / bend
        self.steps += 1
        share = 2 / (self.steps + 1)
        self.mean_W += share * (self.W - self.mean_W)
        self.mean_b += share * (self.b - self.mean_b)
        return point.value
