"""Classifiers by a vote of neighbours: what they share, and that of the k nearest."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from fastclf import _native
from fastclf._shared import estimators
from fastclf.neighbors.voting import Weights
from fastclf.sklearn import _votes
from fastclf.sklearn._base import KNeighborsMixin, NeighborsBase
from fastclf.sklearn._votes import Outputs


class NeighborsClassifier(estimators.Classifier, NeighborsBase):
    """What classifiers by neighbours learn, and tell of it."""

    weights: Weights | None

    @property
    def classes_(self) -> Any:
        """The class labels, sorted; of two-dimensional y a list, by output."""
        return self._fitted_outputs.of_each(self._fitted_outputs.classes)

    @property
    def outputs_2d_(self) -> bool:
        """Whether y had several columns."""
        return self._fitted_outputs.are_many

    @property
    def _fitted_outputs(self) -> Outputs:
        check_is_fitted(self, "_outputs")
        return self._outputs

    def _fit(self, X: ArrayLike, y: ArrayLike, k: int) -> None:
        _votes.check_weights(self.weights)
        metric = self._checked_metric(X)
        self._refuse_others(y, "y")
        rows, labels = estimators.checked_data(self, X, y, reset=True)
        self._outputs = Outputs.of(labels)
        self._learn(rows, k, metric)

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


class KNeighborsClassifier(NeighborsClassifier, KNeighborsMixin):
    """Classifier by a vote of the k nearest rows, with scikit-learn's interface.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours.
    weights : {"uniform", "distance"}, callable or None, default="uniform"
        Weight of a neighbour's vote, as in `fastclf.KNN`; None stands for "uniform".
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}, default="auto"
        Taken for the sake of scikit-learn's programs; without effect, as in `NearestNeighbors`.
    leaf_size : int, default=30
        Taken for the sake of scikit-learn's programs; without effect.
    p : float, default=2
        Power of "minkowski": 1, 2 or infinity.
    metric : str, default="minkowski"
        As in `NearestNeighbors`.
    metric_params : dict, optional
        May have "p", which comes before the parameter.
    n_jobs : int, optional
        Number of threads, as in `NearestNeighbors`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or list of such
        The class labels, sorted; of two-dimensional y a list, by output.
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
    fastclf.KNN : The same votes with fastclf's own interface, approximate search, and rows that can be added.

    Examples
    --------
    >>> from fastclf.sklearn import KNeighborsClassifier
    >>> model = KNeighborsClassifier(n_neighbors=3).fit([[0], [1], [2], [3]], [0, 0, 1, 1])
    >>> model.predict([[1.1]]).tolist(), model.predict_proba([[1.1]]).round(2).tolist()
    ([0], [[0.67, 0.33]])
    """

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        weights: Weights | None = "uniform",
        algorithm: str = "auto",
        leaf_size: int = 30,
        p: float | None = 2,
        metric: str = "minkowski",
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
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
        KNeighborsClassifier
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.
        """
        with estimators.unchanged_if_it_fails(self):
            self._fit(X, y, self.n_neighbors)
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
            Classes; among those with equally many votes the smallest.

        Raises
        ------
        TypeError, ValueError
            If X is not as described, or what `weights` returns; if all neighbours of a query have weight zero.
        """
        n_queries, parts = self._nearest_in_parts(X)
        outputs = self._fitted_outputs
        winners = [np.empty(n_queries, dtype=np.int64) for _ in outputs.classes]
        for part, (distances, indices) in parts:
            weights = _votes.neighbor_weights(self.weights, distances)
            for classes, codes, winner in zip(outputs.classes, outputs.codes, winners, strict=True):
                _native.vote(codes, indices, len(classes), weights, None, winner[part])
        return outputs.stacked([c[winner] for c, winner in zip(outputs.classes, winners, strict=True)])

    def predict_proba(self, X: ArrayLike | None) -> Any:
        """Share of the votes that each class has.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or None
            Queries. None stands for the fitted rows; no row is then its own neighbour.

        Returns
        -------
        ndarray of shape (n_queries, n_classes), or list of such
            Shares in the order of `classes_`; of two-dimensional y a list, by output.

        Raises
        ------
        TypeError, ValueError
            As `predict` does.
        """
        n_queries, parts = self._nearest_in_parts(X)
        outputs = self._fitted_outputs
        votes = [np.empty((n_queries, len(classes))) for classes in outputs.classes]
        for part, (distances, indices) in parts:
            weights = _votes.neighbor_weights(self.weights, distances)
            for classes, codes, of_classes in zip(outputs.classes, outputs.codes, votes, strict=True):
                _native.vote(codes, indices, len(classes), weights, of_classes[part], None)
        for of_classes in votes:
            of_classes /= of_classes.sum(axis=1, keepdims=True)
        return outputs.of_each(votes)
