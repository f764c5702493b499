"""Rows of a nearest-neighbours model that stand for several, that go, or that are not asked for in a call."""

from __future__ import annotations

import copy
import itertools
import pickle
from fractions import Fraction

import numpy as np
import pytest
import reference
import scipy.sparse
from names import DISTANCES, METRICS, each_dtype, each_metric
from sklearn.ensemble import AdaBoostClassifier

from fastclf import KNN
from fastclf.neighbors import searching


def gaussian(distances):
    return np.exp(-(distances**2))


BALLOTS = {"uniform": np.ones_like, "distance": reference.inverse_distance, gaussian: gaussian}


@pytest.fixture
def grid(rng):
    """Small integers of 3 classes: ties everywhere."""
    return (
        rng.integers(0, 4, (60, 3)).astype(np.uint8),
        rng.integers(0, 3, 60),
        rng.integers(0, 4, (40, 3)).astype(np.uint8),
    )


# --- rows that stand for several --------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_tree", [False, True])
@pytest.mark.parametrize(
    ("metric", "weights"),
    [pair for pair in itertools.product(METRICS, BALLOTS) if pair[0] in DISTANCES or pair[1] != "distance"],
)
@pytest.mark.parametrize("k", [1, 4, 30])
def test_an_integer_weight_is_the_row_repeated(request, rng, grid, monkeypatch, metric, weights, k, has_tree):
    if has_tree:
        request.getfixturevalue("searches_by_tree")
    monkeypatch.setattr(searching, "NEIGHBORS_AT_ONCE", 100)
    X, y, Q = grid
    w = rng.integers(0, 4, 60)
    repeated, labels = np.repeat(X, w, axis=0), np.repeat(y, w)
    model = KNN(k, metric=metric, weights=weights).fit(X, y, sample_weight=w)
    distances, indices = reference.exact_knn(metric, Q, repeated, k)
    ballots = BALLOTS[weights](distances)
    pairs = zip(ballots, labels[indices], strict=True)
    expected = np.array([[ballot[row == c].sum() for c in range(3)] for ballot, row in pairs])
    np.testing.assert_allclose(model.predict_proba(Q), expected / expected.sum(axis=1, keepdims=True), rtol=1e-13)
    if weights == "uniform":
        np.testing.assert_array_equal(model.predict(Q), reference.vote(labels[indices]))


@each_metric
def test_weight_zero_is_the_row_absent(rng, grid, metric):
    X, y, Q = grid
    w = rng.integers(0, 2, 60).astype(float)
    model, other = KNN(5, metric=metric).fit(X, y, w), KNN(5, metric=metric).fit(X[w > 0], y[w > 0])
    assert model.n_samples_fit_ == other.n_samples_fit_ == int(w.sum())
    for queries in (Q, None):
        assert model.predict_proba(queries).tobytes() == other.predict_proba(queries).tobytes()
        assert model.kneighbors(queries)[1].tobytes() == other.kneighbors(queries)[1].tobytes()


def test_a_class_of_weight_zero_is_no_class():
    assert KNN(1).fit([[0], [1], [2]], ["a", "b", "c"], [1, 0, 2]).classes_.tolist() == ["a", "c"]


def shares_of_places(X, y, w, q, k, n_classes):
    """Which part of k places each class has: exact, each row takes its weight in the order of (distance, row)."""
    left, votes = Fraction(k), [Fraction(0)] * n_classes
    for row in reference.exact_order("l2", q[np.newaxis], X)[0]:
        taken = min(left, Fraction(float(w[row])))
        votes[y[row]] += taken
        left -= taken
    return [float(vote / sum(votes)) for vote in votes]


@pytest.mark.parametrize("k", [1, 3, 20])
def test_fractions_take_as_much_of_the_places(rng, grid, k):
    X, y, Q = grid
    w = rng.choice([0.25, 0.5, 1.75, 3.0], 60)
    found = KNN(k).fit(X, y, w).predict_proba(Q)
    np.testing.assert_allclose(found, [shares_of_places(X, y, w, q, k, 3) for q in Q], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-300, 5e-324])
