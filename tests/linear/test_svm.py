"""Multiclass SVMs by their dual problem: optima of quadratic programmes and of liblinear, and proofs that hold."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
import reference_svm as reference
import scipy.sparse
from names import DTYPES
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from fastclf import LinearClassifier
from fastclf.linear import dual, fitting, multipliers

each_loss = pytest.mark.parametrize("loss", ["hinge", "crammer_singer"])
each_hinge = pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "crammer_singer"])
each_intercept = pytest.mark.parametrize("fit_intercept", [False, True])

# rows, features, classes, how far the classes are apart
SHAPES = {
    "overlapping": (120, 4, 3, 0.5),
    "apart": (60, 5, 4, 6.0),
    "wide": (15, 60, 3, 0.2),
    "two classes": (50, 3, 2, 1.0),
    "few rows": (4, 2, 3, 1.0),
}
each_shape = pytest.mark.parametrize("shape", SHAPES)

# Which part of the solver does it: the method of multipliers alone, coordinate ascent alone, or what is chosen.
WAYS = {"chosen": None, "multipliers": (0, 10**6), "ascent": (1 << 40, 0)}
each_way = pytest.mark.parametrize("way", WAYS)


def go(way, monkeypatch):
    if WAYS[way]:
        many, beginning = WAYS[way]
        monkeypatch.setattr(dual, "_MANY_VALUES", many)
        monkeypatch.setattr(dual, "_BEGINNING", beginning)


@functools.cache
def rows(shape, seed=0):
    n, d, classes, apart = SHAPES[shape]
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return rng.normal(size=(n, d)) + apart * rng.normal(size=(classes, d))[y] + 3, y


@functools.cache
def least(loss, shape, l2, fit_intercept):
    return reference.least(loss, *rows(shape), l2=l2, fit_intercept=fit_intercept)


def fitted(X, y, *given, **parameters):
    """A model, whether it has converged or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LinearClassifier(**parameters).fit(X, y, *given)


@each_hinge
@each_intercept
@each_shape
@each_way
@pytest.mark.parametrize("l2", [1e-1, 1e-3])
def test_optima_are_those_of_quadratic_programmes(loss, fit_intercept, shape, way, l2, monkeypatch):
    go(way, monkeypatch)
    X, y = rows(shape)
    model = fitted(X, y, loss=loss, l2=l2, fit_intercept=fit_intercept, solver="dual", tol=1e-5)
    J = reference.objective(loss, X, y, model.coef_, model.intercept_, l2=l2)
    best = least(loss, shape, l2, fit_intercept)
    at_zero = 1.0 if loss == "crammer_singer" else y.max()
    assert model.objective_ == pytest.approx(J, rel=1e-10)
    assert best - 1e-8 < J
    assert model.converged_ or way != "chosen"
    assert J - best < 1e-5 * max(J, 1e-3 * at_zero) + 1e-8 or not model.converged_
    assert fit_intercept or not model.intercept_.any()


@each_loss
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_rows_far_from_zero_without_an_intercept(loss, dtype, monkeypatch):
    """What rounding takes from their scores would hide which steps lead down."""
    go("multipliers", monkeypatch)
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(3000, 60))
    y = (Z @ rng.normal(size=(60, 4)) / 8 + 0.5 * rng.normal(size=(3000, 4))).argmax(axis=1)
    X, l2 = ((3e3 + 30 * Z).astype(dtype), 2.7) if dtype == "float32" else ((240 + 2 * Z).astype(dtype), 0.012)
    model = LinearClassifier(loss, l2=l2, fit_intercept=False, solver="dual", random_state=0).fit(X, y)
    assert model.converged_
    far = fitted(X.astype("float64"), y, loss=loss, l2=l2, fit_intercept=False, solver="dual", random_state=0)
    assert model.objective_ == pytest.approx(far.objective_, rel=2e-4)


