"""Distances near the ends of float64's range, small angles and near ties: what plain sums leave open is still exact."""

from __future__ import annotations

import adversarial
import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from names import TRAITS, each_float, each_metric, each_shifting_metric

import fastclf


def assert_all_exact(metric, Q, X, k):
    """All distances, of many queries and of few; neighbours, of a block of queries and of one."""
    distances = reference.METRICS[metric](Q, X)
    for n in (len(Q), 2):
        assert fastclf.pairwise_distances(Q[:n], X, metric=metric).tobytes() == distances[:n].tobytes()
    expected = reference.exact_knn(metric, Q, X, k)
    for n in (len(Q), 1):
        found = fastclf.knn(Q[:n], X, k, metric=metric)
        assert found[1].tolist() == expected[1][:n].tolist()
        assert found[0].tobytes() == expected[0][:n].tobytes()


# --- the ends of the range --------------------------------------------------------------------------------------------


@each_metric
def test_a_query_far_from_all_rows(isa, metric):
    """All rows are at one reported distance: their order is below its last bit."""
    X = np.random.default_rng(0).normal(size=(200, 24)).astype(np.float32)
    Q = np.repeat(np.linspace(1, 3.4, 6)[:, None] * 1e38, 24, axis=1).astype(np.float32)
    assert_all_exact(metric, Q, X, 50)
    far = Q.astype(np.float64) * 1e160
    assert_all_exact(metric, far, X.astype(np.float64), 20)


@each_metric
@pytest.mark.parametrize("exponent", [-1074, -1068, -1030, -1022, -1000, -700, -470, 470, 700, 1000, 1019])
def test_rows_near_the_ends_of_the_range(isa, metric, exponent):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(50, 19))
    X = np.ldexp(np.vstack([rows, rows[:9] * (1 + 2.0**-40), rng.integers(-3, 4, (20, 19))]), exponent)
    assert_all_exact(metric, X[::12], X, 30)


@each_metric
@each_float
@pytest.mark.parametrize("width", [1, 5, 70])
def test_rows_of_every_scale_together(metric, dtype, width):
    rng = np.random.default_rng(2)
    least, most = (-149, 124) if dtype == "float32" else (-1074, 1017)
    X = np.ldexp(rng.normal(size=(70, width)), rng.integers(least, most, (70, 1))).astype(dtype)
    assert_all_exact(metric, X[:8], X, 40)
    X = np.ldexp(rng.normal(size=(70, width)), rng.integers(least, most, (70, width))).astype(dtype)
    assert_all_exact(metric, X[:8], X, 40)


def test_roots_of_sums_below_the_normal_range(isa):
    """In units of the least number float64 holds integers only, and the root of m^2 + m is just below m + 1/2."""
    small = [[n, n, 2 * n, 3 * n, m] for n in range(1, 9) for m in range(1, 9)]
    large = [[j**2, j, more, 0, 0] for j in range(9001, 20000, 999) for more in (0, 1)]
    X = np.array(small + large, float) * 5e-324
    Q = np.vstack([np.zeros((5, 5)), X[:3]])
    assert_all_exact("l2", Q, X, 60)


# --- small angles -----------------------------------------------------------------------------------------------------


@each_float
@pytest.mark.parametrize("noise", [1e-3, 1e-5, 1e-7, 1e-9, 1e-12, 1e-15, 1e-16])
def test_small_angles(isa, dtype, noise):
    rng = np.random.default_rng(3)
    row = rng.normal(size=33)
    X = (row * (1 + noise * rng.normal(size=(90, 33))) * rng.uniform(0.1, 10, (90, 1))).astype(dtype)
    assert_all_exact("cosine", X[:6], X, 90)


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
def test_small_angles_near_the_ends_of_the_range(isa, exponent):
    rng = np.random.default_rng(4)
    row = rng.normal(size=21)
    X = np.ldexp(row * (1 + 10.0 ** rng.uniform(-15, -6, (60, 1)) * rng.normal(size=(60, 21))), exponent)
    assert_all_exact("cosine", X[:6], X, 60)
    assert_all_exact("cosine", np.ldexp(X[:6], -exponent), X, 60)


@each_float
def test_copies_in_the_other_dtype_are_at_distance_0(dtype):
    X = np.random.default_rng(5).normal(size=(9, 13)).astype(np.float32)
    other = X.astype({"float32": np.float64, "float64": np.float32}[dtype])
    distances = fastclf.pairwise_distances(X.astype(dtype), other, metric="cosine")
    assert np.diag(distances).tolist() == [0.0] * 9


