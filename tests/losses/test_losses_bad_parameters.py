"""What bad weights, parameters and outputs of losses get: an error that names the argument and the value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import reference_losses as reference
from refused_losses import CERTAIN, GOOD, LABELS, TARGETS, changed, each_loss, out_for, refused

from fastclf import losses

BAD_WEIGHTS = {
    "negative": ([1, -0.5, -2], ValueError, r"\[1\] = -0.5: weights must be finite and not negative"),
    "NaN": ([1, 1, np.nan], ValueError, r"\[2\] = nan: weights must be finite"),
    "infinite": ([np.inf, 1, 1], ValueError, r"\[0\] = inf: weights must be finite"),
    "too few": ([1, 1], ValueError, r" must have shape \(3,\), got \(2,\)"),
    "a matrix": (np.ones((3, 1)), ValueError, r" must have shape \(3,\), got \(3, 1\)"),
    "strings": (["1", "2", "3"], TypeError, " must be numbers, got dtype <U1"),
    "complex": ([1j, 1, 1], TypeError, " must be numbers, got dtype complex128"),
    "objects": ([None, 1, 1], TypeError, " must be numbers, got dtype object"),
    "masked": (np.ma.masked_equal([1.0, 2, 3], 2), TypeError, " has masked entries"),
    "ragged": ([[1], [1, 2], 3], ValueError, "inhomogeneous"),
}
PLACES = [(name, "sample_weight") for name in reference.LOSSES]
PLACES += [("cross_entropy", "weight"), ("hinge", "weight"), ("binary_cross_entropy_with_logits", "pos_weight")]


@pytest.mark.parametrize(("name", "argument"), PLACES)
@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_bad_weights(name, argument, case):
    bad, error, message = BAD_WEIGHTS[case]
    refused(name, GOOD, TARGETS[name], error, f"^{argument}.*{message}", **{argument: bad})
    if argument != "pos_weight":
        refused(
            name, GOOD, TARGETS[name], ValueError, rf"^{argument} must have shape \(3,\), got \(\)", **{argument: 1.0}
        )


ANYWHERE = [
    ("reduction", "batchmean", ValueError, "must be one of .*'mean', 'none', 'sum'.*got 'batchmean'"),
    ("reduction", None, ValueError, "must be one of .*got None"),
    ("reduction", ["sum"], ValueError, r"must be one of .*got \['sum'\]"),
    ("n_threads", 0, ValueError, "must be .*got 0"),
    ("n_threads", 1.5, TypeError, "must be .*got 1.5"),
    ("n_threads", True, TypeError, "must be .*got True"),
]
HINGES = ("hinge", "max_margin")
SOMEWHERE = [
    *(("cross_entropy", "label_smoothing", v, ValueError, r"in \[0, 1\], got") for v in (-0.1, 1.1, np.nan, np.inf)),
    *(("cross_entropy", "label_smoothing", v, TypeError, "a number, got") for v in ("0.1", None, True, 1j, [0.1])),
    *((name, "margin", v, ValueError, "must be") for name in HINGES for v in (np.nan, -np.inf, 10**400)),
    *((name, "margin", v, TypeError, "must be a number, got") for name in HINGES for v in (None, False)),
    *((name, "margin", "x", TypeError, "must be a number, got 'x' of type str") for name in HINGES),
    ("hinge", "margin", np.ones((3, 2)), ValueError, r"must be a number or a matrix of shape \(3, 3\).*\(3, 2\)"),
    ("hinge", "margin", np.ones(3), ValueError, r"must be a number or a matrix of shape \(3, 3\).*\(3,\)"),
    ("hinge", "margin", CERTAIN.astype(str), ValueError, "must be a number or a matrix"),
    ("hinge", "margin", changed(CERTAIN, (1, 1), np.nan), ValueError, "contains NaN.*row 1"),
    ("hinge", "margin", np.ma.masked_equal(CERTAIN, 1), TypeError, "has masked entries"),
    ("max_margin", "margin", np.ones((3, 3)), (TypeError, ValueError), "must be a number"),
    ("hinge", "kind", "crammer", ValueError, "must be one of .*'crammer_singer', 'weston_watkins'.*got 'crammer'"),
    ("hinge", "kind", None, ValueError, "must be one of"),
    *(
        ("hinge", flag, v, TypeError, "must be True or False, got")
        for flag in ("squared", "average", "count_target")
        for v in (1, "yes", None)
    ),
    (
        "binary_cross_entropy_with_logits",
        "pos_weight",
        -1.0,
        ValueError,
        r"\[0\] = -1.0: weights must be finite and not negative",
    ),
    ("binary_cross_entropy_with_logits", "pos_weight", "1", TypeError, "must be numbers"),
]


@each_loss
@pytest.mark.parametrize(("argument", "value", "error", "message"), ANYWHERE, ids=repr)
def test_bad_parameters_of_all(name, argument, value, error, message):
    refused(name, GOOD, TARGETS[name], error, f"^{argument} {message}", **{argument: value})


@pytest.mark.parametrize(("name", "argument", "value", "error", "message"), SOMEWHERE, ids=repr)
def test_bad_parameters_of_some(name, argument, value, error, message):
    refused(name, GOOD, TARGETS[name], error, rf"{argument}.*({message})", **{argument: value})


@pytest.mark.parametrize("argument", ["average", "count_target"])
def test_what_only_sums_of_hinges_have(argument):
    message = f"^{argument} is for kind 'weston_watkins' only, got kind 'crammer_singer'"
    refused("hinge", GOOD, LABELS, ValueError, message, kind="crammer_singer", **{argument: True})


# --- outputs ----------------------------------------------------------------------------------------------------------


def frozen():
    out = np.zeros((3, 3))
    out.flags.writeable = False
    return out


BAD_OUTPUTS = {
    "other dtype": (lambda _: np.zeros((3, 3), "f4"), ValueError, r"must be float64 of shape \(3, 3\), got float32"),
    "byte-swapped": (lambda _: np.zeros((3, 3), ">f8"), ValueError, "must be float64 of shape"),
    "other shape": (lambda _: np.zeros((3, 4)), ValueError, r"must be .*\(3, 3\), got float64 of shape \(3, 4\)"),
    "flat": (lambda _: np.zeros(9), ValueError, r"must be .*\(3, 3\), got float64 of shape \(9,\)"),
    "F order": (lambda _: np.zeros((3, 3), order="F"), ValueError, "must be C-contiguous, aligned and writeable"),
    "read-only": (lambda _: frozen(), ValueError, "must be C-contiguous, aligned and writeable"),
    "misaligned": (lambda _: np.zeros(73, "u1")[1:].view("f8").reshape(3, 3), ValueError, "must be .*aligned"),
    "list": (lambda _: [[0.0] * 3] * 3, TypeError, "must be an array, got list"),
    "a frame": (lambda _: pd.DataFrame(np.zeros((3, 3))), TypeError, "must be an array, got DataFrame"),
    "overlapping": (lambda held: held[1:4], ValueError, "overlaps an input"),
}


@pytest.mark.parametrize("name", [*reference.LOSSES, *reference.VALUES])
@pytest.mark.parametrize("case", BAD_OUTPUTS)
def test_bad_outputs(name, case):
    make, error, message = BAD_OUTPUTS[case]
    held = np.vstack([GOOD, GOOD])
    scores, out = held[:3], make(held)
    if name in reference.VALUES:
        with pytest.raises(error, match=f"^out {message}"):
            getattr(losses, name)(scores, out=out)
        return
    for pair in ((out, np.zeros((3, 3))), (np.zeros((3, 3)), out)) if name == "max_margin" else (out,):
        with pytest.raises(error, match=rf"^grad_out(\[[01]\])? {message}"):
            getattr(losses, name)(scores, TARGETS[name], return_grad=True, grad_out=pair)
    assert (held == np.vstack([GOOD, GOOD])).all()


@each_loss
def test_gradients_where_none_is_returned(name):
    with pytest.raises(ValueError, match=r"^grad_out was given, but return_grad is False"):
        getattr(losses, name)(GOOD, TARGETS[name], grad_out=out_for(name, GOOD))


@pytest.mark.parametrize("argument", ["target", "sample_weight", "weight", "margin", "pos_weight"])
def test_gradients_that_overlap_other_inputs(argument):
    held = np.eye(3)
    name = {"margin": "hinge", "pos_weight": "binary_cross_entropy_with_logits"}.get(argument, "cross_entropy")
    keywords = {"target": TARGETS[name], argument: held if argument in ("target", "margin") else held[0]}
    if argument == "weight":
        keywords["label_smoothing"] = 0.1
    with pytest.raises(ValueError, match=r"^grad_out overlaps an input"):
        getattr(losses, name)(GOOD, return_grad=True, grad_out=held, **keywords)
