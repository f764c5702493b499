"""Rows of one or two bytes a value: kept as they are, compared as the numbers that they are, in no more memory."""

from __future__ import annotations

import pickle
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import reference
from adversarial import built
from comparing import assert_same_bytes
from names import HALF_DTYPES, METRICS, ROW_DTYPES, each_metric

import fastclf
import fastclf.sklearn
from fastclf import KNN, KNNCV, LinearClassifier, _native, shards
from fastclf.neighbors.backends import choosing, trees

NARROW_DTYPES = ("int8", *HALF_DTYPES)
each_narrow = pytest.mark.parametrize("dtype", NARROW_DTYPES)
each_half = pytest.mark.parametrize("dtype", HALF_DTYPES)

MOST_MEMORY = 1.5  # of a fitted model, by the rows as given


def drawn(dtype, n, d, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-128, 128, (n, d)) if dtype == "int8" else rng.normal(0, 3, (n, d))
    return rows.astype(dtype)


def held(model):
    return model._memory.backend.rows


def every_value(dtype):
    """But NaNs that signal, which NumPy warns of."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    infinite = {"float16": 0x7C00, "bfloat16": 0x7F80}[dtype]
    return bits[((bits & 0x7FFF) <= infinite) | (bits & 0x40 > 0) & (bits & 0x200 > 0)].view(dtype)


# --- conversions ------------------------------------------------------------------------------------------------------


@each_half
def test_every_number_of_two_bytes(isa, dtype):
    """As distances from 0, with the sign by an inner product; at every place of a vector, and past the last whole."""
    values = every_value(dtype)
    finite = values[np.isfinite(values.astype(np.float32))]
    for shift in (0, 5):
        X = np.roll(finite, shift)[:, None]
        exact = X.astype(np.float64)
        for Q in (np.ones((5, 1)), np.ones((5, 1), np.float32), np.ones((5, 1), np.uint8)):
            found = np.empty((5, len(X)))
            _native.pairwise("inner_product", Q, X, 1, found)
            np.testing.assert_array_equal(found, np.tile(exact.T, (5, 1)))
    wide = np.resize(finite, (320, 205))
    units = np.eye(205, dtype=np.float32)
    found = np.empty((205, len(wide)))
    _native.pairwise("inner_product", units, wide, 1, found)
    np.testing.assert_array_equal(found, wide.astype(np.float64).T)


@each_half
def test_which_of_them_are_finite(dtype):
    values = every_value(dtype)
    expected = np.isfinite(values.astype(np.float32))
    assert not expected.all()
    for value, finite in zip(values, expected, strict=True):
        assert _native.first_not_finite(np.array([[0, 1], [0, value]], dtype)) == (None if finite else 1)


@each_half
def test_which_of_them_are_bytes(dtype):
    values = every_value(dtype)
    values = values[np.isfinite(values.astype(np.float32))]
    fits = [_native.fits_u8(value.reshape(1, 1)) for value in values]
    np.testing.assert_array_equal(fits, np.isin(values.astype(np.float32), np.arange(256)))


# int32 sums of products hold up to 32 768 features; beyond, float32 is computed in.
@pytest.mark.parametrize("d", [32767, 32768, 32769])
@each_metric
def test_int8_at_the_ends_of_its_range(isa, metric, d):
    ends = np.array([-128, 127, -127, 0, -1], np.int8)
    X = np.vstack([np.repeat(ends, d).reshape(5, d), np.resize(ends, (2, d))])
    distances = reference.METRICS[metric](X, X)
    for nq in (2, 7):
        assert_same_bytes(fastclf.pairwise_distances(X[:nq], X, metric=metric), distances[:nq])
        assert_same_bytes(fastclf.knn(X[:nq], X, 7, metric=metric), reference.exact_knn(metric, X[:nq], X, 7))


# --- models -----------------------------------------------------------------------------------------------------------


@each_metric
@each_narrow
def test_a_model_keeps_rows_as_they_are(metric, dtype):
    X, Q = drawn(dtype, 120, 17), drawn(dtype, 20, 17, 1)
    model = KNN(4, metric=metric).fit(X[:80], np.arange(80) % 3).partial_fit(X[80:], np.arange(40) % 3)
    assert held(model).dtype == dtype
    for queries in (Q, Q.astype("float32"), Q.astype("float64"), np.abs(Q.astype("float32")).astype("uint8")):
        assert_same_bytes(model.kneighbors(queries), reference.exact_knn(metric, queries, X, 4))
    assert_same_bytes(model.kneighbors(), reference.exact_knn(metric, X, X, 4, skip_self=True))
    again = pickle.loads(pickle.dumps(model))
    assert held(again).dtype == dtype
    assert again.predict(Q).tolist() == model.predict(Q).tolist()
    model.remove(range(40))
    assert_same_bytes(model.kneighbors(Q), reference.exact_knn(metric, Q, X[40:], 4))


@each_narrow
def test_rows_that_are_not_copied(dtype):
    X = drawn(dtype, 30, 5)
    assert np.shares_memory(held(KNN(1, copy=False).fit(X, np.arange(30) % 2)), X)
    assert not np.shares_memory(held(KNN(1).fit(X, np.arange(30) % 2)), X)


@pytest.mark.parametrize("first", ROW_DTYPES)
@pytest.mark.parametrize("second", ROW_DTYPES)
def test_rows_of_another_dtype_may_come_later(first, second):
    low, high = (0, 255) if "uint8" in (first, second) else (-128, 127)
    low = 0 if first == "uint8" else low
    parts = [np.random.default_rng(i).integers(low, high + 1, (40, 3)) for i in range(2)]
    parts = [
        part.clip(*((0, 255) if t == "uint8" else (-128, 127))) for part, t in zip(parts, (first, second), strict=True)
    ]
    X = [part.astype(t) for part, t in zip(parts, (first, second), strict=True)]
    model = KNN(3).fit(X[0], np.zeros(40)).partial_fit(X[1], np.ones(40))
    every = np.vstack(parts)
    assert_same_bytes(model.kneighbors(every[::7]), reference.exact_knn("l2", every[::7], every, 3))


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ([[-1]], [[5]], "int8"),
        ([[5]], [[-1]], "int8"),  # the first are kept as uint8, until a sign comes
        ([[5]], [[6]], "uint8"),
    ],
)
def test_parts_of_int8_stay_int8(first, second, wanted):
    model = KNN(1).fit(np.array(first, np.int8), [0]).partial_fit(np.array(second, np.int8), [1])
    assert held(model).dtype == wanted
    assert held(model).tolist() == [*first, *second]


def test_bytes_with_and_without_a_sign_that_no_byte_holds_together():
    model = KNN(1).fit(np.array([[200]], np.uint8), [0]).partial_fit(np.array([[-1]], np.int8), [1])
    assert held(model).dtype == np.float16
    assert held(model).tolist() == [[200], [-1]]


def structured(dtype, n, d, directions=6):
    """Rows near a plane, so that sketches pay."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(n, directions)) @ rng.normal(size=(directions, d)) + 0.05 * rng.normal(size=(n, d))
    return (10 * rows).clip(-128, 127).astype(dtype)


