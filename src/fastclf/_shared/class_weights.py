"""What classes weigh: `class_weight` of the estimators."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import labels as _labels


def with_class_weights(
    codes: NDArray[np.int64], classes: NDArray[Any], class_weight: Any, given: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return weights of rows: those given, 1 if there are none, times their classes'."""
    weights = np.ones(len(codes)) if given is None else given
    of_class = np.bincount(codes, weights, len(classes)).astype(np.float64)
    factors = class_factors(classes, class_weight, of_class)
    with np.errstate(over="ignore"):  # callers refuse what sums to infinity
        weighted: NDArray[np.float64] = weights * factors[codes]
    return weighted


def class_factors(classes: NDArray[Any], class_weight: Any, of_class: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factor of each class; `of_class` are the sums of its rows' weights."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            factors: NDArray[np.float64] = np.divide(
                of_class.sum(), len(classes) * of_class, out=np.zeros_like(of_class), where=of_class > 0
            )
    else:
        factors = _named_weights(classes, class_weight)
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise ValueError(f"class_weight must be finite and not negative, got {class_weight!r}")
    return factors


def _named_weights(classes: NDArray[Any], class_weight: Any) -> NDArray[np.float64]:
    """Return weights that classes have by name; the others weigh 1, unless names may be wrong."""
    if not isinstance(class_weight, dict):
        raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}")
    weights, named = np.ones(len(classes)), np.zeros(len(classes), bool)
    unknown = []
    for name, weight in class_weight.items():
        at = _labels.are_equal(classes, _labels.label_of(name))
        if not at.any():
            unknown.append(name)
        if named[at].any():
            raise ValueError(f"class_weight names one class twice: {name!r} is also there by another name")
        if not isinstance(weight, numbers.Real):
            raise TypeError(f"class_weight must have numbers, got {weight!r} for {name!r}")
        weights[at], named[at] = weight, True
    if unknown and not named.all():
        others = [str(label) for label in classes[~named][:5]]
        raise ValueError(
            f"class_weight has {unknown[:5]!r}, which are no classes; classes without a weight are {others}"
        )
    return weights
