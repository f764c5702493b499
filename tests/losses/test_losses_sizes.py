"""Losses of no rows, of rows that are left out, of sizes around a task; and how much memory they take."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import reference_losses as reference
from names import each_float
from test_losses import case
from test_losses_layouts import arrays, call, each_loss


@each_float
@each_loss
def test_no_rows(isa, name, dtype):
    scores, target, keywords = case(name, 1, (10,), dtype)
    empty, keywords = scores[:0], {**keywords, "sample_weight": keywords.get("sample_weight", np.ones(1))[:0]}
    for reduction in reference.REDUCTIONS:
        found = arrays(call(name, empty, target[:0], reduction=reduction, **keywords))
        assert found[1].shape == (0, 10)
        assert found[1].dtype == dtype
        by_score = reference.LOSSES[name].by_score
        assert found[0].shape == ((0, 10) if by_score else (0,)) if reduction == "none" else found[0] == 0


@pytest.mark.parametrize("name", ["mse", "binary_cross_entropy_with_logits", "max_margin"])
def test_no_scores_of_one_dimension(name):
    loss, gradient = call(name, np.zeros(0), np.zeros(0))
    assert loss == 0.0
    assert arrays((loss, gradient))[1].shape == (0,)


# Rows of a task hold 2048 scores.
@each_float
@each_loss
@pytest.mark.parametrize("shape", [(1, 1), (1, 10), (2049, 1), *((n, 10) for n in (203, 204, 205, 408, 409)),
                                   *((3, c) for c in (682, 683, 1024, 1025, 2047, 2048, 2049))], ids=str)  # fmt: skip
def test_sizes_around_a_task(name, shape, dtype):
    rows, columns = shape
    scores, target, keywords = case(name, 1, (columns,), dtype, rows)
    found = arrays(call(name, scores, target, n_threads=2, reduction="none", **keywords))
    weight = keywords.pop("sample_weight", np.ones(rows))
    for row in {0, 1, 203, 204, 205, 407, 408, rows // 2, rows - 1} & set(range(rows)):
        at = slice(row, row + 1)
        alone = arrays(call(name, scores[at], target[at], reduction="none", sample_weight=weight[at], **keywords))
        assert [a.tobytes() for a in alone] == [a[at].tobytes() for a in found]


@pytest.mark.parametrize("name", ["cross_entropy", "softmax_mse", "hinge", "mse"])
@pytest.mark.parametrize("held", [np.nan, np.inf, -np.inf])
def test_ignored_rows_are_not_looked_at(isa, name, held):
    scores, target, _ = case(name, 0, (10,), "float32", 50)
    scores, target = scores.copy(), target.copy()
    wanted = arrays(call(name, scores[::2], target[::2]))
    scores[1::2], target[1::2] = held, -100
    loss, gradient = call(name, scores, target)
    assert loss == pytest.approx(float(wanted[0]), rel=1e-14)
    assert not gradient[1::2].any()
    np.testing.assert_allclose(gradient[::2], wanted[1], rtol=1e-6)
    weight, target[1::2] = np.arange(50) % 2 == 0, 0
    assert call(name, scores, target, sample_weight=weight)[0] == loss
    for keywords in ({"ignore_index": 0}, {"ignore_index": None, "sample_weight": np.zeros(50)}):
        for reduction in reference.REDUCTIONS:
            loss, gradient = call(name, np.full_like(scores, held), 0 * target, reduction=reduction, **keywords)
            assert not np.any(loss)
            assert not gradient.any()


# The loss, which of its cases, and which part of the scores' memory it stays below.
MEMORY = [
    *((name, 0, 4) for name in reference.LOSSES if name != "binary_cross_entropy_with_logits"),
    ("binary_cross_entropy_with_logits", 0, 2),
    ("binary_cross_entropy_with_logits", 1, 4),
]


@pytest.mark.parametrize(("name", "options", "part"), MEMORY)
def test_memory_stays_below_the_scores(name, options, part):
    scores, target, _ = case(name, options, (400,), "float32", 5000)
    target = target.astype("float32") if target.dtype == np.float64 else target
    out = np.empty_like(scores)
    out = (out, np.empty_like(scores)) if name == "max_margin" else out
    call(name, scores[:10].copy(), target[:10], n_threads=1)
    tracemalloc.start()
    try:
        call(name, scores, target, grad_out=out, n_threads=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < scores.nbytes / part
