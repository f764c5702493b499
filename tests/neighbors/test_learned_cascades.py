"""Stages that are learned change no answer; what they were, and did, is told."""

from __future__ import annotations

import dataclasses
import functools
import pickle

import adversarial
import numpy as np
import pytest
import reference
import staged
from adversarial import few_directions
from comparing import assert_same_bytes
from names import METRICS, each_sketched_metric
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import fastclf
from fastclf import KNN
from fastclf.neighbors.backends import choosing

pytestmark = pytest.mark.usefixtures("searches_in_stages", "typical_speeds")


@pytest.fixture
def learns_always(monkeypatch):
    """Choose the best stages for small data, too, whether or not they are worth it."""
    for name, value in (("LEAST_ROWS", 1), ("LEAST_TIME", 1), ("LEAST_FEATURES", 1), ("WORTHWHILE", np.inf)):
        monkeypatch.setattr(choosing, name, value)


LEARNED = [("uint8", 180), ("float32", 64), ("float64", 64)]
learned_data = pytest.mark.parametrize(("dtype", "d"), LEARNED)


@functools.cache
def structured(dtype, d, n=600):
    """Rows near a plane, so that few numbers say much of them."""
    rows = few_directions(0.0)(np.random.default_rng(5), (n, d), dtype)
    return (128 + 15 * rows).clip(0, 255).astype(dtype) if dtype == "uint8" else rows.astype(dtype)


def parts_of(cascade):
    """All that a cascade holds, to compare."""
    stages = [
        (
            s.words,
            s.adds,
            s.gram_excess,
            s.unit,
            s.young_weight,
            s.cost,
            s.left,
            s.codes.view.tobytes(),
            s.terms.view.tobytes(),
        )
        for s in cascade.stages
    ]
    return cascade.metric, cascade.refine_cost, stages


def cascade_of(model):
    return model._memory.backend._cascade


@each_sketched_metric
@learned_data
def test_learned_stages_change_nothing(learns_always, isa, metric, dtype, d):
    X = structured(dtype, d)
    cascade = choosing.learn(metric, X, 2)
    assert len(cascade.stages) > 0
    for k, n_threads in ((1, 1), (10, 3), (len(X), 1)):
        assert_same_bytes(cascade.search(X[:50], X, k, n_threads), staged.plainly(metric, X[:50], X, k))
    own = np.arange(100)
    assert_same_bytes(cascade.search(X[:100], X, 4, 1, own=own), staged.plainly(metric, X[:100], X, 4, own))


@each_sketched_metric
@pytest.mark.parametrize(("name", "dtype"), adversarial.DATA)
def test_learning_from_hard_data(learns_always, metric, name, dtype):
    X = adversarial.built(name, dtype, (300, 100 if dtype == "uint8" else 50))
    cascade = choosing.learn(metric, X, 1)
    assert_same_bytes(cascade.search(X[:20], X, 6, 1), staged.plainly(metric, X[:20], X, 6))


@each_sketched_metric
@learned_data
def test_learning_is_deterministic(learns_always, metric, dtype, d):
    X = structured(dtype, d)
    once, again = (choosing.learn(metric, rows, n_threads) for rows, n_threads in ((X, 1), (X.copy(), 2)))
    assert parts_of(once) == parts_of(again)


@each_sketched_metric
@learned_data
def test_models_with_stages(learns_always, metric, dtype, d):
    X = structured(dtype, d)
    y = np.arange(len(X)) % 7
    model = KNN(k=4, metric=metric, n_threads=2).fit(X, y)
    assert len(cascade_of(model).stages) > 0
    Q = X[::5] + X.dtype.type(1)
    assert_same_bytes(model.kneighbors(Q), fastclf.knn(Q, X, 4, metric=metric))
    assert_same_bytes(model.kneighbors(), staged.plainly(metric, X, X, 4, np.arange(len(X))))
    votes = y[fastclf.knn(Q, X, 4, metric=metric)[1]]
    assert np.array_equal(model.predict(Q), reference.vote(votes))
    for other in (pickle.loads(pickle.dumps(model)), clone(model).fit(X, y)):
        assert parts_of(cascade_of(other)) == parts_of(cascade_of(model))
        assert_same_bytes(other.kneighbors(Q), model.kneighbors(Q))


