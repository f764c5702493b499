"""Instruction sets as parameters of tests."""

from __future__ import annotations

import pytest

from fastclf import _native

# Sets from which another one differs only by what it does with bytes.
EXTENDED = {"avx512": "avx512vnni", "avx512vnni": "amx"}


def each_isa():
    """Return this machine's; those that another one hardly differs from are left to the long tests."""
    names = _native.isas()
    return [pytest.param(name, marks=[pytest.mark.slow] * (EXTENDED.get(name) in names)) for name in names]
