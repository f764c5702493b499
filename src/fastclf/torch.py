"""Losses as functions of PyTorch with autograd, in the place of those of `torch.nn.functional`, for the CPU.

Only this module needs PyTorch (``pip install torch``). Loss and gradient are computed in one pass over the scores, with
the error bounds of `fastclf.losses`; the gradient is kept until `backward`. Half precision and bfloat16 are computed in
float32, and results are of the scores' dtype (under autocast float32, as PyTorch has it).

Gradients are those with respect to scores and target probabilities, of first order: to differentiate them again is an
error, as are forward-mode derivatives and the transforms of `torch.func`. `torch.compile` leaves these functions as
they are, with a break of its graph before and after.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastclf._shared import validation as check
from fastclf._shared.batch import Batch
from fastclf._shared.parameters import number
from fastclf.losses import _checks, log_softmax
from fastclf.losses._evaluate import REDUCTIONS, Wanted, evaluate, scale_of
from fastclf.losses._hinge import hinge_batch
from fastclf.losses._softmax import cross_entropy_batch

try:
    import torch
    from torch.autograd import forward_ad
except ImportError as error:
    raise ImportError(f"fastclf.torch needs PyTorch, which cannot be imported ({error}): pip install torch") from error

__all__ = ["cross_entropy", "hinge"]

_IN_FLOAT32 = (torch.float16, torch.bfloat16)  # are computed with
_FLOATS = (*_IN_FLOAT32, torch.float32, torch.float64)

# Scores and targets to a batch, and the weights of its rows in a mean if they are not its own.
_Prepare = Callable[[NDArray[Any], Any], tuple[Batch, NDArray[Any] | None]]


def _left_out_of_graphs(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have `torch.compile` leave a function as it is; what tells it takes seconds to import, and waits until then."""
    left_out: list[Any] = []

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        if not torch.compiler.is_compiling():
            return function(*args, **keywords)
        if not left_out:
            left_out.append(torch.compiler.disable(function))
        return left_out[0](*args, **keywords)

    return call


class _Loss(NamedTuple):
    """A loss of rows of scores; targets that are probabilities are given beside the other arguments."""

    prepare: _Prepare
    reduction: str
    target_gradients: Callable[[Any], Any] | None = None  # of rows, without their incoming gradients

    def of(self, rows: Any, target: Any, gradient: Any = None) -> Any:
        """Compute the loss, and write the gradient if asked for."""
        wanted = Wanted(self.reduction, gradient is not None, gradient, None, rows)
        batch, mean_weight = self.prepare(_checks.scores(rows), target)
        found = evaluate(batch, wanted, mean_weight=mean_weight)
        loss = found if gradient is None else found[0]
        if self.reduction == "mean" and loss == 0 and scale_of(batch, wanted, 1, mean_weight) == 0:
            loss = float("nan")  # as PyTorch's mean of no rows is
        return torch.as_tensor(loss, dtype=rows.dtype, device="cpu")


class _Differentiable(torch.autograd.Function):  # type: ignore[misc]
    """A loss whose gradient is computed together with it.

    `of_scores` and `of_target` are empty tensors made of these two; they say what the gradients depend on.
    """

    @staticmethod
    def forward(ctx: Any, rows: Any, target: Any, of_scores: Any, of_target: Any, loss: _Loss) -> Any:
        """Compute the loss, and keep its gradients for `backward`."""
        gradient = torch.empty_like(rows, memory_format=torch.contiguous_format) if ctx.needs_input_grad[0] else None
        value = loss.of(rows, target, gradient)
        gradients = loss.target_gradients(rows) if ctx.needs_input_grad[1] and loss.target_gradients else None
        ctx.save_for_backward(gradient, gradients, of_scores, of_target)
        return value

    @staticmethod
    def backward(ctx: Any, incoming: Any) -> tuple[Any, ...]:
        """Multiply the gradients by the incoming one: a number, or one for each row."""
        *kept, of_scores, of_target = ctx.saved_tensors
        found = [None if gradients is None else gradients * incoming[..., None] for gradients in kept]
        if torch.is_grad_enabled():
            found = [None if gradients is None else _Once.apply(gradients, of_scores, of_target) for gradients in found]
        return *found, None, None, None


