"""The linear classifier whose rows lie in the memory of several machines."""

from __future__ import annotations

import copy
import warnings
from typing import Any, NamedTuple, Self

import numpy as np
from dask.delayed import Delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import estimators, threads
from fastclf._shared import labels as _labels
from fastclf._shared import validation as check
from fastclf._shared.class_weights import class_factors
from fastclf._shared.parameters import margins
from fastclf.dask import _collections as collections
from fastclf.dask import _linear_parts as work
from fastclf.dask._engine import Engine, own_threads, task
from fastclf.dask._linear_objective import PlacedLbfgs, PlacedObjective, PlacedRows, Places
from fastclf.dask._scoring import LazyScore
from fastclf.linear import fitting
from fastclf.linear.inputs import Labels, Options, batch_of, check_total, middle_numbers, rows_of
from fastclf.linear.prediction import LinearPredictor, has_probabilities

Array = NDArray[np.float64]

SOLVERS = ("auto", "lbfgs")


class Agreed(NamedTuple):
    """What chunks of rows say together; `weighed` and `total` are sums of their facts."""

    labels: Labels  # of no rows
    weighed: Array
    total: float
    codes: list[NDArray[np.int64] | None]


class DaskLinearClassifier(LazyScore, LinearPredictor):
    r"""Linear classifier, trained to the optimum on rows that are spread over a Dask cluster.

    W and b minimise what `LinearClassifier` minimises,

    .. math:: J(W, b) = \frac{\sum_i w_i \, \mathrm{loss}(f(x_i), y_i)}{\sum_i w_i} + l_2 \sum_{c, k} W_{ck}^2 .

    A step sends the weights to all chunks of rows, and adds up their losses and gradients.

    Parameters
    ----------
    loss : {"softmax", "hinge", "squared_hinge", "crammer_singer", "mse", "softmax_mse", "sigmoid"}, default="softmax"
        As of `LinearClassifier`.
    l2 : float, default=1e-4
        Weight of the penalty, at least 0. Intercepts are not penalised.
    margin : float or array-like of shape (n_classes, n_classes), default=1.0
        Margin of the hinges.
    fit_intercept : bool, default=True
        Whether there is a b.
    solver : {"auto", "lbfgs"}, default="auto"
        Both are "lbfgs", which learns the curvature from a sample of all rows.
    max_iter : int, default=1000
        The most iterations; each is about one pass over the rows.
    tol : float, default=1e-4
        How far J may be above its least value when a fit ends, as a fraction of J (or of a thousandth of J at W = 0, if
        that is more).
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    random_state : int, RandomState instance or None, default=None
        Draws the rows that the curvature is learned from.
    client : distributed.Client, optional
        Whose cluster computes. By default it is the current client, and without one the scheduler in this process.
    n_threads : int, optional
        Number of threads of a task. By default the tasks of a worker share its own number of threads.
    verbose : int, default=0
        Whether to tell on stderr how far `fit` is.
    warm_start : bool, default=False
        Whether `fit` begins at the weights of the fit before, if they have the same classes and features.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted; of an indicator `y`, the numbers of its columns.
    coef_ : ndarray of shape (n_classes, n_features)
        W, float64.
    intercept_ : ndarray of shape (n_classes,)
        b; 0 without `fit_intercept`.
    n_iter_ : int
        Iterations made.
    converged_ : bool
        Whether J is as near to its least value as `tol` says, by the curvature of all rows where the fit ended; for
        hinges an estimate, no proof. False also where that cannot be told.
    objective_ : float
        J of `coef_` and `intercept_`, computed in float64.
    loss_curve_ : ndarray of shape (`n_iter_`,)
        J after each iteration.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`; only where X is a data frame whose names are all strings.

    See Also
    --------
    fastclf.LinearClassifier : The same on one machine; the faster one as long as the rows fit there.
    fastclf.shards.loss_and_gradient : The sums that are added up, for other engines.

    Notes
    -----
    Sums of chunks are added in the order of the chunks, so that the result does not depend on the number of workers, or
    on which finishes first. Other chunks round otherwise, and so may end elsewhere within `tol`.

    Chunks of uint8, float32 or float64 are not copied; the worker holds them, in its memory, until the fit ends. Beside
    them a task takes some MiB and copies of the gradient, which has n_classes * n_features float64; hinges take the
    scores of some MiB of rows at a time. The client holds what `LinearClassifier` holds beside X with "lbfgs".

    How near the optimum is, is known as `LinearClassifier` knows it of problems too large for "newton": by conjugate
    gradients, and of hinges, also squared ones, as an estimate. Where rows with values that stand out bend J only on
    the way to the optimum, `LinearClassifier` sets them aside to prove how near it is. Here that stays unknown, and
    `converged_` is False.

    Dense rows are taken. A worker that dies is made up for by Dask, as `DaskKNN` says.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastclf.dask import DaskLinearClassifier
    >>> X = da.from_array([[0, 0], [0, 1], [9, 9]], chunks=(2, 2))
    >>> model = DaskLinearClassifier().fit(X, ["left", "left", "right"])
    >>> model.predict([[8, 8], [1, 0]])
    array(['right', 'left'], dtype='<U5')
    """

    def __init__(
        self,
        loss: str = "softmax",
        *,
        l2: float = 1e-4,
        margin: float | ArrayLike = 1.0,
        fit_intercept: bool = True,
        solver: str = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        class_weight: Any = None,
        random_state: Any = None,
        client: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
        warm_start: bool = False,
    ) -> None:
        self.loss = loss
        self.l2 = l2
        self.margin = margin
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.random_state = random_state
        self.client = client
        self.n_threads = n_threads
        self.verbose = verbose
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Find the weights that minimise J.

        Parameters
        ----------
        X : Dask array or data frame of shape (n_samples, n_features)
            Rows in chunks, dense and finite.
        y : Dask array or series, or array-like, of shape (n_samples,), or with ``loss="sigmoid"`` (n_samples, n_labels)
            Classes, or an indicator of 0 and 1 for each of several labels. In chunks, or in memory.
        sample_weight : Dask array or array-like of shape (n_samples,), optional
            Weights of the rows, not negative.

        Returns
        -------
        DaskLinearClassifier
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.
        RuntimeError
            If no worker is left.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If J may still be further from the optimum than `tol` says.
        """
        check.one_of(self.solver, SOLVERS, "solver")
        options = Options.of(self)
        with estimators.unchanged_if_it_fails(self):
            collections.check_rows(self, X, reset=True)
            objective, labels = self._placed(X, y, sample_weight, options)
            W, b = self._start(options.warm_start, labels.classes, objective.rows.centre)
            found = fitting.fit(objective, W, b, self.loss, options, PlacedLbfgs(options.rng))
        self._keep(labels, found.W, found.intercept, found.width)
        self.n_iter_, self.converged_, self.objective_ = len(found.curve), found.converged, found.value
        self.loss_curve_ = np.array(found.curve)
        if not found.converged:
            warnings.warn(found.complaint, ConvergenceWarning, stacklevel=2)
        return self

    def decision_function(self, X: Any) -> Any:
        """Compute scores, in float64.

        Parameters
        ----------
        X : Dask array or data frame, or array-like or sparse matrix, of shape (n_queries, n_features)
            Rows.

        Returns
        -------
        array of shape (n_queries, n_classes), or (n_queries,) of two classes
            Scores, as of `LinearClassifier`. A lazy Dask array for Dask collections, else a NumPy array.

        Raises
        ------
        TypeError, ValueError
            If X is not as described. What is wrong in a lazy X is told when it is computed.
        """
        if not collections.is_lazy(X):
            return super().decision_function(X)
        return self._lazily(X, "decision_function", np.float64, two_are_one=True)

    def predict(self, X: Any) -> Any:
        """Predict the class of each row.

        Parameters
        ----------
        X : Dask array or data frame, or array-like or sparse matrix, of shape (n_queries, n_features)
            Rows.

        Returns
        -------
        array of shape (n_queries,), or (n_queries, n_labels) of indicators
            Classes, as of `LinearClassifier`. A lazy Dask array for Dask collections, else a NumPy array.

        Raises
        ------
        TypeError, ValueError
            As `decision_function` does.
        """
        if not collections.is_lazy(X):
            return super().predict(X)
        check_is_fitted(self, "coef_")
        if self._labels_are_indicators:
            return self._lazily(X, "predict", np.int64)
        return self._lazily(X, "predict", self.classes_.dtype, of_rows=True)

    @available_if(has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Compute probabilities of the classes, of the losses that define them.

        Parameters
        ----------
        X : Dask array or data frame, or array-like or sparse matrix, of shape (n_queries, n_features)
            Rows.

        Returns
        -------
        array of shape (n_queries, n_classes)
            Probabilities, as of `LinearClassifier`. A lazy Dask array for Dask collections, else a NumPy array.

        Raises
        ------
        AttributeError
            If the loss defines no probabilities.
        TypeError, ValueError
            As `decision_function` does; or if `loss` was set after the fit.
        """
        return self._lazily(X, "predict_proba") if collections.is_lazy(X) else super().predict_proba(X)

    @available_if(has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Any:
        """Compute the logarithms of `predict_proba`.

        Parameters
        ----------
        X : Dask array or data frame, or array-like or sparse matrix, of shape (n_queries, n_features)
            Rows.

        Returns
        -------
        array of shape (n_queries, n_classes)
            Logarithms. A lazy Dask array for Dask collections, else a NumPy array.

        Raises
        ------
        AttributeError, TypeError, ValueError
            As `predict_proba` does.
        """
        return self._lazily(X, "predict_log_proba") if collections.is_lazy(X) else super().predict_log_proba(X)

    def _lazily(
        self, X: Any, name: str, dtype: Any = np.float64, *, of_rows: bool = False, two_are_one: bool = False
    ) -> Any:
        """Return what a method gives for each chunk: of each row one value, or one for each class."""
        check_is_fitted(self, "coef_")
        collections.check_rows(self, X, reset=False)
        classes = len(self.classes_)
        flat = of_rows or (two_are_one and classes == 2 and not self._labels_are_indicators)
        local = copy.copy(self)
        local.client = None  # it stays where it is
        tasks = [task("linear-predict", _predicted, local, name, block) for block in collections.blocks(X)]
        return collections.array_of(tasks, X, X, () if flat else (classes,), np.dtype(dtype))

    def _placed(self, X: Any, y: Any, sample_weight: Any, options: Options) -> tuple[PlacedObjective, Labels]:
        """Have the chunks checked where they lie; return the objective of all."""
        engine = Engine(self.client)
        of_X, of_y = collections.blocks(X), collections.blocks_beside(X, y, "y")
        weights = [None] * len(of_X)
        if sample_weight is not None:
            weights = collections.blocks_beside(X, sample_weight, "sample_weight")
        each = enumerate(zip(of_X, of_y, weights, strict=True))
        chunks = engine.persist([task("linear-chunk", work.chunk_of, *parts, i, self.loss) for i, parts in each])
        facts = engine.compute([task("linear-facts", work.facts_of, chunk) for chunk in chunks], "checking chunks")
        there = [i for i, fact in enumerate(facts) if fact.n_rows]
        agreed = self._agreed([facts[i] for i in there])
        heights = tuple(facts[i].n_rows for i in there)
        places = Places(engine, tuple(chunks[i] for i in there), heights, self.n_threads)
        return self._objective(places, agreed, any(facts[i].is_float64 for i in there), options), agreed.labels

    def _agreed(self, facts: list[work.Facts]) -> Agreed:
        """Return what the facts of chunks that have rows come to."""
        if not facts:
            raise ValueError("X has no rows: at least one is needed")
        first = facts[0]
        for fact in facts:
            if fact.n_features != self.n_features_in_:
                raise ValueError(f"X has {self.n_features_in_} features, but a chunk of it has {fact.n_features}")
            if fact.is_indicator != first.is_indicator or (
                fact.is_indicator and len(fact.classes) != len(first.classes)
            ):
                raise ValueError("y has several labels a row in some chunks, and other numbers of them in others")
        total = float(sum(fact.total for fact in facts))
        if first.is_indicator:
            weighed: Array = np.sum([fact.weighed for fact in facts], axis=0)
            return Agreed(
                Labels(first.classes, indicator=np.empty((0, len(weighed)), np.uint8)),
                weighed,
                total,
                [None] * len(facts),
            )
        classes = first.classes
        for fact in facts[1:]:
            classes = _labels.joined(classes, fact.classes, "y")
        if len(classes) < 2:
            raise ValueError(f"y has only one class, {classes.tolist()}: at least 2 classes are needed")
        codes = [np.searchsorted(classes, fact.classes.astype(classes.dtype, copy=False)) for fact in facts]
        weighed = np.zeros(len(classes))
        for of_chunk, fact in zip(codes, facts, strict=True):
            weighed[of_chunk] += fact.weighed
        return Agreed(Labels(classes, np.empty(0, np.int64)), weighed, total, list(codes))

    def _objective(self, places: Places, agreed: Agreed, in_float64: bool, options: Options) -> PlacedObjective:
        """Return the objective of chunks, each of which computes its part where it lies."""
        labels, classes = agreed.labels, len(agreed.labels.classes)
        is_indicator = labels.indicator is not None
        total, factors = agreed.total, None
        if self.class_weight is not None and is_indicator:
            factors = labels.column_factors(self.class_weight, agreed.weighed / total)
        elif self.class_weight is not None:
            factors = class_factors(labels.classes, self.class_weight, agreed.weighed)
            total = float(factors @ agreed.weighed)
        check_total(total)
        margins(self.margin, classes)  # if it is wrong, it is better said here
        numbers = middle_numbers(sum(places.heights))
        middle = rows_of(np.concatenate(places.of_numbers("linear-centre", work.rows_of, numbers)), options)
        dtype = np.dtype(np.float64 if in_float64 else middle.dtype)
        scale = options.loss.share(classes) / total
        common = work.Common(
            self.loss, labels.classes, self.margin, factors, options.penalty, scale, options.fit_intercept,
            middle.centre, dtype == np.float64,
        )  # fmt: skip
        held: list[Delayed] = places.engine.persist(
            [
                task("linear-part", work.objective_of, chunk, common, codes)
                for chunk, codes in zip(places.parts, agreed.codes, strict=True)
            ]
        )
        rows: Any = PlacedRows(places._replace(parts=tuple(held)), middle.centre, dtype, options.n_threads)
        template = batch_of(
            rows, options.loss, Labels(labels.classes), self.margin, None, factors if is_indicator else None
        )
        return PlacedObjective(rows, options.loss, template, options.penalty, scale, options.fit_intercept)


def _predicted(model: DaskLinearClassifier, name: str, X: Any) -> Any:
    """Return what a method says of a chunk; it runs on a worker."""
    model = copy.copy(model)
    model.n_threads = threads.resolve(own_threads(model.n_threads))
    return getattr(model, name)(X)
