"""Fewer rows than features: the optimum is that of all features."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import reference_minimum as reference
from sklearn.exceptions import ConvergenceWarning

from fastclf import LinearClassifier
from fastclf.linear import rotation

each_loss = pytest.mark.parametrize("loss", [name for name in reference.LOSSES if name != "softmax_mse"])


def wide(rng, rows=4, features=40, classes=2):
    X = rng.normal(size=(rows, features)) * rng.uniform(0.1, 3, features) + rng.normal(size=features)
    return X, np.arange(rows) % classes


@pytest.fixture
def turned(monkeypatch):
    """The problems that were turned."""
    seen, of = [], rotation.Turned.of
    monkeypatch.setattr(rotation.Turned, "of", lambda objective: seen.append(of(objective)) or seen[-1])
    return seen


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
@each_loss
def test_the_optimum(loss, dtype, fit_intercept, turned, rng):
    X, y = wide(rng)
    X = X.astype(dtype)
    X[1] = X[0]  # rows that depend on each other
    model = LinearClassifier(loss, l2=0.01, fit_intercept=fit_intercept, tol=1e-6).fit(X, y)
    of = reference.Problem(loss, X, y, l2=0.01, fit_intercept=fit_intercept)
    least, J = of.value(reference.minimum(of)), of.of(model.coef_, model.intercept_)
    assert len(turned) == 1
    assert turned[0].objective.rows.shape == (4, 4)
    assert model.converged_
    assert J - least < 1e-6 * max(J, 1e-3 * of.value(np.zeros((2, 41), np.longdouble)))
    assert model.objective_ == pytest.approx(float(J), rel=1e-9)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton"])
def test_weights_and_a_warm_start(solver, turned, rng):
    X, y = wide(rng, 20, 200, 3)
    weight = rng.uniform(size=20)
    model = LinearClassifier(solver=solver, tol=1e-9, warm_start=True).fit(X, y, weight)
    cold = model.coef_
    model.coef_ = cold + 0.1 * rng.normal(size=cold.shape)
    model.fit(X, y, weight)
    assert len(turned) == 2
    np.testing.assert_allclose(model.coef_, cold, atol=1e-4 * abs(cold).max())


def test_what_is_not_turned(turned, rng):
    X, y = wide(rng, 20, 200, 3)
    unlike = X * np.where(np.arange(200) == 3, 1e7, 1)
    for model, rows in (
        (LinearClassifier(solver="sgd", max_iter=2), X),
        (LinearClassifier(l1=0.1), X),
        (LinearClassifier(l2=0), X),
        (LinearClassifier(), X[:, :150]),
        (LinearClassifier(tol=0.1), X * 1e200),
        (LinearClassifier(), unlike),
        (LinearClassifier(), np.zeros_like(X)),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows, y)
    assert not turned
