"""Neighbours in the order of exact arithmetic, where float64's own would round it away; distances rounded once."""

from __future__ import annotations

import itertools
import math

import adversarial
import numpy as np
import pytest
import reference
import staged
from calls import outputs
from hypothesis import given
from hypothesis import strategies as st
from names import FLOAT_DTYPES, METRICS, TRAITS, each_float, each_metric, each_shifting_metric, each_sketched_metric

import fastclf
from fastclf import KNN, KNNCV, _native

NEAR_TIES = ("tenths", "just above one", "large and small", "nearly parallel rows", "noisy copies", "one ULP apart")


def assert_exact(metric, Q, X, k, found):
    expected = reference.exact_knn(metric, Q, X, k)
    assert found[1].tolist() == expected[1].tolist()
    assert found[0].tobytes() == expected[0].tobytes()


# --- small angles -----------------------------------------------------------------------------------------------------


def noisy(query, noise, rng):
    return query * (1 + noise * rng.normal(size=query.shape))


def test_small_angles_are_told_apart(isa):
    rng = np.random.default_rng(0)
    query = rng.normal(size=(1, 64))
    X = np.vstack([noisy(query, noise, rng) for noise in (1e-8, 1e-9, 1e-12)])
    for queries in (query, np.repeat(query, 6, axis=0)):
        found = fastclf.knn(queries, X, 3, metric="cosine")
        assert found[1].tolist() == [[2, 1, 0]] * len(queries)
        assert_exact("cosine", queries, X, 3, found)
    assert (found[0] > 0).all()


@each_float
def test_the_nearest_of_noisy_copies(isa, dtype):
    rng = np.random.default_rng(1)
    query = rng.normal(size=(1, 64))
    copies = [noisy(query, 10.0 ** rng.uniform(-9, -6), rng) for _ in range(200)]
    Q, X = query.astype(dtype), np.vstack(copies).astype(dtype)
    for queries in (Q, np.repeat(Q, 6, axis=0)):
        assert_exact("cosine", queries, X, 10, fastclf.knn(queries, X, 10, metric="cosine"))


def test_bytes_at_small_angles():
    rng = np.random.default_rng(2)
    row = rng.integers(100, 250, 1000).astype(np.uint8)
    X = np.repeat(row[None], 90, axis=0)
    at = np.arange(1, 90), rng.integers(0, 1000, 89)
    X[at] += rng.integers(1, 4, 89).astype(np.uint8)
    for Q in (row[None], np.repeat(row[None], 6, axis=0)):
        assert_exact("cosine", Q, X, 20, fastclf.knn(Q, X, 20, metric="cosine"))


@pytest.mark.parametrize("exponent", [-990, -500, 0, 500, 990])
def test_multiples_of_a_row_are_at_distance_0(isa, exponent):
    row = np.random.default_rng(3).integers(-(2**40), 2**40, 37) * 2.0 ** (exponent - 40)
    X = np.array([row, 2 * row, row / 1024, 3 * row, 7 * row, -row, 0 * row])
    expected = [0.0] * 5 + [2.0, 1.0]
    assert fastclf.pairwise_distances(row[None], X, metric="cosine").tolist() == [expected]
    assert fastclf.pairwise_distances(X[-1:], X, metric="cosine").tolist() == [[1.0] * 7]
    assert fastclf.knn(row[None], X, 7, metric="cosine")[1].tolist() == [[0, 1, 2, 3, 4, 6, 5]]


def on_rays(dtype, width, exponent, rng):
    """Multiples of two directions, some less than a last place off, and zeros; exact where products fit the dtype."""
    directions = rng.integers(-5, 6, (2, width)).astype(dtype)
    directions[:, : width // 3] = 0
    directions[:, -1] = 3
    times = rng.choice([-7, -3, -1, 1, 3, 5, 12, 1 / 3, 0.1], (24, 1)).astype(dtype)
    X = times * directions[rng.integers(0, 2, 24)] * dtype(2.0**exponent)
    X[::5, -1] = np.nextafter(X[::5, -1], dtype(0))
    X[::7, rng.integers(width)] *= -1
    X[3] = 0
    return X


@pytest.mark.parametrize("width", [1, 2, 3, 17, 600])
@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [(np.float32, 0), (np.float32, 110), (np.float32, -140), (np.float64, 0), (np.float64, 900), (np.float64, -1060)],
)
def test_rows_on_one_ray(isa, dtype, exponent, width, rng):
    X = on_rays(dtype, width, exponent, rng)
    Q = np.concatenate([X[:6], rng.normal(size=(2, width)).astype(dtype)])
    wanted = reference.cosine(Q, X)
    assert (wanted[:6] == 0).sum() > 6  # not only of themselves
    for queries, rows in ((Q, X), (Q.astype("float64"), X), (Q[:1], X)):
        found = fastclf.pairwise_distances(queries, rows, metric="cosine")
        assert found.tobytes() == wanted[: len(queries)].tobytes()
        assert_exact("cosine", queries, rows, 12, fastclf.knn(queries, rows, 12, metric="cosine"))


