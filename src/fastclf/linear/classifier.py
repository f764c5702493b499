"""The linear classifier."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from fastclf import _estimators
from fastclf import _validation as check
from fastclf.linear import fitting
from fastclf.linear.certificate import duality_gap
from fastclf.linear.inputs import Labels, Options, kernel_rows, objective_of, rows_of
from fastclf.linear.losses import LOSSES
from fastclf.linear.prediction import LinearPredictor


class LinearClassifier(LinearPredictor):
    r"""Linear classifier, trained to the optimum: softmax regression, multiclass SVMs, regression on labels.

    Scores are :math:`f(x) = W x + b`; the class with the largest score is predicted. W and b minimise

    .. math:: J(W, b) = \frac{\sum_i w_i \, \mathrm{loss}(f(x_i), y_i)}{\sum_i w_i} + l_2 \sum_{c, k} W_{ck}^2 ,

    with the losses of `fastclf.losses` (those that are sums over scores, as means over the classes).

    Parameters
    ----------
    loss : {"softmax", "hinge", "squared_hinge", "crammer_singer", "mse", "softmax_mse", "sigmoid"}, default="softmax"
        Cross-entropy of the softmax; the multiclass SVM of Weston and Watkins, or with squared terms; Crammer and
        Singer's; the squared error of the scores, or of their softmax, on one-hot labels; the logistic loss of each
        class for itself, which takes several labels a row as well (a two-dimensional indicator `y`).
    l2 : float, default=1e-4
        Weight of the penalty, at least 0. Intercepts are not penalised. scikit-learn's LogisticRegression has
        the same optimum with ``C = 1 / (2 * l2 * S)`` for three classes or more. For two classes it is ``C = 1 / (l2 *
        S)``, and its weights are the difference of the two rows here. S is the sum of the rows' weights, those of
        their classes included; without weights, ``n_samples``.
    margin : float or array-like of shape (n_classes, n_classes), default=1.0
        The hinges' margin: one, or one for each true class (row) and other class (column), in the order of `classes_`.
    fit_intercept : bool, default=True
        Whether there is a b.
    solver : {"auto", "lbfgs", "newton", "sgd"}, default="auto"
        "newton" computes the whole Hessian, of few weights; "lbfgs" learns the curvature from a sample of the rows and
        corrects it; "sgd" makes steps on mini-batches. "auto" takes "newton" for problems so small that it is the
        faster, else "lbfgs".
    max_iter : int, default=1000
        The most iterations of `fit`: passes over the rows, about.
    tol : float, default=1e-4
        How far J may be above its least value when a fit ends, in parts of J (or of a thousandth of J at W = 0, if that
        is more).
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes all classes count the same.
    random_state : int, RandomState instance or None, default=None
        Draws the rows whose curvature is looked at, and the order of mini-batches. The optimum does not depend on it.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.
    verbose : int, default=0
        Whether to tell on stderr how far `fit` is, with a progress bar where tqdm is installed.
    warm_start : bool, default=False
        Whether `fit` begins at the weights that there are, if they have the same classes and features.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted; of an indicator `y`, the numbers of its columns.
    coef_ : ndarray of shape (n_classes, n_features)
        W, float64: a row for each class, also of two.
    intercept_ : ndarray of shape (n_classes,)
        b; 0 without `fit_intercept`.
    n_iter_ : int
        Iterations made: steps of "lbfgs" or "newton", epochs of "sgd", calls of `partial_fit`.
    converged_ : bool
        Whether J is as near to its least value as `tol` says, by the curvature of all rows where the fit ended (see
        Notes for what is not proven); False also where that cannot be told. Only after `fit`.
    objective_ : float
        J of `coef_` and `intercept_`, computed in float64; only after `fit`.
    loss_curve_ : ndarray of shape (n_iter_,), or of `partial_fit` (n_steps,)
        J after each iteration; where the loss has kinks, of the smoothed loss of that time; of `partial_fit`, J of each
        mini-batch before the step.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features seen in `fit`; only where X has names that are all strings.

    See Also
    --------
    fastclf.losses : The losses themselves.
    KNN : The classifier that remembers the rows instead.

    Notes
    -----
    X of uint8, float32 or float64, in C order, is not copied: not when it is mapped from a file either. Solvers begin
    with sums in float32 within a block of rows (of float64: all in float64) and end in float64. Sparse matrices are not
    made dense; beside them a copy of their indices, and one of all by columns, is held. A fit holds, beyond X: with
    "lbfgs", some 70 times the weights in float64, a sample of 4000 rows or as many as there are features, and a square
    matrix of up to 6144 features; with "newton", the scores and some copies of the Hessian; with "sgd", some 40 times
    the weights.

    What `tol` compares is Newton's decrement squared where a fit ends, by the Hessian of all rows there, so that units
    and offsets of the features do not matter; rows that would bend J otherwise at the optimum are found and count in
    full. For large problems conjugate gradients find it, as well as they can see. The hinges are rounded at their
    kinks, over less and less width; what this changes J by is known, and counts; how far the rounded J is from its own
    least value is known by the Hessian for up to 2048 weights and so many rows as "auto" takes "newton" for, and
    estimated beyond. `duality_gap` proves a bound instead.
    "softmax_mse" is not convex: what is found, from W = 0, is a point where a step of Gauss and Newton's would gain no
    more.

    With fewer than two kinds of labels there is nothing to learn, and `fit` raises.

    References
    ----------
    .. [1] R. H. Byrd, P. Lu, J. Nocedal and C. Zhu, "A limited memory algorithm for bound constrained optimization",
       SIAM Journal on Scientific Computing 16, 1995.
    .. [2] Y. Nesterov, "Smooth minimization of non-smooth functions", Mathematical Programming 103, 2005.

    Examples
    --------
    >>> from fastclf import LinearClassifier
    >>> model = LinearClassifier().fit([[0, 0], [0, 1], [9, 9]], ["left", "left", "right"])
    >>> model.predict([[8, 8], [1, 0]])
    array(['right', 'left'], dtype='<U5')
    >>> model.converged_
    True
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
        self.n_threads = n_threads
        self.verbose = verbose
        self.warm_start = warm_start

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Find the weights that minimise J.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows, finite: uint8, float32 and float64 are used as they are, other dtypes as `knn` takes them.
        y : array-like of shape (n_samples,), or with ``loss="sigmoid"`` of shape (n_samples, n_labels)
            Classes: integers, strings, bools or other sortable labels; or an indicator of 0 and 1 for each of several
            labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, not negative. Twice the weight is the same as the row twice.

        Returns
        -------
        LinearClassifier
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If J may still be further from the optimum than `tol` says.
        """
        options = Options.of(self)
        with _estimators.unchanged_if_it_fails(self):
            rows, labels = self._checked_data(X, y, True)
            objective = objective_of(
                rows_of(rows, options), labels, self.margin, options, self.class_weight, sample_weight
            )
            W, b = self._start(options.warm_start, labels.classes, objective.rows.centre)
            found = fitting.fit(objective, W, b, self.loss, options)
        self.__dict__.pop("_descent", None)
        self._keep(labels, found.W, found.intercept, found.width)
        self.n_iter_, self.converged_, self.objective_ = len(found.curve), found.converged, found.value
        self.loss_curve_ = np.array(found.curve)
        if not found.converged:
            warnings.warn(found.complaint, ConvergenceWarning, stacklevel=2)
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Go once through some rows in mini-batches, in an order drawn by `random_state`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows; dense or sparse, as those of the first call.
        y : array-like of shape (n_samples,), or with ``loss="sigmoid"`` of shape (n_samples, n_labels)
            Their classes.
        classes : array-like of shape (n_classes,), optional
            All classes there will be: needed in the first call if its rows do not have them all.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows among those of this call, whatever their sum; "balanced" is of this call, too.

        Returns
        -------
        LinearClassifier
            The model, with the average of its weights over the steps, later ones counting more.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; the model is left as it was.

        Examples
        --------
        >>> from fastclf import LinearClassifier
        >>> model = LinearClassifier(random_state=0)
        >>> for _ in range(50):
        ...     model = model.partial_fit([[0], [1], [8], [9]], [0, 0, 1, 1])
        >>> model.predict([[2], [7]])
        array([0, 1])
        """
        options = Options.of(self)
        with _estimators.unchanged_if_it_fails(self):
            given = None if classes is None else check.class_labels(classes, "classes")
            known = _estimators.agreed_classes(given, getattr(self, "classes_", None))
            rows, labels = self._checked_data(X, y, not hasattr(self, "classes_"), known)
            if hasattr(self, "classes_") and (labels.indicator is not None) != self._labels_are_indicators:
                raise ValueError("y has one label a row, or several, but it was the other way before")
            begun = getattr(self, "_descent", None)
            centre = None if begun is None else begun.centre
            objective = objective_of(
                rows_of(rows, options, centre), labels, self.margin, options, self.class_weight, sample_weight
            )
            if begun is None:
                W, b = self._start(True, labels.classes, objective.rows.centre)
                begun = fitting.begin_descent(objective, W, b)
            descent, values = fitting.descend(begun, objective, options)
        if not hasattr(self, "_descent"):  # what `fit` knew of its end holds no more
            for name in ("n_iter_", "converged_", "objective_", "loss_curve_"):
                self.__dict__.pop(name, None)
        self._descent = descent
        intercept = fitting.intercept_of(objective, descent.mean_W, descent.mean_b)
        self._keep(labels, descent.mean_W, intercept, 0.0)
        self.loss_curve_ = np.concatenate([getattr(self, "loss_curve_", np.empty(0)), values])
        self.n_iter_ = getattr(self, "n_iter_", 0) + 1
        return self

    def duality_gap(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Prove a bound on how far J is above its least value.

        Parameters
        ----------
        X, y, sample_weight
            What the model was fitted on.

        Returns
        -------
        float
            J - J* is at most this, up to rounding. Infinite where no bound is known: with ``l2=0``; for "softmax_mse",
            which is not convex; and with an intercept for "mse" and "sigmoid".

        Notes
        -----
        The bound grows with the square of the gradient divided by l2: for small l2 it may be much larger than the
        distance itself.

        Examples
        --------
        >>> from fastclf import LinearClassifier
        >>> from fastclf.datasets import digits
        >>> data = digits()
        >>> model = LinearClassifier(l2=0.01, solver="newton").fit(data.X_train, data.y_train)
        >>> model.duality_gap(data.X_train, data.y_train) < 1e-6 * model.objective_
        True
        """
        check_is_fitted(self, "coef_")
        options = Options.of(self)
        self._refuse_another_loss()
        rows, labels = self._checked_data(X, y, False, self.classes_)
        of_rows = rows_of(rows, options)
        objective = objective_of(of_rows, labels, self.margin, options, self.class_weight, sample_weight)
        return duality_gap(objective, self.coef_, self.intercept_ + self.coef_ @ of_rows.centre, self._width)

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = self.loss == "sigmoid"
        return tags

    def _checked_data(
        self, X: ArrayLike, y: ArrayLike, reset: bool, classes: NDArray[Any] | None = None
    ) -> tuple[Any, Labels]:
        """Rows for the kernels, and labels."""
        array, labels = _estimators.checked_data(self, X, y, reset, accept_sparse="csr")
        return kernel_rows(array), Labels.of(labels, self.loss, classes)

    def _start(
        self, warm: bool, classes: NDArray[Any], centre: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights and intercepts, about a centre, to begin with: if warm, those that there are and fit."""
        shape = (len(classes), len(centre))
        if warm and hasattr(self, "coef_") and self.coef_.shape == shape and np.array_equal(self.classes_, classes):
            W, b = self.coef_.copy(), self.intercept_ + self.coef_ @ centre
            if LOSSES[self.loss].of_differences:
                W, b = W - W.mean(axis=0), b - b.mean()
            return W, b if self.fit_intercept else np.zeros(shape[0])
        return np.zeros(shape), np.zeros(shape[0])

    def _keep(self, labels: Labels, W: NDArray[np.float64], intercept: NDArray[np.float64], width: float) -> None:
        self._labels_are_indicators, self._width, self._loss = labels.indicator is not None, width, self.loss
        self.classes_, self.coef_, self.intercept_ = labels.classes, W, intercept
