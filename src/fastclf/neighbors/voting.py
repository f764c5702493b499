"""How much the votes of neighbours weigh."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import _native
from fastclf._shared import validation as check

WEIGHTS = ("uniform", "distance")

Weights = str | Callable[[NDArray[np.float64]], ArrayLike]


def check_weights(weights: Weights) -> None:
    """Raise unless `weights` says how neighbours' votes are weighed."""
    if not callable(weights):
        check.one_of(weights, WEIGHTS, "weights")


def check_weights_by(metric: str, weights: Weights) -> None:
    """Raise unless `weights` says how votes are weighed, of neighbours by the kernels' metric of that name."""
    check_weights(weights)
    if isinstance(weights, str) and weights == "distance" and _native.Traits(metric).is_product:
        raise ValueError(
            f"weights='distance' has no meaning with metric={metric!r}, which is no distance: it must be 'uniform', or "
            f"a function of the products, got {weights!r}"
        )


def vote_weights(weights: Weights, distances: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Weights of the neighbours at `distances`, of each row at least one that is not 0."""
    if callable(weights):
        shape = distances.shape  # the function may change what it is given
        votes = check.vote_weights(weights(distances), shape)
        _refuse_no_votes(votes)
        return votes
    check.one_of(weights, WEIGHTS, "weights")
    if weights == "uniform":
        return None
    exact = distances == 0
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1.0 / distances
    inverse[np.isinf(distances).all(axis=1)] = 1.0  # all are further than float64 can tell
    beyond = np.isinf(inverse).any(axis=1)  # at distance 0, or so near that only proportions can be had
    nearest = distances[beyond].min(axis=1, keepdims=True)
    inverse[beyond] = np.where(nearest == 0, exact[beyond], nearest / np.where(nearest == 0, 1.0, distances[beyond]))
    return check.summable(inverse)


def weighted_by(masses: NDArray[np.float64], weights: Weights, distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of neighbours that each stand for several rows; of each query at least one is not 0."""
    votes = vote_weights(weights, distances)
    if votes is None:
        return masses
    # Products are no more than the votes, which can be summed.
    weighed: NDArray[np.float64] = votes * (masses / masses.max(axis=1, keepdims=True))
    _refuse_no_votes(weighed)
    return weighed


def _refuse_no_votes(votes: NDArray[np.float64]) -> None:
    if not votes.any(axis=1).all():
        raise ValueError(
            "All neighbors of some sample is getting zero weights. Please modify 'weights' to avoid this case if you "
            "are using a user-defined function."
        )
