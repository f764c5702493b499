"""Mini-batch gradient steps with averaging: for rows that come in parts, or more than can be gone through often.

Steps are made in features of equal scale (those of the first batch).  Their length suits the largest curvature of a
batch [1]_; the average counts later weights more [2]_.

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

BATCH_ROWS = 256

_SLOWING = 1000  # steps until they are 1 / sqrt(2) as long
_MOST_BEND = {
    "softmax": 0.5,
    "sigmoid": 0.25,
    "mse": 2.0,
    "softmax_mse": 0.5,
}  # of a row by its scores; 1 per class of hinges


@dataclass
class Descent:
    """Weights on their way: of rows less `centre`.

    Attributes
    ----------
    W, b : ndarray
        Where the last step ended.
    mean_W, mean_b : ndarray
        Their averages: what is used.
    centre, scale : ndarray of shape (n_features,)
        Of the first batch.
    length : float
        Of the first step, as a factor of the gradient.
    steps : int
        Made so far.
    """

    W: NDArray[np.float64]
    b: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    length: float
    steps: int = 0
    mean_W: NDArray[np.float64] = field(init=False)
    mean_b: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        """Begin the averages."""
        self.mean_W, self.mean_b = self.W.copy(), self.b.copy()

    def step(self, objective: Objective) -> float:
        """Make a step along the gradient of a batch; return the batch's objective before."""
        point = objective.at(self.W, self.b)
        length = self.length / np.sqrt(1 + self.steps / _SLOWING)
        self.W = self.W - length * point.of_W / self.scale**2
        self.b = self.b - length * point.of_b
        self.steps += 1
        share = 2 / (self.steps + 1)
        self.mean_W += share * (self.W - self.mean_W)
        self.mean_b += share * (self.b - self.mean_b)
        return point.value


def scales(sample: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return each feature's scale, and the largest variance in any direction of the features so scaled."""
    scale = np.sqrt((sample**2).mean(axis=0))
    scale[scale == 0] = 1
    scaled = sample / scale
    vector = np.ones(scaled.shape[1])
    for _ in range(10):
        vector = scaled.T @ (scaled @ vector)
        vector /= np.linalg.norm(vector) or 1.0
    return scale, float(((scaled @ vector) ** 2).mean())


def first_length(
    loss: str, classes: int, variance: float, features: int, batch: int, l2: float, least_scale: float
) -> float:
    """Return the longest step, of half the inverse of the largest curvature that a batch may have."""
    bend = _MOST_BEND.get(loss, float(classes))
    penalty = 2 * l2 / least_scale**2
    return 0.5 / (bend * (1 + variance + features / batch) + penalty)