@each_sketched_metric
@learned_data
def test_partial_fit_extends_the_stages(learns_always, metric, dtype, d):
    X = structured(dtype, d)
    y = np.arange(len(X)) % 3
    whole = KNN(k=5, metric=metric).fit(X, y)
    model = KNN(k=5, metric=metric).fit(X[:350], y[:350])
    learned = cascade_of(model)
    for start, end in ((350, 351), (351, 600)):
        model.partial_fit(X[start:end], y[start:end])
    grown = cascade_of(model)
    assert grown.sketchers == learned.sketchers
    for stage, before in zip(grown.stages, learned.stages, strict=True):
        assert len(stage.codes) == len(stage.terms) == len(X)
        assert len(before.codes) == 350
        assert np.array_equal(stage.codes.view[:350], before.codes.view)
    Q = X[::7]
    assert_same_bytes(model.kneighbors(Q), whole.kneighbors(Q))
    assert_same_bytes(model.kneighbors(Q), fastclf.knn(Q, X, 5, metric=metric))
    assert_same_bytes(model.kneighbors(), whole.kneighbors())
    # Twice the rows: what was learned from the first is out of date.
    model.partial_fit(X[:100], y[:100])
    assert parts_of(cascade_of(model)) == parts_of(choosing.learn(metric, np.vstack([X, X[:100]]), 1))


@each_sketched_metric
@learned_data
@pytest.mark.parametrize("kept", [1000, 500])
def test_stages_of_some_rows_prove_as_before(learns_always, metric, dtype, d, kept):
    X = structured(dtype, d, 1200)
    gone = np.random.default_rng(6).permutation(len(X))[kept:]
    model = KNN(k=5, metric=metric).fit(X, np.zeros(len(X)))
    learned = cascade_of(model)
    model.remove(gone)
    assert len(cascade_of(model).stages) > 0
    assert (cascade_of(model).sketchers is learned.sketchers) == (kept == 1000)  # of few rows they are learned anew
    assert all(len(stage.codes) == len(stage.terms) == kept for stage in cascade_of(model).stages)
    others, Q = np.delete(X, gone, axis=0), X[::7]
    assert_same_bytes(model.kneighbors(Q), fastclf.knn(Q, others, 5, metric=metric))
    assert_same_bytes(model.kneighbors(), KNN(5, metric=metric).fit(others, np.zeros(kept)).kneighbors())


@each_sketched_metric
def test_partial_fit_with_another_dtype(learns_always, metric):
    X = structured("uint8", 180, 700)
    y = np.zeros(len(X), int)
    halves = X[350:] + np.float32(0.5)
    both = np.vstack([X[:350].astype("float32"), halves])
    for parts in ((X[:350], halves), (halves, X[:350])):
        model = KNN(metric=metric).fit(parts[0], y[: len(parts[0])]).partial_fit(parts[1], y[: len(parts[1])])
        assert len(cascade_of(model).stages) > 0
        rows = np.vstack(parts)
        assert_same_bytes(model.kneighbors(both[::9], 6), fastclf.knn(both[::9], rows, 6, metric=metric))


def test_bytes_without_structure_get_no_stages(monkeypatch, rng):
    for name in ("LEAST_ROWS", "LEAST_TIME"):
        monkeypatch.setattr(choosing, name, 1)
    X = rng.integers(0, 256, (1500, 200)).astype("uint8")
    for metric in METRICS:
        assert choosing.learn(metric, X, 2).stages == ()


def test_bytes_near_a_plane_get_stages(monkeypatch):
    for name in ("LEAST_ROWS", "LEAST_TIME"):
        monkeypatch.setattr(choosing, name, 1)
    X = structured("uint8", 600, 12000)
    alike = np.repeat(X[:, ::8], 8, axis=1)  # features that go together, for metrics that have no directions
    for metric, rows in (("l1", alike), ("l2", X)):
        assert len(choosing.learn(metric, rows, 2).stages) > 0


