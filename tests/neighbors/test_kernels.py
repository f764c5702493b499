"""Every metric, dtype and instruction set: distances are right, neighbours are the k smallest (distance, row)."""

from __future__ import annotations

import functools
import gzip
import itertools

import numpy as np
import pytest
import reference
from adversarial import BYTES, DOUBLES, FLOATS, built
from comparing import assert_same_bytes
from isas import on_isa
from names import (
    BYTE_DTYPES,
    DTYPES,
    FLOAT_DTYPES,
    HALF_DTYPES,
    METRICS,
    ROW_DTYPES,
    each_float,
    each_metric,
    each_row_dtype,
)

import fastclf
from fastclf import _native
from fastclf.neighbors.backends import plain

pytestmark = each_metric

# Queries, rows, features, k around the edges of: the scan for few queries (4), a register tile (24, 16, 12, 6, 3 or 1
# rows; 16 or 32 lanes), the blocks of rows (24, 48, 96, then 120) and of queries (256), a vector, a part of the depth
# (128 to 1024 features), and the spare room of the candidates (k, from 8 to 1024).
ROWS = (1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 15, 16, 17, 23, 24, 25, 71, 72, 73, 167, 168, 169, 288, 289)
FEATURES = (1, 3, 4, 7, 8, 15, 16, 17, 33, 63, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1100)
SHAPES = {
    "queries": [(nq, 41, 19, 4) for nq in (0, 1, 2, 4, 5, 15, 16, 17, 31, 32, 33, 70, 257, 300)],
    "rows": [(5, n, 19, min(n, 4)) for n in ROWS],
    "features, few queries": [(3, 41, d, 4) for d in FEATURES],
    "features": [(6, 41, d, 4) for d in FEATURES],
    "many neighbours": [*((33, 1100, 3, k) for k in (1023, 1024, 1025)), (5, 2300, 3, 2048)],
    "neighbours": [
        (nq, 700, 5, k) for nq in (4, 33) for k in (1, 2, 7, 8, 9, 31, 32, 33, 40, 41, 50, 127, 128, 129, 300, 699, 700)
    ],
}


def pairwise(metric, Q, X, n_threads=1):
    distances = np.empty((len(Q), len(X)))
    _native.pairwise(metric, Q, X, n_threads, distances)
    return distances


def search(metric, Q, X, k, n_threads=1, **how):
    return plain.search(metric, Q, X, k, n_threads, **{"middle": plain.centre(X), **how})


@functools.cache
def grid(nq, n, d):
    """Bytes from 0 to 3: ties everywhere."""
    rng = np.random.default_rng(nq + 1000 * n + 1000000 * d)
    return rng.integers(0, 4, (nq, d)).astype(np.uint8), rng.integers(0, 4, (n, d)).astype(np.uint8)


@functools.cache
def grid_distances(metric, nq, n, d):
    return reference.METRICS[metric](*grid(nq, n, d))


@functools.cache
def grid_neighbors(metric, nq, n, d, k):
    return reference.knn(grid_distances(metric, nq, n, d), k, metric=metric)


@each_row_dtype
@pytest.mark.parametrize("edge", SHAPES)
def test_integers_are_exact(isa, metric, dtype, edge):
    for nq, n, d, k in SHAPES[edge]:
        Q, X = (a.astype(dtype) for a in grid(nq, n, d))
        assert_same_bytes(pairwise(metric, Q, X), grid_distances(metric, nq, n, d))
        for as_bytes in {False, dtype not in BYTE_DTYPES}:
            found = search(metric, Q, X, k, as_bytes=as_bytes)
            assert_same_bytes(found, grid_neighbors(metric, nq, n, d, k))


@functools.cache
def others(metric, n):
    """For several k, the neighbours of a grid's rows among the others."""
    X = grid(1, n, 3)[1]
    distances = reference.METRICS[metric](X, X)
    return {k: reference.knn(distances, k, skip_self=True, metric=metric) for k in {1, min(n - 1, 5), n - 1}}


@each_row_dtype
@pytest.mark.parametrize("n", [2, 3, 5, 13, 33, 300])
def test_self_search_leaves_out_the_row_itself(isa, metric, dtype, n):
    X = grid(1, n, 3)[1].astype(dtype)
    for k, expected in others(metric, n).items():
        assert_same_bytes(search(metric, X, X, k, own=np.arange(n)), expected)


# int32 sums of squared bytes hold up to 33 025 features, uint32 up to 66 051; the kernels change over after 32 768.
@pytest.mark.parametrize("d", [32767, 32768, 32769, 33025, 33026, 66051, 66052])
def test_wide_bytes_do_not_overflow(isa, metric, d, rng):
    Q = np.repeat(np.array([0, 255, 254, 128, 1], np.uint8), d).reshape(5, d)
    X = np.vstack([Q[::-1], rng.integers(0, 256, (2, d)).astype(np.uint8)])
    expected = reference.METRICS[metric](Q, X)
    assert_same_bytes(pairwise(metric, Q, X), expected)
    for nq, dtype in itertools.product((2, 5), DTYPES):
        found = search(metric, Q[:nq].astype(dtype), X, 6, as_bytes=True)
        assert_same_bytes(found, reference.knn(expected[:nq], 6, metric=metric))