def test_weights_below_one_are_shares(rng, grid, unit):
    X, y, Q = grid
    w = rng.integers(1, 4, 60).astype(float)
    shares = w * unit if unit < 1e-3 else w / w.sum() * unit  # as boosting has them
    expected = [shares_of_places(X, y, w / w.mean(), q, 3, 3) for q in Q]
    np.testing.assert_allclose(KNN(3).fit(X, y, shares).predict_proba(Q), expected, rtol=1e-9, atol=1e-12)


def test_all_rows_may_have_to_vote():
    X, y, w = np.arange(10.0)[:, np.newaxis], np.arange(10) % 2, np.full(10, 0.1)
    assert KNN(10).fit(X, y, w).predict_proba([[3.2]]).tolist() == [[0.5, 0.5]]


def test_huge_weights_take_all_places():
    model = KNN(3, weights="distance").fit([[0.0], [1.0], [9.0]], [0, 1, 2], [1e-300, 1e308, 1e308])
    np.testing.assert_allclose(model.predict_proba([[0.25]]), [[0, 1, 0]], atol=1e-290)


def test_a_row_that_is_left_out_is_so_with_all_it_stands_for():
    model = KNN(1).fit([[0.0], [1.0], [5.0]], ["a", "b", "c"], [9, 1, 2])
    assert model.predict(None).tolist() == ["b", "a", "b"]


def test_rows_that_come_later_weigh_one(grid):
    X, y, Q = grid
    w = np.arange(30) % 3 + 1
    model = KNN(6).fit(X[:30], y[:30], w).partial_fit(X[30:], y[30:])
    expected = KNN(6).fit(X, y, np.concatenate([w, np.ones(30)]))
    assert model.predict_proba(Q).tobytes() == expected.predict_proba(Q).tobytes()
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.predict_proba(Q).tobytes() == expected.predict_proba(Q).tobytes()


def test_boosting(rng):
    y = rng.integers(0, 2, 300)
    X = rng.normal(size=(300, 4)) + np.outer(y, [1, 1, 0, 0])
    boosted = AdaBoostClassifier(KNN(9), n_estimators=5, random_state=0).fit(X[:200], y[:200])
    assert boosted.score(X[200:], y[200:]) > 0.6


