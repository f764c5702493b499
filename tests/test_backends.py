"""Other backends answer as the exact one does: the k-d tree to the bit; "auto" picks among them."""

from __future__ import annotations

import pickle
import sys
import threading

import numpy as np
import pytest
import reference
from children import result
from names import each_dtype, each_metric
from sklearn.utils.estimator_checks import estimator_checks_generator

from fastclf import KNN
from fastclf.backends import indexed, kdtree, registry

OTHERS = [name for name, entry in registry.BACKENDS.items() if name != "exact" and not entry.takes_recall]


@pytest.fixture
def asks_always(monkeypatch):
    """Ask the index also where comparing all rows would be as good."""
    monkeypatch.setattr(kdtree, "_WORTH", 0)


def same(model, other, Q, k):
    for found, expected in zip(model.kneighbors(Q, k), other.kneighbors(Q, k), strict=True):
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected.tobytes()


def pair(metric, X, y=None, backend="kdtree", **options):
    y = np.arange(len(X)) % 3 if y is None else y
    return [KNN(3, metric=metric, backend=name, **options).fit(X, y) for name in (backend, "exact")]


def rows_of(name, rng, dtype, d, n=300):
    """Data that try a tree: ties of all kinds, zeros, one place for most rows, far from 0, on a line."""
    if name == "random" and dtype != "uint8":
        X = rng.normal(size=(n, d))
    elif name in ("random", "grid"):
        X = rng.integers(0, 256 if name == "random" else 4, (n, d))
    elif name == "one place":
        X = np.where(rng.random((n, 1)) < 0.8, 7, rng.integers(0, 9, (n, d)))
    elif name == "far":
        X = 200 + rng.integers(0, 3, (n, d)) if dtype == "uint8" else 1e4 + rng.normal(size=(n, d))
    else:
        X = np.outer(rng.integers(0, 40, n), np.arange(1, d + 1))
    return X.astype(dtype)


NAMES = ("random", "grid", "one place", "far", "line")


@each_metric
@each_dtype
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.usefixtures("asks_always")
def test_an_exact_backend_answers_to_the_bit(metric, dtype, name, backend, rng):
    d = 1 if name == "grid" else 3
    X, Q = rows_of(name, rng, dtype, d), rows_of(name, rng, dtype, d, 40)
    Q[:2] = 0
    other, exact = pair(metric, X, backend=backend)
    for k in (1, 4, 299):
        same(other, exact, Q, k)
        same(other, exact, None, k)
    assert other.predict(Q).tolist() == exact.predict(Q).tolist()
    assert other.predict_proba(Q).tobytes() == exact.predict_proba(Q).tobytes()


@pytest.mark.usefixtures("asks_always")
def test_a_tree_is_asked_and_settles_most_queries(rng):
    X, Q = rng.random((5000, 2)), rng.random((400, 2))
    report = KNN(backend="kdtree").fit(X, np.zeros(5000)).explain(Q)
    assert report.given_up == 0
    assert 6 <= report.steps[1].rows < 10
    ties = KNN(backend="kdtree").fit(X.round(1), np.zeros(5000)).explain(Q.round(1))  # 41 rows at each of 121 places
    assert ties.given_up == 0
    one_place = KNN(backend="kdtree").fit(np.zeros((5000, 2)), np.zeros(5000)).explain(Q)
    assert one_place.given_up == 400
    assert "compared with all rows in full instead" in str(one_place)


@each_metric
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.usefixtures("asks_always")
def test_values_whose_squares_leave_the_range(metric, scale, rng):
    X, Q = rng.normal(size=(300, 3)) * scale, rng.normal(size=(20, 3)) * scale
    tree, exact = pair(metric, X)
    same(tree, exact, Q, 4)
    found = tree.kneighbors(Q[:3], 4)[1]
    assert found.tolist() == reference.exact_knn(metric, Q[:3], X, 4)[1].tolist()


@each_metric
@pytest.mark.usefixtures("asks_always")
def test_rows_that_come_later(metric, rng):
    X = rng.integers(0, 50, (1000, 3)).astype("float32")
    Q = rng.integers(0, 50, (50, 3)).astype("float32")
    tree, exact = (KNN(3, metric=metric, backend=name).fit(X[:400], np.zeros(400)) for name in ("kdtree", "exact"))
    for start, end in ((400, 405), (405, 412), (412, 413), (413, 800), (800, 1000)):
        more = X[start:end] + (0.5 if start == 800 else 0)  # no longer bytes
        for model in (tree, exact):
            model.partial_fit(more, np.full(end - start, start))
        same(tree, exact, Q, 7)
        same(tree, exact, None, 7)
    assert tree.n_samples_fit_ == 1000


