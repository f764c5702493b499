"""Every loss, option, reduction, dtype and instruction set: what the definitions say, what others compute."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import reference_losses as reference
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from names import FLOAT_DTYPES, each_float

from fastclf import _native, losses

each_reduction = pytest.mark.parametrize("reduction", reference.REDUCTIONS)
each_case = pytest.mark.parametrize(("name", "option"), reference.CASES)
LECTURE = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])


def test_every_loss_has_a_reference():
    covered = {kernel for name, loss in reference.LOSSES.items() for kernel in loss.kernels or (name,)}
    assert covered | set(reference.VALUES) == set(_native.loss_names())
    public = {name for name in losses.__all__ if not name.startswith("linear_")}
    assert public == set(reference.LOSSES) | set(reference.VALUES)


@functools.cache
def case(name, option, columns, dtype, rows=23):
    """A loss and its arguments."""
    rng = np.random.default_rng([option, *columns])
    scores = rng.normal(0, 3, (rows, *columns)).astype(dtype)
    scores, target, keywords = reference.resolve(reference.LOSSES[name].options[option], rng, scores)
    return scores, target.astype(dtype) if name == "max_margin" else target, keywords


@functools.cache
def expected(name, option, columns, dtype, reduction):
    scores, target, keywords = case(name, option, columns, dtype)
    return reference.evaluate(name, scores, target, reduction=reduction, **keywords)


def compute(name, option, columns, dtype, reduction="mean", **more):
    scores, target, keywords = case(name, option, columns, dtype)
    found = getattr(losses, name)(scores, target, reduction=reduction, return_grad=True, **keywords, **more)
    return (found[0], found[1][0]) if name == "max_margin" else found


def close(found, wanted, eps, times=4.0, beside=None):
    """Whether within some roundings of the value, or of what it is a difference of."""
    beside = np.max(np.abs(wanted), initial=0) if beside is None else beside
    np.testing.assert_allclose(np.asarray(found, np.longdouble), wanted, rtol=times * eps, atol=times * eps * beside)


@each_reduction
@each_float
@each_case
def test_losses_and_gradients(isa, name, option, dtype, reduction):
    loss_of = reference.LOSSES[name]
    eps = np.finfo("float64" if loss_of.in_float64 else dtype).eps
    for columns in loss_of.columns:
        loss, gradient = compute(name, option, columns, dtype, reduction)
        wanted, score_gradients = expected(name, option, columns, dtype, reduction)
        assert gradient.dtype == dtype
        assert gradient.shape == score_gradients.shape
        assert isinstance(loss, float) if reduction != "none" else loss.dtype == np.float64
        close(loss, wanted, eps, 8)
        close(gradient, score_gradients, np.finfo(dtype).eps, 8)


@each_case
def test_without_the_gradient_the_loss_is_the_same(name, option):
    scores, target, keywords = case(name, option, (10,), "float32")
    for reduction in reference.REDUCTIONS:
        loss = getattr(losses, name)(scores, target, reduction=reduction, **keywords)
        assert np.asarray(loss).tobytes() == np.asarray(compute(name, option, (10,), "float32", reduction)[0]).tobytes()


@each_float
@pytest.mark.parametrize("name", ["mse", "binary_cross_entropy_with_logits", "max_margin"])
def test_scores_of_one_dimension_are_a_column(name, dtype):
    for option in range(len(reference.LOSSES[name].options)):
        scores, target, keywords = case(name, option, (1,), dtype)
        if np.shape(target) != scores.shape:
            continue
        for reduction in reference.REDUCTIONS:
            loss, gradient = getattr(losses, name)(
                scores[:, 0], target[:, 0], reduction=reduction, return_grad=True, **keywords
            )
            wanted, score_gradients = compute(name, option, (1,), dtype, reduction)
            assert np.asarray(loss).tobytes() == np.asarray(wanted).tobytes()
            gradient = gradient[0] if name == "max_margin" else gradient
            assert gradient.shape == (len(scores),)
            assert gradient.tobytes() == score_gradients.tobytes()


@each_float
@pytest.mark.parametrize("name", reference.VALUES)
@pytest.mark.parametrize("shape", [(3,), (1, 1), (5, 2), (7, 16), (2, 0, 3), (0, 4), (3, 2, 4, 17), (4, 100)], ids=str)
def test_softmax_of_any_shape(isa, name, dtype, shape, rng):
    scores = rng.normal(0, 5, shape).astype(dtype)
    if scores.size and shape[-1] > 1:
        scores[..., 1] = -np.inf
    wanted = np.array([reference.VALUES[name](row) for row in scores.reshape(-1, shape[-1])]).reshape(shape)
    found, out = getattr(losses, name)(scores), np.full_like(scores, 7)
    assert found.dtype == dtype
    close(found, wanted, np.finfo(dtype).eps, 4, beside=0)
    assert getattr(losses, name)(scores, out=out) is out
    assert out.tobytes() == found.tobytes()


# --- score_gradients --------------------------------------------------------------------------------------------------


def central_differences(loss_of, scores, step):
    score_gradients = np.zeros(scores.shape)
    for at in zip(*np.nonzero(np.isfinite(scores)), strict=True):
        up, down = scores.copy(), scores.copy()
        up[at] += step
        down[at] -= step
        score_gradients[at] = (loss_of(up) - loss_of(down)) / (up[at] - down[at])
    return score_gradients


@each_case
def test_slopes_are_finite_differences(name, option):
    scores, target, keywords = case(name, option, (4,), "float64", 7)
    target = np.asarray(target)
    gradient = getattr(losses, name)(scores, target, return_grad=True, **keywords)[1]
    gradient = gradient[0] if name == "max_margin" else gradient
    for loss_of in (getattr(losses, name), functools.partial(reference_loss, name)):
        numeric = central_differences(lambda s, f=loss_of: f(s, target, **keywords), scores, 2.0**-18)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def reference_loss(name, scores, target, **keywords):
    return reference.evaluate(name, scores, target, **keywords)[0]


def test_slopes_at_kinks():
    z = np.array([[2.0, 1.0, 3.0, 3.0]])
    assert losses.hinge(z[:, :2], [0], return_grad=True) == (0.0, pytest.approx(np.zeros((1, 2)), abs=0))
    assert losses.hinge(z, [0], return_grad=True)[1].tolist() == [[-2.0, 0.0, 1.0, 1.0]]
    singer = losses.hinge(z, [0], kind="crammer_singer", return_grad=True)
    assert (singer[0], singer[1].tolist()) == (2.0, [[-1.0, 0.0, 1.0, 0.0]])
    assert losses.hinge(z[:, :2], [0], kind="crammer_singer", return_grad=True)[1].tolist() == [[0.0, 0.0]]
    loss, (true, corrupt) = losses.max_margin([1.0, 1.0], [0.0, 0.5], return_grad=True, reduction="sum")
    assert (loss, true.tolist(), corrupt.tolist()) == (0.5, [0.0, -1.0], [0.0, 1.0])


def test_gradients_of_pairs_are_opposite(rng):
    s, c = rng.normal(size=(2, 50, 3))
    for a, b in ((s, c), (s.astype("f4"), c.astype("f4")), (s, c.astype("f4")), (s.astype("f4"), c)):
        _, (true, corrupt) = losses.max_margin(a, b, return_grad=True)
        assert (true == -corrupt).all()
        assert true.dtype == np.promote_types(a.dtype, b.dtype)
    assert true.any()


# --- others' losses ---------------------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def torch_agrees(torch, loss_of, name, scores, target, reduction="mean", **keywords):
    leaf = torch.tensor(scores, requires_grad=True)
    wanted = loss_of(leaf)
    wanted.sum().backward()
    loss, gradient = getattr(losses, name)(scores, target, reduction=reduction, return_grad=True, **keywords)
    times = 64 * np.finfo(scores.dtype).eps
    np.testing.assert_allclose(loss, wanted.detach().numpy(), rtol=times, atol=times)
    np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=times, atol=times)


@each_float
@each_reduction
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_is_that_of_torch(torch, rng, dtype, reduction, smoothing, weighted):
    z = rng.normal(0, 4, (31, 12)).astype(dtype)
    weight = rng.random(12).astype(dtype) if weighted else None
    tensor = None if weight is None else torch.tensor(weight)
    of_torch = functools.partial(
        torch.nn.functional.cross_entropy, weight=tensor, reduction=reduction, label_smoothing=smoothing
    )
    keywords = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
    y, t = rng.integers(0, 12, 31), reference.probabilities(rng, z.shape).astype(dtype)
    torch_agrees(torch, lambda s: of_torch(s, torch.tensor(t)), "cross_entropy", z, t, **keywords)
    torch_agrees(torch, lambda s: of_torch(s, torch.tensor(y)), "cross_entropy", z, y, **keywords)
    y[::4] = -100
    torch_agrees(torch, lambda s: of_torch(s, torch.tensor(y)), "cross_entropy", z, y, **keywords)
    torch_agrees(
        torch,
        lambda s: of_torch(s, torch.tensor(y % 12), ignore_index=3),
        "cross_entropy",
        z,
        y % 12,
        ignore_index=3,
        **keywords,
    )


def test_where_torch_has_no_finite_loss(torch):
    of_torch, z = torch.nn.functional.cross_entropy, np.array([[0.0, -np.inf, 1.0]])
    half, log_half = np.array([[0.5, 0.0, 0.5]]), np.log1p(np.e) - 0.5
    assert np.isnan(of_torch(torch.tensor(z), torch.tensor(half)).item())
    assert np.isnan(of_torch(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)).item())
    assert of_torch(torch.tensor(z), torch.tensor([0]), label_smoothing=1.0).item() == np.inf
    assert losses.cross_entropy(z, half) == pytest.approx(log_half, rel=1e-15)
    assert losses.cross_entropy(z, [0], label_smoothing=1.0) == pytest.approx(log_half, rel=1e-15)
    assert losses.cross_entropy(np.zeros((0, 3)), np.zeros(0, int)) == 0


@each_float
def test_other_losses_are_those_of_torch(torch, rng, dtype):
    F = torch.nn.functional
    z = rng.normal(0, 3, (31, 5)).astype(dtype)
    t, y = reference.probabilities(rng, z.shape).astype(dtype), rng.integers(0, 5, 31)
    tt, hot = torch.tensor(t), torch.tensor(np.eye(5, dtype=dtype)[y])
    w = rng.random(5).astype(dtype) * 3
    bce = functools.partial(F.binary_cross_entropy_with_logits, target=tt, pos_weight=torch.tensor(w))
    for reduction, name in (("mean", "batchmean"), ("sum", "sum")):
        torch_agrees(
            torch, lambda s, r=name: F.kl_div(s.log_softmax(1), tt, reduction=r), "kl_div", z, t, reduction=reduction
        )
    for r in reference.REDUCTIONS:
        torch_agrees(torch, lambda s, r=r: F.mse_loss(s, hot, reduction=r), "mse", z, y, r)
        torch_agrees(torch, lambda s, r=r: F.mse_loss(s.softmax(1), hot, reduction=r), "softmax_mse", z, y, r)
        torch_agrees(torch, lambda s, r=r: F.mse_loss(s.softmax(1), tt, reduction=r), "softmax_mse", z, t, r)
        torch_agrees(
            torch, lambda s, r=r: bce(s, reduction=r), "binary_cross_entropy_with_logits", z, t, r, pos_weight=w
        )
        for p in (1, 2):
            torch_agrees(
                torch,
                lambda s, r=r, p=p: 5 * F.multi_margin_loss(s, torch.tensor(y), p=p, margin=0.7, reduction=r),
                "hinge", z, y, r, squared=p == 2, margin=0.7,
            )  # fmt: skip


def multi_margin_loss(z, y, weight, margin, p, reduction):
    """PyTorch's, as its documentation has it."""
    losses = []
    for s, label in zip(z.tolist(), y.tolist(), strict=True):
        terms = [weight[label] * max(0, margin - s[label] + s[i]) ** p for i in range(len(s)) if i != label]
        losses.append(sum(terms) / len(s))
    return {"none": np.array(losses), "sum": sum(losses), "mean": sum(losses) / len(losses)}[reduction]


