"""Every metric, dtype and instruction set: distances are right, neighbours are the k smallest (distance, row)."""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools

import numpy as np
import pytest
import reference
from adversarial import BYTES, DOUBLES, FLOATS
from names import DTYPES, FLOAT_DTYPES, each_dtype, each_float, each_metric

import fastclf
from fastclf import _native
from fastclf.backends import plain

pytestmark = each_metric

# Queries, rows, features, k around the edges of: the scan for few queries (4), a register tile (24, 16, 12, 6, 3 or 1
# rows; 16 or 32 lanes), the blocks of rows (24, 48, 96, then 120) and of queries (256), a vector, a part of the depth
# (128 to 1024 features), and the spare room of the candidates (k, from 8 to 1024).
SHAPES = [
    *((nq, 41, 19, 4) for nq in (0, 1, 2, 4, 5, 15, 16, 17, 31, 32, 33, 70, 257, 300)),
    *(
        (5, n, 19, min(n, 4))
        for n in (1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 15, 16, 17, 23, 24, 25, 71, 72, 73, 167, 168, 169, 288, 289)
    ),
    *((nq, 41, d, 4) for nq in (3, 6) for d in (1, 3, 4, 7, 8, 15, 16, 17, 33, 63, 65, 127, 128, 129, 255, 256, 257)),
    *((nq, 41, d, 4) for nq in (3, 6) for d in (511, 512, 513, 1023, 1024, 1025, 1100)),
    *((33, 2300, 3, k) for k in (1023, 1024, 1025, 2048)),
    *((nq, 700, 5, k) for nq in (4, 33) for k in (1, 2, 7, 8, 9, 31, 32, 33, 40, 41, 50, 127, 128, 129, 300, 699, 700)),
]


@contextlib.contextmanager
def on_isa(name):
    before = _native.isa()
    _native.use_isa(name)
    try:
        yield
    finally:
        _native.use_isa(before)


def pairwise(metric, Q, X, n_threads=1):
    distances = np.empty((len(Q), len(X)))
    _native.pairwise(metric, Q, X, n_threads, distances)
    return distances


def search(metric, Q, X, k, n_threads=1, **how):
    return plain.search(metric, Q, X, k, n_threads, **{"middle": plain.centre(X), **how})


def assert_same_bytes(found, expected):
    """Compare (distances, indices), or one array; NaN never occurs, and -0.0 is not 0.0."""
    for a, b in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, expected)), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.tobytes() != b.tobytes():
            at = tuple(np.argwhere(a != b)[0]) if (a != b).any() else "the sign of a zero"
            pytest.fail(f"{(a != b).sum()} of {a.size} differ, first at {at}:\n{a}\n{b}")


@functools.cache
def grid(nq, n, d):
    """Bytes from 0 to 3: ties everywhere."""
    rng = np.random.default_rng(nq + 1000 * n + 1000000 * d)
    return rng.integers(0, 4, (nq, d)).astype(np.uint8), rng.integers(0, 4, (n, d)).astype(np.uint8)


@functools.cache
def grid_distances(metric, nq, n, d):
    return reference.METRICS[metric](*grid(nq, n, d))


@each_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_integers_are_exact(isa, metric, dtype, shape):
    nq, n, d, k = shape
    Q, X = (a.astype(dtype) for a in grid(nq, n, d))
    expected = grid_distances(metric, nq, n, d)
    assert_same_bytes(pairwise(metric, Q, X), expected)
    for as_bytes in {False, dtype != "uint8"}:
        assert_same_bytes(search(metric, Q, X, k, as_bytes=as_bytes), reference.knn(expected, k))


@each_dtype
@pytest.mark.parametrize("n", [2, 3, 5, 13, 33, 300])
def test_self_search_leaves_out_the_row_itself(isa, metric, dtype, n):
    X = grid(1, n, 3)[1]
    expected = reference.METRICS[metric](X, X)
    for k in {1, min(n - 1, 5), n - 1}:
        found = search(metric, X.astype(dtype), X.astype(dtype), k, own=np.arange(n))
        assert_same_bytes(found, reference.knn(expected, k, skip_self=True))


# int32 sums of squared bytes hold up to 33 025 features, uint32 up to 66 051; the kernels change over after 32 768.
@pytest.mark.parametrize("d", [32767, 32768, 32769, 33025, 33026, 66051, 66052])
def test_wide_bytes_do_not_overflow(isa, metric, d, rng):
    Q = np.repeat(np.array([0, 255, 254, 128, 1], np.uint8), d).reshape(5, d)
    X = np.vstack([Q[::-1], rng.integers(0, 256, (2, d)).astype(np.uint8)])
    expected = reference.METRICS[metric](Q, X)
    assert_same_bytes(pairwise(metric, Q, X), expected)
    for nq, dtype in itertools.product((2, 5), DTYPES):
        found = search(metric, Q[:nq].astype(dtype), X, 6, as_bytes=True)
        assert_same_bytes(found, reference.knn(expected[:nq], 6))


