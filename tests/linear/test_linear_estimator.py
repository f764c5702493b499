"""LinearClassifier as an estimator: with scikit-learn's tools, other labels and containers; and what bad input gets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastclf import LinearClassifier

X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])


def test_in_scikit_learns_tools():
    pipeline = make_pipeline(StandardScaler(), LinearClassifier())
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.9
    search = GridSearchCV(pipeline, {"linearclassifier__l2": [1e-3, 1.0]}, cv=3).fit(X, y)
    assert search.best_params_ == {"linearclassifier__l2": 1e-3}


def test_pandas_and_names():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = LinearClassifier("hinge").fit(frame, pd.Series(NAMES[y]))
    assert model.feature_names_in_.tolist() == list("abcd")
    assert set(model.predict(frame)) <= set(NAMES)
    assert model.score(frame, NAMES[y]) > 0.95


@pytest.mark.parametrize("labels", [NAMES[y], NAMES[y].astype(object), y * 10 - 7, y.astype(np.uint8), y == 1])
def test_labels_of_any_kind(labels):
    model = LinearClassifier().fit(X, labels)
    assert model.classes_.tolist() == sorted(set(labels.tolist()))
    assert model.predict(X).dtype == model.classes_.dtype
    assert model.coef_.shape == (len(model.classes_), 4)


def test_two_classes_have_one_score():
    model = LinearClassifier().fit(X[y < 2], y[y < 2])
    scores = model.decision_function(X[:70])
    assert scores.shape == (70,)
    assert ((scores > 0) == (model.predict(X[:70]) == 1)).all()
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), model.predict_proba(X[:70])[:, 1], rtol=1e-9)


def test_probabilities_where_the_loss_defines_them():
    for loss in ("softmax", "softmax_mse", "sigmoid"):
        model = LinearClassifier(loss).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
        np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    for loss in ("hinge", "squared_hinge", "crammer_singer", "mse"):
        model = LinearClassifier(loss).fit(X, y)
        assert not hasattr(model, "predict_proba")
        with pytest.raises(AttributeError, match="predict_proba"):
            _ = model.predict_proba


@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array, lambda Y: Y.astype(bool)])
def test_several_labels_a_row(container):
    Y = np.stack([y == 0, y != 1, X[:, 0] > 6], axis=1).astype(int)
    model = LinearClassifier("sigmoid").fit(X, container(Y))
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict(X).shape == (150, 3)
    assert (model.predict(X) == Y).mean() > 0.9


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_scores_are_the_same_alone_and_on_every_instruction_set(isa, dtype):
    model = LinearClassifier()
    model.classes_, model.n_features_in_, model._labels_are_indicators = np.arange(3), 4, False
    rng = np.random.default_rng(3)
    model.coef_, model.intercept_ = rng.normal(size=(3, 4)), rng.normal(size=3)
    rows = (X * 10).astype(dtype)
    together = model.decision_function(rows)
    assert all(together[i : i + 1].tobytes() == model.decision_function(rows[i : i + 1]).tobytes() for i in (0, 77))
    # Of eight partial sums four have a term; they are added by halves.
    terms = rows.astype(float)[:, None, :] * model.coef_[None]
    plain = (terms[:, :, 0] + terms[:, :, 2]) + (terms[:, :, 1] + terms[:, :, 3]) + model.intercept_
    assert together.tobytes() == plain.tobytes()


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize("installed", [False, True])
def test_progress(capsys, monkeypatch, verbose, installed):
    if not installed:
        monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
    model = LinearClassifier(verbose=verbose, solver="lbfgs").fit(X, y)
    told = capsys.readouterr()
    assert told.out == ""
    assert ("fitting softmax" in told.err) == bool(verbose)
    if verbose and not installed:
        assert f"iteration {model.n_iter_}, J = {model.loss_curve_[-1]:.6g}" in told.err


def test_templates():
    model = LinearClassifier().fit(np.random.default_rng(0).random((20, 4)), np.arange(20) % 3)
    figure = model.plot_templates((2, 2), class_names=["a", "b", "c"])
    assert [axes.get_xlabel() for axes in figure.axes] == ["a", "b", "c"]
    for axes, row in zip(figure.axes, model.coef_, strict=True):
        image = axes.images[0]
        assert image.get_array().tolist() == row.reshape(2, 2).tolist()
        assert image.get_clim() == (-abs(row).max(), abs(row).max())


@pytest.mark.parametrize("shape", [(3, 2, 2), (2, 2, 3)], ids=str)
def test_templates_in_colours(shape):
    model = LinearClassifier().fit(np.random.default_rng(0).random((20, 12)), np.arange(20) % 3)
    for axes, row in zip(model.plot_templates(shape).axes, model.coef_, strict=True):
        picture = row.reshape(shape) if shape[2] == 3 else row.reshape(shape).transpose(1, 2, 0)
        np.testing.assert_allclose(axes.images[0].get_array(), 0.5 + picture / (2 * abs(row).max()))


@pytest.mark.parametrize("shape", [(2, 1), (12,), (2, 6, 1), (4, 4)], ids=str)
def test_shapes_of_no_template(shape):
    model = LinearClassifier().fit(np.random.default_rng(0).random((20, 12)), np.arange(20) % 3)
    with pytest.raises(ValueError, match="shape"):
        model.plot_templates(shape)


def test_labels_that_are_no_indicators_are_refused():
    Y = np.stack([y == 0, y == 1], axis=1).astype(int)
    for bad in (2 * Y - 1, 256 * Y, Y + 1, Y * 0.5, np.where(Y, np.nan, 0.0)):
        with pytest.raises(ValueError, match=r"only 0 and 1|NaN"):
            LinearClassifier("sigmoid").fit(X, bad)
    with pytest.raises(ValueError, match="other way before"):
        LinearClassifier("sigmoid").fit(X, Y).partial_fit(X, Y[:, 0])


def test_a_loss_set_later_is_not_the_models():
    model = LinearClassifier("sigmoid").fit(X, y).set_params(loss="softmax")
    for call in (lambda: model.predict_proba(X), lambda: model.duality_gap(X, y)):
        with pytest.raises(ValueError, match="was set after the model was fitted with 'sigmoid'"):
            call()


BAD_PARAMETERS = [
    ("loss", "log", ValueError, "loss must be one of"),
    ("loss", 3, (TypeError, ValueError), "loss"),
    ("l2", -1.0, ValueError, "l2 must be at least 0"),
    ("l2", np.nan, ValueError, "l2"),
    ("l2", "1", TypeError, "l2 must be a number"),
    ("margin", [[1.0, 2.0]], ValueError, r"margin must be a number or a matrix of shape \(3, 3\)"),
    ("margin", np.inf, ValueError, "margin"),
    ("fit_intercept", "yes", TypeError, "fit_intercept"),
    ("solver", "saga", ValueError, "solver must be one of"),
    ("max_iter", 0, ValueError, "max_iter must be at least 1"),
    ("max_iter", -1, ValueError, "max_iter must be at least 1, got -1"),
    ("max_iter", 1.5, TypeError, "max_iter must be an int"),
    ("tol", -1e-3, ValueError, "tol"),
    ("class_weight", "even", ValueError, "class_weight"),
    ("class_weight", {0: -1.0, 1: 1, 2: 1}, ValueError, "class_weight"),
    ("random_state", "seed", ValueError, "seed"),
    ("n_threads", 0, ValueError, "n_threads must be at least 1"),
    ("verbose", -1, ValueError, "verbose must be at least 0"),
    ("warm_start", 1, TypeError, "warm_start"),
]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("name", "value", "error", "message"), BAD_PARAMETERS)
def test_bad_parameters_leave_the_model_as_it_was(state, method, name, value, error, message):
    model = LinearClassifier("hinge").fit(X, y).set_params(**{name: value})
    before = state(model)
    with pytest.raises(error, match=message):
        getattr(model, method)(X, y)
    assert state(model) == before


BAD_DATA = [
    (X[:, 0], y, None, "Expected 2D array"),
    (X[:0], y[:0], None, "0 sample"),
    (X[:, :0], y, None, "0 feature"),
    (np.where(X[3, 2] == X, np.nan, X), y, None, "NaN"),
    (np.where(X[3, 2] == X, np.inf, X), y, None, "infinity"),
    (X.astype(complex), y, None, "Complex"),
    (np.ma.masked_less(X, 1), y, None, "masked"),
    (X, np.ma.masked_equal(y, 1), None, "y has masked|masked"),
    (X, y[:-1], None, "inconsistent numbers of samples"),
    (X, np.zeros(150), None, "only one class"),
    (X, X[:, 0], None, "[Uu]nknown label type|continuous"),
    (X, np.stack([y == 0, y == 1], axis=1).astype(int), None, "y should be a 1d array|multilabel"),
    (X, y, np.ones(149), r"sample_weight must have shape \(150,\)"),
    (X, y, -np.ones(150), "not negative"),
    (X, y, np.full(150, np.nan), "finite"),
    (X, y, np.zeros(150), "weight zero"),
    (X, y, np.full(150, 1e307), "a mean cannot divide"),
]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", range(len(BAD_DATA)))
def test_bad_data_leave_the_model_as_it_was(state, method, case):
    rows, labels, weight, message = BAD_DATA[case]
    for model in (LinearClassifier(), LinearClassifier().fit(X, y)):
        if method == "partial_fit" and message == "only one class" and hasattr(model, "coef_"):
            continue  # the class is known by now
        before = state(model)
        with pytest.raises((TypeError, ValueError), match=message):
            getattr(model, method)(rows, labels, sample_weight=weight)
        assert state(model) == before


def test_queries_are_checked():
    model = LinearClassifier().fit(X, y)
    for bad in (X[:, :3], X[0], np.full((2, 4), np.nan)):
        with pytest.raises(ValueError, match=r"features|Expected 2D|NaN"):
            model.predict(bad)
    assert model.predict(X[:0]).shape == (0,)
    assert model.predict(scipy.sparse.csr_array(X[:0])).shape == (0,)


@pytest.mark.parametrize(
    ("scale", "dtype"), [(1e37, "float32"), (1e-37, "float32"), (1e140, "float64"), (1e-140, "float64")]
)
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_values_near_the_limits_of_their_dtype(scale, dtype, solver):
    rows = (X * scale).astype(dtype)
    model = LinearClassifier(solver=solver, l2=0).set_params(tol=0.01).fit(rows, y)
    assert model.score(rows, y) > 0.95
