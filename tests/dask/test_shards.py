"""Rows in several places: their lists, merged, are what exact arithmetic says of all rows; their sums add up."""

from __future__ import annotations

import itertools

import adversarial
import numpy as np
import pytest
import reference
import reference_linear
from hypothesis import given
from hypothesis import strategies as st
from names import FLOAT_DTYPES, each_dtype, each_metric

from fastclf import _native, shards
from fastclf.linear.losses import LOSSES

NEAR_TIES = ("tenths", "just above one", "large and small", "nearly parallel rows", "noisy copies", "one ULP apart")
each_near_tie = pytest.mark.parametrize(("name", "dtype"), list(itertools.product(NEAR_TIES, FLOAT_DTYPES)), ids=str)


class Places:
    """Shards of rows cut at these numbers, which count whose values are fetched."""

    def __init__(self, X, cuts, metric):
        edges = [0, *cuts, len(X)]
        self.X, self.metric, self.fetched = X, metric, []
        self.shards = [
            (start, shards.index_rows(X[start:end], np.arange(start, end) * 3, metric=metric))
            for start, end in itertools.pairwise(edges)
        ]

    def fetch(self, numbers):
        self.fetched += numbers.tolist()
        return self.X[numbers]

    def lists(self, Q, k, limited):
        first, shard = self.shards[0]
        found = [shards.nearest(shard, Q, k, first_row=first)]
        limits = found[0].distances[:, -1] if limited and shard.n_rows >= k else None
        for start, other in self.shards[1:]:
            found.append(shards.nearest(other, Q, k, first_row=start, limits=limits))
        return found

    def nearest(self, Q, k, limited=False):
        return shards.merge(self.lists(Q, k, limited), k, Q, self.fetch, metric=self.metric)


def assert_exact(metric, Q, X, k, found):
    distances, indices = reference.exact_knn(metric, Q, X, k)
    assert found.rows.tolist() == indices.tolist()
    assert found.distances.tobytes() == distances.tobytes()
    assert found.labels.tolist() == (3 * indices).tolist()


@each_metric
@each_near_tie
def test_near_ties_over_shards(metric, name, dtype):
    rows = adversarial.built(name, dtype, (60, 6))
    Q, X = rows[:20].copy(), rows[5:].copy()
    for cuts in ((20,), (1, 8, 30), tuple(range(1, 55))):
        for limited in (False, True):
            assert_exact(metric, Q, X, 9, Places(X, cuts, metric).nearest(Q, 9, limited))


@each_metric
def test_rows_that_round_to_one_distance_are_ordered_by_the_exact_one(metric):
    """Each row is in a place of its own, and the nearer ones come last."""
    X = np.full((12, 2), 2.0**30)
    X[:, 0] = 1 + np.arange(12)[::-1] * 2.0**-52
    Q = np.array([[3.0, 1.0], [-5.0, 1.0]])
    distances, _ = reference.exact_knn(metric, Q, X, 12)
    assert (distances == distances[:, :1]).all()
    places = Places(X, range(1, 12), metric)
    assert_exact(metric, Q, X, 12, places.nearest(Q, 12))
    assert places.fetched


@each_metric
@each_dtype
def test_rows_that_stand_twice(metric, dtype):
    rng = np.random.default_rng(1)
    X = np.tile(rng.integers(0, 9, (10, 3)), (4, 1)).astype(dtype)
    places = Places(X, (10, 15, 30), metric)
    assert_exact(metric, X[:7], X, 25, places.nearest(X[:7], 25))
    assert bool(places.fetched) == (metric == "cosine")  # sums of bytes are exact, whatever they are stored as


def test_bytes_in_one_place_and_floats_in_another():
    X = np.arange(24.0).reshape(12, 2)
    X[6:] += 0.5
    places = Places(X, (6,), "l2")
    assert [shard.values.dtype.kind for _, shard in places.shards] == ["u", "f"]
    Q = np.array([[11.0, 12.0], [11.25, 12.25]])
    assert_exact("l2", Q, X, 8, places.nearest(Q, 8))


@given(st.data())
def test_any_cuts(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    X = rng.integers(-3, 4, (data.draw(st.integers(2, 30)), 2)) * data.draw(st.sampled_from([1.0, 0.1, 1e-160]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(X) - 1), max_size=6)))
    metric = data.draw(st.sampled_from(list(_native.metrics())))
    k = data.draw(st.integers(1, len(X)))
    assert_exact(metric, X[:5], X, k, Places(X, cuts, metric).nearest(X[:5], k, data.draw(st.booleans())))


def test_lists_of_fewer_rows_than_k():
    X = np.arange(3.0)[:, None]
    lists = [shards.nearest(shard, [[0.0]], 5, first_row=first) for first, shard in Places(X, (1,), "l1").shards]
    assert [one.rows.shape for one in lists] == [(1, 1), (1, 2)]
    assert shards.merge(lists, 5, [[0.0]], X.__getitem__, metric="l1").rows.tolist() == [[0, 1, 2]]


