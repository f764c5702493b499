"""Sketches prove what they say: rows are at least as far apart as their sketches, less what these leave out."""

from __future__ import annotations

import functools
import itertools

import children
import missing
import numpy as np
import pytest
import reference
import staged
from adversarial import DATA, built
from names import TRAITS, each_bounded_metric, each_sketched_metric

from fastclf import _native
from fastclf.neighbors.backends import sketches
from fastclf.neighbors.backends.sketches import TERMS

LONG = np.longdouble


@functools.cache
def data(name, dtype):
    """12 queries and 30 rows, of which 4 are queries too; then more rows, to learn from."""
    rows = built(name, dtype, (60, 11), seed=3)
    return rows[:12].copy(), rows[8:38].copy(), rows


@functools.cache
def true_lengths(metric, name, dtype):
    """Lengths as sketches see them, rounded once or, for cosine, twice."""
    Q, X, _ = data(name, dtype)
    if metric != "cosine":
        return reference.METRICS[TRAITS[metric].norm.lower()](Q, X).astype(LONG)
    exact = reference.cosine(Q.astype("float64"), X.astype("float64"))  # of floats it is the exact value, rounded
    return np.sqrt(2 * exact.astype(LONG))


def terms_of(sketch):
    return sketch.terms.view(TERMS)[:, 0]


def numbers(sketch):
    """What the codes stand for, exactly."""
    return (sketch.codes.astype(LONG) - 128) * terms_of(sketch)["step"].astype(LONG)[:, None]


def differences(metric, q, x):
    """How the numbers of two levels differ: sums of squares, or for L1 of absolute values."""
    apart = np.abs(numbers(q)[:, None] - numbers(x))
    return (apart if TRAITS[metric].norm == "L1" else apart**2).sum(axis=2)


def assert_bounds(metric, gram_excess, of_q, of_x, lengths):
    """Check every level's bound on every pair; the share of pairs that the last one says something of."""
    so_far = 0
    with np.errstate(over="ignore"):
        reach = lengths * (1 + LONG(2.0**-51)) * (1 + LONG(gram_excess))
    for q, x in zip(of_q, of_x, strict=True):
        so_far = so_far + differences(metric, q, x)
        tq, tx = terms_of(q), terms_of(x)
        with np.errstate(invalid="ignore"):
            beyond = tq["residual"].astype(LONG)[:, None] - tx["residual"].astype(LONG)
            apart = so_far if TRAITS[metric].norm == "L1" else np.sqrt(so_far + beyond**2)
            bound = apart * (1 - LONG(2.0**-58)) - tq["error"].astype(LONG)[:, None] - tx["error"].astype(LONG)
        finite = np.isfinite(tq["error"])[:, None] & np.isfinite(tx["error"])
        assert (bound <= reach)[finite].all(), (bound - reach)[finite].max()
        # Without an error that is finite nothing is claimed; a number never is.
        assert not np.isnan(np.concatenate([tq["error"], tx["error"]])).any()
        assert (np.concatenate([tq["error"], tx["error"]]) > 0).all()
    return (bound[finite] > 0).mean() if finite.any() else 0.0


@each_bounded_metric
@pytest.mark.parametrize(("name", "dtype"), DATA)
def test_no_pair_is_nearer_than_its_sketches_prove(isa, metric, name, dtype):
    Q, X, rows = data(name, dtype)
    lengths = true_lengths(metric, name, dtype)
    for kind in staged.kinds(metric):
        with np.errstate(all="ignore"):
            how, centre = staged.sketcher(metric, rows, kind)
        assert_bounds(metric, how.gram_excess, how.sketch(Q, centre, 1), how.sketch(X, centre, 1), lengths)


each_metric_of_squares = pytest.mark.parametrize(
    "metric",
    [name for name, traits in TRAITS.items() if traits.has_sketches and traits.norm == "L2" and not traits.is_product],
)


