"""Choosing the instruction set: by the environment, and by what the processor has, with nothing above it executed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import children
import numpy as np
import pytest
import signal_stack
from names import BYTE_DTYPES, METRICS, ROW_DTYPES

from fastclf import _native


def config():
    import fastclf

    return fastclf.show_config("dicts")


def answers():
    """Answers of every metric and dtype, by tiles and pair by pair, with the instruction set that found them."""
    import calls

    import fastclf

    rng = np.random.default_rng(1)
    found = []
    for dtype in ROW_DTYPES:
        Q, X = (rng.integers(0, 256, (rows, 70)).astype(dtype) for rows in (9, 60))
        if dtype not in BYTE_DTYPES:
            Q, X = Q / Q.dtype.type(7), X / X.dtype.type(7)
        for metric in METRICS:
            for queries in (2, 9):
                found += [a.tobytes().hex() for a in calls.knn(metric, Q[:queries], X, 4)]
            found.append(_table(metric, Q, X))
    return [fastclf.show_config("dicts")["isa"], found]


def _table(metric, Q, X):
    table = np.empty((len(Q), len(X)))
    _native.pairwise(metric, Q, X, 1, table)
    return table.tobytes().hex()


@pytest.mark.parametrize("name", _native.isas())
def test_the_environment_chooses(name):
    found = children.result(config, env={"FASTCLF_ISA": name})
    assert found["isa"] == name
    assert found["isas"] == _native.isas()
    assert found["environment"]["FASTCLF_ISA"] == name


@pytest.mark.parametrize("unset", [None, ""])
def test_the_best_is_the_default(unset):
    assert children.result(config, env={"FASTCLF_ISA": unset})["isa"] == _native.isas()[-1]


def test_tile_registers_are_used_where_linux_has_them():
    information = Path("/proc/cpuinfo")
    flags = information.read_text().split() if information.exists() else []
    if "amx" not in _native.built_isas():
        pytest.skip("needs a compiler with AMX")
    assert ("amx" in _native.isas()) == ({"amx_tile", "amx_int8", "avx512_vnni"} <= set(flags))


def test_tile_registers_are_left_alone_where_signals_have_no_room_for_them():
    if "amx" not in _native.isas():
        pytest.skip("needs AMX")
    isas, works = children.result(signal_stack.isas_with_a_small_stack)
    assert isas == [name for name in _native.isas() if name != "amx"]
    assert works


OTHERS = {"scalar", "avx2", "avx512", "avx512vnni", "amx", "neon"} - set(_native.isas())


@pytest.mark.parametrize("name", ["sse9", "SCALAR", "avx2,scalar", *sorted(OTHERS)])
def test_what_is_not_there_is_refused_at_import(name):
    done = children.run(config, env={"FASTCLF_ISA": name})
    assert done.returncode != 0
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError: ")
    for part in (repr(name), *map(repr, _native.isas())):
        assert part in message


OLDER = {"Nehalem-v1": "scalar", "SandyBridge-v1": "scalar", "Haswell-noTSX": "avx2"}


@pytest.mark.slow
@pytest.mark.parametrize(("processor", "best"), OLDER.items())
def test_an_older_processor_runs_it_and_agrees(processor, best):
    emulator = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
    if emulator is None or os.uname().machine != "x86_64":
        pytest.skip("needs qemu-x86_64 on x86-64")
    # What a BLAS is told of this processor is not so of the other: it would execute what that does not have.
    ours = {"OPENBLAS_CORETYPE": None, "FASTCLF_ISA": None}
    emulated = children.result(answers, prefix=(emulator, "-cpu", processor), timeout=250, env=ours)
    assert emulated == [best, children.result(answers)[1]]
