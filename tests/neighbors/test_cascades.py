"""Searches in stages made by hand give the bytes of a search without."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import adversarial
import numpy as np
import pytest
import reference
import staged
from adversarial import few_directions
from comparing import assert_same_bytes
from hypothesis import given
from hypothesis import strategies as st
from names import BYTE_DTYPES, ROW_DTYPES, SHIFTING_METRICS, SKETCHED_METRICS, each_row_dtype, each_sketched_metric
from test_properties import anything

from fastclf.neighbors.backends import cascades
from fastclf.neighbors.backends.cascades import Stage

pytestmark = pytest.mark.usefixtures("searches_in_stages")


@functools.cache
def data(name, dtype):
    """17 queries and 70 rows, of which 10 are queries too."""
    rows = adversarial.built(name, dtype, (77, 18))
    return rows[:17].copy(), rows[7:].copy()


@functools.cache
def neighbors(metric, name, dtype, own=False):
    """All rows in the order of their distances."""
    Q, X = data(name, dtype)
    return reference.exact_knn(metric, X[:9] if own else Q, X, len(X), skip_self=own)


def first(found, k, queries=slice(None)):
    return found[0][queries, :k], found[1][queries, :k]


@each_sketched_metric
@pytest.mark.parametrize(("name", "dtype"), adversarial.DATA)
def test_stages_change_nothing(isa, metric, name, dtype):
    Q, X = data(name, dtype)
    expected = neighbors(metric, name, dtype)
    for chain in staged.chains(metric):
        cascade = staged.cascade(metric, X, chain)
        tally = cascade.tally()
        assert_same_bytes(cascade.search(Q, X, 5, 1, tally=tally), first(expected, 5))
        assert tally.given_up == 0
    for k in (1, 40, len(X) - 1, len(X)):
        assert_same_bytes(cascade.search(Q, X, k, 1), first(expected, k))
    own = np.arange(9)
    assert_same_bytes(cascade.search(X[:9], X, 5, 1, own=own), first(neighbors(metric, name, dtype, True), 5))


@each_sketched_metric
@pytest.mark.parametrize("name", adversarial.EVERY_BYTES)
def test_the_answer_for_bytes_is_the_true_one(isa, metric, name):
    Q, X = (part[:60] for part in data(name, "uint8"))
    expected = reference.exact_knn(metric, Q, X, 7)
    for chain in staged.chains(metric):
        assert_same_bytes(staged.cascade(metric, X, chain).search(Q, X, 7, 1), expected)


@each_sketched_metric
@pytest.mark.parametrize(("name", "dtype"), [("near a plane", "float32"), ("bytes near a plane", "uint8")])
def test_stages_drop_rows(isa, metric, name, dtype):
    rows = adversarial.built(name, dtype, (1200, 26))
    Q, X = rows[:40], rows[40:]
    for chain in staged.chains(metric):
        tally = staged.cascade(metric, X, chain).tally()
        staged.cascade(metric, X, chain).search(Q, X, 1, 1, tally=tally)
        came = tally.pairs / len(Q)
        assert came[0] == len(X)
        assert (np.diff(came[:-1]) <= 0).all()
        assert came[-1] < 0.5 * len(X)  # of those, some set the first limits


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_levels_add_up(metric):
    rows = adversarial.built("normal", "float32", (600, 26))
    cascade = staged.cascade(metric, rows, ("levels",))
    alone = tuple(dataclasses.replace(stage, adds=False) for stage in cascade.stages)
    pairs = []
    for how in (cascade, dataclasses.replace(cascade, stages=alone)):
        tally = how.tally()
        assert_same_bytes(how.search(rows[:60], rows, 3, 1, tally=tally), staged.plainly(metric, rows[:60], rows, 3))
        pairs.append(tally.pairs)
    assert pairs[0][0] == pairs[1][0]
    assert (pairs[0][2:] < pairs[1][2:]).all()
    assert pairs[0][-1] < 0.9 * pairs[1][-1]


@each_sketched_metric
@each_row_dtype
def test_numbers_of_queries_threads_and_batches(isa, metric, dtype):
    name = "bytes near a plane" if dtype in BYTE_DTYPES else "near a plane"
    rows = adversarial.built(name, dtype, (500, 26))
    Q, X = rows[:300], rows[200:]
    expected = staged.plainly(metric, Q, X, 9)
    for chain in staged.chains(metric)[-1:]:
        cascade = staged.cascade(metric, X, chain, n_threads=3)
        for nq, n_threads in itertools.product((0, 1, 2, 31, 33, 300), (1, 3)):
            assert_same_bytes(cascade.search(Q[:nq], X, 9, n_threads), first(expected, 9, slice(nq)))
        parts = [cascade.search(Q[start : start + 70], X, 9, 3) for start in range(0, 300, 70)]
        assert_same_bytes(tuple(map(np.concatenate, zip(*parts, strict=True))), expected)
        for own in (np.arange(len(X)), np.arange(90, 170)):  # all rows, or a batch of them
            found = cascade.search(X[own], X, 5, 3, own=own)
            assert_same_bytes(found, staged.plainly(metric, X[own], X, 5, own))


@each_sketched_metric
def test_more_queries_than_a_block_and_more_codes_than_a_part(isa, metric):
    rows = adversarial.built("near a plane", "float32", (2300, 40))
    Q, X = rows[:2200], rows[1900:]
    cascade = staged.cascade(metric, X, staged.chains(metric)[-1])
    assert_same_bytes(cascade.search(Q, X, 3, 1), staged.plainly(metric, Q, X, 3))
    rows = adversarial.built("near a plane", "float64", (160, 1200))
    Q, X = rows[:40], rows[40:]
    cascade = staged.cascade(metric, X, ("each feature",))
    assert cascade.sketchers[0].cols == (1200,)
    assert_same_bytes(cascade.search(Q, X, 3, 1), staged.plainly(metric, Q, X, 3))


# Three segments of the rows: each thread has its own, and few queries are not enough to share out.
@each_sketched_metric
def test_segments_of_the_rows(isa, metric):
    rows = adversarial.built("near a plane", "float32", (9000, 60))
    Q, X = rows[:20], rows[20:]
    cascade = staged.cascade(metric, X, staged.chains(metric)[1], n_threads=3)
    for k in (1, 50):
        assert_same_bytes(cascade.search(Q, X, k, 3), staged.plainly(metric, Q, X, k))


@each_sketched_metric
@pytest.mark.parametrize(("q_dtype", "x_dtype"), list(itertools.permutations(ROW_DTYPES, 2)))
def test_queries_of_another_dtype(isa, metric, q_dtype, x_dtype):
    def rows(dtype, shape, seed):
        values = few_directions(6.0)(np.random.default_rng(seed), shape, dtype)
        return (20 * values).clip(0, 127).astype(dtype)

    Q, X = rows(q_dtype, (40, 26), 1), rows(x_dtype, (120, 26), 2)
    Q[:7] = X[:7].astype(q_dtype)
    expected = reference.exact_knn(metric, Q, X, 9)
    for chain in staged.chains(metric):
        assert_same_bytes(staged.cascade(metric, X, chain).search(Q, X, 9, 1), expected)


@each_sketched_metric
def test_bytes_that_lie_in_floats(isa, metric):
    Q, X = (part.astype("float32") for part in data("bytes near a plane", "uint8"))
    expected = staged.plainly(metric, Q, X, 9)
    for chain in staged.chains(metric):
        assert_same_bytes(staged.cascade(metric, X, chain).search(Q, X, 9, 1, as_bytes=True), expected)


@each_sketched_metric
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e38, 1e300])
def test_queries_of_another_scale(isa, metric, scale):
    Q, X = data("near a plane", "float64")
    Q = Q * scale
    expected = staged.plainly(metric, Q, X, 9)
    for chain in staged.chains(metric):
        cascade = staged.cascade(metric, X, chain, refine_cost=1.0)
        assert_same_bytes(cascade.search(Q, X, 9, 1), expected)


# A sieve in float32 would have to hold beyond^2 / step here, which is 2^132.
@pytest.mark.parametrize("exponent", [20, 35, 40, 50, 60])
def test_rows_far_beyond_their_steps(isa, exponent):
    X = np.zeros((200, 2))
    X[:, 0] = 127 * np.where(np.arange(200) % 3, -1, 1)
    X[:, 1] = 2.0**46
    X[150] = 100 * 2.0**-exponent, 2.0**45
    Q = np.array([[127 * 2.0**exponent, 0.0]])
    how = staged.Sketcher("l2", (1,), np.zeros(1), np.array([[1, 0]], np.float32), residual=True)
    cascade = by_hand(how, X)
    assert_same_bytes(cascade.search(Q, X, 3, 1), staged.plainly("l2", Q, X, 3))


def by_hand(how, X, young_weight=1.0):
    """A cascade of one stage, by a sketcher that wants no centre."""
    [sketch] = how.sketch(X, None, 1)
    grown = [staged.GrowingArray(part) for part in sketch]
    stage = Stage("by hand", False, how.gram_excess, sketch.typical_step, young_weight, 0.0, 1.0, *grown)
    return staged.Cascade(how.metric, None, 0.0, (how,), (stage,))


# A row's second number is cut to 0 towards a query's 1, so that its error lies along their difference: the bound is the
# distance itself, but for roundings.
@pytest.mark.parametrize("metric", [metric for metric in SHIFTING_METRICS if metric in SKETCHED_METRICS])
@pytest.mark.parametrize("young_weight", [1e-9, 0.1, 1.0, 0.49 / 0.51, 9.0, 1e9])
def test_bounds_that_are_the_distance(isa, metric, young_weight):
    X = np.full((300, 2), 127.0)
    X[:, 1] = np.random.default_rng(8).uniform(-0.49, 0.49, 300)
    Q = np.array([[127.0, 1.0], [127.0, -1.0], [-127.0, 2.0]])
    groups = np.arange(2), np.arange(3), np.ones(2, np.float32)
    how = staged.Sketcher(metric, (2,), np.zeros(2), groups=groups, step=1.0)
    for k in (1, 20, 299):
        assert_same_bytes(by_hand(how, X, young_weight).search(Q, X, k, 1), staged.plainly(metric, Q, X, k))


# Directions of length 2 make sketches twice as far apart as rows.
def test_directions_that_are_too_long(isa):
    rng = np.random.default_rng(3)
    X = rng.uniform(size=(300, 1)) * np.array([[0.6, 0.8, 0.0]]) + 1e-4 * rng.normal(size=(300, 3))
    Q = X[:5] + 1e-3
    directions = np.array([[1.2, 1.6, 0.0]], np.float32)
    how = staged.Sketcher("l2", (1,), np.zeros(1), directions, gram_excess=3.00001)
    for k in (1, 100, 200):
        assert_same_bytes(by_hand(how, X).search(Q, X, k, 1), staged.plainly("l2", Q, X, k))


@each_sketched_metric
def test_any_positive_tilt_and_unit_are_right(isa, metric):
    for name, young_weight in itertools.product(("near a plane", "ties"), (1e-300, 1e-9, 1e9, 1e300)):
        Q, X = data(name, "float32")
        for chain in staged.chains(metric):
            cascade = staged.cascade(metric, X, chain, young_weight=young_weight)
            assert_same_bytes(cascade.search(Q, X, 5, 1), first(neighbors(metric, name, "float32"), 5))
    for unit in (1e-300, 1e-20, 1e-9, 1e9, 1e20, 1e300):
        stages = tuple(dataclasses.replace(stage, unit=unit) for stage in cascade.stages)
        found = dataclasses.replace(cascade, stages=stages).search(Q, X, 5, 1)
        assert_same_bytes(found, first(neighbors(metric, name, "float32"), 5))


# Far away a query's own step is so long that its sketch proves nothing; by angles and by products, all rows are as near
# to a zero vector.
@each_sketched_metric
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_queries_that_are_given_up(isa, metric, dtype):
    X = adversarial.built("bytes near a plane" if dtype == "uint8" else "near a plane", dtype, (500, 26))
    near = X[100:200].astype("float32")
    away = np.random.default_rng(6).normal(size=near.shape) * (1e7 if metric in SHIFTING_METRICS else 0)
    far = away.astype("float32")
    mixed = np.where(np.arange(100)[:, None] % 3 == 1, far, near)
    own = np.arange(100, 200)
    chains = staged.chains(metric)
    for chain, n_threads in ((chains[-1], 1), (chains[0], 3)):
        cascade = staged.cascade(metric, X, chain, cost=0.01, refine_cost=20.0)
        for Q, fewest, most in ((far, 90, 100), (mixed, 5, 99)):
            tally = cascade.tally()
            assert_same_bytes(cascade.search(Q, X, 6, n_threads, tally=tally), staged.plainly(metric, Q, X, 6))
            assert fewest <= tally.given_up <= most, (chain, tally)
        tally = cascade.tally()
        found = cascade.search(X[own], X, 300, n_threads, own=own, tally=tally)
        assert_same_bytes(found, staged.plainly(metric, X[own], X, 300, own))
        assert tally.given_up > 0


@each_sketched_metric
def test_many_neighbors_are_searched_plainly(metric, monkeypatch):
    monkeypatch.setattr(cascades, "_MOST_REFINED", 0.15)
    Q, X = data("near a plane", "float32")
    cascade = staged.cascade(metric, X, staged.chains(metric)[0], refine_cost=1.0)
    for k, given_up in ((5, 0), (60, len(Q))):
        tally = cascade.tally()
        found = cascade.search(Q, X, k, 1, tally=tally)
        assert_same_bytes(found, first(neighbors(metric, "near a plane", "float32"), k))
        assert tally.given_up == given_up


@each_sketched_metric
@given(data=anything, share=st.floats(0, 1), which=st.integers(0, 4), young_weight=st.sampled_from([0.01, 1.0, 50.0]))
def test_stages_change_nothing_for_any_data(metric, data, share, which, young_weight):
    Q, X = data
    k = 1 + int(share * (len(X) - 1))
    chains = staged.chains(metric)
    cascade = staged.cascade(metric, X, chains[which % len(chains)], young_weight=young_weight)
    assert_same_bytes(cascade.search(Q, X, k, 1), staged.plainly(metric, Q, X, k))
    if len(X) > 1:
        own = np.arange(len(X))
        assert_same_bytes(cascade.search(X, X, 1, 1, own=own), staged.plainly(metric, X, X, 1, own))
