"""KNNCV: scores are those of a fit for each, however they are found; what is best."""

from __future__ import annotations

import functools
import re

import numpy as np
import pandas as pd
import pytest
import reference
from names import each_dtype
from scipy.spatial.distance import cdist
from sklearn import model_selection as sk
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from test_learned_cascades import structured

from fastclf import KNN, KNNCV
from fastclf.neighbors.backends import cascades, choosing
from fastclf.neighbors.folds import Fold, Scorer

METRICS = ("cosine", "l2", "l1")
KS = (7, 1, 4)  # in no order


def gaussian(distances):
    return np.exp(-(distances**2))


BALLOTS = {"uniform": np.ones_like, "distance": reference.inverse_distance, gaussian: gaussian}

# Small integers of 3 classes: ties and equal rows everywhere.
ROWS = 60
X = np.random.default_rng(1).integers(0, 3, (ROWS, 3)).astype(np.uint8)
y = np.random.default_rng(2).integers(0, 3, ROWS)
GROUPS = np.random.default_rng(3).integers(0, 7, ROWS)
ORDER = np.random.default_rng(4).permutation(ROWS)
TWICE = np.random.default_rng(5).integers(0, ROWS, (4, ROWS))

SPLITS = {
    "a number": 5,
    "stratified, shuffled": sk.StratifiedKFold(4, shuffle=True, random_state=0),
    "stratified, repeated": sk.RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
    "large training parts": sk.ShuffleSplit(5, test_size=0.2, random_state=0),
    "small training parts": sk.ShuffleSplit(3, train_size=0.2, test_size=0.5, random_state=0),
    "time series": sk.TimeSeriesSplit(4),  # training parts both below and above half of the rows
    "groups": sk.GroupKFold(3),
    "leave one out": sk.LeaveOneOut(),
    "predefined": sk.PredefinedSplit(np.arange(ROWS) % 5 - 1),
    "pairs and masks": [(ORDER[10:], ORDER[:10]), (ORDER[:50].tolist(), [3, 1]), (ORDER < 40, ORDER >= 40)],
    "parts that overlap": [(ORDER[:45], ORDER[30:]), (ORDER, ORDER)],
    "repeated training rows": [(TWICE[0], ORDER[:20]), (np.r_[ORDER[20:], ORDER[20]], ORDER[:20])],
    "repeated rows, each tested once": [
        (np.r_[ORDER[30:], ORDER[30:40]], ORDER[:30]),
        (np.r_[ORDER[:30], ORDER[:9]], ORDER[30:]),
    ],
    "repeated tests": [(ORDER[20:], TWICE[1]), (TWICE[2], TWICE[3])],
}


def one_leaf(*_):
    return 1.0


def named(value):
    """Return a test's name that is the same in every process."""
    return re.sub(r" at 0x\w+", "", str(value))


ACROSS_GROUPS, NOT_ACROSS = {"neighbors.folds._BOTH_WAYS": 0}, {"neighbors.folds._MOST_HELD": 0}
TOGETHER = NOT_ACROSS | {"neighbors.folds._MORE_NEIGHBORS": 0}
APART = NOT_ACROSS | {"neighbors.folds._MORE_NEIGHBORS": 1e9}
BLOCKS = {"neighbors.folds._NEIGHBORS_AT_ONCE": 100}
TREE = {
    "neighbors.backends.trees.leaves_expected": one_leaf,
    "neighbors.backends.exact._WORTH": 1,
    "neighbors.folds._LEAST_INDEXED": 0,
}
WAYS = {
    "chosen": {},
    "across groups": ACROSS_GROUPS,
    "apart": APART,
    "together in blocks": TOGETHER | BLOCKS,
    "tree in blocks": TREE | BLOCKS,
}


def go(monkeypatch, way):
    for name, value in way.items():
        monkeypatch.setattr(f"fastclf.{name}", value)


def accuracies(model, y, groups, predicted):
    """Scores of what `predicted` says of each metric, k and pair of parts."""
    splits = sk.check_cv(model.cv, y, classifier=True).split(np.zeros((len(y), 1)), y, groups)
    folds = [(np.sort(np.arange(len(y))[train]), np.arange(len(y))[test]) for train, test in splits]
    return np.array(
        [[[np.mean(predicted(m, k, *fold) == y[fold[1]]) for fold in folds] for k in model.ks] for m in model.metrics]
    )


