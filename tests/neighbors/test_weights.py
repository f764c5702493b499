"""Weights of votes that leave nothing to count, or that only just can be counted."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from fastclf import KNN, KNNCV

X, Y = np.array([[0.0], [1.0], [9.0], [9.5]]), np.array(["a", "b", "b", "a"])
Q = np.array([[0.2], [9.1]])


def zero_far_away(distances):
    """Leave neighbours of the second query, whose nearest is at 0.1, without weight."""
    return np.where(distances[:, :1] < 0.15, 0.0, 1.0) * np.ones_like(distances)


@pytest.mark.parametrize("weights", [np.zeros_like, zero_far_away, lambda d: -0.0 * d, lambda d: np.zeros_like(d, int)])
@pytest.mark.parametrize("k", [1, 3])
def test_a_query_whose_neighbours_all_have_weight_zero(weights, k):
    model = KNN(k, weights=weights).fit(X, Y)
    theirs = KNeighborsClassifier(k, weights=weights).fit(X, Y)
    for method, arguments in (("predict", (Q,)), ("predict_proba", (Q,)), ("score", (Q, Y[:2]))):
        messages = []
        for each in (model, theirs):
            with pytest.raises(ValueError, match="All neighbors of some sample is getting zero weights") as raised:
                getattr(each, method)(*arguments)
            messages.append(str(raised.value))
        assert messages[0] == messages[1]


def test_cross_validation_with_weights_of_zero(state):
    model = KNNCV([1, 2], cv=2, weights=np.zeros_like)
    before = state(model)
    with pytest.raises(ValueError, match="All neighbors of some sample is getting zero weights"):
        model.fit(X, Y)
    assert state(model) == before


def test_some_neighbours_may_have_weight_zero():
    def nearest_only(distances):
        return (distances == distances.min(axis=1, keepdims=True)).astype(float)

    ours, theirs = KNN(3, weights=nearest_only).fit(X, Y), KNeighborsClassifier(3, weights=nearest_only).fit(X, Y)
    assert ours.predict_proba(Q).tolist() == theirs.predict_proba(Q).tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    "votes",
    [
        (5e-324, 5e-324, 1e-323),  # the least numbers: sums are exact
        (1e308, 1.7e308, 1.7e308),  # the sum is beyond float64
        (1.7e308, 5e-324, 1e-300),
        (1e-308, 2e-308, 4e-308),
    ],
)
def test_sums_of_weights_may_leave_the_range(votes):
    model = KNN(3, weights=lambda distances: np.broadcast_to(votes, distances.shape)).fit(X[:3], Y[:3])
    total = sum(map(Fraction, votes))
    share = float(Fraction(votes[0]) / total)
    np.testing.assert_allclose(model.predict_proba([[0.0]]), [[share, 1 - share]], rtol=1e-15)
    assert model.predict([[0.0]]).tolist() == ["a" if share >= 0.5 else "b"]


def test_distances_beyond_float64_weigh_the_same():
    far = np.array([[1e308], [1e308], [1.1e308]])
    model = KNN(3, metric="l1", weights="distance").fit(far, [0, 1, 1])
    assert np.isinf(model.kneighbors([[-1e308]])[0]).all()
    np.testing.assert_allclose(model.predict_proba([[-1e308]]), [[1 / 3, 2 / 3]])
    assert model.predict([[-1e308]]).tolist() == [1]


@pytest.mark.parametrize("value", [-1.0, -5e-324, np.nan, np.inf])
def test_weights_that_are_none(value):
    def weights(distances):
        found = np.ones_like(distances)
        found[-1, -1] = value
        return found

    model = KNN(2, weights=weights).fit(X, Y)
    for call in (
        lambda: model.predict(Q),
        lambda: model.predict_proba(Q),
        lambda: model.score(Q, Y[:2]),
        lambda: KNNCV([2], cv=2, weights=weights).fit(X, Y),
    ):
        with pytest.raises(ValueError, match=r"weights\[\d+, \d+\] = .*finite and not negative"):
            call()
