"""What is expected of searches, against fractions: the reference adds in int64 where that holds the sums."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import reference


def sums_of(metric, q, x):
    """Exactly what a metric rounds, or the square of it; of cosines what falls as they rise."""
    pairs = list(zip(q, x, strict=True))
    product = sum(a * b for a, b in pairs)
    if metric == "inner_product":
        return product
    if metric == "cosine":
        square = sum(b * b for b in x)
        return Fraction(-product * abs(product), square) if square else Fraction(0)
    differences = [abs(a - b) for a, b in pairs]
    if metric in ("l1", "chebyshev"):
        return sum(differences) if metric == "l1" else max(differences)
    return sum(d * d for d in differences)


def integers(bits):
    """Rows whose sums need about 63 bits, or a few more or less."""
    return lambda rng: rng.integers(-(1 << bits), 1 << bits, (12, 5)).astype(np.float64)


ROWS = {
    "sums of 56 bits": integers(26),
    "sums of 62 bits": integers(29),
    "sums of 64 bits": integers(30),
    "numbers of 53 bits": integers(53),
    "fractions": lambda rng: rng.normal(size=(12, 5)),
    "wide exponents": lambda rng: rng.normal(size=(12, 5)) * 2.0 ** rng.integers(-60, 60, (12, 5)),
    "subnormal": lambda rng: rng.integers(-9, 9, (12, 5)) * 2.0**-1074,
    "far from 1": lambda rng: rng.normal(size=(12, 5)) * 2.0 ** rng.choice([-1000, 900], (12, 1)),
    "rows of zeros": lambda rng: rng.normal(size=(12, 5)) * rng.integers(0, 2, (12, 1)),
    "ties": lambda rng: rng.integers(-1, 2, (12, 5)) * 2.0**-3,
    "bytes": lambda rng: rng.integers(0, 256, (12, 5)).astype("uint8"),
    "narrow integers": lambda rng: rng.integers(-128, 128, (12, 5)).astype("int8"),
    "wide integers": lambda rng: rng.integers(0, 1 << 63, (12, 5)).astype("uint64"),
}


@pytest.mark.parametrize("metric", reference.METRICS)
@pytest.mark.parametrize("name", ROWS)
def test_sums_and_order_are_those_of_fractions(metric, name, rng):
    rows = ROWS[name](rng)
    Q, X = rows[:4], rows[2:]
    exact = [[sums_of(metric, *([Fraction(v) for v in row.tolist()] for row in (q, x))) for x in X] for q in Q]
    sign = -1 if metric in reference.LARGEST_FIRST else 1
    order = [sorted(range(len(X)), key=lambda i, row=row: (sign * row[i], i)) for row in exact]
    np.testing.assert_array_equal(reference.exact_order(metric, Q, X), order)
    found = reference.METRICS[metric](Q, X)
    for row, sums in zip(found.tolist(), exact, strict=True):
        for distance, s in zip(row, sums, strict=True):
            assert metric == "cosine" or is_rounded(distance, s, is_root=metric == "l2")


def is_rounded(distance, s, is_root):
    """Whether a number is the nearest to an exact one, or to its root."""
    if math.isinf(distance):
        return abs(s) > Fraction(np.finfo(np.float64).max) ** (2 if is_root else 1)
    half = Fraction(math.ulp(distance)) / 2
    low, high = Fraction(distance) - half, Fraction(distance) + half
    return max(low, 0) ** 2 <= s <= high**2 if is_root else low <= s <= high
