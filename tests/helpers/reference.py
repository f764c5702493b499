"""The only expected values: distances, neighbours and votes in plain NumPy and Python integers, slow and exact.

A float is an integer times a power of two, so sums over floats are exact too, whatever their range: only the last step,
from the sum to the distance in float64, rounds, and to the nearest.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np
from digests import remembering

_remembering_few = functools.partial(remembering, most=4)  # large tables, that are asked for in a row


def _odd(array):
    """Floats as whole numbers, odd or 0, and the exponents of the powers of two that they are times of."""
    fraction, exponent = np.frexp(array.astype(np.float64))
    whole = (fraction * 2.0**53).astype(np.int64)
    lowest_bit = np.where(whole, whole & -whole, 1)
    return whole // lowest_bit, exponent.astype(np.int64) - 53 + np.frexp(lowest_bit.astype(np.float64))[1] - 1


def _times(whole, exponent, lowest):
    """Exact integers: whole * 2**(exponent - lowest)."""
    shift = np.where(whole, exponent - lowest, 0)
    if shift.max(initial=0) + _bits(whole) > 62:
        whole, shift = whole.astype(object), shift.astype(object)
    return whole << shift


def _bits(*arrays):
    """Of the largest integer."""
    return max((int(abs(a).max()).bit_length() for a in arrays if a.size), default=0)


def _fit_for_sums(degree, *arrays):
    """Integers whose sums over a row, of differences or of products of two, are exact in NumPy: if small, in int64."""
    narrow = degree * (_bits(*arrays) + 1) + arrays[0].shape[1].bit_length() < 63
    return [a.astype(np.int64 if narrow else object) for a in arrays]


def _integers(*arrays):
    """Each array as exact integers, with the exponent of the power of two they all were divided by."""
    if all(a.dtype.kind in "bui" for a in arrays):
        return [a.astype(np.int64 if a.dtype.itemsize < 4 else object) for a in arrays], 0
    parts = [_odd(a) for a in arrays]
    lowest = min((int(e[w != 0].min()) for w, e in parts if w.any()), default=0)
    return [_times(w, e, lowest) for w, e in parts], lowest


def _integers_by_row(array):
    """Exact integers, each row divided by a power of two of its own."""
    if array.dtype.kind in "bui":
        return _integers(array)[0][0]
    whole, exponent = _odd(array)
    above = 2000  # any exponent of float64
    return _times(whole, exponent, np.where(whole, exponent, above).min(axis=1, keepdims=True, initial=above))


_PAIRS = {  # of what degree the sums are, and these
    "l1": (1, lambda row, x: abs(row - x).sum(axis=1)),
    "l2": (2, lambda row, x: ((row - x) ** 2).sum(axis=1)),
    "chebyshev": (1, lambda row, x: abs(row - x).max(axis=1)),
    "inner_product": (2, lambda row, x: (row * x).sum(axis=1)),
}


def _table_of(kind, q, x):
    """What `_PAIRS` says of each of `q` and of `x`, as lists of Python's integers."""
    degree, sums = _PAIRS[kind]
    q, x = _fit_for_sums(degree, q, x)
    return [sums(row, x).tolist() for row in q]


@_remembering_few
def _exact(kind, Q, X):
    """A table of exact integers, which several metrics and their orders are made from, and their common exponent."""
    (q, x), e = _integers(Q, X)
    return _table_of(kind, q, x), e


@_remembering_few
def _angles(Q, X):
    """Products of all pairs, and squared lengths of Q and of X, where each row counts in units of its own."""
    q, x = map(_integers_by_row, (Q, X))
    squares = [[int(s) for s in (rows**2).sum(axis=1)] for rows in _fit_for_sums(2, q, x)]
    return _table_of("inner_product", q, x), *squares


def _distances(Q, X, rows):
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
    sums, e = _exact("l1", Q, X)
    return _distances(Q, X, [[_rounded(s, e) for s in row] for row in sums])


@remembering
def l2(Q, X):
    """Square root of the sum of squared differences."""
    sums, e = _exact("l2", Q, X)
    return _distances(Q, X, [[_rounded_root(s, e) for s in row] for row in sums])


@remembering
def sqeuclidean(Q, X):
    """Sum of squared differences."""
    sums, e = _exact("l2", Q, X)
    return _distances(Q, X, [[_rounded(s, 2 * e) for s in row] for row in sums])


def _rounded_root(value, exponent):
    """The square root of value * 4**exponent: with 64 bits more than float64 has, of which the last says "and more"."""
    shift = max(0, 128 - value.bit_length() // 2)
    root = math.isqrt(value << 2 * shift)
    return _rounded(2 * root + (root * root != value << 2 * shift), exponent - shift - 1)


@remembering
def chebyshev(Q, X):
    """The largest absolute difference."""
    most, e = _exact("chebyshev", Q, X)
    return _distances(Q, X, [[_rounded(s, e) for s in row] for row in most])


@remembering
def cosine(Q, X):
    """1 - q.x / sqrt(|q|^2 |x|^2); 1 where a vector is zero."""
    products, qq, xx = _angles(Q, X)
    rows = [
        [_rounded_angle(s, m * n) if m and n else 1.0 for s, n in zip(row, xx, strict=True)]
        for row, m in zip(products, qq, strict=True)
    ]
    return _distances(Q, X, rows)


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
    sums, e = _exact("inner_product", Q, X)
    return _distances(Q, X, [[_rounded(s, 2 * e) + 0.0 for s in row] for row in sums])


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
    if metric == "cosine":
        keys = _falling_cosines(*_angles(Q, X))
    else:
        keys = _exact("l2" if metric == "sqeuclidean" else metric, Q, X)[0]
    if metric in LARGEST_FIRST:
        keys = [[-s for s in row] for row in keys]
    found = [sorted(range(len(X)), key=row.__getitem__) for row in keys]  # which leaves equals in their order
    return np.array(found, dtype=np.int64).reshape(len(Q), len(X))


def _falling_cosines(products, _, xx):
    """Integers that fall as the cosine s / sqrt(n) of a query rises, and are equal where cosines are.

    They are -s |s| / n in units so small that fractions with such denominators are a unit apart, or equal.
    """
    bits = 2 * max(xx, default=0).bit_length()
    return [[(-s * abs(s) << bits) // n if n else 0 for s, n in zip(row, xx, strict=True)] for row in products]


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
