"""What bad scores and targets of losses get: an error that names the argument and value, before anything is written."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
import pytest
import reference_losses as reference
import scipy.sparse
from names import each_float
from odd_arrays import NOT_NUMBERS, LiesAboutItsShape, RaisesWhenRead, nullable
from refused_losses import CERTAIN, GOOD, LABELS, TARGETS, changed, each_loss, refused

from fastclf import losses

BY_CLASS = ("cross_entropy", "softmax_mse", "hinge", "mse")
WITH_SOFTMAX = ("cross_entropy", "kl_div", "softmax_mse")

# Arrays that are none, as scores and as targets: error, and message after the argument's name.
SHAPE = "must have (the scores' )?shape|of shape .* must hold class ids|at least one class"
BAD_ARRAYS = {
    "0-d": (np.float64(1), (TypeError, ValueError), SHAPE),
    "3-d": (np.zeros((3, 3, 3)), (TypeError, ValueError), SHAPE),
    "no classes": (GOOD[:, :0], ValueError, SHAPE),
    "ragged": ([[1, 2, 3], [4, 5]], ValueError, "inhomogeneous"),
    "None": (None, (TypeError, ValueError), "."),
    "a string": ("abc", (TypeError, ValueError), "."),
    "a dict": ({"a": [1]}, (TypeError, ValueError), "."),
    "a generator": ((row for row in GOOD), (TypeError, ValueError), "."),
    "objects": (np.where(GOOD > 8, None, GOOD), ValueError, NOT_NUMBERS),
    "strings": (GOOD.astype(str), ValueError, NOT_NUMBERS),
    "StringDType": (GOOD.astype(str).astype("T"), ValueError, NOT_NUMBERS),
    "complex": (GOOD + 1j, ValueError, NOT_NUMBERS),
    "records": (np.zeros((3, 3), "f4,f4"), ValueError, NOT_NUMBERS),
    "dates": (GOOD.astype("M8[D]"), ValueError, NOT_NUMBERS),
    "pandas NA": (nullable(), ValueError, NOT_NUMBERS),
    "masked": (np.ma.masked_less(GOOD, 2), TypeError, "has masked entries"),
    "csr": (scipy.sparse.csr_array(GOOD), TypeError, "[Ss]parse"),
    "a lie": (LiesAboutItsShape(), (TypeError, ValueError), SHAPE),
    "beyond 2**53": (np.full((3, 3), 2**53 + 1), ValueError, r"9007199254740993, beyond 2\*\*53"),
}


def about(argument, message):
    return rf"(?s)(?=.*\b{argument}\b).*({message})"


@each_loss
@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_scores_that_are_bad_arrays(name, case):
    bad, error, message = BAD_ARRAYS[case]
    if case != "a lie" or np.ndim(TARGETS[name]) == 1:  # which is one-dimensional scores
        refused(name, bad, TARGETS[name], error, about("scores", message))


@each_loss
@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_targets_that_are_bad_arrays(name, case):
    bad, error, message = BAD_ARRAYS[case]
    if name == "hinge" and isinstance(bad, np.ndarray | pd.DataFrame):
        error, message = (TypeError, ValueError), "class ids|masked|must have shape|contains NaN"
    refused(name, GOOD, bad, error, about("scores_corrupt" if name == "max_margin" else "target", message))


@pytest.mark.parametrize("name", reference.VALUES)
@pytest.mark.parametrize("case", [case for case in BAD_ARRAYS if case not in ("3-d", "a lie")])
def test_softmax_of_bad_arrays(name, case):
    bad, error, message = BAD_ARRAYS[case]
    with pytest.raises(error, match=about("scores", message)):
        getattr(losses, name)(bad)


@each_loss
def test_arrays_that_raise(name):
    with pytest.raises((RuntimeError, ValueError), match="not to be read"):
        getattr(losses, name)(RaisesWhenRead(), TARGETS[name])
    with pytest.raises((RuntimeError, ValueError), match="not to be read"):
        getattr(losses, name)(GOOD, RaisesWhenRead())


def test_tensors_that_cannot_be_read():
    torch = pytest.importorskip("torch")
    for bad in (torch.zeros(3, 3, device="meta"), torch.zeros(3, 3, dtype=torch.bfloat16)):
        refused("cross_entropy", bad, LABELS, ValueError, "^scores .*array: ")
        refused("cross_entropy", GOOD, bad, ValueError, "^target .*array: ")


# --- class ids --------------------------------------------------------------------------------------------------------

OUTSIDE = r"target\[{}\] = {} is outside \[0, 3\)"
BAD_IDS = {
    "negative": ([0, -1, 2], ValueError, OUTSIDE.format(1, -1)),
    "the number of classes": ([0, 1, 3], ValueError, OUTSIDE.format(2, 3)),
    "the first of several": ([0, 7, 9], ValueError, OUTSIDE.format(1, 7)),
    "int8": (np.array([-128, 0, 0], "int8"), ValueError, OUTSIDE.format(0, -128)),
    "int32 maximum": (np.array([0, 2**31 - 1, 0], "int32"), ValueError, OUTSIDE.format(1, 2**31 - 1)),
    "int64 minimum": ([0, -(2**63), 0], ValueError, OUTSIDE.format(1, -(2**63))),
    "uint64 maximum": (np.array([0, 1, 2**64 - 1], "uint64"), ValueError, OUTSIDE.format(2, 2**64 - 1)),
    "byte-swapped": (np.array([0, 256, 0], ">i4"), ValueError, OUTSIDE.format(1, 256)),
    "floats": ([0.0, 1.0, 2.0], TypeError, "target .*integers; got float64"),
    "NaN": ([0, np.nan, 1], TypeError, "target .*integers; got float64"),
    "strings": (["a", "b", "c"], TypeError, "target .*integers"),
    "objects": (np.array([0, 1, None], object), TypeError, "target .*integers; got object"),
    "beyond int64": ([0, 2**70, 1], TypeError, "target .*integers; got object"),
    "pandas NA": (pd.Series([0, None, 1], dtype="Int64"), TypeError, "target .*integers; got"),
    "complex": (np.array([0, 1, 2j]), TypeError, "target .*integers; got complex128"),
    "masked": (np.ma.masked_equal([0, 1, 2], 1), TypeError, "target has masked entries"),
    "too few": ([0, 1], ValueError, r"target must have shape \(3,\), as scores have 3 rows; got \(2,\)"),
    "scalar": (1, (TypeError, ValueError), "target"),
    "a set": ({0, 1, 2}, (TypeError, ValueError), "target"),
    "other shape": (np.zeros((3, 2)), (TypeError, ValueError), r"target .*\(3, 2\)"),
    "a column": (np.zeros((3, 1), int), (TypeError, ValueError), r"target .*\(3, 1\)"),
}


@pytest.mark.parametrize("name", BY_CLASS)
@pytest.mark.parametrize("case", BAD_IDS)
def test_bad_class_ids(name, case):
    refused(name, GOOD, *BAD_IDS[case])


@pytest.mark.parametrize("name", BY_CLASS)
def test_what_is_ignored_has_no_other_name(name):
    refused(name, GOOD, [0, -100, -1], ValueError, OUTSIDE.format(2, -1))
    refused(name, GOOD, [0, -100, 1], ValueError, OUTSIDE.format(1, -100), ignore_index=None)
    refused(name, GOOD, [-1, 255, 1], ValueError, OUTSIDE.format(1, 255), ignore_index=-1)
    refused(name, GOOD, np.array([0, 156, 1], "uint8"), ValueError, OUTSIDE.format(1, 156), ignore_index=-100)
    for ignored, kind in ((1.0, "1.0"), ("a", "'a'"), (True, "True"), ([1], r"\[1\]")):
        refused(name, GOOD, LABELS, TypeError, f"ignore_index must be an int or None, got {kind}", ignore_index=ignored)


# --- values of targets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cross_entropy", "kl_div", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize(("value", "text"), [(-1e-9, "-1e-09"), (1.0000001, "1.0000001"), (-1, "-1"), (2, "2")])
def test_targets_outside_the_unit_interval(name, value, text):
    target = changed(CERTAIN, (1, 2), value)
    message = rf"target\[1, 2\] = {re.escape(text)}(\.0)? is outside \[0, 1\]"
    refused(name, GOOD, target, ValueError, message, for_values=True)


def test_one_dimensional_targets_outside_the_unit_interval():
    with pytest.raises(ValueError, match=r"target\[2\] = 1.5 is outside \[0, 1\]"):
        losses.binary_cross_entropy_with_logits(GOOD[0], [0, 1, 1.5])


@pytest.mark.parametrize("name", ["cross_entropy", "kl_div"])
@pytest.mark.parametrize("row", [[0.5, 0.5, 0.1], [0.5, 0.4, 0.0], [0, 0, 0], [1, 1, 0], [1 / 3, 1 / 3, 0.33]])
def test_probabilities_that_do_not_sum_to_one(name, row):
    message = rf"target must hold probabilities, but row 2 sums to {re.escape(str(float(sum(row))))[:8]}"
    refused(name, GOOD, np.array([[1, 0, 0], [0.2, 0.3, 0.5], row]), ValueError, message, for_values=True)
    if all(float(v).is_integer() for v in row):
        refused(name, GOOD, np.array([[1, 0, 0], [0, 1, 0], row], int), ValueError, message, for_values=True)


@pytest.mark.parametrize("name", [name for name in reference.LOSSES if name != "hinge"])
@pytest.mark.parametrize(("value", "text"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_targets_that_are_not_finite(name, value, text):
    argument = "scores_corrupt" if name == "max_margin" else "target"
    message = rf"Input {argument} contains {text}.*\(first in row 1\)"
    refused(name, GOOD, changed(CERTAIN, (slice(1, None), 2), value), ValueError, message, for_values=True)


# --- values of scores -------------------------------------------------------------------------------------------------


def bad_rows(value, columns, first, rows=1500):
    scores = np.zeros((rows, columns), "float32")
    scores[first::3, columns // 2] = value
    return scores


def call_with(name, scores, **more):
    target = np.zeros(len(scores), int) if name in BY_CLASS else np.eye(1, scores.shape[1]).repeat(len(scores), axis=0)
    return getattr(losses, name)(scores, target, **more)


@each_loss
@pytest.mark.parametrize(("value", "text"), [(np.nan, "NaN"), (np.inf, r"\+inf"), (-np.inf, "-inf")])
def test_the_first_bad_row_is_named(isa, name, value, text):
    if value == -np.inf and name in WITH_SOFTMAX:
        return
    for columns in (1, 3, 8, 17, 33):
        for first in (0, 1, 703, 1499):
            scores = bad_rows(value, columns, first)
            message = rf"^scores contains {text} \(first in row {first}\)$"
            for n_threads in (1, 3):
                with pytest.raises(ValueError, match=message):
                    call_with(name, scores, return_grad=True, n_threads=n_threads)
                with pytest.raises(ValueError, match=message):
                    call_with(name, scores, reduction="none", n_threads=n_threads)


@each_loss
def test_the_first_bad_row_is_the_same_for_all_threads(name):
    scores = np.zeros((20000, 10))
    for first in (1, 9000, 19990):
        scores[first:] = np.nan
        for n_threads in range(1, 8):
            for _ in range(3):
                with pytest.raises(ValueError, match=rf"^scores contains NaN \(first in row {first}\)"):
                    call_with(name, scores, n_threads=n_threads)
        scores[first:] = 0


@pytest.mark.parametrize("name", WITH_SOFTMAX)
@pytest.mark.parametrize("columns", [1, 2, 16, 19])
def test_rows_without_classes(isa, name, columns):
    scores = np.zeros((9, columns))
    scores[5:] = -np.inf
    with pytest.raises(ValueError, match=r"^scores contains no class: all are -inf \(first in row 5\)"):
        call_with(name, scores)
    scores[4, 0] = np.inf
    with pytest.raises(ValueError, match=r"^scores contains \+inf \(first in row 4\)"):
        call_with(name, scores)


@pytest.mark.parametrize("name", reference.VALUES)
def test_softmax_of_bad_values(isa, name):
    for n_threads in (1, 2, 7):
        for value, text in ((np.nan, "NaN"), (np.inf, r"\+inf"), (-np.inf, "no class: all are -inf")):
            scores = np.zeros((500, 9))
            scores[77:] = value
            with pytest.raises(ValueError, match=rf"^scores contains {text} \(first in row 77\)"):
                getattr(losses, name)(scores, n_threads=n_threads)
            with pytest.raises(ValueError, match=rf"^scores contains {text} \(first in row 0\)"):
                getattr(losses, name)(scores[-1])


@each_float
def test_nan_and_infinity_are_found_everywhere(isa, dtype):
    for at, value, loss in itertools.product(range(37), (np.nan, np.inf), reference.LOSSES):
        scores = np.zeros((1, 37), dtype)
        scores[0, at] = value
        with pytest.raises(ValueError, match=r"^scores contains (NaN|\+inf) \(first in row 0\)"):
            call_with(loss, scores)
