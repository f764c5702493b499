"""Few queries a call, whose sketches are compared a row a lane, find what they find in any batch."""

from __future__ import annotations

import itertools

import adversarial
import numpy as np
import pytest
import reference
import staged
from comparing import assert_same_bytes
from names import BYTE_DTYPES, each_row_dtype, each_sketched_metric

pytestmark = pytest.mark.usefixtures("searches_in_stages")

FEW = 8  # more queries go through register tiles
ROWS_AT_ONCE = 480


def rows_of(dtype, shape, name=None):
    return adversarial.built(name or ("bytes near a plane" if dtype in BYTE_DTYPES else "near a plane"), dtype, shape)


def among(found, queries):
    return found[0][queries], found[1][queries]


# Vectors, and the rows that kernels take together, are full or have one more or less.
@each_sketched_metric
@each_row_dtype
@pytest.mark.parametrize("n", [1, 15, 16, 17, 63])
def test_few_rows_of_any_width(isa, metric, dtype, n):
    for d in (1, 16, 17, 33):
        rows = rows_of(dtype, (n + 3, d))
        Q, X = rows[:3], rows[3:]
        k = min(n, 4)
        cascade = staged.cascade(metric, X, ("each feature",))
        assert_same_bytes(cascade.search(Q, X, k, 1), reference.exact_knn(metric, Q, X, k))


@each_sketched_metric
@pytest.mark.parametrize("n", [ROWS_AT_ONCE - 1, ROWS_AT_ONCE + 1, 1400])
@pytest.mark.parametrize("d", [50, 64, 65])
def test_blocks_of_rows(isa, metric, n, d):
    rows = rows_of("float32", (n + FEW, d))
    Q, X = rows[:FEW], rows[FEW:]
    expected = staged.plainly(metric, Q, X, 9)
    for chain in staged.chains(metric):
        cascade = staged.cascade(metric, X, chain)
        for nq in (1, 2, FEW):
            assert_same_bytes(cascade.search(Q[:nq], X, 9, 1), among(expected, slice(nq)))


@each_sketched_metric
def test_codes_of_many_bytes(isa, metric):
    rows = rows_of("float32", (130, 3100))
    Q, X = rows[:5], rows[5:]
    cascade = staged.cascade(metric, X, ("each feature",))
    assert_same_bytes(cascade.search(Q, X, 7, 1), staged.plainly(metric, Q, X, 7))


@each_sketched_metric
@each_row_dtype
def test_few_or_many_queries_find_the_same(isa, metric, dtype):
    rows = rows_of(dtype, (1300, 26))
    Q, X = rows[:40], rows[20:]
    for chain in staged.chains(metric):
        cascade = staged.cascade(metric, X, chain)
        expected = cascade.search(Q, X, 6, 1)
        assert_same_bytes(expected, staged.plainly(metric, Q, X, 6))
        for size in (1, 3, FEW, FEW + 1):
            parts = [cascade.search(Q[start : start + size], X, 6, 1) for start in range(0, len(Q), size)]
            assert_same_bytes(tuple(map(np.concatenate, zip(*parts, strict=True))), expected)


# Copies of few rows tie within a thread's part of the rows and across them: the lowest rows are the answer.
@each_sketched_metric
@pytest.mark.parametrize("name", ["near a plane", "duplicates", "ties"])
def test_threads_share_the_rows_of_one_query(isa, metric, name):
    rows = rows_of("float32", (30_000, 40), name)
    Q, X = rows[:FEW], rows[FEW:]
    cascade = staged.cascade(metric, X, staged.chains(metric)[-1], n_threads=2)
    expected = staged.plainly(metric, Q, X, 12)
    for k, (nq, n_threads) in itertools.product((1, 12), ((1, 1), (1, 2), (1, 7), (FEW, 1), (FEW, 3))):
        assert_same_bytes(cascade.search(Q[:nq], X, k, n_threads), among(expected, np.s_[:nq, :k]))


@each_sketched_metric
@each_row_dtype
def test_rows_leave_themselves_out(isa, metric, dtype):
    X = rows_of(dtype, (700, 26))
    own = np.array([0, 3, 479, 480, 699])
    for chain in staged.chains(metric):
        found = staged.cascade(metric, X, chain).search(X[own], X, 5, 1, own=own)
        assert_same_bytes(found, staged.plainly(metric, X[own], X, 5, own))


@each_sketched_metric
@each_row_dtype
def test_rows_that_come_later(isa, metric, dtype):
    rows = rows_of(dtype, (1105, 26))
    Q, X = rows[:5], rows[5:]
    for chain in staged.chains(metric)[:2]:
        cascade = staged.cascade(metric, X[:1000], chain).appended(X[1000:], 1)
        assert_same_bytes(cascade.search(Q, X, 5, 1), staged.plainly(metric, Q, X, 5))
