"""Calls with plain arrays take a shorter way to the kernel, and rows go through it together: neither shows."""

from __future__ import annotations

import numpy as np
import pytest
from names import each_float

from fastclf import losses

each_loss = pytest.mark.parametrize(
    "loss", [losses.cross_entropy, losses.hinge, lambda *a, **k: losses.hinge(*a, kind="crammer_singer", **k)]
)


def made(rows, classes, dtype, seed=0):
    rng = np.random.default_rng(seed)
    scores = (3 * rng.standard_normal((rows, classes))).astype(dtype)
    scores[:, rng.integers(0, classes)] = scores.max(axis=1)  # ties
    return scores, rng.integers(0, classes, rows)


def assert_same(found, expected):
    assert found[0] == expected[0]
    assert found[1].tobytes() == expected[1].tobytes()


@each_loss
@each_float
@pytest.mark.parametrize("classes", [1, 2, 24, 25, 127, 128, 129, 255, 256, 257, 512, 513, 1024, 1025])
@pytest.mark.parametrize("rows", [1, 7, 16, 17, 33])
def test_rows_together_and_alone(isa, loss, dtype, classes, rows):
    scores, target = made(rows, classes, dtype)
    _, gradient = loss(scores, target, return_grad=True, reduction="sum")
    each = loss(scores, target, reduction="none")
    for i in range(rows):
        alone = loss(scores[i : i + 1], target[i : i + 1], return_grad=True, reduction="sum")
        assert each[i] == alone[0]
        assert gradient[i].tobytes() == alone[1].tobytes()


@each_float
@pytest.mark.parametrize("classes", [3, 20, 40, 300])
def test_scores_whose_exponentials_are_equal(isa, dtype, classes):
    """Near 0 scores differ where exponentials do not: beside the largest, too, together and alone."""
    scores = np.random.default_rng(1).integers(1, 30, (17, classes)) * np.finfo(dtype).tiny
    scores = scores.astype(dtype)
    target = scores.argmin(axis=1)
    found, gradient = losses.cross_entropy(scores, target, return_grad=True, reduction="none")
    rtol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, np.log(classes), rtol=rtol)
    np.testing.assert_allclose(gradient, 1 / classes - np.eye(classes)[target], rtol=rtol)
    for i in range(len(scores)):
        alone = losses.cross_entropy(scores[i : i + 1], target[i : i + 1], return_grad=True, reduction="none")
        assert alone[0][0] == found[i]
        assert alone[1].tobytes() == gradient[i : i + 1].tobytes()


@each_float
@pytest.mark.parametrize("classes", [3, 25, 100, 256])
def test_rows_that_are_special_among_others(isa, dtype, classes):
    """A row left out, one with a class that is not there, and one whose sum leaves the range: the others stay."""
    scores, target = made(32, classes, dtype)
    expected = losses.cross_entropy(scores, target, return_grad=True, reduction="none")
    scores[3, (target[3] + 1) % classes] = -np.inf
    scores[20] = np.where(np.arange(classes) == target[20], 300, -3e38 if dtype == "float32" else -1e308)
    target[9] = -100
    found = losses.cross_entropy(scores, target, return_grad=True, reduction="none")
    for i in set(range(32)) - {3, 9, 20}:
        assert found[0][i] == expected[0][i]
        assert found[1][i].tobytes() == expected[1][i].tobytes()
    assert not found[1][9].any()
    assert found[0][20] == 0


