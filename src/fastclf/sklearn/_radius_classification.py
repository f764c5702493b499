"""The classifier by a vote of all rows within a radius."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import estimators
from fastclf.neighbors.voting import Weights
from fastclf.sklearn import _parameters, _votes
from fastclf.sklearn._balls import FIRST
from fastclf.sklearn._base import RadiusNeighborsMixin
from fastclf.sklearn._classification import NeighborsClassifier


class RadiusNeighborsClassifier(NeighborsClassifier, RadiusNeighborsMixin):
    """Classifier by a vote of all rows within a radius, with scikit-learn's interface.

    Parameters
    ----------
    radius : float, default=1.0
        The largest distance of a row that votes.
    weights : {"uniform", "distance"}, callable or None, default="uniform"
        Weight of a vote: one; the inverse of the distance, where rows at distance 0, if any, are the only ones to vote;
        or what a function returns for the distances in one ball, an array of one dimension. None stands for "uniform".
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}, default="auto"
        Taken for the sake of scikit-learn's programs; without effect, as in `NearestNeighbors`.
    leaf_size : int, default=30
        Taken for the sake of scikit-learn's programs; without effect.
    p : float, default=2
        Power of "minkowski": 1, 2 or infinity.
    metric : str, default="minkowski"
        As in `NearestNeighbors`.
    outlier_label : label, "most_frequent", array-like of shape (n_outputs,) or None, default=None
        What is predicted where no row is within the radius: a label, which need not be one of the classes; or of each
        output its most frequent one. None: that is an error.
    metric_params : dict, optional
        May have "p", which comes before the parameter.
    n_jobs : int, optional
        Number of threads, as in `NearestNeighbors`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or list of such
        The class labels, sorted; of two-dimensional y a list, by output.
    outlier_label_ : list or None
        The label of queries without neighbours, by output.
    outputs_2d_ : bool
        Whether y had several columns.
    effective_metric_ : str
        The metric; of "minkowski" the name of that with this power.
    effective_metric_params_ : dict
        Empty: the metrics have no parameters.
    n_samples_fit_ : int
        Number of rows remembered.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`; only where X has names that are all strings.

    See Also
    --------
    KNeighborsClassifier : A vote of the k nearest.

    Examples
    --------
    >>> from fastclf.sklearn import RadiusNeighborsClassifier
    >>> model = RadiusNeighborsClassifier(radius=1.0, outlier_label=1).fit([[0], [1], [2], [3]], [0, 0, 1, 1])
    >>> model.predict([[0.5], [9.0]]).tolist()
    [0, 1]
    """

    def __init__(
        self,
        radius: float = 1.0,
        *,
        weights: Weights | None = "uniform",
        algorithm: str = "auto",
        leaf_size: int = 30,
        p: float | None = 2,
        metric: str = "minkowski",
        outlier_label: Any = None,
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.radius = radius
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
        self.outlier_label = outlier_label
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Remember rows and their classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of any dtype that `fastclf.knn` takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes: integers, strings, bools or other sortable labels; several columns are several outputs.

        Returns
        -------
        RadiusNeighborsClassifier
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.
        """
        with estimators.unchanged_if_it_fails(self):
            self._fit(X, y, FIRST)
            self.outlier_label_ = _votes.outlier_labels(self.outlier_label, self._outputs)
        return self

    def predict(self, X: ArrayLike | None) -> NDArray[Any]:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or None
            Queries. None stands for the fitted rows; no row is then its own neighbour.

        Returns
        -------
        ndarray of shape (n_queries,) or (n_queries, n_outputs)
            Classes; among those with equally many votes the smallest; `outlier_label_` where no row is near enough.

        Raises
        ------
        TypeError, ValueError
            If X is not as described, or what `weights` returns; if no row is near enough to a query, and
            `outlier_label` is None.

        Warns
        -----
        UserWarning
            As `predict_proba` does.
        """
        votes, is_alone = self._votes(X)
        outputs, labels = self._fitted_outputs, []
        for i, (classes, of_classes) in enumerate(zip(outputs.classes, votes, strict=True)):
            label = classes[of_classes.argmax(axis=1)]
            if self.outlier_label_ is not None and is_alone.any():
                label = _votes.relabelled(label, classes, is_alone, self.outlier_label_[i])
            labels.append(label)
        return outputs.stacked(labels)

    def predict_proba(self, X: ArrayLike | None) -> Any:
        """Share of the votes that each class has.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or None
            Queries. None stands for the fitted rows; no row is then its own neighbour.

        Returns
        -------
        ndarray of shape (n_queries, n_classes), or list of such
            Shares in the order of `classes_`; of two-dimensional y a list, by output. Where no row is near enough, 1
            for `outlier_label_`, or all 0 if that is no class.

        Raises
        ------
        TypeError, ValueError
            As `predict` does.

        Warns
        -----
        UserWarning
            If a query has no row near enough, and `outlier_label_` is no class.
        """
        votes, is_alone = self._votes(X)
        outputs = self._fitted_outputs
        for i, (classes, of_classes) in enumerate(zip(outputs.classes, votes, strict=True)):
            if self.outlier_label_ is not None and is_alone.any():
                of_classes[is_alone] = classes == self.outlier_label_[i]
            of_classes[~is_alone] /= of_classes[~is_alone].sum(axis=1, keepdims=True)
        return outputs.of_each(votes)

    def _votes(self, X: ArrayLike | None) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_]]:
        """Return the votes of each output, and which queries have none."""
        queries, outputs = self._queries(X), self._fitted_outputs
        radii = _parameters.radii_of(self.radius, self._backend.n_rows if queries is None else len(queries))
        votes = [np.empty((len(radii), len(classes))) for classes in outputs.classes]
        is_alone = np.empty(len(radii), dtype=bool)
        for part, balls in self._ball_search(by_distance=True).in_parts(queries, radii):
            is_alone[part] = balls.counts == 0
            if self.outlier_label_ is None and is_alone[part].any():
                raise ValueError(
                    f"No neighbors found for test samples {(part.start + np.flatnonzero(is_alone[part]))!r}, you can "
                    "try using larger radius, giving a label for outliers, or considering removing them from your "
                    "dataset."
                )
            weights = _votes.ball_weights(self.weights, balls)
            for classes, codes, of_classes in zip(outputs.classes, outputs.codes, votes, strict=True):
                of_classes[part] = _votes.ball_votes(codes, len(classes), balls, weights)
        if is_alone.any():
            self._warn_of_other_labels()
        return votes, is_alone

    def _warn_of_other_labels(self) -> None:
        for classes, label in zip(self._fitted_outputs.classes, self.outlier_label_ or [], strict=True):
            if not np.any(classes == label):
                warnings.warn(
                    f"Outlier label {label} is not in training classes. All class probabilities of outliers will be "
                    "assigned with 0.",
                    UserWarning,
                    stacklevel=4,  # predict's caller
                )
