"""scikit-learn's configuration changes no answer: values are looked at, and arrays are NumPy's."""

from __future__ import annotations

import children
import numpy as np
import pytest
import scipy.sparse
import sklearn
from names import each_metric

import fastclf
from fastclf import KNN, KNNCV, LinearClassifier, WindowClassifier, losses

X = np.arange(24.0).reshape(12, 2) / 8
Y = np.arange(12) % 2
NOT_FINITE = r"Input X contains (NaN|infinity)"


@pytest.fixture(autouse=True)
def assume_finite():
    with sklearn.config_context(assume_finite=True):
        yield


def spoilt(dtype, value):
    bad = X.astype(dtype)
    bad[3, 1] = value
    return bad


each_bad = pytest.mark.parametrize("bad", [spoilt(*case) for case in (
    ("float16", np.nan), ("float32", np.nan), ("float32", np.inf), ("float64", np.nan), ("float64", -np.inf),
    ("longdouble", np.nan), (">f8", np.nan),
)])  # fmt: skip


@each_bad
@pytest.mark.parametrize("backend", ["exact", "faiss"])
@each_metric
def test_neighbours_of_what_is_not_finite(bad, backend, metric):
    if backend == "faiss":
        pytest.importorskip("faiss")
    model = KNN(1, metric=metric, backend=backend)
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=NOT_FINITE):
            method(bad, Y)
    model.fit(X, Y)
    for method in (model.predict, model.predict_proba, model.kneighbors, model.kneighbors_graph, model.explain):
        with pytest.raises(ValueError, match=NOT_FINITE):
            method(bad)
    with pytest.raises(ValueError, match=NOT_FINITE):
        model.partial_fit(bad, Y)
    with pytest.raises(ValueError, match=NOT_FINITE):
        model.score(bad, Y)


@each_bad
def test_other_classifiers_of_what_is_not_finite(bad):
    for model in (KNNCV([1], cv=2), LinearClassifier()):
        with pytest.raises(ValueError, match=NOT_FINITE):
            model.fit(bad, Y)
        model.fit(X, Y)
        with pytest.raises(ValueError, match=NOT_FINITE):
            model.predict(bad)
    if bad.dtype in (np.float32, np.float64):
        sparse = scipy.sparse.csr_array(bad)
        for call in (lambda: LinearClassifier().fit(sparse, Y), lambda: LinearClassifier().fit(X, Y).predict(sparse)):
            with pytest.raises(ValueError, match=NOT_FINITE):
                call()


def test_labels_and_vectors_that_are_not_finite():
    for model in (KNN(1), KNNCV([1], cv=2), LinearClassifier()):
        with pytest.raises(ValueError, match="Input y contains NaN"):
            model.fit(X, np.where(Y, np.nan, 0.0))
        with pytest.raises(ValueError, match="Input y contains infinity"):
            model.fit(X, np.where(Y, np.inf, 0.0))
    with pytest.raises(ValueError, match="Input vectors contains NaN"):
        WindowClassifier(vectors=(["a"], [[np.nan]])).fit([["a"], ["b"]], [["X"], ["Y"]])


def answers_of(package):
    """Whether answers to a package's arrays are those to NumPy's, with scikit-learn dispatching to the package."""
    import importlib

    asarray = importlib.import_module(package).asarray
    rng = np.random.default_rng(0)
    rows, codes, ones = rng.normal(size=(60, 4)), np.arange(60) % 3, np.ones(60)
    indicator, margin = np.eye(3, dtype="int64")[codes], 1 - np.eye(3)

    def answers(a):
        X, y, weight = a(rows), a(codes), a(ones)
        knn, cv = KNN().fit(X, y), KNNCV([1, 3], cv=3).fit(X, y, groups=a(codes))
        linear = LinearClassifier().fit(X, y, sample_weight=weight)
        yield from (model.predict(X) for model in (knn, cv, linear))
        yield from (model.predict_proba(X) for model in (knn, cv, linear))
        yield from (model.score(X, y, sample_weight=weight) for model in (knn, cv, linear))
        yield from (*knn.kneighbors(X), knn.kneighbors_graph(X).toarray(), knn.predict(None), knn.score(None, y))
        yield KNN().partial_fit(X, y, classes=a(np.arange(4))).partial_fit(X, y).predict_proba(X)
        yield LinearClassifier(random_state=0).partial_fit(X, y, classes=a(np.arange(3))).decision_function(X)
        yield LinearClassifier("hinge", margin=a(margin)).fit(X, y).decision_function(X)
        yield LinearClassifier("sigmoid").fit(X, a(indicator)).predict(X)
        yield linear.duality_gap(X, y)
        yield from fastclf.knn(X, X, 3)
        yield fastclf.pairwise_distances(X, X)
        yield fastclf.majority_vote(a(indicator), 2, weights=a(np.ones((60, 3))))
        yield losses.cross_entropy(X, y, sample_weight=weight)
        vectors = WindowClassifier(vectors=(["a", "b"], a(rows[:2])), random_state=0, max_iter=2)
        yield vectors.fit([["a", "b"]] * 9, [["X", "Y"]] * 9).vectors_

    with sklearn.config_context(array_api_dispatch=True):
        dispatched = [np.asarray(found).tobytes() for found in answers(asarray)]
    return dispatched == [np.asarray(found).tobytes() for found in answers(np.asarray)]


def refusals_of_tensors():
    """Messages about tensors that NumPy cannot share, with and without dispatching."""
    import torch

    tensor = torch.asarray(X)
    bad = [
        tensor.bfloat16(),
        tensor.to_sparse(),
        tensor.to("meta"),
        tensor.cfloat().conj(),
    ]
    found = []
    for dispatches in (False, True):
        with sklearn.config_context(array_api_dispatch=dispatches):
            for X_bad in bad:
                for call in (KNN(1).fit, LinearClassifier().fit):
                    try:
                        call(X_bad, Y)
                    except ValueError as error:
                        found.append(str(error))
    return found


@pytest.fixture(scope="module")
def forks_that_dispatch():
    with children.Worker({"SCIPY_ARRAY_API": "1"}, in_forks=True) as one:
        yield one


@pytest.mark.parametrize("package", ["torch", "array_api_strict"])
def test_arrays_of_other_packages(forks_that_dispatch, package):
    pytest.importorskip(package)
    assert forks_that_dispatch.result(answers_of, package)


def test_tensors_that_cannot_be_read(forks_that_dispatch):
    pytest.importorskip("torch")
    found = forks_that_dispatch.result(refusals_of_tensors)
    assert len(found) == 16
    assert all(message.startswith("X cannot be read as an array: ") for message in found)


def test_tensors_with_a_sign_to_change():
    torch = pytest.importorskip("torch")
    turned = torch.tensor([[1 + 2j]], dtype=torch.complex128).conj().imag
    assert turned.is_neg()
    assert fastclf.pairwise_distances(turned, np.array([[3.0]])).tolist() == [[5.0]]
    with pytest.raises(ValueError, match="grad_out is a tensor whose negative bit is set"):
        losses.mse(np.zeros((1, 1)), np.ones((1, 1)), return_grad=True, grad_out=turned)
