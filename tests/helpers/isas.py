"""Instruction sets as parameters of tests."""

from __future__ import annotations

import contextlib

import pytest

from fastclf import _native


def each_isa():
    """Return this machine's; those between the portable one and the best are left to the long tests."""
    names = _native.isas()
    return [pytest.param(name, marks=[pytest.mark.slow] * (name not in (names[0], names[-1]))) for name in names]


@contextlib.contextmanager
def on_isa(name):
    """Use an instruction set for a while."""
    before = _native.isa()
    _native.use_isa(name)
    try:
        yield
    finally:
        _native.use_isa(before)