@each_metric_of_squares
@pytest.mark.parametrize(("name", "dtype"), DATA)
def test_finer_queries(isa, metric, name, dtype):
    Q, X, rows = data(name, dtype)
    with np.errstate(all="ignore"):
        how, centre = staged.sketcher(metric, rows, "finer")
    q, finer = how.sketch(Q, centre, 1, as_queries=True)
    [x] = how.sketch(X, centre, 1)
    steps = 16 * (q.codes.astype(int) - 128) + (finer.codes.astype(int) - 128)
    terms, coarse = terms_of(finer), terms_of(q)
    known = np.isfinite(terms["error"])
    assert known[np.isfinite(coarse["error"]) & (coarse["step"] > 1e-36)].all()  # a float32 holds a sixteenth
    assert (16 * terms["step"] == coarse["step"])[known].all()
    assert np.array_equal(terms["sum"], finer.codes.astype(int).sum(axis=1) - 128 * finer.codes.shape[1])
    assert np.array_equal(terms["squares"] + 256 * coarse["squares"].astype(int), (steps**2).sum(axis=1))
    apart = np.sqrt((((numbers(q) + numbers(finer))[:, None] - numbers(x)) ** 2).sum(axis=2))
    bound = apart * (1 - LONG(2.0**-58)) - terms["error"].astype(LONG)[:, None] - terms_of(x)["error"].astype(LONG)
    assert (bound <= true_lengths(metric, name, dtype) * (1 + LONG(2.0**-51)))[known].all()
    if name == "normal":
        assert (terms["error"] < 0.1 * coarse["error"]).all()


# The bounds would be right if errors were infinite, too.
@each_bounded_metric
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("all bytes", "uint8"),
        *itertools.product(
            ["normal", "one-hot", "near a plane, offset 300", "pairs, 1e-37", "pairs, 1e36"], ["float64"]
        ),
        ("normal", "float32"),
        ("offset 1e8", "float64"),
    ],
)
def test_errors_are_no_larger_than_they_need_be(isa, metric, name, dtype):
    Q, X, rows = data(name, dtype)
    for kind in staged.kinds(metric):
        how, centre = staged.sketcher(metric, rows, kind)
        of_q, of_x = how.sketch(Q, centre, 1), how.sketch(X, centre, 1)
        said = assert_bounds(metric, how.gram_excess, of_q, of_x, true_lengths(metric, name, dtype))
        assert said > (0.8 if kind == "each feature" and name not in ("one-hot", "offset 1e8") else 0.0)
        left = 0.0
        for sketch in of_x:
            terms = terms_of(sketch)
            # A number is off by half a step at most, unless it is cut off; then there is arithmetic in float32.
            if TRAITS[metric].norm != "L1" and kind != "stretched" and name in ("all bytes", "normal"):
                left = left + sketch.codes.shape[1] * (terms["step"].astype(float) / 2) ** 2
                typical = np.median(true_lengths(metric, name, dtype)).astype(float)
                assert (terms["error"] <= 1.05 * np.sqrt(left) + 0.02 * typical * (1 + how.residual)).all()


@each_sketched_metric
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_terms_say_what_the_codes_are(isa, metric, dtype):
    name = "all bytes" if dtype == "uint8" else "normal"
    _, X, rows = data(name, dtype)
    for kind in staged.kinds(metric):
        how, centre = staged.sketcher(metric, rows, kind)
        for sketch in how.sketch(X, centre, 1):
            terms, steps = terms_of(sketch), sketch.codes.astype(int) - 128
            assert np.array_equal(terms["sum"], steps.sum(axis=1))
            assert np.array_equal(terms["squares"], (steps**2).sum(axis=1))
            if TRAITS[metric].norm == "L1":
                assert (terms["step"] == np.float32(how.step)).all()
            assert how.residual == (kind in staged.DIRECTED)
            assert (terms["residual"] > 0).all() if how.residual else (terms["residual"] == 0).all()