def test_real_pictures(isa, metric, data_file):
    X = np.frombuffer(gzip.decompress(data_file("mnist/t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    X = X.reshape(-1, 784)
    expected = reference.knn(reference.METRICS[metric](X[:7], X), 50)
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
    *itertools.product(BYTES, DTYPES),
    *itertools.product(FLOATS, FLOAT_DTYPES),
    *itertools.product(DOUBLES, ("float64",)),
]


@functools.cache
def hard(name, dtype):
    """40 queries and 150 rows, of which 20 are queries too."""
    build = {**BYTES, **FLOATS, **DOUBLES}[name]
    rows = np.asarray(build(np.random.default_rng(1), (170, 11), dtype)).astype(dtype)
    return rows[:40].copy(), rows[20:].copy()


@functools.cache
def hard_neighbors(metric, name, dtype):
    """All distances, all rows in order, and the nearest to 50 of these among them."""
    Q, X = hard(name, dtype)
    own = reference.exact_knn(metric, X[:50], X[:50], 5, skip_self=True)
    return reference.METRICS[metric](Q, X), reference.exact_knn(metric, Q, X, len(X)), own


@pytest.mark.parametrize(("name", "dtype"), HARD)
def test_hard_data(isa, metric, name, dtype):
    Q, X = hard(name, dtype)
    distances, (nearest, order), of_own = hard_neighbors(metric, name, dtype)
    assert_same_bytes(pairwise(metric, Q, X), distances)
    for nq, k in itertools.product((3, 40), (1, 5, 33, 150)):
        assert_same_bytes(search(metric, Q[:nq], X, k), (nearest[:nq, :k], order[:nq, :k]))
    assert_same_bytes(search(metric, X[:50], X[:50], 5, own=np.arange(50)), of_own)


@each_float
def test_any_centre_gives_the_same_answer(isa, metric, dtype, rng):
    Q, X = hard("offset 1e4", dtype)
    expected = reference.knn(pairwise(metric, Q, X), 9)
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
BIG = [(300, 800, 128, 7), (4, 6000, 1025, 9), (33, 3000, 257, 40), (520, 600, 100, 300)]


@functools.lru_cache(maxsize=2)
def big(shape, dtype):
    nq, n, d, _ = shape
    rng = np.random.default_rng(2)
    return rng.integers(0, 256, (nq, d)).astype(dtype), rng.integers(0, 256, (n, d)).astype(dtype)


@each_dtype
@pytest.mark.parametrize("shape", BIG, ids=str)
def test_threads_and_instruction_sets_do_not_matter(metric, dtype, shape):
    Q, X = big(shape, dtype)
    Q, X = (Q, X) if dtype == "uint8" else (Q * Q.dtype.type(0.1), X * X.dtype.type(0.1))
    with on_isa("scalar"):
        distances, expected = pairwise(metric, Q, X), search(metric, Q, X, shape[-1])
    assert_same_bytes(expected[0], reference.knn(distances, shape[-1])[0])
    assert_same_bytes(np.take_along_axis(distances, expected[1], axis=1), expected[0])
    assert_same_bytes(pairwise(metric, Q, X, n_threads=3), distances)
    for n_threads in (1, 2, 3, 7):
        assert_same_bytes(search(metric, Q, X, shape[-1], n_threads), expected)
    for name in _native.isas()[:-1]:
        with on_isa(name):
            assert_same_bytes(search(metric, Q, X, shape[-1], n_threads=2), expected)


@each_dtype
@pytest.mark.parametrize("name", ["normal", "offset 1e5"])
def test_batches_do_not_matter(isa, metric, dtype, name):
    Q, X = hard(name if dtype != "uint8" else "all bytes", dtype)
    distances, (d, i) = pairwise(metric, Q, X), search(metric, Q, X, 7)
    for size in (1, 3, 4, 5, 19):
        parts = [Q[start : start + size] for start in range(0, len(Q), size)]
        assert_same_bytes(np.vstack([pairwise(metric, part, X) for part in parts]), distances)
        found = [search(metric, part, X, 7) for part in parts]
        assert_same_bytes((np.vstack([f[0] for f in found]), np.vstack([f[1] for f in found])), (d, i))
    for cut in (1, 60, 149):
        halves = [pairwise(metric, Q, np.ascontiguousarray(part)) for part in (X[:cut], X[cut:])]
        assert_same_bytes(np.hstack(halves), distances)
    backwards = search(metric, np.ascontiguousarray(Q[::-1]), X, 7)
    assert_same_bytes((backwards[0][::-1], backwards[1][::-1]), (d, i))


@pytest.mark.parametrize(("q_dtype", "x_dtype"), list(itertools.permutations(DTYPES, 2)))
@pytest.mark.parametrize("d", [1, 5, 128, 129, 257, 511, 513, 1025])
def test_mixed_dtypes_are_widened(isa, metric, q_dtype, x_dtype, d, rng):
    Q, X = (rng.normal(120, 40, (n, d)).clip(0, 255).astype(t) for n, t in ((33, q_dtype), (50, x_dtype)))
    wide = np.promote_types(q_dtype, x_dtype)
    distances = pairwise(metric, Q.astype(wide), X.astype(wide))
    assert_same_bytes(pairwise(metric, Q, X), distances)
    for nq in (2, 33):
        assert_same_bytes(search(metric, Q[:nq], X, 6), reference.knn(distances[:nq], 6))


def test_rows_in_descending_order_of_distance(metric):
    X = np.arange(3000, 0, -1.0)[:, None] * np.array([1.0, 0.5]) + np.array([0.0, 1.0])
    Q = np.full((6, 2), 0.25)
    for k in (7, 900, 3000):
        distances, indices = fastclf.knn(Q, X, k, metric=metric)
        expected = reference.knn(fastclf.pairwise_distances(Q, X, metric=metric), k)
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
            == reference.knn(distances, 3)[1][: len(queries)].tolist()
        )


def test_zero_rows_and_queries_of_float64(metric, rng):
    X, Q = rng.normal(size=(300, 20)), rng.normal(size=(40, 20))
    X[rng.random(300) < 0.5] = 0
    Q[::3] = 0
    distances = fastclf.pairwise_distances(Q, X, metric=metric)
    assert_same_bytes(distances, reference.METRICS[metric](Q, X))
    assert fastclf.knn(Q, X, 9, metric=metric)[1].tolist() == reference.knn(distances, 9)[1].tolist()
