"""The only expected values: distances, neighbours and votes in plain NumPy and Python integers, slow and exact.

A float is an integer times a power of two, so sums over floats are exact too, whatever their range: only the last step,
from the sum to the distance in float64, rounds.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

# Fractional bits of integer square roots: far more than a float64 shows.
_ROOT_BITS = 128


def _integers(*arrays):
    """Each array as exact integers, with the exponent of the power of two they all were divided by."""
    if all(a.dtype.kind in "bui" for a in arrays):
        return [a.astype(np.int64 if a.dtype.itemsize < 4 else object) for a in arrays], 0
    parts = [np.frexp(a.astype(np.float64)) for a in arrays]
    lowest = min((int(e.min()) for _, e in parts if e.size), default=0)
    shifted = [(m * 2.0**53).astype(np.int64).astype(object) << (e.astype(object) - lowest) for m, e in parts]
    return shifted, lowest - 53


def _table(Q, X, row_of):
    """Call `row_of` on each query: one row of float64 distances."""
    rows = [row_of(q) for q in Q]
    return np.array(rows, dtype=np.float64).reshape(len(Q), len(X))


def _ldexp(value, exponent):
    """The integer `value` times 2**exponent, rounded once; infinite beyond float64's range."""
    spare = max(value.bit_length() - 64, 0)
    sticky = int(value & ((1 << spare) - 1) != 0)
    try:
        return math.ldexp(value >> spare | sticky, exponent + spare)
    except OverflowError:
        return math.inf


def _root(value, exponent):
    """The square root of the integer `value` times 2**(2 * exponent)."""
    return _ldexp(math.isqrt(value << 2 * _ROOT_BITS), exponent - _ROOT_BITS)


def l1(Q, X):
    """Sum of absolute differences."""
    (q, x), e = _integers(Q, X)
    return _table(q, x, lambda row: [_ldexp(int(s), e) for s in abs(row - x).sum(axis=1)])


def l2(Q, X):
    """Square root of the sum of squared differences."""
    (q, x), e = _integers(Q, X)
    return _table(q, x, lambda row: [_root(int(s), e) for s in ((row - x) ** 2).sum(axis=1)])


def cosine(Q, X):
    """1 - q.x / sqrt(|q|^2 |x|^2), not below 0; 1 where a vector is zero.

    Vectors of integers: the formula in float64 on exact sums, as documented. Floats: the exact value, rounded.
    """
    (q, x), _ = _integers(Q, X)
    formula = _cosine_of_integers if Q.dtype.kind != "f" and X.dtype.kind != "f" else _cosine_exact
    xx = [int(s) for s in (x**2).sum(axis=1)]

    def row_of(row):
        qq = int((row**2).sum())
        return [formula(int(s), qq, n) if qq and n else 1.0 for s, n in zip((row * x).sum(axis=1), xx, strict=True)]

    return _table(q, x, row_of)


def _cosine_of_integers(s, qq, xx):
    return max(0.0, 1 - float(s) / math.sqrt(float(qq) * float(xx)))


def _cosine_exact(s, qq, xx):
    root = math.isqrt((qq * xx) << 2 * _ROOT_BITS)
    return max(0.0, float(Fraction(root - (s << _ROOT_BITS), root)))


METRICS = {"l1": l1, "l2": l2, "cosine": cosine}


def tolerance(metric, dtype, d):
    """Relative and absolute error that a reported distance may have.

    uint8: none. Floats: a sum of d terms in 16 partial sums takes d/16 + 4 roundings of 2**-53, a term and the last
    step a few more: (d/16 + 8) * 2**-53 of the distance, or the smallest number where the distance is subnormal. The
    cosine subtracts a quotient of such sums from 1: the same for product and norms, absolute.
    """
    bound = (d / 16 + 8) * 2.0**-53
    if np.dtype(dtype) == np.uint8:
        return 0.0, 0.0
    return (0.0, 2 * bound) if metric == "cosine" else (bound, 2.0**-1074)


def assert_close(found, expected, metric, dtype, d):
    """Check distances within `tolerance`."""
    rtol, atol = tolerance(metric, dtype, d)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def knn(distances, k, skip_self=False):
    """The k smallest (distance, index) of each row, in that order; with skip_self, without index i in row i."""
    found = np.array([np.lexsort((np.arange(len(row)), row)) for row in distances], dtype=np.int64)
    found = found.reshape(distances.shape)
    if skip_self:
        others = [row[row != i] for i, row in enumerate(found)]
        found = np.array(others, dtype=np.int64).reshape(len(found), -1)
    index = found[:, :k]
    return np.take_along_axis(distances, index, axis=1), index


def vote(labels, weights=None):
    """The label of each row with the most votes, or the most weight; the smallest among equals."""
    weights = np.ones(np.shape(labels)) if weights is None else weights
    winners = []
    for row, row_weights in zip(labels, weights, strict=True):
        totals = {}
        for label, weight in zip(row, row_weights, strict=True):
            totals[label] = totals.get(label, 0) + weight
        winners.append(min(totals, key=lambda label: (-totals[label], label)))
    return np.array(winners)


def inverse_distance(distances):
    """weights="distance": 1/distance; where there are exact matches, these alone vote."""
    exact = distances == 0
    with np.errstate(divide="ignore"):
        return np.where(exact.any(axis=1, keepdims=True), exact, 1 / distances)