def by_fits(model, X, y, groups=None):
    def predicted(metric, k, train, test):
        return KNN(k, metric=metric, weights=model.weights).fit(X[train], y[train]).predict(X[test])

    return accuracies(model, y, groups, predicted)


def by_reference(model, X, y, groups=None):
    tables = {metric: reference.METRICS[metric](X, X) for metric in model.metrics}

    def predicted(metric, k, train, test):
        distances, nearest = reference.knn(tables[metric][np.ix_(test, train)], k, metric=metric)
        return reference.vote(y[train][nearest], BALLOTS[model.weights](distances))

    return accuracies(model, y, groups, predicted)


@functools.cache
def expected_of_ties(name, weights):
    model = KNNCV(KS, metrics=METRICS, cv=SPLITS[name], weights=weights)
    scores = by_reference(model, X, y, GROUPS)
    assert scores.tobytes() == by_fits(model, X, y, GROUPS).tobytes()
    return scores


def assert_scores(model, expected):
    assert (model.cv_scores_.shape, model.cv_scores_.dtype) == (expected.shape, np.float64)
    assert model.cv_scores_.tobytes() == expected.tobytes()


# --- scores -----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("weights", BALLOTS)
@pytest.mark.parametrize("name", SPLITS)
def test_scores_are_those_of_a_fit_for_each(monkeypatch, name, weights, way):
    expected = expected_of_ties(name, weights)
    go(monkeypatch, WAYS[way])
    assert_scores(KNNCV(KS, metrics=METRICS, cv=SPLITS[name], weights=weights).fit(X, y, GROUPS), expected)


EACH, SMALL = sk.LeaveOneOut(), sk.ShuffleSplit(3, train_size=0.4, random_state=0)
HALVES = sk.KFold(2)
ALONE = [
    (EACH, {}, 0),
    (EACH, APART, ROWS),
    (HALVES, {}, 0),
    (HALVES, NOT_ACROSS, 2),
    (HALVES, TREE, 0),
    (SMALL, TREE, 3),
]


@pytest.mark.parametrize(
    ("cv", "way", "is_across_groups"),
    [
        (5, {}, True),
        (EACH, {}, True),
        (5, NOT_ACROSS, False),
        (5, TREE, False),
        (SMALL, ACROSS_GROUPS, False),
        (sk.PredefinedSplit(np.arange(ROWS) % 5 - 1), ACROSS_GROUPS, False),  # some rows are never tested
        ([(ORDER[20:], ORDER[:20]), (ORDER[:20], ORDER[20:40]), (ORDER[:40], ORDER[40:])], ACROSS_GROUPS, False),
        (SPLITS["stratified, repeated"], ACROSS_GROUPS, False),
        (SPLITS["repeated rows, each tested once"], ACROSS_GROUPS, False),
    ],
    ids=named,
)
def test_when_each_pair_is_compared_once(monkeypatch, cv, way, is_across_groups):
    asked, search = [], Scorer._across_groups
    monkeypatch.setattr(Scorer, "_across_groups", lambda self, group: asked.append(group) or search(self, group))
    go(monkeypatch, way)
    KNNCV((1, 3), metrics=["l2"], cv=cv).fit(X, y)
    assert bool(asked) == is_across_groups


@pytest.mark.parametrize(("cv", "way", "parts"), ALONE, ids=named)
def test_which_parts_are_searched_alone(monkeypatch, cv, way, parts):
    alone, search = [], Scorer._alone

    def searched(self, fold, tests):
        alone.append(len(tests) == len(fold.test))  # others are what a search among all rows has left
        return search(self, fold, tests)

    monkeypatch.setattr(Scorer, "_alone", searched)
    go(monkeypatch, way)
    KNNCV(KS, metrics=["l2"], cv=cv).fit(X, y)
    assert sum(alone) == parts


