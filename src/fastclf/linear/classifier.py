"""The linear classifier."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import estimators
from fastclf._shared import validation as check
from fastclf.linear import fitting
from fastclf.linear.inputs import Labels, Options, kernel_rows, objective_of, rows_of
from fastclf.linear.prediction import LinearPredictor


class LinearClassifier(LinearPredictor):
    r"""Linear classifier, trained to the optimum: softmax regression, multiclass SVMs, regression on labels.

    Scores are :math:`f(x) = W x + b`; the class with the largest score is predicted. W and b minimise

    .. math::
        J(W, b) = \frac{\sum_i w_i \, \mathrm{loss}(f(x_i), y_i)}{\sum_i w_i} + l_2 \sum_{c, k} W_{ck}^2
        + l_1 \sum_{c, k} |W_{ck}| ,

    with the losses of `fastclf.losses` (those that are sums over scores, as means over the classes).

    Parameters
    ----------
    loss : {"softmax", "hinge", "squared_hinge", "crammer_singer", "mse", "softmax_mse", "sigmoid"}, default="softmax"
        "softmax": the cross-entropy of the softmax. "hinge": the multiclass SVM of Weston and Watkins;
        "squared_hinge": the same with squared terms. "crammer_singer": the SVM of Crammer and Singer. "mse": the
        squared error of the scores on one-hot labels; "softmax_mse": that of their softmax. "sigmoid": the logistic
        loss of each class for itself, which also takes several labels a row (a two-dimensional indicator `y`).
    l2 : float, default=1e-4
        Weight of the penalty, at least 0. Intercepts are not penalised. scikit-learn's LogisticRegression has
        the same optimum with ``C = 1 / (2 * l2 * S)`` for three classes or more. For two classes it is ``C = 1 / (l2 *
        S)``, and its weights are the difference of the two rows here. S is the sum of the rows' weights, those of
        their classes included; without weights, ``n_samples``.
    l1 : float, default=0.0
        Weight of the absolute values, at least 0: the larger, the more weights are 0. With `l2` beside it this is the
        elastic net. Only for "softmax", "squared_hinge", "mse" and "sigmoid", by the solvers "auto" and "lbfgs".
        scikit-learn's LogisticRegression with its penalty "elasticnet" has the same optimum for three classes or more
        with ``l1 = l1_ratio / (C * S)`` and ``l2 = (1 - l1_ratio) / (2 * C * S)``.
    margin : float or array-like of shape (n_classes, n_classes), default=1.0
        Margin of the hinges: one number, or a number for each true class (row) and other class (column), in the order
        of `classes_`.
    fit_intercept : bool, default=True
        Whether there is a b.
    solver : {"auto", "dual", "lbfgs", "newton", "sgd"}, default="auto"
        "newton" computes the whole Hessian, which suits few weights. "lbfgs" learns the curvature from a sample of the
        rows and corrects it. "sgd" makes steps on mini-batches. "dual" solves the dual problem of hinges with a
        penalty. "auto" takes "dual" for "hinge" and "crammer_singer" where it can. Else it takes "newton" for problems
        small enough that it is the faster, and else "lbfgs"; for "squared_hinge" with no more rows than features
        "lbfgs" and "dual" in turn.
    max_iter : int, default=1000
        The most iterations of `fit`; each is about one pass over the rows.
    tol : float, default=1e-4
        How far J may be above its least value when a fit ends, as a fraction of J (or of a thousandth of J at W = 0, if
        that is more).
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes all classes count the same.
    random_state : int, RandomState instance or None, default=None
        Draws the rows that the curvature is learned from, and the order of mini-batches. The optimum does not depend on
        it.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.
    verbose : int, default=0
        Whether to tell on stderr how far `fit` is, with a progress bar where tqdm is installed.
    warm_start : bool, default=False
        Whether `fit` begins at the weights of the fit before, if they have the same classes and features.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted; of an indicator `y`, the numbers of its columns.
    coef_ : ndarray of shape (n_classes, n_features)
        W, float64: a row for each class, also of two.
    intercept_ : ndarray of shape (n_classes,)
        b; 0 without `fit_intercept`.
    n_iter_ : int
        Iterations made: steps of "lbfgs" or "newton", epochs of "sgd", calls of `partial_fit`; of "dual" steps of the
        method of multipliers, and rounds of coordinate ascent, each of a few passes.
    converged_ : bool
        Whether J is as near to its least value as `tol` says, by the curvature of all rows where the fit ended. False
        also where that cannot be told. Notes say what is not proven. Only after `fit`.
    objective_ : float
        J of `coef_` and `intercept_`, computed in float64; only after `fit`.
    loss_curve_ : ndarray of shape (`n_iter_`,), or of `partial_fit` (n_steps,)
        J after each iteration. Where the loss has kinks, J is that of the smoothed loss of that iteration. After
        `partial_fit`, J of each mini-batch before its step.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`; only where X has names that are all strings.

    See Also
    --------
    fastclf.losses : The losses themselves.
    KNN : The classifier that remembers the rows instead.

    Notes
    -----
    X of uint8, float32 or float64, in C order, is read where it is, also where it is mapped from a file. Solvers begin
    with sums in float32 over up to a thousand rows and end in float64; for X of float64 all sums are in float64. Sparse
    matrices are not made dense: a copy of their indices, and a copy of the whole by columns, are held beside them.

    Beside X, a fit holds

    - with "lbfgs", some 70 times the weights in float64, a sample of 4000 rows or as many as there are features, and a
      square matrix of up to 6144 features;
    - with "dual", some ten arrays of the scores' shape, and a square matrix of up to 2048 free variables; of more rows
      than features also what "lbfgs" holds;
    - with "newton", the scores and some copies of the Hessian;
    - with "sgd", some 40 times the weights;
    - with `l1`, some 90 times the weights, and some arrays of the scores' shape;
    - of at most 512 rows, with 8 features or more for each row and up to 2^24 values together, two copies in float64.

    `tol` is compared with Newton's decrement squared where a fit ends, by the Hessian of all rows there. So units and
    offsets of the features do not matter. Rows that would bend J differently at the optimum are found and count in
    full. For large problems conjugate gradients estimate the decrement; curvature that they do not see is missed.

    With "dual" the difference between J and the dual objective, up to rounding, proves how far J is from its least
    value. "auto" ends by "newton" what another solver has not brought so far, if there are at most 2048 weights and not
    too many rows. "newton" and "lbfgs" round the kinks of hinges over smaller and smaller widths instead. How much this
    changes J is known, and counts. How far the rounded J is from its own least value is known by the Hessian for up to
    2048 weights; it is estimated for larger problems.

    With `l1` the duality gap, up to rounding, proves how far J is from its least value. "squared_hinge" with a small
    penalty may take more than a thousand passes.

    "softmax_mse" is not convex. From W = 0 a fit finds a point where a step of Gauss and Newton would gain no more.

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
        l1: float = 0.0,
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
        self.l1 = l1
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
        options = Options.of(self, self.l1)
        with estimators.unchanged_if_it_fails(self):
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
            All classes that there will be; needed in the first call if its rows do not have them all.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows relative to the others of this call; their sum does not matter. "balanced" refers to
            this call, too.

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
        options = Options.of(self, self.l1)
        if options.penalty.l1:
            raise ValueError(f"l1 must be 0 for partial_fit, whose steps leave no weight 0, got {self.l1}")
        with estimators.unchanged_if_it_fails(self):
            given = None if classes is None else check.class_labels(classes, "classes")
            known = estimators.agreed_classes(given, getattr(self, "classes_", None))
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
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The rows that the model was fitted on.
        y : array-like of shape (n_samples,), or indicator of shape (n_samples, n_classes)
            Their classes.
        sample_weight : array-like of shape (n_samples,), optional
            Their weights, if `fit` was given any.

        Returns
        -------
        float
            J - J* is at most this, up to rounding. Infinite where no bound is known: with no penalty; for
            "softmax_mse", which is not convex; and without `l1` and with an intercept for "mse" and "sigmoid".

        Raises
        ------
        TypeError, ValueError
            If the data is not as `fit` takes it.
        sklearn.exceptions.NotFittedError
            If the model is not fitted.

        Notes
        -----
        For hinges the dual problem is solved anew, in float64, which takes about as long as a fit. It ends where the
        bound hardly shrinks any more, which may be at some times what ``tol`` allows. For "squared_hinge" the bound by
        the gradient counts, too, if it is less; of more than 2^23 dense values it is the only one. For other losses the
        bound grows with the square of the gradient divided by l2: for small l2 it may be much larger than the distance
        itself.

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
        options = Options.of(self, self.l1)
        self._refuse_another_loss()
        rows, labels = self._checked_data(X, y, False, self.classes_)
        of_rows = rows_of(rows, options)
        objective = objective_of(of_rows, labels, self.margin, options, self.class_weight, sample_weight)
        about = self.intercept_ + self.coef_ @ of_rows.centre
        return max(fitting.proven_gap(objective, self.coef_, about, self._width, options), 0.0)

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
        array, labels = estimators.checked_data(self, X, y, reset, accept_sparse="csr")
        return kernel_rows(array), Labels.of(labels, self.loss, classes)
