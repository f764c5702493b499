"""Types of what losses take and return, for their overloads: without reduction there is a loss for each row."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reduced = Literal["mean", "sum"]
Unreduced = Literal["none"]
No = Literal[False]
Yes = Literal[True]

Each = NDArray[np.float64]
Gradient = NDArray[Any]
PairOfGradients = tuple[NDArray[Any], NDArray[Any]]
LinearGradients = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]

# --- options of ... ---------------------------------------------------------------------------------------------------


class Common(TypedDict, total=False):
    """All losses."""

    sample_weight: ArrayLike | None
    n_threads: int | None


class Plain(Common, total=False):
    """`kl_div`."""

    grad_out: Gradient | None


class Margin(Common, total=False):
    """`max_margin`."""

    margin: float
    grad_out: PairOfGradients | None


class Binary(Plain, total=False):
    """`binary_cross_entropy_with_logits`."""

    pos_weight: float | ArrayLike | None


class Classes(Plain, total=False):
    """`mse` and `softmax_mse`."""

    ignore_index: int | None


class _EntropyAlone(TypedDict, total=False):
    ignore_index: int | None
    weight: ArrayLike | None
    label_smoothing: float


class _HingeAlone(TypedDict, total=False):
    ignore_index: int | None
    weight: ArrayLike | None
    margin: float | ArrayLike
    kind: str
    squared: bool
    average: bool
    count_target: bool


class _LinearAlone(TypedDict, total=False):
    b: ArrayLike | None
    grad_out: LinearGradients | None


class Entropy(Plain, _EntropyAlone, total=False):
    """`cross_entropy`."""


class Hinge(Plain, _HingeAlone, total=False):
    """`hinge`."""


class LinearEntropy(Common, _EntropyAlone, _LinearAlone, total=False):
    """`linear_cross_entropy`."""


class LinearHinge(Common, _HingeAlone, _LinearAlone, total=False):
    """`linear_hinge`."""
