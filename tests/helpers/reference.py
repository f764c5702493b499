"""The only expected values: distances, neighbours and votes in plain NumPy and Python integers, slow and exact.

A float is an integer times a power of two, so sums over floats are exact too, whatever their range: only the last step,
from the sum to the distance in float64, rounds, and to the nearest.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from digests import remembering


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


def _rounded(value, exponent):
    """The integer `value` times 2**exponent, rounded once, as Python does; infinite beyond float64's range."""
    try:
        return float(value << exponent) if exponent >= 0 else value / (1 << -exponent)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@remembering
def l1(Q, X):
    """Sum of absolute differences."""
    (q, x), e = _integers(Q, X)
    return _table(q, x, lambda row: [_rounded(int(s), e) for s in abs(row - x).sum(axis=1)])


@remembering
def l2(Q, X):
    """Square root of the sum of squared differences."""
    (q, x), e = _integers(Q, X)
    return _table(q, x, lambda row: [_rounded_root(int(s), e) for s in ((row - x) ** 2).sum(axis=1)])


def sqeuclidean(Q, X):
    """Sum of squared differences."""
    (q, x), e = _integers(Q, X)
    return _table(q, x, lambda row: [_rounded(int(s), 2 * e) for s in ((row - x) ** 2).sum(axis=1)])


def _rounded_root(value, exponent):
    """The square root of value * 4**exponent: with 64 bits more than float64 has, of which the last says "and more"."""
    shift = max(0, 128 - value.bit_length() // 2)
    root = math.isqrt(value << 2 * shift)
    return _rounded(2 * root + (root * root != value << 2 * shift), exponent - shift - 1)


@remembering
def chebyshev(Q, X):
    """The largest absolute difference."""
    (q, x), e = _integers(Q, X)
    return _table(q, x, lambda row: [_rounded(int(s), e) for s in abs(row - x).max(axis=1)])


@remembering
def cosine(Q, X):
    """1 - q.x / sqrt(|q|^2 |x|^2); 1 where a vector is zero."""
    (q, x), _ = _integers(Q, X)
    xx = [int(s) for s in (x**2).sum(axis=1)]

    def row_of(row):
        qq = int((row**2).sum())
        return [
            _rounded_angle(int(s), qq * n) if qq and n else 1.0 for s, n in zip((row * x).sum(axis=1), xx, strict=True)
        ]

    return _table(q, x, row_of)


def _rounded_angle(s, p):
    """1 - s / sqrt(p)."""
    if s * s == p:
        return 0.0 if s > 0 else 2.0
    bits = 128
    while True:  # between (low - 1) / one and low / one
        one, c = 1 << bits, math.isqrt((s * s << 2 * bits) // p)
        low, high = (one - c - 1, one - c) if s > 0 else (one + c, one + c + 1)
        below, above = low / one, high / one
        if below == above:
            return above
        if bits > 4000:  # a tie, if any
            middle = (Fraction(below) + Fraction(above)) / 2
            order = _order_of_angle(s, p, middle)
            return below if order < 0 else above if order > 0 else max(below, above, key=_is_even)
        bits *= 2


def _order_of_angle(s, p, middle):
    """Whether 1 - s / sqrt(p) is less than, equal to or greater than a number."""
    cosine, u = (s > 0) - (s < 0), 1 - middle
    sign = (u > 0) - (u < 0)
    if sign != cosine:
        return sign - cosine
    return sign * ((u * u * p > s * s) - (u * u * p < s * s))


def _is_even(value):
    return np.float64(value).view(np.int64) % 2 == 0


@remembering
def inner_product(Q, X):
    """Sum of products: no distance, as the largest is nearest. What is 0, or rounds to it, has no sign."""
    (q, x), e = _integers(Q, X)
    return _table(q, x, lambda row: [_rounded(int(s), 2 * e) + 0.0 for s in (row * x).sum(axis=1)])


METRICS = {
    "l1": l1,
    "l2": l2,
    "cosine": cosine,
    "sqeuclidean": sqeuclidean,
    "chebyshev": chebyshev,
    "inner_product": inner_product,
}
LARGEST_FIRST = {"inner_product"}


@remembering
def exact_order(metric, Q, X):
    """The rows of X by (exact distance, row), for each of Q."""
    (q, x), _ = _integers(Q, X)
    xx = [int(s) for s in (x**2).sum(axis=1)]
    keys = {
        "l1": lambda row: [int(s) for s in abs(row - x).sum(axis=1)],
        "l2": lambda row: [int(s) for s in ((row - x) ** 2).sum(axis=1)],
        "sqeuclidean": lambda row: [int(s) for s in ((row - x) ** 2).sum(axis=1)],
        "chebyshev": lambda row: [int(s) for s in abs(row - x).max(axis=1)],
        "inner_product": lambda row: [-int(s) for s in (row * x).sum(axis=1)],
        "cosine": lambda row: [_signed_square(int(s), n) for s, n in zip((row * x).sum(axis=1), xx, strict=True)],
    }
    found = [
        sorted(range(len(X)), key=list(zip(keys[metric](row), range(len(X)), strict=True)).__getitem__) for row in q
    ]
    return np.array(found, dtype=np.int64).reshape(len(Q), len(X))


def _signed_square(s, n):
    """What falls as the cosine s / sqrt(n) of a query rises."""
    return Fraction(-s * abs(s), n) if n else Fraction(0)


def exact_knn(metric, Q, X, k, skip_self=False):
    """The k nearest rows of X by (exact distance, row), with their distances, rounded; see `knn`."""
    index = _without_self(exact_order(metric, Q, X), skip_self)[:, :k]
    return np.take_along_axis(METRICS[metric](Q, X), index, axis=1), index


def ascending(metric, distances):
    """What ascends from the nearest on: distances, or products with their signs changed."""
    return -distances if metric in LARGEST_FIRST else distances


def _without_self(found, skip_self):
    """Rows in order, without number i in row i if so asked."""
    if not skip_self:
        return found
    others = [row[row != i] for i, row in enumerate(found)]
    return np.array(others, dtype=np.int64).reshape(len(found), -1)


def knn(distances, k, skip_self=False, *, metric=None):
    """The k smallest (distance, index) of each row, in that order; with skip_self, without index i in row i.

    Of a metric whose largest comes first, the largest.
    """
    keys = ascending(metric, distances)
    found = np.array([np.lexsort((np.arange(len(row)), row)) for row in keys], dtype=np.int64)
    index = _without_self(found.reshape(distances.shape), skip_self)[:, :k]
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
