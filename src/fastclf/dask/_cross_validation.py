"""The choice of k and the metric by cross-validation, of rows in the memory of several machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import estimators, threads
from fastclf._shared import validation as check
from fastclf._shared.types import Metric
from fastclf.dask import _collections as collections
from fastclf.dask import _folds as work
from fastclf.dask._engine import Engine, task
from fastclf.dask._neighbors import DaskKNN
from fastclf.dask._scoring import LazyScore
from fastclf.dask._search import all_classes, codes_among
from fastclf.dask._trials import Chunks, Trials
from fastclf.neighbors.folds import folds_of, groups_of
from fastclf.neighbors.selection import Selection
from fastclf.neighbors.voting import Weights


class DaskKNNCV(Selection, LazyScore):
    """k-nearest-neighbours classifier that chooses k and the metric by cross-validation, of rows on a Dask cluster.

    Scores are those of `KNNCV` of all rows, to the bit, whatever the chunks and workers: the accuracy of each k, metric
    and fold. The rows of each fold are searched for among those of the others, once for every k. With the k and metric
    of the best mean, all rows are indexed as `DaskKNN` does it.

    Parameters
    ----------
    ks : sequence of int, default=(1, 3, 5, 7)
        Numbers of neighbours to try.
    metrics : sequence of str, default=("l1", "l2")
        Metrics to try, as `KNN` names them.
    cv : int, cross-validation generator or iterable, default=5
        The folds: a number of stratified folds; a splitter of scikit-learn's; or pairs of arrays of row numbers,
        training and test, counted from 0. A row is in at most one test, and training is on all rows that are not
        tested. A splitter is given the labels and groups, and zeros instead of the rows.
    weights : {"uniform", "distance"} or callable, default="uniform"
        Weight of a neighbour's vote, as in `KNN`. A function is called on workers, with a batch of a fold's rows: the
        weights of a row must not depend on the others.
    client : distributed.Client, optional
        Whose cluster computes. By default it is the current client, and without one the scheduler in this process.
    n_threads : int, optional
        Number of threads of a task. By default the tasks of a worker share its own number of threads.
    verbose : int, default=0
        1 tells how far a call has come.

    Attributes
    ----------
    best_k_ : int
        The k with the highest mean accuracy. Among accuracies that are equal up to rounding, the earlier metric wins,
        then the earlier k.
    best_metric_ : str
        Its metric.
    best_score_ : float
        Its mean accuracy.
    best_estimator_ : DaskKNN
        Fitted on all data with these.
    best_params_ : dict
        The best "k" and "metric".
    best_index_ : int
        Their place in `cv_results_`.
    cv_scores_ : ndarray of shape (n_metrics, n_ks, n_folds)
        Accuracies on the folds.
    cv_results_ : dict of str to array
        The same as that of `KNNCV`.
    n_splits_ : int
        Number of folds.
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`; only where X is a data frame whose names are all strings.

    See Also
    --------
    fastclf.KNNCV : The same on one machine; the faster one as long as the rows fit there.
    fastclf.dask.DaskKNN : The classifier alone.

    Notes
    -----
    The best score is the best of many, so it is too high as an estimate: for the accuracy of the choice, test it on
    data that had no part in `fit`.

    X is loaded and indexed once for each metric, and once more for `best_estimator_`. A chunk has an index for each
    fold, all of which a search goes through, so that a few folds take much less time than many.

    The client holds the labels, and some 50 bytes for each row. Memory of a worker is that of `DaskKNN`.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclf.dask import DaskKNNCV
    >>> X = da.from_array([[0, 0], [0, 1], [1, 0], [9, 9], [9, 8], [8, 9]], chunks=(4, 2))
    >>> model = DaskKNNCV(ks=(1, 3), cv=3).fit(X, ["left"] * 3 + ["right"] * 3)
    >>> model.best_params_, model.cv_scores_.shape
    ({'k': 1, 'metric': 'l1'}, (2, 2, 3))
    >>> model.predict([[8, 8]])
    array(['right'], dtype='<U5')
    """

    def __init__(
        self,
        ks: Sequence[int] = (1, 3, 5, 7),
        *,
        metrics: Sequence[Metric] = ("l1", "l2"),
        cv: Any = 5,
        weights: Weights = "uniform",
        client: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.ks = ks
        self.metrics = metrics
        self.cv = cv
        self.weights = weights
        self.client = client
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Score every k and metric on every fold; index all data for the best.

        Parameters
        ----------
        X : Dask array or data frame of shape (n_samples, n_features)
            Rows in chunks, of any dtype that `knn` takes.
        y : Dask array or series, or array-like, of shape (n_samples,)
            Classes: integers, strings, bools or other sortable labels. In chunks, or in memory.
        groups : Dask array or series, or array-like, of shape (n_samples,), optional
            Groups of rows, for splitters that keep them together.

        Returns
        -------
        DaskKNNCV
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described, a k is more than the rows of a training part, or `cv` makes
            other parts than described; the model is left as it was.
        RuntimeError
            If no worker is left.
        """
        ks, metrics = self._checked_choices()
        n_threads = None if self.n_threads is None else threads.checked(self.n_threads)
        with estimators.unchanged_if_it_fails(self):
            collections.check_rows(self, X, reset=True)
            engine = Engine(self.client)
            chunks, tests = self._parted(engine, X, y, groups, max(ks))
            trials = Trials(engine, chunks, ks, self.weights, len(tests), n_threads, self.verbose)
            self._begin(ks, metrics, len(tests))
            for i, metric in enumerate(metrics):
                self.cv_scores_[i] = trials.hits(X, int(self.n_features_in_), metric) / tests
                self._is_best(i)
            self._tell_results()
            best = DaskKNN(
                self.best_k_,
                metric=self.best_metric_,
                weights=self.weights,
                client=self.client,
                n_threads=n_threads,
                verbose=self.verbose,
            )
            self.best_estimator_ = best.fit(X, y)
        return self

    def predict(self, X: Any) -> Any:
        """Predict the class of each row, as the best model does.

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
            As `DaskKNN.predict` does.
        """
        return self._best.predict(X)

    def predict_proba(self, X: Any) -> Any:
        """Share of the votes that each class has, as of the best model.

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
            As `DaskKNN.predict_proba` does.
        """
        return self._best.predict_proba(X)

    def kneighbors(self, X: Any, k: int | None = None, return_distance: bool = True) -> Any:
        """Find the nearest rows, as the best model does.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_queries, n_features)
            Queries.
        k : int, optional
            Number of neighbours; by default the best.
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
        TypeError, ValueError, RuntimeError
            As `DaskKNN.kneighbors` does.
        """
        return self._best.kneighbors(X, k, return_distance)

    @property
    def classes_(self) -> NDArray[Any]:
        """The class labels, sorted."""
        return self._best.classes_

    @property
    def _best(self) -> DaskKNN:
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    def _parted(self, engine: Engine, X: Any, y: Any, groups: Any, most: int) -> tuple[Chunks, NDArray[np.int64]]:
        """Return what is known of each chunk, and how many rows each fold tests; `most` neighbours have to be there."""
        blocks = enumerate(collections.blocks_beside(X, y, "y"))
        found = engine.compute([task("knn-classes", work.own_classes, block, i) for i, block in blocks], "labels")
        heights = [len(codes) for _, codes in found]
        if not sum(heights):
            raise ValueError("X has no rows: at least one is needed")
        classes = all_classes(None, [own for own, _ in found if own is not None])
        codes = [codes_among(classes, own)[codes] if len(codes) else codes for own, codes in found]
        together = None if groups is None else _gathered(engine, X, groups, heights)
        labels = classes[np.concatenate(codes)]
        folds = folds_of(self.cv, np.zeros(len(labels)), labels, together)
        tested_by = groups_of(folds, len(labels))
        if tested_by is None:
            raise ValueError(
                f"cv must test each row at most once, and train on all rows that it does not test, as KFold, "
                f"StratifiedKFold and GroupKFold do, got {self.cv!r}"
            )
        smallest = min(fold.n_train for fold in folds)
        check.neighbor_count(most, smallest, "the rows of the smallest training part", "the largest of ks")
        of_chunks = np.split(tested_by, np.cumsum(heights)[:-1])
        return Chunks(codes, of_chunks, len(classes)), np.array([len(fold.test) for fold in folds])


def _gathered(engine: Engine, X: Any, groups: Any, heights: list[int]) -> NDArray[Any]:
    """Return the groups of all rows."""
    blocks = collections.blocks_beside(X, groups, "groups")
    found = engine.compute([task("knn-groups", work.groups_in, block) for block in blocks], "groups")
    for i, (of_chunk, height) in enumerate(zip(found, heights, strict=True)):
        if len(of_chunk) != height:
            raise ValueError(f"groups has {len(of_chunk)} entries, but X has {height} rows (in chunk {i} of X)")
    return np.concatenate([of_chunk for of_chunk in found if len(of_chunk)])