@each_reduction
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("installed", [False, True])
def test_weighted_hinge_beside_that_of_torch(request, rng, reduction, p, installed):
    z, y, weight = rng.normal(0, 3, (31, 5)), rng.integers(0, 5, 31), rng.random(5) * 3
    if installed:
        torch = request.getfixturevalue("torch")
        of_torch = torch.nn.functional.multi_margin_loss
        arrays = map(torch.tensor, (z, y))
        wanted = of_torch(*arrays, weight=torch.tensor(weight), margin=0.7, p=p, reduction=reduction).numpy()
    else:
        wanted = multi_margin_loss(z, y, weight, 0.7, p, reduction)
    found = losses.hinge(z, y, weight=weight, margin=0.7, squared=p == 2, reduction=reduction)
    factor = (weight[y].mean() if reduction == "mean" else 1) / 5
    np.testing.assert_allclose(found * factor, wanted, rtol=1e-14)


@each_float
def test_scipy_says_the_same(rng, dtype):
    z = rng.normal(0, 5, (20, 30)).astype(dtype)
    t, wide = reference.probabilities(rng, z.shape), z.astype("float64")
    eps = np.finfo(dtype).eps
    log_p = scipy.special.log_softmax(wide, axis=1)
    close(losses.softmax(z), scipy.special.softmax(wide, axis=1), eps, 64, 0)
    close(losses.log_softmax(z), log_p, eps, 64)
    close(
        losses.cross_entropy(z, np.zeros(20, int), reduction="none"),
        scipy.special.logsumexp(wide, axis=1) - wide[:, 0],
        eps,
        64,
    )
    close(losses.kl_div(z, t, reduction="none"), scipy.special.rel_entr(t, np.exp(log_p)).sum(axis=1), eps, 64)
    entropy = scipy.special.entr(t).sum(axis=1)
    close(losses.cross_entropy(z, t, reduction="none") - losses.kl_div(z, t, reduction="none"), entropy, eps, 64)