# More directions than a block of rows of a product, deeper than a part of it, more rows than a block, three threads.
@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize(("dtype", "d"), [("uint8", 300), ("float32", 1100), ("float64", 300)])
def test_many_directions_rows_and_features(isa, metric, dtype, d):
    rows = built("all bytes" if dtype == "uint8" else "near a plane, offset 300", dtype, (600, d))
    exact = rows.astype("float64") if metric == "l2" else sketches.unit(rows.astype("float64"))
    middle = exact.mean(axis=0).astype("float32").astype("float64") if metric == "l2" else 0.0
    centre = middle.astype("float32") if metric == "l2" else None
    directions = sketches.principal_directions(exact[:400], 250)
    how = sketches.by_directions(metric, exact, directions, (100, 130, 250), middle)
    Q, X = rows[:12], rows
    lengths = np.empty((len(Q), len(X)))
    _native.pairwise("l2", exact[:12], exact, 1, lengths)  # good to so many roundings:
    allowed = lengths.astype(LONG) * (1 + d * LONG(2.0**-52)) + d * LONG(2.0**-52) * (metric == "cosine")
    of_q, of_x = how.sketch(Q, centre, 1), how.sketch(X, centre, 3)
    assert [sketch.codes.shape[1] for sketch in of_x] == [100, 30, 120]
    assert_bounds(metric, how.gram_excess, of_q, of_x, allowed)
    found = np.concatenate([numbers(sketch) for sketch in of_x], axis=1) + how.offset
    wanted = (exact - middle) @ how.directions.T.astype("float64")
    off = np.sqrt(((found - wanted) ** 2).sum(axis=1)).astype(float)
    assert (off <= terms_of(of_x[-1])["error"] * (1 + 1e-9) + 1e-9 * lengths.max()).all()


# --- bad arguments ----------------------------------------------------------------------------------------------------


def sketch_arguments(metric="l2", *, groups=False):
    """Arguments of _native.sketch that are right: 9 rows of 6 features, 3 numbers each, of directions in two levels."""
    cols = (3,) if groups else (2, 1)
    return {
        "metric": metric,
        "M": np.random.default_rng(0).normal(size=(9, 6)).astype("float32"),
        "centre": np.zeros(6, "float32"),
        "directions": None if groups else np.eye(3, 6, dtype="float32"),
        "gram_excess": 0.0,
        "groups": (np.arange(6), np.array([0, 2, 4, 6]), np.full(6, 0.5, "float32")) if groups else None,
        "offset": np.zeros(3),
        "step": 0.1,
        "residual": not groups,
        "n_threads": 1,
        "levels": [(np.zeros((9, m), "uint8"), np.zeros((9, TERMS.itemsize), "uint8")) for m in cols],
    }


def feature_groups(feature, start, weight):
    return {"groups": (np.array(feature), np.array(start), np.array(weight, "float32"))}


def levels(count, rows=9, cols=1, term_bytes=TERMS.itemsize):
    return {"levels": [(np.zeros((rows, cols), "uint8"), np.zeros((rows, term_bytes), "uint8")) for _ in range(count)]}


@each_bounded_metric
def test_right_arguments_are_taken(metric):
    _native.sketch(**sketch_arguments(metric, groups=True))
    if TRAITS[metric].norm != "L1":
        _native.sketch(**sketch_arguments(metric))
    start = np.array([0, 0, 6, 6])  # groups may be empty
    _native.sketch(**(sketch_arguments(metric, groups=True) | feature_groups(np.arange(6), start, np.full(6, 0.4))))