BAD_WEIGHTS = [
    (np.ones(5), ValueError, r"sample_weight must have shape \(6,\), got \(5,\)"),
    (np.ones((6, 1)), ValueError, r"sample_weight must have shape \(6,\)"),
    ([1, 1, 1, 1, 1, -1], ValueError, r"sample_weight\[5\] = -1.0"),
    ([1, 1, np.nan, 1, 1, 1], ValueError, r"sample_weight\[2\] = nan"),
    ([1, np.inf, 1, 1, 1, 1], ValueError, r"sample_weight\[1\] = inf"),
    (np.zeros(6), ValueError, "sample_weight is zero for all rows"),
    (["1"] * 6, TypeError, "sample_weight must be numbers"),
    (scipy.sparse.csr_matrix(np.ones(6)), TypeError, "Sparse data was passed for sample_weight"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_WEIGHTS)
def test_bad_weights_leave_the_model_as_it_was(state, bad, error, message):
    X, y = np.arange(12.0).reshape(6, 2), [0, 1] * 3
    for model in (KNN(2), KNN(2).fit(X, y)):
        before = state(model)
        with pytest.raises(error, match=message):
            model.fit(X, y, sample_weight=bad)
        assert state(model) == before


def test_k_is_at_most_the_sum_of_the_weights():
    model = KNN(5).fit([[0.0], [1.0], [2.0]], [0, 1, 0], [2, 2, 0.5])
    with pytest.raises(ValueError, match=r"Expected k <= the sum of sample_weight, but k = 5, the sum = 4.5"):
        model.predict([[0.0]])
    with pytest.raises(ValueError, match=r"without a row itself, but k = 3, the sum = 2.5"):
        model.set_params(k=3).predict(None)


# --- rows that go -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_tree", [False, True])
@each_metric
@pytest.mark.parametrize("share", [0.1, 0.7])
@pytest.mark.parametrize("form", ["numbers", "mask", "twice", "list"])
def test_what_is_left_is_as_if_fitted(request, rng, grid, metric, has_tree, share, form):
    if has_tree:
        request.getfixturevalue("searches_by_tree")
    X, y, Q = grid
    gone = rng.random(60) < share
    rows = {"numbers": np.flatnonzero(gone)[::-1], "mask": gone, "list": np.flatnonzero(gone).tolist()}
    rows["twice"] = np.repeat(rows["numbers"], 2)
    model = KNN(4, metric=metric).fit(X, y)
    before = copy.copy(model)
    held = model.predict_proba(Q).tobytes()
    assert model.remove(rows[form]) is model
    expected = KNN(4, metric=metric).fit(X[~gone], y[~gone])
    assert model.n_samples_fit_ == int((~gone).sum())
    for queries in (Q, None):
        for found, wanted in zip(model.kneighbors(queries), expected.kneighbors(queries), strict=True):
            assert found.tobytes() == wanted.tobytes()
        assert model.predict_proba(queries).tobytes() == expected.predict_proba(queries).tobytes()
    assert before.predict_proba(Q).tobytes() == held
    model.partial_fit(X[gone], y[gone])
    expected.partial_fit(X[gone], y[gone])
    assert model.kneighbors(Q)[1].tobytes() == expected.kneighbors(Q)[1].tobytes()


def test_weights_go_with_their_rows(grid):
    X, y, Q = grid
    w = np.arange(60) % 3 + 1
    model = KNN(6).fit(X, y, w).remove(np.arange(0, 60, 2))
    expected = KNN(6).fit(X[1::2], y[1::2], w[1::2])
    assert model.predict_proba(Q).tobytes() == expected.predict_proba(Q).tobytes()


def test_classes_stay_and_nothing_may_be_removed():
    model = KNN(1).fit([[0.0], [1.0]], ["a", "b"])
    assert model.remove([]).n_samples_fit_ == 2
    model.remove([1])
    assert model.classes_.tolist() == ["a", "b"]
    assert model.predict_proba([[1.0]]).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("index", ["Flat", "IVF16,Flat"])
def test_an_approximate_index_is_built_anew(rng, index):
    pytest.importorskip("faiss")
    X = rng.normal(size=(2000, 8)).astype(np.float32)
    model = KNN(3, backend="faiss", index=index).fit(X, np.zeros(2000)).remove(np.arange(0, 2000, 2))
    found = model.kneighbors(X[1:100:2])[1]
    np.testing.assert_array_equal(found[:, 0], np.arange(50))
    assert found.max() < 1000


BAD_ROWS = [
    ([6], ValueError, "rows must be from 0 to 5, got 6"),
    ([0, -1], ValueError, "rows must be from 0 to 5, got -1"),
    (np.array([2**64 - 1], np.uint64), ValueError, "rows must be from 0 to 5, got 18446744073709551615"),
    ([0.0], ValueError, "rows must be row numbers or a mask of rows, got float64"),
    (3, ValueError, r"rows must be row numbers or a mask of rows, got int64 of shape \(\)"),
    ([[1, 2]], ValueError, r"got int64 of shape \(1, 2\)"),
    ([True, False], ValueError, r"rows must be bools of shape \(6,\), got bool of shape \(2,\)"),
    (range(6), ValueError, "rows are all of the model's"),
    ("0", ValueError, "rows must be row numbers"),
    (None, ValueError, "rows is None; an array is required"),
    (np.ma.array([0, 1], mask=[0, 1]), TypeError, "rows has masked entries"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_ROWS)
def test_bad_rows_leave_the_model_as_it_was(state, bad, error, message):
    model = KNN(2).fit(np.arange(12.0).reshape(6, 2), [0, 1] * 3)
    before = state(model)
    with pytest.raises(error, match=message):
        model.remove(bad)
    assert state(model) == before


# --- rows that are not asked for --------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_tree", [False, True])
@each_metric
@pytest.mark.parametrize("count", [4, 6, 30, 59, 60])
@pytest.mark.parametrize("own", [False, True])
def test_neighbours_are_among_the_rows_allowed(request, rng, grid, metric, has_tree, count, own):
    if has_tree:
        request.getfixturevalue("searches_by_tree")
    X, y, Q = grid
    mask = np.zeros(60, dtype=bool)
    mask[rng.permutation(60)[:count]] = True
    model = KNN(3, metric=metric).fit(X, y)
    queries = X if own else Q
    distances, order = reference.METRICS[metric](queries, X), reference.exact_order(metric, queries, X)
    expected = np.array([[j for j in row if mask[j] and not (own and i == j)][:3] for i, row in enumerate(order)])
    found = model.kneighbors(None if own else Q, among=mask)
    np.testing.assert_array_equal(found[1], expected)
    np.testing.assert_array_equal(found[0], np.take_along_axis(distances, expected, axis=1))
    np.testing.assert_array_equal(model.kneighbors(None if own else Q, 2, False, among=mask.tolist()), expected[:, :2])


def test_approximate_search_is_exact_among_rows(rng):
    pytest.importorskip("faiss")
    X = rng.normal(size=(2000, 8)).astype(np.float32)
    mask = rng.random(2000) < 0.01
    model = KNN(3, backend="faiss", index="IVF64,PQ2x4fs", recall=0.1).fit(X, np.zeros(2000))
    expected = reference.knn(reference.l2(X[:20], X[mask]), 3)[1]
    np.testing.assert_array_equal(model.kneighbors(X[:20], among=mask)[1], np.flatnonzero(mask)[expected])


BAD_MASKS = [
    ([True], r"among must be bools of shape \(6,\), got bool of shape \(1,\)"),
    ([0, 1, 2], r"among must be bools of shape \(6,\), got int64 of shape \(3,\)"),
    (np.ones(6), r"among must be bools of shape \(6,\), got float64"),
    (np.ones((6, 1), bool), r"got bool of shape \(6, 1\)"),
    ([True, False] * 3, "Expected k <= the rows among which, but k = 4, the rows among which = 3"),
    (np.zeros(6, bool), "k = 4, the rows among which = 0"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_MASKS)
def test_bad_masks(bad, message):
    X = np.arange(12.0).reshape(6, 2)
    model = KNN(4).fit(X, [0, 1] * 3)
    with pytest.raises(ValueError, match=message):
        model.kneighbors(X, among=bad)


def test_a_row_is_none_of_its_own_neighbours_among_few():
    model = KNN(2).fit([[0.0], [1.0], [2.0]], [0, 1, 0])
    with pytest.raises(ValueError, match="k = 2, the rows among which there are others = 1"):
        model.kneighbors(among=[True, True, False])


# --- rows that are not copied -----------------------------------------------------------------------------------------


@each_metric
@each_dtype
def test_rows_kept_as_they_are(metric, dtype, tmp_path):
    rng = np.random.default_rng(20)
    X, y = (40 * rng.standard_normal((3000, 5)) + 128).astype(dtype), rng.integers(0, 3, 3000)
    np.save(tmp_path / "rows.npy", X)
    on_disk = np.load(tmp_path / "rows.npy", mmap_mode="r")
    expected = KNN(k=4, metric=metric).fit(X, y)
    for rows in (X, on_disk):
        model = KNN(k=4, metric=metric, copy=False).fit(rows, y)
        assert np.shares_memory(model._memory.backend.rows, rows)
        assert model.predict(X[:50]).tolist() == expected.predict(X[:50]).tolist()
        for found, right in zip(model.kneighbors(X[:50]), expected.kneighbors(X[:50]), strict=True):
            assert found.tobytes() == right.tobytes()
    longer = model.partial_fit(X[:3], y[:3])
    assert longer.n_samples_fit_ == 3003
    assert np.load(tmp_path / "rows.npy").tobytes() == X.tobytes()
    assert pickle.loads(pickle.dumps(longer)).predict(X[:50]).tolist() == longer.predict(X[:50]).tolist()


def test_rows_of_another_form_are_copied_all_the_same():
    X, y = np.asfortranarray(np.random.default_rng(21).standard_normal((30, 4))), np.arange(30) % 2
    model = KNN(k=1, copy=False).fit(X, y)
    assert not np.shares_memory(model._memory.backend.rows, X)
    assert model.predict(X).tolist() == y.tolist()
    assert not np.shares_memory(KNN(k=1).fit(X.T, np.arange(4))._memory.backend.rows, X)


def test_copy_has_to_be_a_flag():
    with pytest.raises(TypeError, match="copy"):
        KNN(copy="no").fit([[0.0], [1.0]], [0, 1])
