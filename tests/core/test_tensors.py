"""Arrays of other packages are read where they are, and results are arrays of the same package."""

from __future__ import annotations

import importlib.util
import sys

import children
import numpy as np
import pytest
import reference
import reference_losses
from names import METRICS, each_dtype, each_metric

import fastclf
from fastclf import KNN, KNNCV, LinearClassifier, _native, losses
from fastclf.sklearn import KNeighborsClassifier

PACKAGES = ("torch", "array_api_strict")


@pytest.fixture(params=PACKAGES)
def package(request):
    return pytest.importorskip(request.param)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def array_type(package):
    return type(package.asarray(np.zeros(1)))


def searched(Q, X, metric):
    """What the functions of neighbours find, with rows and queries as they are given."""
    distances, indices = fastclf.knn(Q, X, 3, metric=metric)
    return distances, indices, fastclf.pairwise_distances(Q, X, metric=metric)


@each_metric
@each_dtype
def test_neighbours_of_tensors_are_tensors(package, metric, dtype, rng):
    Q, X = (rng.integers(0, 9, (n, 5)).astype(dtype) for n in (4, 30))
    found = searched(package.asarray(Q), package.asarray(X), metric)
    assert {type(a) for a in found} == {array_type(package)}
    wanted = (*reference.exact_knn(metric, Q, X, 3), reference.METRICS[metric](Q, X))
    for a, b in zip(found, wanted, strict=True):
        assert np.asarray(a).dtype == b.dtype
        assert np.asarray(a).tobytes() == b.tobytes()


def test_the_first_argument_says_what_results_are(package, rng):
    Q, X = rng.normal(size=(4, 5)), rng.normal(size=(30, 5))
    for of_Q, of_X, kind in (
        (package.asarray, np.asarray, array_type(package)),
        (np.asarray, package.asarray, np.ndarray),
        (np.ndarray.tolist, package.asarray, np.ndarray),
    ):
        found = searched(of_Q(Q), of_X(X), "l2")
        assert {type(a) for a in found} == {kind}
        assert np.asarray(found[2]).tobytes() == reference.l2(Q, X).tobytes()


@pytest.mark.parametrize("left", [0, 39 * 4])
def test_tensors_whose_storage_was_made_smaller_are_refused(torch, left):
    rows, out = torch.zeros(10, 4), torch.zeros(10, 4)
    for tensor in (rows, out):
        tensor.untyped_storage().resize_(left)
    zeros = np.zeros((10, 4), np.float32)
    message = f"cannot be read as an array: it needs 160 bytes of memory, of which its storage has {left}"
    with pytest.raises(ValueError, match=f"X {message}"):
        fastclf.knn(zeros, rows, 1)
    with pytest.raises(ValueError, match=f"grad_out {message}"):
        losses.mse(zeros, zeros, return_grad=True, grad_out=out)


def test_parts_of_tensors_need_their_own_memory_only(torch):
    rows = torch.arange(40.0).reshape(10, 4)
    Q, X, none = rows[:4, 1:3], rows[3::3, :2], rows[9:9, :2]  # of X the last value is the 38th
    rows.untyped_storage().resize_(38 * 4)
    assert fastclf.knn(Q, X, 1)[1].ravel().tolist() == [0, 0, 0, 0]
    assert fastclf.pairwise_distances(none, X).shape == (0, 3)


def test_votes_of_tensors_are_tensors(package, rng):
    labels, weights = rng.integers(0, 4, (20, 5)), rng.random((20, 5))
    for given in (None, weights):
        found = fastclf.majority_vote(
            package.asarray(labels), 4, weights=None if given is None else package.asarray(given)
        )
        assert type(found) is array_type(package)
        assert np.asarray(found).tolist() == list(reference.vote(labels, given))


