"""The k-nearest-neighbours classifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from fastclf import _native
from fastclf._shared import estimators, threads
from fastclf._shared import validation as check
from fastclf._shared.growing import GrowingArray
from fastclf._shared.parameters import flag
from fastclf._shared.types import Metric
from fastclf.neighbors.backends import registry
from fastclf.neighbors.backends.protocol import Wanted
from fastclf.neighbors.ballots import Ballot, ballots, row_masses
from fastclf.neighbors.lookups import Lookups
from fastclf.neighbors.memory import Memory
from fastclf.neighbors.voting import Weights, check_weights_by


class KNN(Lookups):
    """Classifier by a vote of the k nearest neighbours, exact and fast; approximate where a recall is asked for.

    Fitting remembers the rows. From large data it also learns what makes searching fast. Predicting finds the `k`
    nearest rows of each query and takes the class that most of them have.

    Parameters
    ----------
    k : int, default=5
        Number of neighbours.
    metric : {"l1", "l2", "cosine", ...}, default="l2"
        Distance, as `pairwise_distances` defines it. With "inner_product", which is none, the nearest rows are those
        with the largest products, and a row need not be its own nearest.
    weights : {"uniform", "distance"} or callable, default="uniform"
        Weight of a neighbour's vote. "uniform": 1. "distance": the inverse of its distance; if there are neighbours at
        distance 0, only these vote; it is refused with "inner_product". A function takes an array of distances and
        returns their weights: none may be negative, and those of a query may not all be 0.
    backend : {"auto", "exact", "faiss"}, default="auto"
        What finds the neighbours. "exact" compares rows by fastclf's kernels. "faiss" asks an approximate index of
        FAISS, an optional package. "auto" is "exact", or with `recall` "faiss" for many rows.
    index : str, optional
        A FAISS factory string of dense vectors, such as "HNSW32" or "IVF1024,PQ32x4fs"; by default one is chosen. Only
        for ``backend="faiss"``.
    recall : float, optional
        Share of the true neighbours that ``backend="faiss"`` is to find, in (0, 1]; 0.95 by default. `fit` holds out up
        to 1000 rows and sets how hard the index is searched, so that it finds this share of their neighbours.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.
    verbose : int, default=0
        1 shows how far the building of an index has come.
    copy : bool, default=True
        False keeps X itself, if it is in C order and of a dtype that `knn` reads as it is: a file that `numpy.load`
        maps into memory stays on the disk. X must not change while the model is in use.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted, in the dtype that NumPy has for those given.
    n_samples_fit_ : int
        Number of rows remembered.
    recall_ : float
        Share of the true neighbours that are found. It is 1 for exact search. For an approximate index it was measured
        when the index was last built, for the `k` of `fit`. Rows as near as the k-th true neighbour count.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`; only where X has names that are all strings.

    See Also
    --------
    knn : The search alone, as a function.
    fastclf.sklearn.KNeighborsClassifier : The same votes with scikit-learn's parameters.

    Notes
    -----
    This class is for new programs. `fastclf.sklearn` serves programs that are written for scikit-learn's neighbours,
    and packages that take such a class as a part (SMOTE, a pipeline of graphs).

    Neighbours are ordered by (exact distance, row): among equal distances the lower row comes first. Among classes with
    equally many votes the smallest wins. Answers do not depend on the number of threads, on the other rows of a call,
    on the order of features, or on the processor. The one exception is which rows an approximate index finds; their
    distances and their order are the same.

    The model owns a copy of X, of the dtype that `knn` describes: uint8 and int8 stay one byte a value, float16 and
    bfloat16 two. With ``copy=False`` sketches or a tree are made in one pass over X, and kept in memory; a search then
    reads the rows that it has to compare. Rows that hold nothing but bytes are still kept as bytes, and `partial_fit`
    and `remove` copy the rows. A pickle holds all rows.

    `k`, `weights` and `n_threads` may be changed on a fitted model; the other parameters take effect in `fit`. A fitted
    model may be used from several threads at once.

    From a thousand rows on, `fit` puts the rows into a tree if a sample shows that searches look into a part of it
    only. Else, from some millions of values on (tens of millions, if they are bytes), it learns short sketches of the
    rows. By either a search proves most rows too far to be compared; `explain` tells about them. The answer is the same
    to the bit with and without. Sketches and trees are at most half as large as the rows; a tree of rows of few bytes
    takes 8 bytes a row more. Learning takes up to some 300 MiB for a while; making a tree takes 8 bytes a row (16 for
    cosine).

    Without `index`, FAISS builds inverted lists of product-quantised vectors: half a byte for one, two or four
    features. If these do not reach the recall, the lists hold the vectors as they are. With fewer than 8192 rows it
    builds a flat index; with fewer than 256 none, and all rows are compared. The rows that an index proposes are
    compared in full. So are rows added by `partial_fit`, until they are a thirty-second of all. Distances that FAISS
    does not have (L1 of compressed vectors) are approached by L2. Where `k` is more than a sixteenth of the rows, all
    are compared. An index made with threads may differ a little each time.

    Memory of a prediction, beside its result: some 40 bytes for each neighbour of a block of 262 144; a block of
    queries and their sketches (2**23 values or 1024 queries, whichever is more; 2 bytes a value for bytes, 14 for
    float64); 1 MiB; 4 MiB a thread (and 24 bytes for each of `k` above 50 000). Where X is None, the block is all.

    Examples
    --------
    >>> from fastclf import KNN
    >>> model = KNN(k=1, metric="l1").fit([[0, 0], [0, 1], [9, 9]], ["left", "left", "right"])
    >>> model.predict([[8, 8]])
    array(['right'], dtype='<U5')
    >>> model.kneighbors([[8, 8]], return_distance=False)
    array([[2]])
    """

    def __init__(
        self,
        k: int = 5,
        *,
        metric: Metric = "l2",
        weights: Weights = "uniform",
        backend: str = "auto",
        index: str | None = None,
        recall: float | None = None,
        n_threads: int | None = None,
        verbose: int = 0,
        copy: bool = True,
    ) -> None:
        self.k = k
        self.metric = metric
        self.weights = weights
        self.backend = backend
        self.index = index
        self.recall = recall
        self.n_threads = n_threads
        self.verbose = verbose
        self.copy = copy

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Remember rows and their classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of any dtype that `knn` takes.
        y : array-like of shape (n_samples,)
            Classes: integers, strings, bools or other sortable labels.
        sample_weight : array-like of shape (n_samples,), optional
            How many rows each row stands for (see Notes); by default one. Rows of weight 0 are left out, as if they
            were not in X.

        Returns
        -------
        KNN
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.
        ImportError
            If ``backend="faiss"`` and FAISS is not installed, or its version is known not to work.

        Warns
        -----
        UserWarning
            If `recall` was given and not reached.

        Notes
        -----
        A row of weight w takes w of the `k` places among a query's neighbours, or as many as are free: predictions are
        those of w equal rows. Where all weights are below 1, as in boosting, they are taken as shares and scaled to a
        mean of 1. `kneighbors` counts each row once.
        """
        wanted = self._checked_wanted()
        with estimators.unchanged_if_it_fails(self):
            rows, owned, labels = self._checked_data(X, y, reset=True)
            owned |= not self.copy
            masses = None
            if sample_weight is not None:
                masses, kept = row_masses(sample_weight, len(rows))
                if not kept.all():
                    rows, owned, labels, masses = rows[kept], True, labels[kept], masses[kept]
            classes, codes = estimators.codes_of(labels)
            backend = registry.build(self.backend, check.metric_name(self.metric), rows, owned, wanted)
            each = None if masses is None or (masses == 1).all() else GrowingArray(masses)
            self._memory = Memory(backend, GrowingArray(codes), classes, each)
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """Append rows, in time proportional to their number (amortised); a new class costs a pass over all labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            More rows.
        y : array-like of shape (n_samples,)
            Their classes; new ones may appear at any time.
        classes : array-like, optional
            Classes to reckon with from now on, whether or not rows have them yet.

        Returns
        -------
        KNN
            The model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.
        """
        more_classes = None if classes is None else check.class_labels(classes, "classes")
        if not hasattr(self, "_memory"):
            fitted = clone(self).fit(X, y)
            fitted._memory = fitted._memory.counting(more_classes, "classes")
            self.__dict__ = fitted.__dict__
            return self
        self._checked_wanted()
        rows, _, labels = self._checked_data(X, y, reset=False)
        counted = self._memory.counting(labels, "y").counting(more_classes, "classes")
        self._memory = counted.extended(rows, labels, threads.resolve(self.n_threads))
        return self

    def remove(self, rows: ArrayLike) -> Self:
        """Forget rows, in time proportional to the number of all rows; a tree or an index is built anew.

        Parameters
        ----------
        rows : array-like of int, or of bool and shape (`n_samples_fit_`,)
            The rows: their numbers, counted from 0, or a mask. At least one row has to stay. Rows after them move up,
            as in `numpy.delete`.

        Returns
        -------
        KNN
            The model: neighbours and predictions are those of a fit to the other rows. `classes_` stays.

        Raises
        ------
        TypeError, ValueError
            If `rows` are not as described; the model is left as it was.

        Examples
        --------
        >>> from fastclf import KNN
        >>> model = KNN(k=1).fit([[0.0], [1.0], [5.0]], ["a", "b", "c"]).remove([0])
        >>> model.predict([[0.0]]).tolist(), model.n_samples_fit_
        (['b'], 2)
        """
        check_is_fitted(self, "_memory")
        kept = ~check.rows_mask(rows, self._memory.backend.n_rows, "rows")
        if not kept.any():
            raise ValueError("rows are all of the model's: at least one has to stay")
        self._memory = self._memory.keeping(kept, threads.resolve(self.n_threads))
        return self

    def predict(self, X: ArrayLike | None) -> NDArray[Any]:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or None
            Queries. None stands for the fitted rows; no row is then its own neighbour.

        Returns
        -------
        ndarray of shape (n_queries,)
            Classes, of the dtype of `classes_`.

        Raises
        ------
        TypeError, ValueError
            If X, or what `weights` returns, is not as described; if all neighbours of a query have weight zero.
        """
        queries, memory = self._queries(X), self._memory
        winners = np.empty(memory.backend.n_rows if queries is None else len(queries), dtype=np.int64)
        for at, indices, weights in self._ballots(memory, queries):
            winner = np.empty(len(indices), dtype=np.int64)
            _native.vote(memory.codes.view, indices, len(memory.classes), weights, None, winner)
            winners[at] = winner
        return memory.classes[winners]

    def predict_proba(self, X: ArrayLike | None) -> NDArray[np.float64]:
        """Share of the votes that each class has.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or None
            Queries. None stands for the fitted rows; no row is then its own neighbour.

        Returns
        -------
        ndarray of shape (n_queries, n_classes)
            Shares in the order of `classes_`; rows sum to 1.

        Raises
        ------
        TypeError, ValueError
            As `predict` does.
        """
        queries, memory = self._queries(X), self._memory
        votes = np.empty((memory.backend.n_rows if queries is None else len(queries), len(memory.classes)))
        for at, indices, weights in self._ballots(memory, queries):
            of_classes = np.empty((len(indices), len(memory.classes)))
            _native.vote(memory.codes.view, indices, len(memory.classes), weights, of_classes, None)
            votes[at] = of_classes
        votes /= votes.sum(axis=1, keepdims=True)
        return votes

    @property
    def classes_(self) -> NDArray[Any]:
        """The class labels, sorted."""
        check_is_fitted(self, "_memory")
        return self._memory.classes

    def _checked_wanted(self) -> Wanted:
        """Check the parameters that need no data; what a backend is to be built for."""
        check_weights_by(check.metric_name(self.metric), self.weights)
        k = check.neighbor_count(self.k)
        verbose = check.at_least(self.verbose, 0, "verbose")
        flag(self.copy, "copy")
        registry.checked(self.backend, self.index, self.recall)
        return Wanted(k, threads.resolve(self.n_threads), self.index, self.recall, verbose)

    def _checked_data(self, X: ArrayLike, y: ArrayLike, reset: bool) -> tuple[NDArray[Any], bool, NDArray[Any]]:
        """Rows for the kernels, whether they are a fresh copy, and labels."""
        array, labels = estimators.checked_data(self, X, y, reset)
        return *estimators.rows_to_keep(array), estimators.checked_classes(labels)

    def _ballots(self, memory: Memory, queries: NDArray[Any] | None) -> Iterator[Ballot]:
        check_weights_by(memory.backend.metric, self.weights)
        return ballots(memory, queries, self.k, self.weights, threads.resolve(self.n_threads))
