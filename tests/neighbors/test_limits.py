"""Searches with limits find all rows within them, in the same order, and nothing that is not there."""

from __future__ import annotations

import adversarial
import numpy as np
import pytest
import reference
import staged
from names import BYTE_DTYPES, METRICS, each_metric, each_row_dtype, each_sketched_metric, each_tree_metric

from fastclf import _native
from fastclf.neighbors.backends import plain, trees
from fastclf.neighbors.backends.rows import Batch

K = 5


def data(metric, dtype, d=40, n=300):
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 256, (n + 40, d)) if dtype in BYTE_DTYPES else rng.normal(size=(n + 40, d))
    rows = rows.astype(dtype)
    return rows[:40].copy(), rows[40:].copy()


def limits_of(metric, Q, X, k):
    """Distances of the k-th of other rows: some of X's k nearest are farther, of some queries all, of some none."""
    order = reference.exact_knn(metric, Q, X, k)[0]
    chosen = np.array([order[i, i % k] for i in range(len(Q))])
    away = np.inf if metric not in reference.LARGEST_FIRST else -np.inf
    chosen[3], chosen[4], chosen[5] = away, np.nan, -away
    return chosen


def assert_all_within(metric, Q, X, k, limits, found):
    """Rows within the limits are the first of those found; then rows that go on in order, if any, and none."""
    distances, indices = reference.exact_knn(metric, Q, X, k)
    order = reference.exact_order(metric, Q, X)
    ascending = reference.ascending(metric, distances)
    for i in range(len(Q)):
        limit = reference.ascending(metric, limits[i])
        within = k if np.isnan(limit) else int((ascending[i] <= limit).sum())
        assert found[1][i, :within].tolist() == indices[i, :within].tolist()
        assert found[0][i, :within].tobytes() == distances[i, :within].tobytes()
        beyond = found[1][i, within:]
        there = beyond[beyond >= 0]
        assert (beyond[len(there) :] == -1).all()
        assert np.isinf(found[0][i, within + len(there) :]).all()
        places = [order[i].tolist().index(row) for row in there]
        assert places == sorted(set(places))
        assert all(place >= within for place in places)


@each_metric
@each_row_dtype
@pytest.mark.parametrize(("queries", "threads"), [(3, 1), (40, 1), (40, 2), (6, 2)])
def test_plain_searches(isa, metric, dtype, queries, threads):
    Q, X = data(metric, dtype)
    Q = Q[:queries]
    limits = limits_of(metric, Q, X, K) if queries > 5 else reference.exact_knn(metric, Q, X, K)[0][:, 2].copy()
    found = plain.allocate(len(Q), K)
    _native.knn(metric, Q, X, K, plain.centre(X), None, dtype == "uint8", threads, *found, limit=limits)
    assert_all_within(metric, Q, X, K, limits, found)


@each_sketched_metric
def test_searches_in_stages(isa, metric):
    Q, X = data(metric, "float32")
    known = reference.exact_knn(metric, Q, X, K)[0]
    unknown = limits_of(metric, Q, X, K)
    for kinds in staged.chains(metric):
        cascade = staged.cascade(metric, X, kinds)
        for limits in (known[:, 1].copy(), known[:, -1].copy(), unknown):
            found = cascade.search(Q, X, K, 1, limits=limits)
            assert_all_within(metric, Q, X, K, limits, found)


@each_tree_metric
@pytest.mark.parametrize("rows", ["normal", "duplicates"])
def test_searches_by_a_tree(isa, metric, rows):
    Q, X = data(metric, "float32", d=4, n=1000)
    if rows == "duplicates":
        X = adversarial.duplicates(np.random.default_rng(4), X.shape, "float32").astype("float32")
    limits = limits_of(metric, Q, X, K)
    found, hard = trees.grown(metric, X, 1).search(Batch(slice(0, 40), Q, None, False, limits), X, K, 1)
    assert len(hard) == 0
    assert_all_within(metric, Q, X, K, limits, found)


def test_limits_spare_comparisons():
    Q, X = data("l2", "float32")
    cascade = staged.cascade("l2", X, ("each feature",), young_weight=0.02)
    limits = reference.exact_knn("l2", Q, X, 1)[0][:, 0].copy()
    compared = []
    for limit in (None, limits):
        tally = cascade.tally()
        cascade.search(Q, X, K, 1, limits=limit, tally=tally)
        compared.append(tally.pairs[-1])
    assert compared[1] < compared[0] / 2


@pytest.mark.parametrize("metric", METRICS)
def test_limits_need_a_number_for_each_query(metric):
    Q, X = data(metric, "float32")
    with pytest.raises(ValueError, match="shape"):
        _native.knn(metric, Q, X, K, None, None, False, 1, *plain.allocate(len(Q), K), limit=np.zeros(3))
