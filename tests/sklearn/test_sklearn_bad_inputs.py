"""What bad input to scikit-learn's neighbour classes gets: an error that names it, and an estimator as it was."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from neighbor_classes import CLASSES, SUPERVISED, task
from sklearn import neighbors as theirs
from sklearn.exceptions import NotFittedError
from sklearn.metrics import DistanceMetric

from fastclf import sklearn as ours

X0, Y0 = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
BAD = [
    ({"metric": "euclidean", "p": -1}, ValueError, "p must be above 0, got -1"),
    ({"metric": "cosine", "p": "2"}, TypeError, "p must be a number, got '2'"),
    ({"metric": "haversine"}, ValueError, r"got 'haversine'; sklearn\.neighbors\.{} has other metrics"),
    ({"metric": "precomputed"}, ValueError, r"'precomputed'; pass the rows .* sklearn\.neighbors\.{}"),
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


def test_functions_may_change_what_they_are_given(rng):
    def spoiling(distances):
        weights = np.exp(-distances)
        distances[:] = -1
        return weights

    X, Q, y = task(rng)
    for cls in SUPERVISED:
        models = [cls(5, weights=weights).fit(X, y) for weights in (spoiling, lambda d: np.exp(-d))]
        np.testing.assert_array_equal(*(model.predict(Q) for model in models))
