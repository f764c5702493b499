"""Rows of more classes than a kernel goes through before it asks whether to stop, on each instruction set."""

from __future__ import annotations

import numpy as np
import pytest
import reference_losses as reference
from isas import on_isa
from names import each_float

from fastclf import _native, losses

STRETCH = 1 << 16  # FC_STRETCH of csrc/isa/losses/losses.inc.h
LANES = 16  # FC_LANES of csrc/core/shapes.h
each_width = pytest.mark.parametrize("columns", [STRETCH - 1, STRETCH, STRETCH + 1, 2 * STRETCH + 17])

# The reference's own gradients of a softmax take time as the square of the classes. These are less accurate near 0.


def cross_entropy(z, t):
    p, _, bits = reference.soften(z)
    return bits[t], p - one_hot(t, len(z))


def of_probabilities(z, t):
    p, _, bits = reference.soften(z)
    return np.sum(t * bits), p - t


def kl_div(z, t):
    loss, gradient = of_probabilities(z, t)
    return loss + np.sum(t[t > 0] * np.log(t[t > 0])), gradient


def softmax_mse(z, t):
    p = reference.soften(z)[0]
    d = p - one_hot(t, len(z))
    return d**2, 2 * p * (d - np.sum(p * d))


def one_hot(t, n):
    return (np.arange(n) == t).astype(np.longdouble)


# A loss, what makes its targets, its options, and the plain definition.
CASES = {
    "cross_entropy": ("cross_entropy", "labels", {}, cross_entropy),
    "cross_entropy of probabilities": ("cross_entropy", "probabilities", {}, of_probabilities),
    "kl_div": ("kl_div", "probabilities", {}, kl_div),
    "softmax_mse": ("softmax_mse", "labels", {}, softmax_mse),
    "hinge": ("hinge", "labels", {}, reference.hinge),
    "squared hinge": ("hinge", "labels", {"squared": True}, reference.hinge),
    "crammer_singer": ("hinge", "labels", {"kind": "crammer_singer"}, reference.hinge),
    "mse": ("mse", "numbers", {}, reference.mse),
    "binary_cross_entropy_with_logits": (
        "binary_cross_entropy_with_logits",
        "numbers",
        {},
        reference.binary_cross_entropy_with_logits,
    ),
}


def targets(kind, shape, dtype, rng):
    if kind == "labels":
        return np.array([1, shape[1] - 1])  # in the first stretch and in the last
    numbers = rng.random(shape)
    return (numbers / numbers.sum(axis=1, keepdims=True) if kind == "probabilities" else numbers).astype(dtype)


@each_float
@each_width
@pytest.mark.parametrize("case", CASES)
def test_losses_of_wide_rows(case, columns, dtype, rng):
    name, kind, options, row = CASES[case]
    scores = rng.normal(0, 3, (2, columns)).astype(dtype)
    target, weight, eps = targets(kind, scores.shape, dtype, rng), np.array([0.5, 2.0]), np.finfo(dtype).eps
    rows = [row(z, t, **options) for z, t in zip(scores, target, strict=True)]
    wanted = sum(np.sum(loss) * w for (loss, _), w in zip(rows, weight, strict=True))
    slopes = np.stack([gradient * w for (_, gradient), w in zip(rows, weight, strict=True)])
    loss_of, found = getattr(losses, name), set()
    for isa in _native.isas():
        with on_isa(isa):
            loss, gradient = loss_of(scores, target, sample_weight=weight, reduction="sum", return_grad=True, **options)
        found.add((loss, gradient.tobytes()))
    assert len(found) == 1
    summing = columns / LANES * np.finfo("float64").eps / 2  # in as many partial sums, each addition rounded
    np.testing.assert_allclose(loss, float(wanted), rtol=8 * eps + summing)
    np.testing.assert_allclose(gradient.astype(np.longdouble), slopes, rtol=8 * eps, atol=8 * eps * abs(slopes).max())


@each_float
@each_width
@pytest.mark.parametrize("name", reference.VALUES)
def test_softmax_of_wide_rows(name, columns, dtype, rng):
    scores = rng.normal(0, 3, (2, columns)).astype(dtype)
    wanted, found = np.stack([reference.VALUES[name](row) for row in scores]), set()
    for isa in _native.isas():
        with on_isa(isa):
            values = getattr(losses, name)(scores)
        found.add(values.tobytes())
    assert len(found) == 1
    np.testing.assert_allclose(values.astype(np.longdouble), wanted, rtol=8 * np.finfo(dtype).eps)