@each_sketched_metric
def test_small_data_gets_no_stages(metric):
    assert choosing.learn(metric, structured("float32", 64), 1).stages == ()


# --- explain ----------------------------------------------------------------------------------------------------------


def check_report(report, X, metric, n_queries):
    assert (report.metric, report.n_rows, report.n_queries) == (metric, len(X), n_queries)
    assert report.row_bytes == X.shape[1] * X.itemsize
    assert 0 < report.beside_bytes <= report.row_bytes
    assert len(report.steps) > 1
    assert report.steps[0].rows == len(X)
    assert report.steps[-1].words == "in full"
    counts = [step.rows for step in report.steps]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < len(X)
    text = str(report)
    searched = "what a sample showed" if n_queries is None else f"{n_queries} queries"
    lines = text.splitlines()
    assert lines[0] == f"exact search of {len(X)} rows of {report.row_bytes} bytes by {metric}; {searched}"
    for line, step in zip(lines[2:], report.steps, strict=False):
        assert line.startswith(step.words)
        assert f"{step.rows:.0f}" in line[len(step.words) :].split()
    assert f"{report.beside_bytes} bytes a row" in text
    return text


@each_sketched_metric
@learned_data
def test_explain_with_stages(learns_always, metric, dtype, d):
    X = structured(dtype, d, 2000)
    model = KNN(k=3, metric=metric).fit(X, np.zeros(len(X), int))
    words = [stage.words for stage in cascade_of(model).stages]
    for report in (model.explain(X[:150]), model.explain(X[:150], k=1)):
        text = check_report(report, X, metric, 150)
        assert [step.words for step in report.steps[:-1]] == words
        shares = [step.time_share for step in report.steps] + [report.preparing_share]
        assert all(share >= 0 for share in shares)
        assert sum(shares) == pytest.approx(1)
        assert "%" in text
        assert report.given_up == 0
    report = model.explain()
    check_report(report, X, metric, None)
    assert all(np.isnan(step.time_share) for step in report.steps)
    assert np.isnan(report.preparing_share)
    assert [step.rows for step in report.steps[1:]] == [s.left * len(X) for s in cascade_of(model).stages]


@each_sketched_metric
def test_explain_counts_queries_given_up(learns_always, metric):
    X = structured("float32", 64, 2000)
    model = KNN(k=3, metric=metric).fit(X, np.zeros(len(X), int))
    backend = model._memory.backend
    backend._cascade = dataclasses.replace(backend._cascade, refine_cost=1e5)
    report = model.explain(X[:60], k=500)
    assert report.given_up > 0
    assert f"{report.given_up} queries were compared with all rows in full instead" in str(report)
    assert_same_bytes(model.kneighbors(X[:60], 500), fastclf.knn(X[:60], X, 500, metric=metric))


def test_explain_of_a_plain_search(rng):
    model = KNN(k=2).fit(rng.normal(size=(30, 4)), np.zeros(30, int))
    for report, searched in (
        (model.explain(), "what a sample showed"),
        (model.explain(np.zeros((7, 4))), "7 queries"),
        (model.explain(np.zeros((0, 4))), "0 queries"),
    ):
        assert [(step.words, step.rows) for step in report.steps] == [("in full", 30 if report.n_queries != 0 else 0)]
        assert report.beside_bytes == 0
        assert str(report) == (
            f"exact search of 30 rows of 32 bytes by l2; {searched}\n"
            "every row is compared in full: there are few, or nothing shorter would leave few"
        )


def test_explain_refuses_what_it_cannot_do(rng):
    with pytest.raises(NotFittedError):
        KNN().explain()
    with pytest.raises(NotFittedError):
        KNN().explain(np.zeros((1, 4)))
    model = KNN().fit(rng.normal(size=(30, 4)), np.zeros(30, int))
    for k in (0, -1, 31):
        with pytest.raises(ValueError, match="k"):
            model.explain(np.zeros((1, 4)), k=k)
    for k in (1.5, "3"):
        with pytest.raises(TypeError, match="k"):
            model.explain(np.zeros((1, 4)), k=k)
    with pytest.raises(ValueError, match="features"):
        model.explain(np.zeros((1, 5)))