@each_loss
def test_rows_that_do_not_count_may_be_far_off(loss, monkeypatch):
    """As in float64: where they are has no part in what is subtracted."""
    go("multipliers", monkeypatch)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 20)).astype("float32")
    y = (X @ rng.normal(size=(20, 4)) / 6 + 0.5 * rng.normal(size=(2000, 4))).argmax(axis=1)
    far = np.arange(len(y)) % 10 == 0
    X[far] = 1e8 * (1 + X[far])
    model = LinearClassifier(loss, l2=0.01, fit_intercept=False, solver="dual", random_state=0).fit(X, y, 1.0 - far)
    assert model.converged_
    alone = fitted(X[~far].astype(float), y[~far], loss=loss, l2=0.01, fit_intercept=False, solver="dual")
    assert model.objective_ == pytest.approx(alone.objective_, rel=2e-4)


@each_hinge
@each_intercept
@each_way
def test_margins_and_weights(loss, fit_intercept, way, rng, monkeypatch):
    go(way, monkeypatch)
    X, y = rows("overlapping")
    margin, weight = np.array([[9, 1, 3], [0.5, 9, 1], [2, 0, 9.0]]), rng.integers(0, 3, len(y)) * rng.random(len(y))
    model = fitted(
        X, y, weight, loss=loss, l2=0.01, margin=margin, fit_intercept=fit_intercept, solver="dual", tol=1e-6
    )
    J = reference.objective(loss, X, y, model.coef_, model.intercept_, l2=0.01, margin=margin, weight=weight)
    best = reference.least(loss, X, y, l2=0.01, margin=margin, weight=weight, fit_intercept=fit_intercept)
    assert model.converged_ or way != "chosen"
    assert -1e-8 < J - best < (1e-6 if model.converged_ else 1e-2) * J + 1e-8


@each_hinge
@each_intercept
@each_way
@pytest.mark.parametrize("shape", ["overlapping", "apart", "wide"])
def test_what_is_proven_is_so(loss, fit_intercept, way, shape, monkeypatch):
    """Of weights that are far from the optimum, too."""
    go(way, monkeypatch)
    for max_iter in (1, 3, 10):
        check_what_is_proven(loss, fit_intercept, way, max_iter, shape)


def check_what_is_proven(loss, fit_intercept, way, max_iter, shape):
    X, y = rows(shape)
    model = fitted(X, y, loss=loss, l2=1e-3, fit_intercept=fit_intercept, solver="dual", max_iter=max_iter)
    J = reference.objective(loss, X, y, model.coef_, model.intercept_, l2=1e-3)
    above = J - least(loss, shape, 1e-3, fit_intercept)
    gap = model.duality_gap(X, y)
    assert above < gap + 1e-8
    assert gap < above + 1e-5 * max(J, 1e-3) or way != "chosen"
    at_zero = 1.0 if loss == "crammer_singer" else y.max()
    assert above < 1e-4 * max(J, 1e-3 * at_zero) + 1e-8 or not model.converged_
    assert model.n_iter_ <= max_iter


@functools.cache
def wide_rows(n):
    """Sparse rows of 1100 features and 2 classes: more weights than the whole Hessian is computed for."""
    rng = np.random.default_rng(4)
    X = scipy.sparse.random_array((n, 1100), density=0.02, rng=rng, format="csr")
    return X, rng.integers(0, 2, n)


def no_ascent(*_):
    raise AssertionError("swept")


@each_intercept
@pytest.mark.parametrize("rounds", [100, 1], ids=["ascent", "L-BFGS after a round"])
def test_squared_hinges_of_few_rows(fit_intercept, rounds, monkeypatch):
    monkeypatch.setattr(fitting, "_MOST_ROUNDS", rounds)
    X, y = wide_rows(60)
    model = LinearClassifier("squared_hinge", l2=1e-3, fit_intercept=fit_intercept, tol=1e-6).fit(X, y)
    best = reference.least("squared_hinge", X.toarray(), y, l2=1e-3, fit_intercept=fit_intercept)
    assert model.converged_
    assert -1e-8 < model.objective_ - best < 2e-6 * max(best, 1e-3)
    assert model.n_iter_ < (40 if rounds > 1 else 400)


