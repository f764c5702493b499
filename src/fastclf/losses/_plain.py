"""The mean loss of plain arrays with the least that has to be done: of mini-batches, more takes as long as the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastclf import _native
from fastclf._shared import threads
from fastclf._shared.batch import Batch

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
_CLASS_IDS = np.dtype(np.int64)
_ONE_THREAD = 1 << 16  # scores that are not shared out
_MOST_THREADS = 1 << 20
_MOST = 1 << 62  # of a number to be ignored


def mean_loss(
    loss: str,
    scores: Any,
    target: Any,
    reduction: Any,
    return_grad: Any,
    grad_out: Any,
    ignore_index: Any,
    n_threads: Any,
    margin: Any = 0.0,
) -> Any:
    """Return the mean loss of rows of given class, or (loss, gradient); None for what is to be looked at closely.

    That is all but arrays in the kernels' form, a class for each row, and arguments of the usual types.
    """
    if type(scores) is not np.ndarray or type(target) is not np.ndarray or target.dtype != _CLASS_IDS:
        return None
    if scores.dtype not in _DTYPES or scores.ndim != 2 or type(reduction) is not str or reduction != "mean":
        return None
    if type(ignore_index) is not int or abs(ignore_index) > _MOST:
        return None
    if type(margin) is not float or not 0 <= margin < math.inf:
        return None
    if n_threads is None:
        n_threads = 1 if scores.size < _ONE_THREAD else threads.resolve(None)
    if type(n_threads) is not int or not 0 < n_threads < _MOST_THREADS:
        return None
    gradient = grad_out
    if return_grad is True:
        gradient = np.empty_like(scores) if grad_out is None else grad_out
        if type(gradient) is not np.ndarray:
            return None
    elif return_grad is not False or grad_out is not None:
        return None
    found = _native.mean_loss(loss, scores, target, gradient, margin, ignore_index, n_threads)
    if found is None:
        return None
    value, bad_row = found
    if bad_row is not None:
        raise Batch(loss, scores, target).error_of(bad_row, bad_row)
    return value if gradient is None else (value, gradient)
