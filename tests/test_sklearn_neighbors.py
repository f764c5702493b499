"""Neighbours under scikit-learn's names: searches, graphs, votes and means, parameters, refusals."""

from __future__ import annotations

import math
import pickle
import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import reference
import scipy.sparse
from sklearn import neighbors as theirs
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import DistanceMetric

import fastclf
from fastclf import _validation
from fastclf import sklearn as ours
from fastclf.sklearn import _balls

NAMES = {"l1": "manhattan", "l2": "euclidean", "cosine": "cosine"}
CLASSES = [getattr(ours, name) for name in ours.__all__]
SUPERVISED = [cls for cls in CLASSES if hasattr(cls, "predict")]


@pytest.fixture
def grid(rng):
    """Small integers: ties everywhere, also rows of zeros."""
    return rng.integers(-1, 2, (80, 3)).astype(np.float32), rng.integers(-1, 2, (30, 3)).astype(np.float32)


@pytest.fixture
def task(rng):
    """Continuous rows, of which no two distances are equal, and queries; classes of two outputs."""
    X, Q = rng.normal(size=(300, 5)), rng.normal(size=(60, 5))
    return X, Q, rng.integers(0, 3, (300, 2))


# --- searches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", NAMES)
@pytest.mark.parametrize("algorithm", ["auto", "brute", "kd_tree", "ball_tree"])
def test_nearest_are_those_of_the_reference(grid, metric, algorithm):
    X, Q = grid
    search = ours.NearestNeighbors(n_neighbors=7, metric=NAMES[metric], algorithm=algorithm).fit(X)
    for queries, own in ((Q, False), (None, True)):
        distances, indices = reference.exact_knn(metric, X if own else Q, X, 7, skip_self=own)
        found = search.kneighbors(queries)
        np.testing.assert_array_equal(found[0], distances)
        np.testing.assert_array_equal(found[1], indices)
        np.testing.assert_array_equal(search.kneighbors(queries, 3, return_distance=False), indices[:, :3])


def expected_balls(metric, Q, X, radii, own, by_distance):
    """Rows within the radii and their distances, by the reference."""
    distances, balls = reference.METRICS[metric](Q, X), []
    for i, (row, radius) in enumerate(zip(distances, np.broadcast_to(radii, len(Q)), strict=True)):
        inside = [j for j in range(len(X)) if row[j] <= radius and not (own and i == j)]
        inside.sort(key=lambda j, row=row: (row[j], j) if by_distance else j)
        balls.append((row[inside], np.array(inside, dtype=np.int64)))
    return balls


@pytest.mark.parametrize("metric", NAMES)
@pytest.mark.parametrize("radius", [0, 0.5, 1.0, math.sqrt(2), 2, math.inf])
@pytest.mark.parametrize("way", ["few rows", "growing", "in parts", "rows in parts"])
def test_balls_are_those_of_the_reference(grid, monkeypatch, metric, radius, way):
    X, Q = grid
    if way != "few rows":
        monkeypatch.setattr(_balls, "FIRST", 2)
        monkeypatch.setattr(_balls, "_WORTH", 4)
    if way == "in parts":
        monkeypatch.setattr(_balls, "_AT_ONCE", 100)
        monkeypatch.setattr(_balls, "_MOST_HELD", 150)
    if way == "rows in parts":
        monkeypatch.setattr(_balls, "_AT_ONCE", 7)
        monkeypatch.setattr(_balls, "_MOST_HELD", 9)
    search = ours.NearestNeighbors(radius=radius, metric=NAMES[metric]).fit(X)
    for queries in (Q, None):
        for by_distance in (False, True):
            balls = expected_balls(metric, X if queries is None else Q, X, radius, queries is None, by_distance)
            distances, indices = search.radius_neighbors(queries, sort_results=by_distance)
            assert distances.dtype == indices.dtype == object
            for found, expected in zip(zip(distances, indices, strict=True), balls, strict=True):
                np.testing.assert_array_equal(found[0], expected[0])
                np.testing.assert_array_equal(found[1], expected[1])
                assert found[1].dtype == np.int64


