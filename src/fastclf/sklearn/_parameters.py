"""scikit-learn's parameters of neighbours, and what fastclf calls them."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import threads
from fastclf._shared import validation as check

# All find the same neighbours by the same search, which sees to it by itself whether a tree pays.
ALGORITHMS = ("auto", "ball_tree", "brute", "kd_tree")

_DISTANCES = {name for name, kernels in check.METRIC_NAMES.items() if not _native.Traits(kernels).is_product}
_MINKOWSKI: dict[Any, str] = {1: "manhattan", 2: "euclidean", math.inf: "chebyshev"}


class Metric(NamedTuple):
    """A metric by scikit-learn's name and by that of the kernels."""

    effective: str
    kernels: str


def check_algorithm(algorithm: object) -> None:
    """Raise unless scikit-learn knows it."""
    check.one_of(algorithm, ALGORITHMS, "algorithm")


def metric_of(metric: Any, p: Any, metric_params: Any, peer: str) -> Metric:
    """Return the metric that the parameters name; `peer` is the class of scikit-learn's that has the others."""
    if not isinstance(metric, str):
        raise ValueError(
            f"metric must be a name, got {metric!r}: functions of two rows are for sklearn.neighbors.{peer}"
        )
    params = {} if metric_params is None else metric_params
    if not isinstance(params, dict):
        raise TypeError(f"metric_params must be a dict or None, got {metric_params!r}")
    if p is not None:
        _check_power(p)
    effective = _minkowski(p, params, peer) if metric == "minkowski" else metric
    if effective not in check.METRIC_NAMES:
        known = sorted({"minkowski", *_DISTANCES})
        raise ValueError(f"metric must be one of {known}, got {effective!r}{_advice(effective, peer)}")
    if _native.Traits(check.METRIC_NAMES[effective]).is_product:
        raise ValueError(
            f"metric={effective!r} is no distance, and scikit-learn has none of that name: it is for fastclf.KNN and "
            f"fastclf.knn, got {effective!r} for {peer}"
        )
    if metric != "minkowski" and params:
        raise ValueError(f"metric_params={params!r} is for metric='minkowski', got metric={metric!r}")
    return Metric(effective, check.METRIC_NAMES[effective])


def _check_power(p: Any) -> None:
    """Raise for what is no power of any metric, also where the metric takes none."""
    if isinstance(p, bool) or not isinstance(p, numbers.Real):
        raise TypeError(f"p must be a number, got {p!r}")
    if not float(p) > 0:
        raise ValueError(f"p must be above 0, got {p!r}")


def _minkowski(p: Any, params: dict[Any, Any], peer: str) -> str:
    """Return scikit-learn's name of a Minkowski metric that has one."""
    if params.get("w") is not None:
        raise ValueError(
            "metric_params['w'], weights of the features, is not supported: multiply the columns by w ** (1 / p), "
            "which gives the same distances"
        )
    if unknown := params.keys() - {"p", "w"}:
        raise ValueError(f"metric_params of 'minkowski' may have 'p', got {sorted(map(str, unknown))}")
    if "p" in params and p is not None:
        warnings.warn("metric_params has p: the parameter p is ignored", SyntaxWarning, stacklevel=5)  # fit's caller
    power: Any = params.get("p", p)
    _check_power(power)
    if power not in _MINKOWSKI:
        raise ValueError(f"p must be 1, 2 or inf, got {power!r}; others are for sklearn.neighbors.{peer}")
    return _MINKOWSKI[power]


def _advice(metric: str, peer: str) -> str:
    if metric == "precomputed":
        return f"; pass the rows themselves, or distances that you have to sklearn.neighbors.{peer}"
    return f"; sklearn.neighbors.{peer} has other metrics"


def threads_of(n_jobs: object) -> int:
    """Return how many threads `n_jobs` asks for: None for fastclf's default, -1 for all, -2 for all but one, ..."""
    if n_jobs is None:
        return threads.resolve(None)
    if isinstance(n_jobs, numbers.Integral) and not isinstance(n_jobs, bool) and n_jobs < 0:
        return max(1, threads.default() + 1 + int(n_jobs))
    return threads.checked(n_jobs, "n_jobs")


def radii_of(radius: Any, n_queries: int | None = None) -> NDArray[np.float64]:
    """Return a radius, or with `n_queries` one of each query, as float64."""
    array = np.asarray(radius) if isinstance(radius, np.ndarray | list | tuple) else radius
    is_number = isinstance(array, numbers.Real) and not isinstance(array, bool)
    if not is_number and not (isinstance(array, np.ndarray) and array.dtype.kind in "iuf"):
        raise TypeError(f"radius must be a number, got {radius!r} of type {type(radius).__name__}")
    try:
        radii = np.asarray(array, dtype=np.float64)
    except OverflowError:
        raise ValueError(f"radius must be in the range of float64, got {radius!r:.60}") from None
    if not (radii >= 0).all():  # NaN is not
        raise ValueError(f"radius must be at least 0, got {radius!r}")
    if radii.shape not in ((), (n_queries,)):
        raise ValueError(f"radius must be a number or one for each query, got shape {radii.shape}")
    return radii if n_queries is None else np.broadcast_to(radii, (n_queries,))