def memory_of(model):
    backend = model._memory.backend
    tree = backend._tree
    beside = sum(stage.row_bytes for stage in backend._cascade.stages) + (0 if tree is None else tree.row_bytes)
    return backend._rows.row_bytes + beside


@each_narrow
@pytest.mark.parametrize("metric", ["l1", "l2", "cosine", "inner_product"])
@pytest.mark.usefixtures("searches_in_stages")
def test_sketches_of_them_are_small_and_change_nothing(metric, dtype, monkeypatch):
    for name, value in (("LEAST_TIME", 1), ("WORTHWHILE", np.inf)):
        monkeypatch.setattr(choosing, name, value)
    X = structured(dtype, 5000, 96)
    model = KNN(5, metric=metric).fit(X, np.arange(5000) % 3)
    assert model._memory.backend._cascade.stages
    assert memory_of(model) <= MOST_MEMORY * X.nbytes / len(X)
    expected = fastclf.knn(X[:40].astype("float64"), X.astype("float64"), 5, metric=metric)
    assert_same_bytes(model.kneighbors(X[:40]), expected)
    assert_same_bytes(model.kneighbors(X[:2]), (expected[0][:2], expected[1][:2]))


@each_narrow
@pytest.mark.parametrize("metric", ["l1", "l2", "cosine"])
def test_a_tree_of_them(metric, dtype):
    X = drawn(dtype, 3000, 4)
    tree = trees.grown(metric, X, 1)
    assert tree is not None
    model = KNN(5, metric=metric).fit(X, np.arange(3000) % 3)
    Q = drawn(dtype, 30, 4, 1)
    assert_same_bytes(model.kneighbors(Q), fastclf.knn(Q.astype("float64"), X.astype("float64"), 5, metric=metric))
    found, hard = tree.search(next(model._memory.backend._rows.batches(Q)), X, 5, 1)
    assert not len(hard)
    assert_same_bytes(found, model.kneighbors(Q))