def test_each_query_may_have_a_radius_of_its_own(grid):
    X, Q = grid
    search, radii = ours.NearestNeighbors().fit(X), np.linspace(0, 3, len(Q))
    found = search.radius_neighbors(Q, radii, return_distance=False)
    expected = [indices for _, indices in expected_balls("l2", Q, X, radii, False, False)]
    assert [list(rows) for rows in found] == [list(rows) for rows in expected]


def test_a_row_is_on_the_edge_of_its_ball():
    X = [[0.0, 0.0], [0.1, 0.1], [0.3, 0.3]]
    search = ours.NearestNeighbors().fit(X)
    radius = float(fastclf.pairwise_distances(X[:1], X[2:])[0, 0])
    assert search.radius_neighbors(X[:1], radius, return_distance=False)[0].tolist() == [0, 1, 2]
    below = np.nextafter(radius, 0)
    assert search.radius_neighbors(X[:1], below, return_distance=False)[0].tolist() == [0, 1]


def test_parts_of_balls_are_bounded(rng, monkeypatch):
    monkeypatch.setattr(_balls, "_MOST_HELD", 1000)
    monkeypatch.setattr(_balls, "_AT_ONCE", 500)
    X = np.concatenate([rng.normal(size=(400, 2)) * 100, rng.normal(size=(300, 2)) * 1e-3])  # sparse, then dense
    search = ours.NearestNeighbors(radius=1.0).fit(X)
    sizes = [len(balls.indices) for _, balls in search._ball_search(True).in_parts(X, np.ones(len(X)))]
    assert max(sizes) <= 1000
    assert sum(sizes) > 300 * 300


