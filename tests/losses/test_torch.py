"""`fastclf.torch` is what PyTorch's own functions are, in values, gradients, shapes and dtypes."""

from __future__ import annotations

import sys

import children
import hypothesis
import numpy as np
import pytest
import reference_losses as reference
from hypothesis import strategies as st

from fastclf import _native

torch = pytest.importorskip("torch")
forward_ad = torch.autograd.forward_ad

import fastclf.torch as ours  # noqa: E402 -- needs PyTorch

F = torch.nn.functional

REDUCTIONS = reference.REDUCTIONS
SHAPES = [(5,), (1,), (7, 5), (1, 1), (0, 5), (3, 5, 2), (2, 5, 0), (2, 4, 3, 2), (2, 1, 3)]
# What an input of this dtype may be off by: a few units in the last place.
OFF = {torch.float64: 1e-13, torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 2e-2}

LOSSES = [ours.cross_entropy, ours.hinge]
each_dtype = pytest.mark.parametrize("dtype", OFF, ids=str)
each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)
forward_mode = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # PyTorch warns of its own code


@pytest.fixture
def draw():
    return torch.Generator().manual_seed(5)


def classes_of(shape):
    return shape[min(len(shape) - 1, 1)]


def shape_of_ids(shape):
    return shape[:1] + shape[2:] if len(shape) > 1 else ()


def summed_hinge(scores, target, p=1, margin=1.0, weight=None, reduction="mean"):
    """PyTorch's loss times C: the sum of the terms; the mean is by the sum of the weights, as cross_entropy has it."""
    each = F.multi_margin_loss(scores, target, p, margin, weight, reduction="none") * scores.shape[-1]
    if reduction == "none":
        return each
    counted = each.numel() if weight is None else weight[target].sum()
    return each.sum() / (counted if reduction == "mean" else 1)


def agree(found, wanted, dtype, draw, *pairs):
    """Whether losses are equal, and gradients with respect to pairs of leaves."""
    off = {"rtol": OFF[dtype], "atol": OFF[dtype], "equal_nan": True}
    torch.testing.assert_close(found, wanted, **off)
    incoming = torch.rand(found.shape, generator=draw).to(dtype)
    gradients = [torch.autograd.grad(loss, given, incoming) for loss, given in zip((found, wanted), pairs, strict=True)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, **off)


def leaves(tensor):
    return [tensor.clone().requires_grad_() for _ in range(2)]


@each_dtype
@each_reduction
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(draw, dtype, reduction, shape, smoothing, weighted):
    scores = torch.randn(shape, generator=draw).to(dtype)
    classes = classes_of(shape)
    weight = torch.rand(classes, generator=draw).to(dtype) if weighted else None
    options = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing}
    ids = torch.randint(classes, shape_of_ids(shape), generator=draw)
    a, b = leaves(scores)
    agree(ours.cross_entropy(a, ids, **options), F.cross_entropy(b, ids, **options), dtype, draw, [a], [b])
    (a, b), (t, u) = leaves(scores), leaves(torch.rand(shape, generator=draw).to(dtype))
    agree(ours.cross_entropy(a, t, **options), F.cross_entropy(b, u, **options), dtype, draw, [a, t], [b, u])


@each_dtype
@each_reduction
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(7, 5), (1, 1), (5,)], ids=str)
def test_hinge(draw, dtype, reduction, p, weighted, shape):
    scores = torch.randn(shape, generator=draw).to(dtype)
    weight = torch.rand(shape[-1], generator=draw).to(dtype) if weighted else None
    ids = torch.randint(shape[-1], shape_of_ids(shape), generator=draw)
    a, b = leaves(scores)
    found = ours.hinge(a, ids, p, 0.7, weight, reduction=reduction)
    wanted = summed_hinge(b.double(), ids, p, 0.7, None if weight is None else weight.double(), reduction).to(dtype)
    agree(found, wanted, dtype, draw, [a], [b])