@pytest.mark.parametrize("name", reference_losses.LOSSES)
def test_losses_of_tensors_are_tensors(package, name, rng):
    scores = rng.normal(size=(12, 3))
    targets = {"max_margin": rng.normal(size=(12, 3)), "binary_cross_entropy_with_logits": rng.random((12, 3))}
    target = targets.get(name, reference_losses.probabilities(rng, (12, 3)))
    target = rng.integers(0, 3, 12) if name == "hinge" else target
    for reduction in ("none", "sum"):
        loss, gradient = getattr(losses, name)(
            package.asarray(scores), package.asarray(target), reduction=reduction, return_grad=True
        )
        wanted, score_gradients = reference_losses.evaluate(name, scores, target, reduction=reduction)
        assert type(loss) is (array_type(package) if reduction == "none" else float)
        gradient = gradient if isinstance(gradient, tuple) else (gradient,)
        assert {type(a) for a in gradient} == {array_type(package)}
        np.testing.assert_allclose(np.asarray(loss), wanted, rtol=1e-13)
        np.testing.assert_allclose(np.asarray(gradient[0]), score_gradients, rtol=1e-12, atol=1e-14)


def test_linear_losses_and_softmax_of_tensors_are_tensors(package, rng):
    X, W, b, y = rng.normal(size=(8, 4)), rng.normal(size=(3, 4)), rng.normal(size=3), rng.integers(0, 3, 8)
    a = package.asarray
    loss, gradients = losses.linear_cross_entropy(a(X), a(W), a(y), b=a(b), reduction="none", return_grad=True)
    assert {type(found) for found in (loss, *gradients)} == {array_type(package)}
    scores = X @ W.T + b
    np.testing.assert_allclose(
        np.asarray(loss), reference_losses.evaluate("cross_entropy", scores, y, reduction="none")[0]
    )
    assert losses.linear_hinge(a(X), a(W), a(y), return_grad=True)[1][2] is None
    for name, of_row in reference_losses.VALUES.items():
        found = getattr(losses, name)(a(scores))
        assert type(found) is array_type(package)
        np.testing.assert_allclose(np.asarray(found), [of_row(row) for row in scores], rtol=1e-13)


def test_classifiers_take_tensors(package, rng):
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    a = package.asarray
    for model in (KNN(3), KNNCV([1, 3], cv=3), LinearClassifier(), KNeighborsClassifier(3)):
        wanted = model.fit(X, y).predict(X)
        found = model.fit(a(X), a(y)).predict(a(X))
        assert type(found) is np.ndarray
        assert found.tolist() == wanted.tolist()
        assert model.score(a(X), a(y)) == np.mean(wanted == y)


# --- PyTorch ----------------------------------------------------------------------------------------------------------


@each_dtype
def test_rows_are_not_copied(torch, monkeypatch, dtype):
    seen = []
    monkeypatch.setattr(_native, "pairwise", lambda *given: seen.extend(given[1:3]))
    Q, X = torch.ones((3, 4), dtype=getattr(torch, dtype)), torch.ones((5, 4), dtype=getattr(torch, dtype))
    fastclf.pairwise_distances(Q, X)
    assert [a.ctypes.data for a in seen] == [Q.data_ptr(), X.data_ptr()]


def test_tensors_that_require_a_gradient_are_read_without_it(torch, rng):
    Q, X = rng.normal(size=(4, 5)), rng.normal(size=(30, 5))
    of_Q, of_X = torch.tensor(Q, requires_grad=True), torch.nn.Parameter(torch.tensor(X))
    for graph in (of_Q, of_Q * 1):
        for found, metric in ((fastclf.pairwise_distances(graph, of_X, metric=m), m) for m in METRICS):
            assert not found.requires_grad
            assert found.numpy().tobytes() == reference.METRICS[metric](Q, X).tobytes()
    y = rng.integers(0, 5, 4)
    loss, gradient = losses.cross_entropy(of_Q, y, reduction="none", return_grad=True)
    assert not loss.requires_grad
    np.testing.assert_allclose(gradient, reference_losses.evaluate("cross_entropy", Q, y, reduction="none")[1])
    model = KNN(1).fit(of_X[:20], np.arange(20))
    assert model.predict(of_X[:20]).tolist() == list(range(20))


