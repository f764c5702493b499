"""predict, predict_proba and score without queries: of each fitted row, by the others."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from names import each_metric
from sklearn.neighbors import KNeighborsClassifier

from fastclf import KNN, KNNCV


def left_out(X, y, k, metric="l2"):
    """Votes by the others, from all distances: of equal distances the lower row counts."""
    distances = reference.ascending(metric, reference.METRICS[metric](X, X).copy())
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.stack([(y[nearest] == label).mean(axis=1) for label in np.unique(y)], axis=1)


@pytest.fixture
def task(rng):
    X = rng.normal(size=(300, 4))
    return X, (X[:, 0] + 0.5 * rng.normal(size=300) > 0) + 2 * (X[:, 1] > 0.5)


@pytest.mark.parametrize("weights", ["uniform", "distance", np.exp])
@pytest.mark.parametrize("backend", ["exact", "faiss"])
def test_scikit_learn_says_the_same(task, weights, backend):
    X, y = task
    options = {}
    if backend == "faiss":
        pytest.importorskip("faiss")
        options = {"index": "Flat"}
    ours = KNN(5, weights=weights, backend=backend, **options).fit(X, y)
    theirs = KNeighborsClassifier(5, weights=weights, algorithm="kd_tree").fit(X, y)
    assert ours.predict(None).tolist() == theirs.predict(None).tolist()
    np.testing.assert_allclose(ours.predict_proba(None), theirs.predict_proba(None), rtol=1e-9)
    assert ours.score(None, y) == theirs.score(None, y)
    weight = np.arange(len(y)) % 3
    assert ours.score(None, y, sample_weight=weight) == pytest.approx(theirs.score(None, y, sample_weight=weight))


@each_metric
@pytest.mark.parametrize("k", [1, 2, 7])
def test_rows_that_come_often(metric, k, rng):
    X = rng.integers(1, 4, (200, 2)).astype(float)  # each some twenty times, with different classes
    y = rng.integers(0, 3, 200)
    expected = left_out(X, y, k, metric)
    model = KNN(k, metric=metric).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(None), expected, rtol=1e-12)
    assert model.predict(None).tolist() == expected.argmax(axis=1).tolist()
    assert model.score(None, y) == (expected.argmax(axis=1) == y).mean()


def test_duplicates_as_scikit_learn_takes_them():
    """Pairs of equal rows: each is the other's nearest."""
    X, y = np.repeat(np.arange(10.0) ** 2, 2)[:, None], np.tile([0, 1], 10)
    theirs = KNeighborsClassifier(1).fit(X, y)
    assert KNN(1).fit(X, y).predict(None).tolist() == theirs.predict(None).tolist() == (1 - y).tolist()


def test_rows_added_later_and_a_chosen_k(task):
    X, y = task
    model = KNN(3).fit(X[:200], y[:200]).partial_fit(X[200:], y[200:])
    assert model.predict(None).tolist() == left_out(X, y, 3).argmax(axis=1).tolist()
    chosen = KNNCV([3], metrics=["l1"], cv=3).fit(X, y)
    assert chosen.predict(None).tolist() == left_out(X, y, 3, "l1").argmax(axis=1).tolist()
    assert chosen.score(None, y) == (left_out(X, y, 3, "l1").argmax(axis=1) == y).mean()


def test_too_few_others():
    model = KNN(3).fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    for call in (model.predict, model.predict_proba, lambda X: model.score(X, [0, 1, 1])):
        with pytest.raises(ValueError, match="Expected k <= n_samples_fit - 1, but k = 3, n_samples_fit - 1 = 2"):
            call(None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        KNN(1).fit([[0.0], [1.0]], [0, 1]).score(None, [0])