@each_reduction
@pytest.mark.parametrize("options", [{"margin": 0.3}, {"kind": "crammer_singer", "p": 2}], ids=str)
def test_hinge_of_any_shape(draw, reduction, options):
    scores, ids = torch.randn((2, 4, 3), generator=draw).double(), torch.randint(4, (2, 3), generator=draw)
    ids[1, 2] = -100
    margin = torch.rand(4, 4, generator=draw).double()
    squared = {"squared": options.get("p", 1) == 2, "kind": options.get("kind", "weston_watkins")}
    options = {"margin": margin, **options}
    (leaf, _) = leaves(scores)
    found = ours.hinge(leaf, ids, reduction=reduction, **options)
    rows = scores.movedim(1, -1).reshape(-1, 4).numpy()
    wanted, gradients = reference.evaluate(
        "hinge", rows, ids.reshape(-1).numpy(), margin=np.asarray(options["margin"]), reduction=reduction, **squared
    )
    np.testing.assert_allclose(found.detach().reshape(-1).numpy(), np.reshape(wanted, -1), rtol=1e-13)
    (slope,) = torch.autograd.grad(found.sum(), leaf)
    np.testing.assert_allclose(slope.movedim(1, -1).reshape(-1, 4).numpy(), gradients, rtol=1e-13)


@hypothesis.given(st.data())
def test_cross_entropy_of_any_shape_and_layout(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=4), label="shape"))
    hypothesis.assume(classes_of(shape) > 0)
    draw = torch.Generator().manual_seed(data.draw(st.integers(0, 99), label="seed"))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]), label="dtype")
    order = data.draw(st.permutations(range(len(shape))), label="order")
    scores = torch.randn([shape[i] for i in order], generator=draw).to(dtype)
    scores = scores.permute([order.index(i) for i in range(len(shape))])  # of that shape, in any order in memory
    ids = torch.randint(classes_of(shape), shape_of_ids(shape), generator=draw)
    ids = torch.where(torch.rand(ids.shape, generator=draw) < 0.3, 7, ids)
    options = {"ignore_index": 7, "reduction": data.draw(st.sampled_from(REDUCTIONS), label="reduction")}
    a, b = leaves(scores)
    agree(ours.cross_entropy(a, ids, **options), F.cross_entropy(b, ids, **options), dtype, draw, [a], [b])


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_dtypes_of_class_ids(draw, dtype):
    scores, ids = torch.randn(6, 5, generator=draw), torch.tensor([0, 4, 2, 2, 1, 3])
    assert ours.cross_entropy(scores, ids.to(dtype)) == ours.cross_entropy(scores, ids)
    torch.testing.assert_close(ours.cross_entropy(scores, ids.to(dtype)), F.cross_entropy(scores, ids))


def test_losses_of_infinite_scores(draw):
    scores, ids = torch.randn(4, 5, generator=draw), torch.tensor([0, 1, 2, 3])
    scores[0, 1] = scores[1, 1] = -torch.inf
    a, b = leaves(scores)
    found, wanted = (f(leaf, ids, reduction="none") for f, leaf in ((ours.cross_entropy, a), (F.cross_entropy, b)))
    torch.testing.assert_close(found, wanted)
    assert found[1] == torch.inf
    gradients = [torch.autograd.grad(loss[[0, 2, 3]].sum(), leaf)[0] for loss, leaf in ((found, a), (wanted, b))]
    torch.testing.assert_close(gradients[0][[0, 2, 3]], gradients[1][[0, 2, 3]])


def test_a_mean_of_nothing_is_nan_without_slope():
    for ids, weight in (([], None), ([-100, -100], None), ([0, 1], torch.tensor([0.0, 0.0, 1.0]))):
        leaf, y = torch.zeros(len(ids), 3, requires_grad=True), torch.tensor(ids).long()
        assert F.cross_entropy(leaf, y, weight).isnan()
        smoothed = ours.cross_entropy(leaf, y, weight, label_smoothing=0.5)
        for found in (ours.cross_entropy(leaf, y, weight), smoothed, ours.hinge(leaf, y, weight=weight)):
            assert found.isnan()
            assert torch.equal(torch.autograd.grad(found, leaf)[0], torch.zeros_like(leaf))
    assert ours.hinge(torch.tensor([[9.0, 0.0]]), torch.tensor([0])) == 0  # a row that counts


# --- gradients --------------------------------------------------------------------------------------------------------


