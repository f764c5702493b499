"""Losses that are sums over scores."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Unpack, overload

from numpy.typing import ArrayLike, NDArray

from fastclf._shared.batch import Batch
from fastclf.losses import _checks
from fastclf.losses._evaluate import Wanted, evaluate
from fastclf.losses._types import Binary, Classes, Each, Gradient, No, Reduced, Unreduced, Yes

__all__ = ["binary_cross_entropy_with_logits", "mse"]


@overload
def mse(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: No = ..., **options: Unpack[Classes]
) -> float: ...
@overload
def mse(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: No = ..., **options: Unpack[Classes]
) -> Each: ...
@overload
def mse(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: Yes, **options: Unpack[Classes]
) -> tuple[float, Gradient]: ...
@overload
def mse(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: Yes, **options: Unpack[Classes]
) -> tuple[Each, Gradient]: ...
def mse(
    scores: ArrayLike,
    target: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = -100,
    reduction: str = "mean",
    return_grad: bool = False,
    grad_out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> Any:
    r"""Compute the squared error of scores: :math:`(s_i - t_i)^2`, classification as regression.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_classes) or (n_samples,)
        Scores, finite; dtypes and layouts as in `cross_entropy`.
    target : array-like of int, shape (n_samples,), or of the scores' shape
        Class of each row of two-dimensional scores, which stands for 1 there and 0 elsewhere; or any finite values.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows. A row of weight 0 is left out.
    ignore_index : int or None, default=-100
        Rows of this class are left out: loss 0, gradient 0, scores not looked at. Not for values.
    reduction : {"mean", "sum", "none"}, default="mean"
        ``"mean"`` is over rows, by weight, and columns; ``"none"`` returns one weighted loss for each score.
    return_grad : bool, default=False
        Whether to return the gradient, too, as in `cross_entropy`.
    grad_out : array of the scores' shape and dtype, optional
        Where to write the gradient, as in `cross_entropy`.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    loss : float, or ndarray of the scores' shape, float64
        The loss.
    gradient : array of the scores' shape and dtype
        With ``return_grad=True``: with respect to the scores.

    Raises
    ------
    TypeError
        If class ids are not integers, an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        If a class id is out of range (the error names it and its row), shapes do not fit, weights are negative, a score
        or target is NaN or infinite, or `grad_out` cannot be written to.

    See Also
    --------
    softmax_mse : Of the scores' softmax.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.mse([[0.5, 0.5]], [1], return_grad=True)
    (0.25, array([[ 0.5, -0.5]]))
    """
    wanted = Wanted(reduction, return_grad, grad_out, n_threads, scores)
    s = _checks.score_array(scores)
    ignored = _checks.integer_or_none(ignore_index, "ignore_index")
    if s.ndim == 1:
        batch = Batch("mse", s, target=_checks.values(target, s))
    else:
        batch = Batch("mse", s, *_checks.class_targets(target, s, ignored))
    weight = _checks.weights(sample_weight, len(s), "sample_weight")
    return evaluate(replace(batch, weight=weight), wanted, by_score=True)


@overload
def binary_cross_entropy_with_logits(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: No = ..., **options: Unpack[Binary]
) -> float: ...
@overload
def binary_cross_entropy_with_logits(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: No = ..., **options: Unpack[Binary]
) -> Each: ...
@overload
def binary_cross_entropy_with_logits(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: Yes, **options: Unpack[Binary]
) -> tuple[float, Gradient]: ...
@overload
def binary_cross_entropy_with_logits(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: Yes, **options: Unpack[Binary]
) -> tuple[Each, Gradient]: ...
def binary_cross_entropy_with_logits(
    scores: ArrayLike,
    target: ArrayLike,
    *,
    pos_weight: float | ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
    return_grad: bool = False,
    grad_out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> Any:
    r"""Compute the logistic loss of labels that may hold together: :math:`-w t \log p - (1 - t) \log (1 - p)`.

    Here :math:`p = 1 / (1 + e^{-s})` is the probability that a label holds (PyTorch's
    ``binary_cross_entropy_with_logits``).

    Parameters
    ----------
    scores : array-like of shape (n_samples,) or (n_samples, n_labels)
        Scores (logits), finite; dtypes and layouts as in `cross_entropy`.
    target : array-like of the scores' shape
        Whether each label holds: bool, 0 or 1, or probabilities between.
    pos_weight : float or array-like of shape (n_labels,), optional
        Weight w of labels that hold; by default 1.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows. A row of weight 0 is left out.
    reduction : {"mean", "sum", "none"}, default="mean"
        ``"mean"`` is over rows, by weight, and labels; ``"none"`` returns one weighted loss for each score.
    return_grad : bool, default=False
        Whether to return the gradient, too, as in `cross_entropy`.
    grad_out : array of the scores' shape and dtype, optional
        Where to write the gradient, as in `cross_entropy`.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    loss : float, or ndarray of the scores' shape, float64
        The loss.
    gradient : array of the scores' shape and dtype
        With ``return_grad=True``: with respect to the scores.

    Raises
    ------
    TypeError
        If an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        If shapes do not fit, targets are outside [0, 1], weights are negative, a score is NaN or infinite, or
        `grad_out` cannot be written to.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.binary_cross_entropy_with_logits([[0.0, 0.0]], [[True, False]], return_grad=True)
    (0.6931471805599453, array([[-0.25,  0.25]]))
    """
    wanted = Wanted(reduction, return_grad, grad_out, n_threads, scores)
    s = _checks.score_array(scores)
    values = _checks.values(target, s)
    column = _checks.column_weights(pos_weight, math.prod(s.shape[1:]), "pos_weight")
    weight = _checks.weights(sample_weight, len(s), "sample_weight")
    return evaluate(
        Batch("binary_cross_entropy_with_logits", s, None, values, weight, "parts", column), wanted, by_score=True
    )
