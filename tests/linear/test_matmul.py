"""Products of dense matrices: the sums that are promised, bit for bit, for any processor, threads, order and part."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from digests import digest
from names import FLOAT_DTYPES, each_float

from fastclf import _native

long = np.longdouble

MOST_DEPTH = {"float32": 768, "float64": 384}  # whose products are one sum

DECIMALS = {"float32": (-23, 18), "float64": (-163, 153)}  # whose products are subnormal, or large

# rows, depth, columns: around the sizes of tiles, panels, groups and parts
SHAPES = [
    (1, 1, 1),
    (3, 2, 5),
    (7, 17, 15),
    (8, 16, 16),
    (9, 33, 17),
    (25, 5, 47),
    (24, 64, 48),
    (23, 31, 49),
    (121, 20, 97),
    (2, 769, 30),
    (10, 1600, 7),
    (700, 9, 250),
    (6, 11, 2500),
    (1300, 40, 400),
]

ORDERS = list(itertools.product([np.ascontiguousarray, np.asfortranarray], repeat=2))


def multiply(A, B, *, bias=None, out=None, n_threads=1, row_sums=None):
    """A B + bias, and + out."""
    found = np.full((len(A), B.shape[1]), np.nan, A.dtype) if out is None else out.copy()
    _native.matmul(A, B, bias, out is not None, n_threads, found, row_sums)
    return found


def rounded(value, dtype):
    """The number of that dtype nearest to a fraction; of two as near, the even one."""
    near = np.dtype(dtype).type(float(value))
    candidates = [np.nextafter(near, -np.inf, dtype=dtype), near, np.nextafter(near, np.inf, dtype=dtype)]
    return min(candidates, key=lambda c: (abs(Fraction(float(c)) - value), int(c.view(f"u{c.itemsize}")) % 2))


def promised(row, column, dtype):
    """The sum that csrc/models.h promises, in exact arithmetic, rounded where it says so."""
    depth = len(row)
    stretch = -(-depth // -(-depth // MOST_DEPTH[dtype]))
    total = None
    for first in range(0, depth, stretch):
        part = np.dtype(dtype).type(0)
        for a, b in zip(row[first : first + stretch], column[first : first + stretch], strict=True):
            part = rounded(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(part)), dtype)
        total = part if total is None else part + total
    return total


@each_float
@pytest.mark.parametrize("ends", [False, True], ids=["ordinary", "ends of the range"])
@pytest.mark.parametrize("depth", [1, 5, 385, 770])
def test_the_promised_sums(isa, dtype, depth, ends, rng):
    A, B = rng.standard_normal((2, depth)), rng.standard_normal((depth, 3))
    if ends:
        A, B = (a * 10.0 ** rng.integers(*DECIMALS[dtype], a.shape) * (rng.random(a.shape) < 0.9) for a in (A, B))
    A, B = A.astype(dtype), B.astype(dtype)
    expected = np.array([[promised(row, column, dtype) for column in B.T] for row in A])
    assert multiply(A, B).tobytes() == expected.tobytes()


@each_float
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_order_with_and_without_what_is_added(isa, dtype, shape, rng):
    rows, depth, cols = shape
    A, B = rng.standard_normal((rows, depth)).astype(dtype), rng.standard_normal((depth, cols)).astype(dtype)
    bias, before = rng.standard_normal(cols).astype(dtype), rng.standard_normal((rows, cols)).astype(dtype)
    exact, size = A.astype(long) @ B.astype(long), abs(A.astype(float)) @ abs(B.astype(float))
    bound = np.finfo(dtype).eps * (depth + 2) * (size + abs(before) + abs(bias))
    expected = multiply(A, B)
    assert (abs(expected - exact) <= bound).all()
    for of_A, of_B in ORDERS:
        sums = np.arange(rows, dtype=float)
        assert multiply(of_A(A), of_B(B), row_sums=sums).tobytes() == expected.tobytes()
        np.testing.assert_allclose(sums, A.astype(float).sum(axis=1) + np.arange(rows), rtol=1e-13, atol=1e-12)
        both = multiply(of_A(A), of_B(B), bias=bias, out=before)
        assert (abs(both - (exact + before + bias)) <= bound).all()
        if depth <= MOST_DEPTH[dtype]:
            assert both.tobytes() == (expected + before + bias).tobytes()
            assert multiply(of_A(A), of_B(B), bias=bias).tobytes() == (expected + bias).tobytes()


@each_float
def test_bytes_do_not_depend_on_the_instruction_set(dtype):
    before, seen = _native.isa(), {}
    try:
        for name in _native.isas():
            _native.use_isa(name)
            rng = np.random.default_rng(4)
            for shape in SHAPES:
                A, B = rng.standard_normal(shape[:2]).astype(dtype), rng.standard_normal(shape[1:]).astype(dtype)
                sums = np.zeros(shape[0])
                found = digest(multiply(A, B, row_sums=sums), sums)
                assert seen.setdefault(shape, found) == found, (name, shape)
    finally:
        _native.use_isa(before)


@each_float
@pytest.mark.parametrize(("of_A", "of_B"), ORDERS)
def test_bytes_do_not_depend_on_threads_or_other_rows_and_columns(isa, dtype, of_A, of_B, rng):
    A, B = of_A(rng.standard_normal((900, 37)).astype(dtype)), of_B(rng.standard_normal((37, 410)).astype(dtype))
    sums = np.zeros((5, 900))
    found = [multiply(A, B, n_threads=n, row_sums=s) for n, s in zip((1, 2, 3, 8, 2**30), sums, strict=True)]
    assert len({digest(a) for a in found}) == len({digest(s) for s in sums}) == 1
    some = multiply(np.ascontiguousarray(A[5:150]), np.ascontiguousarray(B[:, 3:204]), n_threads=2)
    assert some.tobytes() == found[0][5:150, 3:204].tobytes()
    assert multiply(np.ascontiguousarray(A[7:8]), B).tobytes() == found[0][7:8].tobytes()


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_nothing_to_sum(isa, dtype):
    A, B, bias = np.empty((3, 0), dtype), np.empty((0, 4), dtype), np.arange(4, dtype=dtype)
    assert not multiply(A, B).any()
    assert (multiply(A, B, bias=bias) == bias).all()
    assert (multiply(A, B, out=np.ones((3, 4), dtype)) == 1).all()
    assert multiply(np.empty((0, 2), dtype), np.ones((2, 3), dtype)).shape == (0, 3)
    sums = np.zeros(2)
    assert multiply(np.ones((2, 3), dtype), np.empty((3, 0), dtype), row_sums=sums).shape == (2, 0)
    assert sums.tolist() == [3, 3]


def test_numbers_that_are_not_finite(isa):
    A, B = np.ones((9, 3), np.float32), np.ones((3, 50), np.float32)
    A[4, 1], A[5, 2], B[0, 49] = np.inf, np.nan, 1e38
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(multiply(A, B), A @ B)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"B": np.ones((4, 5))}, ValueError),
        ({"bias": np.ones(4)}, ValueError),
        ({"out": np.ones((2, 4))}, ValueError),
        ({"row_sums": np.ones(3)}, ValueError),
        ({"A": np.ones((2, 3), np.float32)}, TypeError),
        ({"A": np.ones((2, 3), int)}, TypeError),
        ({"A": np.ones(3)}, TypeError),
        ({"n_threads": 0}, ValueError),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(change, error):
    call = {"A": np.ones((2, 3)), "B": np.ones((3, 5)), "bias": None, "out": np.full((2, 5), 7.0), "row_sums": None}
    call = {"n_threads": 1} | call | change
    with pytest.raises(error):
        _native.matmul(
            call["A"], call["B"], call["bias"], False, call["n_threads"], call["out"], row_sums=call["row_sums"]
        )
    assert (call["out"] == (1 if "out" in change else 7)).all()