@pytest.mark.parametrize("way", [TOGETHER, TOGETHER | BLOCKS, TREE], ids=named)
def test_neighbours_that_are_nearly_all_left_out(monkeypatch, way):
    # The nearest 40 of a row are its equals, none of which is in its training part.
    rows = np.repeat(X[:4] * 3 + np.arange(4, dtype=np.uint8)[:, None], 40, axis=0)
    labels = np.random.default_rng(6).integers(0, 3, 160)
    looked_up, query = [], Scorer._query
    monkeypatch.setattr(Scorer, "_query", lambda self, of, count: looked_up.append(len(of)) or query(self, of, count))
    go(monkeypatch, way)
    groups = np.repeat(range(4), 40)
    model = KNNCV(KS, metrics=METRICS, cv=sk.GroupKFold(4)).fit(rows, labels, groups)
    assert_scores(model, by_reference(model, rows, labels, groups))
    assert sum(looked_up) <= 2 * len(METRICS) * 160


@pytest.mark.parametrize("cv", [5, sk.GroupShuffleSplit(6, random_state=0)], ids=str)
@pytest.mark.parametrize("d", [2, 20])
def test_scores_where_a_groups_rows_lie_together(cv, d):
    rng = np.random.default_rng(13)
    groups = np.sort(rng.integers(0, 5, 2500))
    rows, labels = rng.normal(size=(2500, d)) + 20 * groups[:, None], rng.integers(0, 3, 2500)
    model = KNNCV(KS, metrics=("l2",), cv=cv).fit(rows, labels, groups if cv != 5 else None)
    assert_scores(model, by_fits(model, rows, labels, groups if cv != 5 else None))


def test_small_groups_that_lie_together_are_searched_for_among_all_rows(monkeypatch):
    alone, search = [], Scorer._alone
    monkeypatch.setattr(
        Scorer, "_alone", lambda self, fold, tests: alone.append(len(tests)) or search(self, fold, tests)
    )
    groups = np.repeat(range(200), 10)
    rows = np.random.default_rng(14).normal(size=(2000, 2)) + 20 * groups[:, None]
    model = KNNCV((1,), metrics=("l2",), cv=sk.LeaveOneGroupOut()).fit(rows, groups % 3, groups)
    assert sum(alone) == 0
    assert_scores(model, by_fits(model, rows, groups % 3, groups))


@pytest.mark.parametrize(("size", "kept"), [(10, "listed"), (30, "left_out"), (60, "left_out")])
def test_of_a_training_part_the_shorter_list_is_kept(size, kept):
    fold = Fold.of((ORDER[:size], ORDER[:3]), ROWS)
    assert [name for name in ("listed", "left_out") if getattr(fold, name) is not None] == [kept]
    assert fold.train(ROWS).tolist() == sorted(ORDER[:size])


def test_scores_of_data_with_a_tree():
    rows = np.random.default_rng(7).integers(0, 60, (2600, 2)) + 0.5
    labels = (rows.sum(axis=1) + np.random.default_rng(8).normal(0, 20, 2600) > 60).astype(int)
    for cv in (5, sk.ShuffleSplit(2, train_size=0.3, random_state=0)):
        model = KNNCV((1, 9, 4), metrics=("l2",), cv=cv, weights="distance").fit(rows, labels)
        assert model.best_estimator_._memory.backend.pays(max(model.ks))
        assert_scores(model, by_fits(model, rows, labels))


@pytest.mark.parametrize(("dtype", "d"), [("uint8", 180), ("float32", 64), ("float64", 64)])
def test_scores_of_data_with_sketches(monkeypatch, dtype, d):
    rows = structured(dtype, d)
    labels = (rows[:, 0] > np.median(rows[:, 0])) ^ (np.random.default_rng(9).random(len(rows)) < 0.1)
    model = KNNCV(KS, metrics=METRICS, cv=4, weights="distance")
    expected = by_fits(model, rows, labels)
    for name, value in (("LEAST_ROWS", 1), ("LEAST_TIME", 1), ("LEAST_FEATURES", 1), ("WORTHWHILE", np.inf)):
        monkeypatch.setattr(choosing, name, value)
    monkeypatch.setattr(cascades, "_MOST_REFINED", np.inf)
    model.fit(rows, labels)
    assert model.best_estimator_._memory.backend.pays(max(model.ks))
    assert_scores(model, expected)


