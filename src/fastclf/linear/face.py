"""A step of Newton's method among the dual variables that are at no bound.

Near the optimum coordinate ascent no longer changes which variables are at a bound, only the others: a face of the
feasible set.  There the dual problem is a quadratic, whose optimum is the solution of a linear system: of the free
rows' inner products, and with an intercept of the condition that the gradients sum to 0.  The step is cut back into the
feasible set, and made if the dual objective grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from fastclf._shared.interrupts import aside
from fastclf.linear import dense
from fastclf.linear.svm import Array, Svm

MOST_PAIRS = 2048  # of free variables: the system takes their cube
_AT_BOUND = 1e-12
_RIDGE = 1e-10  # of the system at unit scale: rows may depend on each other
_LENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01)


@dataclass(frozen=True)
class Pairs:
    """Free directions: a_i grows in one class by as much as it falls in another."""

    row: NDArray[np.int64]
    up: NDArray[np.int64]
    down: NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """Rows that move, by how much for each class; and what the intercepts move by."""

    rows: NDArray[np.int64]
    along: Array
    of_b: Array


def free_pairs(svm: Svm, a: Array) -> Pairs:
    """Return the free directions of a dual point."""
    rows = np.arange(len(a))
    if svm.largest:
        free = a > _AT_BOUND
        free[rows, svm.label] = a[rows, svm.label] > _AT_BOUND - 1
        down = np.where(free[rows, svm.label], svm.label, free.argmax(axis=1))
    else:
        free, down = (a > 0) & (a < 1), svm.label
    free[rows, down] = False
    free[svm.weight == 0] = False
    row, up = np.nonzero(free)
    return Pairs(row, up, down[row])


def newton(svm: Svm, pairs: Pairs, scores: Array, flows: Array) -> Step | None:
    """Return the step to the optimum of the face; None if there is none by rounding."""
    rows, place = np.unique(pairs.row, return_inverse=True)
    terms = scores + svm.margins[svm.label]
    weight = svm.weight[pairs.row]
    slope = weight * (terms[pairs.row, pairs.up] - terms[pairs.row, pairs.down])
    system = _system(svm, pairs, rows, place)
    size = np.sqrt(np.diag(system))
    if not (np.isfinite(size).all() and size.all()):
        return None
    system /= size
    system /= size[:, None]
    system[np.diag_indices_from(system)] += _RIDGE
    try:
        upper = dense.cholesky(system)
    except scipy.linalg.LinAlgError:
        return None
    effect = np.zeros((len(weight), len(flows)))  # of intercepts on slopes
    effect[np.arange(len(weight)), pairs.up] = weight
    effect[np.arange(len(weight)), pairs.down] -= weight
    right = np.column_stack([slope, effect]) / size[:, None]
    found = dense.solved(upper, dense.solved(upper, right, "T")) / size[:, None]
    moves, of_b = found[:, 0], np.zeros(len(flows))
    if svm.unit > 0:
        wanted = -flows.sum(axis=0) - effect.T @ moves
        of_b = np.linalg.lstsq(effect.T @ found[:, 1:], wanted, rcond=None)[0]
        moves = moves + found[:, 1:] @ of_b
    along = np.zeros((len(rows), len(flows)))
    np.add.at(along, (place, pairs.up), moves)
    np.add.at(along, (place, pairs.down), -moves)
    return Step(rows, along, of_b) if np.isfinite(along).all() else None


def _system(svm: Svm, pairs: Pairs, rows: NDArray[np.int64], place: NDArray[np.int64]) -> Array:
    """Return how slopes fall by moves: inner products of rows times those of their directions among the classes."""
    X = svm.rows(rows)
    products = aside(float(len(rows)) ** 2 * X.shape[1], _products, X)
    weight = svm.weight[pairs.row] / np.sqrt(2 * svm.l2)
    system: Array = products[np.ix_(place, place)]
    system *= (pairs.up[:, None] == pairs.up).astype(np.float64) + (pairs.down[:, None] == pairs.down)
    system -= products[np.ix_(place, place)] * (pairs.up[:, None] == pairs.down)
    system -= products[np.ix_(place, place)] * (pairs.down[:, None] == pairs.up)
    system *= weight
    system *= weight[:, None]
    return system


def _products(X: Any) -> Array:
    products = X @ X.T
    return products if isinstance(products, np.ndarray) else np.asarray(products.toarray())


def moved(svm: Svm, step: Step, a: Array, W: Array, b: Array) -> tuple[Array, Array, float] | None:
    """Return `a` and intercepts after the longest part of a step by which the dual objective grows, and that part."""
    rows, weight, label = step.rows, svm.weight[step.rows, None], svm.label[step.rows]
    X, to_b = svm.rows(rows), b + step.of_b
    for length in _LENGTHS:
        there = feasible(svm, a[rows] + length * step.along, label)
        change = weight * (there - a[rows])
        of_W = -np.asarray(change.T @ X) / (2 * svm.l2)
        linear = float(np.vdot(change, svm.margins[label])) + float(change.sum(axis=0) @ to_b)
        if linear - svm.l2 * float(np.vdot(2 * W + of_W, of_W)) > 0:
            found = a.copy()
            found[rows] = there
            return found, b + length * step.of_b, length
    return None


def feasible(svm: Svm, a: Array, label: NDArray[np.int64]) -> Array:
    """Return the nearest rows for which the others' a are at least 0, and each or their sum at most 1."""
    rows = np.arange(len(a))
    if svm.largest:
        a[rows, label] += 1
        descending = -np.sort(-a, axis=1)
        above = (np.cumsum(descending, axis=1) - 1) / np.arange(1, a.shape[1] + 1)
        last = np.count_nonzero(descending > above, axis=1) - 1
        a = np.maximum(a - above[rows, last, None], 0)
    else:
        a = np.clip(a, 0, 1)
    a[rows, label] = 0
    a[rows, label] = -a.sum(axis=1)
    return a
