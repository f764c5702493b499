"""Comparing rows that something else proposes: the distances, bytes and order of a search among them."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from calls import outputs
from names import each_float, each_metric, each_row_dtype

from fastclf import _native


def rerank(metric, Q, X, rows, k, own=None, n_threads=1):
    found = outputs(len(Q), k)
    _native.rerank(metric, Q, X, np.ascontiguousarray(rows, np.int64), own, n_threads, *found)
    return found


def expected(metric, table, rows, k, own=None):
    """The k nearest of those proposed, by (distance, row), then row -1, as far away as can be."""
    distances, indices = outputs(len(table), k)
    distances[:], indices[:] = np.inf, -1
    table = reference.ascending(metric, table)
    for q, (of_query, proposed) in enumerate(zip(table, rows, strict=True)):
        left_out = {-1} if own is None else {-1, own[q]}
        for j, (d, row) in enumerate(sorted({(of_query[r], r) for r in proposed if r >= 0 and r not in left_out})[:k]):
            distances[q, j], indices[q, j] = d, row
    return reference.ascending(metric, distances) + 0.0, indices


def table_of(metric, Q, X):
    distances = np.empty((len(Q), len(X)))
    _native.pairwise(metric, Q, X, 1, distances)
    return distances


def data(rng, dtype, nq, n, d):
    if dtype == "uint8":
        return rng.integers(0, 4, (nq, d)).astype(dtype), rng.integers(0, 4, (n, d)).astype(dtype)
    return rng.normal(size=(nq, d)).astype(dtype), rng.normal(size=(n, d)).astype(dtype)


# queries, rows, features, proposed for each, k: around a task, a step of the sums, and what is asked for ahead
SHAPES = [
    (0, 5, 3, 4, 2),
    (1, 1, 1, 1, 1),
    (63, 40, 2, 7, 7),
    (64, 40, 15, 8, 3),
    (65, 40, 16, 9, 9),
    (130, 300, 17, 40, 5),
    (3, 1500, 33, 1300, 1200),
    (4, 20, 1500, 0, 2),
    (5, 30, 700, 12, 20),
]


@each_metric
@each_row_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_nearest_of_what_is_proposed(metric, dtype, shape, isa, rng):
    nq, n, d, proposed, k = shape
    Q, X = data(rng, dtype, nq, n, d)
    rows = rng.integers(-1, n, (nq, proposed))  # some come twice, some are none
    table = table_of(metric, Q, X)
    for own in (None, rng.integers(0, n, nq)):
        want = expected(metric, table, rows, k, own)
        for n_threads in (1, 3):
            found = rerank(metric, Q, X, rows, k, own, n_threads)
            assert found[0].tobytes() == want[0].tobytes()
            assert found[1].tolist() == want[1].tolist()


@each_metric
@pytest.mark.parametrize(
    ("of_queries", "of_rows"),
    [("uint8", "float32"), ("float64", "uint8"), ("float32", "float64"), ("int8", "float16"), ("bfloat16", "float16")],
)
def test_queries_and_rows_of_different_dtypes(metric, of_queries, of_rows, rng):
    Q, X = (
        part.astype(dtype) for part, dtype in zip(data(rng, "uint8", 9, 50, 21), (of_queries, of_rows), strict=True)
    )
    rows = rng.permuted(np.tile(np.arange(50), (9, 1)), axis=1)
    found = rerank(metric, Q, X, rows, 50)
    want = reference.exact_knn(metric, Q, X, 50)
    assert found[0].tobytes() == want[0].tobytes()
    assert found[1].tolist() == want[1].tolist()


@each_metric
@pytest.mark.parametrize("d", [1, 2, 5, 15, 16, 17, 31, 40])
@each_float
def test_sums_that_end_within_a_vector_are_right(metric, d, dtype, isa, rng):
    Q, X = data(rng, dtype, 4, 30, d)
    found = rerank(metric, Q, X, np.tile(np.arange(30), (4, 1)), 30)
    want = reference.exact_knn(metric, Q, X, 30)
    assert found[0].tobytes() == want[0].tobytes()
    assert found[1].tolist() == want[1].tolist()


@pytest.mark.parametrize("row", [5, 2**40, np.iinfo(np.int64).max])
def test_rows_that_do_not_exist_are_refused(row):
    X = np.zeros((5, 2))
    for n_threads in (1, 2):
        with pytest.raises(ValueError, match="do not go together"):
            rerank("l2", np.zeros((200, 2)), X, np.full((200, 3), row), 1, n_threads=n_threads)


def test_shapes_that_do_not_go_together_are_refused():
    Q, X, rows = np.zeros((3, 2)), np.zeros((5, 2)), np.zeros((3, 4), np.int64)
    for wrong in ((Q[:, :1].copy(), X, rows), (Q, X, rows[:2]), (Q.astype(int), X, rows)):
        with pytest.raises((TypeError, ValueError)):
            _native.rerank("l2", *wrong, None, 1, *outputs(3, 2))
    with pytest.raises(ValueError, match="need shape"):
        _native.rerank("l2", Q, X, rows, None, 1, outputs(3, 2)[0], outputs(3, 1)[1])
