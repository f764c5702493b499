"""How exact losses are, in units of the last place (ULP); threads, other rows and the processor do not matter."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import reference_losses as reference
from hypothesis import given
from hypothesis import strategies as st
from isas import on_isa
from names import FLOAT_DTYPES, each_float
from test_losses import case

from fastclf import _native, losses

each_case = pytest.mark.parametrize(("name", "option"), reference.CASES)
CLASSES = [(1, 4), (2, 60), (3, 60), (10, 40), (15, 30), (16, 30), (17, 30), (100, 12), (1000, 4), (50257, 1)]

# Below these, the last place is not where the number's size says, or products have lost digits on their way.
SMALLEST = {"float32": 1e-37, "float64": 1e-300}


# ULP, for any number of classes.
LIMITS = {
    "float32": {"loss": 2, "gradient": 3, "softmax": 3, "log_softmax": 2},
    "float64": {"loss": 3, "gradient": 5, "softmax": 5, "log_softmax": 4},
}


def ulps(found, wanted, dtype):
    size = abs(wanted)
    seen = (size > SMALLEST[dtype]) & (size < np.finfo(dtype).max)
    error = abs(np.asarray(found).astype(np.longdouble) - wanted)[seen]
    return float(np.max(error / np.spacing(size[seen].astype(dtype)), initial=0))


def near(limit):
    """Scores a few last places below `limit`."""
    return lambda rng, shape, dtype: limit(dtype) * (1 - np.finfo(dtype).eps * rng.integers(1, 9, shape))


def one_ahead(rng, shape, dtype):
    """One class is all but certain: losses down to the smallest numbers."""
    far = np.where(
        np.arange(shape[1]) == rng.integers(0, shape[1], (shape[0], 1)), rng.uniform(0, 720, (shape[0], 1)), 0
    )
    return far + rng.normal(size=shape)


def huge(dtype):
    return float(np.finfo(dtype).max)


SCORES = {
    **{f"scale {s:g}": lambda r, n, _, s=s: s * r.normal(size=n) for s in (1e-3, 1, 5, 30, 87, 300, 1e4, 1e30)},
    **{f"offset {o:g}": lambda r, n, _, o=o: o + 5 * r.normal(size=n) for o in (1e3, 1e4, -3e4, 16384, 524288, 1e30)},
    "near the largest": near(huge),
    "near the smallest": near(lambda dtype: -huge(dtype)),
    "from end to end": lambda rng, shape, dtype: huge(dtype) / 2 * rng.uniform(-0.99, 0.99, shape),
    "one far above": lambda rng, shape, _: np.where(rng.random(shape) < 0.1, 1e30, rng.normal(size=shape)),
    "subnormal": lambda rng, shape, dtype: np.finfo(dtype).smallest_subnormal * rng.integers(-5, 5, shape),
    "equal": lambda _, shape, __: np.ones(shape),
    "one ahead": one_ahead,
}


@functools.cache
def batch(kind, dtype, c, n):
    """Scores and classes, every other of which is the best; per row, what softmax says of it in long double."""
    rng = np.random.default_rng(c)
    scores = SCORES[kind](rng, (n, c), dtype).astype(dtype)
    label = rng.integers(0, c, n)
    label[::2] = scores[::2].argmax(axis=1)
    p, rest, bits = (np.array(a) for a in zip(*map(reference.soften, scores), strict=True))
    rows = np.arange(n)
    gradients = p.copy()
    gradients[rows, label] = -rest[rows, label]
    return scores, label, {"loss": bits[rows, label], "gradient": gradients, "softmax": p, "log_softmax": -bits}


@each_float
@pytest.mark.parametrize("kind", SCORES)
def test_softmax_and_cross_entropy_are_exact_to_some_ulp(isa, kind, dtype):
    for c, n in CLASSES:
        scores, label, wanted = batch(kind, dtype, c, n)
        loss, gradient = losses.cross_entropy(scores, label, reduction="none", return_grad=True)
        found = {"loss": loss, "gradient": gradient}
        found.update(softmax=losses.softmax(scores), log_softmax=losses.log_softmax(scores))
        off = {what: ulps(value, wanted[what], dtype) for what, value in found.items()}
        beyond = {what: round(by, 3) for what, by in off.items() if by > LIMITS[dtype][what]}
        assert beyond == {}, f"{c} classes"
        assert (loss[wanted["loss"] >= np.finfo(dtype).tiny] > 0).all()
        assert np.isfinite(gradient).all()
        assert losses.cross_entropy(scores, label, reduction="none").tobytes() == loss.tobytes()


def test_probabilities_of_many_classes_are_within_three_ulp():
    rng = np.random.default_rng(5)
    for c, scale in ((2, 5), (10, 20), (100, 20)):
        z = (scale * rng.normal(size=(60000 // c, c))).astype("float32")
        e = np.exp(z.astype(np.longdouble) - z.max(axis=1, keepdims=True))
        assert ulps(losses.softmax(z), e / e.sum(axis=1, keepdims=True), "float32") <= 3


@each_float
@pytest.mark.parametrize("gap", [17, 40, 87, 100, 300, 700])
def test_a_good_guess_still_costs_something(isa, dtype, gap):
    rows = np.array([[gap, 0.0, 0.0]], dtype)
    loss, gradient = losses.cross_entropy(rows, [0], return_grad=True)
    assert loss == pytest.approx(2 * np.exp(-gap), rel=1e-6)
    if gap <= 87 or dtype == "float64":
        assert gradient[0, 0] == pytest.approx(-2 * np.exp(-gap), rel=1e-6)
        assert gradient[0, 1] == pytest.approx(np.exp(-gap), rel=1e-6)


# In units of float64's last place for losses that are computed so; where terms cancel, of the terms.
LOSS_LIMITS = {
    "cross_entropy": 4,
    "kl_div": 40,
    "softmax_mse": 8,
    "hinge": 10,
    "mse": 4,
    "binary_cross_entropy_with_logits": 4,
}


@each_float
@pytest.mark.parametrize("scale", [0.01, 1, 10, 60])
@each_case
def test_means_are_exact_to_some_ulp(name, option, scale, dtype):
    loss_of = reference.LOSSES[name]
    for c in (2, 10):
        rng = np.random.default_rng(c)
        scores = (scale * rng.normal(size=(20, c))).astype(dtype)
        scores, target, keywords = reference.resolve(loss_of.options[option], rng, scores)
        loss = getattr(losses, name)(scores, target, **keywords)
        wanted = reference.evaluate(name, scores, target, **keywords)[0]
        in_dtype = "float64" if loss_of.in_float64 else dtype
        assert ulps(loss, np.asarray(wanted), in_dtype) <= LOSS_LIMITS.get(name, 4)


@each_float
@pytest.mark.parametrize(
    "keywords", [o for o in reference.LOSSES["cross_entropy"].options if "probab" not in o["target"].__name__]
)
@pytest.mark.parametrize("scale", [1, 30, 300])
def test_cross_entropy_of_any_options_is_exact_to_some_ulp(keywords, scale, dtype):
    rng = np.random.default_rng(3)
    scores = (scale * rng.normal(size=(50, 12))).astype(dtype)
    scores, target, keywords = reference.resolve(keywords, rng, scores)
    loss, gradient = losses.cross_entropy(scores, target, reduction="none", return_grad=True, **keywords)
    wanted, gradients = reference.evaluate("cross_entropy", scores, target, reduction="none", **keywords)
    assert ulps(loss, wanted, dtype) <= LIMITS[dtype]["loss"]
    if "label_smoothing" not in keywords:
        assert ulps(gradient, gradients, dtype) <= LIMITS[dtype]["gradient"]


@each_float
def test_divergence_from_itself_is_off_by_rounding_only(isa, dtype, rng):
    z = rng.normal(0, 3, (50, 30)).astype(dtype)
    t = losses.softmax(z.astype("float64"))
    divergence, entropy = losses.kl_div(z, t, reduction="none"), losses.cross_entropy(z, t, reduction="none")
    assert abs(divergence).max() <= 2 * np.finfo(dtype).eps * entropy.max()


# --- sizes ------------------------------------------------------------------------------------------------------------


def test_the_least_exact_probability_known(isa):
    """docs/losses.md bounds it by 5.1 units in the last place."""
    row = np.array([[-27.435154, -59.3210144]], "float32")
    wanted = 1 / (1 + np.exp(row[:, :1].astype(np.longdouble) - row[:, 1:].astype(np.longdouble)))
    assert 3 < ulps(losses.softmax(row)[:, 1:], wanted, "float32") < 5.1


@each_float
@pytest.mark.parametrize("weight", [1e-290, 1e-30, 1e30, 1e290])
@pytest.mark.parametrize("name", reference.LOSSES)
def test_weights_of_any_size(name, weight, dtype):
    scores, target, keywords = case(name, 0, (10,), dtype)
    loss_of = functools.partial(getattr(losses, name), scores, target, return_grad=True, **keywords)
    weights = np.full(len(scores), weight)
    plain, mean = loss_of(), loss_of(sample_weight=weights)
    assert mean[0] == pytest.approx(plain[0], rel=1e-14)
    np.testing.assert_allclose(mean[1], plain[1], rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    each = loss_of(reduction="none")[0]
    np.testing.assert_allclose(loss_of(sample_weight=weights, reduction="none")[0] if dtype == "float64" else
                               getattr(losses, name)(scores, target, sample_weight=weights, reduction="none"),
                               each * weight, rtol=1e-15)  # fmt: skip


@pytest.mark.parametrize("name", reference.LOSSES)
def test_weights_that_a_mean_cannot_divide_by(name):
    scores, target, _ = case(name, 0, (10,), "float64")
    for weight in (1e-307, 1e301):
        with pytest.raises(ValueError, match=r"the weights sum to .*a mean cannot divide by that"):
            getattr(losses, name)(scores, target, sample_weight=np.full(len(scores), weight))


@each_float
@pytest.mark.parametrize("name", reference.LOSSES)
def test_slopes_of_small_weights(name, dtype):
    scores, target, keywords = case(name, 0, (10,), dtype)
    call = functools.partial(getattr(losses, name), scores, target, reduction="sum", return_grad=True, **keywords)
    loss, gradient = call()
    for weight in (2.0**-20, 2.0**20):
        scaled = call(sample_weight=np.full(len(scores), weight))
        assert scaled[0] == loss * weight
        for a, b in zip(np.atleast_3d(scaled[1]), np.atleast_3d(gradient), strict=True):
            np.testing.assert_allclose(a, b * weight, rtol=2 * np.finfo(dtype).eps)


@each_float
def test_finite_scores_never_give_nan(isa, dtype):
    top = 3e38 if dtype == "float32" else 1e308
    rows = np.array([[top, -top, 0], [-top, -top, -top], [top, top, top], [-top, 0, top]], dtype)
    for label in range(3):
        for name in ("cross_entropy", "softmax_mse", "hinge", "mse"):
            loss, gradient = getattr(losses, name)(rows, [label] * 4, reduction="none", return_grad=True)
            wanted = reference.evaluate(name, rows, [label] * 4, reduction="none")[0]
            with np.errstate(over="ignore"):
                np.testing.assert_allclose(loss, wanted.astype("float64"), rtol=1e-6)
            assert np.isfinite(gradient).all() or name == "mse"
            assert not np.isnan(gradient).any()
    loss, gradient = losses.binary_cross_entropy_with_logits(rows, rows > 0, return_grad=True)
    assert np.isfinite(loss)
    assert abs(gradient).max() <= 1 / 24
    assert np.isfinite(losses.max_margin(rows, -rows, reduction="none", return_grad=True)[1][0]).all()


@pytest.mark.parametrize("score", [8e307, 1e308])
def test_infinite_losses_stay_infinite(score):
    """A loss beyond float64 is infinite, never NaN; and so are sums and means of such."""
    rows = np.array([[score, -score]] * 3)
    for name in ("cross_entropy", "hinge", "mse"):
        each = getattr(losses, name)(rows, [1, 1, 1], reduction="none")
        assert (each >= 1.5e308).any()
        for reduction in ("sum", "mean"):
            assert getattr(losses, name)(rows, [1, 1, 1], reduction=reduction) >= score


@pytest.mark.parametrize("target", [[1], [[0.5, 0.5]]])
def test_a_class_that_is_not_there_costs_infinitely_much(isa, target):
    for name in ("cross_entropy", "kl_div")[: 1 + np.ndim(target[0])]:
        for reduction in reference.REDUCTIONS:
            loss, gradient = getattr(losses, name)([[0.0, -np.inf]], target, reduction=reduction, return_grad=True)
            assert loss == np.inf
            assert gradient.tolist() == ([[1.0, -1.0]] if target == [1] else [[0.5, -0.5]])


# --- what does not matter ---------------------------------------------------------------------------------------------


def answer(name, scores, target, keywords, **more):
    """The bytes of loss and gradients, for all reductions."""
    call = functools.partial(getattr(losses, name), scores, target, return_grad=True, **keywords, **more)
    return [[np.asarray(part).tobytes() for part in call(reduction=r)] for r in reference.REDUCTIONS]


@each_float
@each_case
def test_instruction_sets_do_not_matter(name, option, dtype):
    for columns in ((1,), (3,), (10,), (17,), (100,), (1001,)):
        scores, target, keywords = case(name, option, columns, dtype, 5)
        found = []
        for isa in _native.isas():
            with on_isa(isa):
                found.append(answer(name, scores * scores.dtype.type(5), target, keywords))
        assert all(f == found[0] for f in found)


@each_float
@pytest.mark.parametrize("kind", SCORES)
def test_instruction_sets_do_not_matter_at_any_scale(kind, dtype):
    for c, n in CLASSES[:-1]:
        scores, label, _ = batch(kind, dtype, c, n)
        found = []
        for isa in _native.isas():
            with on_isa(isa), np.errstate(over="ignore"):
                each = [
                    getattr(losses, name)(scores, label, reduction="none", return_grad=True)
                    for name in ("cross_entropy", "softmax_mse", "hinge")
                ]
                values = [losses.softmax(scores), losses.log_softmax(scores), *(a for pair in each for a in pair)]
                found.append([v.tobytes() for v in values])
        assert all(f == found[0] for f in found)


@each_float
@pytest.mark.parametrize("name", reference.LOSSES)
def test_threads_do_not_matter(name, dtype):
    for columns, rows in (((10,), 6001), ((100,), 701), ((2049,), 37)):
        scores, target, keywords = case(name, 1, columns, dtype, rows)
        answers = [answer(name, scores, target, keywords, n_threads=t) for t in (1, 2, 3, 7)]
        assert all(a == answers[0] for a in answers)


@given(
    st.sampled_from(reference.CASES),
    st.sampled_from(FLOAT_DTYPES),
    st.sampled_from([1, 2, 3, 7, 10, 16, 33]),
    st.lists(st.integers(0, 400), max_size=5),
)
def test_other_rows_do_not_matter(which, dtype, columns, cuts):
    name, option = which
    scores, target, keywords = case(name, option, (columns,), dtype, 400)
    weight = keywords.pop("sample_weight", np.ones(len(scores)))
    call = functools.partial(getattr(losses, name), reduction="none", return_grad=True, **keywords)
    loss, gradient = call(scores, target, sample_weight=weight)
    gradient = gradient[0] if name == "max_margin" else gradient
    bounds = [0, *sorted(cuts), 400]
    for i, j in itertools.pairwise(bounds):
        part, gradients = call(scores[i:j], target[i:j], sample_weight=weight[i:j])
        gradients = gradients[0] if name == "max_margin" else gradients
        assert part.tobytes() == loss[i:j].tobytes()
        assert gradients.tobytes() == gradient[i:j].tobytes()


@each_float
@each_case
def test_in_place(isa, name, option, dtype):
    for columns in ((1,), (3,), (10,), (40,)):
        scores, target, keywords = case(name, option, columns, dtype, 50)
        loss, gradient = getattr(losses, name)(scores, target, return_grad=True, **keywords)
        own, other = scores.copy(), np.asarray(target).copy()
        out = (own, other) if name == "max_margin" else own
        again, written = getattr(losses, name)(own, other, return_grad=True, grad_out=out, **keywords)
        assert again == loss
        assert np.asarray(written).tobytes() == np.asarray(gradient).tobytes()
        assert own.tobytes() == np.asarray(gradient if name != "max_margin" else gradient[0]).tobytes()


@each_float
@pytest.mark.parametrize("name", reference.VALUES)
def test_softmax_in_place_and_by_threads(isa, name, dtype, rng):
    scores = rng.normal(0, 9, (5003, 11)).astype(dtype)
    wanted = getattr(losses, name)(scores)
    for n_threads in (1, 2, 3, 7):
        assert getattr(losses, name)(scores, n_threads=n_threads).tobytes() == wanted.tobytes()
    assert getattr(losses, name)(scores[77:91]).tobytes() == wanted[77:91].tobytes()
    assert getattr(losses, name)(scores, out=scores) is scores
    assert scores.tobytes() == wanted.tobytes()
