"""What scikit-learn's neighbour classes have in common: rows that are remembered, and searches of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.neighbors import BallTree, KDTree
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import estimators
from fastclf._shared import validation as check
from fastclf._shared.estimators import Estimator
from fastclf.neighbors import searching
from fastclf.neighbors.backends import registry
from fastclf.neighbors.backends.plain import Found
from fastclf.neighbors.backends.protocol import Wanted
from fastclf.sklearn import _parameters
from fastclf.sklearn._balls import Balls, BallSearch
from fastclf.sklearn._parameters import Metric


class NeighborsBase(Estimator):
    """Rows that are remembered, for searches by one metric."""

    algorithm: str
    leaf_size: int
    metric: str
    p: float | None
    metric_params: dict[str, Any] | None
    n_jobs: int | None

    @property
    def n_samples_fit_(self) -> int:
        """Number of rows remembered."""
        check_is_fitted(self, "_backend")
        return self._backend.n_rows

    def _check_parameters(self) -> None:
        """Raise for parameters that are not as they have to be, those of the metric aside."""
        _parameters.check_algorithm(self.algorithm)
        check.at_least(self.leaf_size, 1, "leaf_size")
        _parameters.threads_of(self.n_jobs)

    def _checked_metric(self, X: Any) -> Metric:
        """Return the metric, if there is nothing wrong with parameters, nor with the kind of X."""
        self._check_parameters()
        metric = _parameters.metric_of(self.metric, self.p, self.metric_params, type(self).__name__)
        self._refuse_others(X, "X")
        return metric

    def _learn(self, checked: Any, k: int, metric: Metric) -> None:
        """Remember checked rows, to be asked most often for k neighbours."""
        wanted = Wanted(k, _parameters.threads_of(self.n_jobs))
        self._backend = registry.build("exact", metric.kernels, *estimators.rows_to_keep(checked), wanted)
        self.effective_metric_ = metric.effective
        self.effective_metric_params_: dict[str, Any] = {}

    def _queries(self, X: ArrayLike | None) -> NDArray[Any] | None:
        """Return queries for the kernels; None stands for the fitted rows."""
        check_is_fitted(self, "_backend")
        if X is None:
            return None
        self._refuse_others(X, "X")
        return check.kernel_array(estimators.checked_queries(self, X), "X", narrow=True)

    def _refuse_others(self, a: Any, name: str) -> None:
        """Raise for what scikit-learn's classes take beside arrays."""
        peer = f"sklearn.neighbors.{type(self).__name__}"
        if scipy.sparse.issparse(a):
            raise TypeError(
                f"Sparse data was passed for {name}, but dense data is required: use {name}.toarray(), or where that "
                f"is too large {peer}"
            )
        if isinstance(a, BaseEstimator | BallTree | KDTree):
            raise TypeError(f"{name} must be an array, got {type(a).__name__}: pass the rows that it was made of")


