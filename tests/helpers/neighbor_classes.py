"""scikit-learn's neighbour classes, and rows for them."""

from __future__ import annotations

from fastclf import sklearn as ours

CLASSES = [getattr(ours, name) for name in ours.__all__]
SUPERVISED = [cls for cls in CLASSES if hasattr(cls, "predict")]


def task(rng):
    """Continuous rows, of which no two distances are equal, and queries; classes of two outputs."""
    X, Q = rng.normal(size=(300, 5)), rng.normal(size=(60, 5))
    return X, Q, rng.integers(0, 3, (300, 2))
