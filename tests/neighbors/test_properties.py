"""Properties that hold for any data, searched for counterexamples."""

from __future__ import annotations

import numpy as np
import reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from names import TRAITS, each_distance, each_metric, each_shifting_metric

import fastclf

sizes = st.integers(1, 40)
widths = st.integers(1, 20)
small_integers = st.integers(0, 3)
any_float = st.floats(allow_nan=False, allow_infinity=False)


def matrices(dtype, elements, rows=sizes):
    """Pairs of matrices of equal width."""
    return widths.flatmap(
        lambda d: st.tuples(*(hnp.arrays(dtype, st.tuples(rows, st.just(d)), elements=elements) for _ in range(2)))
    )


float32s = matrices(np.float32, st.floats(allow_nan=False, allow_infinity=False, width=32))
float64s = matrices(np.float64, any_float)
bytes_ = matrices(np.uint8, st.integers(0, 255))
grids = matrices(np.uint8, small_integers)
anything = st.one_of(float32s, float64s, bytes_, grids)
moderate = matrices(np.float64, st.floats(-1e6, 1e6))


def assert_neighbors(Q, X, k, metric):
    """The answer of knn is the first k rows by exact distance, and all of these are rounded once."""
    expected = reference.exact_knn(metric, Q, X, k)
    found = fastclf.knn(Q, X, k, metric=metric)
    np.testing.assert_array_equal(found[1], expected[1])
    assert found[0].tobytes() == expected[0].tobytes()


@each_metric
@given(data=anything, share=st.floats(0, 1))
def test_neighbors_are_the_first_by_exact_distance(metric, data, share):
    Q, X = data
    assert_neighbors(Q, X, 1 + int(share * (len(X) - 1)), metric)


@each_metric
@given(exponents=st.tuples(*[st.integers(-1070, 1020)] * 2), seed=st.integers(0, 99), d=widths)
def test_neighbors_at_any_scale(metric, exponents, seed, d):
    rng = np.random.default_rng(seed)
    Q, X = (np.ldexp(rng.uniform(-1, 1, (n, d)), e) for n, e in zip((8, 200), exponents, strict=True))
    assert_neighbors(Q, X, 3, metric)


@each_metric
@given(data=st.one_of(float32s, float64s))
def test_distances_are_rounded_once(metric, data):
    Q, X = (a[:6] for a in data)
    distances = fastclf.pairwise_distances(Q, X, metric=metric)
    assert distances.tobytes() == reference.METRICS[metric](Q, X).tobytes()


@each_metric
@given(data=anything)
def test_distances_are_symmetric_and_not_negative(metric, data):
    Q, X = data
    distances = fastclf.pairwise_distances(Q, X, metric=metric)
    assert (distances >= 0).all() or TRAITS[metric].is_product
    assert not np.signbit(distances[distances == 0]).any()
    assert np.array_equal(distances, fastclf.pairwise_distances(X, Q, metric=metric).T)


@each_distance
@given(data=anything)
def test_a_row_is_at_distance_zero_from_itself(metric, data):
    X, _ = data
    own = np.diagonal(fastclf.pairwise_distances(X, X, metric=metric))
    zero_rows = ~X.any(axis=1)
    assert np.array_equal(own, np.where(zero_rows & (metric == "cosine"), 1.0, 0.0))


@each_metric
@given(data=anything, seed=st.integers(0, 99))
def test_permuting_rows_permutes_the_answer(metric, data, seed):
    Q, X = data
    order = np.random.default_rng(seed).permutation(len(X))
    distances = fastclf.pairwise_distances(Q, X, metric=metric)
    assert np.array_equal(fastclf.pairwise_distances(Q, X[order], metric=metric), distances[:, order])
    nearest, indices = fastclf.knn(Q, X[order], len(X), metric=metric)
    assert np.array_equal(nearest, reference.knn(distances, len(X), metric=metric)[0])
    assert np.array_equal(np.sort(indices, axis=1), np.tile(np.arange(len(X)), (len(Q), 1)))


