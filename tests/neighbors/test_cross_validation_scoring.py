"""KNNCV tells what GridSearchCV tells, whatever scores."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import balanced_accuracy_score, make_scorer, matthews_corrcoef
from sklearn.model_selection import GridSearchCV, ShuffleSplit, StratifiedKFold

from fastclf import KNN, KNNCV
from fastclf.neighbors.backends.exact import Exact

KS, METRICS = (7, 1, 4), ("l2", "l1")
LABELS = np.array(["a", "b", "c"])


def by_model(model, X, y):
    """A scorer that asks for both, of other rows as well."""
    return balanced_accuracy_score(y, model.predict(X)) + model.predict_proba(X.mean(axis=0)[np.newaxis])[0, 0]


SCORINGS = [
    None,
    "accuracy",
    "f1_macro",
    "neg_log_loss",
    "roc_auc_ovr",
    "top_k_accuracy",
    make_scorer(matthews_corrcoef),
    by_model,
]
WEIGHTS = ["uniform", "distance", lambda d: np.exp(-d)]
SPLITS = [4, ShuffleSplit(3, test_size=0.3, random_state=0)]  # each with every scoring, and with all weights


@pytest.fixture
def task(rng):
    y = rng.integers(0, 3, 120)
    return rng.normal(size=(120, 4)) + np.eye(3, 4)[y], LABELS[y]


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_results_are_those_of_a_grid_search(task, scoring, weights):
    X, y = task
    cv = SPLITS[(SCORINGS.index(scoring) + WEIGHTS.index(weights)) % 2]
    search = KNNCV(KS, metrics=METRICS, cv=cv, weights=weights, scoring=scoring).fit(X, y)
    grid = GridSearchCV(KNN(weights=weights), {"k": KS, "metric": METRICS}, cv=cv, scoring=scoring).fit(X, y)
    theirs = {name: value for name, value in grid.cv_results_.items() if not name.endswith("_time")}
    # Means of accuracies that are equal but for rounding share a rank here.
    theirs["rank_test_score"] = rankdata(-theirs["mean_test_score"].round(12), "min").astype(np.int32)
    assert list(search.cv_results_) == list(theirs)
    for name, expected in theirs.items():
        found = search.cv_results_[name]
        assert type(found) is type(expected)
        if name == "params":
            assert found == expected
        else:
            assert found.dtype == expected.dtype
            close = np.testing.assert_array_equal if found.dtype == object else np.testing.assert_allclose
            close(found, expected)
    assert search.n_splits_ == grid.n_splits_
    assert search.best_score_ == pytest.approx(grid.best_score_, rel=1e-12)
    assert search.cv_results_["params"][search.best_index_] == search.best_params_
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1
    assert search.cv_results_["mean_test_score"][search.best_index_] == pytest.approx(search.best_score_, rel=1e-15)
    np.testing.assert_allclose(search.scorer_(search.best_estimator_, X, y), search.score(X, y), rtol=1e-15)
    assert search.score(X, y) == pytest.approx(
        grid.scorer_(KNN(weights=weights, **search.best_params_).fit(X, y), X, y)
    )


def test_one_search_serves_every_k(task, monkeypatch):
    X, y = task
    asked, query = [], Exact.query
    monkeypatch.setattr(Exact, "query", lambda self, Q, *rest: asked.append(len(Q)) or query(self, Q, *rest))
    KNNCV(KS, metrics=("l2",), cv=4, scoring="f1_macro").fit(X, y)
    assert asked == [30] * 4


def test_ties_are_ranked_alike():
    X, y = np.arange(20.0)[:, np.newaxis], np.repeat([0, 1], 10)
    search = KNNCV((1, 3), metrics=("l1", "l2"), cv=5).fit(X, y)
    assert search.cv_results_["rank_test_score"].tolist() == [1, 1, 1, 1]
    assert search.best_params_ == {"k": 1, "metric": "l1"}
    assert search.best_index_ == 0


def test_neighbours_are_those_of_the_best(task):
    X, y = task
    search = KNNCV(KS, metrics=METRICS, cv=3).fit(X, y)
    best = KNN(search.best_k_, metric=search.best_metric_).fit(X, y)
    for found, expected in zip(search.kneighbors(X[:9]), best.kneighbors(X[:9]), strict=True):
        assert found.tobytes() == expected.tobytes()
    assert search.kneighbors(None, 2, return_distance=False).tobytes() == best.kneighbors(k=2)[1].tobytes()


def test_a_scored_search_is_pickled_and_its_plot_says_what_scored(task):
    X, y = task
    search = KNNCV(KS, cv=StratifiedKFold(3), scoring="f1_macro").fit(X, y)
    assert search.plot().get_ylabel() == "f1_macro"
    other = pickle.loads(pickle.dumps(search))
    assert other.score(X, y) == search.score(X, y)
    np.testing.assert_equal(other.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])


def test_weights_of_tests_reach_the_scorer(task):
    X, y = task
    search = KNNCV((60,), metrics=("l2",), cv=3, scoring="balanced_accuracy").fit(X, y)
    w = np.linspace(0, 1, 120)
    expected = balanced_accuracy_score(y, search.predict(X), sample_weight=w)
    assert search.score(X, y, w) == pytest.approx(expected, rel=1e-15)