@each_loss
@each_float
@pytest.mark.parametrize("n_threads", [None, 1, 2])
def test_plain_arrays_and_others(loss, dtype, n_threads):
    scores, target = made(700, 100, dtype)
    expected = loss(scores.tolist(), target.tolist(), return_grad=True) if dtype == "float64" else None
    weighted = loss(scores, target, sample_weight=np.ones(700), return_grad=True, n_threads=n_threads)
    plain = loss(scores, target, return_grad=True, n_threads=n_threads)
    assert_same(plain, weighted)
    assert_same(plain, expected or weighted)
    assert loss(scores, target, n_threads=n_threads) == plain[0]
    for ids in (target.astype(np.int32), target.astype(np.uint8), np.asfortranarray(target)[::-1][::-1]):
        assert_same(loss(scores, ids, return_grad=True), plain)
    for rows in (np.asfortranarray(scores), scores.astype(scores.dtype.newbyteorder())):
        assert_same(loss(rows, target, return_grad=True), plain)
    out = np.empty_like(scores)
    assert loss(scores, target, return_grad=True, grad_out=out)[1] is out
    assert out.tobytes() == plain[1].tobytes()
    itself = scores.copy()
    assert loss(itself, target, return_grad=True, grad_out=itself)[1] is itself
    assert itself.tobytes() == plain[1].tobytes()


@each_loss
def test_plain_arrays_that_are_refused(loss):
    scores, target = made(40, 6, "float32")
    for wrong, words in ((6, r"target\[5\] = 6 is outside"), (-1, r"target\[5\] = -1 is outside")):
        with pytest.raises(ValueError, match=words):
            loss(scores, np.where(np.arange(40) == 5, wrong, target))
    for value, words in ((np.nan, "NaN"), (np.inf, r"\+inf")):
        changed = scores.copy()
        changed[17, 2] = value
        with pytest.raises(ValueError, match=rf"scores contains {words} \(first in row 17\)"):
            loss(changed, target)
    memory = np.zeros(40 * 6 + 1, "float32")
    for out in (memory[1:].reshape(40, 6), target.view("float32")[:1].repeat(240).reshape(40, 6)[:, ::-1]):
        around = memory[:-1].reshape(40, 6)
        with pytest.raises(ValueError, match="grad_out"):
            loss(around, target, return_grad=True, grad_out=out)
    read_only = np.zeros_like(scores)
    read_only.flags.writeable = False
    for out in (read_only, np.zeros((40, 7), "float32"), np.zeros((40, 6))):
        with pytest.raises((ValueError, TypeError), match="grad_out"):
            loss(scores, target, return_grad=True, grad_out=out)
    with pytest.raises(ValueError, match="return_grad is False"):
        loss(scores, target, grad_out=np.zeros_like(scores))
    for name, value in (("n_threads", 0), ("n_threads", 1.5), ("ignore_index", 1.0), ("reduction", "avg")):
        with pytest.raises((ValueError, TypeError), match=name):
            loss(scores, target, **{name: value})


@each_loss
def test_ignored_rows_of_plain_arrays(loss):
    scores, target = made(30, 5, "float64")
    some = np.where(np.arange(30) % 3 == 0, -100, target)
    kept = some >= 0
    found, expected = loss(scores, some, return_grad=True), loss(scores[kept], target[kept], return_grad=True)
    assert found[0] == pytest.approx(expected[0], rel=1e-15)
    assert not found[1][~kept].any()
    assert loss(scores, target, ignore_index=2) == pytest.approx(loss(scores[target != 2], target[target != 2]))
    assert loss(scores, target, ignore_index=10**30) == loss(scores, target)


@each_float
@pytest.mark.parametrize(("rows", "features", "classes"), [(1100, 30, 5), (70, 400, 2100), (1, 3, 2), (600, 0, 3)])
def test_linear_losses_do_not_depend_on_threads(dtype, rows, features, classes):
    rng = np.random.default_rng(2)
    X, W = (rng.standard_normal((n, features)).astype(dtype) for n in (rows, classes))
    target, b = rng.integers(0, classes, rows), rng.standard_normal(classes).astype(dtype)
    for loss in (losses.linear_cross_entropy, losses.linear_hinge):
        found = [loss(X, W, target, b=b, return_grad=True, n_threads=n) for n in (1, 2, 5)]
        assert found[0][0] == found[1][0] == found[2][0]
        for one, two, five in zip(*(gradients for _, gradients in found), strict=True):
            assert one.tobytes() == two.tobytes() == five.tobytes()