def test_squared_hinges_of_more_rows_than_features_are_not_swept(monkeypatch):
    monkeypatch.setattr(dual, "ascend", no_ascent)
    LinearClassifier("squared_hinge").fit(*wide_rows(1101))
    with pytest.raises(AssertionError, match="swept"):
        LinearClassifier("squared_hinge").fit(*wide_rows(1100))


@each_loss
@pytest.mark.parametrize("l2", [1e-3, 1e-4])
@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")  # of older versions; what counts is where it ends
def test_digits_are_liblinears(loss, l2):
    X, y = load_digits(return_X_y=True)
    X = X / 16
    model = LinearClassifier(loss, l2=l2, fit_intercept=False, tol=1e-8).fit(X, y)
    assert model.converged_
    assert model.duality_gap(X, y) < 1e-7 * model.objective_
    if loss == "crammer_singer":
        C = 1 / (2 * l2 * len(y))
        peer = LinearSVC(C=C, multi_class=loss, fit_intercept=False, tol=1e-6, max_iter=10**5, random_state=0).fit(X, y)
        theirs = reference.objective(loss, X, y, peer.coef_, np.zeros(10), l2=l2)
        assert model.objective_ == pytest.approx(theirs, rel=1e-5)


@each_hinge
@each_intercept
@each_way
@pytest.mark.parametrize("dtype", DTYPES)
def test_forms_of_rows(loss, fit_intercept, dtype, way, rng, monkeypatch):
    go(way, monkeypatch)
    y = np.arange(80) % 3
    X = np.clip(rng.integers(0, 60, (80, 6)) + 30 * y[:, None] * (rng.random(6) < 0.5), 0, 255).astype(dtype)
    l2 = 5.0
    best = reference.least(loss, X, y, l2=l2, fit_intercept=fit_intercept)
    for given in (X, scipy.sparse.csr_array(X)):
        model = fitted(given, y, loss=loss, l2=l2, fit_intercept=fit_intercept, solver="dual")
        J = reference.objective(loss, X, y, model.coef_, model.intercept_, l2=l2)
        assert model.converged_ or way != "chosen"
        assert -1e-8 < J - best < (1e-4 if model.converged_ else 1e-2) * J + 1e-8


@each_hinge
@each_way
def test_equal_bytes_for_any_threads(loss, way, rng, monkeypatch):
    go(way, monkeypatch)
    X = rng.normal(size=(700, 300)).astype(np.float32)
    y = (X[:, :4] + rng.normal(size=(700, 4))).argmax(axis=1)
    models = [
        fitted(X, y, loss=loss, l2=0.05, solver="dual", max_iter=12, random_state=0, n_threads=n) for n in (1, 2, 5)
    ]
    assert len({model.coef_.tobytes() + model.intercept_.tobytes() for model in models}) == 1


@each_hinge
def test_a_row_twice_is_a_row_of_twice_the_weight(loss):
    X, y = rows("overlapping")
    weight = np.ones(len(y))
    weight[::3] = 2
    twice = np.repeat(np.arange(len(y)), weight.astype(int))
    one = fitted(X, y, weight, loss=loss, l2=0.01, solver="dual", tol=1e-7)
    other = fitted(X[twice], y[twice], loss=loss, l2=0.01, solver="dual", tol=1e-7)
    assert one.converged_
    assert other.converged_
    assert one.objective_ == pytest.approx(other.objective_, rel=2e-7)


