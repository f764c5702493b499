"""The vector exponentials and logarithms are as accurate as docs/losses.md says, on every instruction set."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fastclf import _native

ROOT = Path(__file__).parents[2]
BOUNDS = {"exp_f32": 0.9, "exp_f64": 0.75, "log_f64": 1, "log1p_f64": 1}
CMAKE = (ROOT / "CMakeLists.txt").read_text()


def flags(isa):
    """What CMakeLists.txt compiles this instruction set with."""
    shared = re.search(r"set\(avx512 (.*)\)", CMAKE)[1]
    return re.search(rf"fastclf_isa\({isa}( .*)?\)", CMAKE)[1] or "", shared


@pytest.fixture(scope="module")
def compiler():
    found = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if found is None:
        pytest.skip("no C compiler")
    return found


def built(compiler, isa, path, *options):
    own, shared = flags(isa)
    program = path / isa
    command = [compiler, "-std=c11", "-O3", "-ffp-contract=off", *own.replace("${avx512}", shared).split(), *options]
    source = ["-I", ROOT / "csrc", f"-DFC_ISA={isa}", ROOT / "tests" / "helpers" / "math_errors.c", "-lm"]
    subprocess.run([*command, "-o", program, *source], check=True)
    return program


def errors(program, step):
    lines = subprocess.run([program, str(step)], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: float(error) for name, error in map(str.split, lines)}


def beyond(found):
    return [name for name, bound in BOUNDS.items() if not found[name] < bound]


@pytest.mark.parametrize("isa", _native.isas())
def test_some_arguments(compiler, isa, tmp_path):
    assert beyond(errors(built(compiler, isa, tmp_path), 5003)) == []


@pytest.mark.slow
@pytest.mark.parametrize("isa", _native.isas())
def test_every_seventh_argument(compiler, isa, tmp_path):
    assert beyond(errors(built(compiler, isa, tmp_path), 7)) == []


def test_an_error_is_seen(compiler, tmp_path):
    """With a wrong coefficient in a copy of the templates, which is found first."""
    shutil.copytree(ROOT / "csrc" / "isa", tmp_path / "planted" / "isa")
    file = tmp_path / "planted" / "isa" / "math.inc.h"
    assert file.read_text().count("0x1.5558f8p-5f") == 1
    file.write_text(file.read_text().replace("0x1.5558f8p-5f", "0x1.5658f8p-5f"))
    assert beyond(errors(built(compiler, "scalar", tmp_path, "-I", tmp_path / "planted"), 5003)) == ["exp_f32"]