# --- examples and properties ------------------------------------------------------------------------------------------


def test_examples_of_lectures():
    assert losses.hinge(LECTURE, [0, 1, 2], reduction="none") == pytest.approx([2.9, 0.0, 12.9], rel=1e-15)
    assert losses.hinge(LECTURE, [0, 1, 2]) == pytest.approx(15.8 / 3, rel=1e-15)
    assert losses.hinge([[13.0, -7, 11]], [0], margin=10) == 8.0
    assert losses.cross_entropy(np.zeros((4, 10)), np.arange(4)) == pytest.approx(np.log(10), rel=1e-15)
    assert losses.hinge(np.zeros((4, 10)), np.arange(4)) == 9.0
    assert losses.hinge(np.zeros((4, 10)), np.arange(4), count_target=True) == 10.0
    # The squares of the cat's 2.9, of the car's none, of the frog's 6.3 and 6.6.
    squares = losses.hinge(LECTURE, [0, 1, 2], squared=True, reduction="none")
    assert squares == pytest.approx([2.9**2, 0.0, 6.3**2 + 6.6**2], rel=1e-14)
    assert losses.cross_entropy(LECTURE[:1], [0]) == pytest.approx(2.0404, abs=1e-4)


seeds, sizes = st.integers(0, 2**32 - 1), st.tuples(st.integers(1, 9), st.integers(1, 40))
scales = st.sampled_from([1e-3, 1.0, 30.0, 1e4])
float_dtypes = st.sampled_from(FLOAT_DTYPES)


