"""fastclf: the fast, exact core of classical classification."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The native module starts with the package, so that a wrong FASTCLF_ISA is reported at import.
from fastclf import _native as _native

if TYPE_CHECKING:
    from fastclf import losses as losses
    from fastclf import sklearn as sklearn
    from fastclf import window as window
    from fastclf._config import show_config as show_config
    from fastclf._threads import set_num_threads as set_num_threads
    from fastclf._threads import threads as threads
    from fastclf.functional import knn as knn
    from fastclf.functional import majority_vote as majority_vote
    from fastclf.functional import pairwise_distances as pairwise_distances
    from fastclf.linear import LinearClassifier as LinearClassifier
    from fastclf.model_selection import KNNCV as KNNCV
    from fastclf.neighbors import KNN as KNN
    from fastclf.window import WindowClassifier as WindowClassifier

# Public names and the modules they come from: imported when first asked for, as the estimators bring in scikit-learn.
_MODULES = {
    "KNN": "neighbors",
    "KNNCV": "model_selection",
    "LinearClassifier": "linear",
    "WindowClassifier": "window",
    "knn": "functional",
    "majority_vote": "functional",
    "pairwise_distances": "functional",
    "set_num_threads": "_threads",
    "show_config": "_config",
    "threads": "_threads",
}

# Without `sklearn`: "from fastclf import *" should leave the name to scikit-learn.
__all__ = [
    "KNN",
    "KNNCV",
    "LinearClassifier",
    "WindowClassifier",
    "knn",
    "losses",
    "majority_vote",
    "pairwise_distances",
    "set_num_threads",
    "show_config",
    "threads",
    "window",
]


def __getattr__(name: str) -> Any:
    if name in ("losses", "sklearn", "window"):
        return importlib.import_module(f"fastclf.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'fastclf' has no attribute {name!r}")
    return getattr(importlib.import_module(f"fastclf.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