def test_real_pictures(isa, metric, data_file):
    X = np.frombuffer(gzip.decompress(data_file("mnist/t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    X = X.reshape(-1, 784)
    expected = reference.knn(reference.METRICS[metric](X[:7], X), 50, metric=metric)
    for dtype, nq in itertools.product(DTYPES, (2, 7)):
        found = search(metric, X[:nq].astype(dtype), X.astype(dtype), 50, n_threads=2)
        assert_same_bytes(found, (expected[0][:nq], expected[1][:nq]))


# --- floats -----------------------------------------------------------------------------------------------------------


@functools.cache
def noise(metric, dtype, d):
    rng = np.random.default_rng(d)
    Q, X = (rng.normal(size=(n, d)).astype(dtype) for n in (5, 7))
    return Q, X, reference.METRICS[metric](Q, X)


@each_float
@pytest.mark.parametrize(
    "d", [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 100, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1100]
)
def test_floats_are_rounded_once(isa, metric, dtype, d):
    Q, X, expected = noise(metric, dtype, d)
    assert_same_bytes(pairwise(metric, Q, X), expected)


HARD = [
    *itertools.product(BYTES, (*DTYPES, "int8")),
    *itertools.product(FLOATS, (*FLOAT_DTYPES, *HALF_DTYPES)),
    *itertools.product(DOUBLES, ("float64",)),
]


@functools.cache
def hard(name, dtype):
    """40 queries and 110 rows, of which the first 20 are the last queries."""
    rows = built(name, dtype, (130, 11))
    return rows[:40].copy(), rows[20:].copy()


@functools.cache
def hard_neighbors(metric, name, dtype):
    """All distances, all rows in order, and the nearest to the first 20 of these among the others."""
    Q, X = hard(name, dtype)
    distances, order = reference.METRICS[metric](Q, X), reference.exact_order(metric, Q, X)
    others = np.array([row[row != i][:5] for i, row in enumerate(order[20:])])
    own = np.take_along_axis(distances[20:], others, axis=1), others
    return distances, (np.take_along_axis(distances, order, axis=1), order), own


@pytest.mark.parametrize(("name", "dtype"), HARD)
def test_hard_data(isa, metric, name, dtype):
    Q, X = hard(name, dtype)
    distances, (nearest, order), of_own = hard_neighbors(metric, name, dtype)
    assert_same_bytes(pairwise(metric, Q, X), distances)
    for nq, k in ((3, 1), (3, 33), (3, 110), (40, 1), (40, 5), (40, 33), (40, 110)):
        assert_same_bytes(search(metric, Q[:nq], X, k), (nearest[:nq, :k], order[:nq, :k]))
    assert_same_bytes(search(metric, X[:20], X, 5, own=np.arange(20)), of_own)


@each_float
def test_any_centre_gives_the_same_answer(isa, metric, dtype, rng):
    Q, X = hard("offset 1e4", dtype)
    expected = reference.knn(pairwise(metric, Q, X), 9, metric=metric)
    ones = np.ones(Q.shape[1], np.float32)
    for centre in (
        None,
        0 * ones,
        1e4 * ones,
        rng.normal(size=Q.shape[1]).astype(np.float32),
        1e30 * ones,
        3e38 * ones,
    ):
        assert_same_bytes(search(metric, Q, X, 9, middle=centre), expected)


# --- threads, batches, dtypes -----------------------------------------------------------------------------------------

# Work enough for 7 threads, with rows cut into segments or not.
BIG_SCAN = (4, 6000, 1025, 9)
BIG_TILES = [(300, 800, 128, 7), (33, 3000, 257, 40), (520, 600, 100, 300)]


@functools.lru_cache(maxsize=4)
def big(shape, dtype):
    nq, n, d, _ = shape
    rng = np.random.default_rng(2)
    return rng.integers(0, 256, (nq, d)).astype(dtype), rng.integers(0, 256, (n, d)).astype(dtype)


@each_row_dtype
def test_threads_and_instruction_sets_do_not_matter(metric, dtype):
    turn = METRICS.index(metric) + ROW_DTYPES.index(dtype)
    all_tiles = dtype in ("uint8", "float32")  # of the other dtypes, all metrics together have each shape
    for shape in (BIG_SCAN, *(BIG_TILES if all_tiles else BIG_TILES[turn % 3 :][:1])):
        check_threads_and_instruction_sets(metric, dtype, shape)


def check_threads_and_instruction_sets(metric, dtype, shape):
    Q, X = big(shape, dtype)
    Q, X = (Q, X) if dtype in BYTE_DTYPES else (Q * Q.dtype.type(0.1), X * X.dtype.type(0.1))
    with on_isa("scalar"):
        distances, expected = pairwise(metric, Q, X), search(metric, Q, X, shape[-1])
    assert_same_bytes(expected[0], reference.knn(distances, shape[-1], metric=metric)[0])
    assert_same_bytes(np.take_along_axis(distances, expected[1], axis=1), expected[0])
    assert_same_bytes(pairwise(metric, Q, X, n_threads=3), distances)
    for n_threads in (1, 3, 7):
        assert_same_bytes(search(metric, Q, X, shape[-1], n_threads), expected)
    for name in _native.isas()[:-1]:
        with on_isa(name):
            assert_same_bytes(search(metric, Q, X, shape[-1], n_threads=2), expected)


@each_row_dtype
@pytest.mark.parametrize("name", ["normal", "offset 1e5"])
def test_batches_do_not_matter(isa, metric, dtype, name):
    Q, X = hard("all bytes" if dtype in BYTE_DTYPES else name, dtype)
    distances, (d, i) = pairwise(metric, Q, X), search(metric, Q, X, 7)
    for size in (1, 3, 4, 5, 19):
        parts = [Q[start : start + size] for start in range(0, len(Q), size)]
        assert_same_bytes(np.vstack([pairwise(metric, part, X) for part in parts]), distances)
        found = [search(metric, part, X, 7) for part in parts]
        assert_same_bytes((np.vstack([f[0] for f in found]), np.vstack([f[1] for f in found])), (d, i))
    for cut in (1, 60, 109):
        halves = [pairwise(metric, Q, np.ascontiguousarray(part)) for part in (X[:cut], X[cut:])]
        assert_same_bytes(np.hstack(halves), distances)
    backwards = search(metric, np.ascontiguousarray(Q[::-1]), X, 7)
    assert_same_bytes((backwards[0][::-1], backwards[1][::-1]), (d, i))


@functools.cache
def mixed(q_dtype, x_dtype, d):
    rng = np.random.default_rng(d)
    low, high = (-128, 127) if "int8" in (q_dtype, x_dtype) and "uint8" not in (q_dtype, x_dtype) else (0, 127)
    return [rng.normal(60, 40, (n, d)).clip(low, high).astype(t) for n, t in ((33, q_dtype), (50, x_dtype))]


@pytest.mark.parametrize(("q_dtype", "x_dtype"), list(itertools.permutations(ROW_DTYPES, 2)))
def test_mixed_dtypes_are_widened(isa, metric, q_dtype, x_dtype):
    for d in (1, 5, 128, 129, 257, 511, 513, 1025):
        Q, X = mixed(q_dtype, x_dtype, d)
        distances = pairwise(metric, Q.astype("float64"), X.astype("float64"))
        assert_same_bytes(pairwise(metric, Q, X), distances)
        nearest, order = reference.knn(distances, 6, metric=metric)
        for nq in (2, 33):
            assert_same_bytes(search(metric, Q[:nq], X, 6), (nearest[:nq], order[:nq]))


def test_rows_in_descending_order_of_distance(metric):
    X = np.arange(3000, 0, -1.0)[:, None] * np.array([1.0, 0.5]) + np.array([0.0, 1.0])
    Q = np.full((6, 2), 0.25)
    for k in (7, 900, 3000):
        distances, indices = fastclf.knn(Q, X, k, metric=metric)
        expected = reference.knn(fastclf.pairwise_distances(Q, X, metric=metric), k, metric=metric)
        assert (distances.tobytes(), indices.tolist()) == (expected[0].tobytes(), expected[1].tolist())


@pytest.mark.parametrize("exponent", [-250, 0, 250])
def test_many_features_at_any_scale(metric, exponent):
    d = 20000
    spread, single = np.full(d, np.sqrt(0.95 * 2.0**-53)), np.zeros(d)
    spread[0], single[0] = 1.0, np.sqrt(1 + 0.5 * d * 2.0**-53)
    X = np.stack([single] + [3 * single] * 60 + [spread]) * 2.0**exponent
    Q = np.zeros((8, d))
    distances = fastclf.pairwise_distances(Q, X, metric=metric)
    assert_same_bytes(distances[:1], reference.METRICS[metric](Q[:1], X))
    for queries in (Q, Q[:1]):
        assert (
            fastclf.knn(queries, X, 3, metric=metric)[1].tolist()
            == reference.knn(distances, 3, metric=metric)[1][: len(queries)].tolist()
        )


def test_zero_rows_and_queries_of_float64(metric, rng):
    X, Q = rng.normal(size=(300, 20)), rng.normal(size=(40, 20))
    X[rng.random(300) < 0.5] = 0
    Q[::3] = 0
    distances = fastclf.pairwise_distances(Q, X, metric=metric)
    assert_same_bytes(distances, reference.METRICS[metric](Q, X))
    assert fastclf.knn(Q, X, 9, metric=metric)[1].tolist() == reference.knn(distances, 9, metric=metric)[1].tolist()