def random_case(seed, size, scale, dtype):
    rng = np.random.default_rng(seed)
    return rng, (scale * rng.normal(size=size)).astype(dtype), rng.integers(0, size[1], size[0])


@given(seeds, sizes, scales, float_dtypes)
def test_probabilities_sum_to_one_and_slopes_to_zero(seed, size, scale, dtype):
    _, z, y = random_case(seed, size, scale, dtype)
    eps = np.finfo(dtype).eps
    p = losses.softmax(z)
    assert (p >= 0).all()
    assert abs(p.sum(axis=1, dtype="float64") - 1).max() <= 3 * eps
    for name, t in (("cross_entropy", y), ("kl_div", p), ("softmax_mse", y), ("hinge", y)):
        loss, gradient = getattr(losses, name)(z, t, reduction="none", return_grad=True)
        size = max(1.0, abs(gradient).max())
        assert abs(gradient.sum(axis=1, dtype="float64")).max() <= 8 * eps * size
        assert loss.min() >= 0 or name == "kl_div"
    assert losses.log_softmax(z).max() <= 0


@given(seeds, sizes, float_dtypes, st.integers(-3, 18))
def test_adding_a_constant_changes_nothing_where_it_is_exact(seed, size, dtype, exponent):
    rng, _, y = random_case(seed, size, 1, dtype)
    z = (rng.integers(-16, 17, size) / 8).astype(dtype)
    moved = z + z.dtype.type(2.0**exponent)
    assert ((moved - z) == z.dtype.type(2.0**exponent)).all()
    eps = np.finfo(dtype).eps
    for a, b in zip(*(losses.cross_entropy(s, y, reduction="none", return_grad=True) for s in (z, moved)), strict=True):
        close(a, b, eps, 4, 0)
    close(losses.softmax(z), losses.softmax(moved), eps, 4, 0)