# --- near ties --------------------------------------------------------------------------------------------------------


@each_metric
@each_float
@pytest.mark.parametrize("k", [1, 3, 20])
def test_many_rows_at_one_reported_distance(metric, dtype, k):
    """The k so far are in order, some of them fall out, and later rows are compared with the last."""
    rng = np.random.default_rng(6)
    for name in ("offset 1e4", "offset 1e5", "one ULP apart", "just above one", "tenths", "parallel rows"):
        rows = adversarial.built(name, dtype, (260, 7))
        X = np.vstack([rows[rng.permutation(260)], rows[:100]])
        assert_all_exact(metric, rows[:5], X, k)


@each_shifting_metric
def test_gaps_that_only_the_least_bits_decide(isa, metric):
    """The same large values in another order, and some so small that they are lost beside them."""
    rng = np.random.default_rng(9)
    large = np.ldexp(1.0, [100, 75, 50, 25, 0, -25])
    rows = [
        np.concatenate([large, np.ldexp(rng.integers(-3, 4, 18), -150 if TRAITS[metric].norm == "L1" else -75)])
        for _ in range(80)
    ]
    X = np.array([rng.permutation(row) for row in rows])
    assert_all_exact(metric, np.zeros((5, 24)), X, 80)


# --- panels of rows ---------------------------------------------------------------------------------------------------


@each_metric
@pytest.mark.parametrize("rows", [1, 31, 32, 33, 127, 128, 129])
@pytest.mark.parametrize("width", [1, 63, 64, 65, 129])
def test_panels_that_are_not_full(isa, metric, rows, width):
    rng = np.random.default_rng(7)
    Q, X = rng.normal(size=(5, width)), rng.normal(size=(rows, width)).astype(np.float32)
    assert fastclf.pairwise_distances(Q, X, metric=metric).tobytes() == reference.METRICS[metric](Q, X).tobytes()


@each_metric
@each_float
@pytest.mark.parametrize("rows", [2, 3, 8, 9, 31, 33, 70])
@pytest.mark.parametrize("width", [1, 2, 64, 65])
def test_rows_compared_some_at_a_time(isa, metric, dtype, rows, width):
    rng = np.random.default_rng(10)
    X = (rng.normal(size=(rows, width)) * 10.0 ** rng.integers(-9, 9, (1, width))).astype(dtype)
    X[1], X[-1] = X[0], np.nextafter(X[0], 1)
    found, expected = fastclf.knn(X[:3], X, rows, metric=metric), reference.exact_knn(metric, X[:3], X, rows)
    assert found[0].tobytes() == expected[0].tobytes()
    assert found[1].tolist() == expected[1].tolist()


@each_metric
def test_more_queries_than_a_task_has(isa, metric):
    rng = np.random.default_rng(8)
    Q, X = rng.normal(size=(67, 3)), rng.normal(size=(130, 3))
    Q[::9], X[::7] = 0, Q[np.arange(len(X[::7]))]
    for n_threads in (1, 3):
        found = fastclf.pairwise_distances(Q, X, metric=metric, n_threads=n_threads)
        assert found.tobytes() == reference.METRICS[metric](Q, X).tobytes()


# --- properties -------------------------------------------------------------------------------------------------------

mantissas = st.one_of(st.integers(-9, 9), st.integers(-(2**53), 2**53).map(lambda v: v * 2.0**-50))


@st.composite
def scaled_rows(draw):
    """Rows near one another or not, each or each value times a power of two."""
    d, n = draw(st.integers(1, 18)), draw(st.integers(5, 9))
    base = np.array([draw(st.lists(mantissas, min_size=d, max_size=d)) for _ in range(n)], float)
    if draw(st.booleans()):
        base = base[0] * (1 + draw(st.sampled_from([2.0**-50, 2.0**-30, 1e-8])) * base)
    least = draw(st.sampled_from([-1100, -1060, -500, -3, 400, 960]))
    shape = draw(st.sampled_from([(n, 1), (n, d), (1, 1)]))
    exponents = np.random.default_rng(draw(st.integers(0, 99))).integers(least, least + draw(st.integers(1, 60)), shape)
    return np.ldexp(base, exponents)


@each_metric
@given(X=scaled_rows())
def test_distances_and_order_are_those_of_exact_arithmetic(metric, X):
    assert_all_exact(metric, X[:5], X, len(X))
