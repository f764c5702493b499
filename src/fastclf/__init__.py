"""fastclf: the fast, exact core of classical classification."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The native module starts with the package, so that a wrong FASTCLF_ISA is reported at import.
from fastclf import _native as _native

_C_API = _native.C_API  # a capsule: include/fastclf_api.h imports it by this name

if TYPE_CHECKING:
    from fastclf import losses as losses
    from fastclf import shards as shards
    from fastclf import sklearn as sklearn
    from fastclf import window as window
    from fastclf._c_interface import c_functions as c_functions
    from fastclf._c_interface import get_include as get_include
    from fastclf._shared.config import show_config as show_config
    from fastclf._shared.threads import set_num_threads as set_num_threads
    from fastclf._shared.threads import threads as threads
    from fastclf.linear import LinearClassifier as LinearClassifier
    from fastclf.neighbors.classifier import KNN as KNN
    from fastclf.neighbors.cross_validation import KNNCV as KNNCV
    from fastclf.neighbors.functions import knn as knn
    from fastclf.neighbors.functions import majority_vote as majority_vote
    from fastclf.neighbors.functions import pairwise_distances as pairwise_distances
    from fastclf.window import WindowClassifier as WindowClassifier

# Public names and the modules they come from: imported when first asked for, as the estimators bring in scikit-learn.
_MODULES = {
    "KNN": "neighbors.classifier",
    "KNNCV": "neighbors.cross_validation",
    "LinearClassifier": "linear",
    "WindowClassifier": "window",
    "c_functions": "_c_interface",
    "get_include": "_c_interface",
    "knn": "neighbors.functions",
    "majority_vote": "neighbors.functions",
    "pairwise_distances": "neighbors.functions",
    "set_num_threads": "_shared.threads",
    "show_config": "_shared.config",
    "threads": "_shared.threads",
}

# Without `dask`, `sklearn` and `torch`: "from fastclf import *" should leave these names to their packages.
__all__ = [
    "KNN",
    "KNNCV",
    "LinearClassifier",
    "WindowClassifier",
    "c_functions",
    "get_include",
    "knn",
    "losses",
    "majority_vote",
    "pairwise_distances",
    "set_num_threads",
    "shards",
    "show_config",
    "threads",
    "window",
]


def __getattr__(name: str) -> Any:
    if name in ("dask", "losses", "shards", "sklearn", "torch", "window"):
        return importlib.import_module(f"fastclf.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'fastclf' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"fastclf.{_MODULES[name]}"), name)
    globals()[name] = found  # to look it up again would take a tenth of the smallest search
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
