"""The classifier: votes, labels, neighbours, growing models, and life among scikit-learn's tools."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
import reference
from names import ROW_DTYPES, each_row_dtype
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastclf
from fastclf import KNN

METRICS = {"l1": "manhattan", "l2": "euclidean", "cosine": "cosine"}


def gaussian(distances):
    return np.exp(-(distances**2))


@pytest.fixture
def task(rng):
    """Continuous data of 4 classes: no two distances are equal."""
    y = rng.integers(0, 4, 400)
    X = rng.normal(size=(400, 5)) + 2 * np.eye(4, 5)[y]
    return X[:300], y[:300], X[300:], y[300:]


@pytest.fixture
def grid(rng):
    """Small integers of 3 classes: ties everywhere."""
    return (
        rng.integers(0, 3, (80, 3)).astype(np.uint8),
        rng.integers(0, 3, 80),
        rng.integers(0, 3, (60, 3)).astype(np.uint8),
    )


# --- predictions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("weights", ["uniform", "distance", gaussian])
@pytest.mark.parametrize("k", [1, 4, 7, 60])
def test_agrees_with_scikit_learn(task, metric, weights, k):
    X, y, Q, yq = task
    ours = KNN(k, metric=metric, weights=weights).fit(X, y)
    theirs = KNeighborsClassifier(k, algorithm="brute", metric=METRICS[metric], weights=weights).fit(X, y)
    np.testing.assert_array_equal(ours.kneighbors(Q)[1], theirs.kneighbors(Q)[1])
    np.testing.assert_allclose(ours.kneighbors(Q)[0], theirs.kneighbors(Q)[0], rtol=1e-9)
    np.testing.assert_array_equal(ours.predict(Q), theirs.predict(Q))
    np.testing.assert_allclose(ours.predict_proba(Q), theirs.predict_proba(Q), rtol=1e-9)
    assert ours.score(Q, yq) == theirs.score(Q, yq)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 2, 4, 30])
def test_agrees_with_the_reference_on_ties(grid, metric, weights, k):
    X, y, Q = grid
    distances, indices = reference.exact_knn(metric, Q, X, k)
    model = KNN(k, metric=metric, weights=weights).fit(X, y)
    ballots = None if weights == "uniform" else reference.inverse_distance(distances)
    np.testing.assert_array_equal(model.predict(Q), reference.vote(y[indices], ballots))
    np.testing.assert_array_equal(model.kneighbors(Q)[1], indices)
    np.testing.assert_array_equal(model.kneighbors(Q)[0], distances)


def test_probabilities_are_shares_of_the_votes(grid):
    X, y, Q = grid
    model = KNN(4, weights="distance").fit(X, y)
    probabilities = model.predict_proba(Q)
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(Q))


def test_exact_matches_alone_vote_by_distance():
    model = KNN(3, weights="distance").fit([[0.0], [0.0], [1e-9]], [1, 1, 0])
    assert model.predict_proba([[0.0]]).tolist() == [[0.0, 1.0]]
    assert model.predict([[1e-9]]).tolist() == [0]


@pytest.mark.parametrize("unit", [5e-324, 1e-310, 1e-300, 1e300])
def test_weights_by_distance_keep_their_proportions_at_any_scale(unit):
    model = KNN(2, weights="distance").fit(np.array([[0.0], [4.0]]) * unit, [1, 0])
    np.testing.assert_allclose(model.predict_proba(np.array([[1.0]]) * unit), [[0.25, 0.75]])
    assert model.predict(np.array([[1.0]]) * unit).tolist() == [1]


def test_smallest_class_wins_a_tied_vote():
    model = KNN(4).fit([[0], [1], [2], [3]], ["b", "c", "c", "b"])
    assert model.predict([[1], [3]]).tolist() == ["b", "b"]


def test_many_queries_are_voted_on_in_parts(monkeypatch, grid):
    X, y, Q = grid
    model = KNN(7, weights="distance").fit(X, y)
    whole = model.predict(Q), model.predict_proba(Q)
    monkeypatch.setattr("fastclf.neighbors.searching.NEIGHBORS_AT_ONCE", 7 * 11)
    assert model.predict(Q).tobytes() == whole[0].tobytes()
    assert model.predict_proba(Q).tobytes() == whole[1].tobytes()


def test_no_queries():
    model = KNN(1).fit([[0.0, 1.0], [1.0, 0.0]], ["a", "b"])
    none = np.empty((0, 2))
    assert model.predict(none).shape == (0,)
    assert model.predict(none).dtype == model.classes_.dtype
    assert model.predict_proba(none).shape == (0, 2)
    assert model.kneighbors_graph(none).shape == (0, 2)


# --- neighbours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_fitted_rows_are_not_their_own_neighbours(grid, metric):
    X, y, _ = grid
    model = KNN(3, metric=metric).fit(X, y)
    distances, indices = reference.exact_knn(metric, X, X, 5, skip_self=True)
    np.testing.assert_array_equal(model.kneighbors(k=5)[0], distances)
    np.testing.assert_array_equal(model.kneighbors(k=5, return_distance=False), indices)
    np.testing.assert_array_equal(model.kneighbors(return_distance=False), indices[:, :3])


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
@pytest.mark.parametrize("queries", [True, False])
def test_the_graph_agrees_with_scikit_learn(task, mode, queries):
    X, y, Q, _ = task
    Q = Q if queries else None
    ours = KNN(4, metric="l1").fit(X, y).kneighbors_graph(Q, 6, mode=mode)
    theirs = KNeighborsClassifier(4, metric="manhattan").fit(X, y).kneighbors_graph(Q, 6, mode=mode)
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(ours.indices, theirs.indices)
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), rtol=1e-12)


# --- labels and inputs ------------------------------------------------------------------------------------------------

LABELS = {
    "strings": ["b", "a", "b", "zz"],
    "objects": np.array(["b", "a", "b", "zz"], object),
    "bool": [True, False, True, True],
    "negative": [-3, 5, -3, 0],
    "gaps": [10**12, 7, 10**12, 300],
    "floats of whole numbers": [1.0, 2.0, 1.0, -4.0],
    "uint8": np.array([255, 0, 255, 3], np.uint8),
    "int8": np.array([-128, 0, -128, 127], np.int8),
    "strided": np.array([4, 0, 2, 0, 4, 0, 1, 0])[::2],
    "read backwards": np.array([4, 2, 4, 1])[::-1],
    "one class": ["only"] * 4,
    "pandas": pd.Series(["b", "a", "b", "zz"], index=[9, 8, 7, 6]),
    "categories": pd.Series(["b", "a", "b", "zz"], dtype="category"),
    "INT64_MIN": [-(2**63), 2**63 - 1, 0, 0],
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_type(name):
    y = np.asarray(LABELS[name])
    X = np.arange(4.0).reshape(-1, 1)
    model = KNN(1).fit(X, LABELS[name])
    assert model.classes_.tolist() == sorted(set(y.tolist()))
    assert model.classes_.dtype == y.dtype
    assert model.predict(X).tolist() == y.tolist()
    assert model.predict(X).dtype == y.dtype
    assert model.predict_proba(X).sum() == 4


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(UserWarning, match="column-vector y"):
        model = KNN(1).fit([[0.0], [1.0]], [[1], [0]])
    assert model.predict([[0.0]]).tolist() == [1]


def test_pandas_frames_and_their_feature_names(grid):
    X, y, Q = grid
    names = ["u", "v", "w"]
    model = KNN(3).fit(pd.DataFrame(X, columns=names), pd.Series(y))
    assert model.feature_names_in_.tolist() == names
    expected = KNN(3).fit(X, y).predict(Q)
    np.testing.assert_array_equal(model.predict(pd.DataFrame(Q, columns=names)), expected)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(Q, columns=names[::-1]))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(model.predict(Q), expected)


def test_changing_x_and_y_after_fit_changes_nothing(rng, state):
    for dtype in ROW_DTYPES:
        X, y = rng.integers(0, 255, (50, 4)).astype(dtype), rng.integers(0, 3, 50)
        model = KNN(3).fit(X, y)
        more, more_y = X.copy(), y.copy()
        model.partial_fit(more, more_y)
        before = state(model)
        for a in (X, y, more, more_y):
            a[...] = 0
        assert state(model) == before


def test_what_a_weights_function_does_to_distances_stays_there(grid):
    X, y, Q = grid

    def destructive(distances):
        distances[...] = 1
        return distances

    model = KNN(3, weights=destructive).fit(X, y)
    expected = KNN(3).fit(X, y)
    np.testing.assert_array_equal(model.predict(Q), expected.predict(Q))
    np.testing.assert_array_equal(model.kneighbors(Q)[0], expected.kneighbors(Q)[0])


# --- growing ----------------------------------------------------------------------------------------------------------


def assert_same_answers(a, b, Q):
    assert a.n_samples_fit_ == b.n_samples_fit_
    assert a.classes_.tolist() == b.classes_.tolist()
    assert a.predict(Q).tolist() == b.predict(Q).tolist()
    for method in ("predict_proba", "kneighbors"):
        for x, y in zip(getattr(a, method)(Q), getattr(b, method)(Q), strict=True):
            assert x.tobytes() == y.tobytes()
    assert a.kneighbors()[0].tobytes() == b.kneighbors()[0].tobytes()


@each_row_dtype
@pytest.mark.parametrize("size", [1, 7, 64])
def test_partial_fit_equals_fit(rng, dtype, size):
    X = (rng.normal(size=(150, 4)) * 50 + 100).clip(0, 255).astype(dtype)
    y, Q = np.array(["c", "a", "b"])[np.sort(rng.integers(0, 3, 150))], X[:40]
    grown = KNN(5, weights="distance")
    for start in range(0, 150, size):
        grown.partial_fit(X[start : start + size], y[start : start + size])
    assert_same_answers(grown, KNN(5, weights="distance").fit(X, y), Q)


def test_a_wider_dtype_may_come_later(rng):
    parts = [
        rng.integers(0, 255, (20, 3)).astype(np.uint8),
        rng.normal(size=(20, 3)).astype(np.float32),
        rng.integers(-300, 300, (20, 3)),
        rng.normal(size=(20, 3)),
        rng.integers(0, 255, (20, 3)).astype(np.uint8),
    ]
    grown = KNN(5)
    for number, part in enumerate(parts):
        grown.partial_fit(part, np.full(20, number))
    assert_same_answers(grown, KNN(5).fit(np.vstack(parts), np.repeat(range(5), 20)), parts[1])


def test_classes_may_be_announced():
    for model in (KNN(1), KNN(1).fit([[5]], [1])):
        model.partial_fit([[0], [1]], [2, 0], classes=[0, 1, 2, 7])
        assert model.classes_.tolist() == [0, 1, 2, 7]
        assert model.predict([[0], [1]]).tolist() == [2, 0]
        model.partial_fit([[2]], [7])
        assert model.predict([[2], [0]]).tolist() == [7, 2]


def test_longer_strings_may_come_later():
    model = KNN(1).fit([[0]], ["a"]).partial_fit([[1]], ["longer"])
    assert model.predict([[0], [1]]).tolist() == ["a", "longer"]


@pytest.mark.parametrize(("first", "later"), [([0, 1], ["a", "b"]), (["a", "b"], [0, 1])])
def test_labels_do_not_change_their_type(first, later, state):
    model = KNN(1).fit([[0], [1]], first)
    before = state(model)
    with pytest.raises((TypeError, ValueError), match=r"\by\b|class|label"):
        model.partial_fit([[2], [3]], later)
    assert state(model) == before


def test_growth_is_amortised():
    model = KNN(1).partial_fit([[0.0]], [0], classes=[0, 1, 2])
    buffers = {}
    for i in range(1, 2000):
        model.partial_fit([[float(i)]], [i % 3])
        for name, array in (("rows", model._memory.backend._rows.held), ("labels", model._memory.codes)):
            buffers.setdefault(name, {})[id(array._buffer.memory)] = array._buffer.memory
    doublings = 11
    assert all(len(seen) <= doublings for seen in buffers.values())
    assert model.predict([[1999.0], [500.2]]).tolist() == [1999 % 3, 500 % 3]


# --- scikit-learn's tools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_give_the_same_answers(grid, copied):
    X, y, Q = grid
    model = KNN(3, metric="l1", weights="distance").fit(X, y).partial_fit(X[:5], y[:5])
    other = copied(model)
    assert other.get_params() == model.get_params()
    assert_same_answers(other, model, Q)


def test_a_copy_grows_by_itself(grid, state):
    X, y, _ = grid
    model = KNN(3).fit(X, y)
    before = state(model)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.partial_fit(X, y)
        assert other.n_samples_fit_ == 160
    assert state(model) == before


def test_clone_is_unfitted(grid):
    X, y, Q = grid
    twin = clone(KNN(7, metric="cosine", weights=gaussian, n_threads=2).fit(X, y))
    assert twin.get_params() == KNN(7, metric="cosine", weights=gaussian, n_threads=2).get_params()
    with pytest.raises(NotFittedError):
        twin.predict(Q)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "kneighbors", "kneighbors_graph"])
def test_an_unfitted_model_says_so(method):
    with pytest.raises(NotFittedError, match="not fitted"):
        getattr(KNN(), method)([[0.0]])
    with pytest.raises(NotFittedError):
        _ = KNN().n_samples_fit_


def test_searches_and_pipelines_agree_with_scikit_learns_own_classifier(task):
    X, y, Q, _ = task
    theirs = KNeighborsClassifier(5, algorithm="brute")
    np.testing.assert_array_equal(cross_val_score(KNN(5), X, y), cross_val_score(theirs, X, y))
    searches = [
        GridSearchCV(make_pipeline(StandardScaler(), KNN()), {"knn__k": [1, 5, 25]}),
        GridSearchCV(make_pipeline(StandardScaler(), theirs), {"kneighborsclassifier__n_neighbors": [1, 5, 25]}),
    ]
    scores = [search.fit(X, y).cv_results_["mean_test_score"].tolist() for search in searches]
    assert scores[0] == scores[1]
    np.testing.assert_array_equal(*(search.predict(Q) for search in searches))


def test_parameters_may_change_on_a_fitted_model(grid):
    X, y, Q = grid
    model = KNN(1).fit(X, y)
    model.set_params(k=9, weights="distance", n_threads=1)
    np.testing.assert_array_equal(model.predict(Q), KNN(9, weights="distance").fit(X, y).predict(Q))
    model.set_params(metric="l1")
    np.testing.assert_array_equal(model.kneighbors(Q)[0], KNN(9).fit(X, y).kneighbors(Q)[0])
    for name, value in (("k", 0), ("weights", "heavy"), ("n_threads", 0), ("k", 81)):
        with pytest.raises(ValueError, match=name):
            clone(model).set_params(metric="l2").fit(X, y).set_params(**{name: value}).predict(Q)


def test_threads_may_predict_at_once(grid):
    X, y, Q = grid
    model = KNN(3).fit(X, y)
    expected, found = model.predict(Q).tobytes(), []
    workers = [threading.Thread(target=lambda: found.append(model.predict(Q).tobytes())) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 8


def test_the_functions_and_the_model_agree(task):
    X, y, Q, _ = task
    distances, indices = fastclf.knn(Q, X, 5)
    model = KNN(5).fit(X, y)
    assert model.kneighbors(Q)[0].tobytes() == distances.tobytes()
    assert model.kneighbors(Q)[1].tobytes() == indices.tobytes()
    np.testing.assert_array_equal(model.predict(Q), fastclf.majority_vote(y[indices], 4))


def test_weights_whose_sum_would_overflow():
    t = 0.6e-308
    model = KNN(5, weights="distance").fit([[t], [t], [-t], [-t], [-t]], [0, 0, 1, 1, 1])
    assert model.predict([[0.0]]).tolist() == [1]
    np.testing.assert_allclose(model.predict_proba([[0.0]]), [[0.4, 0.6]])
    model.set_params(weights=lambda distances: np.full(distances.shape, 1e308))
    np.testing.assert_allclose(model.predict_proba([[0.0]]), [[0.4, 0.6]])


def test_objects_that_float64_would_round_are_refused():
    rows = np.array([[2**60 + 1], [2**60 + 2]], dtype=object)
    with pytest.raises(ValueError, match="X of dtype object has values that float64 does not hold exactly"):
        KNN(1).fit(rows, [0, 1])
    assert KNN(1).fit(rows - 2**60, [0, 1]).predict(rows - 2**60).tolist() == [0, 1]