BAD_DIRECTIONS = [
    {"metric": "l1"},
    {"metric": "l3"},
    {"M": np.zeros((9, 5), "float32")},
    {"M": np.zeros((9, 0), "float32"), "centre": None, "directions": np.zeros((3, 0), "float32")},
    {"M": np.zeros((8, 6), "float32")},
    {"M": np.zeros(6, "float32")},
    {"M": np.zeros((9, 6), "int32")},
    {"M": np.zeros((9, 12), "float32")[:, ::2]},
    {"centre": np.zeros(5, "float32")},
    {"centre": np.zeros(6)},
    {"directions": np.eye(2, 6, dtype="float32")},
    {"directions": np.eye(3, 5, dtype="float32")},
    {"directions": np.eye(3, 6)},
    {"directions": None},
    {"gram_excess": -0.1},
    {"gram_excess": np.nan},
    {"offset": np.zeros(2)},
    {"offset": np.zeros(3, "float32")},
    {"offset": None},
    {"n_threads": 0},
    {"n_threads": -1},
    levels(0),
    levels(9),
    levels(3, rows=8),
    levels(3, term_bytes=19),
    levels(3, term_bytes=24),
    levels(3, cols=0),
    {"levels": [(np.zeros((9, 3), "int8"), np.zeros((9, TERMS.itemsize), "uint8"))]},
    {"levels": [(np.zeros(27, "uint8"), np.zeros((9, TERMS.itemsize), "uint8"))]},
    {"levels": None},
]
BAD_GROUPS = [
    feature_groups([0, 1, 0], [0, 1, 2, 3], [0.5] * 3),
    feature_groups([0, 0, 1], [0, 2, 3, 3], [0.5] * 3),
    feature_groups([0, 1, 6], [0, 1, 2, 3], [0.5] * 3),
    feature_groups([0, 1, -1], [0, 1, 2, 3], [0.5] * 3),
    feature_groups([0, 1, 2**62], [0, 1, 2, 3], [0.5] * 3),
    feature_groups([0, 1, 2], [0, 1, 2, 4], [0.5] * 3),
    feature_groups([0, 1, 2], [0, 4, 2, 3], [0.5] * 3),
    feature_groups([0, 1, 2], [0, 2**62, 2, 3], [0.5] * 3),
    feature_groups([0, 1, 2], [-1, 1, 2, 3], [0.5] * 3),
    feature_groups([0, 1, 2], [0, 2, 1, 3], [0.5] * 3),
    feature_groups([0, 1, 2], [0, 1, 2], [0.5] * 3),
    feature_groups([0, 1, 2], [0, 1, 2, 3, 3], [0.5] * 3),
    feature_groups([0, 1, 2], [0, 1, 2, 3], [0.5] * 2),
    feature_groups([0, 1, 2], [0, 1, 2, 3], [0.5, 0.5, 1.01]),
    feature_groups([0, 1, 2], [0, 1, 2, 3], [0.5, -1.01, 0.5]),
    feature_groups([0, 1, 2], [0, 1, 2, 3], [0.5, np.nan, 0.5]),
    feature_groups([0, 1, 2], [0, 1, 2, 3], [0.5, np.inf, 0.5]),
    feature_groups([0.0, 1.0, 2.0], [0, 1, 2, 3], [0.5] * 3),
    {"groups": None},
    {"groups": (None, None, None)},
    {"residual": True},
    levels(3),
    levels(9),
]


def refused(arguments):
    with pytest.raises((ValueError, TypeError)):
        _native.sketch(**arguments)


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("change", BAD_DIRECTIONS, ids=str)
def test_bad_directions_are_refused(metric, change):
    refused(sketch_arguments(metric) | change)


@each_sketched_metric
@pytest.mark.parametrize("change", BAD_GROUPS, ids=str)
def test_bad_groups_are_refused(metric, change):
    refused(sketch_arguments(metric, groups=True) | change)


def test_steps_and_weights_that_only_some_metrics_refuse():
    for step in (0.0, -1.0, np.inf, np.nan, 1e-300, 1e300):
        refused(sketch_arguments("l1", groups=True) | {"step": step})
    together = feature_groups([0, 1, 2], [0, 2, 3, 3], [1, 1, 1])
    _native.sketch(**(sketch_arguments("l1", groups=True) | together))
    for metric in ("l2", "cosine"):
        refused(sketch_arguments(metric, groups=True) | together)