@pytest.mark.slow
def test_votes_of_balls_that_hold_all_rows_take_bounded_memory(rng):
    X, y = rng.normal(size=(4000, 2)), rng.integers(0, 2, 4000)
    model = ours.RadiusNeighborsClassifier(math.inf).fit(X, y)
    tracemalloc.start()
    probabilities = model.predict_proba(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(probabilities, np.tile([(y == 0).mean(), (y == 1).mean()], (4000, 1)), rtol=1e-12)
    assert peak < 200e6 < 4000 * 4000 * 24  # bytes of all neighbours


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
@pytest.mark.parametrize("own", [False, True])
def test_graphs_agree_with_scikit_learn(task, mode, own):
    X, Q, _ = task
    search, peer = (module.NearestNeighbors(n_neighbors=4, radius=1.2).fit(X) for module in (ours, theirs))
    queries = None if own else Q
    for name in ("kneighbors_graph", "radius_neighbors_graph"):
        found, expected = (getattr(s, name)(queries, mode=mode) for s in (search, peer))
        assert scipy.sparse.isspmatrix_csr(found)
        np.testing.assert_allclose(found.toarray(), expected.toarray(), rtol=1e-9)
        assert found.nnz == expected.nnz > 0


def test_no_queries_and_empty_balls():
    search = ours.NearestNeighbors(n_neighbors=1, radius=0.1).fit([[0.0], [1.0]])
    none = np.empty((0, 1))
    assert search.kneighbors(none)[0].shape == (0, 1)
    assert search.radius_neighbors(none)[0].shape == (0,)
    assert search.radius_neighbors_graph(none).shape == (0, 2)
    assert [len(rows) for rows in search.radius_neighbors(return_distance=False)] == [0, 0]


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_the_transformer_agrees_with_scikit_learn(task, mode):
    X, Q, _ = task
    found, peer = (module.KNeighborsTransformer(mode=mode, n_neighbors=6).fit(X) for module in (ours, theirs))
    for queries in (X, Q):
        np.testing.assert_allclose(found.transform(queries).toarray(), peer.transform(queries).toarray(), rtol=1e-9)
        assert found.transform(queries).nnz == len(queries) * (6 + (mode == "distance"))
    assert found.get_feature_names_out().tolist() == peer.get_feature_names_out().tolist()


# --- votes and means --------------------------------------------------------------------------------------------------


def inverse_square(distances):
    with np.errstate(divide="ignore"):
        return 1.0 / distances**2


WEIGHTS = ["uniform", None, "distance", inverse_square]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("name", ["KNeighborsClassifier", "RadiusNeighborsClassifier", "KNeighborsRegressor"])
def test_predictions_agree_with_scikit_learn(task, name, weights, outputs):
    X, Q, y = task
    y = y[:, 0] if outputs == 1 else y
    size = 3.0 if name.startswith("Radius") else 9
    model, peer = (getattr(module, name)(size, weights=weights).fit(X, y) for module in (ours, theirs))
    for queries in (Q, None):
        np.testing.assert_allclose(model.predict(queries), peer.predict(queries), rtol=1e-9)
        if hasattr(peer, "predict_proba"):
            np.testing.assert_allclose(model.predict_proba(queries), peer.predict_proba(queries), rtol=1e-9, atol=1e-15)
    if hasattr(peer, "classes_"):
        assert model.outputs_2d_ == peer.outputs_2d_ == (outputs == 2)
        np.testing.assert_array_equal(model.classes_, peer.classes_)
    if outputs == 1:
        assert math.isclose(model.score(Q, y[:60]), peer.score(Q, y[:60]), rel_tol=1e-9)


@pytest.mark.parametrize("weights", ["distance", inverse_square])
def test_exact_matches_alone_count(weights):
    X, y = [[0.0], [0.0], [1e-9], [1.0]], [1, 1, 0, 0]
    assert ours.KNeighborsClassifier(4, weights=weights).fit(X, y).predict_proba([[0.0]]).tolist() == [[0, 1]]
    assert ours.RadiusNeighborsClassifier(2, weights=weights).fit(X, y).predict_proba([[0.0]]).tolist() == [[0, 1]]
    assert ours.KNeighborsRegressor(4, weights=weights).fit(X, y).predict([[0.0]]).tolist() == [1.0]


@pytest.mark.parametrize("unit", [5e-324, 1e-310, 1e-300, 1e300])
def test_weights_by_distance_keep_their_proportions_at_any_scale(unit):
    X, q = np.array([[0.0], [4.0]]) * unit, np.array([[1.0]]) * unit
    model = ours.RadiusNeighborsClassifier(math.inf, weights="distance").fit(X, [1, 0])
    np.testing.assert_allclose(model.predict_proba(q), [[0.25, 0.75]])
    np.testing.assert_allclose(ours.KNeighborsRegressor(2, weights="distance").fit(X, [1, 0]).predict(q), [0.75])


def test_means_of_huge_targets_are_finite():
    X, y = [[0.0], [1.0], [2.0]], [1.5e308, 1.5e308, -1.5e308]
    for weights in ("uniform", "distance"):
        found = ours.KNeighborsRegressor(2, weights=weights).fit(X, y).predict([[0.4]])
        np.testing.assert_allclose(found, [1.5e308], rtol=1e-14)


def test_many_queries_are_voted_on_in_parts(task, monkeypatch):
    X, _, y = task
    models = [ours.KNeighborsClassifier(7).fit(X, y), ours.KNeighborsRegressor(7, weights="distance").fit(X, y)]
    models.append(ours.RadiusNeighborsClassifier(2.5).fit(X, y))
    whole = [model.predict(X) for model in models]
    monkeypatch.setattr("fastclf._searching.NEIGHBORS_AT_ONCE", 7 * 11)
    monkeypatch.setattr(_balls, "_AT_ONCE", 1000)
    monkeypatch.setattr(_balls, "_MOST_HELD", 1000)
    for model, expected in zip(models, whole, strict=True):
        np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("outlier", [-1, 2, "most_frequent", [1, 9]])
def test_outliers_get_their_label(outlier):
    X, y = [[0.0], [0.1], [0.2]], [[1, 2], [1, 2], [2, 1]]
    y = y if isinstance(outlier, list) else [row[0] for row in y]
    found, peer = (module.RadiusNeighborsClassifier(1.0, outlier_label=outlier).fit(X, y) for module in (ours, theirs))
    is_class = outlier in (2, "most_frequent")
    for use in ("predict", "predict_proba"):
        with pytest.warns(UserWarning, match="not in training classes") if not is_class else np.errstate():
            values = getattr(found, use)([[0.0], [50.0]])
        with pytest.warns(UserWarning, match="not in training classes") if not is_class else np.errstate():
            np.testing.assert_array_equal(values, getattr(peer, use)([[0.0], [50.0]]))


def test_outliers_may_have_longer_names_than_classes():
    model = ours.RadiusNeighborsClassifier(0.5, outlier_label="nothing").fit([[0.0], [1.0]], ["a", "b"])
    with pytest.warns(UserWarning, match="nothing is not in training classes"):
        assert model.predict([[0.0], [9.0]]).tolist() == ["a", "nothing"]


@pytest.mark.parametrize(
    ("label", "y"),
    [("x\0", ["a", "x"]), ("longer", ["a", "b"]), ("a\0", ["a", "b"]), (2.0, [2**53 + 1, 3]), (0.5, [1, 3])],
)
@pytest.mark.filterwarnings("ignore:Outlier label:UserWarning")
def test_a_label_of_outliers_changes_no_other(label, y):
    model = ours.RadiusNeighborsClassifier(radius=0.1, outlier_label=label).fit([[0.0], [1.0]], y)
    assert model.predict([[0.0], [9.0], [1.0]]).tolist() == [y[0], label, y[1]]
    assert model.predict([[0.0]]).tolist() == [y[0]]


def test_without_a_label_for_outliers_they_are_named():
    model = ours.RadiusNeighborsClassifier(0.5).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match=r"No neighbors found for test samples array\(\[1\]\)"):
        model.predict([[0.0], [9.0]])