def test_distances_are_written_into_a_tensor(torch, rng):
    Q, X = rng.normal(size=(4, 5)), rng.normal(size=(30, 5))
    out = torch.zeros(4, 30, dtype=torch.float64)
    assert fastclf.pairwise_distances(Q, X, out=out) is out
    assert out.numpy().tobytes() == reference.l2(Q, X).tobytes()
    kept = out.clone()
    for bad, message in (
        (out.requires_grad_(), "out is a tensor that requires a gradient"),
        (torch.zeros(4, 30), "out must be float64"),
        (torch.zeros(30, 4, dtype=torch.float64).T, "out must be C-contiguous"),
        (torch.zeros(4, 30, dtype=torch.float64, device="meta"), "out cannot be read as an array: .* device meta"),
    ):
        with pytest.raises(ValueError, match=message):
            fastclf.pairwise_distances(Q, X, out=bad)
    assert torch.equal(out, kept)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda a: fastclf.knn(a, np.ones((3, 2)), 1), "Q"),
        (lambda a: fastclf.knn(np.ones((3, 2)), a, 1), "X"),
        (lambda a: fastclf.pairwise_distances(np.ones((3, 2)), a), "X"),
        (lambda a: fastclf.majority_vote(a, 3), "labels"),
        (lambda a: fastclf.majority_vote([[0, 1]] * 3, 3, weights=a), "weights"),
        (lambda a: losses.cross_entropy(a, [0, 1, 0]), "scores"),
        (lambda a: losses.mse(np.ones((3, 2)), a), "target"),
        (lambda a: losses.hinge(np.ones((3, 2)), [0, 1, 0], weight=a[0]), "weight"),
        (lambda a: losses.linear_hinge(np.ones((3, 2)), a, [0, 1, 0]), "W"),
        (lambda a: KNN(1).fit(a, [0, 1, 0]), "X"),
        (lambda a: KNN(1).fit(np.ones((3, 2)), a[:, 0]), "y"),
        (lambda a: LinearClassifier().fit(a, [0, 1, 0]), "X"),
        (lambda a: KNeighborsClassifier(1).fit(a, [0, 1, 0]), "X"),
    ],
)
def test_tensors_on_other_devices_are_refused(torch, call, name):
    with pytest.raises(ValueError, match=f"^{name} cannot be read as an array: it is on device meta, not in the CPU's"):
        call(torch.ones((3, 2), device="meta"))


class OnDevice:
    """A tensor that DLPack finds on a device, and which must not be asked for its memory."""

    def __init__(self, device):
        self.number = device

    def __dlpack_device__(self):
        return self.number, 0

    def __dlpack__(self, **how):
        pytest.fail("its memory was asked for")


def test_tensors_of_any_package_on_other_devices_are_refused():
    cuda, metal = 2, 8
    for device in (cuda, metal):
        with pytest.raises(ValueError, match=f"^Q cannot be read as an array: it is on device {device}"):
            fastclf.knn(OnDevice(device), np.ones((3, 2)), 1)


def test_no_package_of_tensors_is_imported():
    assert children.result(imported_by_all_functions) == []


def imported_by_all_functions():
    """Which packages of tensors the functions have imported."""
    X = np.arange(12.0).reshape(6, 2)
    searched(X, X, "l2")
    fastclf.majority_vote([[0, 1]], 2)
    losses.cross_entropy(X, np.zeros(6, int), return_grad=True)
    KNN(1).fit(X, np.arange(6)).predict(X)
    return [name for name in PACKAGES if importlib.util.find_spec(name) and name in sys.modules]


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 2)])
def test_tensors_that_are_no_matrix_are_refused_as_arrays_are(package, shape):
    rows = package.zeros(shape)
    for model in (KNN(1), KNNCV((1,)), LinearClassifier(), KNeighborsClassifier(1)):
        with pytest.raises(ValueError, match=r"Expected 2D array|array with dim 3"):
            model.fit(rows, [0, 1, 0, 1, 0])
    with pytest.raises(ValueError, match=r"Expected 2D array|array with dim 3"):
        KNN(1).fit(np.eye(2), [0, 1]).predict(rows)
