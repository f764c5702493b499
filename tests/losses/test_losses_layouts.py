"""Any dtype and layout of scores, targets and outputs gives the bytes of plain arrays."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import reference_losses as reference
from isas import on_isa
from layouts import LAYOUTS, Subclass, misaligned, read_only
from names import FLOAT_DTYPES, each_float
from test_losses import case

from fastclf import _native, losses

each_loss = pytest.mark.parametrize("name", reference.LOSSES)


def arrays(found):
    """Loss and gradients, flat, as NumPy's."""
    loss, gradient = found
    return [np.asarray(a) for a in (loss, *(gradient if isinstance(gradient, tuple) else (gradient,)))]


def assert_same(found, wanted):
    for a, b in zip(arrays(found), arrays(wanted), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def call(name, scores, target, **more):
    return getattr(losses, name)(scores, target, return_grad=True, **more)


class OnlyInterface:
    """Speaks `__array_interface__` and nothing else."""

    def __init__(self, a):
        self.held, self.__array_interface__ = a, a.__array_interface__


class OnlyDLPack:
    """Speaks DLPack and nothing else."""

    def __init__(self, a):
        self.held = a

    def __dlpack__(self, **how):
        return self.held.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.held.__dlpack_device__()


def tensor(a):
    return pytest.importorskip("torch").tensor(a)


HOLDERS = {
    **LAYOUTS,
    "only __array_interface__": OnlyInterface,
    "only __dlpack__": OnlyDLPack,
    "torch": tensor,
    "frame": pd.DataFrame,
    "one row wide": lambda a: np.broadcast_to(a, (1, *a.shape))[0],
}


@each_float
@each_loss
@pytest.mark.parametrize("layout", HOLDERS)
def test_layouts_of_scores(name, layout, dtype):
    scores, target, keywords = case(name, 1, (10,), dtype)
    held = HOLDERS[layout](scores)
    found = call(name, held, target, **keywords)
    if layout == "list":  # of Python's floats
        scores = scores.astype("float64")
        target = target if name != "max_margin" else target.astype("float64")
    assert_same(found, call(name, scores, target, **keywords))
    gradients = found[1] if isinstance(found[1], tuple) else (found[1],)
    assert {type(a) for a in gradients} == {type(held) if layout == "torch" else np.ndarray}


@each_float
@pytest.mark.parametrize("layout", HOLDERS)
@pytest.mark.parametrize(
    "name", ["cross_entropy", "kl_div", "softmax_mse", "mse", "binary_cross_entropy_with_logits", "max_margin"]
)
def test_layouts_of_targets(name, layout, dtype, rng):
    scores = case(name, 0, (10,), "float64")[0]
    target = (rng.multinomial(16, np.full(10, 0.1), len(scores)) / 16).astype(dtype)
    assert_same(call(name, scores, HOLDERS[layout](target)), call(name, scores, target))


@pytest.mark.parametrize("layout", HOLDERS)
def test_layouts_of_softmax(layout, rng):
    scores = rng.normal(size=(7, 19))
    for name in reference.VALUES:
        found = np.asarray(getattr(losses, name)(HOLDERS[layout](scores)))
        assert found.tobytes() == getattr(losses, name)(scores).tobytes()


@each_float
@pytest.mark.parametrize("offset", [0, 1, 64])
def test_read_only_memmaps(tmp_path, dtype, offset):
    scores, target, _ = case("cross_entropy", 0, (10,), dtype)
    file = tmp_path / "scores"
    for swapped in (np.dtype(dtype), np.dtype(dtype).newbyteorder()):
        file.write_bytes(b"\0" * offset + scores.astype(swapped).tobytes())
        mapped = np.memmap(file, swapped, "r", offset, scores.shape)
        assert_same(call("cross_entropy", mapped, target), call("cross_entropy", scores, target))


CONVERTED = {
    "float16": "float32",
    "bool": "float32",
    "int8": "float32",
    "uint8": "float32",
    ">i4": "float32",
    "int64": "float32",
    "uint64": "float32",
    "longdouble": "float64",
}


@each_loss
@pytest.mark.parametrize("dtype", CONVERTED)
def test_other_dtypes_of_scores(name, dtype, rng):
    wanted = CONVERTED[dtype]
    scores = rng.integers(0, 2 if dtype == "bool" else 100, (9, 5)).astype(dtype)
    target = scores > 0 if reference.LOSSES[name].by_score else np.eye(5)[np.arange(9) % 5]
    target = np.arange(9) % 5 if name == "hinge" else target
    assert_same(call(name, scores, target), call(name, scores.astype(wanted), target))
    assert call(name, scores, target)[1][0].dtype == wanted


def test_integers_beyond_float32_become_float64():
    scores = np.array([[2**24 + 1, 2**24]])
    loss, gradient = losses.cross_entropy(scores, [0], return_grad=True)
    assert gradient.dtype == np.float64
    assert loss == pytest.approx(np.log1p(np.exp(-1)), rel=1e-15)


# --- class ids and weights --------------------------------------------------------------------------------------------

IDS = {
    **{t: np.dtype(t).type for t in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")},
    **{t: functools.partial(np.asarray, dtype=t) for t in (">i2", ">i8", "<u4", ">u8")},
    "list": list,
    "tuple": tuple,
    "strided": lambda y: np.repeat(y, 3)[::3],
    "backwards": lambda y: y[::-1].copy()[::-1],
    "read-only": read_only,
    "misaligned": misaligned(3),
    "series": pd.Series,
    "labelled series": lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
    "nullable series": lambda y: pd.Series(y, dtype="Int64"),
    "torch": tensor,
    "only __array_interface__": OnlyInterface,
    "only __dlpack__": OnlyDLPack,
    "masked with nothing masked": lambda y: np.ma.array(y, mask=np.zeros(len(y), bool)),
}


@pytest.mark.parametrize("name", ["cross_entropy", "softmax_mse", "hinge", "mse"])
@pytest.mark.parametrize("kind", [kind for kind in IDS if kind != "nullable series"])
def test_class_ids_of_any_kind(name, kind):
    scores, target, _ = case(name, 0, (10,), "float32")
    assert_same(call(name, scores, IDS[kind](target)), call(name, scores, target))


@pytest.mark.parametrize("name", ["cross_entropy", "softmax_mse", "hinge", "mse"])
def test_two_classes_may_be_bool(name):
    scores, target, _ = case(name, 0, (2,), "float32")
    assert_same(call(name, scores, target.astype(bool)), call(name, scores, target))


@pytest.mark.parametrize("dtype", ["int8", "int64", ">i2", "uint8", "uint64"])
@pytest.mark.parametrize("ignored", [-100, -1, 3, 200, 2**63 - 1, 2**70, None])
def test_what_is_ignored_in_any_dtype(dtype, ignored):
    scores, target, _ = case("cross_entropy", 0, (10,), "float64")
    target = target.astype(dtype)
    info = np.iinfo(np.dtype(dtype))
    rows = target == 3
    if ignored is not None and info.min <= ignored <= info.max:
        target[::2] = ignored
        rows = target == ignored
    elif ignored != 3:
        rows = np.zeros(len(target), bool)
    loss, gradient = losses.cross_entropy(scores, target, ignore_index=ignored, return_grad=True)
    kept = losses.cross_entropy(scores[~rows], target[~rows], ignore_index=None)
    assert loss == pytest.approx(kept, rel=1e-14)
    assert not gradient[rows].any()
    assert gradient[~rows].any()


WEIGHTS = {
    "list": list, "float32": np.float32, "int8": np.int8, "bool": lambda w: w > 0, ">f8": lambda w: w.astype(">f8"),
    "strided": lambda w: np.repeat(w, 2)[::2], "read-only": read_only, "torch": tensor, "series": pd.Series,
    "only __dlpack__": OnlyDLPack, "misaligned": misaligned(3), "only __array_interface__": OnlyInterface,
}  # fmt: skip


@each_loss
@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_of_any_kind(name, kind):
    scores, target, _ = case(name, 0, (10,), "float32")
    weight = np.arange(len(scores)) % 2 * 1.0
    wanted = call(name, scores, target, sample_weight=weight)
    assert_same(call(name, scores, target, sample_weight=WEIGHTS[kind](weight)), wanted)
    option = {"cross_entropy": "weight", "hinge": "weight", "binary_cross_entropy_with_logits": "pos_weight"}.get(name)
    if option is not None:
        of_class = np.arange(10) % 2 * 1.0
        wanted = call(name, scores, target, **{option: of_class})
        assert_same(call(name, scores, target, **{option: WEIGHTS[kind](of_class)}), wanted)


def test_margins_of_any_kind(rng):
    scores, target, _ = case("hinge", 0, (10,), "float32")
    margin = rng.integers(-2, 5, (10, 10)).astype("float64")
    wanted = call("hinge", scores, target, margin=margin)
    for kind, make in {**HOLDERS, "int8": np.int8, ">f4": lambda m: m.astype(">f4")}.items():
        try:
            assert_same(call("hinge", scores, target, margin=make(margin)), wanted)
        except (TypeError, ValueError) as error:
            pytest.fail(f"{kind}: {error}")
    one = call("hinge", scores, target, margin=2.0)
    for value in (2, np.float32(2), np.int8(2), np.array(2.0), np.full((10, 10), 2)):
        assert_same(call("hinge", scores, target, margin=value), one)


# --- outputs ----------------------------------------------------------------------------------------------------------


def written(out):
    return [np.asarray(o) for o in (out if isinstance(out, tuple) else (out,))]


OUTPUTS = {
    "plain": lambda like: np.full_like(like, 7),
    "of a larger array": lambda like: np.full((len(like) + 5, *like.shape[1:]), 7, like.dtype)[2:-3],
    "subclass": lambda like: np.full_like(like, 7).view(Subclass),
    "only __array_interface__": lambda like: OnlyInterface(np.full_like(like, 7)),
    "torch": tensor,
}


@each_float
@each_loss
@pytest.mark.parametrize("kind", OUTPUTS)
def test_gradients_are_written_where_asked(name, kind, dtype):
    scores, target, keywords = case(name, 1, (10,), dtype)
    wanted = call(name, scores, target, **keywords)
    out = OUTPUTS[kind](scores)
    out = (out, OUTPUTS[kind](scores)) if name == "max_margin" else out
    loss, gradient = call(name, scores, target, grad_out=out, **keywords)
    assert_same((loss, tuple(written(out))), (wanted[0], tuple(arrays(wanted)[1:])))
    if name != "max_margin":
        assert gradient is out
    else:
        assert gradient[0] is out[0]
        assert gradient[1] is out[1]


@pytest.mark.parametrize("name", reference.VALUES)
@pytest.mark.parametrize("kind", OUTPUTS)
def test_probabilities_are_written_where_asked(name, kind, rng):
    scores = rng.normal(size=(7, 19))
    out = OUTPUTS[kind](scores)
    assert getattr(losses, name)(scores, out=out) is out
    assert written(out)[0].tobytes() == getattr(losses, name)(scores).tobytes()


def test_tensors_are_not_copied(monkeypatch):
    torch = pytest.importorskip("torch")
    seen = []
    monkeypatch.setattr(_native, "losses", lambda *args: seen.extend((args[1], args[-1])))
    scores, out = torch.zeros(5, 4), torch.zeros(5, 4)
    losses.cross_entropy(scores, [0] * 5, return_grad=True, grad_out=out)
    assert [a.ctypes.data for a in seen] == [scores.data_ptr(), out.data_ptr()]


def test_nothing_is_written_beside_the_gradient():
    for isa in _native.isas():
        for columns in (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65):
            for dtype in FLOAT_DTYPES:
                frame = np.full((5, columns), 7, dtype)
                with on_isa(isa):
                    for name in reference.LOSSES:
                        scores, target, keywords = case(name, 1, (columns,), dtype, 3)
                        out = frame[1:4], np.empty((3, columns), dtype)
                        call(name, scores, target, grad_out=out if name == "max_margin" else out[0], **keywords)
                        assert (frame[[0, -1]] == 7).all()


def test_pairs_of_outputs():
    a = np.zeros((3, 3))
    for out, error, message in (
        (a, TypeError, "grad_out must be a tuple of two arrays, got ndarray"),
        ((a,), TypeError, "grad_out must be a tuple of two arrays"),
        ((a, a), ValueError, r"grad_out\[1\] overlaps"),
        ((a, None), (TypeError, ValueError), r"grad_out\[1\]"),
        ((None, a), (TypeError, ValueError), r"grad_out\[0\]"),
    ):
        with pytest.raises(error, match=message):
            losses.max_margin(np.ones((3, 3)), np.eye(3), return_grad=True, grad_out=out)


@pytest.mark.parametrize(("first", "second"), [("f8", "f4"), ("f4", "f8"), ("f8", "i8"), ("f4", "?"), ("i8", "f4")])
def test_pairs_of_any_dtypes_have_gradients_of_one(first, second):
    s, corrupt = np.arange(9.0).reshape(3, 3).astype(first), np.eye(3).astype(second)
    loss, (a, b) = losses.max_margin(s, corrupt, return_grad=True)
    out = np.empty_like(a), np.empty_like(b)
    again, _ = losses.max_margin(s, corrupt, return_grad=True, grad_out=out)
    assert again == loss
    assert [o.tolist() for o in out] == [a.tolist(), b.tolist()]
