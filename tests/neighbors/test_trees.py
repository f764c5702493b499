"""Searches by a tree answer as plain ones do, to the bit, whatever the data."""

from __future__ import annotations

import itertools
import pickle
import threading

import numpy as np
import pytest
import reference
from children import result
from names import TRAITS, TREE_METRICS, each_float, each_tree_metric

import fastclf
from fastclf import KNN, _native
from fastclf.neighbors.backends import trees

always = pytest.mark.usefixtures("searches_by_tree")


def fitted(X, metric="l2", **options):
    model = KNN(3, metric=metric, **options).fit(X, np.arange(len(X)) % 3)
    assert model._memory.backend._tree is not None or (X[0] == X).all()
    return model


def plainly(model, Q, k):
    rows = None if Q is None else np.ascontiguousarray(Q)
    return model._memory.backend._rows.search_plainly(rows, k, 1)


def same(model, Q, k):
    for found, expected in zip(model.kneighbors(Q, k), plainly(model, Q, k), strict=True):
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected.tobytes()


def normal(rng, n, d):
    return rng.normal(size=(n, d))


def grid(rng, n, d):
    return rng.integers(0, 4, (n, d)).astype(float)


def one_place(rng, n, d):
    return np.where(rng.random((n, 1)) < 0.8, 7.0, rng.integers(0, 9, (n, d)))


def zeros(rng, n, d):
    return np.where(rng.random((n, 1)) < 0.3, 0.0, rng.normal(size=(n, d)))


def far_from_zero(rng, n, d):
    return 1e4 + rng.normal(size=(n, d))


def far_groups(rng, n, d):
    return 1e7 * rng.normal(size=(8, d))[rng.integers(0, 8, n)] + rng.normal(size=(n, d))


def line(rng, n, d):
    return np.outer(rng.integers(0, 40, n), np.arange(1.0, d + 1))


def all_scales(rng, n, d):
    return rng.normal(size=(n, d)) * 10.0 ** rng.integers(-18, 18, (n, 1))


def tiny(rng, n, d):
    return 1e-200 * rng.normal(size=(n, d))


def huge(rng, n, d):
    return 1e200 * rng.normal(size=(n, d))


ROWS = (normal, grid, one_place, zeros, far_from_zero, far_groups, line, all_scales)


@each_tree_metric
@each_float
@pytest.mark.parametrize("rows", ROWS)
@always
def test_equal_bytes(isa, metric, dtype, rows, rng):
    for n, d, k in ((65, 1, 64), (130, 9, 20), (1100, 3, 4)):
        X = rows(rng, n, d).astype(dtype)
        Q = np.vstack([X[:5], rows(rng, 10, d), np.zeros((1, d)), 1e6 * normal(rng, 2, d)])
        model = fitted(X, metric, n_threads=1)
        same(model, Q, 1)
        same(model, Q, k)
    same(model, None, 2)


@each_tree_metric
@pytest.mark.parametrize("rows", ROWS)
@always
def test_neighbours_are_those_of_the_reference(metric, rows, rng):
    X = rows(rng, 200, 3)
    Q = np.vstack([X[:3], rows(rng, 3, 3)])
    model = fitted(X, metric)
    distances, indices = model.kneighbors(Q, 6)
    expected = reference.exact_knn(metric, Q, X, 6)
    assert indices.tolist() == expected[1].tolist()
    np.testing.assert_array_equal(distances, expected[0])
    own = reference.exact_knn(metric, X[:200], X, 3, skip_self=True)[1]
    assert model.kneighbors(return_distance=False).tolist() == own.tolist()


@each_tree_metric
@pytest.mark.parametrize("rows", [tiny, huge])
@always
def test_values_whose_squares_leave_the_range(metric, rows, rng):
    X = rows(rng, 300, 3)
    model = fitted(X, metric)
    for Q in (rows(rng, 20, 3), normal(rng, 3, 3), 1e90 * X[:3], np.zeros((1, 3))):
        same(model, Q, 4)


