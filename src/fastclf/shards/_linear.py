"""The sums over rows that a linear fit needs: those of several places add up."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import threads
from fastclf._shared import validation as check
from fastclf.linear.inputs import Labels, batch_of
from fastclf.linear.losses import LOSSES
from fastclf.linear.rows import DenseRows


def loss_and_gradient(
    X: ArrayLike,
    y: ArrayLike,
    W: ArrayLike,
    b: ArrayLike,
    *,
    loss: str = "softmax",
    margin: float | ArrayLike = 1.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    r"""Compute the sum of the losses of some rows, and its gradients by weights and intercepts.

    It is :math:`\sum_i w_i \, \mathrm{loss}(W x_i + b, y_i)`, with the losses of `LinearClassifier`. The sums of all
    places add up; divided by the sum of all weights, and with the penalty, they are its objective.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Rows, dense. uint8, float32 and float64 in C order are not copied.
    y : array-like of int, shape (n_rows,), or with ``loss="sigmoid"`` of 0 and 1, shape (n_rows, n_classes)
        Numbers of the rows' classes, from 0; or an indicator of several labels a row.
    W : array-like of shape (n_classes, n_features)
        Weights.
    b : array-like of shape (n_classes,)
        Intercepts.
    loss : {"softmax", "hinge", "squared_hinge", "crammer_singer", "mse", "softmax_mse", "sigmoid"}, default="softmax"
        As of `LinearClassifier`.
    margin : float or array-like of shape (n_classes, n_classes), default=1.0
        Margin of the hinges.
    sample_weight : array-like of shape (n_rows,), optional
        Weights of the rows; by default one each.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.

    Returns
    -------
    loss : float
        The sum of the losses.
    of_W : ndarray of shape (n_classes, n_features), float64
        Its gradient by W.
    of_b : ndarray of shape (n_classes,), float64
        Its gradient by b.

    Raises
    ------
    TypeError, ValueError
        If a parameter or an array is not as described; if scores overflow.

    Notes
    -----
    X of float64 is computed with in float64, other rows in float32 within a block of rows, in float64 beyond. The
    result does not depend on the number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclf import shards
    >>> X, y, W, b = np.eye(2), np.array([0, 1]), np.zeros((2, 2)), np.zeros(2)
    >>> loss, of_W, of_b = shards.loss_and_gradient(X, y, W, b)
    >>> round(loss / 2, 3), of_W.tolist()
    (0.693, [[-0.5, 0.5], [0.5, -0.5]])
    """
    check.one_of(loss, tuple(LOSSES), "loss")
    rows, weights = check.matrix(X, "X"), check.matrix(W, "W")
    intercepts = check.matrix(np.atleast_2d(check.dense_array(b, "b")), "b")
    (n, features), classes = rows.shape, len(weights)
    if weights.shape[1] != features or intercepts.shape != (1, classes) or classes < 2:
        raise ValueError(
            f"W and b must have shapes (n_classes, {features}) and (n_classes,), with 2 classes or more, got "
            f"{weights.shape} and {np.shape(b)}"
        )
    given = None if sample_weight is None else check.weights_of(sample_weight, (n,), "sample_weight")
    how = LOSSES[loss]
    placed = DenseRows(rows, threads.resolve(n_threads))
    batch = batch_of(placed, how, _labels(y, loss, n, classes), margin, given, None)
    total, of_W, of_b = placed.loss(batch, weights.astype(np.float64), intercepts[0].astype(np.float64))
    share = how.share(classes)
    return total * share, of_W * share, of_b * share


def _labels(y: ArrayLike, loss: str, n_rows: int, n_classes: int) -> Labels:
    array = check.labels_array(y, "y")
    if array.ndim == 0:
        raise ValueError(f"y must be one-dimensional, got shape {array.shape}")
    if len(array) != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y has {len(array)} entries")
    if loss == "sigmoid" and array.ndim == 2:
        return Labels.of_indicator(array, np.arange(n_classes))
    if array.ndim != 1:
        raise ValueError(f"y must be one-dimensional, got shape {array.shape}")
    codes = check.class_ids(array, "y", n_classes)
    if check.has_outside(codes, n_classes):
        raise check.refused_ids(codes, "y", n_classes)
    return Labels(np.arange(n_classes), codes)