@each_hinge
@each_way
def test_rows_of_zeros_and_constant_features(loss, way, monkeypatch):
    go(way, monkeypatch)
    y = np.array([0, 0, 0, 1, 1, 2])
    for X in (np.zeros((6, 2)), np.ones((6, 1))):
        model = fitted(X, y, loss=loss, l2=0.1, solver="dual")
        J = reference.objective(loss, X, y, model.coef_, model.intercept_, l2=0.1)
        assert J - reference.least(loss, X, y, l2=0.1) < 1e-4 * J + 1e-8 or not model.converged_
    model = fitted(np.zeros((6, 2)), y, loss=loss, l2=0.1, solver="dual", fit_intercept=False)
    assert not model.coef_.any()
    assert model.objective_ == (1 if loss == "crammer_singer" else 2)


@each_hinge
@each_intercept
@pytest.mark.parametrize("is_sparse", [False, True])
def test_rows_of_zeros_among_few(loss, fit_intercept, is_sparse, rng):
    """Whatever the weights, their scores are the intercepts."""
    X, y = rng.normal(size=(40, 80)) * (rng.random((40, 80)) < 0.5), rng.integers(0, 3, 40)
    X[[0, 7, 20]] = 0
    given = scipy.sparse.csr_array(X) if is_sparse else X
    model = LinearClassifier(loss, l2=0.1, fit_intercept=fit_intercept, solver="dual", tol=1e-6).fit(given, y)
    best = reference.least(loss, X, y, l2=0.1, fit_intercept=fit_intercept)
    assert model.converged_
    assert -1e-8 < model.objective_ - best < 1e-6 * model.objective_ + 1e-8
    assert model.duality_gap(given, y) < 1e-5


@each_loss
@each_intercept
@pytest.mark.parametrize("form", ["float64", "bytes far from 0", "sparse"])
def test_gradients_are_whole_where_multipliers_change(loss, fit_intercept, form, rng, monkeypatch):
    """Also those of rows that are not read, as their dual variables stay."""
    go("multipliers", monkeypatch)
    Z, weight, l2 = rng.normal(size=(600, 20)), np.arange(600) % 3 / 2, 0.01
    X = {
        "float64": Z,
        "bytes far from 0": (240 + 2 * Z).astype(np.uint8),
        "sparse": scipy.sparse.csr_array(np.where(Z > 0.5, Z, 0)),
    }[form]
    again, errors = multipliers._Multipliers._again, []

    def compared(self, here):
        found = again(self, here)
        slopes = found.a * (weight / weight.sum())[:, None]
        of_W = (self._svm.rows(slice(None)).T @ slopes).T + 2 * l2 * found.point.W
        of_b = slopes.sum(axis=0) if fit_intercept else 0
        errors.append(max(abs(found.point.of_W - of_W).max(), abs(found.point.of_b - of_b).max()))
        return found

    monkeypatch.setattr(multipliers._Multipliers, "_again", compared)
    y = (Z[:, :4] + rng.normal(size=(600, 4))).argmax(axis=1)
    model = LinearClassifier(loss, l2=l2, fit_intercept=fit_intercept, solver="dual", max_iter=40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, weight)
    assert errors
    assert max(errors) < (1e-10 if form != "bytes far from 0" else 1e-5)


@pytest.mark.parametrize("loss", ["softmax", "mse"])
def test_other_losses_have_no_dual_solver(loss):
    with pytest.raises(ValueError, match=f"loss must be one of .* with solver='dual', got '{loss}'"):
        LinearClassifier(loss, solver="dual").fit([[0.0], [1.0]], [0, 1])


@each_hinge
def test_there_is_no_dual_problem_without_a_penalty_or_of_huge_values(loss):
    with pytest.raises(ValueError, match="l2 must be greater than 0 with solver='dual', got 0"):
        LinearClassifier(loss, solver="dual", l2=0).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="X must have values below 1e\\+150 with solver='dual'"):
        LinearClassifier(loss, solver="dual").fit([[0.0], [1e200]], [0, 1])