def test_labels_keep_their_values(task):
    X, Q, y = task
    frame = pd.DataFrame({"a": np.array(["x", "y", "z"])[y[:, 0]], "b": np.array(["k", "l", "m"])[y[:, 1]]})
    model = ours.KNeighborsClassifier().fit(pd.DataFrame(X, columns=list("uvwxy")), frame)
    assert model.feature_names_in_.tolist() == list("uvwxy")
    expected = theirs.KNeighborsClassifier().fit(X, y).predict(Q)
    found = model.predict(pd.DataFrame(Q, columns=list("uvwxy")))
    assert [["xyz".index(a), "klm".index(b)] for a, b in found] == expected.tolist()


def test_a_column_of_labels_is_one_output(task):
    X, _, y = task
    with pytest.warns(DataConversionWarning, match="column-vector") as told:
        model = ours.KNeighborsClassifier().fit(X, y[:, :1])
    assert told[0].filename == __file__
    assert not model.outputs_2d_
    assert ours.KNeighborsRegressor().fit(X, y[:, :1]).predict(X).shape == (300, 1)


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "effective"),
    [
        ({}, "euclidean"),
        ({"p": 1}, "manhattan"),
        ({"p": 2.0}, "euclidean"),
        ({"p": None, "metric_params": {"p": 1}}, "manhattan"),
        ({"metric": "cityblock"}, "cityblock"),
        ({"metric": "l1"}, "l1"),
        ({"metric": "cosine", "p": 7}, "cosine"),
        ({"metric_params": {"w": None}}, "euclidean"),
        ({"metric_params": {}}, "euclidean"),
    ],
)
def test_metrics_have_scikit_learns_names(task, parameters, effective):
    X, Q, _ = task
    found, peer = (module.NearestNeighbors(**parameters).fit(X) for module in (ours, theirs))
    assert found.effective_metric_ == peer.effective_metric_ == effective
    assert found.effective_metric_params_ == {}
    np.testing.assert_array_equal(found.kneighbors(Q)[1], peer.kneighbors(Q)[1])


