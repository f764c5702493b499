"""Instruction sets as parameters of tests."""

from __future__ import annotations

import pytest

from fastclf import _native


def each_isa():
    """Return this machine's; those that another one is named after and adds a tile to are left to the long tests."""
    names = _native.isas()
    return [
        pytest.param(name, marks=[pytest.mark.slow] * any(other.startswith(name) for other in names if other != name))
        for name in names
    ]
