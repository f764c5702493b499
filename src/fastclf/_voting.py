"""How much the votes of neighbours weigh."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import _validation as check

WEIGHTS = ("uniform", "distance")

Weights = str | Callable[[NDArray[np.float64]], ArrayLike]


def check_weights(weights: Weights) -> None:
    """Raise unless `weights` says how neighbours' votes are weighed."""
    if not callable(weights):
        check.one_of(weights, WEIGHTS, "weights")


def vote_weights(weights: Weights, distances: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Weights of the neighbours at `distances`."""
    if callable(weights):
        shape = distances.shape  # the function may change what it is given
        return check.vote_weights(weights(distances), shape)
    check.one_of(weights, WEIGHTS, "weights")
    if weights == "uniform":
        return None
    exact = distances == 0
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1.0 / distances
    beyond = np.isinf(inverse).any(axis=1)  # at distance 0, or so near that only proportions can be had
    nearest = distances[beyond].min(axis=1, keepdims=True)
    inverse[beyond] = np.where(nearest == 0, exact[beyond], nearest / np.where(nearest == 0, 1.0, distances[beyond]))
    return check.summable(inverse)
