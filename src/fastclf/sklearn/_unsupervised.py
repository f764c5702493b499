"""Neighbours of rows without labels: as arrays, and as a graph in a pipeline."""

from __future__ import annotations

from typing import Any, Self

import scipy.sparse
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from fastclf._shared import estimators
from fastclf._shared import validation as check
from fastclf.neighbors import searching
from fastclf.sklearn._base import KNeighborsMixin, NeighborsBase, RadiusNeighborsMixin


class _Unsupervised(NeighborsBase):
    """What is fitted on rows alone."""

    n_neighbors: int

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: ARG002
        """Remember rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of any dtype that `fastclf.knn` takes.
        y : object, optional
            Not used.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the estimator is left as it was.
        """
        metric = self._checked_metric(X)
        with estimators.unchanged_if_it_fails(self):
            self._learn(estimators.checked_rows(self, X, reset=True), self.n_neighbors, metric)
        return self


class NearestNeighbors(KNeighborsMixin, RadiusNeighborsMixin, _Unsupervised):
    """Search for the nearest rows, or all within a radius, with scikit-learn's interface.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours.
    radius : float, default=1.0
        The largest distance of `radius_neighbors`.
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}, default="auto"
        Taken for the sake of scikit-learn's programs; without effect: `fit` learns whether a tree pays.
    leaf_size : int, default=30
        Taken for the sake of scikit-learn's programs; without effect.
    metric : str, default="minkowski"
        "euclidean" ("l2"), "manhattan" ("l1", "cityblock"), "chebyshev", "cosine", or "minkowski" of the power `p`.
    p : float, default=2
        Power of "minkowski": 1, 2 or infinity.
    metric_params : dict, optional
        May have "p", which comes before the parameter.
    n_jobs : int, optional
        Number of threads; -1 stands for all, -2 for all but one, None for what `fastclf.set_num_threads` says.

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
    fastclf.KNN : The classifier with fastclf's own interface.

    Notes
    -----
    Neighbours are those of `fastclf.KNN`: exact, in the order of (distance, row). A search for all within a radius
    takes memory for its answer, and some 200 MiB beside.

    Examples
    --------
    >>> from fastclf.sklearn import NearestNeighbors
    >>> search = NearestNeighbors(n_neighbors=2, radius=1.5).fit([[0.0], [1.0], [5.0]])
    >>> search.kneighbors([[4.0]], return_distance=False)
    array([[2, 1]])
    >>> distances, indices = search.radius_neighbors([[0.4]])
    >>> indices[0]
    array([0, 1])
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        radius: float = 1.0,
        algorithm: str = "auto",
        leaf_size: int = 30,
        metric: str = "minkowski",
        p: float | None = 2,
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.metric = metric
        self.p = p
        self.metric_params = metric_params
        self.n_jobs = n_jobs


class KNeighborsTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, KNeighborsMixin, _Unsupervised):  # type: ignore[misc]
    """Turn rows into the graph of their nearest neighbours, with scikit-learn's interface.

    Parameters
    ----------
    mode : {"distance", "connectivity"}, default="distance"
        Whether edges weigh the distance or one. With distances, a row has one neighbour more: among fitted rows, each
        is one of its own neighbours.
    n_neighbors : int, default=5
        Number of neighbours.
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}, default="auto"
        What looks for neighbours, as in `NearestNeighbors`; the answer is the same.
    leaf_size : int, default=30
        Taken for the sake of scikit-learn's programs; without effect.
    metric : str, default="minkowski"
        As in `NearestNeighbors`.
    p : float, default=2
        Power of "minkowski": 1, 2 or infinity.
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
    NearestNeighbors : The search itself.

    Examples
    --------
    >>> from fastclf.sklearn import KNeighborsTransformer
    >>> KNeighborsTransformer(n_neighbors=1).fit_transform([[0.0], [1.0], [5.0]]).toarray()
    array([[0., 1., 0.],
           [1., 0., 0.],
           [0., 4., 0.]])
    """

    def __init__(
        self,
        *,
        mode: str = "distance",
        n_neighbors: int = 5,
        algorithm: str = "auto",
        leaf_size: int = 30,
        metric: str = "minkowski",
        p: float | None = 2,
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.mode = mode
        self.n_neighbors = n_neighbors
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.metric = metric
        self.p = p
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    @property
    def _n_features_out(self) -> int:  # what ClassNamePrefixFeaturesOutMixin asks for
        return self.n_samples_fit_

    def transform(self, X: ArrayLike) -> scipy.sparse.csr_matrix:
        """Compute the graph from queries to their nearest rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n_queries, `n_samples_fit_`)
            Edges; each row's columns are in the order of nearness. Distances of 0 are among them.

        Raises
        ------
        TypeError, ValueError
            If X is not as described, or there are not as many rows.
        """
        return self.kneighbors_graph(X, self.n_neighbors + (self.mode == "distance"), self.mode)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check.one_of(self.mode, searching.MODES, "mode")
