"""The k-nearest-neighbours classifier whose rows lie in the memory of several machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from dask.delayed import Delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import estimators, threads
from fastclf._shared import validation as check
from fastclf._shared.types import Metric
from fastclf.dask import _collections as collections
from fastclf.dask import _votes
from fastclf.dask._engine import Engine, task
from fastclf.dask._scoring import LazyScore
from fastclf.dask._search import (
    Searched,
    all_classes,
    check_widths,
    checked_batch,
    codes_among,
    facts_of,
    part_of,
)
from fastclf.neighbors.voting import Weights, check_weights_by

# Queries of a batch.  A search goes through all sketches for each thousand or so; fewer take turns on more workers.
_MOST_QUERIES, _MOST_VALUES, _FEW_QUERIES = 2048, 1 << 20, 256
_MOST_ENTRIES = 1 << 22  # of the lists of all shards that are merged at a time
_IN_FLIGHT = 64 << 20  # bytes of queries that are sent at a time


class DaskKNN(LazyScore):
    """Classifier by a vote of the k nearest neighbours, of rows that are spread over a Dask cluster.

    Each chunk of rows is indexed where it lies, once. Queries go to all chunks, and the nearest rows of each, with
    their classes, come together. Answers are those of `KNN` of all rows, to the bit, whatever the chunks and workers.

    Parameters
    ----------
    k : int, default=5
        Number of neighbours.
    metric : {"l1", "l2", "cosine", ...}, default="l2"
        Distance, as `pairwise_distances` defines it.
    weights : {"uniform", "distance"} or callable, default="uniform"
        Weight of a neighbour's vote, as in `KNN`. A function is called on workers, a batch of queries at a time.
    client : distributed.Client, optional
        Whose cluster computes. By default it is the current client, and without one the scheduler in this process.
    n_threads : int, optional
        Number of threads of a task. By default the tasks of a worker share its own number of threads.
    verbose : int, default=0
        1 tells how far a call has come.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
    n_samples_fit_ : int
        Number of rows.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`; only where X is a data frame whose names are all strings.

    See Also
    --------
    fastclf.KNN : The same on one machine; the faster one as long as the rows fit there.
    fastclf.shards : The parts that this is made of, for other engines.

    Notes
    -----
    A chunk has to hold whole rows. Chunks may be of any size, empty, or of sizes not known yet; of few rows each they
    make a search longer. Rows are numbered through all chunks, in their order.

    NumPy arrays as queries give NumPy arrays, at once. Dask collections give lazy Dask arrays, in chunks like theirs.

    A worker that dies is made up for by Dask: its chunks are loaded and indexed again. So the collections given to
    `fit` must be ones that Dask can load again, which data sent by ``Client.scatter`` are not. Where a cluster has no
    worker for a minute, calls raise.

    Memory of a worker: for each of its chunks what `KNN` takes for the rows (the rows once, and up to half as much for
    the index), and while it is indexed the chunk itself. A batch of queries takes k times 24 bytes a query for each
    chunk, and 60 in the task that merges, in all below 256 MiB. Where rows of several chunks are at one distance, as
    rounded to float64, that task holds the values of these rows. Queries in data frames, or in chunks of unknown sizes,
    are not cut into batches: there a chunk is one.

    `k` and `weights` may be changed on a fitted model; the other parameters take effect in `fit`.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclf.dask import DaskKNN
    >>> X = da.from_array([[0, 0], [0, 1], [9, 9]], chunks=(2, 2))
    >>> model = DaskKNN(k=1, metric="l1").fit(X, ["left", "left", "right"])
    >>> model.predict([[8, 8]])
    array(['right'], dtype='<U5')
    """

    _searched: Searched
    _classes: NDArray[Any]

    def __init__(
        self,
        k: int = 5,
        *,
        metric: Metric = "l2",
        weights: Weights = "uniform",
        client: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.k = k
        self.metric = metric
        self.weights = weights
        self.client = client
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Index rows where they lie.

        Parameters
        ----------
        X : Dask array or data frame of shape (n_samples, n_features)
            Rows in chunks, of any dtype that `knn` takes.
        y : Dask array or series, or array-like, of shape (n_samples,)
            Classes: integers, strings, bools or other sortable labels. In chunks, or in memory.

        Returns
        -------
        DaskKNN
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.
        RuntimeError
            If no worker is left.
        """
        with estimators.unchanged_if_it_fails(self):
            self._take(X, y, None)
        return self

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Append rows, as chunks of their own.

        Parameters
        ----------
        X : Dask array or data frame of shape (n_samples, n_features)
            More rows.
        y : Dask array or series, or array-like, of shape (n_samples,)
            Their classes; new ones may appear.

        Returns
        -------
        DaskKNN
            The model.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As `fit` does; the model is left as it was.
        """
        with estimators.unchanged_if_it_fails(self):
            self._take(X, y, getattr(self, "_searched", None))
        return self

    def kneighbors(self, X: Any, k: int | None = None, return_distance: bool = True) -> Any:
        """Find the nearest rows.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_queries, n_features)
            Queries.
        k : int, optional
            Number of neighbours; by default the model's.
        return_distance : bool, default=True
            Whether to return the distances.

        Returns
        -------
        distances : array of shape (n_queries, k), float64
            Distances, nearest first; only with `return_distance`.
        indices : array of shape (n_queries, k), int64
            Rows of the fitted data; among equal distances the lower comes first. Dask arrays for Dask collections, else
            NumPy arrays.

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is not as described. What is wrong in a lazy X is told when it is computed.
        RuntimeError
            If no worker is left.
        """
        count = self._checked_count(self.k if k is None else k)
        names = ("distances", "rows") if return_distance else ("rows",)
        dtypes = {"distances": np.float64, "rows": np.int64}
        if not collections.is_lazy(X):
            found = self._computed(X, count, _as_it_is)
            both: tuple[Any, ...] = tuple(
                np.concatenate([np.empty((0, count), dtypes[name]), *(getattr(part, name) for part in found)])
                for name in names
            )
        else:
            batches, tasks = self._lazily(X, count)
            both = tuple(
                collections.array_of([getattr(part, name) for part in tasks], X, batches, (count,), dtypes[name])
                for name in names
            )
        return both if return_distance else both[0]

    def predict(self, X: Any) -> Any:
        """Predict the class of each row.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        array of shape (n_queries,)
            Classes, of the dtype of `classes_`: a Dask array for Dask collections, else a NumPy array.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As `kneighbors` does; or if what `weights` returns is not as described.
        """
        return self._voted(X, "knn-vote", _votes.winners, (), None)

    def predict_proba(self, X: Any) -> Any:
        """Share of the votes that each class has.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        array of shape (n_queries, n_classes)
            Shares in the order of `classes_`; rows sum to 1. A Dask array for Dask collections, else a NumPy array.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As `predict` does.
        """
        return self._voted(X, "knn-shares", _votes.shares, (len(self.classes_),), np.dtype(np.float64))

    @property
    def classes_(self) -> NDArray[Any]:
        """The class labels, sorted."""
        check_is_fitted(self, "_searched")
        return self._classes

    @property
    def n_samples_fit_(self) -> int:
        """Number of rows."""
        check_is_fitted(self, "_searched")
        return int(sum(self._searched.heights))

    def _take(self, X: Any, y: Any, before: Searched | None) -> None:
        """Index rows, after those that there are."""
        k, metric = check.neighbor_count(self.k), check.metric_name(self.metric)
        check_weights_by(metric, self.weights)
        verbose = check.at_least(self.verbose, 0, "verbose")
        n_threads = None if self.n_threads is None else threads.checked(self.n_threads)
        collections.check_rows(self, X, reset=before is None)
        if before is not None:
            metric = before.metric
        old = before or Searched((), (), metric, n_threads, ())
        engine = Engine(self.client)
        pairs = list(zip(collections.blocks(X), collections.blocks_beside(X, y, "y"), strict=True))
        parts = engine.persist(
            [task("knn-index", part_of, *both, i, len(pairs), metric, k, n_threads) for i, both in enumerate(pairs)]
        )
        facts = engine.compute([task("knn-facts", facts_of, part) for part in parts], "indexing chunks", verbose)
        check_widths([fact.n_features for fact in facts], int(self.n_features_in_))
        there = [(part, fact) for part, fact in zip(parts, facts, strict=True) if fact.n_rows]
        if not there and before is None:
            raise ValueError("X has no rows: at least one is needed")
        known = None if before is None else self._classes
        classes = all_classes(known, [fact.classes for _, fact in there])
        known_codes = [codes_among(classes, known)[codes] for codes in old.codes]
        new_codes = [codes_among(classes, fact.classes) for _, fact in there]
        parts = [*old.parts, *(part for part, _ in there)]
        heights = [*old.heights, *(fact.n_rows for _, fact in there)]
        self._searched = Searched(tuple(parts), tuple(heights), metric, n_threads, (*known_codes, *new_codes))
        self._classes = classes

    def _checked_count(self, k: object) -> int:
        return check.neighbor_count(k, self.n_samples_fit_)

    def _voted(self, X: Any, what: str, function: Any, width: tuple[int, ...], dtype: Any) -> Any:
        """Return what a function makes of the neighbours of each query."""
        count = self._checked_count(self.k)
        check_weights_by(self._searched.metric, self.weights)
        classes, weights = self.classes_, self.weights
        dtype = classes.dtype if dtype is None else dtype

        def finish(found: Delayed) -> Delayed:
            return task(what, function, found, classes, weights)

        if not collections.is_lazy(X):
            return np.concatenate([np.empty((0, *width), dtype), *self._computed(X, count, finish)])
        batches, tasks = self._lazily(X, count)
        return collections.array_of([finish(one) for one in tasks], X, batches, width, dtype)

    def _most_queries(self, k: int) -> int:
        return most_queries(k, self._searched.heights, int(self.n_features_in_))

    def _computed(self, X: ArrayLike, k: int, finish: Any) -> list[Any]:
        """Return what tasks make of the neighbours of queries in memory, a batch each."""
        queries = check.kernel_array(estimators.checked_queries(self, X), "X", narrow=True)
        engine = Engine(self.client)
        most = min(self._most_queries(k), max(_FEW_QUERIES, -(-len(queries) // engine.workers())))
        batches = [queries[start : start + most] for start in range(0, len(queries), most)]
        at_once = max(1, _IN_FLIGHT // (most * max(1, queries.shape[1] * queries.itemsize)))
        results: list[Any] = []
        for start in range(0, len(batches), at_once):
            tasks = [
                finish(self._nearest(batch, k, start + i)) for i, batch in enumerate(batches[start : start + at_once])
            ]
            results += engine.compute(tasks, "searching", check.at_least(self.verbose, 0, "verbose"))
        return results

    def _lazily(self, X: Any, k: int) -> tuple[Any, list[Delayed]]:
        """Return lazy queries in batches, and the task of each batch's neighbours."""
        collections.check_rows(self, X, reset=False)
        batches = collections.in_batches(X, self._most_queries(k))
        return batches, [self._nearest(block, k, i) for i, block in enumerate(collections.blocks(batches))]

    def _nearest(self, batch: Any, k: int, turn: int) -> Delayed:
        return self._searched.nearest(task("knn-queries", checked_batch, batch, self.n_features_in_), k, turn)


def most_queries(k: int, heights: Sequence[int], n_features: int) -> int:
    """Return how many queries a batch may have, of parts of that many rows."""
    entries = sum(min(k, height) for height in heights)
    return max(1, min(_MOST_QUERIES, _MOST_VALUES // n_features, _MOST_ENTRIES // entries))


def _as_it_is(found: Delayed) -> Delayed:
    return found
