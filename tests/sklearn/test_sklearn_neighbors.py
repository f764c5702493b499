"""Neighbours under scikit-learn's names: searches, graphs, parameters."""

from __future__ import annotations

import math
import pickle
import tracemalloc

import numpy as np
import pytest
import reference
import scipy.sparse
from neighbor_classes import CLASSES, SUPERVISED, task
from sklearn import neighbors as theirs
from sklearn.base import clone

import fastclf
from fastclf import sklearn as ours
from fastclf.sklearn import _balls

NAMES = {"l1": "manhattan", "l2": "euclidean", "cosine": "cosine"}


@pytest.fixture
def grid(rng):
    """Small integers: ties everywhere, also rows of zeros."""
    return rng.integers(-1, 2, (80, 3)).astype(np.float32), rng.integers(-1, 2, (30, 3)).astype(np.float32)


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
def test_graphs_agree_with_scikit_learn(mode, own, rng):
    X, Q, _ = task(rng)
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
def test_the_transformer_agrees_with_scikit_learn(mode, rng):
    X, Q, _ = task(rng)
    found, peer = (module.KNeighborsTransformer(mode=mode, n_neighbors=6).fit(X) for module in (ours, theirs))
    for queries in (X, Q):
        np.testing.assert_allclose(found.transform(queries).toarray(), peer.transform(queries).toarray(), rtol=1e-9)
        assert found.transform(queries).nnz == len(queries) * (6 + (mode == "distance"))
    assert found.get_feature_names_out().tolist() == peer.get_feature_names_out().tolist()


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
        ({"metric": "sqeuclidean"}, "sqeuclidean"),
        ({"metric": "chebyshev"}, "chebyshev"),
        ({"p": math.inf}, "chebyshev"),
        ({"metric_params": {"w": None}}, "euclidean"),
        ({"metric_params": {}}, "euclidean"),
    ],
)
def test_metrics_have_scikit_learns_names(parameters, effective, rng):
    X, Q, _ = task(rng)
    found, peer = (module.NearestNeighbors(**parameters).fit(X) for module in (ours, theirs))
    assert found.effective_metric_ == peer.effective_metric_ == effective
    assert found.effective_metric_params_ == {}
    np.testing.assert_array_equal(found.kneighbors(Q)[1], peer.kneighbors(Q)[1])


def test_p_of_metric_params_comes_first(rng):
    with pytest.warns(SyntaxWarning, match="p is ignored"):
        search = ours.NearestNeighbors(metric_params={"p": 1}).fit(task(rng)[0])
    assert search.effective_metric_ == "manhattan"


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 6), (1, 1), (3, 3), (-1, 6), (-2, 5), (-100, 1)])
def test_jobs_are_threads(grid, monkeypatch, n_jobs, expected):
    X, Q = grid
    monkeypatch.setattr("fastclf._shared.threads.default", lambda: 6)
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
def test_clones_and_pickles(cls, rng):
    X, Q, y = task(rng)
    parameters = {"metric": "manhattan", "n_jobs": 1} | ({"radius": 9.0} if "Radius" in cls.__name__ else {})
    model = cls(**parameters).fit(X, y[:, 0])
    use = "predict" if cls in SUPERVISED else "transform" if hasattr(cls, "transform") else "kneighbors_graph"
    expected = getattr(model, use)(Q)
    for other in (pickle.loads(pickle.dumps(model)), clone(model).fit(X, y[:, 0])):
        found = getattr(other, use)(Q)
        np.testing.assert_array_equal(*(a.toarray() if scipy.sparse.issparse(a) else a for a in (found, expected)))
    assert model.n_samples_fit_ == 300
    assert model.n_features_in_ == 5
