"""Rows' nearest rows of other groups, each pair computed once: the distances, bytes and order of a search."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from calls import outputs
from digests import remembering
from isas import on_isa
from names import BYTE_DTYPES, ROW_DTYPES, each_metric, each_row_dtype

from fastclf import _native


def apart(metric, X, group, k, *, centre=None, as_bytes=False, n_threads=1):
    found = outputs(len(X), k)
    _native.knn_across_groups(metric, X, np.asarray(group, np.int64), centre, as_bytes, n_threads, *found)
    return found


@remembering
def expected(metric, X, group, k):
    """The k nearest (distance, row) of other groups, by the portable kernels' distances."""
    table = np.empty((len(X), len(X)))
    with on_isa("scalar"):
        _native.pairwise(metric, X, X, 1, table)
    keys = reference.ascending(metric, table.copy())
    keys[np.equal.outer(group, group)] = np.inf
    indices = np.argsort(keys, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(table, indices, axis=1), indices


def exactly(metric, X, group, k):
    """The k nearest rows of other groups by exact arithmetic, where many may be reported at one distance."""
    order = reference.exact_order(metric, X, X)
    indices = np.array([row[group[row] != group[i]][:k] for i, row in enumerate(order)])
    return np.take_along_axis(reference.METRICS[metric](X, X), indices, axis=1), indices


def check(metric, X, group, k, expected=expected, **options):
    want = expected(metric, X, np.asarray(group), k)
    for n_threads in (1, 3):
        found = apart(metric, X, group, k, n_threads=n_threads, **options)
        assert found[0].tobytes() == want[0].tobytes()
        assert found[1].tolist() == want[1].tolist()


def drawn(rng, dtype, n, d):
    return (
        rng.integers(0, 256, (n, d)).astype(dtype) if dtype in BYTE_DTYPES else rng.normal(3, 1, (n, d)).astype(dtype)
    )


# rows, features, groups, k: around a panel, rows that pass at a time, a block, a part of the depth
SHAPES = [
    (2, 1, 2, 1),
    (16, 3, 2, 7),
    (33, 17, 33, 32),
    (121, 2, 5, 60),
    (130, 1100, 3, 5),
    (300, 40, 10, 101),
    (700, 9, 4, 3),
    (260, 2100, 3, 5),
]


@each_metric
@each_row_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_nearest_of_other_groups(isa, metric, dtype, shape, rng):
    n, d, groups, k = shape
    X = drawn(rng, dtype, n, d)
    check(metric, X, rng.permutation(n) % groups, k)


@each_metric
def test_by_an_independent_search(metric, rng):
    for dtype in ROW_DTYPES:
        X, group = drawn(rng, dtype, 60, 7), rng.integers(0, 3, 60)
        distances, indices = apart(metric, X, group, 4)
        for own in range(3):
            mine, others = np.flatnonzero(group == own), np.flatnonzero(group != own)
            want = reference.exact_knn(metric, X[mine], X[others], 4)
            assert distances[mine].tobytes() == want[0].tobytes()
            assert indices[mine].tolist() == others[want[1]].tolist()


@each_metric
@each_row_dtype
def test_ties_go_to_the_lower_row_whenever_it_comes(isa, metric, dtype, rng):
    X = rng.integers(0, 2, (170, 4)).astype(dtype)
    for group in (np.arange(170) % 7, np.arange(170)):
        check(metric, X, group, 30)
        check(metric, np.ones_like(X), group, 30)


@each_metric
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_centre_and_bytes_in_floats_change_nothing(isa, metric, offset, rng):
    X = (rng.normal(size=(300, 33)) + offset).astype("float32")
    check(metric, X, np.arange(300) % 4, 9, centre=X.mean(axis=0))
    whole = rng.integers(0, 256, (300, 33))
    for dtype in ("float32", "float64"):
        check(metric, whole.astype(dtype), np.arange(300) % 4, 9, as_bytes=True)


@each_metric
@pytest.mark.parametrize("scale", [1e-160, 1e160])
def test_values_whose_squares_leave_the_range(isa, metric, scale, rng):
    check(metric, rng.normal(size=(80, 5)) * scale, np.arange(80) % 3, 6, exactly)


@each_metric
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_ties_under_many_locks(metric, dtype, rng):
    """So many rows and features that threads share the work: of which two agree on most rows' lists at a time."""
    check(metric, rng.integers(0, 2, (1100, 14)).astype(dtype), rng.permutation(1100) % 5, 30)


def test_the_largest_k_that_a_group_leaves():
    X = np.arange(10.0)[:, None]
    check("l1", X, [0] * 4 + [1] * 6, 4)
    with pytest.raises(ValueError, match="do not go together"):
        apart("l1", X, [0] * 4 + [1] * 6, 5)


@pytest.mark.parametrize("group", [[0, 1, 4, 2], [0, 1, -1, 2], [0, 1, 2**62, 2]])
def test_groups_beyond_the_rows_are_refused(group):
    with pytest.raises(ValueError, match="do not go together"):
        apart("l2", np.zeros((4, 2)), group, 1)


def test_shapes_that_do_not_go_together_are_refused():
    X, group = np.zeros((4, 2)), np.arange(4)
    with pytest.raises(ValueError, match="need shape"):
        apart("l2", X, group[:3], 1)
    with pytest.raises(ValueError, match="needs a group"):
        _native.knn_across_groups("l2", X, None, None, False, 1, *outputs(4, 1))
    for k in (0, 4):
        with pytest.raises(ValueError, match="do not go together"):
            apart("l2", X, group, k)


def test_rows_of_nan_leave_nothing_unwritten(rng):
    X = rng.random((1000, 2))
    X[:300] = np.nan
    distances, indices = np.full((1000, 5), -7.0), np.full((1000, 5), -7)
    _native.knn_across_groups("l2", X, np.arange(1000) % 5, None, False, 1, distances, indices)
    assert indices.min() >= -1
    assert not (distances == -7).any()