def gradients(found):
    return found[1] if isinstance(found[1], np.ndarray) else found[1][0]


@each_case
def test_reductions_and_weights(name, option):
    scores, target, keywords = case(name, option, (5,), "float64")
    call = functools.partial(getattr(losses, name), return_grad=True)
    each, total = (call(scores, target, reduction=r, **keywords) for r in ("none", "sum"))
    assert total[0] == pytest.approx(each[0].sum(), rel=1e-13, abs=1e-13)
    assert gradients(each).tobytes() == gradients(total).tobytes()
    keywords = {k: v for k, v in keywords.items() if k != "sample_weight"}
    weight = np.array([0, 1, 2, 3, 1])[np.arange(len(scores)) % 5]
    repeated = np.repeat(np.arange(len(scores)), weight)
    for reduction in ("mean", "sum"):
        weighted = call(scores, target, reduction=reduction, sample_weight=weight, **keywords)
        rows = call(scores[repeated], target[repeated], reduction=reduction, **keywords)
        assert weighted[0] == pytest.approx(rows[0], rel=1e-13)
        score_gradients = np.zeros(scores.shape)
        np.add.at(score_gradients, repeated, gradients(rows))
        np.testing.assert_allclose(gradients(weighted), score_gradients, rtol=1e-13, atol=1e-15)
    kept = weight > 0
    with_rows, without = (call(scores[k], target[k], sample_weight=weight[k], **keywords) for k in (kept | True, kept))
    assert with_rows[0] == pytest.approx(without[0], rel=1e-15)
    np.testing.assert_allclose(gradients(with_rows)[kept], gradients(without), rtol=1e-15)
    assert not gradients(with_rows)[~kept].any()


@given(seeds, sizes, scales, float_dtypes, st.sampled_from([0.0, 0.25]))
def test_certain_probabilities_are_class_ids(seed, size, scale, dtype, smoothing):
    _, z, y = random_case(seed, size, scale, dtype)
    hot, eps = np.eye(size[1])[y], np.finfo(dtype).eps
    for name, keywords in (("cross_entropy", {"label_smoothing": smoothing}), ("softmax_mse", {}), ("mse", {})):
        by_id, by_row = (getattr(losses, name)(z, t, reduction="none", return_grad=True, **keywords) for t in (y, hot))
        close(by_id[0], by_row[0], eps, 2, 0)
        close(by_id[1], by_row[1], eps, 2)


@pytest.mark.parametrize("name", ["cross_entropy", "kl_div"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("classes", [3, 7, 1000, 3001])
def test_rounded_probabilities_are_taken(name, dtype, classes):
    target = np.full((2, classes), 1 / classes, dtype)
    assert getattr(losses, name)(np.zeros((2, classes)), target) == pytest.approx(
        np.log(classes) if name == "cross_entropy" else 0, rel=1e-2, abs=1e-2
    )


def test_no_name_says_that_scores_are_probabilities():
    """PyTorch's binary_cross_entropy takes probabilities: of 0.3 and label 1 its loss is another one."""
    assert not hasattr(losses, "binary_cross_entropy")
    assert losses.binary_cross_entropy_with_logits([0.3], [1]) == pytest.approx(np.log1p(np.exp(-0.3)), rel=1e-15)