@each_reduction
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(5,), (6, 5), (2, 3, 4)], ids=str)
def test_gradients_are_finite_differences(draw, reduction, smoothing, weighted, shape):
    scores = torch.randn(shape, generator=draw).double().requires_grad_()
    weight = torch.rand(classes_of(shape), generator=draw).double() if weighted else None
    options = {"weight": weight, "reduction": reduction, "label_smoothing": smoothing, "ignore_index": 1}
    ids = torch.randint(classes_of(shape), shape_of_ids(shape), generator=draw)
    ids.view(-1)[:1] = 2  # one counts at least
    parts = torch.rand(shape, generator=draw).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: ours.cross_entropy(z, ids, **options), scores)
    assert torch.autograd.gradcheck(lambda z, t: ours.cross_entropy(z, t, **options), (scores, parts))
    assert torch.autograd.gradcheck(lambda t: ours.cross_entropy(scores.detach(), t, **options), parts)
    for p in (1, 2) if smoothing == 0 else ():  # hinges have none
        assert torch.autograd.gradcheck(
            lambda z, p=p: ours.hinge(z, ids, p, weight=weight, reduction=reduction, ignore_index=1), scores
        )


@each_reduction
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_factor_of_zero_leaves_no_gradient_to_probabilities_of_classes_that_are_not_there(reduction, dtype):
    scores = torch.tensor([[0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0]], dtype=dtype)
    a, b = np.log(2), np.log(3)
    for options, wanted in (
        ({"label_smoothing": 1.0}, [[0.0] * 3] * 2),
        ({"weight": torch.tensor([2.0, 1.0, 0.0])}, [[2 * a, a, 0], [2 * b, b, 0]]),
        ({}, [[a, a, torch.inf], [b, b, b]]),
    ):
        parts = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]], dtype=dtype, requires_grad=True)
        ours.cross_entropy(scores, parts, reduction=reduction, **options).sum().backward()
        torch.testing.assert_close(parts.grad, torch.tensor(wanted, dtype=dtype) / (2 if reduction == "mean" else 1))


@forward_mode
@pytest.mark.parametrize("loss", LOSSES)
def test_forward_mode_is_an_error(draw, loss):
    scores, ids, ones = torch.rand(4, 4, generator=draw), torch.arange(4), torch.ones(4)
    with forward_ad.dual_level():
        dual, of_class = forward_ad.make_dual(scores, scores), forward_ad.make_dual(ones, ones)
        leaf = forward_ad.make_dual(scores.clone().requires_grad_(), scores)
        assert forward_ad.unpack_dual(F.cross_entropy(dual, ids)).tangent is not None
        for name, call in (
            *(("input", lambda z=z: loss(z, ids)) for z in (dual, leaf)),
            ("target", lambda: loss(scores, dual)),
            ("weight", lambda: loss(scores, ids, weight=of_class)),
            ("margin", lambda: ours.hinge(scores, ids, margin=dual)),
        ):
            with pytest.raises(NotImplementedError, match=f"support forward-mode derivatives: {name} has a tangent"):
                call()
        torch.testing.assert_close(ours.cross_entropy(scores, ids), F.cross_entropy(scores, ids))  # has no tangent


@forward_mode
@pytest.mark.parametrize("loss", LOSSES)
def test_transforms_are_an_error(draw, loss):
    scores, ids = torch.randn(3, 4, generator=draw), torch.tensor([0, 1, 2])
    for transformed in (
        lambda f: torch.func.jvp(f, (scores,), (scores,)),
        lambda f: torch.func.vmap(f)(scores[None]),
        lambda f: torch.func.grad(f)(scores),
        lambda f: torch.func.functionalize(f)(scores),
        lambda f: torch.func.grad(lambda z: z.sum() * f(scores))(scores),  # the loss is of a tensor from outside
    ):
        transformed(lambda z: F.cross_entropy(z, ids))
        with pytest.raises(NotImplementedError, match=r"^fastclf\.torch does not support torch\.func: input"):
            transformed(lambda z: loss(z, ids))


def test_gradients_of_higher_order_are_an_error(draw):
    weights = torch.randn(4, 4, generator=draw, requires_grad=True)
    scores, parts = torch.randn(3, 4, generator=draw) @ weights, torch.rand(3, 4, generator=draw, requires_grad=True)
    ids = torch.tensor([0, 1, 2])
    for call in (ours.cross_entropy(scores, ids), ours.hinge(scores, ids), ours.cross_entropy(scores, parts)):
        (slope,) = torch.autograd.grad(call, scores, create_graph=True)
        for of in (slope.sum(), call + slope.square().sum()):
            with pytest.raises(RuntimeError, match="cannot be differentiated again"):
                torch.autograd.grad(of, weights, retain_graph=True, allow_unused=True)
    (slope,) = torch.autograd.grad(ours.cross_entropy(scores.detach(), parts), parts, create_graph=True)
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        slope.sum().backward()


