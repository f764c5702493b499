"""Slopes of hinges at the scores nearest to where a term begins."""

from __future__ import annotations

import numpy as np
import pytest
from names import each_float

from fastclf import losses


@pytest.mark.parametrize("margin", [0.0, 1.0, 0.1, -0.5, 3.0])
@pytest.mark.parametrize("own", [0.0, 1.5, -7.25, 1048576.5])
@each_float
def test_slopes_beside_kinks(isa, dtype, own, margin):
    """Terms are computed in float64: the scores nearest to where one begins, in rows of few classes and of many."""
    kink = np.asarray(own - margin, dtype)
    near = [kink]
    for _ in range(3):
        near = [
            np.nextafter(near[0], np.asarray(-np.inf, dtype)),
            *near,
            np.nextafter(near[-1], np.asarray(np.inf, dtype)),
        ]
    ends = np.array([np.finfo(dtype).max, np.finfo(dtype).min], dtype)
    for classes in (10, 100, 129, 200, 401):
        row = np.resize(np.array([*near, *ends, 0], dtype), classes)
        scores, y = np.resize(row, (17, classes)), np.arange(17) * (classes - 1) // 16
        scores[np.arange(17), y] = own
        _, slopes = losses.hinge(scores, y, margin=margin, reduction="sum", return_grad=True)
        wanted = ((scores.astype(float) - own) + margin > 0).astype(float)
        wanted[np.arange(17), y] = 0
        wanted[np.arange(17), y] = -wanted.sum(axis=1)
        np.testing.assert_array_equal(slopes, wanted)