@pytest.mark.parametrize("pay", [False, True])
def test_sketches_are_used_where_they_pay(monkeypatch, pay):
    asked, search = [], Scorer._across_groups
    monkeypatch.setattr(Scorer, "_across_groups", lambda self, group: asked.append(group) or search(self, group))
    rows = structured("float32", 64)
    for name, value in (("LEAST_ROWS", 1), ("LEAST_TIME", 1), ("LEAST_FEATURES", 1), ("WORTHWHILE", np.inf)):
        monkeypatch.setattr(choosing, name, value)
    monkeypatch.setattr(cascades, "_MOST_REFINED", np.inf if pay else 0)
    model = KNNCV(KS, metrics=("l2",)).fit(rows, np.arange(len(rows)) % 3)
    assert model.best_estimator_._memory.backend._cascade.stages
    assert bool(asked) != pay


def test_agrees_with_scikit_learns_search():
    rows, labels = (part[:600] for part in load_digits(return_X_y=True))
    rows = rows * np.random.default_rng(12).integers(50, 100, 64)  # or many were equally far by l1
    ks, metrics = [1, 3, 4, 9], {"l1": "manhattan", "l2": "euclidean"}
    ours = KNNCV(ks, metrics=list(metrics), cv=4).fit(rows, labels)
    grid = {"metric": list(metrics.values()), "n_neighbors": ks}
    theirs = sk.GridSearchCV(KNeighborsClassifier(algorithm="brute"), grid, cv=4).fit(rows, labels).cv_results_
    found = np.stack([theirs[f"split{i}_test_score"] for i in range(4)], axis=1).reshape(2, 4, 4)
    # Which of equally far rows is the k-th is scikit-learn's own affair: a test where two are may come out differently.
    # All other votes are equal, as distances of integers are exact.
    for f, (train, test) in enumerate(sk.StratifiedKFold(4).split(rows, labels)):
        for m, name in enumerate(("cityblock", "euclidean")):
            distances = np.sort(cdist(rows[test], rows[train], name), axis=1)
            for i, k in enumerate(ks):
                open_ = np.mean(distances[:, k - 1] == distances[:, k])
                assert abs(ours.cv_scores_[m, i, f] - found[m, i, f]) <= open_ + 1e-12 < 0.03


def test_the_earlier_of_equals_is_best():
    rows, labels = np.repeat([[0.0, 9.0], [9.0, 0.0]], 10, axis=0) + 0.01 * X[:20, :2], np.repeat(["a", "b"], 10)
    for metrics, ks in ((("l2", "l1"), (3, 1)), (("l1", "cosine", "l2"), (2, 1, 3))):
        model = KNNCV(ks, metrics=metrics).fit(rows, labels)
        assert (model.cv_scores_ == 1).all()
        assert (model.best_metric_, model.best_k_, model.best_score_) == (metrics[0], ks[0], 1.0)


def test_means_that_differ_by_rounding_are_equal():
    rng = np.random.default_rng(1)
    rows, labels = rng.integers(0, 4, (30, 2)), rng.integers(0, 2, 30)
    model = KNNCV((1, 2, 3, 5, 7, 9), metrics=("l1", "l2"), cv=3).fit(rows, labels)
    hits = np.rint(model.cv_scores_ * 10).astype(int).sum(axis=2)  # of folds of ten rows
    assert model.cv_scores_.mean(axis=2).argmax() != hits.argmax()  # or rounding would not matter
    metric, k = np.unravel_index(hits.argmax(), hits.shape)
    assert (model.best_metric_, model.best_k_) == (("l1", "l2")[metric], (1, 2, 3, 5, 7, 9)[k])


def test_an_earlier_metric_is_best_whatever_its_k():
    model = KNNCV((9, 1, 3), metrics=("euclidean", "l2"), cv=4).fit(X, y)  # equals
    assert model.cv_scores_[0].tolist() == model.cv_scores_[1].tolist()
    best = model.cv_scores_[0].mean(axis=1).argmax()
    assert best != 0  # or the first k would do
    assert (model.best_metric_, model.best_k_) == ("euclidean", (9, 1, 3)[best])


