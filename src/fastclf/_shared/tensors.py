"""Tensors: arrays of other packages that offer their memory by DLPack; and results in the package of the caller."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

A = TypeVar("A", bound=NDArray[Any])

# DLPack's numbers of what the processor reads: main memory, also such as CUDA or ROCm pinned or manages.
_READABLE = (1, 3, 11, 13)

_REFUSALS = (AttributeError, BufferError, NotImplementedError, RuntimeError, TypeError, ValueError)


def is_tensor(a: Any) -> bool:
    """Whether `a` offers memory by DLPack; columns of Arrow do as well, but not all of them."""
    is_other = isinstance(a, np.ndarray | np.generic) or hasattr(a, "__arrow_c_array__")
    return hasattr(a, "__dlpack__") and not is_other


def memory_of(a: Any, name: str) -> NDArray[Any]:
    """Return a tensor's memory as an array; gradients are not tracked through it."""
    is_of_torch = _is_of_torch(a)
    if not is_of_torch or a.device.type != "cpu":
        _refuse_elsewhere(a, name)
    if tracks_gradients(a):
        a = a.detach()
    try:
        # By DLPack PyTorch takes ten times as long, and does not tell of a sign that is still to be changed.
        return _checked(a).resolve_neg().numpy() if is_of_torch else np.from_dlpack(a)
    except _REFUSALS as error:  # a dtype that NumPy does not have, say
        raise ValueError(f"{name} cannot be read as an array: {error}") from None


def _checked(a: Any) -> Any:
    """Return a tensor of PyTorch whose memory is all there: its storage may have been made smaller than the tensor."""
    last = a.storage_offset() + sum((n - 1) * step for n, step in zip(a.shape, a.stride(), strict=True))
    needed, held = (last + 1) * a.element_size(), a.untyped_storage().nbytes()
    if a.numel() and needed > held:
        raise ValueError(f"it needs {needed} bytes of memory, of which its storage has {held}")
    return a


def _is_of_torch(a: Any) -> bool:
    torch = sys.modules.get("torch")  # whoever has a tensor has imported it
    return torch is not None and isinstance(a, torch.Tensor)


def tracks_gradients(a: Any) -> bool:
    """Whether operations on `a` are recorded, as PyTorch does for a tensor that requires a gradient."""
    return getattr(a, "requires_grad", False) is True


def _refuse_elsewhere(a: Any, name: str) -> None:
    """Raise for a tensor that is not in main memory."""
    try:
        device = a.__dlpack_device__()[0]
    except _REFUSALS:  # of a device that DLPack has no number for
        device = None
    if device not in _READABLE:
        where = getattr(a, "device", device)
        raise ValueError(f"{name} cannot be read as an array: it is on device {where}, not in the CPU's memory")


def refuse_untold(out: Any, name: str) -> None:
    """Raise unless the memory of `out` is all there is to it, so that results may be written there."""
    if not hasattr(out, "__array_interface__") and not hasattr(out, "__dlpack__"):
        raise TypeError(f"{name} must be an array, got {type(out).__name__}")
    if hasattr(out, "is_neg") and out.is_neg():
        raise ValueError(f"{name} is a tensor whose negative bit is set: results cannot be written straight into it")
    if tracks_gradients(out):
        raise ValueError(f"{name} is a tensor that requires a gradient: results cannot be written straight into it")


def given_back(result: A, given: Any) -> A:
    """Return a result as an array of the package that `given` is of: its memory, or where that cannot be, a copy.

    For type checkers it stays what it was: they are not told of other packages' arrays.
    """
    if isinstance(given, np.ndarray) or not is_tensor(given):
        return result
    if _is_of_torch(given):
        tensor: A = sys.modules["torch"].from_numpy(result)
    elif hasattr(given, "__array_namespace__"):
        tensor = given.__array_namespace__().asarray(result, device=given.device)
    else:
        tensor = result
    return tensor