# --- everything that searches -----------------------------------------------------------------------------------------


@each_narrow
def test_classes_of_scikit_learn_shards_and_cross_validation(dtype):
    X, y = drawn(dtype, 120, 6), np.arange(120) % 3
    wide = X.astype("float64")
    for metric in ("euclidean", "cosine"):
        found, expected = (
            fastclf.sklearn.NearestNeighbors(n_neighbors=4, metric=metric).fit(rows).kneighbors(rows[:9])
            for rows in (X, wide)
        )
        assert_same_bytes(found, expected)
    places = [(start, shards.index_rows(X[start : start + 40])) for start in (0, 40, 80)]
    assert {place.values.dtype for _, place in places} == {X.dtype}
    lists = [shards.nearest(place, X[:9], 5, first_row=first) for first, place in places]
    merged = shards.merge(lists, 5, X[:9], lambda numbers: X[numbers])
    assert_same_bytes((merged.distances, merged.rows), reference.exact_knn("l2", X[:9], X, 5))
    scores = [KNNCV((1, 3), cv=3).fit(rows, y).cv_scores_ for rows in (X, wide)]
    np.testing.assert_array_equal(*scores)


@each_narrow
def test_proposals_of_faiss_are_compared_exactly(dtype):
    pytest.importorskip("faiss")
    X = structured(dtype, 2000, 16)
    model = KNN(5, backend="faiss", index="Flat").fit(X, np.arange(2000) % 3)
    assert held(model).dtype == dtype
    assert_same_bytes(model.kneighbors(X[:20]), fastclf.knn(X[:20].astype("float64"), X.astype("float64"), 5))


@each_half
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(dtype, value):
    good, bad = drawn(dtype, 6, 3), drawn(dtype, 6, 3)
    bad[4, 1] = value
    y = np.arange(6) % 2
    model = KNN(1).fit(good, y)
    for call in (
        lambda: fastclf.knn(good, bad, 1),
        lambda: fastclf.pairwise_distances(good, bad),
        lambda: KNN(1).fit(bad, y),
        lambda: model.predict(bad),
        lambda: fastclf.sklearn.NearestNeighbors().fit(bad),
        lambda: shards.index_rows(bad),
    ):
        with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
            call()


@each_half
def test_shapes_that_do_not_fit_are_refused(dtype):
    model = KNN(1).fit(drawn(dtype, 6, 3), np.arange(6) % 2)
    with pytest.raises(ValueError, match="expecting 3 features"):
        model.predict(drawn(dtype, 2, 4))
    with pytest.raises(ValueError, match="Expected 2D array"):
        model.predict(drawn(dtype, 2, 3)[0])
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        KNN(1).fit(drawn(dtype, 0, 3), [])


@each_narrow
def test_linear_classifiers_take_them_in_float32(dtype):
    X, y = drawn(dtype, 60, 4), np.arange(60) % 3
    models = [LinearClassifier().fit(rows, y) for rows in (X, X.astype("float32"))]
    np.testing.assert_array_equal(models[0].coef_, models[1].coef_)
    np.testing.assert_array_equal(models[0].predict(X), models[1].predict(X))


@each_narrow
def test_threads_and_instruction_sets_do_not_matter_to_models(dtype, isa):
    X = built("all bytes" if dtype == "int8" else "normal", dtype, (500, 40))
    for metric in METRICS:
        model = KNN(3, metric=metric, n_threads=3).fit(X, np.arange(500) % 2)
        assert_same_bytes(model.kneighbors(X[:40]), reference.exact_knn(metric, X[:40], X, 3))


WITHOUT_BFLOAT16 = """
import sys
import numpy as np
from fastclf import KNN
KNN(1).fit(np.ones((3, 2), np.float16) / 3, [0, 1, 1]).predict(np.ones((1, 2)))
assert "ml_dtypes" not in sys.modules
"""


def test_nothing_imports_what_has_bfloat16():
    subprocess.run([sys.executable, "-c", WITHOUT_BFLOAT16], check=True)


def test_other_dtypes_of_ml_dtypes_are_refused():
    X = np.ones((3, 2)).astype(ml_dtypes.float8_e4m3)
    with pytest.raises(ValueError, match="X has dtype float8_e4m3; numbers are required"):
        fastclf.knn(np.ones((1, 2)), X, 1)
