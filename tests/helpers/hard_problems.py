"""Small problems of every kind that breaks solvers, drawn by number."""

from __future__ import annotations

import numpy as np
import scipy.sparse

KINDS = (
    "scaled",
    "scaled by column",
    "sentinels",
    "offset",
    "equal columns",
    "dependent columns",
    "equal rows",
    "constant",
    "sparse",
    "float32",
    "uint8",
    "weights",
    "integers",
)


def labels(rng, n):
    """Even classes, or ones that get ever rarer; at least two."""
    classes = int(rng.integers(2, 5))
    even = rng.random() < 0.7
    y = rng.permutation(np.arange(n) % classes) if even else np.minimum(rng.geometric(0.6, n) - 1, classes - 1)
    y = np.unique(y, return_inverse=True)[1]
    y[0] += y.max() == 0
    return y


def values(rng, y, kinds):
    """Normal rows about their classes' points, some of them separable, with all that the kinds ask for."""
    n, d = len(y), int(rng.integers(1, 6))
    X = rng.normal(size=(n, d)) + rng.choice([0, 0.5, 2, 10]) * rng.normal(size=(y.max() + 1, d))[y]
    if "equal columns" in kinds:
        X = np.column_stack([X, X[:, 0]])
    if "dependent columns" in kinds:
        X = np.column_stack([X, X[:, 0] + 2 * X[:, -1]])
    if "equal rows" in kinds:
        X[n // 2 :] = X[: n - n // 2]
    if "integers" in kinds:
        X = np.round(X)
    if "constant" in kinds:
        X[:, rng.integers(X.shape[1])] = rng.choice([0, 1, 1e6])
    if "offset" in kinds:
        X = X + 10.0 ** rng.integers(0, 9)
    if "sentinels" in kinds:
        X[rng.integers(n, size=int(rng.integers(1, 4))), rng.integers(X.shape[1])] = rng.choice(
            [-9999, -999, 1e10, 1e20]
        )
    if "sparse" in kinds:
        X = X * (rng.random(X.shape) < 0.4)
    most = 15 if "float32" in kinds else 30
    if "scaled" in kinds:
        X = X * 10.0 ** rng.integers(-most, most + 1)
    elif "scaled by column" in kinds:
        X = X * 10.0 ** rng.integers(-most, most + 1, X.shape[1])
    return X


def problem(number):
    """X, y, sample weights or None, parameters, kinds."""
    rng = np.random.default_rng(number)
    y = labels(rng, int(rng.integers(4, 50)))
    kinds = [kind for kind in KINDS if rng.random() < 0.25]
    X = values(rng, y, kinds)
    if "float32" in kinds:
        X = np.clip(X, -1e30, 1e30).astype(np.float32)
    elif "uint8" in kinds and not {"scaled", "scaled by column"} & set(kinds):
        X = np.clip(abs(X) * 20, 0, 255).astype(np.uint8)
    weight = None
    if "weights" in kinds:
        weight = rng.integers(0, 4, len(y)) * rng.random(len(y))
        weight[[np.flatnonzero(y == c)[0] for c in range(y.max() + 1)]] += 0.1
    parameters = {
        "l2": float(rng.choice([0, 1e-8, 1e-4, 1e-2, 1])),
        "fit_intercept": bool(rng.random() < 0.75),
        "tol": float(rng.choice([1e-3, 1e-4, 1e-6])),
    }
    return X, y, weight, parameters, kinds


def as_given(X, kinds):
    """X in the form that a model gets."""
    return scipy.sparse.csr_array(X) if "sparse" in kinds else X
