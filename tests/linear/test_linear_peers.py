"""Optima beside scikit-learn's, whose C is derived in docs/linear.md."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from fastclf import LinearClassifier

L2 = 0.01
CLASS_WEIGHT = {0: 0.5, 1: 2.0, 2: 1.5}

each_n_classes = pytest.mark.parametrize("n_classes", [2, 3])
each_weighting = pytest.mark.parametrize("of_rows", [False, True])


def data(n_classes, of_rows):
    """Rows, classes that they do not quite tell apart, and weights of the rows or none."""
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(120, 4))
    y = (X @ rng.normal(size=(4, n_classes)) + rng.normal(size=(120, n_classes))).argmax(axis=1)
    return X, y, rng.uniform(0.1, 3, 120) if of_rows else None


def logistic(X, y, sample_weight, C, class_weight=None):
    model = LogisticRegression(C=C, class_weight=class_weight, solver="newton-cholesky", tol=1e-13, max_iter=1000)
    return model.fit(X, y, sample_weight).coef_


def support_vectors(X, y, sample_weight, C, **options):
    model = LinearSVC(C=C, fit_intercept=False, dual=True, tol=1e-10, max_iter=10**6, **options)
    return model.fit(X, y, sample_weight).coef_


def fitted(loss, X, y, sample_weight, **options):
    return LinearClassifier(loss, l2=L2, tol=1e-10, **options).fit(X, y, sample_weight).coef_


def total(n_rows, sample_weight):
    return n_rows if sample_weight is None else sample_weight.sum()


@each_n_classes
@each_weighting
@pytest.mark.parametrize("class_weight", [None, CLASS_WEIGHT])
def test_softmax(n_classes, of_rows, class_weight):
    X, y, weight = data(n_classes, of_rows)
    if class_weight is not None:
        class_weight = {label: class_weight[label] for label in range(n_classes)}
        rows = np.ones(len(y)) if weight is None else weight
        S = sum(w * class_weight[label] for w, label in zip(rows, y.tolist(), strict=True))
    else:
        S = total(len(y), weight)
    W = fitted("softmax", X, y, weight, class_weight=class_weight)
    if n_classes == 2:
        np.testing.assert_allclose(W[1:] - W[:1], logistic(X, y, weight, 1 / (L2 * S), class_weight), rtol=1e-9)
        np.testing.assert_allclose(W[0], -W[1], rtol=1e-9)
    else:
        np.testing.assert_allclose(W, logistic(X, y, weight, 1 / (2 * L2 * S), class_weight), rtol=1e-9)


@each_n_classes
@each_weighting
def test_sigmoid(n_classes, of_rows):
    X, y, weight = data(n_classes, of_rows)
    C = 1 / (2 * L2 * total(len(y), weight) * n_classes)
    wanted = np.vstack([logistic(X, y == label, weight, C) for label in range(n_classes)])
    np.testing.assert_allclose(fitted("sigmoid", X, y, weight), wanted, rtol=1e-9)
    indicator = np.eye(n_classes, dtype=int)[y]
    np.testing.assert_allclose(fitted("sigmoid", X, indicator, weight), wanted, rtol=1e-9)


@each_weighting
@pytest.mark.parametrize(
    ("loss", "theirs", "atol"),
    [("hinge", "hinge", 1e-6), ("crammer_singer", "hinge", 1e-6), ("squared_hinge", "squared_hinge", 1e-9)],
)
def test_hinges_of_two_classes(of_rows, loss, theirs, atol):
    X, y, weight = data(2, of_rows)
    W = fitted(loss, X, y, weight, fit_intercept=False)
    wanted = support_vectors(X, y, weight, 1 / (L2 * total(len(y), weight)), loss=theirs)
    np.testing.assert_allclose(W[1:] - W[:1], wanted, rtol=0, atol=atol)


@each_n_classes
@each_weighting
def test_crammer_and_singer(n_classes, of_rows):
    X, y, weight = data(n_classes, of_rows)
    W = fitted("crammer_singer", X, y, weight, fit_intercept=False)
    C = 1 / (2 * L2 * total(len(y), weight))
    wanted = support_vectors(X, y, weight, C, multi_class="crammer_singer")
    np.testing.assert_allclose(W[1:] - W[:1] if n_classes == 2 else W, wanted, rtol=0, atol=1e-6)
