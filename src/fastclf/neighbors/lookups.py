"""What nearest-neighbours models tell beside classes: neighbours, their graph, and how they are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import estimators, threads
from fastclf._shared import validation as check
from fastclf.neighbors import searching
from fastclf.neighbors.backends.report import Report
from fastclf.neighbors.memory import Memory


class Lookups(estimators.Classifier):
    """A classifier that remembers rows."""

    k: int
    n_threads: int | None
    _memory: Memory

    def kneighbors(
        self,
        X: ArrayLike | None = None,
        k: int | None = None,
        return_distance: bool = True,
        *,
        among: ArrayLike | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | NDArray[np.int64]:
        """Find the nearest rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries. Without them the fitted rows are the queries, and none is its own neighbour.
        k : int, optional
            Number of neighbours; by default the model's.
        return_distance : bool, default=True
            Whether to return the distances.
        among : array-like of bool, shape (`n_samples_fit_`,), optional
            Which rows may be neighbours in this call; by default all. Each row that may is compared, whatever the
            backend.

        Returns
        -------
        distances : ndarray of shape (n_queries, k), float64
            Distances, nearest first; of the metric "inner_product" the products, the largest first. Only with
            `return_distance`.
        indices : ndarray of shape (n_queries, k), int64
            Rows of the fitted data; among equal distances the lower comes first.

        Raises
        ------
        TypeError, ValueError
            If X, `k` or `among` is not as described, or there are fewer than `k` such rows.

        Notes
        -----
        With `among`, a call takes memory for a copy of the rows that it allows.

        Examples
        --------
        >>> from fastclf import KNN
        >>> model = KNN(k=1).fit([[0.0], [1.0], [5.0]], [0, 0, 1])
        >>> model.kneighbors()[1].ravel().tolist()
        [1, 0, 1]
        >>> model.kneighbors([[0.0]], among=[False, True, True])[1].tolist()
        [[1]]
        """
        queries, count = self._queries(X), self.k if k is None else k
        backend, n_threads = self._memory.backend, threads.resolve(self.n_threads)
        if among is None:
            count = searching.checked_count(backend, queries, count)
            distances, indices = backend.query(queries, count, n_threads)
        else:
            distances, indices = searching.nearest_among(backend, queries, count, n_threads, among)
        return (distances, indices) if return_distance else indices

    def kneighbors_graph(
        self, X: ArrayLike | None = None, k: int | None = None, mode: str = "connectivity"
    ) -> scipy.sparse.csr_matrix:
        """Compute the graph from queries to their nearest rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries. Without them the fitted rows are the queries, and none is its own neighbour.
        k : int, optional
            Number of neighbours; by default the model's.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether edges weigh one or the distance; of the metric "inner_product", the product.

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
        distances, indices = self.kneighbors(X, k)
        return searching.graph(distances, indices, mode, self.n_samples_fit_)

    def explain(self, X: ArrayLike | None = None, k: int | None = None) -> Report:
        """Tell what was built in `fit` and what a search does.

        Exact search looks at near rows of a tree, or compares short sketches of the rows first. It drops rows that are
        proved too far to be among the nearest, and compares the others in full. An approximate index proposes rows,
        which are compared in full.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries to search for. Without them the report says what a sample of the fitted rows showed, with up to ten
            neighbours.
        k : int, optional
            Number of neighbours; by default the model's.

        Returns
        -------
        fastclf.neighbors.backends.report.Report
            The steps of the search, each with the number of rows of a query that come to it and its share of the time.
            Printed, it says so in words.

        Raises
        ------
        TypeError, ValueError
            As `kneighbors` does.

        See Also
        --------
        kneighbors : The search itself.

        Examples
        --------
        >>> from fastclf import KNN
        >>> print(KNN(k=1).fit([[0, 0], [0, 1], [9, 9]], ["left", "left", "right"]).explain())
        exact search of 3 rows of 2 bytes by l2; what a sample showed
        every row is compared in full: there are few, or nothing shorter would leave few
        """
        queries, backend = self._queries(X), self._memory.backend
        count = check.neighbor_count(self.k if k is None else k, backend.n_rows)
        return backend.explain(queries, count, threads.resolve(self.n_threads))

    @property
    def n_samples_fit_(self) -> int:
        """Number of rows remembered."""
        check_is_fitted(self, "_memory")
        return self._memory.backend.n_rows

    @property
    def recall_(self) -> float:
        """Share of the true neighbours that are found."""
        check_is_fitted(self, "_memory")
        return self._memory.backend.recall

    def _queries(self, X: ArrayLike | None) -> NDArray[Any] | None:
        """Return queries for the kernels; None stands for the fitted rows."""
        check_is_fitted(self, "_memory")
        return None if X is None else check.kernel_array(estimators.checked_queries(self, X), "X", narrow=True)
