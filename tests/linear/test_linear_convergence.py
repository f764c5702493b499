"""What a fit says of itself: where it says that it has converged, J is as near to its least value as `tol` asks."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
import reference_minimum as reference
import scipy.sparse
import scipy.special
from hard_problems import as_given, problem
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from fastclf import LinearClassifier
from fastclf._shared.batch import Batch
from fastclf.linear import lbfgs, rounding
from fastclf.linear.losses import LOSSES
from fastclf.linear.objective import Objective
from fastclf.linear.penalty import Penalty
from fastclf.linear.rows import DenseRows

each_loss = pytest.mark.parametrize("loss", tuple(reference.LOSSES))
SOLVERS = ("auto", "lbfgs", "newton", "sgd")
SOME, MORE = range(5), range(5, 12)  # numbers of problems
FLOOR = 1e-3  # of J at W = 0: what J counts as where it is less, as `tol` says


def first_of(seeds):
    """Numbers below `seeds`, of which all but the first are left to the long tests."""
    return [pytest.param(seed, marks=[pytest.mark.slow] * (seed > 0)) for seed in range(seeds)]


def fitted(loss, solver, X, y, weight=None, **parameters):
    """A model, whether it has converged or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        most = 60 if solver == "sgd" else 1000
        return LinearClassifier(loss, solver=solver, random_state=0, max_iter=most, **parameters).fit(X, y, weight)


def above(least, J, tol, at_zero):
    """How far J is above its least value, in parts of what `tol` allows."""
    return float((J - least) / (tol * max(J, FLOOR * at_zero)))


@functools.cache
def reference_problem(number, loss):
    """The problem in long double, and its least J; which is not known of a loss that is not convex."""
    X, y, weight, parameters, _ = problem(number)
    of = reference.Problem(loss, X, y, l2=parameters["l2"], weight=weight, fit_intercept=parameters["fit_intercept"])
    return of, None if loss == "softmax_mse" else of.value(reference.minimum(of))


def check_claims(number, loss, solvers=SOLVERS):
    """Compare what models say with the least value in long double; return how many say that they have converged."""
    X, y, weight, parameters, kinds = problem(number)
    of, least = reference_problem(number, loss)
    at_zero = of.value(np.zeros((of.hot.shape[1], X.shape[1] + 1), np.longdouble))
    claims = 0
    for solver in solvers:
        model = fitted(loss, solver, as_given(X, kinds), y, weight, **parameters)
        claims += model.converged_
        if not model.converged_:
            continue
        J = of.of(model.coef_, model.intercept_)
        if loss == "softmax_mse":  # a step of Gauss and Newton's from there gains no more
            least = of.value(reference.descend(of, of.point(model.coef_, model.intercept_), steps=1))
        told = f"{loss}, {solver}, problem {number}: {kinds}, {parameters}"
        assert above(least, J, parameters["tol"], at_zero) < 1 + 1e-3, told
        assert abs(above(model.objective_, J, parameters["tol"], at_zero)) < 0.1, told
    return claims


@pytest.mark.parametrize(
    ("solvers", "numbers"),
    [
        (SOLVERS[:3], SOME),
        pytest.param(SOLVERS[:3], MORE, marks=pytest.mark.slow),
        (SOLVERS[3:], SOME[:2]),
        pytest.param(SOLVERS[3:], range(2, 12), marks=pytest.mark.slow),
    ],
)
@each_loss
def test_no_false_claim(loss, solvers, numbers):
    claims = sum(check_claims(number, loss, solvers) for number in numbers)
    if "sgd" not in solvers:
        assert claims > 0.6 * len(numbers) * len(solvers)  # it is not that nothing is claimed


@pytest.mark.slow
@pytest.mark.timeout(900)
@each_loss
def test_no_false_claim_in_many_problems(loss):
    claims = sum(check_claims(number, loss, SOLVERS[1:3]) for number in range(12, 90))
    assert claims > 0.6 * 78 * 2


@pytest.mark.parametrize("loss", ["softmax", "sigmoid", "mse"])
def test_no_false_claim_by_conjugate_gradients(loss, monkeypatch):
    """As of problems that are too large for the whole Hessian."""
    monkeypatch.setattr(lbfgs, "affords_newton", lambda _: False)
    assert sum(check_claims(number, loss, ["lbfgs"]) for number in range(12)) > 4


# --- kinds, at sizes at which a sample is taken, or that are their own ------------------------------------------------


@functools.cache
def with_sentinels(seed):
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(20_000, 40)), rng.normal(size=40)
    w[3] = 2
    y = (X @ w + rng.normal(size=20_000) > 0).astype(int)
    rows = rng.choice(20_000, 200, replace=False)
    X[rows, 3], y[rows] = -9999, 0
    return X, y


