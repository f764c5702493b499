"""Comparisons of answers."""

from __future__ import annotations

import numpy as np
import pytest


def assert_same_bytes(found, expected):
    """Compare (distances, indices), or one array; NaN never occurs, and -0.0 is not 0.0."""
    for a, b in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, expected)), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.tobytes() != b.tobytes():
            at = tuple(np.argwhere(a != b)[0]) if (a != b).any() else "the sign of a zero"
            pytest.fail(f"{(a != b).sum()} of {a.shape} differ, first at {at}:\n{a}\n{b}")
