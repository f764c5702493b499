"""Neighbours and votes of rows in chunks: those of one machine, whatever the chunks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import reference
from names import HALF_DTYPES, METRICS, each_metric
from sklearn.base import clone

import fastclf

pytest.importorskip("dask")
pytest.importorskip("distributed")

import dask
import dask.array as da

from fastclf.dask import DaskKNN
from fastclf.dask import _neighbors as neighbors

CHUNKS = (120, 50, (1, 4, 0, 55, 60), 9)


@pytest.fixture(autouse=True)
def without_cluster():
    """Run tasks in this thread."""
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Have queries in several batches."""
    monkeypatch.setattr(neighbors, "_MOST_QUERIES", 16)
    monkeypatch.setattr(neighbors, "_FEW_QUERIES", 16)


def data(dtype="float32"):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (120, 4)) * 0.3 + rng.normal(size=(120, 4)) * (np.arange(120) % 2)[:, None]
    X[60:70] = X[:10]
    X = X.astype(dtype)
    y = np.array(["left", "right", "up", "far away"])[np.arange(120) // 3 % 4]
    return X, y, np.concatenate([X[:25], rng.normal(size=(15, 4)).astype(dtype)])


def in_chunks(X, chunks):
    return da.from_array(X, chunks=(chunks, *X.shape[1:]))


def fitted(X, y, chunks=50, **options):
    return DaskKNN(**{"k": 7} | options).fit(in_chunks(X, chunks), in_chunks(y, chunks))


def assert_exact(model, metric, Q, X, k):
    expected = reference.exact_knn(metric, Q, X, k)
    for queries in (Q, in_chunks(Q, 23)):
        distances, indices = (np.asarray(array) for array in model.kneighbors(queries, k))
        assert indices.tolist() == expected[1].tolist()
        assert distances.tobytes() == expected[0].tobytes()


@each_metric
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_neighbors_are_exact(metric, chunks):
    X, y, Q = data()
    model = fitted(X, y, chunks, metric=metric)
    assert_exact(model, metric, Q, X, 7)
    assert model.n_samples_fit_ == 120
    assert model.n_features_in_ == 4


@each_metric
@pytest.mark.parametrize("dtype", ["int8", *HALF_DTYPES])
def test_chunks_of_one_or_two_bytes_a_value(metric, dtype):
    X, y, Q = data(dtype)
    assert_exact(fitted(X, y, metric=metric), metric, Q, X, 7)


@each_metric
def test_bytes_of_which_a_chunk_has_none_below_zero(metric):
    X = np.array([[3, 1], [0, 2], [3, 1], [1, 0], [-3, 1], [0, -2], [3, 1], [1, -1]], np.int8)
    assert_exact(fitted(X, np.arange(8) % 2, 4, k=2, metric=metric), metric, X, X, 6)


@pytest.mark.parametrize("dtype", ["uint8", "float64", "int64", "float16", "bool"])
def test_dtypes(dtype):
    X, y, Q = data("float64")
    X, Q = X.astype(dtype), Q.astype(dtype)
    as_floats = X.astype("float64"), Q.astype("float64")
    assert_exact(fitted(X, y), "l2", as_floats[1], as_floats[0], 5)


@pytest.mark.parametrize("weights", ["uniform", "distance", np.exp])
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_votes_are_those_of_one_machine(weights, chunks):
    X, y, Q = data()
    one = fastclf.KNN(7, weights=weights).fit(X, y)
    model = fitted(X, y, chunks, weights=weights)
    assert model.classes_.tolist() == one.classes_.tolist()
    for name in ("predict", "predict_proba"):
        expected = getattr(one, name)(Q)
        assert getattr(model, name)(Q).tobytes() == expected.tobytes()
        lazy = getattr(model, name)(in_chunks(Q, 23))
        assert isinstance(lazy, da.Array)
        assert lazy.chunks[0] == (23, 17)
        assert lazy.dtype == expected.dtype
        assert lazy.compute().tobytes() == expected.tobytes()


def test_shares_are_counted_by_hand():
    X, y = np.arange(6.0)[:, None], np.array([3, 1, 1, 2, 3, 3])
    model = fitted(X, y, (1, 2, 3), k=4)
    assert model.predict_proba([[2.0]]).tolist() == [[0.5, 0.25, 0.25]]
    assert model.predict(np.array([[2.0], [4.9]])).tolist() == [1, 3]


@pytest.mark.parametrize("k", [8, 60, 120])
def test_more_neighbors_than_a_chunk_has(k):
    X, y, Q = data()
    assert_exact(fitted(X, y, (3, 7, 60, 50), k=k), "l2", Q, X, k)


def test_labels_missing_from_chunks():
    X = np.arange(9.0)[:, None]
    y = np.array([5, 5, 5, 7, 7, 7, -2, -2, -2])
    model = fitted(X, y, 3, k=3)
    assert model.classes_.tolist() == [-2, 5, 7]
    assert model.predict(X).tolist() == [5, 5, 5, 7, 7, 7, -2, -2, -2]


def test_labels_in_memory_or_in_other_chunks():
    X, y, Q = data()
    expected = fastclf.KNN(7).fit(X, y).predict(Q).tolist()
    for labels in (y, y.tolist(), in_chunks(y, 11)):
        assert DaskKNN(7).fit(in_chunks(X, 50), labels).predict(Q).tolist() == expected


def test_chunks_of_unknown_sizes():
    X, y, Q = data()
    kept = np.arange(120) % 3 > 0
    rows, labels = in_chunks(X, 50)[in_chunks(kept, 50)], in_chunks(y, 50)[in_chunks(kept, 50)]
    model = DaskKNN(7).fit(rows, labels)
    assert model.n_samples_fit_ == 80
    assert_exact(model, "l2", Q, X[kept], 7)
    queries = in_chunks(Q, 23)[in_chunks(np.arange(40) % 2 > 0, 23)]
    lazy = model.predict(queries)
    assert np.isnan(lazy.chunks[0]).all()
    assert lazy.compute().tolist() == fastclf.KNN(7).fit(X[kept], y[kept]).predict(Q[1::2]).tolist()


def test_partial_fit_appends():
    X, y, Q = data()
    model = DaskKNN(7)
    for part in (slice(0, 30), slice(30, 31), slice(31, 120)):
        model.partial_fit(in_chunks(X[part], 20), in_chunks(y[part], 20))
    assert_exact(model, "l2", Q, X, 7)
    assert model.predict(Q).tolist() == fastclf.KNN(7).fit(X, y).predict(Q).tolist()
    before = model.predict(Q).tolist()
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(in_chunks(X[:, :3], 20), in_chunks(y, 20))
    assert model.n_samples_fit_ == 120
    assert model.predict(Q).tolist() == before


def test_score_counts_hits():
    X, y, _ = data()
    model = fitted(X, y, k=3)
    hits = model.predict(X) == y
    assert 0 < hits.mean() < 1
    weight = np.arange(120.0)
    for rows, labels in ((X, y), (in_chunks(X, 33), in_chunks(y, 33)), (in_chunks(X, 33), y)):
        assert model.score(rows, labels) == pytest.approx(hits.mean(), rel=1e-14)
        assert model.score(rows, labels, weight) == pytest.approx(np.average(hits, weights=weight), rel=1e-14)


def test_data_frames():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    X, y, Q = data("float64")
    frame = pd.DataFrame(X, columns=list("abcd")).assign(label=y)
    lazy = dd.from_pandas(frame, npartitions=4)
    model = DaskKNN(7).fit(lazy[list("abcd")], lazy["label"])
    assert model.feature_names_in_.tolist() == list("abcd")
    expected = fastclf.KNN(7).fit(frame[list("abcd")], y).predict(pd.DataFrame(Q, columns=list("abcd")))
    queries = pd.DataFrame(Q, columns=list("abcd"))
    assert model.predict(queries).tolist() == expected.tolist()
    assert model.predict(dd.from_pandas(queries, npartitions=2)).compute().tolist() == expected.tolist()
    assert model.score(lazy[list("abcd")], lazy["label"]) > 0.3
    with pytest.raises(ValueError, match="feature names"):
        model.predict(dd.from_pandas(queries[list("dcba")], npartitions=2))


def test_no_queries():
    X, y, _ = data()
    model = fitted(X, y)
    assert model.predict(X[:0]).shape == (0,)
    assert model.predict_proba(X[:0]).shape == (0, 4)
    assert model.kneighbors(X[:0])[1].shape == (0, 7)
    assert model.kneighbors(in_chunks(X[:0], 5), return_distance=False).compute().shape == (0, 7)


def of_unknown_width(X):
    return da.from_delayed(dask.delayed(X), (len(X), np.nan), X.dtype)


def bad_calls():
    X, y, _ = data()
    nan = X.copy()
    nan[70, 2] = np.nan
    return [
        (lambda: DaskKNN().fit(X, y), TypeError, "X must be a Dask array of two dimensions"),
        (lambda: DaskKNN().fit(in_chunks(y, 9), y), TypeError, "X must be a Dask array"),
        (lambda: DaskKNN().fit(da.from_array(X, chunks=(9, 2)), y), ValueError, "features in 2 chunks"),
        (lambda: DaskKNN().fit(of_unknown_width(X), y), ValueError, "unknown number of features"),
        (lambda: DaskKNN().fit(in_chunks(X, 50), 3), TypeError, "y must have an entry for each row of X, got 3"),
        (lambda: DaskKNN().fit(in_chunks(nan, 50), y), ValueError, r"NaN \(first in row 20\).*chunk 1 of X"),
        (lambda: DaskKNN().fit(in_chunks(X, 50), y[:50]), ValueError, "y has 50 entries, but X has 120 rows"),
        (lambda: DaskKNN().fit(in_chunks(X, 50), in_chunks(y[:9], 3)), ValueError, "y has 9 entries"),
        (lambda: DaskKNN().fit(in_chunks(X, 50), in_chunks(np.arange(120) + 0.5, 50)), ValueError, "continuous"),
        (lambda: DaskKNN().fit(in_chunks(X[:0], 50), in_chunks(y[:0], 50)), ValueError, "X has no rows"),
        (lambda: DaskKNN(k=0).fit(in_chunks(X, 50), y), ValueError, "Expected k >= 1"),
        (lambda: DaskKNN(k="3").fit(in_chunks(X, 50), y), TypeError, "k must be an int"),
        (lambda: DaskKNN(metric="l3").fit(in_chunks(X, 50), y), ValueError, "metric must be one of"),
        (lambda: DaskKNN(weights="near").fit(in_chunks(X, 50), y), ValueError, "weights must be one of"),
        (
            lambda: DaskKNN(5, metric="inner_product", weights="distance").fit(in_chunks(X, 50), y),
            ValueError,
            "no mean",
        ),
        (lambda: DaskKNN(client="here").fit(in_chunks(X, 50), y), TypeError, "client must be a distributed.Client"),
        (lambda: DaskKNN(n_threads=0).fit(in_chunks(X, 50), y), ValueError, "n_threads must be at least 1"),
        (lambda: DaskKNN(verbose=-1).fit(in_chunks(X, 50), y), ValueError, "verbose must be at least 0"),
        (lambda: fitted(X, y).kneighbors(X[:, :3]), ValueError, "3 features"),
        (lambda: fitted(X, y).predict(in_chunks(X[:, :3], 50)), ValueError, "3 features"),
        (lambda: fitted(X, y).predict(nan), ValueError, "NaN"),
        (lambda: fitted(X, y).predict(in_chunks(nan, 50)).compute(), ValueError, "X contains NaN"),
        (lambda: fitted(X, y).kneighbors(X, k=121), ValueError, "Expected k <= n_samples_fit"),
        (lambda: fitted(X, y).score(in_chunks(X, 50), y[:9]), ValueError, "y has 9 entries"),
        (lambda: fitted(X, y).score(in_chunks(X[:0], 50), in_chunks(y[:0], 50)), ValueError, "no accuracy"),
    ]


@pytest.mark.parametrize("number", range(len(bad_calls())))
def test_bad_input_is_refused(number):
    call, error, message = bad_calls()[number]
    with pytest.raises(error, match=message):
        call()


def test_a_fit_that_fails_changes_nothing():
    X, y, Q = data()
    model = fitted(X, y)
    before = model.predict(Q).tolist()
    with pytest.raises(ValueError, match="continuous"):
        model.fit(in_chunks(X[:, :3], 50), np.arange(120) + 0.5)
    assert model.n_features_in_ == 4
    assert model.predict(Q).tolist() == before


def test_unfitted_models_say_so():
    X, _, _ = data()
    for name in ("predict", "predict_proba", "kneighbors"):
        with pytest.raises(ValueError, match="not fitted"):
            getattr(DaskKNN(), name)(X)


@pytest.mark.parametrize("metric", METRICS)
def test_the_order_of_chunks_in_which_batches_begin_does_not_matter(metric):
    X, y, Q = data()
    model = fitted(X, y, 9, metric=metric)
    expected = reference.exact_knn(metric, Q[:3], X, 7)[1].tolist()
    for turn in range(14):
        task = model._nearest(Q[:3], 7, turn)
        assert task.compute().rows.tolist() == expected


def test_verbose_tells_how_far_it_is(capsys):
    X, y, Q = data()
    fitted(X, y, verbose=1).predict(Q)
    told = capsys.readouterr().err
    assert "indexing" in told
    assert "searching" in told


def test_queries_go_a_few_at_a_time(monkeypatch):
    X, y, Q = data()
    model, sent = fitted(X, y), []
    compute = neighbors.Engine.compute

    def watched(self, tasks, *args):
        sent.append(len(tasks))
        return compute(self, tasks, *args)

    monkeypatch.setattr(neighbors, "_IN_FLIGHT", 2 * 16 * 4 * 4)
    monkeypatch.setattr(neighbors.Engine, "compute", watched)
    expected = reference.exact_knn("l2", Q, X, 7)[1].tolist()
    assert model.kneighbors(Q)[1].tolist() == expected
    assert sent == [2, 1]


def test_batches_are_smaller_where_many_lists_are_merged(monkeypatch):
    X, y, _ = data()
    model = fitted(X, y, 9)
    monkeypatch.setattr(neighbors, "_MOST_ENTRIES", 14 * 7 * 2)
    assert model._most_queries(7) == 2  # 13 chunks of 9 rows, and one of 3
    assert model._most_queries(120) == 1


def test_parameters_are_those_of_scikit_learn():
    model = DaskKNN(3, metric="l1", verbose=2)
    assert list(itertools.islice(model.get_params(), 3)) == ["client", "k", "metric"]
    assert model.set_params(k=4).k == 4
    assert clone(model).get_params() == model.get_params()