def test_backward_may_be_repeated(draw):
    scores = torch.randn(3, 4, generator=draw, requires_grad=True)
    loss = ours.cross_entropy(scores, torch.tensor([0, 1, 2]))
    first, second = (torch.autograd.grad(loss, scores, torch.tensor(c), retain_graph=True)[0] for c in (1.0, 3.0))
    torch.testing.assert_close(3 * first, second)


def test_small_gradients_of_half_precision_are_scaled_before_they_are_rounded():
    scores = torch.zeros(40_000, 4, dtype=torch.float16, requires_grad=True)  # 1/4 of 1/40000 is coarse there
    ours.cross_entropy(scores, torch.zeros(40_000).long()).backward(torch.tensor(32768.0, dtype=torch.float16))
    assert scores.grad.dtype == torch.float16
    assert scores.grad[0, 1] == np.float16(32768 / 40_000 / 4)


def test_without_gradients(draw):
    scores, ids = torch.randn(3, 4, generator=draw, requires_grad=True), torch.tensor([0, 1, 2])
    wanted = F.cross_entropy(scores, ids).detach()
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            found = ours.cross_entropy(scores, ids)
            assert not found.requires_grad
            torch.testing.assert_close(found, wanted)
    assert not ours.cross_entropy(scores.detach(), ids).requires_grad
    with torch.inference_mode():
        made_there = scores * 1
    torch.testing.assert_close(ours.cross_entropy(made_there, ids), wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(draw, dtype):
    scores, ids = torch.randn(3, 4, generator=draw).to(dtype), torch.tensor([0, 1, 2])
    with torch.autocast("cpu", dtype):
        found, wanted = ours.cross_entropy(scores, ids), F.cross_entropy(scores, ids)
    assert found.dtype == wanted.dtype == torch.float32
    torch.testing.assert_close(found, wanted)


def test_the_gradient_is_written_to_the_tensor_that_is_kept(monkeypatch, draw):
    given, run = [], _native.losses
    monkeypatch.setattr(
        _native, "losses", lambda batch, scores, *rest: given.append((scores, rest[-1])) or run(batch, scores, *rest)
    )
    logits = torch.randn(4, 3, generator=draw, requires_grad=True)
    loss = ours.cross_entropy(logits, torch.tensor([0, 1, 2, 0]))
    node = loss.grad_fn if hasattr(loss.grad_fn, "saved_tensors") else loss.grad_fn.next_functions[0][0]
    assert [tuple(a.ctypes.data for a in pair) for pair in given] == [
        (logits.data_ptr(), node.saved_tensors[0].data_ptr())
    ]


def test_default_device_and_dtype_do_not_matter(draw):
    scores, ids = torch.randn(3, 4, generator=draw), torch.tensor([0, 1, 2])
    wanted = ours.cross_entropy(scores, ids)
    with torch.device("meta"):
        found = ours.cross_entropy(scores.requires_grad_(), ids)
        assert found.device.type == "cpu"
        assert torch.autograd.grad(found, scores)[0].device.type == "cpu"
    assert found == wanted


def compiled():
    """Largest differences of loss and gradient when compiled, over a few shapes."""
    draw = torch.Generator().manual_seed(0)
    linear = torch.nn.Linear(5, 5)
    differences = []
    for loss in LOSSES:

        def step(x, y, loss=loss):
            return loss(torch.relu(linear(x)) * 2, y) * 3

        for n in (6, 6, 9):
            x, y = torch.randn(n, 5, generator=draw), torch.randint(5, (n,), generator=draw)
            values, gradients = [], []
            for f in (step, torch.compile(step, backend="eager")):
                values.append(f(x, y))
                gradients.append(torch.autograd.grad(values[-1], linear.weight)[0])
            differences += [(values[0] - values[1]).abs().item(), (gradients[0] - gradients[1]).abs().max().item()]
    return max(differences)


@pytest.mark.slow
def test_compiled_code_leaves_its_graph_for_them():
    assert children.result(compiled, timeout=250) < 1e-6


def has_the_compiler():
    """Whether importing the module imports what torch.compile needs, which takes seconds."""
    return "torch._dynamo" in sys.modules


def test_the_compiler_is_not_imported():
    assert children.result(has_the_compiler) is False


# --- what is refused --------------------------------------------------------------------------------------------------

Z, Y = torch.zeros(3, 4), torch.tensor([0, 1, 2])
SHARED = [
    (lambda f: f(Z.numpy(), Y), TypeError, "^input must be a torch.Tensor, got ndarray"),
    (lambda f: f(Z, [0, 1, 2]), TypeError, "^target must be a torch.Tensor, got list"),
    (lambda f: f(Z.long(), Y), TypeError, "^input must be one of .*, got torch.int64"),
    (lambda f: f(Z.to("meta"), Y), ValueError, "^input must be dense and on the CPU, got .* on device meta"),
    (lambda f: f(Z, Y.to("meta")), ValueError, "^target must be dense and on the CPU, got .* on device meta"),
    (lambda f: f(Z, Y, weight=torch.ones(4, device="meta")), ValueError, "^weight must be .* on device meta"),
    (lambda f: f(Z.to_sparse(), Y), ValueError, "^input must be dense .*, got torch.sparse_coo"),
    (lambda f: f(Z, Y[:2]), ValueError, r"^target must .* shape \(3,\).* got .*\(2,\)$"),
    (lambda f: f(Z, Y, weight=torch.full((4,), 1e308, dtype=torch.float64)), ValueError, "^the weights sum to inf"),
    (lambda f: f(Z, Y, weight=torch.full((4,), 5e-324, dtype=torch.float64)), ValueError, "^the weights sum to 1.5e-3"),
    (lambda f: f(Z, Y.float()), TypeError, "^target .* must hold class ids"),
    (lambda f: f(Z, Y + 2), ValueError, r"^target\[2\] = 4 is outside \[0, 4\)"),
    (lambda f: f(Z, Y, weight=[1.0] * 4), TypeError, "^weight must be a torch.Tensor, got list"),
    (lambda f: f(Z, Y, weight=-torch.ones(4)), ValueError, r"^weight\[0\] = -1.0"),
    (lambda f: f(Z, Y, weight=torch.ones(3)), ValueError, r"^weight must have shape \(4,\)"),
    (lambda f: f(Z, Y, weight=torch.ones(4, requires_grad=True)), ValueError, "^weight requires a gradient"),
    (lambda f: f(Z, Y, reduction="batchmean"), ValueError, "^reduction must be one of"),
    (lambda f: f(Z / 0, Y), ValueError, "^input contains NaN"),
    (lambda f: f(torch.zeros(()), torch.tensor(0)), ValueError, "^input must have at least one class"),
    (lambda f: f(torch.zeros(3, 0), Y), ValueError, "^input must have at least one class"),
]


@pytest.mark.parametrize("name", ours.__all__)
@pytest.mark.parametrize(("call", "error", "message"), SHARED)
def test_what_is_refused(name, call, error, message):
    with pytest.raises(error, match=message):
        call(getattr(ours, name))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ours.cross_entropy(Z, Z.long()), TypeError, "^target in the shape of input must be probabilities"),
        (lambda: ours.cross_entropy(Z, Z / 0), ValueError, "^Input target contains NaN"),
        (lambda: ours.cross_entropy(Z, Y, label_smoothing=1.5), ValueError, r"^label_smoothing must be in \[0.*1.5"),
        (lambda: ours.cross_entropy(Z, Y, None, None), TypeError, "positional argument"),
        (lambda: ours.hinge(Z, Z), ValueError, r"^target must hold class ids of shape \(3,\), got shape \(3, 4\)$"),
        (lambda: ours.hinge(Z, Y, 3), ValueError, "^p must be 1 or 2, got 3$"),
        (lambda: ours.hinge(Z, Y, torch.tensor(1)), TypeError, r"^p must be 1 or 2, got tensor\(1\)$"),
        (lambda: ours.hinge(Z, Y, np.array([1, 2])), TypeError, r"^p must be 1 or 2, got array\(\[1, 2\]\)$"),
        *((lambda p=p: ours.hinge(Z, Y, p), TypeError, f"^p must be 1 or 2, got {p}$") for p in (True, 1.0)),
        (lambda: ours.hinge(Z, Y, margin="x"), TypeError, "^margin must be a number or a matrix, got 'x'$"),
        (lambda: ours.hinge(Z, Y, kind="other"), ValueError, "^kind must be one of"),
        (lambda: ours.hinge(Z, Y, margin=torch.ones(4, 4, requires_grad=True)), ValueError, "^margin requires a grad"),
    ],
)
def test_what_one_of_them_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()