def test_no_queries():
    places = Places(np.eye(4), (2,), "l2")
    assert places.nearest(np.empty((0, 4)), 3).rows.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lists": []}, "lists are none"),
        ({"lists": "twice the first"}, "several lists"),
        ({"Q": np.eye(3)}, "has 3 queries"),
        ({"k": 0}, "Expected k >= 1"),
        ({"metric": "l3"}, "metric must be one of"),
        ({"fetch": lambda numbers: np.zeros((len(numbers), 3))}, "not those that the lists were made of"),
        ({"fetch": lambda numbers: np.zeros((len(numbers), 2))}, "fetch must return shape"),
        ({"fetch": lambda numbers: np.full((len(numbers), 3), np.nan)}, "contains NaN"),
    ],
)
def test_bad_merges_are_refused(change, message):
    X = np.array([[1.0, 0.5, 0], [0.5, 1.0, 0], [1.0, 0.5, 0], [0.0, 1.0, 0.5]])
    lists = [shards.nearest(shard, [[0.0, 0, 0]], 2, first_row=at) for at, shard in Places(X, (2,), "l1").shards]
    options = {"lists": lists, "k": 2, "Q": [[0.0, 0, 0]], "fetch": X.__getitem__, "metric": "l1"}
    assert shards.merge(**options).rows.tolist() == [[0, 1]]
    if change.get("lists"):
        change = {"lists": [lists[0], lists[0]]}
    with pytest.raises(ValueError, match=message):
        shards.merge(**options | change)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"X": np.empty((0, 2))}, ValueError, "no rows"),
        ({"X": [[np.inf, 0.0]]}, ValueError, "X contains infinity"),
        ({"labels": [1]}, ValueError, r"labels must have shape \(2,\)"),
        ({"metric": "l3"}, ValueError, "metric must be one of"),
        ({"k": 0}, ValueError, "Expected k >= 1"),
        ({"places": 0}, ValueError, "places must be at least 1"),
        ({"places": 1.5}, TypeError, "places must be an int"),
        ({"n_threads": 0}, ValueError, "n_threads"),
    ],
)
def test_bad_rows_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        shards.index_rows(**{"X": np.eye(2)} | options)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"Q": np.eye(3)}, ValueError, "Q has 3 features"),
        ({"k": 0}, ValueError, "Expected k >= 1"),
        ({"first_row": -1}, ValueError, "first_row must be at least 0"),
        ({"limits": [1.0]}, ValueError, r"limits must be numbers of shape \(2,\)"),
        ({"limits": [1.0, np.nan]}, ValueError, "limits contains NaN"),
        ({"limits": ["a", "b"]}, ValueError, "limits must be numbers"),
        ({"n_threads": "2"}, TypeError, "n_threads"),
    ],
)
def test_bad_queries_are_refused(options, error, message):
    arguments = {"shard": shards.index_rows(np.eye(2)), "Q": np.eye(2), "k": 1} | options
    with pytest.raises(error, match=message):
        shards.nearest(**arguments)


# --- sums of losses ---------------------------------------------------------------------------------------------------


def linear_problem(loss, dtype, several=False):
    rng = np.random.default_rng(7)
    X = (rng.integers(0, 9, (50, 4)) if dtype == "uint8" else rng.normal(size=(50, 4))).astype(dtype)
    y = rng.integers(0, 2, (50, 3)) if several else np.arange(50) % 3
    return X, y, rng.normal(size=(3, 4)), rng.normal(size=3), rng.random(50)


@pytest.mark.parametrize("loss", tuple(LOSSES))
@each_dtype
def test_sums_of_places_add_up(loss, dtype):
    X, y, W, b, weight = linear_problem(loss, dtype)
    parts = [
        shards.loss_and_gradient(X[at], y[at], W, b, loss=loss, sample_weight=weight[at])
        for at in (slice(0, 1), slice(1, 30), slice(30, 50))
    ]
    J, of_W, of_b = reference_linear.objective(loss, X, y, W, b, l2=0, weight=weight)
    total = weight.sum()
    for found, expected in zip(map(sum, zip(*parts, strict=True)), (J, of_W, of_b), strict=True):
        np.testing.assert_allclose(np.array(found) / total, expected.astype(float), rtol=1e-5, atol=1e-5)


def test_sums_of_several_labels_a_row():
    X, y, W, b, _ = linear_problem("sigmoid", "float64", several=True)
    loss, of_W, _ = shards.loss_and_gradient(X, y, W, b, loss="sigmoid")
    J, by_W, _ = reference_linear.objective("sigmoid", X, y, W, b, l2=0)
    np.testing.assert_allclose(loss / 50, float(J), rtol=1e-13)
    np.testing.assert_allclose(of_W / 50, by_W.astype(float), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"loss": "log"}, ValueError, "loss must be one of"),
        ({"X": np.eye(4)[:, :3]}, ValueError, "W and b must have shapes"),
        ({"b": np.zeros(2)}, ValueError, "W and b must have shapes"),
        ({"W": np.zeros((1, 4)), "b": np.zeros(1)}, ValueError, "2 classes or more"),
        ({"W": np.full((3, 4), np.nan)}, ValueError, "W contains NaN"),
        ({"y": [0, 1, 3, 0]}, ValueError, r"y\[2\] = 3 is outside \[0, 3\)"),
        ({"y": [0, 1]}, ValueError, "y has 2 entries"),
        ({"y": ["a", "b", "a", "b"]}, TypeError, "y must be integers"),
        ({"y": np.array([0, 2**63, 0, 0], ">u8")}, ValueError, rf"y\[1\] = {2**63} is outside"),
        ({"y": 0}, ValueError, r"y must be one-dimensional, got shape \(\)"),
        ({"y": np.zeros((4, 3))}, ValueError, "y must be one-dimensional"),
        ({"sample_weight": [1, 1, -1, 1]}, ValueError, "sample_weight"),
        ({"margin": "wide", "loss": "hinge"}, TypeError, "margin"),
        ({"W": np.full((3, 4), 3e38), "X": np.full((4, 4), 3e38, "float32")}, ValueError, "overflow"),
    ],
)
def test_bad_sums_are_refused(options, error, message):
    arguments = {"X": np.eye(4), "y": [0, 1, 2, 0], "W": np.zeros((3, 4)), "b": np.zeros(3)} | options
    with pytest.raises(error, match=message):
        shards.loss_and_gradient(**arguments)
