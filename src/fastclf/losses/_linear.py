"""Losses of linear scores X W' + b."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf.losses._blocks import LinearModel, evaluate_linear
from fastclf.losses._evaluate import Wanted
from fastclf.losses._hinge import hinge_batch
from fastclf.losses._softmax import cross_entropy_batch
from fastclf.losses._types import Each, LinearEntropy, LinearGradients, LinearHinge, No, Reduced, Unreduced, Yes

__all__ = ["linear_cross_entropy", "linear_hinge"]


def _with_b_before_target(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Let a loss of X, W, target and b take four arguments by position, too: X, W, b, target.

    So scores are written, X W' + b; and this was the order before PyTorch had such a function.
    """

    @functools.wraps(loss)
    def call(*given: Any, **named: Any) -> Any:
        if len(given) == 4 and "b" not in named:
            X, W, b, target = given
            dtype = b.dtype if hasattr(b, "dtype") else np.asarray(b).dtype
            if getattr(dtype, "kind", "f") in "bui":
                raise TypeError("of four arguments by position the third is b, which has integers here: name b")
            return loss(X, W, target, b=b, **named)
        return loss(*given, **named)

    return call


@overload
def linear_cross_entropy(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Reduced = ...,
    return_grad: No = ...,
    **options: Unpack[LinearEntropy],
) -> float: ...
@overload
def linear_cross_entropy(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Unreduced,
    return_grad: No = ...,
    **options: Unpack[LinearEntropy],
) -> Each: ...
@overload
def linear_cross_entropy(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Reduced = ...,
    return_grad: Yes,
    **options: Unpack[LinearEntropy],
) -> tuple[float, LinearGradients]: ...
@overload
def linear_cross_entropy(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Unreduced,
    return_grad: Yes,
    **options: Unpack[LinearEntropy],
) -> tuple[Each, LinearGradients]: ...
@_with_b_before_target
def linear_cross_entropy(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    b: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    return_grad: bool = False,
    grad_out: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None] | None = None,
    n_threads: int | None = None,
) -> Any:
    r"""Compute the cross-entropy of scores :math:`X W^\top + b`, some rows at a time.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, finite. The dtype of all is float64 if one of X, W and b needs it, else float32.
    W : array-like of shape (n_classes, n_features)
        Weights.
    target : array-like of int, shape (n_samples,), or of shape (n_samples, n_classes)
        As in `cross_entropy`, and so are `weight`, `sample_weight`, `ignore_index`, `label_smoothing` and `reduction`.
    b : array-like of shape (n_classes,), optional
        Intercepts; by default there are none.
    weight : array-like of shape (n_classes,), optional
        Weights of the classes.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows.
    ignore_index : int or None, default=-100
        Rows of this class are left out.
    label_smoothing : float in [0, 1], default=0.0
        This part of each target is spread evenly over the classes.
    reduction : {"mean", "sum", "none"}, default="mean"
        Of the rows.
    return_grad : bool, default=False
        Whether to return the gradients, too: of the reduced loss; of the sum where there is no reduction.
    grad_out : tuple of three arrays, optional
        Where to write the gradients: of the dtype of all and the shapes of X, W and b (None without b), C-contiguous.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    loss : float, or ndarray of shape (n_samples,), float64
        The loss.
    gradients : tuple of three ndarrays
        With ``return_grad=True``: with respect to X, W and b (None without b); `grad_out` if it was given.

    Raises
    ------
    TypeError
        If class ids are not integers, an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        As in `cross_entropy`; if X, W or b hold NaN or infinity, or a score overflows.

    See Also
    --------
    linear_hinge : The multiclass SVM's.

    Notes
    -----
    The order of the arguments is that of PyTorch's function of this name, which calls them `input`, `linear_weight`,
    `target` and `linear_bias`. Four arguments by position are X, W, b, target: the order of the formula, not PyTorch's.
    Types know the first order alone.

    Scores are held in blocks of at most 256 MiB and 4096 rows, or of one row. A sum of products goes through at most
    768 of them in order (of float64: 384), each step rounded once; such sums are then added in order. So results depend
    neither on the number of threads nor on the processor.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclf import losses
    >>> X, W = np.eye(2), np.zeros((2, 2))
    >>> loss, (grad_X, grad_W, grad_b) = losses.linear_cross_entropy(X, W, [0, 1], return_grad=True)
    >>> loss
    0.6931471805599453
    >>> grad_W
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    wanted = Wanted(reduction, return_grad, grad_out, n_threads, X)
    model = LinearModel.of(X, W, b)
    batch, mean_weight = cross_entropy_batch(
        model.scores(), target, weight, sample_weight, ignore_index, label_smoothing
    )
    return evaluate_linear(model, batch, wanted, mean_weight=mean_weight)


@overload
def linear_hinge(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Reduced = ...,
    return_grad: No = ...,
    **options: Unpack[LinearHinge],
) -> float: ...
@overload
def linear_hinge(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Unreduced,
    return_grad: No = ...,
    **options: Unpack[LinearHinge],
) -> Each: ...
@overload
def linear_hinge(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Reduced = ...,
    return_grad: Yes,
    **options: Unpack[LinearHinge],
) -> tuple[float, LinearGradients]: ...
@overload
def linear_hinge(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Unreduced,
    return_grad: Yes,
    **options: Unpack[LinearHinge],
) -> tuple[Each, LinearGradients]: ...
@_with_b_before_target
def linear_hinge(
    X: ArrayLike,
    W: ArrayLike,
    target: ArrayLike,
    *,
    b: ArrayLike | None = None,
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
    grad_out: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None] | None = None,
    n_threads: int | None = None,
) -> Any:
    r"""Compute the multiclass SVM loss of scores :math:`X W^\top + b`, some rows at a time.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, as in `linear_cross_entropy`.
    W : array-like of shape (n_classes, n_features)
        Weights.
    target : array-like of int, shape (n_samples,)
        As in `hinge`, and so are all options of the loss.
    b : array-like of shape (n_classes,), optional
        Intercepts; by default there are none.
    margin : float or array-like of shape (n_classes, n_classes), default=1.0
        One for all, or one for each pair of classes.
    kind : {"weston_watkins", "crammer_singer"}, default="weston_watkins"
        The sum of the terms, or the largest.
    squared : bool, default=False
        Whether terms are squared.
    average : bool, default=False
        Whether a row's loss is the mean of its terms.
    count_target : bool, default=False
        Whether the true class counts as well.
    weight : array-like of shape (n_classes,), optional
        Weights of the rows by class.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows.
    ignore_index : int or None, default=-100
        Rows of this class are left out.
    reduction : {"mean", "sum", "none"}, default="mean"
        Of the rows.
    return_grad : bool, default=False
        Whether to return the gradients, too, as in `linear_cross_entropy`.
    grad_out : tuple of three arrays, optional
        Where to write the gradients, as in `linear_cross_entropy`.
    n_threads : int, optional
        Number of threads; by default as `fastclf.set_num_threads` says.

    Returns
    -------
    loss : float, or ndarray of shape (n_samples,), float64
        The loss.
    gradients : tuple of three ndarrays
        With ``return_grad=True``: with respect to X, W and b (None without b); `grad_out` if it was given.

    Raises
    ------
    TypeError
        If class ids are not integers, an array is sparse or has masked entries, or an argument is of the wrong type.
    ValueError
        As in `hinge`; if X, W or b hold NaN or infinity, or a score overflows.

    Notes
    -----
    The order of the arguments is that of `linear_cross_entropy`, four by position included, and so are the memory that
    scores take and the order of sums.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclf import losses
    >>> losses.linear_hinge(np.eye(2), np.zeros((2, 2)), [0, 1], b=[0.0, 0.5])
    1.0
    """
    wanted = Wanted(reduction, return_grad, grad_out, n_threads, X)
    model = LinearModel.of(X, W, b)
    batch, share = hinge_batch(
        model.scores(), target, margin, kind, squared, average, count_target, weight, sample_weight, ignore_index
    )
    return evaluate_linear(model, batch, wanted, share=share)