def test_a_model_keeps_its_rows_while_another_grows(rng):
    X, Q = rng.random((500, 2)), rng.random((20, 2))
    model = KNN(3, backend="kdtree").fit(X, np.zeros(500))
    before = model._memory.backend
    answer = before.query(Q, 3, 1)
    model.partial_fit(X + 0.001, np.zeros(500))
    assert before.query(Q, 3, 1)[1].tolist() == answer[1].tolist()
    assert before.n_rows == 500


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2], lambda X: X[::-1]])
@pytest.mark.usefixtures("asks_always")
def test_layouts_threads_and_batches(layout, rng, monkeypatch):
    X, Q = layout(rng.random((600, 3))), layout(rng.random((700, 3)))
    tree, exact = pair("l2", X)
    want = exact.kneighbors(Q)
    same(tree, exact, Q, 3)
    alone = np.vstack([tree.kneighbors(Q[i : i + 1])[1] for i in range(0, 700, 50)])
    assert alone.tolist() == want[1][::50].tolist()
    monkeypatch.setattr(indexed, "_FIRST_QUERIES", 1)
    same(KNN(3, backend="kdtree", n_threads=3).fit(X, np.zeros(600)), exact, Q, 3)
    assert tree.kneighbors(Q[:0])[1].shape == (0, 3)


def test_a_pickled_tree(rng):
    X, Q = rng.random((600, 3)), rng.random((20, 3))
    tree, exact = pair("l1", X)
    same(pickle.loads(pickle.dumps(tree)), exact, Q, 4)


@pytest.mark.parametrize(("estimator", "check"), list(estimator_checks_generator(KNN(backend="kdtree"))))
@pytest.mark.filterwarnings("ignore")
def test_check_estimator(estimator, check):
    check(estimator)


# --- which one --------------------------------------------------------------------------------------------------------


def chosen(n, d, metric="l2", recall=None, is_bytes=False):
    return registry.suitable(metric, (n, d), is_bytes, recall)


def test_auto_takes_a_tree_for_many_rows_of_few_features():
    for d, least in registry._TREE_FROM_ROWS.items():
        assert chosen(least, d) == "kdtree"
        assert chosen(least - 1, d) == chosen(least, d, "cosine") == chosen(least, d, "l1") == "exact"
        assert chosen(least, d, is_bytes=True) == "exact"
    assert chosen(10**7, max(registry._TREE_FROM_ROWS) + 1) == "exact"


def test_auto_takes_faiss_only_where_a_recall_is_asked_for():
    least = registry._FAISS_FROM_ROWS
    assert chosen(least, 100) == chosen(least - 1, 100, recall=0.9) == "exact"
    assert chosen(least, 100, recall=0.9) == "faiss"
    assert chosen(least, 100, recall=1.0) == "exact"


def test_auto_does_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert chosen(registry._FAISS_FROM_ROWS, 100, recall=0.9) == "exact"


def deep():
    """Fit and ask a tree of rows on all scales, in a thread with little room for recursion."""
    X = np.zeros((4000, 4))
    for j in range(4):
        X[1000 * j : 1000 * (j + 1), j] = 2.0 ** np.arange(-500, 500)
    found = []
    threading.stack_size(256 << 10)
    thread = threading.Thread(
        target=lambda: found.append(KNN(3, backend="kdtree").fit(X, np.zeros(4000)).kneighbors(X[::7])[1].shape)
    )
    thread.start()
    thread.join()
    return found


def test_a_tree_of_rows_on_all_scales_is_not_deep():
    assert result(deep) == [[572, 3]]


def test_auto_answers_as_the_others_do(rng):
    X, Q = rng.random((5000, 2)), rng.random((50, 2))
    auto = KNN(3).fit(X, np.zeros(5000))
    assert auto.explain().title == "exact search by a k-d tree"
    assert "k-d tree" in str(auto.explain())
    assert auto.recall_ == 1.0
    same(auto, KNN(3, backend="exact").fit(X, np.zeros(5000)), Q, 3)
