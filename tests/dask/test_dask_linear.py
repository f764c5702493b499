"""Linear classifiers of rows in chunks: they find the optimum, whatever the chunks, and claim no more."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
import reference_linear
import reference_minimum
from hard_problems import problem
from sklearn.exceptions import ConvergenceWarning

from fastclf import LinearClassifier
from fastclf.linear.losses import LOSSES

pytest.importorskip("dask")
pytest.importorskip("distributed")

import dask
import dask.array as da

from fastclf.dask import DaskLinearClassifier

CHUNKS = (300, 110, (1, 7, 0, 142, 150))
CONVEX = [loss for loss in LOSSES if LOSSES[loss].convex]


@pytest.fixture(autouse=True)
def without_cluster():
    """Run tasks in this thread."""
    with dask.config.set(scheduler="sync"):
        yield


def data(dtype="float64"):
    rng = np.random.default_rng(2)
    X = 20 * rng.normal(size=(300, 5)) + 100
    y = (X[:, 0] > 100).astype(int) + (X[:, 1] + 3 * rng.normal(size=300) > 105)
    return X.clip(0, 255).astype(dtype), y


def in_chunks(X, chunks):
    return da.from_array(X, chunks=(chunks, *X.shape[1:]))


def fitted(loss, X, y, chunks, weight=None, **options):
    weight = None if weight is None else in_chunks(weight, chunks)
    return DaskLinearClassifier(loss, random_state=0, **options).fit(in_chunks(X, chunks), in_chunks(y, chunks), weight)


@functools.cache
def least_objective(loss):
    of = reference_minimum.Problem(loss, *data(), l2=1e-3)
    return float(of.value(reference_minimum.minimum(of)))


@pytest.mark.parametrize("loss", CONVEX)
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_the_optimum_is_found(loss, chunks):
    X, y = data()
    least = least_objective(loss)
    model = fitted(loss, X, y, chunks, l2=1e-3, tol=1e-5)
    assert model.converged_
    assert least * (1 - 1e-12) <= model.objective_ <= least * (1 + 1e-5)
    J, _, _ = reference_linear.objective(loss, X, y, model.coef_, model.intercept_, l2=1e-3)
    assert model.objective_ == pytest.approx(float(J), rel=1e-9)


@pytest.mark.parametrize("loss", CONVEX)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_fits_are_those_of_one_machine(loss, dtype):
    X, y = data(dtype)
    tol = 1e-6 if LOSSES[loss].slack is None else 1e-4
    one = LinearClassifier(loss, solver="lbfgs", l2=1e-2, tol=tol, random_state=0).fit(X, y)
    for chunks in CHUNKS:
        model = fitted(loss, X, y, chunks, l2=1e-2, tol=tol)
        assert model.objective_ == pytest.approx(one.objective_, rel=tol)
        assert (model.predict(X) != one.predict(X)).mean() < 0.01


def test_a_loss_that_is_not_convex_ends_where_a_step_gains_no_more():
    X, y = data("float32")
    of = reference_minimum.Problem("softmax_mse", X, y, l2=1e-2)
    for chunks in CHUNKS:
        model = fitted("softmax_mse", X, y, chunks, l2=1e-2, tol=1e-4)
        point = of.point(model.coef_, model.intercept_)
        J, further = of.value(point), of.value(reference_minimum.descend(of, point, steps=1))
        assert model.converged_
        assert J - further <= 1e-4 * J
        assert model.objective_ == pytest.approx(float(J), rel=1e-9)


def test_options():
    X, y = data()
    weight, margin = np.random.default_rng(1).random(300), 1 + np.arange(9.0).reshape(3, 3)
    cases = [
        ("softmax", {"class_weight": "balanced"}, weight),
        ("softmax", {"class_weight": {0: 2.0, 2: 0.5}}, None),
        ("squared_hinge", {"margin": margin}, weight),
        ("softmax", {"fit_intercept": False, "l2": 1e-2}, None),
        ("mse", {}, weight),
    ]
    for loss, options, of_rows in cases:
        one = LinearClassifier(loss, tol=1e-7, random_state=0, **options).fit(X, y, of_rows)
        for chunks in CHUNKS[1:]:
            model = fitted(loss, X, y, chunks, of_rows, tol=1e-7, **options)
            assert model.objective_ == pytest.approx(one.objective_, rel=1e-6)
            assert model.intercept_.any() == options.get("fit_intercept", True)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
def test_several_labels_a_row(class_weight):
    X, y = data()
    labels = np.column_stack([y > 0, y > 1, X[:, 2] > 95]).astype(int)
    one = LinearClassifier("sigmoid", tol=1e-7, class_weight=class_weight).fit(X, labels)
    model = fitted("sigmoid", X, labels, 110, tol=1e-7, class_weight=class_weight)
    assert model.objective_ == pytest.approx(one.objective_, rel=1e-6)
    assert model.predict(in_chunks(X, 70)).compute().tolist() == model.predict(X).tolist()


def test_lazy_results_are_those_of_arrays():
    X, y = data("float32")
    labels = np.array(["a", "bb", "cccc"])[y]
    model = fitted("softmax", X, labels, 110)
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        lazy, expected = getattr(model, name)(in_chunks(X, 70)), getattr(model, name)(X)
        assert isinstance(lazy, da.Array)
        assert lazy.chunks[0] == (70, 70, 70, 70, 20)
        assert lazy.dtype == expected.dtype
        assert lazy.shape == expected.shape
        assert lazy.compute().tobytes() == expected.tobytes()
    assert model.score(in_chunks(X, 70), in_chunks(labels, 70)) == (model.predict(X) == labels).mean()
    assert model.score(X, labels) == pytest.approx((model.predict(X) == labels).mean())


def test_two_classes_have_one_score():
    X, y = data()
    model = fitted("hinge", X, y > 0, 110, l2=1e-2)
    lazy = model.decision_function(in_chunks(X, 70))
    assert lazy.shape == (300,)
    assert lazy.compute().tobytes() == model.decision_function(X).tobytes()
    assert not hasattr(model, "predict_proba")


def test_sums_do_not_depend_on_when_tasks_run():
    X, y = data("float32")
    found = []
    for scheduler in ("sync", "threads", "threads"):
        with dask.config.set(scheduler=scheduler):
            model = fitted("softmax", X, y, 13, l2=1e-3)
        found.append((model.coef_.tobytes(), model.intercept_.tobytes(), model.loss_curve_.tobytes()))
    assert found[0] == found[1] == found[2]


def test_a_warm_start_is_where_the_fit_before_ended():
    X, y = data()
    model = fitted("softmax", X, y, 110, warm_start=True, tol=1e-6)
    first = model.n_iter_
    assert model.fit(in_chunks(X, 70), in_chunks(y, 70)).n_iter_ < first


@pytest.mark.parametrize("loss", ["softmax", "mse", "sigmoid"])
def test_no_false_claim(loss):
    """As of `LinearClassifier` by conjugate gradients: sentinels, scales, dependent columns, weights."""
    claims = 0
    for number in range(10):
        X, y, weight, parameters, kinds = problem(number)
        chunks = (1, len(X) // 3, len(X) - 1 - len(X) // 3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = fitted(loss, X, y, chunks, weight, **parameters)
        claims += model.converged_
        if not model.converged_:
            continue
        intercept = {"fit_intercept": parameters["fit_intercept"]}
        of = reference_minimum.Problem(loss, X, y, l2=parameters["l2"], weight=weight, **intercept)
        least = of.value(reference_minimum.minimum(of))
        at_zero = of.value(np.zeros((of.hot.shape[1], X.shape[1] + 1), np.longdouble))
        J = of.of(model.coef_, model.intercept_)
        allowed = parameters["tol"] * max(J, 1e-3 * at_zero)
        assert J - least < allowed * (1 + 1e-3), (number, kinds)
        assert abs(model.objective_ - J) < 0.1 * allowed, (number, kinds)
    assert claims >= 4


def test_data_frames():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    X, y = data()
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcde")).assign(y=y), npartitions=3)
    model = DaskLinearClassifier(tol=1e-6).fit(frame[list("abcde")], frame["y"])
    assert model.objective_ == pytest.approx(LinearClassifier(tol=1e-6).fit(X, y).objective_, rel=2e-6)
    lazy, expected = model.predict(frame[list("abcde")]), model.predict(frame.compute()[list("abcde")])
    assert lazy.compute().tolist() == expected.tolist()


def bad_fits():
    X, y = data()
    nan = X.copy()
    nan[200, 1] = np.inf
    ones = np.zeros(300, int)
    several = np.eye(3, dtype=int)[y]
    return [
        (X, y, {}, TypeError, "X must be a Dask array"),
        (da.from_array(X, chunks=(100, 2)), y, {}, ValueError, "features in 3 chunks"),
        (in_chunks(nan, 110), y, {}, ValueError, "infinity.*chunk 1 of X"),
        (in_chunks(X, 110), ones, {}, ValueError, "y has only one class"),
        (in_chunks(X, 110), y[:9], {}, ValueError, "y has 9 entries"),
        (in_chunks(X[:0], 110), y[:0], {}, ValueError, "X has no rows"),
        (in_chunks(X, 110), several, {}, ValueError, "1d array"),
        (in_chunks(X, 110), several + 1, {"loss": "sigmoid"}, ValueError, "must hold only 0 and 1"),
        (in_chunks(X, 110), y, {"loss": "log"}, ValueError, "loss must be one of"),
        (in_chunks(X, 110), y, {"solver": "newton"}, ValueError, "solver must be one of"),
        (in_chunks(X, 110), y, {"l2": -1}, ValueError, "l2 must be at least 0"),
        (in_chunks(X, 110), y, {"class_weight": {7: 1.0, 8: 2.0}}, ValueError, "are no classes"),
        (in_chunks(X, 110), y, {"class_weight": {0: 0, 1: 0, 2: 0}}, ValueError, "all rows have weight zero"),
        (in_chunks(X, 110), y, {"loss": "hinge", "margin": np.ones((2, 2))}, ValueError, "margin must be"),
        (in_chunks(X, 110), y, {"client": 3}, TypeError, "client must be"),
    ]


@pytest.mark.parametrize("number", range(len(bad_fits())))
def test_bad_fits_are_refused(number):
    X, y, options, error, message = bad_fits()[number]
    model = DaskLinearClassifier(**options)
    before = dict(model.__dict__)
    with pytest.raises(error, match=message):
        model.fit(X, y)
    assert model.__dict__ == before


@pytest.mark.parametrize(
    ("weight", "message"),
    [(np.full(300, -1.0), "sample_weight"), (np.zeros(300), "all rows have weight zero"), (np.ones(9), "9 entries")],
)
def test_bad_weights_are_refused(weight, message):
    X, y = data()
    with pytest.raises(ValueError, match=message):
        DaskLinearClassifier().fit(in_chunks(X, 110), y, weight)


def test_queries_of_another_width_are_refused():
    X, y = data()
    model = fitted("softmax", X, y, 110)
    for name in ("predict", "decision_function", "predict_proba"):
        with pytest.raises(ValueError, match="4 features"):
            getattr(model, name)(in_chunks(X[:, :4], 110))


def test_a_fit_that_cannot_tell_how_near_it_is_says_so(monkeypatch):
    from fastclf.dask import _linear_objective as objective

    monkeypatch.setattr(objective.PlacedObjective, "passes", lambda *_: True)
    X, y = data()
    with pytest.warns(ConvergenceWarning, match="unknown"):
        model = fitted("softmax", X, y, 110, max_iter=40)
    assert not model.converged_
