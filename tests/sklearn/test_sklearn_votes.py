"""Votes, means and probabilities of scikit-learn's neighbour classes; labels of outliers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from neighbor_classes import task
from sklearn import neighbors as theirs
from sklearn.exceptions import DataConversionWarning

from fastclf import sklearn as ours
from fastclf.sklearn import _balls


def inverse_square(distances):
    with np.errstate(divide="ignore"):
        return 1.0 / distances**2


WEIGHTS = ["uniform", None, "distance", inverse_square]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("name", ["KNeighborsClassifier", "RadiusNeighborsClassifier", "KNeighborsRegressor"])
def test_predictions_agree_with_scikit_learn(name, weights, outputs, rng):
    X, Q, y = task(rng)
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


def test_many_queries_are_voted_on_in_parts(monkeypatch, rng):
    X, _, y = task(rng)
    models = [ours.KNeighborsClassifier(7).fit(X, y), ours.KNeighborsRegressor(7, weights="distance").fit(X, y)]
    models.append(ours.RadiusNeighborsClassifier(2.5).fit(X, y))
    whole = [model.predict(X) for model in models]
    monkeypatch.setattr("fastclf.neighbors.searching.NEIGHBORS_AT_ONCE", 7 * 11)
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


def test_labels_keep_their_values(rng):
    X, Q, y = task(rng)
    frame = pd.DataFrame({"a": np.array(["x", "y", "z"])[y[:, 0]], "b": np.array(["k", "l", "m"])[y[:, 1]]})
    model = ours.KNeighborsClassifier().fit(pd.DataFrame(X, columns=list("uvwxy")), frame)
    assert model.feature_names_in_.tolist() == list("uvwxy")
    expected = theirs.KNeighborsClassifier().fit(X, y).predict(Q)
    found = model.predict(pd.DataFrame(Q, columns=list("uvwxy")))
    assert [["xyz".index(a), "klm".index(b)] for a, b in found] == expected.tolist()


def test_a_column_of_labels_is_one_output(rng):
    X, _, y = task(rng)
    with pytest.warns(DataConversionWarning, match="column-vector") as told:
        model = ours.KNeighborsClassifier().fit(X, y[:, :1])
    assert told[0].filename == __file__
    assert not model.outputs_2d_
    assert ours.KNeighborsRegressor().fit(X, y[:, :1]).predict(X).shape == (300, 1)