@pytest.mark.parametrize("parameters", [{"p": math.inf}, {"metric": "chebyshev"}])
def test_chebyshev_is_there_as_soon_as_the_kernels_have_it(task, parameters):
    X, Q, _ = task
    search = ours.NearestNeighbors(**parameters)
    if "chebyshev" in _validation.METRIC_NAMES:
        peer = theirs.NearestNeighbors(**parameters).fit(X)
        assert search.fit(X).effective_metric_ == peer.effective_metric_ == "chebyshev"
        np.testing.assert_array_equal(search.kneighbors(Q)[1], peer.kneighbors(Q)[1])
    else:
        with pytest.raises(ValueError, match=r"metric must be one of .*got 'chebyshev'; sklearn.neighbors.Nearest"):
            search.fit(X)


def test_p_of_metric_params_comes_first(task):
    with pytest.warns(SyntaxWarning, match="p is ignored"):
        search = ours.NearestNeighbors(metric_params={"p": 1}).fit(task[0])
    assert search.effective_metric_ == "manhattan"


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 6), (1, 1), (3, 3), (-1, 6), (-2, 5), (-100, 1)])
def test_jobs_are_threads(grid, monkeypatch, n_jobs, expected):
    X, Q = grid
    monkeypatch.setattr("fastclf._threads.default", lambda: 6)
    search = ours.NearestNeighbors(n_jobs=n_jobs).fit(X)
    asked, query = [], search._backend.query
    monkeypatch.setattr(search._backend, "query", lambda Q, k, n: asked.append(n) or query(Q, k, n))
    search.kneighbors(Q)
    assert asked == [expected]


def test_the_default_of_jobs_is_what_fastclf_was_told(grid, monkeypatch):
    search = ours.NearestNeighbors().fit(grid[0])
    asked, query = [], search._backend.query
    monkeypatch.setattr(search._backend, "query", lambda Q, k, n: asked.append(n) or query(Q, k, n))
    with fastclf.threads(3):
        search.kneighbors(grid[1])
    assert asked == [3]


@pytest.mark.parametrize("cls", CLASSES)
def test_parameters_are_those_of_scikit_learn(cls):
    assert cls().get_params() == getattr(theirs, cls.__name__)().get_params()


@pytest.mark.parametrize("cls", CLASSES)
def test_clones_and_pickles(task, cls):
    X, Q, y = task
    parameters = {"metric": "manhattan", "n_jobs": 1} | ({"radius": 9.0} if "Radius" in cls.__name__ else {})
    model = cls(**parameters).fit(X, y[:, 0])
    use = "predict" if cls in SUPERVISED else "transform" if hasattr(cls, "transform") else "kneighbors_graph"
    expected = getattr(model, use)(Q)
    for other in (pickle.loads(pickle.dumps(model)), clone(model).fit(X, y[:, 0])):
        found = getattr(other, use)(Q)
        np.testing.assert_array_equal(*(a.toarray() if scipy.sparse.issparse(a) else a for a in (found, expected)))
    assert model.n_samples_fit_ == 300
    assert model.n_features_in_ == 5


# --- bad input --------------------------------------------------------------------------------------------------------

