"""Optima of LinearClassifier: those of independent solvers, for every loss and solver; proofs, scales, forms of X."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import reference_linear as reference
import scipy.optimize
import scipy.sparse
from names import each_dtype
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from fastclf import LinearClassifier

LOSSES = tuple(reference.KERNELS)
SMOOTH = [loss for loss in LOSSES if loss not in ("hinge", "crammer_singer")]
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_solver = pytest.mark.parametrize("solver", ["newton", "lbfgs"])


def blobs(rng, n=120, d=5, classes=3):
    """Rows around a point for each class, that overlap; features of different scale and offset."""
    y = rng.integers(0, classes, n)
    X = rng.normal(size=(classes, d))[y] * 1.5 + rng.normal(size=(n, d))
    return X * 10.0 ** np.arange(d) / 100 + 7, y


def value(model, X, y, **options):
    """J at the model's weights, by the reference."""
    margin = model.margin if model.loss in reference.HINGES else 1.0
    found = reference.objective(model.loss, X, y, model.coef_, model.intercept_, l2=model.l2, margin=margin, **options)
    return float(found[0])


# --- independent solvers ----------------------------------------------------------------------------------------------


@functools.cache
def multinomial(data, l2):
    X, y = data(return_X_y=True)
    X = X / X.max()
    peer = LogisticRegression(C=1 / (2 * l2 * len(X)), tol=1e-10, max_iter=10000, solver="newton-cg").fit(X, y)
    return X, y, peer.coef_, peer.intercept_


@each_solver
@pytest.mark.parametrize("data", [load_iris, load_wine, load_digits])
def test_softmax_is_multinomial_logistic_regression(data, solver):
    l2 = 1e-3
    X, y, W, b = multinomial(data, l2)
    ours = LinearClassifier(l2=l2, solver=solver, tol=1e-8).fit(X, y)
    best = float(reference.objective("softmax", X, y, W, b, l2=l2)[0])
    assert ours.converged_
    assert abs(ours.objective_ - best) < 1e-7
    assert abs(value(ours, X, y) - ours.objective_) < 1e-10
    np.testing.assert_allclose(ours.coef_, W, atol=0.02 * abs(W).max())


@functools.cache
def liblinears(data, l2):
    X, y = data(return_X_y=True)
    X, C = StandardScaler().fit_transform(X), 1 / (2 * l2 * len(y))
    peer = LinearSVC(C=C, multi_class="crammer_singer", fit_intercept=False, tol=1e-10, max_iter=10**6).fit(X, y)
    return X, y, peer.coef_


@each_solver
@pytest.mark.parametrize("data", [load_iris, load_wine])
def test_crammer_singer_is_liblinears(data, solver):
    l2 = 1e-2
    X, y, W = liblinears(data, l2)
    ours = LinearClassifier("crammer_singer", l2=l2, solver=solver, tol=1e-6, max_iter=10000, fit_intercept=False)
    ours.fit(X, y)
    best = float(reference.objective("crammer_singer", X, y, W, np.zeros(3), l2=l2)[0])
    assert ours.converged_
    assert abs(value(ours, X, y) - best) < 1e-5
    assert not ours.intercept_.any()


