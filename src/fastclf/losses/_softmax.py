"""Softmax, its logarithm, and the losses that take it."""

from __future__ import annotations

from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf._shared.batch import Batch
from fastclf._shared.parameters import number
from fastclf._shared.tensors import given_back
from fastclf.losses import _checks
from fastclf.losses._evaluate import Wanted, evaluate
from fastclf.losses._plain import mean_loss
from fastclf.losses._types import Classes, Each, Entropy, Gradient, No, Plain, Reduced, Unreduced, Yes

__all__ = ["cross_entropy", "kl_div", "log_softmax", "softmax", "softmax_mse"]


def softmax(scores: ArrayLike, *, out: NDArray[Any] | None = None, n_threads: int | None = None) -> NDArray[Any]:
    r"""Turn scores into probabilities: :math:`p_i = e^{s_i} / \sum_j e^{s_j}`.

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores, float32 or float64 (others as in `cross_entropy`). A score of -inf is a class that is not there.
    out : ndarray of the scores' shape and dtype, optional
        Where to write the probabilities: C-contiguous, writeable. May be the scores themselves.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    ndarray of the scores' shape and dtype
        Probabilities; `out` if it was given.

    Raises
    ------
    TypeError
        If `scores` are sparse or have masked entries, or `out` is not an array.
    ValueError
        If a row holds NaN or +inf or nothing but -inf, or `out` cannot be written to.

    Notes
    -----
    Float32 probabilities above 1e-37 are off by at most 5.1 ULP (3.51 was seen), float64 ones above 1e-300 were never
    seen off by more than 5.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.softmax([[0.0, 0.0], [0.0, -float("inf")]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    return _values("softmax", scores, out, n_threads)


def log_softmax(scores: ArrayLike, *, out: NDArray[Any] | None = None, n_threads: int | None = None) -> NDArray[Any]:
    r"""Compute logarithms of probabilities: :math:`\log p_i = s_i - \log \sum_j e^{s_j}`.

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores, as in `softmax`.
    out : ndarray of the scores' shape and dtype, optional
        Where to write the result: C-contiguous, writeable. May be the scores themselves.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    ndarray of the scores' shape and dtype
        Logarithms, none above 0, -inf where the score is; `out` if it was given.

    Raises
    ------
    TypeError
        If `scores` are sparse or have masked entries, or `out` is not an array.
    ValueError
        If a row holds NaN or +inf or nothing but -inf, or `out` cannot be written to.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.log_softmax([[40.0, 0.0]])  # the first is not rounded to 0
    array([[-4.24835426e-18, -4.00000000e+01]])
    """
    return _values("log_softmax", scores, out, n_threads)


def _values(name: str, scores: ArrayLike, out: Any, n_threads: int | None) -> NDArray[Any]:
    array = _checks.float_array(scores, "scores")
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"scores must have at least one class, got shape {array.shape}")
    result = np.empty_like(array) if out is None else _checks.result_array(out, "out", array, (), in_place=True)
    flat = (-1, array.shape[-1]) if array.size else (0, array.shape[-1])
    Batch(name, array.reshape(flat)).run(1.0, n_threads, None, None, result.reshape(flat))
    return given_back(result, scores) if out is None else out


@overload
def cross_entropy(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: No = ..., **options: Unpack[Entropy]
) -> float: ...
@overload
def cross_entropy(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: No = ..., **options: Unpack[Entropy]
) -> Each: ...
@overload
def cross_entropy(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: Yes, **options: Unpack[Entropy]
) -> tuple[float, Gradient]: ...
@overload
def cross_entropy(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: Yes, **options: Unpack[Entropy]
) -> tuple[Each, Gradient]: ...
def cross_entropy(
    scores: ArrayLike,
    target: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    return_grad: bool = False,
    grad_out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> Any:
    r"""Compute the softmax (cross-entropy) loss: :math:`-\sum_i t_i \log p_i` with :math:`p` the softmax of the scores.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_classes)
        Scores (logits). float32 and float64 are taken as they are, from any object with the buffer, array or DLPack
        interface, without a copy where rows are contiguous (C order). float16 becomes float32; integers become the
        float type that holds them exactly. A score of -inf is a class that is not there.
    target : array-like of int, shape (n_samples,), or of shape (n_samples, n_classes)
        Class of each row, of any integer dtype; or probabilities of the classes, each row summing to 1 (within 1e-3).
    weight : array-like of shape (n_classes,), optional
        Weights of the classes.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows. A row of weight 0 is left out.
    ignore_index : int or None, default=-100
        Rows of this class are left out: loss 0, gradient 0, scores not looked at. Not for probabilities.
    label_smoothing : float in [0, 1], default=0.0
        This part of each target is spread evenly over the classes (those that are there).
    reduction : {"mean", "sum", "none"}, default="mean"
        ``"mean"`` divides the sum of the losses by the sum of the rows' weights. A row's weight is that of its sample,
        times that of its class (for class ids). The mean of no rows is 0. ``"none"`` returns the weighted loss of each
        row.
    return_grad : bool, default=False
        Whether to return the gradient, too: of the reduced loss; of the sum where there is no reduction.
    grad_out : array of the scores' shape and dtype, optional
        Where to write the gradient, so that nothing is allocated: C-contiguous, writeable, float32 or float64 as the
        scores are taken. It may be the scores themselves. If scores or probabilities are refused for their values, it
        may have been written to.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    loss : float, or ndarray of shape (n_samples,), float64
        The loss.
    gradient : array of the scores' shape and dtype
        With ``return_grad=True``: with respect to the scores; `grad_out` if it was given.

    Raises
    ------
    TypeError
        If class ids are not integers, an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        If a class id is out of range (the error names row and value), shapes do not fit, targets are not probabilities,
        weights are negative, a row holds NaN or +inf or nothing but -inf, or `grad_out` cannot be written to.

    See Also
    --------
    linear_cross_entropy : The same of scores X W' + b, held in blocks.
    kl_div : The same less the entropy of the target.

    Notes
    -----
    The gradient is :math:`p_i - t_i`, times the row's part in the reduction. Options, defaults and finite losses are
    those of PyTorch, which lacks `sample_weight`. PyTorch has NaN as the mean of no rows, and where a class of score
    -inf has probability 0 as a target. With `label_smoothing`, PyTorch's loss is infinite where any score is -inf.

    Sums are of float64. With class ids nothing cancels, so that losses near 0 keep their digits. For float32 scores,
    losses above 1e-37 are off by at most 4 ULP of float32, gradients by 5.1.

    The bytes of a row's loss and gradient do not depend on threads or on the processor. They depend on other rows only
    by the factor of a mean.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.cross_entropy([[0.0, 0.0]], [1])
    0.6931471805599453
    >>> losses.cross_entropy([[0.0, 0.0]], [[0.5, 0.5]], return_grad=True)
    (0.6931471805599453, array([[0., 0.]]))
    """
    if weight is None and sample_weight is None and type(label_smoothing) is float and label_smoothing == 0:
        found = mean_loss("cross_entropy", scores, target, reduction, return_grad, grad_out, ignore_index, n_threads)
        if found is not None:
            return found
    wanted = Wanted(reduction, return_grad, grad_out, n_threads, scores)
    z = _checks.scores(scores)
    batch, mean_weight = cross_entropy_batch(z, target, weight, sample_weight, ignore_index, label_smoothing)
    return evaluate(batch, wanted, mean_weight=mean_weight)


def cross_entropy_batch(
    z: NDArray[Any],
    target: ArrayLike,
    weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
) -> tuple[Batch, NDArray[np.float64] | None]:
    """Return the batch, and the weights of its rows in a mean if they are not its own."""
    label, probabilities = _checks.class_targets(target, z, _checks.integer_or_none(ignore_index, "ignore_index"))
    smoothing = number(label_smoothing, "label_smoothing", 0, 1)
    of_class = _checks.weights(weight, z.shape[1], "weight")
    of_row = _checks.weights(sample_weight, len(z), "sample_weight")
    mean_weight = None
    if label is not None and smoothing == 0:  # then a class's weight is one of the row
        of_row, of_class = _checks.by_class(label, of_class, of_row), None
    elif label is not None:
        mean_weight = _checks.by_class(label, of_class, of_row)
    batch = Batch(
        "cross_entropy", z, label, probabilities, of_row, "probabilities", of_class, label_smoothing=smoothing
    )
    return batch, mean_weight


@overload
def kl_div(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: No = ..., **options: Unpack[Plain]
) -> float: ...
@overload
def kl_div(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: No = ..., **options: Unpack[Plain]
) -> Each: ...
@overload
def kl_div(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: Yes, **options: Unpack[Plain]
) -> tuple[float, Gradient]: ...
@overload
def kl_div(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: Yes, **options: Unpack[Plain]
) -> tuple[Each, Gradient]: ...
def kl_div(
    scores: ArrayLike,
    target: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
    return_grad: bool = False,
    grad_out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> Any:
    r"""Compute the divergence of Kullback and Leibler: :math:`\sum_i t_i \log (t_i / p_i)` with :math:`p` the softmax.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_classes)
        Scores, as in `cross_entropy`.
    target : array-like of shape (n_samples, n_classes)
        Probabilities, each row summing to 1.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows. A row of weight 0 is left out.
    reduction : {"mean", "sum", "none"}, default="mean"
        ``"mean"`` divides the sum by that of the rows' weights (PyTorch's ``"batchmean"``); the mean of no rows is 0.
    return_grad : bool, default=False
        Whether to return the gradient, too, as in `cross_entropy`.
    grad_out : array of the scores' shape and dtype, optional
        Where to write the gradient, as in `cross_entropy`.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    loss : float, or ndarray of shape (n_samples,), float64
        The divergence, the cross-entropy H(t, p) less the entropy H(t). Where the two are close, it is off by their
        rounding, about 1e-16 of them (1e-7 for float32 scores).
    gradient : array of the scores' shape and dtype
        With ``return_grad=True``: that of the cross-entropy, with respect to the scores.

    Raises
    ------
    TypeError
        If an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        If shapes do not fit, targets are not probabilities, weights are negative, a row holds NaN or +inf or nothing
        but -inf, or `grad_out` cannot be written to.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.kl_div([[0.0, 0.0]], [[1.0, 0.0]])
    0.6931471805599453
    """
    wanted = Wanted(reduction, return_grad, grad_out, n_threads, scores)
    z = _checks.scores(scores)
    probabilities = _checks.values(target, z)
    weight = _checks.weights(sample_weight, len(z), "sample_weight")
    return evaluate(Batch("kl_div", z, target=probabilities, weight=weight, targets="probabilities"), wanted)


@overload
def softmax_mse(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: No = ..., **options: Unpack[Classes]
) -> float: ...
@overload
def softmax_mse(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: No = ..., **options: Unpack[Classes]
) -> Each: ...
@overload
def softmax_mse(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: Yes, **options: Unpack[Classes]
) -> tuple[float, Gradient]: ...
@overload
def softmax_mse(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: Yes, **options: Unpack[Classes]
) -> tuple[Each, Gradient]: ...
def softmax_mse(
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
    r"""Compute the squared error of probabilities: :math:`(p_i - t_i)^2` with :math:`p` the softmax of the scores.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_classes)
        Scores, as in `cross_entropy`.
    target : array-like of int, shape (n_samples,), or of shape (n_samples, n_classes)
        Class of each row, which stands for 1 there and 0 elsewhere; or any finite values.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows. A row of weight 0 is left out.
    ignore_index : int or None, default=-100
        Rows of this class are left out. Not for values.
    reduction : {"mean", "sum", "none"}, default="mean"
        ``"mean"`` is over rows, by weight, and classes; ``"none"`` returns one weighted loss for each score.
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
        With ``return_grad=True``: :math:`2 p_i (d_i - \sum_j p_j d_j)` with :math:`d = p - t`. It vanishes where a
        class is almost certain, right or wrong: where the loss is large, there may be no slope.

    Raises
    ------
    TypeError
        If class ids are not integers, an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        If a class id is out of range (the error names it and its row), shapes do not fit, weights are negative, a row
        holds NaN or +inf or nothing but -inf, or `grad_out` cannot be written to.

    See Also
    --------
    mse : Of the scores themselves.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.softmax_mse([[0.0, 0.0]], [1], return_grad=True)
    (0.25, array([[ 0.25, -0.25]]))
    """
    wanted = Wanted(reduction, return_grad, grad_out, n_threads, scores)
    z = _checks.scores(scores)
    ignored = _checks.integer_or_none(ignore_index, "ignore_index")
    label, values = _checks.class_targets(target, z, ignored)
    weight = _checks.weights(sample_weight, len(z), "sample_weight")
    return evaluate(Batch("softmax_mse", z, label, values, weight), wanted, by_score=True)