@functools.cache
def with_outliers(seed, dtype):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20_000, 40))
    X[rng.choice(20_000, 3, replace=False), 7] = 1e20
    return X.astype(dtype), (X[:, 0] + X[:, 1] + rng.normal(size=20_000) > 0).astype(int)


@functools.cache
def least_of_two_classes(l2, data, *which):
    """J's least value of two classes' softmax on data(*which), by Newton's method on the difference d of their weights.

    The weights are d / 2 and -d / 2: their penalty is l2 |d|^2 / 2.
    """
    X, y = data(*which)
    X = X.astype(np.float64)
    scale = abs(X).max(axis=0)
    A, sign = np.column_stack([X / scale, np.ones(len(X))]), 2.0 * y - 1
    ridge = np.append(l2 / 2 / scale**2, 0)
    v = np.zeros(A.shape[1])

    def value(v):
        return np.logaddexp(0, -sign * (A @ v)).mean() + (ridge * v**2).sum()

    for _ in range(200):
        p = scipy.special.expit(-sign * (A @ v))
        gradient = -(sign * p) @ A / len(X) + 2 * ridge * v
        hessian = (A * (p * (1 - p) / len(X))[:, None]).T @ A + np.diag(2 * ridge)
        size = np.sqrt(np.diag(hessian))
        step = -np.linalg.lstsq(hessian / size / size[:, None], gradient / size, rcond=1e-15)[0] / size
        before = value(v)
        length = next((t for t in 0.5 ** np.arange(30) if value(v + t * step) < before), 0)
        v = v + length * step
        if value(v) > before * (1 - 1e-10):  # all steps that are left gain less than 200 such parts
            break
    return value(v)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton"])
@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("seed", first_of(3))
def test_sentinels_do_not_hide_what_is_left(loss, solver, seed):
    X, y = with_sentinels(seed)
    model = fitted(loss, solver, X, y, l2=1e-4)
    # The mean of two classes' logistic losses, with weights d and -d, is softmax's with 2 d: its penalty is 4 of these.
    least = least_of_two_classes(1e-4 if loss == "softmax" else 4e-4, with_sentinels, seed)
    assert model.converged_
    assert model.objective_ < least * (1 + 1e-4)
    assert model.score(X, y) > 0.94


