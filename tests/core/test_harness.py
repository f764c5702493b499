"""The kernels with no Python around them: on other machines, by emulation, under sanitizers, and given anything."""

from __future__ import annotations

import subprocess

import pytest
from tool_programs import TOOLS

MISSING = 2  # exit status of a script that lacks a program it needs
LONGEST = 1700  # seconds: emulated, and with other tests beside it

pytestmark = [pytest.mark.slow, pytest.mark.longest, pytest.mark.timeout(LONGEST + 100)]


def run_tool(name, *words):
    done = subprocess.run([TOOLS / name, *words], capture_output=True, text=True, timeout=LONGEST, check=False)
    if done.returncode == MISSING:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_neon_gives_the_same_bytes():
    assert run_tool("neon.sh").endswith("all equal\n")


def test_sanitizers_find_the_planted_bugs_and_no_other():
    assert run_tool("sanitize.sh").endswith("no reports\n")


def test_nothing_is_read_that_was_not_written():
    assert run_tool("sanitize.sh", "memory").endswith("no reports\n")


def test_the_fuzzer_finds_the_planted_bugs_and_no_other():
    assert run_tool("fuzz.sh", "all", "20").endswith(" executions, no crash, no other answer, nothing lost\n")