@each_tree_metric
@pytest.mark.parametrize("value", [0.0, 1e-320, 1e300])
def test_values_that_make_no_tree(metric, value):
    X = np.full((100, 2), value)
    if not TRAITS[metric].at_unit_length:
        assert trees.grown(metric, X, 1) is None
    assert fastclf.knn(X[:2], X, 3, metric=metric)[1].tolist() == [[0, 1, 2]] * 2


@each_tree_metric
@always
def test_bytes(isa, metric, rng):
    X, Q = rng.integers(0, 256, (700, 5), dtype=np.uint8), rng.integers(0, 256, (30, 5), dtype=np.uint8)
    model = fitted(X // 32, metric)
    same(model, Q // 32, 9)
    same(model, None, 9)
    same(model, Q / 7, 9)  # floats, against rows of bytes


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 1024, 1025, 16 * 1024 + 1])
@always
def test_every_row_is_in_one_leaf_and_within_its_boxes(n, rng):
    X = normal(rng, n, 3) + np.arange(n)[:, None]
    tree = trees.grown("l2", X, 2)
    assert np.sort(tree.row).tolist() == list(range(n))
    points = (X - (0 if tree.centre is None else tree.centre.astype(float))) * tree.scale
    n_leaves = -(-n // 64)
    boxes = tree.boxes.reshape(-1, 3, 2, 16).astype(float)
    for leaf in range(n_leaves):
        low, high = boxes[leaf // 16, :, 0, leaf % 16], boxes[leaf // 16, :, 1, leaf % 16]
        rows = points[tree.row[64 * leaf : 64 * leaf + 64]]
        assert ((low <= rows) & (rows <= high)).all()
        around = boxes[-(-n_leaves // 16) + leaf // 256, :, :, leaf // 16 % 16] if n_leaves > 16 else None
        if around is not None:
            assert ((around[:, 0] <= low) & (high <= around[:, 1])).all()


def test_few_leaves_are_looked_into(rng):
    X = rng.random((20_000, 2))
    model = fitted(X)
    report = model.explain(rng.random((400, 2)), 5)
    assert report.given_up == 0
    assert 64 <= report.steps[0].rows < 64 * 4
    assert 5 <= report.steps[1].rows < 7
    assert "near rows" in str(report)
    expected = model.explain()
    assert np.isnan(expected.steps[1].rows)
    assert 64 <= expected.steps[0].rows < 64 * 8


def test_rows_that_few_numbers_tell(rng):
    hidden = rng.normal(size=(20_000, 3))
    X = np.tanh(hidden @ rng.normal(size=(3, 32))) + 0.01 * rng.normal(size=(20_000, 32))
    model = fitted(X[:19_000])
    assert model.explain(X[19_000:]).steps[0].rows < 19_000 / 10
    same(model, X[19_500:], 10)


def test_rows_that_no_tree_suits_have_none(rng):
    for X in (rng.normal(size=(5000, 64)), rng.normal(size=(500, 2)), rng.integers(0, 256, (5000, 64))):
        assert KNN().fit(X, np.zeros(len(X)))._memory.backend._tree is None


@always
def test_queries_unlike_the_rows_are_given_up(rng):
    X = np.vstack([rng.normal(size=(30_000, 8)), 1e-3 * rng.normal(size=(10, 8))]).astype("float32")
    Q = 30 * normal(rng, 200, 8).astype("float32")
    model = fitted(X)
    report = model.explain(Q, 200)
    assert report.given_up > 0
    same(model, Q[:20], 200)
    same(model, Q, 200)


@each_tree_metric
@always
def test_rows_that_come_later(metric, rng):
    X = rng.integers(0, 50, (1000, 3)).astype("float32")
    Q = rng.integers(0, 50, (50, 3)).astype("float32")
    model = fitted(X[:400], metric)
    for start, end in ((400, 405), (405, 412), (412, 413), (413, 800), (800, 1000)):
        more = X[start:end] + (0.5 if start == 800 else 0)  # no longer bytes
        model.partial_fit(more, np.full(end - start, start))
        same(model, Q, 7)
        same(model, None, 7)
    assert model.n_samples_fit_ == 1000


@always
def test_a_model_keeps_its_rows_while_another_grows(rng):
    X, Q = rng.random((500, 2)), rng.random((20, 2))
    model = fitted(X)
    before = model._memory.backend
    answer = before.query(Q, 3, 1)
    model.partial_fit(X + 0.001, np.zeros(500))
    assert before.query(Q, 3, 1)[1].tolist() == answer[1].tolist()
    assert before.n_rows == 500


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2], lambda X: X[::-1]])
@always
def test_layouts_threads_and_batches(layout, rng):
    X, Q = layout(rng.random((600, 3))), layout(rng.random((700, 3)))
    model = fitted(X)
    same(model, Q, 3)
    want = model.kneighbors(Q)[1]
    alone = np.vstack([model.kneighbors(Q[i : i + 1])[1] for i in range(0, 700, 50)])
    assert alone.tolist() == want[::50].tolist()
    same(fitted(X, n_threads=3), Q, 3)
    assert model.kneighbors(Q[:0])[1].shape == (0, 3)


@always
def test_a_pickled_tree(rng):
    X, Q = rng.random((600, 3)), rng.random((20, 3))
    for metric, protocol in itertools.product(TREE_METRICS, (0, pickle.HIGHEST_PROTOCOL)):
        model = fitted(X, metric)
        copy = pickle.loads(pickle.dumps(model, protocol))
        same(copy, Q, 4)
        assert copy.kneighbors(Q)[0].tobytes() == model.kneighbors(Q)[0].tobytes()


def test_a_tree_does_not_depend_on_threads(rng):
    X = rng.random((30_000, 3))
    once, again = (trees.grown("l2", X, n) for n in (1, 3))
    for name in ("row", "boxes", "leaves"):
        assert getattr(once, name).tobytes() == getattr(again, name).tobytes()


def test_kernels_refuse_what_does_not_go_together(rng):
    X = rng.random((100, 3))
    tree = trees.grown("l2", X, 1)
    found = np.empty((4, 2)), np.empty((4, 2), dtype=np.int64)
    flags = np.zeros(4, dtype=np.uint8)

    def search(rows, k=2, metric="l2"):
        room = found if k == 2 else (np.empty((4, k)), np.empty((4, k), dtype=np.int64))
        return _native.tree_knn(metric, tree, X[:4], rows, k, None, False, np.inf, 1, flags, *room)

    search(X)
    with pytest.raises(ValueError, match="do not go together"):
        search(X[:99])
    with pytest.raises(ValueError, match="do not go together"):
        search(X, k=101)
    with pytest.raises(ValueError, match="unknown metric"):
        search(X, metric="l3")
    with pytest.raises(ValueError, match="need shape"):
        _native.tree_make("l2", X, None, 1, np.empty(100, np.uint32), tree.boxes[:, :6], tree.leaves)


def deep():
    """Fit and ask a tree of rows on all scales, in a thread with little room for recursion."""
    X = np.zeros((4000, 4))
    for j in range(4):
        X[1000 * j : 1000 * (j + 1), j] = 2.0 ** np.arange(-500, 500)
    found = []
    threading.stack_size(256 << 10)
    thread = threading.Thread(target=lambda: found.append(KNN(3).fit(X, np.zeros(4000)).kneighbors(X[::80])[1].shape))
    thread.start()
    thread.join()
    return found


def test_a_tree_of_rows_on_all_scales_is_not_deep():
    assert result(deep) == [[50, 3]]


def test_more_rows_than_a_tree_can_number(rng, monkeypatch):
    X = rng.normal(size=(1500, 2))
    model = fitted(X)
    monkeypatch.setattr(trees, "_MOST_ROWS", 1600)
    model.partial_fit(X + 0.01, np.zeros(1500))
    assert model._memory.backend._tree is None
    same(model, X[:20], 3)
    assert KNN(3).fit(np.vstack([X, X]), np.zeros(3000))._memory.backend._tree is None
