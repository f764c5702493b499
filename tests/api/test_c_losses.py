"""Losses and linear models by the public C interface."""

from __future__ import annotations

import numpy as np
import pytest
import reference_linear
import reference_losses
from c_functions import DTYPES, NUMBERS, call, succeed
from names import FLOAT_DTYPES, each_dtype, each_float


def arguments(kernel, z, target, options):
    """Arguments of `loss` from labels on to the scale, of options of the references; None if they are not C's."""
    made = {"labels": None, "targets": None, "row_weights": options.get("sample_weight"), "class_weights": None}
    made |= {"margins": None, "parameter": 1.0 if kernel in ("hinge", "crammer_singer", "max_margin") else 0.0}
    if options.get("average") or (options.get("weight") is not None and np.ndim(target) == 1):
        return None
    target = np.asarray(target)
    if target.ndim == 1:
        made["labels"] = np.where(target == options.get("ignore_index", -100), -1, target).astype(np.int64)
    else:
        made["targets"] = target.astype(z.dtype)
    for name in ("weight", "pos_weight"):
        if options.get(name) is not None:
            made["class_weights"] = np.broadcast_to(np.asarray(options[name], float), z.shape[1:]).copy()
    margin = options.get("margin")
    if margin is not None:
        made["margins" if np.ndim(margin) else "parameter"] = margin
    made["parameter"] = options.get("label_smoothing", made["parameter"])
    flags = (
        options.get("squared", False) * NUMBERS["SQUARED"] + options.get("count_target", False) * NUMBERS["OWN_TERM"]
    )
    return [*made.values(), flags]


def kernel_of(name, options):
    return "crammer_singer" if options.get("kind") == "crammer_singer" else name


def loss(kernel, z, given, n_threads=1, scale=1.0):
    losses, gradient, bad = np.empty(len(z)), np.empty_like(z), np.zeros(1, np.int64)
    succeed("loss", NUMBERS[kernel], DTYPES[z.dtype], z, *z.shape, *given, scale, n_threads, losses, gradient, bad)
    assert bad == [-1]
    return losses, gradient


@pytest.mark.parametrize(("name", "case"), reference_losses.CASES)
@each_float
def test_losses_and_gradients(isa, rng, name, case, dtype):
    for shape in ((1, 1), (5, 3), (40, 17)):
        z = rng.normal(0, 2, shape).astype(dtype)
        z, target, options = reference_losses.resolve(reference_losses.LOSSES[name].options[case], rng, z)
        given = arguments(kernel_of(name, options), z, target, options)
        if given is None:
            continue
        if given[1] is not None:
            target = given[1]  # as it is in the scores' dtype
        expected, gradients = reference_losses.evaluate(name, z, target, reduction="none", **options)
        expected = expected.reshape(len(z), -1).sum(axis=1)
        found, gradient = loss(kernel_of(name, options), z, given)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(found, expected.astype(float), rtol=20 * eps, atol=40 * eps)
        np.testing.assert_allclose(gradient, gradients.astype(float), rtol=20 * eps, atol=20 * eps)
        for n_threads in (0, 3):
            again = loss(kernel_of(name, options), z, given, n_threads)
            assert [a.tobytes() for a in again] == [found.tobytes(), gradient.tobytes()]
        halved = loss(kernel_of(name, options), z, given, scale=0.5)
        np.testing.assert_allclose(halved[1], gradient / 2, rtol=4 * eps)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@each_float
def test_what_is_written_where_others_write_the_gradient(isa, rng, name, dtype):
    z = rng.normal(0, 3, (20, 7)).astype(dtype)
    out = z.copy()  # in place
    no_options = (None, None, None, None, None, 0.0, 0, 1.0)
    succeed("loss", NUMBERS[name], DTYPES[z.dtype], out, *z.shape, *no_options, 1, None, out, None)
    expected = np.array([reference_losses.VALUES[name](row) for row in z]).astype(float)
    np.testing.assert_allclose(out, expected, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("place", [0, 3, 19])
def test_a_row_without_a_loss_is_told(rng, place):
    z = rng.normal(size=(20, 3))
    z[place:, 1] = np.nan
    labels, bad = np.zeros(20, np.int64), np.zeros(1, np.int64)
    given = (labels, None, None, None, None, 0.0, 0, 1.0, 2)
    number = NUMBERS["cross_entropy"]
    assert call("loss", number, NUMBERS["f64"], z, 20, 3, *given, None, None, bad) == NUMBERS["BAD_ROW"]
    assert bad == [place]


@each_dtype
@pytest.mark.parametrize("own", FLOAT_DTYPES)
@pytest.mark.parametrize("loss", ["softmax", "hinge", "squared_hinge", "crammer_singer", "mse", "softmax_mse"])
def test_linear_models(isa, rng, dtype, own, loss):
    if np.dtype(dtype) > np.dtype(own):
        return
    n, d, classes = 60, 19, 5
    X = rng.integers(0, 12, (n, d)).astype(dtype)
    W, b = (rng.normal(size=shape).astype(own) for shape in ((classes, d), (classes,)))
    y = rng.integers(0, classes, n)
    eps = np.finfo(own).eps
    expected = reference_linear.scores(X, W, b)
    z = np.empty((n, classes), own)
    model = (DTYPES[X.dtype], X, n, d, DTYPES[W.dtype], W, b, classes)
    succeed("linear_scores", *model, 2, z)
    np.testing.assert_allclose(z, expected.astype(float), atol=100 * eps * abs(expected).max())
    name, options = reference_linear.KERNELS[loss]
    given = arguments(kernel_of(name, options), z, y, options)
    total, of_W, of_b = np.empty(1), np.empty((classes, d)), np.empty(classes)
    succeed("linear_loss", *model, NUMBERS[kernel_of(name, options)], *given, 1 / n, 2, total, of_W, of_b)
    mean, gradients = reference_linear.loss_and_gradients(loss, expected, y)
    share = classes if reference_losses.LOSSES[name].by_score else 1  # there the mean is over scores
    np.testing.assert_allclose(total / n, float(mean) * share, rtol=1e3 * eps)
    size = abs(X).max() * abs(gradients).max() * n * share
    np.testing.assert_allclose(of_W, (gradients.T @ X).astype(float) * share, atol=300 * eps * float(size))
    np.testing.assert_allclose(of_b, gradients.sum(axis=0).astype(float) * share, atol=300 * eps * float(size))