def by_quadratic_programme(X, y, margins, l2):
    """Weston and Watkins' optimum: least l2 |W|^2 + mean of slacks, slacks at least 0 and each term."""
    n, d, classes = len(X), X.shape[1], len(margins)
    pairs = [(i, j) for i in range(n) for j in range(classes) if j != y[i]]
    width = classes * (d + 1)
    A = np.zeros((len(pairs), width + len(pairs)))
    for row, (i, j) in enumerate(pairs):
        for sign, c in ((1, y[i]), (-1, j)):
            A[row, c * (d + 1) : (c + 1) * (d + 1)] = sign * np.append(X[i], 1)
        A[row, width + row] = 1
    at_least = np.array([margins[y[i], j] for i, j in pairs])
    penalised = np.concatenate([np.tile(np.append(np.ones(d), 0), classes), np.zeros(len(pairs))])
    slack = np.concatenate([np.zeros(width), np.full(len(pairs), 1 / n)])
    found = scipy.optimize.minimize(
        lambda v: l2 * (penalised * v) @ v + slack @ v,
        np.concatenate([np.zeros(width), at_least]),
        jac=lambda v: 2 * l2 * penalised * v + slack,
        bounds=[(None, None)] * width + [(0, None)] * len(pairs),
        constraints={"type": "ineq", "fun": lambda v: A @ v - at_least, "jac": lambda _: A},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    assert found.success, found.message
    return found.fun


@each_solver
def test_hinge_with_a_margin_matrix_is_a_quadratic_programme(solver, rng):
    X, y = blobs(rng, 30, 2)
    X = StandardScaler().fit_transform(X)
    margins = np.array([[0, 1, 3], [0.5, 0, 1], [2, 1, 0.0]])
    best = by_quadratic_programme(X, y, margins, 0.02)
    model = LinearClassifier("hinge", margin=margins, l2=0.02, solver=solver, tol=1e-6, max_iter=10000).fit(X, y)
    assert model.converged_
    assert best - 1e-9 < value(model, X, y) < best + 1e-5


def test_mse_is_ridge_regression_on_labels(rng):
    X, y = blobs(rng)
    l2, classes = 0.01, 3
    theirs = RidgeClassifier(alpha=l2 * len(X) * classes).fit(X, y)  # of +1 and -1: twice our scores, less 1
    ours = LinearClassifier("mse", l2=l2).fit(X, y)
    np.testing.assert_allclose(2 * ours.decision_function(X) - 1, theirs.decision_function(X), atol=1e-7)


def test_sigmoid_is_a_logistic_regression_for_each_label(rng):
    X, _ = blobs(rng)
    Y = (X @ rng.normal(size=(5, 4)) / X.std() + rng.normal(size=(len(X), 4)) > 0).astype(int)
    l2 = 1e-3
    ours = LinearClassifier("sigmoid", l2=l2, tol=1e-9).fit(X, Y)
    for label in range(4):
        theirs = LogisticRegression(C=1 / (2 * l2 * 4 * len(X)), tol=1e-10, max_iter=10**4, solver="newton-cg")
        theirs.fit(X, Y[:, label])
        np.testing.assert_allclose(ours.predict_proba(X)[:, label], theirs.predict_proba(X)[:, 1], atol=1e-5)
    assert ours.predict(X).tolist() == (ours.decision_function(X) > 0).astype(int).tolist()


# --- the optimum is one, however it is found --------------------------------------------------------------------------


@each_solver
@each_loss
def test_the_gradient_is_0_at_the_optimum(loss, solver, rng):
    X, y = blobs(rng)
    X = StandardScaler().fit_transform(X)
    weight = rng.random(len(X))
    model = LinearClassifier(loss, l2=0.01, solver=solver, tol=1e-7, max_iter=20000).fit(X, y, weight)
    assert model.converged_
    assert abs(value(model, X, y, weight=weight) - model.objective_) < 1e-9
    if loss in SMOOTH:
        _, of_W, of_b = reference.objective(loss, X, y, model.coef_, model.intercept_, l2=0.01, weight=weight)
        assert max(abs(of_W).max(), abs(of_b).max()) < 3e-4


@each_loss
def test_solvers_agree_at_any_scale_and_offset(loss, rng):
    X, y = blobs(rng)
    found = [
        LinearClassifier(loss, l2=1e-3, solver=solver, tol=1e-5, max_iter=20000).fit(X, y)
        for solver in ("newton", "lbfgs")
    ]
    assert [model.converged_ for model in found] == [True, True]
    assert found[1].objective_ == pytest.approx(found[0].objective_, rel=1e-3)


@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_bytes_are_fitted_as_what_they_stand_for(loss):
    """The same problem in other units takes as many iterations, up to rounding, and has the same answers."""
    X, y = load_digits(return_X_y=True)
    X8 = (X * 15).astype(np.uint8)
    units = LinearClassifier(loss, l2=1e-3, solver="lbfgs", random_state=0).fit(X8.astype(np.float32) / 255, y)
    bytes_ = LinearClassifier(loss, l2=1e-3 * 255**2, solver="lbfgs", random_state=0).fit(X8, y)
    assert bytes_.objective_ == pytest.approx(units.objective_, rel=1e-4)
    assert abs(bytes_.n_iter_ - units.n_iter_) <= 0.2 * units.n_iter_ + 1
    assert np.mean(bytes_.predict(X8) == units.predict(X8.astype(np.float32) / 255)) > 0.999


def test_without_a_penalty_no_gap_is_known(rng):
    X, y = blobs(rng)
    assert LinearClassifier("mse", l2=0, fit_intercept=False).fit(X, y).duality_gap(X, y) == np.inf


@each_loss
def test_the_duality_gap_bounds_the_distance(loss, rng):
    X, y = blobs(rng)
    X = StandardScaler().fit_transform(X)
    for fit_intercept in (False, True):
        options = {"loss": loss, "l2": 0.01, "fit_intercept": fit_intercept}
        best = LinearClassifier(**options, solver="newton", tol=1e-9, max_iter=5000).fit(X, y)
        rough = LinearClassifier(**options, solver="lbfgs", tol=0.03).fit(X, y)
        known = loss != "softmax_mse" and not (fit_intercept and loss in ("mse", "sigmoid"))
        for model in (best, rough):
            gap = model.duality_gap(X, y)
            assert np.isfinite(gap) == known
            assert gap >= value(model, X, y) - best.objective_ - 1e-9
        if known:
            assert best.duality_gap(X, y) < (1e-9 if loss in SMOOTH else 0.1 * best.objective_)


# --- forms of X -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["softmax", "hinge", "sigmoid"])
@each_dtype
@each_solver
def test_sparse_rows_are_fitted_as_dense_ones(dtype, loss, solver, rng):
    dense = (rng.integers(0, 9, (90, 12)) * (rng.random((90, 12)) < 0.4)).astype(dtype)
    y = dense[:, :3].argmax(axis=1)
    tol = 1e-3 if (loss, solver) == ("hinge", "lbfgs") else 1e-6
    model = LinearClassifier(loss, l2=0.01, tol=tol, max_iter=5000, solver=solver)
    objective, scores = model.fit(dense, y).objective_, model.decision_function(dense)
    for form in (scipy.sparse.csr_matrix, scipy.sparse.csr_array, scipy.sparse.coo_array, scipy.sparse.csc_array):
        assert model.fit(form(dense), y).objective_ == pytest.approx(objective, rel=10 * tol)
        assert (model.decision_function(form(dense)).argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.97
        np.testing.assert_allclose(model.decision_function(form(dense)), model.decision_function(dense), atol=1e-12)


@each_solver
def test_sparse_values_that_come_twice_are_added(solver, rng):
    half = rng.integers(100, 255, (80, 4)).astype(np.uint8)
    y = (half[:, 0] + rng.normal(size=80) * 40 > 180).astype(int)
    columns, starts = np.tile(np.repeat(np.arange(4), 2), 80), np.arange(81) * 8
    twice = scipy.sparse.csr_array((np.repeat(half, 2, axis=1).ravel(), columns, starts), shape=(80, 4))
    model = LinearClassifier(solver=solver, l2=1.0, tol=1e-6).fit(twice, y)
    assert twice.nnz == 640
    assert model.objective_ == pytest.approx(LinearClassifier(l2=1.0, tol=1e-6).fit(2.0 * half, y).objective_, rel=1e-4)
    np.testing.assert_allclose(model.decision_function(twice), model.decision_function(2.0 * half), rtol=1e-12)


@pytest.mark.parametrize("form", [scipy.sparse.coo_array, scipy.sparse.csr_array, scipy.sparse.csc_array])
def test_sparse_bytes_that_come_twice_do_not_wrap(form):
    places = [0, 0, 1], [0, 0, 1]
    twice = scipy.sparse.coo_array((np.array([200, 100, 3], np.uint8), places), shape=(2, 2))
    X = twice
    if form is not scipy.sparse.coo_array:
        X = form((twice.data, np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
    model = LinearClassifier(l2=0.01).fit(X, [0, 1])
    expected = LinearClassifier(l2=0.01).fit(np.array([[300.0, 0], [0, 3]]), [0, 1])
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.decision_function(X), expected.decision_function([[300.0, 0], [0, 3]]), rtol=1e-6)


def test_sparse_columns_that_do_not_exist_are_refused(rng):
    bad = scipy.sparse.csr_array(rng.normal(size=(30, 5)))
    bad.indices[3] = 77
    with pytest.raises(ValueError, match="ind"):
        LinearClassifier().fit(bad, np.arange(30) % 3)


def test_many_sparse_columns(rng):
    X = scipy.sparse.random_array((400, 3000), density=0.01, format="csr", random_state=rng, dtype=np.float32)
    y = np.asarray(X @ rng.normal(size=(3000, 3))).argmax(axis=1)
    ours = LinearClassifier(l2=1e-3, tol=1e-7).fit(X, y)
    theirs = LogisticRegression(C=1 / (2 * 1e-3 * 400), tol=1e-10, max_iter=10**4).fit(X.astype(float), y)
    best = reference.objective("softmax", X.toarray(), y, theirs.coef_, theirs.intercept_, l2=1e-3)[0]
    assert abs(ours.objective_ - float(best)) < 1e-5


@pytest.mark.parametrize("shape", [(300, 900), (120, 7000), (900, 800)], ids=str)
def test_more_features_than_rows(shape, rng):
    X = rng.normal(size=(shape[0], 20)) @ rng.normal(size=(20, shape[1])) + rng.normal(size=shape)
    y = (X[:, :3]).argmax(axis=1)
    model = LinearClassifier(l2=1e-2, tol=1e-6, solver="lbfgs").fit(X, y)
    _, of_W, _ = reference.objective("softmax", X, y, model.coef_, model.intercept_, l2=1e-2)
    assert model.converged_
    assert model.n_iter_ < 100
    assert float(np.sum(of_W**2)) / (4 * 1e-2) < 1e-3 * model.objective_  # strong convexity: a bound on J - J*


def test_float32_far_from_0(rng):
    X, y = blobs(rng, 500)
    X = StandardScaler().fit_transform(X)
    near = LinearClassifier(l2=1e-3).fit(X, y)
    far = LinearClassifier(l2=1e-3, solver="lbfgs").fit((X + 1000).astype(np.float32), y)
    assert far.objective_ == pytest.approx(near.objective_, rel=1e-3)
    assert (far.predict((X + 1000).astype(np.float32)) == near.predict(X)).mean() > 0.99


def test_rows_mapped_from_a_file(tmp_path, rng):
    X, y = load_digits(return_X_y=True)
    mapped = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.uint8, X.shape)
    mapped[:] = X
    model = LinearClassifier(l2=1e-3).fit(np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    assert model.objective_ == LinearClassifier(l2=1e-3).fit(X.astype(np.uint8), y).objective_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("loss", ["softmax", "hinge"])
def test_threads_change_nothing_that_matters(loss):
    X, y = load_digits(return_X_y=True)
    X, y = np.tile(X, (4, 1)).astype(np.float32), np.tile(y, 4)  # so many that there is work for two threads
    model = LinearClassifier(loss, l2=1e-2, solver="lbfgs", max_iter=20, random_state=0)
    objectives = [model.set_params(n_threads=n).fit(X, y).objective_ for n in (1, 2)]
    assert objectives[0] == pytest.approx(objectives[1], rel=1e-3)
    scores = [model.set_params(n_threads=n).decision_function(X) for n in (1, 2)]
    assert scores[0].tobytes() == scores[1].tobytes()


# --- honesty ----------------------------------------------------------------------------------------------------------


@each_solver
@pytest.mark.parametrize("container", [np.ascontiguousarray, scipy.sparse.csr_array])
def test_features_that_say_nothing_end_a_fit(container, solver):
    model = LinearClassifier(solver=solver).fit(container(np.zeros((30, 3))), np.arange(30) % 3)
    assert model.converged_
    assert model.n_iter_ < 20
    assert model.objective_ == pytest.approx(np.log(3))


def test_no_terms_no_iterations(rng):
    X, y = blobs(rng)
    for loss in ("hinge", "crammer_singer"):
        model = LinearClassifier(loss, margin=0.0, solver="lbfgs").fit(X, y)
        assert (model.objective_, model.n_iter_, model.converged_) == (0, 0, True)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "sgd"])
def test_a_fit_that_does_not_converge_says_so(solver, rng):
    X, y = blobs(rng)
    model = LinearClassifier("hinge", solver=solver, max_iter=2, tol=1e-9, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"after 2 iterations \(max_iter=2\)"):
        model.fit(X, y)
    assert not model.converged_
    assert model.n_iter_ == len(model.loss_curve_) == 2


@each_solver
def test_a_warm_start_begins_where_it_ended(solver, rng):
    X, y = blobs(rng)
    model = LinearClassifier(solver=solver, warm_start=True, l2=0.01).fit(X, y)
    cold, objective = model.n_iter_, model.objective_
    model.fit(X, y)
    assert model.n_iter_ < cold
    assert model.objective_ <= objective * (1 + 1e-6)


@each_loss
def test_balanced_classes_count_the_same(loss, rng):
    X, y = blobs(rng, 200)
    X = StandardScaler().fit_transform(X)
    counts = np.bincount(y)
    named = {c: len(y) / (3 * n) for c, n in enumerate(counts)}
    models = [LinearClassifier(loss, l2=0.01, class_weight=w, tol=1e-9).fit(X, y) for w in ("balanced", named)]
    repeated = LinearClassifier(loss, l2=0.01, tol=1e-9).fit(X, y, [named[c] for c in y])
    for model in models:
        np.testing.assert_allclose(model.coef_, repeated.coef_, atol=1e-6)


def test_weights_of_positive_labels(rng):
    X, _ = blobs(rng)
    X = StandardScaler().fit_transform(X)
    Y = (X[:, :2] + rng.normal(size=(len(X), 2)) > 1).astype(int)
    plain, heavy = (LinearClassifier("sigmoid", class_weight=w, tol=1e-8).fit(X, Y) for w in (None, {0: 5.0}))
    again = np.concatenate([np.arange(len(X)), np.repeat(np.flatnonzero(Y[:, 0]), 4)])
    # A label weighs 5 where it is there: as if these rows were there five times, for that label alone.
    theirs = LogisticRegression(C=1 / (2 * 1e-4 * 2 * len(X)), tol=1e-10, max_iter=10**4).fit(X[again], Y[again, 0])
    np.testing.assert_allclose(heavy.coef_[0], theirs.coef_[0], atol=1e-3 * abs(theirs.coef_).max())
    np.testing.assert_allclose(heavy.coef_[1], plain.coef_[1], atol=1e-5)