X0, Y0 = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
BAD = [
    ({"metric": "euclidean", "p": -1}, ValueError, "p must be above 0, got -1"),
    ({"metric": "cosine", "p": "2"}, TypeError, "p must be a number, got '2'"),
    ({"metric": "haversine"}, ValueError, r"got 'haversine'; sklearn\.neighbors\.{} has other metrics"),
    ({"metric": "precomputed"}, ValueError, r"'precomputed'; pass the rows .* sklearn\.neighbors\.{}"),
    ({"metric": "sqeuclidean"}, ValueError, "'sqeuclidean'; neighbours by 'euclidean' are the same"),
    ({"metric": np.dot}, ValueError, r"metric must be a name, .*functions of two rows are for sklearn\.neighbors\.{}"),
    ({"metric": DistanceMetric.get_metric("euclidean")}, ValueError, r"metric must be a name.*sklearn\.neighbors\.{}"),
    ({"metric": "minkowski3"}, ValueError, "metric must be one of .*'minkowski'.* got 'minkowski3'"),
    ({"metric": None}, ValueError, "metric must be a name, got None"),
    ({"p": 3}, ValueError, r"p must be 1, 2 or inf, got 3; others are for sklearn\.neighbors\.{}"),
    ({"p": 0.5}, ValueError, "p must be 1, 2 or inf, got 0.5"),
    ({"p": math.nan}, ValueError, "p must be above 0, got nan"),
    ({"p": True}, TypeError, "p must be a number, got True"),
    ({"p": "2"}, TypeError, "p must be a number, got '2'"),
    ({"p": None}, TypeError, "p must be a number, got None"),
    ({"metric_params": {"w": [1, 2]}}, ValueError, r"multiply the columns by w \*\* \(1 / p\)"),
    ({"metric_params": {"V": 1}}, ValueError, r"metric_params of 'minkowski' may have 'p', got \['V'\]"),
    ({"metric_params": [1]}, TypeError, r"metric_params must be a dict or None, got \[1\]"),
    ({"metric": "cosine", "metric_params": {"p": 1}}, ValueError, "metric_params={'p': 1} is for metric='minkowski'"),
    ({"algorithm": "hnsw"}, ValueError, "algorithm must be one of .* got 'hnsw'"),
    ({"leaf_size": 0}, ValueError, "leaf_size must be at least 1, got 0"),
    ({"leaf_size": 1.5}, TypeError, "leaf_size must be an int, got 1.5"),
    ({"n_jobs": 0}, ValueError, "n_jobs must be at least 1, got 0"),
    ({"n_jobs": 1.0}, TypeError, "n_jobs must be an int, got 1.0"),
    ({"n_jobs": True}, TypeError, "n_jobs must be an int, got True"),
    ({"n_neighbors": 0}, ValueError, "Expected n_neighbors >= 1, got n_neighbors = 0"),
    ({"n_neighbors": 2.0}, TypeError, "n_neighbors must be an int, got 2.0"),
    ({"radius": -1.0}, ValueError, "radius must be at least 0, got -1.0"),
    ({"radius": math.nan}, ValueError, "radius must be at least 0, got nan"),
    ({"radius": "1"}, TypeError, "radius must be a number, got '1'"),
    ({"radius": True}, TypeError, "radius must be a number, got True"),
    ({"radius": None}, TypeError, "radius must be a number, got None"),
    ({"weights": "heavy"}, ValueError, "weights must be one of .* got 'heavy'"),
    ({"mode": "both"}, ValueError, "mode must be one of .* got 'both'"),
    ({"outlier_label": [1, 2]}, ValueError, r"outlier_label must be one label for each of 1 outputs, got \[1, 2\]"),
    ({"outlier_label": [[1]]}, TypeError, r"outlier_label must be a label, or one for each output, got \[\[1\]\]"),
    ({"outlier_label": "x"}, TypeError, "outlier_label 'x' does not go with the classes in y"),
    ({"X": scipy.sparse.csr_matrix(X0)}, TypeError, r"Sparse data .*X\.toarray\(\).*sklearn\.neighbors\.{}"),
    ({"X": theirs.KDTree(X0)}, TypeError, "X must be an array, got KDTree: pass the rows that it was made of"),
    ({"X": theirs.NearestNeighbors()}, TypeError, "X must be an array, got NearestNeighbors"),
    ({"y": scipy.sparse.csr_matrix(np.ones((6, 2)))}, TypeError, r"Sparse data was passed for y.*y\.toarray\(\)"),
    ({"y": np.empty((6, 0))}, ValueError, "0 feature"),
    ({"metric": np.array(["l1", "l2"])}, ValueError, "metric must be a name, got array"),
    ({"metric": "cosine", "metric_params": np.ones(2)}, TypeError, "metric_params must be a dict or None"),
    ({"radius": 10**400}, ValueError, "radius must be in the range of float64, got 1000"),
    ({"X": np.where(X0 == 3, np.nan, X0)}, ValueError, "X contains NaN"),
    ({"X": X0[:0]}, ValueError, "minimum of 1"),
    ({"X": X0[0]}, ValueError, "Expected 2D array"),
    ({"y": Y0[:3]}, ValueError, "inconsistent numbers of samples"),
    ({"y": np.where(Y0 == 1, np.nan, 0)}, ValueError, "y contains NaN"),
    ({"y": ["a", 1, "b", 2, "c", 3]}, ValueError, "y has text and other labels"),
    ({"y": None}, ValueError, "y"),
]


