"""What linear weights say of rows: scores, classes, probabilities, templates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import estimators, threads
from fastclf._shared.interrupts import aside
from fastclf.linear.inputs import Labels, in_float64, kernel_rows
from fastclf.linear.losses import LOSSES


def has_probabilities(self: LinearPredictor) -> bool:
    """Whether the loss defines probabilities: raises AttributeError else, as scikit-learn expects."""
    if self.loss in LOSSES and LOSSES[self.loss].log_probabilities is None:
        raise AttributeError(f"loss={self.loss!r} defines no probabilities")
    return True


class LinearPredictor(estimators.Classifier):
    """A classifier by `coef_` and `intercept_`, which were fitted by a loss."""

    loss: str
    n_threads: int | None
    classes_: NDArray[Any]
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    fit_intercept: bool
    _loss: str  # of the fit
    _width: float  # over which it rounded kinks
    _labels_are_indicators: bool

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute scores, in float64.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_queries, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_queries, n_classes), or (n_queries,) of two classes
            Scores in the order of `classes_`; of two classes, the second's less the first's. A row's scores do not
            depend on the other rows, on the threads or on the processor.

        Raises
        ------
        TypeError, ValueError
            If X is not as described, or has another number of features than in `fit`.

        Examples
        --------
        >>> from fastclf import LinearClassifier
        >>> model = LinearClassifier("mse", l2=0).fit([[0], [1], [2]], [0, 0, 1])
        >>> model.decision_function([[0], [2]]).round(3).tolist()
        [-1.333, 0.667]
        """
        scores = self._scores(X)
        if scores.shape[1] == 2 and not self._labels_are_indicators:
            with np.errstate(over="ignore"):
                scores = scores[:, 1] - scores[:, 0]
        return scores

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_queries, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_queries,), or (n_queries, n_labels) of indicators
            The class with the largest score, the first of equals; or 1 for each label whose score is above 0.

        Raises
        ------
        TypeError, ValueError
            As `decision_function` does.

        Examples
        --------
        >>> from fastclf import LinearClassifier
        >>> model = LinearClassifier("sigmoid").fit([[0, 1], [1, 0], [1, 1], [0, 0]], [[0, 1], [1, 0], [1, 1], [0, 0]])
        >>> model.predict([[0.9, 0.8]])
        array([[1, 1]])
        """
        scores = self._scores(X)
        if self._labels_are_indicators:
            return (scores > 0).astype(np.int64)
        winners: NDArray[Any] = self.classes_[aside(scores.size, scores.argmax, axis=1)]
        return winners

    @available_if(has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute probabilities of the classes, of the losses that define them: "softmax", "softmax_mse", "sigmoid".

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_queries, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_queries, n_classes)
            Probabilities in the order of `classes_`. Rows sum to 1, but for several labels a row, which are
            independent; with "sigmoid" and one label a row, the classes' probabilities are divided by their sum.

        Raises
        ------
        AttributeError
            If the loss defines no probabilities.
        TypeError, ValueError
            As `decision_function` does; or if `loss` was set after the fit.

        Examples
        --------
        >>> from fastclf import LinearClassifier
        >>> model = LinearClassifier().fit([[0], [1], [1], [2]], [0, 0, 1, 1])
        >>> model.predict_proba([[1]]).round(3)
        array([[0.5, 0.5]])
        """
        probabilities: NDArray[np.float64] = np.exp(self.predict_log_proba(X))
        return probabilities

    @available_if(has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the logarithms of `predict_proba`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_queries, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_queries, n_classes)
            Logarithms: finite, also of probabilities too small for float64.

        Raises
        ------
        AttributeError, TypeError, ValueError
            As `predict_proba` does.
        """
        scores = self._scores(X)
        self._refuse_another_loss()
        log_probabilities = LOSSES[self.loss].log_probabilities
        assert log_probabilities is not None
        found: NDArray[np.float64] = log_probabilities(scores)
        if self.loss == "sigmoid" and not self._labels_are_indicators:
            found -= logsumexp(found, axis=1, keepdims=True)
        return found

    def plot_templates(self, shape: tuple[int, ...], *, class_names: Any = None, figure: Any = None) -> Any:
        """Draw the rows of W as pictures: what each class looks for.

        Parameters
        ----------
        shape : tuple of int
            Of a picture: (height, width), or (height, width, 3) or (3, height, width) with colours.
        class_names : sequence of str, optional
            Names of the classes; by default `classes_`.
        figure : matplotlib.figure.Figure, optional
            Where to draw; by default a new figure that pyplot does not know of.

        Returns
        -------
        matplotlib.figure.Figure
            The figure, with axes for each class.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `shape` does not hold as many values as there are features.

        Examples
        --------
        >>> from fastclf import LinearClassifier
        >>> from fastclf.datasets import digits
        >>> data = digits()
        >>> figure = LinearClassifier(l2=0.01).fit(data.X_train, data.y_train).plot_templates((8, 8))
        >>> len(figure.axes)
        10
        """
        from fastclf.plotting import plot_templates

        check_is_fitted(self, "coef_")
        names = self.classes_.tolist() if class_names is None else class_names
        return plot_templates(self.coef_, shape, names, figure=figure)

    def _refuse_another_loss(self) -> None:
        if self.loss != self._loss:
            raise ValueError(f"loss={self.loss!r} was set after the model was fitted with {self._loss!r}: fit again")

    def _scores(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self, "coef_")
        array = estimators.checked_queries(self, X, accept_sparse="csr")
        rows = in_float64(kernel_rows(array), threads.resolve(self.n_threads))
        return rows.scores(np.asarray(self.coef_, np.float64), np.asarray(self.intercept_, np.float64))

    def _start(
        self, warm: bool, classes: NDArray[Any], centre: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights and intercepts, about a centre, to begin with: if warm, those that there are and fit."""
        shape = (len(classes), len(centre))
        if warm and hasattr(self, "coef_") and self.coef_.shape == shape and np.array_equal(self.classes_, classes):
            W, b = self.coef_.copy(), self.intercept_ + self.coef_ @ centre
            return W, b if self.fit_intercept else np.zeros(shape[0])
        return np.zeros(shape), np.zeros(shape[0])

    def _keep(self, labels: Labels, W: NDArray[np.float64], intercept: NDArray[np.float64], width: float) -> None:
        self._labels_are_indicators, self._width, self._loss = labels.indicator is not None, width, self.loss
        self.classes_, self.coef_, self.intercept_ = labels.classes, W, intercept
