"""Votes of neighbours whose labels have come with them; they run on workers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import labels as _labels
from fastclf._shared import validation as check
from fastclf.neighbors.voting import Weights, vote_weights
from fastclf.shards._neighbors import Neighbors


def winners(found: Neighbors, classes: NDArray[Any], weights: Weights) -> NDArray[Any]:
    """Return the class of each query."""
    winner = np.empty(len(found.rows), dtype=np.int64)
    _native.vote(_codes(found), None, len(classes), vote_weights(weights, found.distances.copy()), None, winner)
    return classes[winner]


def shares(found: Neighbors, classes: NDArray[Any], weights: Weights) -> NDArray[np.float64]:
    """Return the share of the votes that each class has."""
    votes = np.empty((len(found.rows), len(classes)))
    _native.vote(_codes(found), None, len(classes), vote_weights(weights, found.distances.copy()), votes, None)
    votes /= votes.sum(axis=1, keepdims=True)
    return votes


def _codes(found: Neighbors) -> NDArray[np.int64]:
    assert found.labels is not None
    return np.require(found.labels, np.int64, ["C", "A"])


def right(predicted: NDArray[Any], y: Any, sample_weight: Any) -> tuple[float, float]:
    """Return the weight of the rows whose class is predicted, and that of all."""
    labels = check.labels_array(y, "y").ravel() if len(y) else np.empty(0, predicted.dtype)
    if len(labels) != len(predicted):
        raise ValueError(f"y has {len(labels)} entries in a chunk, but X has {len(predicted)} rows there")
    _labels.refuse_unordered(labels, predicted, "y")
    weights = np.ones(len(labels))
    if sample_weight is not None:
        weights = check.weights_of(sample_weight, (len(labels),), "sample_weight")
    return float(weights[_labels.are_equal(labels, predicted)].sum()), float(weights.sum())