class _Once(torch.autograd.Function):  # type: ignore[misc]
    """What gradients pass that depend on scores and target, but cannot be differentiated by them."""

    @staticmethod
    def forward(ctx: Any, gradients: Any, of_scores: Any, of_target: Any) -> Any:  # noqa: ARG004 -- for autograd
        """Pass the gradient on."""
        return gradients.clone()

    @staticmethod
    def backward(ctx: Any, incoming: Any) -> Any:  # noqa: ARG004
        """Raise."""
        raise RuntimeError("gradients of the losses of fastclf.torch cannot be differentiated again")


@_left_out_of_graphs
def cross_entropy(
    input: Any,  # noqa: A002 -- PyTorch's name
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    r"""Compute the softmax (cross-entropy) loss, as `torch.nn.functional.cross_entropy` does.

    Parameters
    ----------
    input : Tensor of shape (C,), (N, C) or (N, C, d1, ...)
        Scores of C classes: float16, bfloat16, float32 or float64, on the CPU. Of two dimensions in C order they are
        not copied.
    target : Tensor of shape (), (N,) or (N, d1, ...), or of the shape of `input`
        Class ids, of any integer dtype; or, in the scores' shape, probabilities of the classes, which are not checked
        to sum to 1.
    weight : Tensor of shape (C,), optional
        Weights of the classes, not negative.
    ignore_index : int, default=-100
        Scores of this class are left out: loss 0, gradient 0. Not for probabilities.
    reduction : {"mean", "sum", "none"}, default="mean"
        ``"mean"`` divides the sum by that of the weights of the class ids (for probabilities, by their number). Where
        it divides by 0, the loss is NaN and the gradient 0.
    label_smoothing : float in [0, 1], default=0.0
        This part of each target is spread evenly over the classes.

    Returns
    -------
    Tensor of shape (), or of that of class ids
        The loss, in the dtype of `input`. `backward` gives gradients to `input`, and to probabilities.

    Raises
    ------
    TypeError
        If an argument is no tensor, scores or probabilities are no floats, or class ids no integers.
    ValueError
        If a tensor is on another device, shapes do not fit, a class id is out of range, `weight` is negative or
        requires a gradient, or scores hold NaN or +inf or, of a row, nothing but -inf. Rows are counted over N, d1, ...
        For ``"mean"``, if the weights of the class ids sum to more than 0, but not to between 1e-300 and 1e300.
    NotImplementedError
        If a tensor has a forward-mode derivative, or the call is inside a transform of `torch.func`.

    See Also
    --------
    fastclf.losses.cross_entropy : Loss and gradient without autograd; the formula.

    Notes
    -----
    PyTorch answers NaN where scores are NaN or infinite, which is an error here. A score of -inf is a class that is not
    there: PyTorch has the same loss and gradient, but for targets or smoothing that give such a class a part of 0 or
    more, where it has NaN or infinity; here 0 stays 0, and smoothing passes it over.

    Examples
    --------
    >>> import torch
    >>> from fastclf.torch import cross_entropy
    >>> scores = torch.zeros(1, 2, requires_grad=True)
    >>> loss = cross_entropy(scores, torch.tensor([1]))
    >>> loss.backward()
    >>> round(loss.item(), 4), scores.grad.tolist()
    (0.6931, [[0.5, -0.5]])
    """
    check.one_of(reduction, REDUCTIONS, "reduction")
    smoothing = number(label_smoothing, "label_smoothing", 0, 1)
    _check_tensors(input, target)
    of_class = None if weight is None else _constant(weight, "weight")
    has_probabilities = target.shape == input.shape
    if has_probabilities and target.dtype not in _FLOATS:
        raise TypeError(f"target in the shape of input must be probabilities, which are floats, got {target.dtype}")
    if not has_probabilities and target.shape != (shape := _shape_of_ids(input)):
        raise ValueError(
            f"target must have shape {shape}, or for probabilities that of input, {tuple(input.shape)}; got "
            f"{tuple(target.shape)}"
        )

    def prepare(z: NDArray[Any], t: Any) -> tuple[Batch, NDArray[Any] | None]:
        batch, mean_weight = cross_entropy_batch(z, t, of_class, None, ignore_index, smoothing)
        return replace(batch, targets="any", called="input"), mean_weight

    def target_gradients(rows: Any) -> Any:
        share = max(1, len(rows)) if reduction == "mean" else 1
        one = torch.ones((), dtype=torch.float64, device="cpu")  # a scalar, which leaves the rows' dtype as it is
        factor = -(1 - smoothing) / share * (one if of_class is None else of_class)
        return torch.where(factor == 0, 0.0, log_softmax(rows) * factor)  # 0 stays 0, also where the logarithm is -inf

    loss = _Loss(prepare, reduction, target_gradients if has_probabilities else None)
    return _evaluated(loss, input, target, has_probabilities)


@_left_out_of_graphs
def hinge(
    input: Any,  # noqa: A002 -- PyTorch's name
    target: Any,
    p: int = 1,
    margin: Any = 1.0,
    weight: Any = None,
    *,
    kind: str = "weston_watkins",
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    r"""Compute the multiclass SVM loss, :math:`\sum_{i \ne y} \max(0, s_i - s_y + \Delta)^p`.

    Parameters
    ----------
    input : Tensor of shape (C,), (N, C) or (N, C, d1, ...)
        Scores of C classes, as in `cross_entropy`.
    target : Tensor of shape (), (N,) or (N, d1, ...)
        Class ids, of any integer dtype.
    p : {1, 2}, default=1
        Power of the terms.
    margin : float or Tensor of shape (C, C), default=1.0
        :math:`\Delta`: one for all, or ``margin[y, i]`` for class i against the true class y.
    weight : Tensor of shape (C,), optional
        Weights of the classes, not negative.
    kind : {"weston_watkins", "crammer_singer"}, default="weston_watkins"
        The sum of the terms, or the largest of them.
    ignore_index : int, default=-100
        Scores of this class are left out: loss 0, gradient 0.
    reduction : {"mean", "sum", "none"}, default="mean"
        ``"mean"`` divides the sum by that of the weights of the class ids. Where that is 0, the loss is NaN and the
        gradient 0.

    Returns
    -------
    Tensor of shape (), or of that of class ids
        The loss, in the dtype of `input`. `backward` gives a gradient to `input`.

    Raises
    ------
    TypeError
        If an argument is no tensor, scores are no floats, class ids no integers, `p` is no int, or `margin` no number.
    ValueError
        If a tensor is on another device, shapes do not fit, a class id is out of range, `p` or `kind` is not one of
        those above, `weight` is negative, `weight` or `margin` requires a gradient, or a score is NaN or infinite.
        For ``"mean"``, if the weights of the class ids sum to more than 0, but not to between 1e-300 and 1e300.
    NotImplementedError
        If a tensor has a forward-mode derivative, or the call is inside a transform of `torch.func`.

    See Also
    --------
    fastclf.losses.hinge : Loss and gradient without autograd; at kinks the slope is 0.

    Notes
    -----
    `torch.nn.functional.multi_margin_loss` is this loss of one margin divided by C: it takes the mean over all classes
    where this is the sum of those that are not y. Its mean with `weight` divides by the number of rows.

    Examples
    --------
    >>> import torch
    >>> from fastclf.torch import hinge
    >>> scores = torch.tensor([[3.0, 5.0, -1.5]], requires_grad=True)
    >>> loss = hinge(scores, torch.tensor([0]))
    >>> loss.backward()
    >>> loss.item(), scores.grad.tolist()
    (3.0, [[-1.0, 1.0, 0.0]])
    """
    check.one_of(reduction, REDUCTIONS, "reduction")
    if isinstance(p, bool) or not isinstance(p, numbers.Integral):
        raise TypeError(f"p must be 1 or 2, got {p!r}")
    if p not in (1, 2):
        raise ValueError(f"p must be 1 or 2, got {p!r}")
    _check_tensors(input, target)
    if target.shape != (shape := _shape_of_ids(input)):
        raise ValueError(f"target must hold class ids of shape {shape}, got shape {tuple(target.shape)}")
    of_class = None if weight is None else _constant(weight, "weight")
    if isinstance(margin, torch.Tensor):
        margin = _constant(margin, "margin")
    elif isinstance(margin, str | bytes):  # would be read as an array
        raise TypeError(f"margin must be a number or a matrix, got {margin!r}")

    def prepare(z: NDArray[Any], t: Any) -> tuple[Batch, None]:
        batch, _ = hinge_batch(z, t, margin, kind, p == 2, False, False, of_class, None, ignore_index)
        return replace(batch, called="input"), None

    return _evaluated(_Loss(prepare, reduction), input, target, has_probabilities=False)


def _evaluated(loss: _Loss, scores: Any, target: Any, has_probabilities: bool) -> Any:
    """Return the loss in the scores' dtype and, unreduced, in the shape of class ids."""
    rows, targets = _rows(scores), _rows(target) if has_probabilities else target.reshape(-1)
    if torch.is_grad_enabled() and (rows.requires_grad or targets.requires_grad):
        value = _Differentiable.apply(rows, targets, _emptied(rows), _emptied(targets), loss)
    else:
        value = loss.of(rows, targets)
    by_autocast = scores.dtype in _IN_FLOAT32 and torch.is_autocast_enabled("cpu")
    shape = _shape_of_ids(scores) if loss.reduction == "none" else ()
    return value.reshape(shape).to(rows.dtype if by_autocast else scores.dtype)


def _shape_of_ids(scores: Any) -> tuple[int, ...]:
    """Return the shape of the class ids of scores."""
    return (*scores.shape[:1], *scores.shape[2:]) if scores.ndim > 1 else ()


def _emptied(tensor: Any) -> Any:
    """Return nothing of a tensor, without its memory, but with what it was computed from."""
    return tensor[:0].clone() if tensor.requires_grad else None


def _rows(values: Any) -> Any:
    """Return values of classes as rows, in a dtype that is computed with."""
    values = values.float() if values.dtype in _IN_FLOAT32 else values
    if values.ndim == 2:
        return values
    return values[None] if values.ndim == 1 else values.movedim(1, -1).flatten(0, -2)


def _constant(tensor: Any, name: str) -> Any:
    """Return a tensor that no gradient is asked of, in a dtype that is computed with."""
    _check_tensor(tensor, name)
    if tensor.requires_grad and torch.is_grad_enabled():
        raise ValueError(f"{name} requires a gradient, which is not computed: give {name}.detach()")
    return tensor.float() if tensor.dtype in _IN_FLOAT32 else tensor


def _check_tensors(scores: Any, target: Any) -> None:
    """Raise unless scores are ones of classes, and both are where they can be read."""
    _check_tensor(scores, "input")
    _check_tensor(target, "target")
    if scores.dtype not in _FLOATS:
        raise TypeError(f"input must be one of {', '.join(map(str, _FLOATS))}, got {scores.dtype}")
    if scores.ndim == 0 or scores.shape[min(scores.ndim - 1, 1)] == 0:
        raise ValueError(f"input must have at least one class, got shape {tuple(scores.shape)}")


def _check_tensor(tensor: Any, name: str) -> None:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}")
    if _is_transformed(tensor):
        raise NotImplementedError(f"fastclf.torch does not support torch.func: {name} was given inside a transform")
    if forward_ad.unpack_dual(tensor).tangent is not None:
        raise NotImplementedError(f"fastclf.torch does not support forward-mode derivatives: {name} has a tangent")
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        raise ValueError(f"{name} must be dense and on the CPU, got {tensor.layout} on device {tensor.device}")


def _is_transformed(tensor: Any) -> bool:
    """Whether a transform of `torch.func` is at work, or has left a tensor without memory of its own."""
    functorch = getattr(torch._C, "_functorch", None)  # private to PyTorch: what it lacks is not asked
    is_wrapped = getattr(functorch, "is_functorch_wrapped_tensor", None)
    innermost = getattr(functorch, "peek_interpreter_stack", None)
    return bool(is_wrapped and is_wrapped(tensor)) or (innermost is not None and innermost() is not None)
