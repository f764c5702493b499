"""LinearClassifier by mini-batches: near the optimum, for features of any scale, seen late or rarely, sparse."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from sklearn.preprocessing import StandardScaler
from test_linear import blobs, each_loss, value

from fastclf import LinearClassifier


@each_loss
def test_mini_batches_come_near_the_optimum(loss, rng):
    X, y = blobs(rng, 600)
    best = LinearClassifier(loss, l2=1e-2).fit(StandardScaler().fit_transform(X), y)
    model = LinearClassifier(loss, l2=1e-2, random_state=0)
    scaled = StandardScaler().fit_transform(X)
    for _ in range(60):
        model.partial_fit(scaled, y)
    assert value(model, scaled, y) < 1.1 * best.objective_ + 0.01
    assert (model.n_iter_, len(model.loss_curve_)) == (60, 60 * 3)
    assert not hasattr(model, "converged_")
    if loss in ("softmax", "hinge", "crammer_singer"):
        assert value(model, scaled, y) - best.objective_ <= model.duality_gap(scaled, y) < np.inf


def test_epochs_until_the_criterion_is_met(rng):
    X, y = blobs(rng, 600)
    model = LinearClassifier(solver="sgd", l2=1e-2, tol=0.01, max_iter=2000, random_state=0).fit(X, y)
    assert model.converged_
    assert model.objective_ < 1.1 * LinearClassifier(l2=1e-2).fit(X, y).objective_


def test_features_of_any_scale_do_not_stop_mini_batches(rng):
    X, y = blobs(rng, 300)
    X = np.column_stack([StandardScaler().fit_transform(X), np.full(300, 0.1), rng.normal(size=300) * 1e-6])
    model = LinearClassifier(l2=1e-2, random_state=0)
    for _ in range(150):
        model.partial_fit(X, y)
    assert value(model, X, y) < 1.1 * LinearClassifier(l2=1e-2).fit(X, y).objective_


def test_features_that_the_first_rows_did_not_show(rng):
    X, y = blobs(rng, 300)
    X = StandardScaler().fit_transform(X)
    first = X * [1, 1, 1, 1, 1e-8]
    model = LinearClassifier(l2=1e-2, random_state=0).partial_fit(first, y)
    for _ in range(150):
        model.partial_fit(X, y)
    assert value(model, X, y) < 1.1 * LinearClassifier(l2=1e-2).fit(X, y).objective_


def test_sparse_mini_batches_stay_sparse(rng):
    n, d = 600, 300_000  # of which a batch, if it were dense, would take 600 MB
    X = scipy.sparse.random_array((n, d), density=1e-4, format="csr", random_state=rng)
    y = np.arange(n) % 2
    model = LinearClassifier(l2=1e-4, random_state=0)
    tracemalloc.start()
    for _ in range(3):
        model.partial_fit(X, y)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 60 * 8 * d
    assert model.loss_curve_[-1] < model.loss_curve_[0] == pytest.approx(np.log(2))


def test_rare_features_do_not_stop_mini_batches(rng):
    of_row = rng.integers(0, 1000, 3000)
    X, y = np.eye(1000)[of_row], (of_row % 3).astype(int)
    model = LinearClassifier(l2=1e-6, random_state=0)
    for _ in range(5):
        model.partial_fit(X, y)
    assert value(model, X, y) < np.log(3)
    assert max(model.loss_curve_) < 2


def test_what_a_fit_knew_of_its_end_goes_with_mini_batches(rng):
    X, y = blobs(rng, 100)
    model = LinearClassifier(random_state=0).fit(X, y).partial_fit(X, y)
    assert not hasattr(model, "converged_")
    assert not hasattr(model, "objective_")
    assert (model.n_iter_, len(model.loss_curve_)) == (1, 1)
    with pytest.raises(ValueError, match="begun with dense X"):
        model.partial_fit(scipy.sparse.csr_array(X), y)


def test_parts_need_the_classes(rng):
    X, y = blobs(rng)
    first = y < 2
    model = LinearClassifier(random_state=0).partial_fit(X[first], y[first], classes=[0, 1, 2])
    model.partial_fit(X[~first], y[~first])
    assert model.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="not among the classes so far"):
        LinearClassifier().partial_fit(X[first], y[first]).partial_fit(X, y)
    with pytest.raises(ValueError, match="not what it was before"):
        model.partial_fit(X, y, classes=[0, 1])