@pytest.mark.parametrize("solver", ["auto", "newton"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", first_of(2))
def test_few_huge_values_in_any_row(dtype, solver, seed):
    model = fitted("softmax", solver, *with_outliers(seed, dtype))
    least = least_of_two_classes(1e-4, with_outliers, seed, dtype)
    assert model.objective_ < least * (1 + 1e-4) or not model.converged_
    assert model.objective_ < least * 1.001


def test_near_the_largest_float32_it_does_not_matter_where(rng):
    y = (rng.random(3000) < 0.5).astype(int)
    X = (rng.normal(size=(3000, 3)) + y[:, None]).astype(np.float32)
    found = []
    for row in (0, 1, 2, 1000):
        huge = X.copy()
        huge[row, 1] = 9.97e36
        found.append(fitted("softmax", "lbfgs", huge, y).objective_)
    assert np.ptp(found) < 0.01 * found[0]


YEARS, IS_LATE = np.arange(1985.0, 2015), (np.arange(30) > 14).astype(int)


@functools.cache
def least_of_years(loss):
    """J's least value, and at 0."""
    of = reference.Problem(loss, YEARS[:, None], IS_LATE, l2=1e-4)
    return float(of.value(reference.minimum(of))), float(of.value(np.zeros((2, 2), np.longdouble)))


@pytest.mark.parametrize("loss", ["softmax", "sigmoid", "mse", "softmax_mse", "squared_hinge"])
@pytest.mark.parametrize("empty", [0, 1023, 1024, 1500])
def test_sparse_columns_far_from_0(loss, empty):
    years = np.column_stack([YEARS, np.zeros((30, empty))])
    model = fitted(loss, "auto", scipy.sparse.csr_array(years), IS_LATE)
    assert model.converged_
    least, at_zero = least_of_years(loss)
    if loss == "softmax_mse":
        assert model.objective_ < 0.1 * at_zero
    else:
        assert above(least, model.objective_, 1e-4, at_zero) < 1


@pytest.mark.parametrize("solver", SOLVERS[:3])
def test_a_warm_start_that_is_worse_than_none(solver):
    X, y = np.arange(4.0)[:, None], np.array([0, 0, 1, 1])
    model = LinearClassifier(l2=0.01, solver=solver, warm_start=True).fit(X, y)
    cold = model.objective_
    for moved in (X + 1e4, X * -1e8, X):
        model.fit(moved, y)
        assert model.converged_
        of = reference.Problem("softmax", moved, y, l2=0.01)
        assert above(of.value(reference.minimum(of)), model.objective_, 1e-4, np.log(2)) < 1
    assert model.objective_ == pytest.approx(cold, rel=1e-4)


@pytest.mark.parametrize("loss", ["softmax", "squared_hinge", "crammer_singer"])
def test_rounding_leads_to_no_weights_that_all_classes_share(loss, rng, monkeypatch):
    """Only the penalty tells them from none, by so little that estimates of the curvature do not see it."""
    monkeypatch.setattr(lbfgs, "affords_newton", lambda _: False)
    X = rng.normal(size=(60, 5)).astype(np.float32)
    y = (X @ rng.normal(size=(5, 3))).argmax(axis=1)
    model = fitted(loss, "lbfgs", X, y, l2=1e-8, tol=1e-6)
    assert abs(model.coef_.mean(axis=0)).max() < 1e-11 * abs(model.coef_).max()


def test_scores_of_huge_products_that_cancel_are_no_proof():
    X = np.array([[1.0, 1.0, 0.0], [-1.0, -1.0, 1.0], [1.0, 1.0, 2.0], [-1.0, -1.0, 4.0]]) * [1e20, 1e20, 1.0]
    y = np.array([0, 0, 1, 1])
    W = np.array([[0.5, -0.5, -1.0], [-0.5, 0.5, 1.0]])
    batch = Batch("cross_entropy", np.zeros((4, 2)), label=y)
    objective = Objective(DenseRows(X, 1), LOSSES["softmax"], batch, Penalty(0.0), 0.25, True)
    value = objective.at(W, np.zeros(2)).value
    assert not rounding.value_of(objective, W, np.zeros(2), value, 1e-4, 1e-4)[1]
    W[:, :2] *= 1e-20
    assert rounding.value_of(objective, W, np.zeros(2), value, 1e-4, 1e-4) == (value, True)


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton"])
@pytest.mark.parametrize("n", [100, 2000])
def test_columns_that_depend_on_each_other_but_for_rounding(solver, n, rng):
    a, b = (rng.normal(size=(2, n)) * 3 + 5).astype(np.float32)
    X, y = np.column_stack([a, b, a + 2 * b]), (a + b + rng.normal(size=n) * 3 > 10).astype(int)
    model = fitted("softmax", solver, X, y, l2=0)
    of = reference.Problem("softmax", X, y, l2=0)
    J = float(of.of(model.coef_, model.intercept_))
    assert model.objective_ == pytest.approx(J, rel=1e-9)
    assert model.converged_
    assert float(of.value(reference.minimum(of))) * (1 + 1e-4) > J


@pytest.mark.parametrize("seed", [1, 11])
def test_more_sparse_features_than_rows_and_next_to_no_penalty(seed):
    rng = np.random.default_rng(seed)
    X = scipy.sparse.random_array((2000, 3000), density=0.005, random_state=rng, format="csr")
    y = (np.asarray(X @ rng.normal(size=(3000, 3))) + 0.5 * rng.gumbel(size=(2000, 3))).argmax(axis=1)
    A, Y = X.toarray(), np.eye(3)[y]  # ridge regression, by its dual
    A, Y = A - A.mean(axis=0), Y - Y.mean(axis=0)
    dual = np.linalg.solve(A @ A.T + 1e-8 * Y.size * np.eye(2000), Y)
    W = A.T @ dual
    least = ((A @ W - Y) ** 2).mean() + 1e-8 * (W**2).sum()
    for tol in (1e-3, 1e-4):
        model = fitted("mse", "auto", X, y, l2=1e-8, tol=tol)
        assert above(least, model.objective_, tol, 1 / 3) < 1 or not model.converged_, tol


def counts_of_words(rng):
    """Texts of 100 words of 5000, of ten topics."""
    topics, y = rng.dirichlet(np.full(5000, 0.05), 10), rng.integers(0, 10, 2000)
    return scipy.sparse.csr_array(np.array([rng.multinomial(100, topics[c]) for c in y], np.float64)), y


def separable_rows(rng):
    X = rng.normal(size=(5000, 80))
    return X, (X @ rng.normal(size=(80, 5))).argmax(axis=1)


def logistic_regression(data, seed, l2):
    """Drawn data, and J at scikit-learn's optimum."""
    X, y = data(np.random.default_rng(seed))
    peer = LogisticRegression(C=1 / (2 * l2 * len(y)), tol=1e-9, max_iter=1000, solver="newton-cg")
    proba = peer.fit(X.astype(float), y).predict_proba(X.astype(float))[np.arange(len(y)), y]
    return X, y, -np.log(proba).mean() + l2 * (peer.coef_**2).sum()


@pytest.mark.parametrize(("data", "seed", "l2"), [(counts_of_words, 2, 1e-4), (separable_rows, 0, 1e-6)])
def test_little_loss_is_told_from_none(data, seed, l2, monkeypatch):
    """Where J is small its curvature does not last: too far apart, differences of gradients say nothing of it."""
    monkeypatch.setattr(lbfgs, "affords_newton", lambda _: False)
    X, y, least = logistic_regression(data, seed, l2)
    for tol in (1e-2, 1e-3):
        model = fitted("softmax", "lbfgs", X, y, l2=l2, tol=tol)
        assert model.converged_, tol
        assert model.objective_ < least * (1 + tol), tol


def random_walks(rng):
    X = np.cumsum(rng.normal(size=(6000, 300)), axis=1) / 10
    scores = X @ rng.normal(size=(300, 10)) / 20 + 1.5 * rng.gumbel(size=(6000, 10))
    return X.astype(np.float32), scores.argmax(axis=1)


@pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 1))])
def test_small_tolerances_are_reached_where_features_are_alike(seed):
    """Conjugate gradients end in a few steps only where products with the Hessian are right to some digits.

    Here changes of variables in float32 round far more than what near gradients differ by.
    """
    X, y, least = logistic_regression(random_walks, seed, 1e-4)
    for tol in (1e-5, 1e-7, 1e-9, 1e-11):
        model = fitted("softmax", "lbfgs", X, y, l2=1e-4, tol=tol)
        assert model.converged_, tol
        assert model.n_iter_ <= 40, tol
        assert model.objective_ < least * (1 + tol), tol