def test_rows_on_one_ray_whose_values_are_far_apart(isa):
    """Products that leave float64's range, and values that scaling takes bits from."""
    X = np.array(
        [[1e-300, 1e300], [3e-300, 3e300], [1e-300, -1e300], [5e-324, 1], [1e-323, 2], [5e-324, 2], [1e300, 0]]
    )
    assert fastclf.pairwise_distances(X, X, metric="cosine").tobytes() == reference.cosine(X, X).tobytes()
    assert_exact("cosine", X, X, 7, fastclf.knn(X, X, 7, metric="cosine"))


def of_length(squares, values, size):
    """Values, and then more, of which the squares sum to a number."""
    values = [int(v) for v in values]
    while rest := squares - sum(v * v for v in values):
        values.append(math.isqrt(rest))
    return values + [0] * (size - len(values))


def test_cosines_in_the_middle_between_two_numbers(isa):
    """q.x / (|q| |x|) is an odd multiple of 2^-54, below 1/2: the last bit decides."""
    rng = np.random.default_rng(4)
    rows = [of_length(2**54, rng.integers(-(2**25), 2**25, 5), 24) for _ in range(60)]
    rows = [rng.permutation(row) * rng.choice([-1, 1], 24) for row in rows]
    Q, X = (np.array(part, float) for part in (rows[:20], rows[20:]))
    s = (Q.astype(object) @ X.T.astype(object)).astype(np.int64)
    assert ((s % 2 == 1) & (s > 0) & (s < 2**53)).sum() > 30
    distances = fastclf.pairwise_distances(Q, X, metric="cosine")
    assert distances.tobytes() == reference.cosine(Q, X).tobytes()


# --- sums that tie ----------------------------------------------------------------------------------------------------


@each_shifting_metric
def test_columns_of_tenths(isa, metric):
    rng = np.random.default_rng(5)
    X, Q = (rng.choice([0.1, 0.3], (n, 24)) * rng.integers(1, 4, (n, 24)) for n in (300, 60))
    order = rng.permutation(24)
    for n_threads in (1, 3):
        found = fastclf.knn(Q, X, 9, metric=metric, n_threads=n_threads)
        assert_exact(metric, Q, X, 9, found)
        turned = fastclf.knn(Q[:, order].copy(), X[:, order].copy(), 9, metric=metric, n_threads=n_threads)
        assert turned[0].tobytes() == found[0].tobytes()
        assert turned[1].tolist() == found[1].tolist()


@each_shifting_metric
@pytest.mark.parametrize("width", [1, 2, 3, 17])
def test_sums_in_the_middle_between_two_numbers(isa, metric, width):
    """Differences 1 + 2^-53, and others that the last bit decides."""
    X = np.zeros((40, width))
    X[:, 0] = -np.arange(40) * 2.0**-53
    Q = np.zeros((5, width))
    Q[:, 0] = [1, 2, 0.5, 3, 1.5]
    assert fastclf.pairwise_distances(Q, X, metric=metric).tobytes() == reference.METRICS[metric](Q, X).tobytes()
    for queries in (Q, Q[:1]):
        assert_exact(metric, queries, X[::-1].copy(), 12, fastclf.knn(queries, X[::-1].copy(), 12, metric=metric))


@each_metric
def test_distances_beyond_the_range(isa, metric):
    largest = np.finfo(float).max
    X = np.array([[1, 1], [1, 0.5], [-1, 1], [-1, -0.5], [-1, -1], [0.5, 0], [0, 0]]) * largest
    for Q in (X[:1], X):
        assert_exact(metric, Q, X, 7, fastclf.knn(Q, X, 7, metric=metric))
        assert fastclf.pairwise_distances(Q, X, metric=metric).tobytes() == reference.METRICS[metric](Q, X).tobytes()


@each_metric
def test_values_of_every_size_in_a_row(isa, metric):
    rng = np.random.default_rng(6)
    X = rng.choice([1e300, 1e-300, 1.0, 1e16, 5e-324, 0.0], (60, 6)) * rng.choice([-1, 1], (60, 6))
    assert_exact(metric, X[:20], X, 30, fastclf.knn(X[:20], X, 30, metric=metric))


# --- every way to search ----------------------------------------------------------------------------------------------


def data(name, dtype, shape=(130, 12)):
    rows = adversarial.built(name, dtype, shape)
    return rows[:30].copy(), rows[10:].copy()


each_near_tie = pytest.mark.parametrize(("name", "dtype"), list(itertools.product(NEAR_TIES, FLOAT_DTYPES)), ids=str)


@each_metric
@each_near_tie
def test_threads_and_batches(isa, metric, name, dtype):
    Q, X = data(name, dtype, (130, 40))
    X = np.tile(X, (30, 1)) if name == "tenths" else X  # so many rows that threads share them, or not
    expected = reference.exact_knn(metric, Q[:6], X, 7)
    for n_threads in (1, 2, 3):
        for queries in (Q[:6], Q[:2]):
            found = fastclf.knn(queries, X, 7, metric=metric, n_threads=n_threads)
            assert found[1].tolist() == expected[1][: len(queries)].tolist()
            assert found[0].tobytes() == expected[0][: len(queries)].tobytes()


