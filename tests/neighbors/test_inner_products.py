"""Inner products: signed, largest first, and bounded by sketches; what asks for a distance refuses them."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import reference
import staged
from comparing import assert_same_bytes
from hypothesis import given
from hypothesis import strategies as st
from names import BYTE_DTYPES, ROW_DTYPES, each_float, each_row_dtype
from test_cascades import by_hand

import fastclf
import fastclf.sklearn
from fastclf import KNN, KNNCV, _native
from fastclf.neighbors.backends import choosing, plain
from fastclf.neighbors.backends.sketches import TERMS

METRIC = "inner_product"
LONG = np.longdouble


def hugely_long_rows(rng, shape):
    rows = rng.normal(size=shape)
    rows[::40] *= 1e6
    return rows


def negative_products(rng, shape):
    """Of these rows with the negatives of others."""
    return rng.uniform(0.1, 1, shape) * np.where(np.arange(shape[0]) % 2, 1, -1)[:, None]


def rows_of_zeros(rng, shape):
    return rng.normal(size=shape) * (rng.integers(0, 2, (shape[0], 1)))


def on_one_line(rng, shape):
    return rng.integers(-9, 10, (shape[0], 1)) * rng.integers(-3, 4, shape[1])


def at_right_angles(rng, shape):
    """Few values that are not 0, so that most products are."""
    return rng.normal(size=shape) * (rng.random(shape) < 1.5 / shape[1])


def ties(rng, shape):
    return rng.integers(-1, 2, shape)


def cancelling(rng, shape):
    """Large values whose products cancel, and small ones that decide."""
    rows = rng.integers(-3, 4, shape) * 2.0**-20
    rows[:, 0] = 2.0 ** rng.integers(20, 40, shape[0])
    rows[:, 1] = rows[:, 0] * np.where(np.arange(shape[0]) % 2, 1, -1)
    return rows


def far_from_zero(rng, shape):
    return 1000 + rng.normal(size=shape)


DATA = (
    hugely_long_rows,
    negative_products,
    rows_of_zeros,
    on_one_line,
    at_right_angles,
    ties,
    cancelling,
    far_from_zero,
)
each_data = pytest.mark.parametrize("build", DATA, ids=lambda build: build.__name__)


def data(build, dtype, n=200, d=18):
    rows = np.asarray(build(np.random.default_rng(3), (n + 30, d))).astype(dtype)
    return rows[:30].copy(), rows[20:].copy()


@each_data
@each_float
def test_hard_data(isa, build, dtype):
    Q, X = data(build, dtype)
    assert fastclf.pairwise_distances(Q, X, metric=METRIC).tobytes() == reference.inner_product(Q, X).tobytes()
    for nq, k in itertools.product((1, 3, 30), (1, 7, len(X))):
        assert_same_bytes(fastclf.knn(Q[:nq], X, k, metric=METRIC), reference.exact_knn(METRIC, Q[:nq], X, k))
    own = reference.exact_knn(METRIC, X[:60], X[:60], 5, skip_self=True)
    assert_same_bytes(plain.search(METRIC, X[:60], X[:60], 5, 1, middle=None, own=np.arange(60)), own)
    assert_same_bytes(KNN(5, metric=METRIC).fit(X[:60], np.zeros(60)).kneighbors(), own)


@each_data
@each_float
@pytest.mark.usefixtures("searches_in_stages")
def test_stages_of_hard_data(isa, build, dtype):
    Q, X = data(build, dtype)
    for chain in staged.chains(METRIC):
        cascade = staged.cascade(METRIC, X, chain)
        for nq, k in itertools.product((1, 30), (1, 7, len(X))):
            assert_same_bytes(cascade.search(Q[:nq], X, k, 1), reference.exact_knn(METRIC, Q[:nq], X, k))


rows_near_ties = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, -1.0, 0.1, -0.3, 1e16, -1e16, 1e200, -1e-200]), min_size=4, max_size=4),
    min_size=1,
    max_size=12,
).map(np.array)


@given(Q=rows_near_ties, X=rows_near_ties)
def test_products_that_cancel_overflow_or_vanish(Q, X):
    assert fastclf.pairwise_distances(Q, X, metric=METRIC).tobytes() == reference.inner_product(Q, X).tobytes()
    found = fastclf.knn(Q, X, len(X), metric=METRIC)
    assert_same_bytes(found, reference.exact_knn(METRIC, Q, X, len(X)))


def test_order_beyond_the_range():
    """Infinite products are in the order of the exact ones, and sums that cancel are exact."""
    X = np.array([[1e200, -1e200, 1], [1e200, 1e200, 0], [2e200, 1e200, 0], [-1e200, -1e200, 0], [-2e200, -1e200, 0]])
    Q = np.array([[1e200, 1e200, 1]])
    distances, indices = fastclf.knn(Q, X, 5, metric=METRIC)
    assert indices.tolist() == [[2, 1, 0, 3, 4]]
    assert distances.tolist() == [[np.inf, np.inf, 1, -np.inf, -np.inf]]


# Where the exact sum lies in the middle between two float64, its last bit decides.
@pytest.mark.parametrize("tail", [0, 1, -1])
def test_sums_in_the_middle_are_rounded_once(isa, tail):
    Q = np.array([[1.0, 2.0**-53, 2.0**-80]] * 5)
    X = np.array([[1, 1, tail], [3, 2, tail], [-1, -1, tail], [1 + 2.0**-52, 1, tail]], float)
    exact = [float(sum(Fraction(a) * Fraction(b) for a, b in zip(Q[0], x, strict=True))) for x in X]
    assert fastclf.pairwise_distances(Q, X, metric=METRIC).tolist() == [exact] * 5
    assert fastclf.pairwise_distances(Q[:1], X, metric=METRIC).tolist() == [exact]


# --- every way to search ----------------------------------------------------------------------------------------------


@each_row_dtype
def test_models(dtype, rng):
    X = rng.integers(0, 50, (90, 7)).astype(dtype) if dtype in BYTE_DTYPES else rng.normal(size=(90, 7)).astype(dtype)
    y = np.arange(90) % 3
    model = KNN(4, metric=METRIC).fit(X[:60], y[:60]).partial_fit(X[60:], y[60:])
    expected = reference.exact_knn(METRIC, X[:9], X, 4)
    assert_same_bytes(model.kneighbors(X[:9]), expected)
    graph = model.kneighbors_graph(X[:9], mode="distance")
    assert graph.data.tobytes() == expected[0].tobytes()
    assert graph.indices.tolist() == expected[1].ravel().tolist()
    mask = np.arange(90) % 2 == 1
    distances, indices = reference.exact_knn(METRIC, X[:9], X[mask], 4)
    assert_same_bytes(model.kneighbors(X[:9], among=mask), (distances, np.flatnonzero(mask)[indices]))
    others = [[i for i in row if mask[i] and i != own] for own, row in enumerate(reference.exact_order(METRIC, X, X))]
    assert model.kneighbors(among=mask, return_distance=False).tolist() == [row[:4] for row in others]
    model.remove(np.flatnonzero(~mask))
    assert_same_bytes(model.kneighbors(X[:9]), (distances, indices))
    assert METRIC in str(model.explain(X[:9]))


def test_rows_on_disk(tmp_path, rng):
    np.save(tmp_path / "rows.npy", rng.normal(size=(50, 6)).astype("float32"))
    X = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert_same_bytes(fastclf.knn(X[:5], X, 3, metric=METRIC), reference.exact_knn(METRIC, X[:5], X, 3))


@each_float
@pytest.mark.usefixtures("searches_in_stages")
def test_learned_stages_of_rows_that_are_not_normalised(dtype, rng, monkeypatch):
    """Rows in groups, of different lengths and far from 0: few are compared in full."""
    for name, value in (("LEAST_TIME", 1), ("WORTHWHILE", np.inf)):
        monkeypatch.setattr(choosing, name, value)
    groups = rng.normal(size=(12, 64))[rng.integers(0, 12, 5000)] + 0.5 * rng.normal(size=(5000, 64))
    X = (groups * rng.uniform(0.5, 2, (5000, 1)) + 3).astype(dtype)
    cascade = choosing.learn(METRIC, X, 1)
    assert cascade.stages
    tally = cascade.tally()
    own = np.arange(40)
    found = cascade.search(X[:40], X, 5, 1, own=own, tally=tally)
    assert_same_bytes(found, plain.search(METRIC, X[:40], X, 5, 1, middle=None, own=own))
    assert tally.pairs[-1] < 0.1 * tally.pairs[0]


# --- what sketches prove ----------------------------------------------------------------------------------------------


def numbers_of(sketch):
    return (sketch.codes.astype(LONG) - 128) * sketch.terms.view(TERMS)["step"].astype(LONG)


def lengths(numbers, residual):
    return np.sqrt((numbers**2).sum(axis=1) + residual**2)


@each_data
@pytest.mark.parametrize("dtype", ROW_DTYPES)
def test_no_product_is_larger_than_its_sketches_prove(isa, build, dtype):
    """The bound of csrc/neighbors/product_stage.h, of each level."""
    rows = build(np.random.default_rng(4), (100, 19))
    low, high = {"uint8": (0, 255), "int8": (-128, 127), "float16": (-6e4, 6e4)}.get(dtype, (-np.inf, np.inf))
    rows = (np.abs(rows) if dtype == "uint8" else rows).clip(low, high)
    Q, X = rows[:12].astype(dtype), rows[12:].astype(dtype)
    for kind in staged.kinds(METRIC):
        how, centre = staged.sketcher(METRIC, X, kind)
        exact = reference.inner_product(Q.astype(float), X.astype(float)).astype(LONG)
        along = reference.inner_product(Q.astype(float), centre[None].astype(float)).astype(LONG)
        rounding = (np.abs(exact) + np.abs(along)) * LONG(2.0**-52)
        stretch = 1 + LONG(how.gram_excess)
        of_q, of_x = (np.empty((len(M), 0), LONG) for M in (Q, X))
        for q, x in zip(how.sketch(Q, None, 1), how.sketch(X, centre, 1), strict=True):
            of_q, of_x = np.hstack([of_q, numbers_of(q)]), np.hstack([of_x, numbers_of(x)])
            s, r = stretch * q.residual.astype(LONG), x.residual.astype(LONG)
            e, f = stretch * q.error.astype(LONG), x.error.astype(LONG)
            q_length, x_length = lengths(of_q, s), lengths(of_x, r)
            bound = of_q @ of_x.T + np.outer(s, r) + np.outer(q_length + e, f) + np.outer(e, x_length)
            assert (stretch * (exact - along - rounding) <= bound * (1 + np.sign(bound) * LONG(2.0**-58))).all()
            assert (bound < stretch * np.outer(q_length + e, x_length + f) * 1.5 + 1e-30).all()  # and not much larger


# The second number of a row, or of a query, is cut to 0, so that its error lies along the other: the bound is the
# product itself, but for roundings.
@pytest.mark.parametrize("young_weight", [1e-300, 1e-9, 0.01, 1.0, 1e9])
@pytest.mark.parametrize("scale", [1.0, 2.0**-100, 2.0**90])
@pytest.mark.usefixtures("searches_in_stages")
@pytest.mark.parametrize("of_rows", [True, False])
def test_bounds_that_are_the_product(isa, young_weight, scale, of_rows):
    rng = np.random.default_rng(8)
    X = np.full((300, 2), 127.0)
    if of_rows:
        X[:, 1] = rng.uniform(-0.49, 0.49, 300)
        Q = np.array([[0.0, 127.0], [0.0, -1.0], [1.0, 0.4], [127.0, -0.4], [0.0, 0.0]]) * scale
    else:
        X[:, 1] = rng.integers(-127, 128, 300)
        Q = np.array([[127.0, 0.49], [127.0, -0.49], [-127.0, 0.3], [127.0, 1e-3], [0.0, 1.0]]) * scale
    groups = np.arange(2), np.arange(3), np.ones(2, np.float32)
    how = staged.Sketcher(METRIC, (2,), np.zeros(2), groups=groups)
    for queries, k in itertools.product((Q, np.repeat(Q, 4, axis=0)), (1, 20, 299)):
        found = by_hand(how, X, young_weight).search(queries, X, k, 1)
        assert_same_bytes(found, staged.plainly(METRIC, queries, X, k))


def product_sketch(**change):
    """Arguments of _native.sketch that are right for products: each feature, or directions."""
    right = {
        "metric": METRIC,
        "M": np.ones((9, 3), "float32"),
        "centre": None,
        "directions": None,
        "gram_excess": 0.0,
        "groups": (np.arange(3), np.arange(4), np.array([1, -1, 1], "float32")),
        "offset": np.zeros(3),
        "step": 1.0,
        "residual": False,
        "n_threads": 1,
        "levels": [(np.empty((9, 3), "uint8"), np.empty((9, TERMS.itemsize), "uint8"))],
    }
    _native.sketch(**(right | change))


def test_sketches_that_bound_no_product_are_refused():
    directions = {"directions": np.eye(3, dtype="float32"), "groups": None, "residual": True}
    product_sketch()
    product_sketch(**directions)
    two = [(np.empty((9, 2), "uint8"), np.empty((9, TERMS.itemsize), "uint8"))]
    for change in (
        {"offset": np.array([0, 0, 1e-9])},
        {"groups": (np.arange(3), np.arange(4), np.array([1, 0.99, 1], "float32"))},
        {"groups": (np.arange(3), np.array([0, 1, 2]), np.ones(3, "float32")), "levels": two, "offset": np.zeros(2)},
        {"groups": (np.arange(3), np.array([0, 2, 3, 3]), np.ones(3, "float32"))},
        directions | {"residual": False},
        directions | {"offset": np.full(3, np.nan)},
    ):
        with pytest.raises(ValueError, match="do not go together"):
            product_sketch(**change)


# --- what needs a distance --------------------------------------------------------------------------------------------

REFUSED = "weights='distance' has no meaning with metric='inner_product'"


def test_weights_by_distance_are_refused(state, rng):
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    for model in (KNN(3, metric=METRIC, weights="distance"), KNNCV([3], metrics=[METRIC], weights="distance")):
        before = state(model)
        with pytest.raises(ValueError, match=REFUSED):
            model.fit(X, y)
        assert state(model) == before
    model = KNN(3, metric=METRIC).fit(X, y).set_params(weights="distance")
    for call in (model.predict, model.predict_proba, lambda Q: model.score(Q, y)):
        with pytest.raises(ValueError, match=REFUSED):
            call(X)


def test_functions_get_the_products(rng):
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    given_ = []

    def shares(products):
        given_.append(products.copy())
        return np.exp(products)

    expected = reference.exact_knn(METRIC, X, X, 3)
    found = KNN(3, metric=METRIC, weights=shares).fit(X, y).predict_proba(X)
    assert np.vstack(given_).tobytes() == expected[0].tobytes()
    votes = np.exp(expected[0])
    of_one = (votes * (y[expected[1]] == 1)).sum(axis=1) / votes.sum(axis=1)
    np.testing.assert_allclose(found[:, 1], of_one, rtol=1e-12)


def test_cross_validation_by_products(rng):
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    parts = [(np.flatnonzero(np.arange(60) % 3 != i), np.flatnonzero(np.arange(60) % 3 == i)) for i in range(3)]
    found = KNNCV([1, 5], metrics=[METRIC], cv=parts).fit(X, y)
    for fold, (train, test) in enumerate(parts):
        order = train[reference.exact_order(METRIC, X[test], X[train])]
        for i, k in enumerate((1, 5)):
            assert found.cv_scores_[0, i, fold] == np.mean(reference.vote(y[order[:, :k]]) == y[test])


@pytest.mark.parametrize(
    "name",
    [
        "KNeighborsClassifier",
        "KNeighborsRegressor",
        "KNeighborsTransformer",
        "NearestNeighbors",
        "RadiusNeighborsClassifier",
    ],
)
def test_classes_of_scikit_learn_refuse_it(state, name):
    model = getattr(fastclf.sklearn, name)(metric=METRIC)
    before = state(model)
    with pytest.raises(ValueError, match=r"metric='inner_product' is no distance.*fastclf\.KNN and fastclf\.knn"):
        model.fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    assert state(model) == before
