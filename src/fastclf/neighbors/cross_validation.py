"""The choice of k and the metric by cross-validation: one search serves every k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import estimators, progress, threads
from fastclf._shared import validation as check
from fastclf._shared.types import Metric
from fastclf.neighbors.classifier import KNN
from fastclf.neighbors.folds import Choices, Scorer, folds_of
from fastclf.neighbors.scoring import AllScores, Scoring, scorer_of
from fastclf.neighbors.selection import Selection
from fastclf.neighbors.voting import Weights

# What `scoring` says for the accuracy, which takes no scorer.
_ACCURACY = (None, "accuracy")


class KNNCV(Selection, estimators.Classifier):
    """k-nearest-neighbours classifier that chooses k and the metric by cross-validation.

    Each k, metric and fold gets a score: that of a `KNN`, fitted on the other folds, on this fold. It is the accuracy,
    or what `scoring` says. The k and metric with the best mean are fitted on all data. One search serves every k. It
    looks for each fold's test rows among its training rows. Where that is likely to be less work, it looks for all rows
    among all instead; only neighbours in a fold's training part then count.

    Parameters
    ----------
    ks : sequence of int, default=(1, 3, 5, 7)
        Numbers of neighbours to try.
    metrics : sequence of str, default=("l1", "l2")
        Metrics to try, as `KNN` names them.
    cv : int, cross-validation generator or iterable, default=5
        The folds: a number of stratified folds; any of scikit-learn's splitters; or pairs of arrays of row numbers,
        training and test, counted from 0.
    weights : {"uniform", "distance"} or callable, default="uniform"
        Weight of a neighbour's vote, as in `KNN`. A function is given rows of several folds at a time: the weights of
        a row must not depend on the others.
    scoring : str or callable, optional
        One of scikit-learn's scorers, such as "f1_macro" or "neg_log_loss"; or a function of a model and two arrays,
        rows and labels. By default the accuracy.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.
    verbose : int, default=0
        1 shows how many tests are done. A search that compares each pair of rows once tells it at its end.

    Attributes
    ----------
    best_k_ : int
        The k with the highest mean score. Among scores that are equal up to rounding, the earlier metric wins, then
        the earlier k.
    best_metric_ : str
        Its metric.
    best_score_ : float
        Its mean score.
    best_estimator_ : KNN
        Fitted on all data with these.
    best_params_ : dict
        The best "k" and "metric".
    best_index_ : int
        Their place in `cv_results_`.
    cv_scores_ : ndarray of shape (n_metrics, n_ks, n_folds)
        Scores on the folds.
    cv_results_ : dict of str to array
        The same as that of `sklearn.model_selection.GridSearchCV` for ``KNN`` and a grid of "k" and "metric": "params",
        "param_k", "param_metric", "split0_test_score", ..., "mean_test_score", "std_test_score", "rank_test_score". It
        has no times: one search serves all k.
    n_splits_ : int
        Number of folds.
    scorer_ : callable
        The scorer, as a function of a model, rows and labels.
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`; only where X has names that are all strings.

    See Also
    --------
    KNN : The classifier alone.
    sklearn.model_selection.GridSearchCV : The same for any classifier, with a fit and a search for each score.

    Notes
    -----
    Scores are as if each were from a fit of its own: neighbours, ties and votes are those of `KNN`, with the training
    rows in their order in X. The best score is the best of many, so it is too high as an estimate: for the accuracy of
    the choice, test it on data that had no part in `fit`.

    Where each row is tested in one fold and trained on in all others, a search may compare each pair of rows once, for
    both of them. It does so if that is less work and needs no more memory than said here, and if no tree or sketches
    are faster.

    Memory beside that of two models:

    - a search that compares each pair once: at most 96 MiB;
    - any other search: a training part, and some 50 bytes for each neighbour of a block of a million;
    - for all folds: one byte for each k and test;
    - for each fold: 8 bytes for each test and each row left out (or each row trained on, where those are fewer or come
      more than once).

    With `scoring`, each training part is searched by itself, and all neighbours of a fold's tests are held, 16 bytes
    each.

    Examples
    --------
    >>> from fastclf import KNNCV
    >>> from fastclf.datasets import digits
    >>> data = digits()
    >>> model = KNNCV(ks=(1, 3, 5), metrics=("l2",)).fit(data.X_train, data.y_train)
    >>> model.best_metric_, model.cv_scores_.shape
    ('l2', (1, 3, 5))
    >>> bool(model.score(data.X_test, data.y_test) > 0.97)
    True
    """

    def __init__(
        self,
        ks: Sequence[int] = (1, 3, 5, 7),
        *,
        metrics: Sequence[Metric] = ("l1", "l2"),
        cv: Any = 5,
        weights: Weights = "uniform",
        scoring: Scoring | None = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.ks = ks
        self.metrics = metrics
        self.cv = cv
        self.weights = weights
        self.scoring = scoring
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Score every k and metric on every fold; fit all data with the best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of any dtype that `knn` takes.
        y : array-like of shape (n_samples,)
            Classes: integers, strings, bools or other sortable labels.
        groups : array-like of shape (n_samples,), optional
            Groups of rows, for splitters that keep them together.

        Returns
        -------
        KNNCV
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described, or a k is more than the rows of a training part; the model
            is left as it was.
        """
        ks, metrics = self._checked_choices()
        n_threads = threads.resolve(self.n_threads)
        with estimators.unchanged_if_it_fails(self):
            self.scorer_ = scorer_of(self.scoring, KNN())
            rows, labels = estimators.checked_data(self, X, y, reset=True)
            labels = estimators.checked_classes(labels)
            classes, codes = estimators.codes_of(labels)
            folds = folds_of(self.cv, X, labels, None if groups is None else check.labels_array(groups, "groups"))
            smallest = min(fold.n_train for fold in folds)
            check.neighbor_count(max(ks), smallest, "the rows of the smallest training part", "the largest of ks")
            tests = len(metrics) * sum(len(fold.test) for fold in folds)
            choices = Choices(ks, self.weights, codes, len(classes))
            by_scorer = AllScores(self.scorer_, ks, self.weights, self.n_threads)
            self._begin(ks, metrics, len(folds))
            with progress.amount("cross-validation", self.verbose, tests) as tell:
                for i, (metric, scores) in enumerate(zip(metrics, self.cv_scores_, strict=True)):
                    model = KNN(max(ks), metric=metric, weights=self.weights, n_threads=self.n_threads).fit(X, labels)
                    if self.scoring in _ACCURACY:
                        scores[:] = Scorer(model, choices, n_threads).scores(folds, tell)
                    else:
                        scores[:] = by_scorer.scores(metric, rows, labels, folds, tell)
                    if self._is_best(i):
                        model.k, self.best_estimator_ = self.best_k_, model
            self._tell_results()
        return self

    def predict(self, X: ArrayLike | None) -> NDArray[Any]:
        """Predict the class of each row, as the best model does.

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
            As `KNN.predict` does.
        """
        return self._best.predict(X)

    def predict_proba(self, X: ArrayLike | None) -> NDArray[np.float64]:
        """Share of the votes that each class has, as of the best model.

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
            As `KNN.predict_proba` does.
        """
        return self._best.predict_proba(X)

    def kneighbors(
        self, X: ArrayLike | None = None, k: int | None = None, return_distance: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | NDArray[np.int64]:
        """Find the nearest rows, as the best model does.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), optional
            Queries. Without them the fitted rows are the queries, and none is its own neighbour.
        k : int, optional
            Number of neighbours; by default the best.
        return_distance : bool, default=True
            Whether to return the distances.

        Returns
        -------
        distances : ndarray of shape (n_queries, k), float64
            Distances, nearest first; only with `return_distance`.
        indices : ndarray of shape (n_queries, k), int64
            Rows of the fitted data; among equal distances the lower comes first.

        Raises
        ------
        TypeError, ValueError
            As `KNN.kneighbors` does.
        """
        return self._best.kneighbors(X, k, return_distance)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the score of the best model, as `scoring` says.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows; for the accuracy, None stands for those fitted, each left out of its own neighbours.
        y : array-like of shape (n_queries,)
            Their true classes.
        sample_weight : array-like of shape (n_queries,), optional
            Weights of the rows, if the scorer takes such.

        Returns
        -------
        float
            The score.

        Raises
        ------
        TypeError, ValueError
            If X, y or `sample_weight` is not as described, or the scorer does not take them.
        """
        if self.scoring in _ACCURACY:
            return super().score(X, y, sample_weight)
        options = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(scorer_of(self.scoring, self._best)(self._best, X, y, **options))

    @property
    def classes_(self) -> NDArray[Any]:
        """The class labels, sorted."""
        return self._best.classes_

    @property
    def _score_name(self) -> str | None:
        if self.scoring in _ACCURACY:
            return None
        return self.scoring if isinstance(self.scoring, str) else "score"

    @property
    def _best(self) -> KNN:
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_