# A stage's places: sketch of Q, sketch of X, adds, gram_excess, unit, young_weight, cost.
def stage_of(rows, change=()):
    def sketch(M, cols=3):
        made = np.full((len(M), cols), 128, "uint8"), np.zeros((len(M), TERMS.itemsize), "uint8")
        made[1].view(TERMS)["error"] = np.inf
        made[1].view(TERMS)["step"] = 1
        return made

    right = [sketch(rows[:4]), sketch(rows), False, 0.0, 1.0, 1.0, 0.0]
    for place, value in dict(change).items():
        right[place] = sketch(*value) if isinstance(value, tuple) else value
    return tuple(right)


def search_with(stages, given_up="enough", metric="l2"):
    X = np.random.default_rng(0).normal(size=(20, 6))
    given_up = np.zeros(4, "uint8") if isinstance(given_up, str) else given_up
    made = [stage_of(X, change) if isinstance(change, dict) else change for change in stages]
    found = np.empty((4, 2)), np.empty((4, 2), "int64")
    _native.knn(metric, X[:4], X, 2, None, None, False, 1, *found, made, 1.0, given_up)
    return found


@each_sketched_metric
def test_eight_stages_are_taken(metric):
    X = np.random.default_rng(0).normal(size=(20, 6))
    expected = reference.exact_knn(metric, X[:4], X, 2)
    found = search_with([{}] * 8, metric=metric)
    assert found[0].tobytes() == expected[0].tobytes()
    assert np.array_equal(found[1], expected[1])


some = np.zeros((20, 6))
BAD_STAGES = [
    [{}] * 9,
    [{0: (some[:3],)}],
    [{0: (some[:5],)}],
    [{1: (some[:19],)}],
    [{0: (some[:4], 2)}],
    [{0: (some[:4], 0), 1: (some, 0)}],
    [{1: [np.zeros((20, 3), "int8"), np.zeros((20, 20), "uint8")]}],
    [{1: [np.zeros((20, 3), "uint8"), np.zeros((20, 19), "uint8")]}],
    [{1: [np.zeros((20, 3), "uint8"), np.zeros((20, 5), "float32")]}],
    [{1: [np.zeros((20, 3), "uint8")[:, ::-1], np.zeros((20, 20), "uint8")]}],
    [{3: -1e-9}],
    [{3: np.nan}],
    [{3: "0"}],
    *([{place: value}] for place in (4, 5) for value in (0.0, -1.0, np.nan)),
    [{6: -1.0}],
    [{6: np.nan}],
    [{}, {3: np.nan}],
    [()],
    [None],
    None,
]


@pytest.mark.parametrize("stages", BAD_STAGES, ids=range(len(BAD_STAGES)))
def test_bad_stages_are_refused(stages):
    with pytest.raises(
        (ValueError, TypeError, IndexError) if stages is None or stages == [()] else (ValueError, TypeError)
    ):
        search_with(stages) if stages is not None else _native.knn(
            "l2", some, some, 2, None, None, False, 1, np.empty((20, 2)), np.empty((20, 2), "int64"), None
        )


@pytest.mark.parametrize(
    "given_up",
    [None, np.zeros(3, "uint8"), np.zeros(5, "uint8"), np.zeros(4, "bool"), np.zeros((4, 1), "uint8"), b"0000"],
)
def test_stages_want_room_for_queries_given_up(given_up):
    with pytest.raises((ValueError, TypeError, BufferError)):
        search_with([{}], given_up)


@pytest.mark.parametrize("what", missing.CALLS)
def test_arrays_that_are_missing_are_refused(what):
    assert children.result(missing.outcome_without, what) == "refused"