def test_a_later_metric_that_is_better_is_best():
    lengths = np.tile(np.geomspace(1, 1e6, 20), 2)  # of which the class does not depend
    directions = np.repeat([[1.0, 0.9], [0.9, 1.0]], 20, axis=0)
    model = KNNCV((3, 1), metrics=("l1", "cosine"), cv=4).fit(directions * lengths[:, None], np.repeat([0, 1], 20))
    assert model.cv_scores_[0].max() < 1
    assert (model.best_metric_, model.best_k_, model.best_score_) == ("cosine", 3, 1.0)


def test_the_best_is_a_classifier_fitted_on_all_data():
    Q = np.random.default_rng(10).integers(0, 4, (50, 3))
    for weights in BALLOTS:
        model = KNNCV(KS, metrics=METRICS, weights=weights).fit(X, y)
        means = model.cv_scores_.mean(axis=2)
        metric, k = np.unravel_index(means.argmax(), means.shape)
        assert (model.best_metric_, model.best_k_, model.best_score_) == (METRICS[metric], KS[k], means.max())
        alone = KNN(KS[k], metric=METRICS[metric], weights=weights).fit(X, y)
        assert model.best_estimator_.get_params() == alone.get_params()
        assert model.predict(Q).tobytes() == model.best_estimator_.predict(Q).tobytes() == alone.predict(Q).tobytes()
        assert model.predict_proba(Q).tobytes() == alone.predict_proba(Q).tobytes()
        assert (model.classes_.tolist(), model.n_features_in_) == ([0, 1, 2], 3)


def test_pandas_and_names():
    frame, labels = pd.DataFrame(X, columns=list("uvw")), np.array(["setosa", "versicolor", "virginica"])[y]
    model = KNNCV(KS, cv=4).fit(frame, pd.Series(labels, index=np.arange(ROWS)[::-1]))
    assert model.feature_names_in_.tolist() == list("uvw")
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert_scores(model, by_reference(model, X, labels))
    alone = KNN(model.best_k_, metric=model.best_metric_).fit(X, labels)
    np.testing.assert_array_equal(model.predict(frame), alone.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("wvu")])
    assert not hasattr(model.fit(X, y), "feature_names_in_")


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "strided": lambda rows: np.repeat(np.hstack([rows, rows]), 2, axis=0)[::2, :3],
    "backwards": lambda rows: rows[::-1, ::-1].copy()[::-1, ::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@each_dtype
def test_dtypes_and_layouts(layout, dtype):
    rows = (X + (0 if dtype == "uint8" else 0.5)).astype(dtype)
    before = rows.tobytes()
    model = KNNCV(KS, metrics=("l1", "l2"), weights="distance").fit(LAYOUTS[layout](rows), y.astype(np.int8))
    assert rows.tobytes() == before
    assert_scores(model, by_reference(model, rows, y))


@pytest.mark.parametrize("way", ["together in blocks", "apart"])
def test_any_number_of_threads_gives_the_same(monkeypatch, way):
    rng = np.random.default_rng(11)
    rows, labels = rng.normal(size=(300, 20)), rng.integers(0, 3, 300)
    go(monkeypatch, WAYS[way])
    models = [KNNCV(KS, weights="distance", n_threads=n).fit(rows, labels) for n in (1, 2, 7)]
    expected = by_fits(models[0], rows, labels)
    for model in models:
        assert_scores(model, expected)
    assert len({model.predict_proba(rows + 0.1).tobytes() for model in models}) == 1


@pytest.mark.parametrize("cv", [5, sk.LeaveOneOut()], ids=str)
def test_what_a_weights_function_does_to_distances_stays_there(cv):
    def destructive(distances):
        weights = gaussian(distances)
        distances[...] = 7
        return weights

    expected = by_reference(KNNCV(KS, cv=cv, weights=gaussian), X, y)
    assert_scores(KNNCV(KS, cv=cv, weights=destructive).fit(X, y), expected)


def test_a_weights_function_is_not_asked_about_no_queries(monkeypatch):
    sizes = []
    go(monkeypatch, WAYS["together in blocks"])
    KNNCV(KS, cv=sk.KFold(5), weights=lambda distances: sizes.append(distances.size) or gaussian(distances)).fit(X, y)
    assert min(sizes) > 0