def takes(cls, names):
    own = {"X"} | set(cls().get_params()) | ({"y"} if cls in SUPERVISED else set())
    return set(names) <= own


@pytest.mark.parametrize(
    ("cls", "bad", "error", "message"),
    [(cls, *case) for case in BAD for cls in CLASSES if takes(cls, case[0])],
    ids=[
        f"{cls.__name__} {i} {', '.join(case[0])}"
        for i, case in enumerate(BAD)
        for cls in CLASSES
        if takes(cls, case[0])
    ],
)
def test_bad_input_leaves_the_estimator_as_it_was(state, cls, bad, error, message):
    data = {"X": X0, "y": Y0} | {name: value for name, value in bad.items() if name in "Xy"}
    for model in (cls(), cls().fit(pd.DataFrame(X0, columns=["u", "v"]), Y0)):
        model.set_params(**{name: value for name, value in bad.items() if name not in "Xy"})
        before = state(model)
        with pytest.raises(error, match=message.replace("{}", cls.__name__)):
            model.fit(**data)
        assert state(model) == before


USES = [
    (
        lambda s: s.kneighbors(X0, 7),
        ValueError,
        "Expected n_neighbors <= n_samples_fit, but n_neighbors = 7, n_samples_fit = 6",
    ),
    (lambda s: s.kneighbors(None, 6), ValueError, "n_neighbors = 6, n_samples_fit - 1 = 5"),
    (lambda s: s.kneighbors(X0, -1), ValueError, "Expected n_neighbors >= 1, got n_neighbors = -1"),
    (lambda s: s.kneighbors(X0, 1.5), TypeError, "n_neighbors must be an int, got 1.5"),
    (lambda s: s.kneighbors(X0[:, :1]), ValueError, "X has 1 features"),
    (lambda s: s.kneighbors(scipy.sparse.csr_array(X0)), TypeError, "Sparse data"),
    (lambda s: s.kneighbors_graph(X0, mode="both"), ValueError, "mode must be one of .* got 'both'"),
    (lambda s: s.radius_neighbors(X0, -2), ValueError, "radius must be at least 0, got -2"),
    (lambda s: s.radius_neighbors(X0, [1.0, 2.0]), ValueError, r"one for each query, got shape \(2,\)"),
    (lambda s: s.radius_neighbors(X0, ["1"] * 6), TypeError, "radius must be a number"),
    (lambda s: s.radius_neighbors(X0, [[1.0]]), ValueError, r"got shape \(1, 1\)"),
    (lambda s: s.radius_neighbors(X0, return_distance=False, sort_results=True), ValueError, "return_distance must be"),
    (lambda s: s.radius_neighbors_graph(X0, mode="both"), ValueError, "mode must be one of"),
]


@pytest.mark.parametrize(("use", "error", "message"), USES)
def test_bad_queries(use, error, message):
    with pytest.raises(error, match=message):
        use(ours.NearestNeighbors().fit(X0))
    with pytest.raises(NotFittedError):
        ours.NearestNeighbors().kneighbors(X0)


@pytest.mark.parametrize(
    "bad", [np.negative, lambda d: d * 0, lambda d: d * np.nan, lambda _: "heavy", lambda d: d[..., :1]]
)
def test_bad_weights(bad):
    for cls in SUPERVISED:
        model = cls(3, weights=bad).fit(X0, Y0)
        with pytest.raises((TypeError, ValueError), match=re.compile("weights", re.IGNORECASE)):
            model.predict(X0 + 0.25)


def test_functions_may_change_what_they_are_given(task):
    def spoiling(distances):
        weights = np.exp(-distances)
        distances[:] = -1
        return weights

    X, Q, y = task
    for cls in SUPERVISED:
        models = [cls(5, weights=weights).fit(X, y) for weights in (spoiling, lambda d: np.exp(-d))]
        np.testing.assert_array_equal(*(model.predict(Q) for model in models))
