"""Multiclass hinges, and the ranking of pairs."""

from __future__ import annotations

from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import validation as check
from fastclf._shared.batch import Batch
from fastclf._shared.parameters import flag, margins, number
from fastclf.losses import _checks
from fastclf.losses._evaluate import Wanted, evaluate
from fastclf.losses._plain import mean_loss
from fastclf.losses._types import Each, Gradient, Hinge, Margin, No, PairOfGradients, Reduced, Unreduced, Yes

__all__ = ["hinge", "max_margin"]

KINDS = {"weston_watkins": "hinge", "crammer_singer": "crammer_singer"}


@overload
def hinge(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: No = ..., **options: Unpack[Hinge]
) -> float: ...
@overload
def hinge(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: No = ..., **options: Unpack[Hinge]
) -> Each: ...
@overload
def hinge(
    scores: ArrayLike, target: ArrayLike, *, reduction: Reduced = ..., return_grad: Yes, **options: Unpack[Hinge]
) -> tuple[float, Gradient]: ...
@overload
def hinge(
    scores: ArrayLike, target: ArrayLike, *, reduction: Unreduced, return_grad: Yes, **options: Unpack[Hinge]
) -> tuple[Each, Gradient]: ...
def hinge(
    scores: ArrayLike,
    target: ArrayLike,
    *,
    margin: float | ArrayLike = 1.0,
    kind: str = "weston_watkins",
    squared: bool = False,
    average: bool = False,
    count_target: bool = False,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = -100,
    reduction: str = "mean",
    return_grad: bool = False,
    grad_out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> Any:
    r"""Compute the multiclass SVM loss: :math:`\sum_{i \ne y} \max(0, s_i - s_y + \Delta)`.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_classes)
        Scores, finite; dtypes and layouts as in `cross_entropy`.
    target : array-like of int, shape (n_samples,)
        Class y of each row.
    margin : float or array-like of shape (n_classes, n_classes), default=1.0
        :math:`\Delta`: one for all, or ``margin[y, i]`` for class i against the true class y. The diagonal counts only
        with `count_target`.
    kind : {"weston_watkins", "crammer_singer"}, default="weston_watkins"
        The sum of the terms of all other classes [1]_ (as lectures define it), or the largest of them [2]_.
    squared : bool, default=False
        Whether terms are squared.
    average : bool, default=False
        Whether a row's loss is the mean of its terms instead of their sum. Only for ``"weston_watkins"``.
    count_target : bool, default=False
        Whether the true class counts as well: its term is the margin, which adds a constant. Only for
        ``"weston_watkins"``.
    weight : array-like of shape (n_classes,), optional
        Weights of the rows by class.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows. A row of weight 0 is left out.
    ignore_index : int or None, default=-100
        Rows of this class are left out: loss 0, gradient 0, scores not looked at.
    reduction : {"mean", "sum", "none"}, default="mean"
        Of the rows, as in `cross_entropy`.
    return_grad : bool, default=False
        Whether to return the gradient, too, as in `cross_entropy`.
    grad_out : array of the scores' shape and dtype, optional
        Where to write the gradient, as in `cross_entropy`.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    loss : float, or ndarray of shape (n_samples,), float64
        The loss.
    gradient : array of the scores' shape and dtype
        With ``return_grad=True``: with respect to the scores. At a kink, where a term is 0, its slope is the one to the
        left, 0. Among equal largest terms of ``"crammer_singer"``, the class of smallest number has the slope.

    Raises
    ------
    TypeError
        If class ids are not integers, an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        If a class id is out of range (the error names it and its row), shapes do not fit, weights are negative, a score
        is NaN or infinite, `kind` is unknown, or `grad_out` cannot be written to.

    See Also
    --------
    linear_hinge : The same of scores X W' + b, held in blocks.

    Notes
    -----
    PyTorch's ``multi_margin_loss`` divides by the number of all classes, C. With one margin, and `squared` for its
    ``p=2``, it is this loss times 1 / C. With `weight` this holds for ``"sum"`` and ``"none"``. PyTorch's mean divides
    by the number of rows, the mean here by the sum of their weights: so PyTorch's mean is this one times the mean of
    ``weight[target]``, times 1 / C.

    Terms are evaluated in float64, as (s_i - s_y) + margin.

    References
    ----------
    .. [1] J. Weston and C. Watkins, "Support vector machines for multi-class pattern recognition", ESANN 1999.
    .. [2] K. Crammer and Y. Singer, "On the algorithmic implementation of multiclass kernel-based vector machines",
       Journal of Machine Learning Research 2, 2001.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.hinge([[13.0, -7.0, 11.0]], [0], margin=10)
    8.0
    >>> losses.hinge([[3.0, 5.0, -1.5]], [0], return_grad=True)
    (3.0, array([[-1.,  1.,  0.]]))
    """
    no_options = squared is False and average is False and count_target is False and type(kind) is str
    if no_options and kind in KINDS and weight is None and sample_weight is None:
        loss = KINDS[kind]
        found = mean_loss(loss, scores, target, reduction, return_grad, grad_out, ignore_index, n_threads, margin)
        if found is not None:
            return found
    wanted = Wanted(reduction, return_grad, grad_out, n_threads, scores)
    z = _checks.scores(scores)
    batch, share = hinge_batch(
        z, target, margin, kind, squared, average, count_target, weight, sample_weight, ignore_index
    )
    return evaluate(batch, wanted, share=share)


def hinge_batch(
    z: NDArray[Any],
    target: ArrayLike,
    margin: Any,
    kind: str,
    squared: bool,
    average: bool,
    count_target: bool,
    weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
    ignore_index: int | None,
) -> tuple[Batch, float]:
    """Return the batch, and the part of each term's sum that counts."""
    check.one_of(kind, KINDS, "kind")
    for name, value in (("squared", squared), ("average", average), ("count_target", count_target)):
        if flag(value, name) and name != "squared" and kind == "crammer_singer":
            raise ValueError(f"{name} is for kind 'weston_watkins' only, got kind {kind!r}")
    classes = z.shape[1]
    one, matrix = margins(margin, classes)
    ids = _checks.class_ids(target, z, _checks.integer_or_none(ignore_index, "ignore_index"))
    of_class = _checks.weights(weight, classes, "weight")
    rows = _checks.by_class(ids, of_class, _checks.weights(sample_weight, len(z), "sample_weight"))
    batch = Batch(
        KINDS[kind], z, ids, weight=rows, margins=matrix, margin=one, squared=bool(squared), own_term=bool(count_target)
    )
    terms = classes if count_target else classes - 1
    return batch, 1 / terms if average and terms else 1.0


@overload
def max_margin(
    scores: ArrayLike,
    scores_corrupt: ArrayLike,
    *,
    reduction: Reduced = ...,
    return_grad: No = ...,
    **options: Unpack[Margin],
) -> float: ...
@overload
def max_margin(
    scores: ArrayLike,
    scores_corrupt: ArrayLike,
    *,
    reduction: Unreduced,
    return_grad: No = ...,
    **options: Unpack[Margin],
) -> Each: ...
@overload
def max_margin(
    scores: ArrayLike,
    scores_corrupt: ArrayLike,
    *,
    reduction: Reduced = ...,
    return_grad: Yes,
    **options: Unpack[Margin],
) -> tuple[float, PairOfGradients]: ...
@overload
def max_margin(
    scores: ArrayLike, scores_corrupt: ArrayLike, *, reduction: Unreduced, return_grad: Yes, **options: Unpack[Margin]
) -> tuple[Each, PairOfGradients]: ...
def max_margin(
    scores: ArrayLike,
    scores_corrupt: ArrayLike,
    *,
    margin: float = 1.0,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
    return_grad: bool = False,
    grad_out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    n_threads: int | None = None,
) -> Any:
    r"""Compute the ranking loss of pairs: :math:`\max(0, \Delta - s + s_c)`.

    Parameters
    ----------
    scores : array-like of shape (n_samples,) or (n_samples, n_pairs)
        Scores s of the true ones, finite; dtypes as in `cross_entropy`.
    scores_corrupt : array-like of the same shape
        Scores of the corrupt ones, that should be lower by the margin.
    margin : float, default=1.0
        :math:`\Delta`.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows. A row of weight 0 is left out.
    reduction : {"mean", "sum", "none"}, default="mean"
        ``"mean"`` is over all pairs, by weight; ``"none"`` returns one weighted loss for each.
    return_grad : bool, default=False
        Whether to return the gradients, too, as in `cross_entropy`.
    grad_out : tuple of two arrays of the scores' shape, in the wider dtype of both, optional
        Where to write the gradients, as in `cross_entropy`.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    loss : float, or ndarray of the scores' shape, float64
        The loss.
    gradients : tuple of two arrays of the scores' shape, in the wider dtype of both
        With ``return_grad=True``: with respect to `scores` and to `scores_corrupt`, one the other's negative. At the
        kink, where a term is 0, they are 0.

    Raises
    ------
    TypeError
        If an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        If shapes do not fit, weights are negative, a score is NaN or infinite, or `grad_out` cannot be written to.

    Examples
    --------
    >>> from fastclf import losses
    >>> losses.max_margin([2.0, 0.5], [0.5, 0.0], return_grad=True)
    (0.25, (array([ 0. , -0.5]), array([0. , 0.5])))
    """
    s, corrupt = _pairs(scores, scores_corrupt)
    weight = _checks.weights(sample_weight, len(s), "sample_weight")
    batch = Batch("max_margin", s, target=corrupt, weight=weight, parameter=number(margin, "margin"))
    first, second, negative = None, None, None
    if grad_out is not None:
        first, second = _pair(grad_out)
        beside = _checks.result_array(first, "grad_out[0]", s, (corrupt,), in_place=True)
        negative = _checks.result_array(second, "grad_out[1]", corrupt, (s, beside), in_place=True)
    found = evaluate(batch, Wanted(reduction, return_grad, first, n_threads, scores), by_score=True)
    if not return_grad:
        return found
    loss, gradient = found
    if grad_out is None:
        return loss, (gradient, 0 - gradient)
    np.subtract(0, beside, out=negative)
    return loss, (gradient, second)


def _pairs(scores: ArrayLike, scores_corrupt: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both in their wider dtype."""
    s = _checks.score_array(scores)
    corrupt = _checks.float_array(_checks.values(scores_corrupt, s, "scores_corrupt"), "scores_corrupt")
    dtype = np.result_type(s, corrupt)
    return s.astype(dtype, copy=False), corrupt.astype(dtype, copy=False)


def _pair(grad_out: Any) -> tuple[Any, Any]:
    if not isinstance(grad_out, tuple) or len(grad_out) != 2:
        raise TypeError(f"grad_out must be a tuple of two arrays, got {type(grad_out).__name__}")
    return grad_out
