"""The FAISS backend: a recall that is reached, fastclf's own distances and ties, any index; and what bad input gets."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import weakref

import numpy as np
import pytest
import reference
from children import result
from names import each_dtype, each_metric

from fastclf import KNN, threads
from fastclf.neighbors.backends import calibration, faiss_api, registry
from fastclf.neighbors.backends import faiss as approximate

faiss = pytest.importorskip("faiss")


@pytest.fixture(autouse=True)
def one_thread():
    """Work on data this small is done before a second thread has begun."""
    with threads(1):
        yield


def clouds(rng, n, d, metric="l2"):
    """Rows around points: neighbours are worth looking for, and lists hold them together."""
    X = (rng.normal(size=(40, d))[rng.integers(0, 40, n)] * 2 + rng.normal(size=(n, d))).astype("float32")
    return X - X.mean(axis=0) if metric in ("cosine", "inner_product") else X


def share_as_near(metric, found, truth):
    """Share of the distances found that are no larger than the last true one."""
    return float((reference.ascending(metric, found) <= reference.ascending(metric, truth[:, -1:])).mean())


def recall(model, truth, Q, k):
    """Share of the neighbours found that are as near as the k-th true one."""
    return share_as_near(model.metric, model.kneighbors(Q, k)[0], truth[:, :k])


def both(X, y=None, **options):
    y = np.arange(len(X)) % 3 if y is None else y
    exact = {name: value for name, value in options.items() if name in ("k", "metric", "weights")}
    return KNN(backend="faiss", **options).fit(X, y), KNN(backend="exact", **exact).fit(X, y)


@pytest.fixture
def builds_lists(monkeypatch):
    """Choose an index as of many rows for fewer."""
    monkeypatch.setattr(approximate, "_FEW_ROWS", 1000)


# --- recall -----------------------------------------------------------------------------------------------------------


@each_metric
@pytest.mark.parametrize("wanted", [0.8, pytest.param(0.97, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("builds_lists")
def test_the_recall_asked_for_is_reached(metric, wanted, rng):
    X = clouds(rng, 7000, 24, metric)
    X, Q = X[:6000], X[6000:]
    model, exact = both(X, k=10, metric=metric, recall=wanted)
    assert wanted <= model.recall_ <= 1
    for k in (1, 3, 10, 20, 60):
        truth = exact.kneighbors(Q, k)[0]
        assert recall(model, truth, Q, k) >= wanted - (0.02 if k == 10 else 0.05)  # of 300 rows held out
    truth = exact.kneighbors(k=10)[0]
    assert share_as_near(metric, model.kneighbors(k=10)[0], truth) >= wanted - 0.03
    assert (model.kneighbors()[1] != np.arange(len(X))[:, None]).all()


@pytest.mark.usefixtures("builds_lists")
def test_searching_harder_finds_more(rng):
    X = clouds(rng, 5000, 16)
    models = [KNN(5, backend="faiss", recall=recall).fit(X, np.zeros(5000)) for recall in (0.5, 0.9, 0.995)]
    settings = [model._memory.backend._index._calibration.settings[5] for model in models]
    assert settings[0] < settings[1] < settings[2]


@pytest.mark.usefixtures("builds_lists")
def test_all_neighbours_where_a_recall_of_one_is_asked_for(rng):
    model, exact = both(clouds(rng, 3000, 8), k=4, recall=1.0)
    assert "Flat" in str(model.explain())
    assert model.recall_ == 1
    for found, expected in zip(model.kneighbors(), exact.kneighbors(), strict=True):
        assert found.tobytes() == expected.tobytes()


@pytest.mark.usefixtures("builds_lists")
def test_codes_that_do_not_tell_rows_apart_are_not_used(rng, monkeypatch):
    monkeypatch.setattr(calibration, "_PROPOSED", (1,))
    X = clouds(rng, 4000, 40)
    model, exact = both(X, k=3, recall=0.99)
    assert "IVF" in str(model.explain())
    assert "PQ" not in str(model.explain())
    assert recall(model, exact.kneighbors(X[:300], 3)[0], X[:300], 3) >= 0.96


def test_a_recall_that_an_index_cannot_reach_is_told(rng):
    X = rng.normal(size=(3000, 64))
    with pytest.warns(UserWarning, match=r"recall=0.999 was not reached: 0\.\d+ of held-out rows' neighbours"):
        model = KNN(3, backend="faiss", index="LSH", recall=0.999).fit(X, np.zeros(3000))
    assert model.recall_ < 0.999


@pytest.mark.parametrize("copies", [50, 3000])
def test_ties_are_not_taken_for_losses(copies, rng):
    X = np.repeat(rng.integers(0, 9, (3000 // copies, 4)), copies, axis=0)
    model, exact = both(X, k=5, index="IVF8,Flat", recall=0.95)
    assert model.recall_ >= 0.95
    assert recall(model, exact.kneighbors(X[::7], 5)[0], X[::7], 5) >= 0.95


# --- what is found is answered as by exact search ---------------------------------------------------------------------


INDEXES = [
    "Flat",
    "HNSW16",
    "SQ8",
    *(f"IVF16,{rest}" for rest in ("Flat", "PQ4x4fs", "PQ8np", "PQ4np,RFlat")),
    "PCA8,IVF9,Flat",
]


@each_metric
@pytest.mark.parametrize("index", INDEXES)
def test_any_index(metric, index, rng):
    X = clouds(rng, 2500, 16, metric)
    X, Q = X[:2000], X[2000:]
    model, exact = both(X, k=5, metric=metric, index=index, n_threads=1)
    assert str(model.explain()).splitlines()[2].startswith(index)
    assert recall(model, exact.kneighbors(Q)[0], Q, 5) >= model.recall_ - 0.05
    assert model.recall_ > 0.9
    distances, indices = model.kneighbors(Q[:20])
    table = reference.METRICS[metric](Q[:20], X)
    np.testing.assert_allclose(distances, np.take_along_axis(table, indices, axis=1), rtol=1e-13, atol=1e-15)
    order = np.lexsort((indices, reference.ascending(metric, distances)), axis=1)
    assert (order == np.arange(5)).all()
    assert (model.predict(Q) == exact.predict(Q)).mean() > 0.9


@each_metric
@each_dtype
def test_a_flat_index_answers_to_the_bit(metric, dtype, rng):
    X = rng.integers(0, 200, (900, 6)).astype(dtype)
    X[:3] = 0
    if dtype == "float64" and metric != "cosine":
        X = X + 1e5  # float32 alone would lose the differences
    model, exact = both(X, k=3, metric=metric, index="Flat")
    for Q in (X[:50], None):
        for found, expected in zip(model.kneighbors(Q), exact.kneighbors(Q), strict=True):
            assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1e-30, 1e30, 1e300])
def test_values_that_float32_does_not_hold(scale, rng):
    X = rng.normal(size=(500, 5)) * scale
    model, exact = both(X, k=3, index="Flat")
    assert model.kneighbors(X[:40])[1].tolist() == exact.kneighbors(X[:40])[1].tolist()


def test_no_missing_row_gets_a_vote(rng):
    """Lists that hold fewer rows than are asked for give -1."""
    X = np.concatenate([np.full((995, 2), 0.0), np.full((5, 2), 1e3)]) + rng.normal(size=(1000, 2))
    y = np.repeat([0, 1], [995, 5])
    model, exact = both(X, y, k=20, index="IVF2,Flat", recall=0.5)
    Q = np.full((3, 2), 1e3)
    distances, indices = model.kneighbors(Q)
    assert (indices >= 0).all()
    assert np.isfinite(distances).all()
    assert model.predict_proba(Q).tolist() == exact.predict_proba(Q).tolist()
    assert model.explain(Q).given_up == 3


def test_few_rows_that_become_more(rng):
    X = rng.normal(size=(600, 3))
    model = KNN(1, backend="faiss").fit(X[:250], np.zeros(250))
    for start, end in ((250, 253), (253, 270), (270, 600)):
        model.partial_fit(X[start:end], np.zeros(end - start))
        assert 0.9 <= model.recall_ <= 1
        assert (model.kneighbors(X[:end], 1)[1].ravel() == np.arange(end)).mean() > 0.9


@pytest.mark.parametrize("n", [1, 2, 7, 255, 256, 257])
def test_few_rows(n, rng):
    X = rng.normal(size=(n, 3))
    model, exact = both(X, k=1, recall=0.9)
    for k in {1, min(n, 4), n}:
        assert model.kneighbors(X, k)[1].tolist() == exact.kneighbors(X, k)[1].tolist()
    assert model.kneighbors(X[:0])[1].shape == (0, 1)
    assert 0.9 <= model.recall_ <= 1


def test_layouts_and_threads(rng):
    X = clouds(rng, 1500, 8)
    y = np.arange(1500) % 2
    model = KNN(5, backend="faiss", index="IVF8,Flat", n_threads=1).fit(X, y)
    want = model.kneighbors(X[:300])[1]
    for Q in (np.asfortranarray(X[:300]), X[299::-1][::-1], X[:300].astype(float)):
        assert model.kneighbors(Q)[1].tolist() == want.tolist()
    before = faiss.omp_get_max_threads()
    model.n_threads = 3
    assert model.kneighbors(X[:300])[1].tolist() == want.tolist()
    assert faiss.omp_get_max_threads() == before


# --- rows that come later, copies, processes --------------------------------------------------------------------------


@pytest.mark.parametrize("index", ["Flat", "IVF8,Flat", "HNSW16"])
def test_rows_that_come_later(index, rng):
    X = clouds(rng, 3000, 8)
    rng.shuffle(X)
    model, exact = both(X[:1000], np.zeros(1000), k=4, index=index, recall=0.9)
    for start, end in ((1000, 1010), (1010, 1200), (1200, 1900), (1900, 3000)):
        held = model._memory.backend
        for one in (model, exact):
            one.partial_fit(X[start:end], np.full(end - start, start))
        assert held.n_rows == start
        assert recall(model, exact.kneighbors(X[::9])[0], X[::9], 4) >= 0.87
        assert (model.kneighbors(X[start:end], 1)[0] == 0).mean() > 0.9  # new rows are found
    assert model.n_samples_fit_ == 3000


def test_rows_from_elsewhere_are_found(rng):
    X, more = clouds(rng, 2000, 8), clouds(rng, 1500, 8) + 50
    model, exact = both(X, k=5, index="IVF16,PQ4x4fs", recall=0.9)
    for one in (model, exact):
        one.partial_fit(more, np.zeros(1500))
    assert model.recall_ >= 0.9
    assert recall(model, exact.kneighbors(more[::5])[0], more[::5], 5) >= 0.87


def test_kinds_of_which_faiss_makes_no_copy(rng):
    X = clouds(rng, 1000, 8)
    model = KNN(3, backend="faiss", index="L2norm,Flat", recall=0.5).fit(X[:600], np.zeros(600))
    model.partial_fit(X[600:], np.zeros(400))
    assert model.kneighbors(X)[1].max() >= 600


def test_rows_that_float32_does_not_tell_apart(rng):
    X = rng.normal(size=(2000, 4)) + np.repeat([0, 1e9], 1000)[:, None]
    model, exact = both(X, k=5, recall=0.9)
    assert model.recall_ == 1
    assert model.kneighbors()[1].tolist() == exact.kneighbors()[1].tolist()


def test_an_index_is_pickled_with_its_model(rng):
    X = clouds(rng, 1000, 8)
    model = KNN(4, backend="faiss", index="IVF8,PQ4x4fs").fit(X, np.zeros(1000))
    again = pickle.loads(pickle.dumps(model))
    assert again.kneighbors(X[:50])[1].tolist() == model.kneighbors(X[:50])[1].tolist()
    assert again.recall_ == model.recall_


def forked():
    X = clouds(np.random.default_rng(0), 3000, 8)
    model = KNN(4, backend="faiss", index="IVF16,Flat", n_threads=2).fit(X, np.zeros(3000))
    want = model.kneighbors(X)[1].tolist()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return all(found.tolist() == want for found in pool.map(neighbors_of, [(model, X)] * 2))


def neighbors_of(arguments):
    model, X = arguments
    return model.kneighbors(X)[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_forked_process_searches(tmp_path):
    assert result(forked)


@pytest.mark.parametrize("kind", ["Flat", "IVF8,Flat", "PCA2,Flat", "Flat,RFlat"])
def test_a_search_that_was_given_up_keeps_its_index(monkeypatch, rng, kind):
    """As after Ctrl-C in a fork: the thread that searches goes on, and the model may be gone."""
    X = clouds(rng, 500, 4)
    index = faiss.index_factory(4, kind)
    index.train(X)
    index.add(X)
    held, goes_on = weakref.ref(index), []
    monkeypatch.setattr(faiss_api, "run", lambda call, _: goes_on.append(call) or call())
    proposed = faiss_api.search(index, X[:5], 3, 8, 1)
    del index
    assert held() is not None
    np.testing.assert_array_equal(goes_on.pop()(), proposed)
    assert held() is None


def test_a_new_index_is_made_with_the_threads_of_now(monkeypatch, rng):
    X = clouds(rng, 500, 4)
    model = KNN(3, backend="faiss", n_threads=2).fit(X[:200], np.zeros(200))
    asked = []
    monkeypatch.setattr(faiss_api, "run", lambda call, n_threads: asked.append(n_threads) or call())
    model.set_params(n_threads=1).partial_fit(X[200:], np.zeros(300))
    assert asked
    assert set(asked) == {1}


def test_faiss_has_nothing_to_complain_of(capfd, rng):
    KNN(3, backend="faiss").fit(clouds(rng, 8200, 8), np.zeros(8200))
    assert capfd.readouterr().err == ""


def test_progress(capsys, rng):
    X = clouds(rng, 1000, 4)
    KNN(3, backend="faiss", index="IVF8,Flat").fit(X, np.zeros(1000))
    assert capsys.readouterr().err == ""
    KNN(3, backend="faiss", index="IVF8,Flat", verbose=1).fit(X, np.zeros(1000))
    assert "building IVF8,Flat" in capsys.readouterr().err


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "words"), [("Flt", "could not parse"), ("", "parse"), ("IVF16,PQ7", "multiple"), ("IDMap,Flat", "add")]
)
def test_indexes_that_faiss_does_not_take(state, index, words, rng):
    model = KNN(1).fit([[0.0], [1.0]], [0, 1])
    before = state(model)
    model.set_params(backend="faiss", index=index)
    with pytest.raises(ValueError, match=rf"^index='{index}' .*FAISS says.*") as error:
        model.fit(clouds(rng, 500, 16), np.zeros(500))
    assert words in str(error.value)
    model.set_params(backend="auto", index=None)
    assert state(model) == before


def test_too_few_rows_to_learn_from(rng):
    with pytest.raises(ValueError, match=r"index='IVF16,PQ8' .*FAISS says"):
        KNN(1, backend="faiss", index="IVF16,PQ8").fit(rng.normal(size=(100, 16)), np.zeros(100))


@pytest.fixture
def fresh_import():
    faiss_api.imported.cache_clear()
    yield
    faiss_api.imported.cache_clear()


@pytest.mark.usefixtures("fresh_import")
def test_faiss_that_is_not_there(monkeypatch, rng):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"backend='faiss' needs FAISS.*pip install fastclf\[faiss\]"):
        KNN(backend="faiss").fit(rng.normal(size=(20, 2)), np.zeros(20))


@pytest.mark.usefixtures("fresh_import")
@pytest.mark.parametrize("version", ["1.14.2", "1.9.0", "1.11.0.post1"])
def test_versions_of_faiss_that_crash(version, monkeypatch, rng):
    monkeypatch.setattr(faiss_api.metadata, "version", lambda _: version)
    with pytest.raises(ImportError, match=rf"faiss-cpu {version} is known to crash.*pip install fastclf\[faiss\]"):
        KNN(backend="faiss").fit(rng.normal(size=(20, 2)), np.zeros(20))


# --- calibration ------------------------------------------------------------------------------------------------------


def test_the_cheapest_setting_that_reaches_the_recall():
    truth = np.tile(np.arange(1.0, 6.0), (50, 1))
    near = {1: 1, 2: 3, 4: 5, 8: 5}  # how many of five neighbours an effort proposes, first

    def search(effort):
        proposed = np.full((50, 40), np.inf)
        proposed[:, : near[effort]] = truth[:, : near[effort]]
        return proposed

    costs = calibration.Costs(effort=10, proposed=1)
    for recall, effort in ((0.15, 1), (0.5, 2), (0.9, 4)):
        found = calibration.calibrate(search, [1, 2, 4, 8], costs, truth, [5], recall).settings[5]
        assert (found.effort, round(found.recall, 9)) == (effort, near[effort] / 5)
    unreached = calibration.calibrate(lambda effort: search(min(effort, 2)), [1, 2, 4], costs, truth, [5], 0.9)
    assert unreached.settings[5].recall == pytest.approx(0.6)


def test_settings_between_and_beyond_those_known():
    known = calibration.Calibration({1: calibration.Setting(2, 6, 0.9), 10: calibration.Setting(4, 30, 0.95)})
    assert known.setting(1, 99) == (2, 6, 0.9)
    assert known.setting(7, 99) == (4, 30, 0.95)
    assert known.setting(30, 99) == (12, 90, 0.95)
    assert known.setting(30, 10) == (10, 90, 0.95)


def test_auto_with_a_recall(monkeypatch, rng):
    monkeypatch.setattr(registry, "_FAISS_FROM_ROWS", 500)
    X = clouds(rng, 600, 20)
    assert KNN(3, recall=0.9).fit(X, np.zeros(600)).explain().title == "approximate search"
    assert KNN(3).fit(X, np.zeros(600)).explain().title == "exact search"