# --- what is said where it has not ------------------------------------------------------------------------------------


def test_a_tolerance_beyond_float64_is_not_called_too_few_iterations(rng):
    y = rng.integers(0, 3, 300)
    X = rng.normal(size=(300, 4)) + y[:, None]
    model = LinearClassifier("hinge", tol=0, solver="lbfgs")
    with pytest.warns(ConvergenceWarning, match="neither made J less nor showed") as told:
        model.fit(X, y)
    assert "raise max_iter" not in str(told[0].message)
    assert model.n_iter_ < model.max_iter


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
def test_labels_that_all_rows_have_or_none(solver, rng):
    X = rng.normal(size=(60, 3))
    Y = np.column_stack([np.ones(60), X[:, 0] > 0, np.zeros(60)]).astype(int)
    model = LinearClassifier("sigmoid", class_weight="balanced", l2=0.01, solver=solver).fit(X, Y)
    predicted = model.predict(X)
    assert predicted[:, 0].all()
    assert not predicted[:, 2].any()
    assert (predicted[:, 1] == Y[:, 1]).mean() > 0.9


def test_logarithms_of_probabilities_keep_their_digits():
    model = LinearClassifier("softmax", l2=0).fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    model.coef_, model.intercept_ = np.array([[1.0], [0.0], [-1.0]]), np.zeros(3)
    found = model.predict_log_proba([[500.0]])
    np.testing.assert_allclose(found, scipy.special.log_softmax([[500.0, 0.0, -500.0]], axis=1), rtol=1e-15)
    model = LinearClassifier("sigmoid").fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    model.coef_, model.intercept_ = np.zeros((3, 1)), np.array([-850.0, -800.0, -920.0])
    np.testing.assert_allclose(model.predict_log_proba([[0.0]]), [[-50, 0, -120]], atol=1e-12)
    np.testing.assert_allclose(model.predict_proba([[0.0]]), np.exp([[-50, 0, -120]]), rtol=1e-12)


@pytest.mark.parametrize(
    ("seed", "n", "d", "l2", "kind"),  # such that steps would end at kinks, if they were not looked behind
    [(62, 40, 10, 1e-6, "all"), (45, 240, 6, 1e-6, "times"), (62, 30, 8, 1e-4, "all")],
)
def test_one_row_of_huge_values(seed, n, d, l2, kind):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = (X @ rng.normal(size=(d, 5)) + rng.normal(size=(n, 5))).argmax(1)
    X[7] = 1e8 if kind == "all" else 1e8 * X[7]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what it says of where it ends is for other tests
        model = LinearClassifier("squared_hinge", l2=l2, solver="newton").fit(X, y)
    exact = reference.Problem("squared_hinge", X, y, l2=l2)
    assert exact.of(model.coef_, model.intercept_) <= exact.value(reference.minimum(exact)) * (1 + 1e-6)