@each_metric
@each_near_tie
@pytest.mark.parametrize("backend", ["exact", "faiss"])
def test_backends(metric, name, dtype, backend):
    if backend == "faiss":
        pytest.importorskip("faiss")
    Q, X = data(name, dtype, (130, 3))
    model = KNN(5, metric=metric, backend=backend).fit(X, np.arange(len(X)) % 3)
    assert_exact(metric, Q, X, 5, model.kneighbors(Q))
    _, own = reference.exact_knn(metric, X, X, 5, skip_self=True)
    assert model.kneighbors(return_distance=False).tolist() == own.tolist()
    graph = model.kneighbors_graph(Q)
    assert [sorted(row.indices.tolist()) for row in graph] == np.sort(model.kneighbors(Q)[1], axis=1).tolist()


@each_sketched_metric
@each_near_tie
@pytest.mark.usefixtures("searches_in_stages")
def test_stages(metric, name, dtype):
    Q, X = data(name, dtype)
    for chain in staged.chains(metric):
        assert_exact(metric, Q, X, 5, staged.cascade(metric, X, chain).search(Q, X, 5, 1))


@each_metric
@each_near_tie
def test_candidates_and_other_groups(isa, metric, name, dtype):
    Q, X = data(name, dtype)
    found = outputs(len(Q), 9)
    _native.rerank(metric, Q, X, np.tile(np.arange(len(X))[::-1].copy(), (len(Q), 1)), None, 1, *found)
    assert_exact(metric, Q, X, 9, found)
    group = np.arange(len(X)) % 4
    order = reference.exact_order(metric, X, X)
    expected = [[j for j in row if group[j] != group[i]][:6] for i, row in enumerate(order)]
    for n_threads in (1, 3):
        found = outputs(len(X), 6)
        _native.knn_across_groups(metric, X, group, None, False, n_threads, *found)
        assert found[1].tolist() == expected


@each_near_tie
def test_cross_validation(name, dtype):
    _, X = data(name, dtype)
    y, folds = np.arange(len(X)) % 3, np.arange(len(X)) % 4
    parts = [(np.flatnonzero(folds != i), np.flatnonzero(folds == i)) for i in range(4)]
    ks = (1, 3, 4)
    scores = KNNCV(ks, metrics=METRICS, cv=parts).fit(X, y).cv_scores_
    for (m, metric), (i, (train, test)) in itertools.product(enumerate(METRICS), enumerate(parts)):
        order = train[reference.exact_order(metric, X[test], X[train])]
        for j, k in enumerate(ks):
            winners = reference.vote(y[order[:, :k]])
            assert scores[m, j, i] == np.mean(winners == y[test])


# --- properties -------------------------------------------------------------------------------------------------------

NUMBERS = {
    "tenths": st.integers(-20, 20).map(lambda v: v * 0.1),
    "near one": st.integers(-9, 9).map(lambda v: 1 + v * 2.0**-52),
    "large and small": st.sampled_from([0.0, 1.0, -1.0, 1e16, -1e16, 1e16 + 2]),
    "huge and tiny": st.sampled_from([1e300, -1e300, 1e-300, 3.0, 5e-324, 0.0]),
}


def matrices(numbers):
    return st.integers(1, 20).flatmap(
        lambda d: st.tuples(
            *(
                st.lists(st.lists(numbers, min_size=d, max_size=d), min_size=1, max_size=most).map(np.array)
                for most in (6, 12)
            )
        )
    )


near_ties = st.one_of([matrices(numbers) for numbers in NUMBERS.values()])


@each_metric
@given(data=near_ties)
def test_the_order_is_that_of_exact_arithmetic(metric, data):
    Q, X = data
    assert_exact(metric, Q, X, len(X), fastclf.knn(Q, X, len(X), metric=metric))


@each_metric
@given(data=near_ties, seed=st.integers(0, 99))
def test_the_order_of_columns_changes_nothing(metric, data, seed):
    Q, X = data
    order = np.random.default_rng(seed).permutation(Q.shape[1])
    turned = Q[:, order].copy(), X[:, order].copy()
    assert (
        fastclf.pairwise_distances(*turned, metric=metric).tobytes()
        == fastclf.pairwise_distances(Q, X, metric=metric).tobytes()
    )
    for found, expected in zip(
        fastclf.knn(*turned, len(X), metric=metric), fastclf.knn(Q, X, len(X), metric=metric), strict=True
    ):
        assert found.tobytes() == expected.tobytes()


@each_metric
@given(data=matrices(st.one_of(NUMBERS["tenths"], NUMBERS["near one"])), exponent=st.integers(-900, 900))
def test_powers_of_two_scale_distances_exactly(metric, data, exponent):
    Q, X = data
    degree = TRAITS[metric].degree
    exponent //= max(degree, 1)
    distances, order = fastclf.knn(Q, X, len(X), metric=metric)
    scaled = fastclf.knn(np.ldexp(Q, exponent), np.ldexp(X, exponent), len(X), metric=metric)
    assert scaled[0].tobytes() == np.ldexp(distances, degree * exponent).tobytes()
    assert scaled[1].tolist() == order.tolist()
