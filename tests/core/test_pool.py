"""The threads that are kept between calls where there is no OpenMP, by a program in C with that part of the kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    ROOT / "tests" / "helpers" / "pool_calls.c",
    *(ROOT / "csrc" / "core" / name for name in ("pool.c", "cpu.c")),
]
WRAPPED = [f"-Wl,--wrap=pthread_{name}" for name in ("create", "mutex_unlock", "mutex_destroy")]
OPTIONS = ["-std=c11", "-Wall", "-Werror", "-O1", "-g", "-pthread", *WRAPPED, "-I", ROOT / "csrc"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the program is linked as on Linux")


def build(folder, *options):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    program = folder / "pool_calls"
    include = ["-I", ROOT / "src" / "fastclf" / "include"]
    done = subprocess.run(
        [compiler, *OPTIONS, *include, *options, *SOURCES, "-o", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The program under the sanitizer that finds data races, and finds one."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "probe.c").write_text("int main(void) { return 0; }")
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler and subprocess.run([compiler, "-fsanitize=thread", "probe.c"], cwd=folder, check=False).returncode:
        pytest.skip("the compiler's thread sanitizer is not installed")
    program = build(folder, "-fsanitize=thread")
    done = run(program, "race")
    assert done.returncode != 0
    assert "data race" in done.stderr
    return program


def run(program, what, **env):
    command = [program, what]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.parametrize("what", ["calls", "refused", "forks", "kept", "signals"])
def test_calls_have_their_threads(program, what):
    done = run(program, what)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_thread_limit_of_the_environment_is_kept(program):
    done = run(program, "limited", OMP_THREAD_LIMIT="2")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_lock_is_destroyed_while_it_is_released(program):
    done = run(program, "destroyed")
    assert done.returncode != 0
    assert "looked_at" in done.stderr
    done = run(program, "late")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("what", ["calls", "refused"])
def test_calls_do_not_race(watched, what):
    done = run(watched, what)
    assert (done.returncode, done.stderr) == (0, "")
