"""The choice of k and the metric for rows in chunks: scores are those of one machine, whatever the chunks."""

from __future__ import annotations

import dataclasses
import itertools
import pickle

import numpy as np
import pytest
import reference
from names import HALF_DTYPES, each_metric
from sklearn import model_selection as sk
from sklearn.base import clone

from fastclf import KNNCV

pytest.importorskip("dask")
pytest.importorskip("distributed")

import dask
import dask.array as da

from fastclf.dask import DaskKNN, DaskKNNCV, _folds, _neighbors, _trials

CHUNKS = (61, 25, (1, 4, 0, 26, 30), 7)
KS = (7, 1, 4)  # in no order
ROWS = 61
GROUPS = np.random.default_rng(3).integers(0, 7, ROWS)
ORDER = np.random.default_rng(4).permutation(ROWS)


@pytest.fixture(autouse=True)
def without_cluster():
    """Run tasks in this thread."""
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Have queries in several batches, and these in several turns."""
    monkeypatch.setattr(_neighbors, "_MOST_QUERIES", 5)
    monkeypatch.setattr(_trials, "_TASKS_AT_ONCE", 20)


def data(dtype="float32"):
    """Rows and labels with many ties, of which some are no ties but for rounding."""
    rng = np.random.default_rng(0)
    X = (rng.integers(0, 3, (ROWS, 3)) * 0.3 + rng.normal(size=(ROWS, 3)) * (np.arange(ROWS) % 3 == 0)[:, None]) * 9
    X[40:45] = X[:5]
    return X.astype(dtype), np.array(["left", "right", "up", "far away"])[rng.integers(0, 4, ROWS)]


def in_chunks(a, chunks):
    return da.from_array(a, chunks=(chunks, *a.shape[1:]))


def fitted(X, y, chunks=25, groups=None, **options):
    return DaskKNNCV(**{"ks": KS} | options).fit(in_chunks(X, chunks), in_chunks(y, chunks), groups)


def assert_same(model, one):
    """What is chosen, and all scores, are those of `KNNCV`."""
    assert model.cv_scores_.shape == one.cv_scores_.shape
    assert model.cv_scores_.tobytes() == one.cv_scores_.tobytes()
    for name in ("best_k_", "best_metric_", "best_score_", "best_params_", "best_index_", "n_splits_"):
        assert getattr(model, name) == getattr(one, name), name
    assert model.classes_.tolist() == one.classes_.tolist()
    assert list(model.cv_results_) == list(one.cv_results_)
    for name, column in one.cv_results_.items():
        assert np.array_equal(model.cv_results_[name], column), name


# Weights are functions of the distances that are found. So all chunks have those that tell distances best.
@pytest.mark.parametrize(
    ("chunks", "weights"), [*((chunks, "distance") for chunks in CHUNKS), (25, "uniform"), (7, "uniform"), (25, np.exp)]
)
def test_scores_are_those_of_one_machine(chunks, weights):
    X, y = data()
    options = {"metrics": ("cosine", "l2", "l1"), "weights": weights}
    assert_same(fitted(X, y, chunks, **options), KNNCV(KS, **options).fit(X, y))


@each_metric
@pytest.mark.parametrize("chunks", [25, 7])
def test_scores_are_those_of_the_reference(metric, chunks):
    X, y = data()
    folds = list(sk.StratifiedKFold(4).split(X, y))
    found = fitted(X, y, chunks, metrics=[metric], cv=4).cv_scores_[0]
    for fold, (train, test) in enumerate(folds):
        nearest = reference.exact_knn(metric, X[test], X[train], max(KS))[1]
        for i, k in enumerate(KS):
            assert found[i, fold] == np.mean(reference.vote(y[train][nearest[:, :k]]) == y[test])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float64", "int64", *HALF_DTYPES])
def test_dtypes(dtype):
    X, y = data("float64")
    X = np.abs(X).astype(dtype) if dtype == "uint8" else X.astype(dtype)
    options = {"metrics": ("l2", "cosine")}
    assert_same(fitted(X, y, **options), KNNCV(KS, **options).fit(X, y))


PARTING = {
    "a number": 3,
    "stratified, shuffled": sk.StratifiedKFold(4, shuffle=True, random_state=0),
    "halves": sk.KFold(2),  # of an odd number of rows: a training part is less than half of them
    "groups": sk.GroupKFold(3),
    "leave one group out": sk.LeaveOneGroupOut(),
    "some rows are never tested": sk.PredefinedSplit(np.arange(ROWS) % 5 - 1),
    "pairs and masks": [(ORDER[10:], ORDER[:10]), (~np.isin(np.arange(ROWS), ORDER[10:30]), ORDER[10:30])],
    "one fold": [(ORDER[20:].tolist(), ORDER[:20].tolist())],
}


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
@pytest.mark.parametrize("name", PARTING)
def test_splitters_that_part_the_rows(name):
    X, y = data()
    one = KNNCV(KS, cv=PARTING[name]).fit(X, y, GROUPS)
    for groups in (GROUPS, in_chunks(GROUPS, 9)):
        assert_same(fitted(X, y, groups=groups, cv=PARTING[name]), one)


OTHERS = {
    "tests overlap": sk.ShuffleSplit(3, test_size=0.4, random_state=0),
    "repeated": sk.RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
    "later rows are left out": sk.TimeSeriesSplit(4),
    "rows are left out": [(ORDER[30:], ORDER[:10])],
    "training on tests": [(ORDER, ORDER[:10])],
    "repeated training rows": [(np.r_[ORDER[10:], ORDER[10]], ORDER[:10])],
    "repeated tests": [(ORDER[10:], np.r_[ORDER[:10], ORDER[0]])],
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_splitters_are_refused(name):
    X, y = data()
    with pytest.raises(ValueError, match="cv must test each row at most once, and train on all rows that it does not"):
        fitted(X, y, cv=OTHERS[name])


def test_near_ties_over_chunks_and_folds():
    """Rows that round to one distance, in an order that is not theirs."""
    X = np.full((24, 2), 2.0**30)
    X[:, 0] = np.r_[[3.0, -5.0], 1 + np.arange(22)[::-1] * 2.0**-52]
    y = np.r_[[0, 1], np.arange(22) % 2]
    for metric in ("l1", "l2", "cosine", "inner_product"):
        options = {"metrics": [metric], "cv": [(np.arange(2, 24), [0, 1]), (np.r_[0:9, 15:24], np.arange(9, 15))]}
        one = KNNCV((1, 3, 17), **options).fit(X, y)
        for chunks in (1, 5, 24):
            assert_same(fitted(X, y, chunks, ks=(1, 3, 17), **options), one)


def test_a_search_that_leaves_nothing_out_is_seen(monkeypatch):
    X, y = data()
    search = _folds.SearchOfOthers._nearest
    monkeypatch.setattr(
        _folds.SearchOfOthers, "_nearest", lambda self, *args: search(dataclasses.replace(self, fold=-2), *args)
    )
    with pytest.raises(AssertionError):
        assert_same(fitted(X, y), KNNCV(KS).fit(X, y))


def test_the_best_is_fitted_on_all_rows():
    X, y = data()
    one, model = KNNCV(KS).fit(X, y), fitted(X, y)
    assert isinstance(model.best_estimator_, DaskKNN)
    assert model.best_estimator_.get_params()["k"] == model.best_k_
    Q = X[::2] + np.float32(0.1)
    for name in ("predict", "predict_proba"):
        expected = getattr(one, name)(Q)
        assert getattr(model, name)(Q).tobytes() == expected.tobytes()
        lazy = getattr(model, name)(in_chunks(Q, 9))
        assert isinstance(lazy, da.Array)
        assert lazy.compute().tobytes() == expected.tobytes()
    for k in (None, 2):
        assert [a.tolist() for a in model.kneighbors(Q, k)] == [a.tolist() for a in one.kneighbors(Q, k)]
    assert model.kneighbors(Q, 2, return_distance=False).tolist() == one.kneighbors(Q, 2)[1].tolist()
    assert model.score(in_chunks(X, 9), y) == pytest.approx(np.mean(one.predict(X) == y), rel=1e-14)


def test_saved_models_have_no_masked_arrays():
    X, y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
    model = DaskKNNCV(ks=(1, 3), cv=2).fit(da.from_array(X, chunks=(5, 3)), da.from_array(y, chunks=5))
    saved = pickle.dumps(model)
    assert b"numpy.ma" not in saved  # damaged ones may crash NumPy
    again = pickle.loads(saved)
    for name, column in model.cv_results_.items():
        assert type(again.cv_results_[name]) is type(column)
        np.testing.assert_array_equal(again.cv_results_[name], column)


def test_each_row_is_indexed_once_for_a_metric(monkeypatch):
    X, y = data()
    indexed, index = [], _folds.index_rows

    def watched(rows, *args, **options):
        indexed.append(rows)
        return index(rows, *args, **options)

    monkeypatch.setattr(_folds, "index_rows", watched)
    fitted(X, y, metrics=["l2"], cv=3)
    assert sorted(np.concatenate(indexed).tolist()) == sorted(X.tolist())


def test_chunks_of_unknown_sizes():
    X, y = data()
    kept = np.arange(ROWS) % 3 > 0
    kept[:25] = False  # the first chunk is empty
    rows, labels, groups = (in_chunks(a, 25)[in_chunks(kept, 25)] for a in (X, y, GROUPS))
    assert_same(DaskKNNCV(KS, cv=3).fit(rows, labels), KNNCV(KS, cv=3).fit(X[kept], y[kept]))
    by_groups = sk.GroupKFold(3)
    one = KNNCV(KS, cv=by_groups).fit(X[kept], y[kept], GROUPS[kept])
    assert_same(DaskKNNCV(KS, cv=by_groups).fit(rows, labels, groups), one)


def test_labels_in_memory_in_other_chunks_or_missing_from_some():
    X, y = data()
    y = np.sort(y)
    one = KNNCV(KS).fit(X, y)
    for labels in (y, y.tolist(), in_chunks(y, 11), in_chunks(y, 25)):
        assert_same(DaskKNNCV(KS).fit(in_chunks(X, 25), labels), one)


def test_data_frames():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    X, y = data("float64")
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=y, group=GROUPS)
    lazy = dd.from_pandas(frame, npartitions=4)
    model = DaskKNNCV(KS, cv=sk.GroupKFold(3)).fit(lazy[list("abc")], lazy["label"], lazy["group"])
    assert_same(model, KNNCV(KS, cv=sk.GroupKFold(3)).fit(frame[list("abc")], y, GROUPS))
    assert model.feature_names_in_.tolist() == list("abc")


def later(a, first):
    """All from some row on, in chunks of sizes that are not known."""
    return in_chunks(a, 25)[in_chunks(np.arange(ROWS) >= first, 25)]


def bad_calls():
    X, y = data()
    nan = X.copy()
    nan[30, 2] = np.nan
    return [
        (lambda: DaskKNNCV().fit(X, y), TypeError, "X must be a Dask array of two dimensions"),
        (lambda: DaskKNNCV().fit(da.from_array(X, chunks=(9, 2)), y), ValueError, "features in 2 chunks"),
        (lambda: fitted(nan, y), ValueError, r"NaN \(first in row 5\).*chunk 1 of X"),
        (lambda: DaskKNNCV().fit(in_chunks(X, 25), y[:50]), ValueError, "y has 50 entries, but X has 61 rows"),
        (lambda: fitted(X, np.arange(ROWS) + 0.5), ValueError, "continuous"),
        (lambda: fitted(X[:0], y[:0]), ValueError, "X has no rows"),
        (lambda: fitted(X, y, groups=GROUPS[:9]), ValueError, "groups has 9 entries, but X has 61 rows"),
        (lambda: DaskKNNCV().fit(later(X, 4), y), ValueError, "y is in memory"),
        (
            lambda: DaskKNNCV(cv=2).fit(later(X, 4), later(y, 5)),
            ValueError,
            r"X has 21 rows, but y has 20 entries \(in chunk 0",
        ),
        (
            lambda: DaskKNNCV(cv=sk.GroupKFold(2)).fit(later(X, 4), later(y, 4), later(GROUPS, 5)),
            ValueError,
            r"groups has 20 entries, but X has 21 rows \(in chunk 0",
        ),
        (lambda: fitted(X, y, ks=()), ValueError, "ks must be a sequence of at least one value"),
        (lambda: fitted(X, y, ks=(1, 0)), ValueError, r"Expected ks\[1\] >= 1"),
        (lambda: fitted(X, y, ks=(1, 60)), ValueError, "the rows of the smallest training part"),
        (lambda: fitted(X, y, metrics="l2"), ValueError, "metrics must be a sequence"),
        (lambda: fitted(X, y, metrics=["l3"]), ValueError, r"metrics\[0\] must be one of"),
        (lambda: fitted(X, y, cv=[3, 4]), ValueError, "cv must be a number of folds"),
        (lambda: fitted(X, y, cv=100), ValueError, "n_splits=100"),
        (lambda: fitted(X, y, weights="near"), ValueError, "weights must be one of"),
        (lambda: fitted(X, y, client="here"), TypeError, "client must be a distributed.Client"),
        (lambda: fitted(X, y, n_threads=0), ValueError, "n_threads must be at least 1"),
        (lambda: fitted(X, y, verbose=-1), ValueError, "verbose must be at least 0"),
        (lambda: fitted(X, y).predict(X[:, :2]), ValueError, "2 features"),
    ]


@pytest.mark.parametrize("number", range(len(bad_calls())))
def test_bad_input_is_refused(number):
    call, error, message = bad_calls()[number]
    with pytest.raises(error, match=message):
        call()


def test_a_fit_that_fails_changes_nothing():
    X, y = data()
    model = fitted(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="chunk 1 of X"):
        model.fit(in_chunks(np.where(np.arange(ROWS)[:, None] == 30, np.nan, X), 25), y)
    assert vars(model) == before


def test_unfitted_models_say_so():
    X, _ = data()
    for name in ("predict", "predict_proba", "kneighbors"):
        with pytest.raises(ValueError, match="not fitted"):
            getattr(DaskKNNCV(), name)(X)


def test_verbose_tells_how_far_it_is(capsys):
    X, y = data()
    fitted(X, y, verbose=1)
    told = capsys.readouterr().err
    for what in ("indexing chunks (l1)", "searching (l2)"):
        assert what in told


def test_parameters_are_those_of_scikit_learn():
    model = DaskKNNCV((1, 3), cv=4, weights="distance")
    assert list(itertools.islice(model.get_params(), 3)) == ["client", "cv", "ks"]
    assert clone(model).get_params() == model.get_params()
