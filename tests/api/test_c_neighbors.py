"""Neighbours, distances and votes by the public C interface."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import pytest
import reference
from c_functions import DTYPES, FUNCTIONS, NUMBERS, succeed
from names import BYTE_DTYPES, each_metric, each_row_dtype
from scipy.spatial.distance import cdist

SHAPES = [(1, 1, 1), (1, 9, 3), (5, 40, 17), (33, 130, 8)]  # queries, rows, features


def values(rng, dtype, *shape):
    integers = rng.integers(0, 12, shape)  # ties
    return (integers if dtype in BYTE_DTYPES else integers / 8 - 0.5).astype(dtype)


def knn(metric, Q, X, k, n_threads=1):
    distances, indices = np.full((len(Q), k), -1.0), np.full((len(Q), k), -1)
    number = DTYPES[X.dtype]
    succeed("knn", NUMBERS[metric], number, Q, len(Q), X, *X.shape, k, n_threads, distances, indices)
    return distances, indices


class Index:
    """An index, given back at the end of the block."""

    def __init__(self, metric, X, flags=0, n_threads=1):
        self.handle = ctypes.c_void_p()
        number = DTYPES[X.dtype]
        place = ctypes.addressof(self.handle)
        succeed("index_create", NUMBERS[metric], number, X, *X.shape, flags, n_threads, place)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        FUNCTIONS["index_free"](self.handle)

    def search(self, Q, k, n_threads=1):
        distances, indices = np.full((len(Q), k), -1.0), np.full((len(Q), k), -1)
        succeed("index_search", self.handle, DTYPES[Q.dtype], Q, len(Q), k, n_threads, distances, indices)
        return distances, indices


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@each_metric
@each_row_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_neighbours_and_distances(isa, rng, metric, dtype, shape):
    nq, n, d = shape
    Q, X = values(rng, dtype, nq, d), values(rng, dtype, n, d)
    for k in {1, min(7, n), n}:
        expected = reference.exact_knn(metric, Q, X, k)
        for n_threads in (0, 1, 3):
            assert_same(knn(metric, Q, X, k, n_threads), expected)
        for flags in (0, NUMBERS["BORROW"]):
            with Index(metric, X, flags) as index:
                assert_same(index.search(Q, k), expected)
    distances = np.empty((nq, n))
    succeed("pairwise_distances", NUMBERS[metric], DTYPES[X.dtype], Q, nq, X, n, d, 2, distances)
    np.testing.assert_array_equal(distances, reference.METRICS[metric](Q, X))


def table_of_distances(metric, Q, X):
    """Exact, of small integers and eighths."""
    Q, X = Q.astype(float), X.astype(float)
    return cdist(Q, X, "cityblock") if metric == "l1" else np.sqrt(cdist(Q, X, "sqeuclidean"))


@pytest.mark.parametrize("metric", ["l1", "l2"])
@each_row_dtype
@pytest.mark.parametrize("d", [2, 40])
@pytest.mark.parametrize("flags", [0, NUMBERS["BORROW"]])
def test_an_index_of_many_rows(rng, metric, dtype, d, flags):
    """In few dimensions by a tree, which gives up queries far from all rows."""
    X = values(rng, dtype, 6000, d)
    near = values(rng, dtype, 30, d)
    far = (near.astype(float) + 100).astype(dtype)
    X[:, 0] = (np.arange(6000) % 200).astype(dtype)
    Q = np.concatenate([near, far])
    with Index(metric, X, flags, 2) as index:
        for k in (1, 10, 6000):
            expected = reference.knn(table_of_distances(metric, Q, X), k)
            assert_same(index.search(Q, k, 2), expected)


@pytest.mark.parametrize("rows", ["float32", "float64"])
@pytest.mark.parametrize("queries", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("fractions", [False, True])
def test_an_index_of_bytes_in_floats_and_queries_of_any_dtype(rng, rows, queries, fractions):
    X = rng.integers(0, 256, (50, 6)).astype(rows)
    Q = rng.integers(0, 256, (4, 6)).astype(queries)
    if fractions and queries != "uint8":
        Q[1, 2] += 0.5
    for flags in (0, NUMBERS["BORROW"]):
        with Index("l2", X, flags) as index:
            assert_same(index.search(Q, 5), reference.exact_knn("l2", Q, X, 5))


def test_an_index_copies_rows_or_borrows_them(rng):
    X, Q = values(rng, "float32", 30, 4), values(rng, "float32", 3, 4)
    before = reference.exact_knn("l2", Q, X, 4)
    with Index("l2", X) as copied, Index("l2", X, NUMBERS["BORROW"]) as borrowed:
        X += np.float32(0.125) * np.arange(4, dtype=np.float32)
        assert_same(copied.search(Q, 4), before)
        assert_same(borrowed.search(Q, 4), reference.exact_knn("l2", Q, X, 4))


def test_threads_may_search_one_index(rng):
    X, Q = values(rng, "float64", 2000, 3), values(rng, "float64", 40, 3)
    expected = reference.knn(table_of_distances("l1", Q, X), 5)
    with Index("l1", X) as index:
        found = [None] * 4

        def search(i):
            found[i] = index.search(Q, 5)

        threads = [threading.Thread(target=search, args=(i,)) for i in range(len(found))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for one in found:
        assert_same(one, expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("by_index", [False, True])
def test_votes(rng, weighted, by_index):
    rows, k, classes = 50, 7, 4
    of_rows = rng.integers(0, classes, 20)
    indices = rng.integers(0, 20, (rows, k))
    labels = of_rows[indices]
    weights = rng.integers(0, 4, (rows, k)) / 2 if weighted else None
    given = (of_rows, 20, indices) if by_index else (labels, rows * k, None)
    winners, votes = np.empty(rows, np.int64), np.empty((rows, classes))
    succeed("majority_vote", *given, rows, k, classes, weights, votes, winners)
    np.testing.assert_array_equal(winners, reference.vote(labels.tolist(), weights))
    ones = np.ones((rows, k)) if weights is None else weights
    np.testing.assert_array_equal(votes, np.stack([(ones * (labels == c)).sum(axis=1) for c in range(classes)], 1))