@each_metric
@given(
    data=st.one_of(bytes_, grids),
    dtype=st.sampled_from(["int16", "int64", "float16", "float32", "float64", "longdouble"]),
)
def test_whole_numbers_are_the_same_in_every_dtype(metric, data, dtype):
    Q, X = data
    expected = fastclf.pairwise_distances(Q, X, metric=metric).tobytes()
    assert fastclf.pairwise_distances(Q.astype(dtype), X, metric=metric).tobytes() == expected
    assert fastclf.pairwise_distances(Q, X.astype(dtype), metric=metric).tobytes() == expected


@each_shifting_metric
@given(data=bytes_, shift=st.integers(-(2**20), 2**20))
def test_moving_whole_numbers_together_changes_nothing(metric, data, shift):
    Q, X = (a.astype(np.int64) for a in data)
    k = min(3, len(X))
    for found, expected in zip(
        fastclf.knn(Q + shift, X + shift, k, metric=metric), fastclf.knn(Q, X, k, metric=metric), strict=True
    ):
        assert found.tobytes() == expected.tobytes()


@each_shifting_metric
@given(data=st.one_of(moderate, bytes_), extra=st.integers(1, 200))
def test_rows_far_away_change_nothing(metric, data, extra):
    Q, X = (a.astype(np.float64) for a in data)
    k = min(3, len(X))
    far = np.full((extra, X.shape[1]), 1e9) * np.arange(1, extra + 1)[:, None]
    expected = fastclf.knn(Q, X, k, metric=metric)
    for rows, first in ((np.vstack([X, far]), 0), (np.vstack([far, X]), extra)):
        distances, indices = fastclf.knn(Q, rows, k, metric=metric)
        assert distances.tobytes() == expected[0].tobytes()
        assert np.array_equal(indices - first, expected[1])


@each_shifting_metric
@given(data=moderate)
def test_the_triangle_inequality_holds_up_to_rounding(metric, data):
    Q, X = (a[:8] for a in data)
    length = np.vectorize(TRAITS[metric].length)
    qx, xx, qq = (length(fastclf.pairwise_distances(a, b, metric=metric)) for a, b in ((Q, X), (X, X), (Q, Q)))
    rounding = 4 * 2.0**-53
    assert (qx[:, None, :] <= (qx[:, :, None] + xx[None]) * (1 + rounding)).all()
    assert (qq[:, :, None] <= (qx[:, None, :] + qx[None]) * (1 + rounding)).all()


ballots = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        st.just(n),
        hnp.arrays(np.int64, st.tuples(st.integers(0, 20), st.integers(1, 9)), elements=st.integers(0, n - 1)),
    )
)


@given(ballot=ballots)
def test_votes_agree_with_the_reference(ballot):
    n_classes, labels = ballot
    assert fastclf.majority_vote(labels, n_classes).tolist() == reference.vote(labels).tolist()


@given(ballot=ballots, seed=st.integers(0, 99))
def test_the_order_of_votes_and_further_classes_do_not_matter(ballot, seed):
    n_classes, labels = ballot
    winners = fastclf.majority_vote(labels, n_classes)
    shuffled = np.random.default_rng(seed).permuted(labels, axis=1)
    assert np.array_equal(fastclf.majority_vote(shuffled, n_classes + 5), winners)
    assert np.array_equal(fastclf.majority_vote(labels, n_classes, weights=np.full(labels.shape, 0.5)), winners)


@given(ballot=ballots, seed=st.integers(0, 99))
def test_a_weight_of_two_is_two_votes_and_of_zero_none(ballot, seed):
    n_classes, labels = ballot
    weights = np.random.default_rng(seed).integers(0, 3, labels.shape)
    weights[:, 0] = 1
    winners = fastclf.majority_vote(labels, n_classes, weights=weights)
    repeated = [np.repeat(row, times) for row, times in zip(labels, weights, strict=True)]
    assert winners.tolist() == [fastclf.majority_vote([row], n_classes)[0] for row in repeated]