class KNeighborsMixin(NeighborsBase):
    """The k nearest rows of queries."""

    n_neighbors: int

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check.neighbor_count(self.n_neighbors, name="n_neighbors")

    def kneighbors(
        self, X: ArrayLike | None = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | NDArray[np.int64]:
        """Find the nearest rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries. Without them the fitted rows are the queries, and none is its own neighbour.
        n_neighbors : int, optional
            Number of neighbours; by default the estimator's.
        return_distance : bool, default=True
            Whether to return the distances.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), float64
            Distances, nearest first; only with `return_distance`.
        indices : ndarray of shape (n_queries, n_neighbors), int64
            Rows of the fitted data; among equal distances the lower comes first.

        Raises
        ------
        TypeError, ValueError
            If X is not as described, or there are not as many rows.
        """
        queries, backend = self._queries(X), self._backend
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        count = searching.checked_count(backend, queries, k, "n_neighbors")
        distances, indices = backend.query(queries, count, _parameters.threads_of(self.n_jobs))
        return (distances, indices) if return_distance else indices

    def kneighbors_graph(
        self, X: ArrayLike | None = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> scipy.sparse.csr_matrix:
        """Compute the graph from queries to their nearest rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries. Without them the fitted rows are the queries, and none is its own neighbour.
        n_neighbors : int, optional
            Number of neighbours; by default the estimator's.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether edges weigh one or the distance.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n_queries, `n_samples_fit_`)
            Edges; each row's columns are in the order of nearness.

        Raises
        ------
        TypeError, ValueError
            As `kneighbors` does; if `mode` is unknown.
        """
        check.one_of(mode, searching.MODES, "mode")
        distances, indices = self.kneighbors(X, n_neighbors)
        return searching.graph(distances, indices, mode, self.n_samples_fit_)

    def _nearest_in_parts(self, X: ArrayLike | None) -> tuple[int, Iterator[tuple[slice, Found]]]:
        """Return how many queries there are, and what goes through parts of them with their neighbours."""
        queries, backend = self._queries(X), self._backend
        count = searching.checked_count(backend, queries, self.n_neighbors, "n_neighbors")
        n_threads = _parameters.threads_of(self.n_jobs)
        parts = ((part, backend.query(some, count, n_threads)) for part, some in searching.in_parts(queries, count))
        return backend.n_rows if queries is None else len(queries), parts


class RadiusNeighborsMixin(NeighborsBase):
    """All rows within a radius of queries."""

    radius: float

    def _check_parameters(self) -> None:
        super()._check_parameters()
        _parameters.radii_of(self.radius)

    def radius_neighbors(
        self,
        X: ArrayLike | None = None,
        radius: float | ArrayLike | None = None,
        return_distance: bool = True,
        sort_results: bool = False,
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]] | NDArray[np.object_]:
        """Find all rows within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries. Without them the fitted rows are the queries, and none is its own neighbour.
        radius : float or array-like of shape (n_queries,), optional
            The largest distance, which belongs to the ball; by default the estimator's.
        return_distance : bool, default=True
            Whether to return the distances.
        sort_results : bool, default=False
            Whether rows come nearest first, rather than in the order of their numbers; needs `return_distance`.

        Returns
        -------
        distances : ndarray of shape (n_queries,) of ndarrays, float64
            Distances; only with `return_distance`.
        indices : ndarray of shape (n_queries,) of ndarrays, int64
            Rows of the fitted data; sorted, among equal distances the lower comes first.

        Raises
        ------
        TypeError, ValueError
            If X or `radius` is not as described; for `sort_results` without `return_distance`.
        """
        if sort_results and not return_distance:
            raise ValueError("return_distance must be True if sort_results is True.")
        balls = self._balls(X, radius, sort_results)
        indices = _ragged(balls.indices, balls.starts)
        return (_ragged(balls.distances, balls.starts), indices) if return_distance else indices

    def radius_neighbors_graph(
        self,
        X: ArrayLike | None = None,
        radius: float | ArrayLike | None = None,
        mode: str = "connectivity",
        sort_results: bool = False,
    ) -> scipy.sparse.csr_matrix:
        """Compute the graph from queries to all rows within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries. Without them the fitted rows are the queries, and none is its own neighbour.
        radius : float or array-like of shape (n_queries,), optional
            The largest distance, which belongs to the ball; by default the estimator's.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether edges weigh one or the distance.
        sort_results : bool, default=False
            Whether each row's columns are in the order of nearness, rather than ascending.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n_queries, `n_samples_fit_`)
            Edges.

        Raises
        ------
        TypeError, ValueError
            As `radius_neighbors` does; if `mode` is unknown.
        """
        check.one_of(mode, searching.MODES, "mode")
        balls = self._balls(X, radius, sort_results)
        return searching.edges(balls.starts, balls.indices, balls.distances, mode, self.n_samples_fit_)

    def _balls(self, X: ArrayLike | None, radius: Any, by_distance: bool) -> Balls:
        queries = self._queries(X)
        radius = self.radius if radius is None else radius
        radii = _parameters.radii_of(radius, self._backend.n_rows if queries is None else len(queries))
        return self._ball_search(by_distance).whole(queries, radii)

    def _ball_search(self, by_distance: bool) -> BallSearch:
        return BallSearch(self._backend, _parameters.threads_of(self.n_jobs), by_distance)


def _ragged(values: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return an array of arrays: of each query, its own values."""
    arrays = np.empty(len(starts) - 1, dtype=object)
    for i, (start, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        arrays[i] = values[start:end]
    return arrays
