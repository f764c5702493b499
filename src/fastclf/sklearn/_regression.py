"""Regression by the mean of the neighbours' targets."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from fastclf._shared import estimators
from fastclf._shared import validation as check
from fastclf.neighbors.voting import Weights
from fastclf.sklearn._base import KNeighborsMixin
from fastclf.sklearn._votes import check_weights, neighbor_weights


class KNeighborsRegressor(RegressorMixin, KNeighborsMixin):  # type: ignore[misc]
    """Regression by the mean target of the k nearest rows, with scikit-learn's interface.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours.
    weights : {"uniform", "distance"}, callable or None, default="uniform"
        Weight of a neighbour in the mean, as in `fastclf.KNN`; None stands for "uniform".
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
    KNeighborsClassifier : A vote instead of a mean.

    Examples
    --------
    >>> from fastclf.sklearn import KNeighborsRegressor
    >>> KNeighborsRegressor(n_neighbors=2).fit([[0], [1], [5]], [0.0, 1.0, 5.0]).predict([[0.9]])
    array([0.5])
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
        """Remember rows and their targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of any dtype that `fastclf.knn` takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: finite numbers, which are kept as float64.

        Returns
        -------
        KNeighborsRegressor
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.
        """
        check_weights(self.weights)
        metric = self._checked_metric(X)
        self._refuse_others(y, "y")
        with estimators.unchanged_if_it_fails(self):
            rows, targets = estimators.checked_data(self, X, y, reset=True)
            self._y = _finite_numbers(targets)
            self._learn(rows, self.n_neighbors, metric)
        return self

    def predict(self, X: ArrayLike | None) -> NDArray[np.float64]:
        """Predict the targets of each row.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or None
            Queries. None stands for the fitted rows; no row is then its own neighbour.

        Returns
        -------
        ndarray of shape (n_queries,) or (n_queries, n_outputs), float64
            Means of the neighbours' targets.

        Raises
        ------
        TypeError, ValueError
            If X is not as described, or what `weights` returns; if all neighbours of a query have weight zero.
        """
        n_queries, parts = self._nearest_in_parts(X)
        predicted = np.empty((n_queries, *self._y.shape[1:]))
        for part, (distances, indices) in parts:
            weights = neighbor_weights(self.weights, distances)
            targets = self._y[indices]
            if weights is None:
                predicted[part] = _means(targets)
            else:
                shares = weights / weights.sum(axis=1, keepdims=True)
                predicted[part] = np.einsum("qk,qk...->q...", shares, targets)
        return predicted

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _means(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means along the second dimension, also where sums leave float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        means: NDArray[np.float64] = targets.mean(axis=1)
    if not np.isfinite(means).all():
        means = (targets / targets.shape[1]).sum(axis=1)
    return means


def _finite_numbers(y: NDArray[Any]) -> NDArray[np.float64]:
    """Return a copy of targets in float64."""
    if y.dtype == object or y.dtype.kind not in "biuf":
        raise ValueError(f"y has dtype {y.dtype}; numbers are required (bool, integers or floats)")
    targets = np.array(check.float64_array(y, "y"))
    check.check_finite(targets.reshape(len(targets), -1), "y")
    return targets
