"""LinearClassifier with an L1 penalty: against proximal gradient steps in long double and scikit-learn's solvers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import reference_elastic as reference
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LogisticRegression

from fastclf import LinearClassifier

LOSSES = ("softmax", "squared_hinge", "mse", "sigmoid")
each_loss = pytest.mark.parametrize("loss", LOSSES)


def problem(rng, n=60, features=6, classes=3):
    X = rng.normal(size=(n, features)) * rng.uniform(0.3, 4, features) + rng.normal(size=features)
    y = (X[:, :classes] + rng.normal(size=(n, classes))).argmax(axis=1)
    y[:classes] = range(classes)
    return X, y


def point(model):
    return np.column_stack([model.coef_, model.intercept_]).astype(np.longdouble)


@pytest.mark.parametrize(("l1", "l2", "fit_intercept"), [(0.03, 0.0, True), (0.1, 0.01, True), (0.1, 0.0, False)])
@each_loss
def test_the_optimum(loss, l1, l2, fit_intercept, rng):
    X, y = problem(rng)
    model = LinearClassifier(loss, l1=l1, l2=l2, fit_intercept=fit_intercept, tol=1e-6).fit(X, y)
    best = reference.minimum(loss, X, y, 3, l1=l1, l2=l2, fit_intercept=fit_intercept)
    least, J = (reference.objective(loss, X, y, v, l1=l1, l2=l2) for v in (best, point(model)))
    assert model.converged_
    assert -1e-9 * J < J - least < 1e-6 * J
    assert model.objective_ == pytest.approx(float(J), rel=1e-12)
    assert ((model.coef_ == 0) == (best[:, :-1] == 0)).mean() > 0.9
    assert (model.coef_ == 0).any()
    assert fit_intercept or not model.intercept_.any()


@pytest.mark.parametrize(("l1", "l2"), [(0.03, 0.0), (0.03, 0.01), (0.01, 1.0)])
@each_loss
def test_a_bound_of_any_weights(loss, l1, l2, rng):
    X, y = problem(rng)
    best = reference.minimum(loss, X, y, 3, l1=l1, l2=l2)
    least = reference.objective(loss, X, y, best, l1=l1, l2=l2)
    model = LinearClassifier(loss, l1=l1, l2=l2).fit(X, y)
    ends = model.coef_
    for size in (0, 1e-3, 0.1, 3):
        model.coef_ = ends + size * rng.normal(size=ends.shape)
        J = reference.objective(loss, X, y, point(model), l1=l1, l2=l2)
        assert float(J - least) - 1e-12 <= model.duality_gap(X, y) < np.inf


def test_as_many_zeros_as_the_penalty_says(rng):
    X, y = problem(rng, features=30)
    zeros = [(LinearClassifier(l1=l1, l2=0).fit(X, y).coef_ == 0).sum() for l1 in (1e-4, 1e-2, 0.1, 10.0)]
    assert zeros == sorted(zeros)
    assert zeros[-1] == 90  # then only intercepts are left, those of the classes' shares
    model = LinearClassifier(l1=10.0, l2=0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], np.bincount(y) / len(y), rtol=1e-6)


def test_softmax_as_scikit_learn_has_it(rng):
    X, y = problem(rng)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    C, share = 0.5, 0.7
    other = LogisticRegression(C=C, l1_ratio=share, solver="saga", tol=1e-10, max_iter=100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the name of the penalty is not needed in all versions
        other.set_params(penalty="elasticnet").fit(X, y)
    model = LinearClassifier(l1=share / (C * len(X)), l2=(1 - share) / (2 * C * len(X)), tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, other.intercept_ - other.intercept_.mean(), atol=1e-4)


def test_mse_as_scikit_learn_has_it(rng):
    X, y = problem(rng)
    alpha, share = 0.1, 0.6
    other = ElasticNet(alpha=alpha, l1_ratio=share, tol=1e-12, max_iter=100_000).fit(X, np.eye(3)[y])
    model = LinearClassifier("mse", l1=2 / 3 * alpha * share, l2=alpha * (1 - share) / 3, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, other.intercept_, atol=1e-6)


@pytest.mark.parametrize("form", [scipy.sparse.csr_array, np.float32, np.uint8])
@each_loss
def test_forms_of_rows(loss, form, rng):
    X, y = problem(rng)
    X = np.round(abs(X) * 10)
    rows = X.astype(form) if isinstance(form, type) and issubclass(form, np.generic) else form(X)
    plain, other = (LinearClassifier(loss, l1=0.1, l2=1e-3, tol=1e-8).fit(of, y) for of in (X, rows))
    assert other.objective_ == pytest.approx(plain.objective_, rel=1e-7)
    assert ((plain.coef_ == 0) == (other.coef_ == 0)).mean() > 0.9


def test_weights_of_rows_and_several_labels(rng):
    X, y = problem(rng)
    weight = rng.integers(1, 4, len(X))
    weighted = LinearClassifier(l1=0.02, l2=0, tol=1e-6).fit(X, y, weight)
    repeated = LinearClassifier(l1=0.02, l2=0, tol=1e-6).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert weighted.objective_ == pytest.approx(repeated.objective_, rel=2e-6)
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=0.01)
    labels = np.column_stack([y == 0, y != 1]).astype(int)
    model = LinearClassifier("sigmoid", l1=0.02, l2=0).fit(X, labels)
    assert model.converged_
    assert (model.predict(X) == labels).mean() > 0.7


def test_a_warm_start_is_as_good(rng):
    X, y = problem(rng)
    model = LinearClassifier(l1=0.1, l2=0, tol=1e-6, warm_start=True).fit(X, y)
    cold = LinearClassifier(l1=0.02, l2=0, tol=1e-6).fit(X, y)
    model.set_params(l1=0.02).fit(X, y)
    assert model.objective_ == pytest.approx(cold.objective_, rel=2e-6)
    assert model.fit(X, y).n_iter_ == 0


def test_iterations_that_run_out_are_told(rng):
    X, y = problem(rng)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        model = LinearClassifier(l1=0.01, l2=0, max_iter=3).fit(X, y)
    assert not model.converged_
    assert model.n_iter_ == 3


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"l1": -1}, "l1 must be"),
        ({"l1": np.nan}, "l1 must be"),
        ({"l1": "much"}, "l1 must be"),
        ({"l1": 1.0, "loss": "hinge"}, r"loss must be one of .* with l1 > 0, got 'hinge'"),
        ({"l1": 1.0, "loss": "softmax_mse"}, r"loss must be one of .* with l1 > 0, got 'softmax_mse'"),
        ({"l1": 1.0, "solver": "newton"}, "solver must be 'auto' or 'lbfgs' with l1 > 0, got 'newton'"),
    ],
)
def test_bad_parameters(parameters, told, rng):
    with pytest.raises((TypeError, ValueError), match=told):
        LinearClassifier(**parameters).fit(*problem(rng))


def test_steps_of_mini_batches_refuse_it(rng):
    model = LinearClassifier(l1=0.1)
    with pytest.raises(ValueError, match=r"l1 must be 0 for partial_fit.*0\.1"):
        model.partial_fit(*problem(rng))
    assert not hasattr(model, "coef_")
