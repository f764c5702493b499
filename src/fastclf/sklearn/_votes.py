"""Votes and weights of neighbours under scikit-learn's parameters; of each output on its own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning

from fastclf._shared import estimators
from fastclf._shared import labels as _labels
from fastclf._shared import validation as check
from fastclf.neighbors import voting
from fastclf.neighbors.voting import Weights
from fastclf.sklearn._balls import Balls


@dataclass(frozen=True)
class Outputs:
    """Labels of rows, by output: the sorted classes, and the number of each row's class.

    `are_many` says whether the labels were two-dimensional.
    """

    classes: list[NDArray[Any]]
    codes: list[NDArray[np.int64]]
    are_many: bool

    @classmethod
    def of(cls, labels: NDArray[Any]) -> Outputs:
        """Take labels of one or two dimensions; a column is one output."""
        if labels.ndim == 2 and labels.shape[1] == 1:
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
                "(n_samples,), for example using ravel().",
                DataConversionWarning,
                stacklevel=4,  # fit's caller
            )
            labels = labels[:, 0]
        are_many = labels.ndim == 2
        columns = [estimators.checked_classes(column) for column in (labels.T if are_many else [labels])]
        classes, codes = zip(*map(estimators.codes_of, columns), strict=True)
        return cls(list(classes), list(codes), are_many)

    def of_each(self, values: list[NDArray[Any]]) -> Any:
        """Return values of the outputs: a list, or those of the only one."""
        return values if self.are_many else values[0]

    def stacked(self, columns: list[NDArray[Any]]) -> NDArray[Any]:
        """Return labels of the outputs in one array."""
        return np.stack(columns, axis=1) if self.are_many else columns[0]


def check_weights(weights: Weights | None) -> None:
    """Raise unless `weights` says how neighbours' votes are weighed."""
    if weights is not None:
        voting.check_weights(weights)


def neighbor_weights(weights: Weights | None, distances: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Weights of neighbours at the distances, of each row at least one that is not 0; None: one each.

    Where a function gives infinite weights, as 1 / distance**2 does of rows at distance 0, these alone vote.
    """
    if weights is None:
        return None
    return voting.vote_weights(_with_finite_weights(weights) if callable(weights) else weights, distances)


def _with_finite_weights(weights: Any) -> Any:
    def finite(distances: NDArray[np.float64]) -> Any:
        votes = check.as_array(weights(distances), "weights")
        is_infinite = votes == np.inf
        if not is_infinite.any() or votes.ndim != 2:
            return votes
        return np.where(is_infinite.any(axis=1, keepdims=True), is_infinite, votes)

    return finite


def ball_weights(weights: Weights | None, balls: Balls) -> NDArray[np.float64] | None:
    """Weights of all rows in balls; None: one each. A function is asked about one ball after the other."""
    if weights is None or weights == "uniform":
        return None
    if callable(weights):
        return _weights_by_function(weights, balls)
    # Proportions to the nearest, which comes first: nothing overflows, and what is at distance 0 votes alone.
    nearest = np.repeat(balls.distances[balls.starts[:-1][balls.counts > 0]], balls.counts[balls.counts > 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = nearest / balls.distances
    shares[balls.distances == nearest] = 1.0
    return shares


def _weights_by_function(weights: Any, balls: Balls) -> NDArray[np.float64]:
    votes = np.empty_like(balls.distances)
    for start, end in zip(balls.starts[:-1], balls.starts[1:], strict=True):
        if end > start:
            votes[start:end] = neighbor_weights(_of_one_row(weights), balls.distances[np.newaxis, start:end])
    return votes


def _of_one_row(weights: Any) -> Any:
    """Return a function of a matrix of one row that asks the user's about the row."""
    return lambda distances: np.asarray(weights(distances[0].copy()))[np.newaxis]


def ball_votes(
    codes: NDArray[np.int64], n_classes: int, balls: Balls, weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Sum the votes of the rows in each ball, of shape (n_queries, n_classes)."""
    n_queries = len(balls.starts) - 1
    place = balls.query * n_classes + codes[balls.indices]
    votes = np.bincount(place, weights, minlength=n_queries * n_classes)
    return votes.astype(np.float64, copy=False).reshape(n_queries, n_classes)


def outlier_labels(wanted: Any, outputs: Outputs) -> list[Any] | None:
    """Return the label that a query without neighbours gets, by output; None if that is an error."""
    if wanted is None:
        return None
    if isinstance(wanted, str) and wanted == "most_frequent":
        return [c[np.bincount(codes).argmax()] for c, codes in zip(outputs.classes, outputs.codes, strict=True)]
    labels = [wanted] * len(outputs.classes) if np.ndim(wanted) == 0 else list(wanted)
    if len(labels) != len(outputs.classes):
        raise ValueError(f"outlier_label must be one label for each of {len(outputs.classes)} outputs, got {wanted!r}")
    for classes, label in zip(outputs.classes, labels, strict=True):
        if np.ndim(label) != 0:
            raise TypeError(f"outlier_label must be a label, or one for each output, got {wanted!r}")
        _joined(classes, label)
    return labels


def relabelled(labels: NDArray[Any], classes: NDArray[Any], where: NDArray[np.bool_], label: Any) -> NDArray[Any]:
    """Return labels, some of them another one, in a dtype that holds it and the classes."""
    changed = labels.astype(_joined(classes, label).dtype)
    changed[where] = label
    return changed


def _joined(classes: NDArray[Any], label: Any) -> NDArray[Any]:
    """Return classes and a label; raise if no dtype holds both."""
    try:
        return _labels.joined(classes, check.labels_array([label], "outlier_label"), "outlier_label")
    except (TypeError, ValueError) as error:
        raise TypeError(f"outlier_label {label!r} does not go with the classes in y: {error}") from None
