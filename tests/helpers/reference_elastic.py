"""The least J with an L1 penalty, by accelerated proximal gradient steps in long double, slow and plain."""

from __future__ import annotations

import numpy as np
from reference_minimum import LOSSES

long = np.longdouble


def smooth_part(loss, X, y, v, l2):
    """Mean loss + l2 |W|^2 at v, intercepts in its last column; and its gradient."""
    A = np.column_stack([X, np.ones(len(X))]).astype(long)
    losses, curved = LOSSES[loss](A @ v.T, np.eye(len(v), dtype=long)[y], long(1), 0)
    gradient = curved()[0].T @ A / len(X)
    gradient[:, :-1] += 2 * l2 * v[:, :-1]
    return losses.mean() + l2 * (v[:, :-1] ** 2).sum(), gradient


def objective(loss, X, y, v, *, l1, l2):
    """J at v."""
    return smooth_part(loss, X, y, v, l2)[0] + l1 * abs(v[:, :-1]).sum()


def minimum(loss, X, y, classes, *, l1, l2, fit_intercept=True, steps=700):
    """A point near the optimum: steps from 0, whose momentum ends whenever J grows (O'Donoghue and Candes 2015)."""
    v = at = np.zeros((classes, X.shape[1] + 1), long)
    value, momentum, length = objective(loss, X, y, v, l1=l1, l2=l2), long(1), long(1)
    for _ in range(steps):
        there, gradient = smooth_part(loss, X, y, at, l2)
        gradient[:, -1] *= fit_intercept
        while True:
            moved = at - length * gradient
            moved[:, :-1] = np.sign(moved[:, :-1]) * np.maximum(abs(moved[:, :-1]) - length * l1, 0)
            off = moved - at
            most = there + (gradient * off).sum() + (off**2).sum() / (2 * length)
            J = objective(loss, X, y, moved, l1=l1, l2=l2)
            if J - l1 * abs(moved[:, :-1]).sum() <= most + long(1e-18):
                break
            length /= 2
        if value < J and momentum > 1:
            at, momentum = v, long(1)
            continue
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        at, momentum = moved + (momentum - 1) / following * (moved - v), following
        v, value = moved, J
    return v
