""".ci/skips.py lists the tests that were skipped and takes no skip for granted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "skips.py"
PASSES = "def test_passes():\n    pass\n"
EXPECTED = """
import pytest

def test_of_pictures():
    pytest.skip("FASTCLF_TEST_DATA does not name the folder of the real data sets")
"""
UNEXPECTED = """
import pytest

@pytest.mark.skipif(True, reason="needs the moon")
def test_of_tides():
    pass
"""
WHOLE_MODULE = """
import pytest

pytest.importorskip("no_such_package")
"""
FAILS_AS_EXPECTED = """
import pytest

@pytest.mark.xfail(reason="not yet")
def test_that_fails():
    assert False
"""


@pytest.fixture
def checked(tmp_path):
    """Run modules by pytest, then the script on what came of each."""

    def run(*modules):
        outcomes = []
        for i, module in enumerate(modules):
            path = tmp_path / f"test_{i}.py"
            path.write_text(module)
            outcomes.append(tmp_path / f"{i}.xml")
            command = [sys.executable, "-m", "pytest", "-q", f"--rootdir={tmp_path}", "-c", os.devnull]
            environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
            subprocess.run([*command, f"--junit-xml={outcomes[-1]}", path], env=environment, check=False)
        command = [sys.executable, SCRIPT, *outcomes]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_expected_skips_are_printed(checked):
    done = checked(PASSES, EXPECTED)
    assert done.returncode == 0, done.stderr
    assert "1 skipped, expected: FASTCLF_TEST_DATA does not name" in done.stdout
    assert done.stdout.endswith("1 tests were skipped\n")


def test_a_test_that_fails_as_expected_is_not_skipped(checked):
    done = checked(FAILS_AS_EXPECTED)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0 tests were skipped\n"


@pytest.mark.parametrize(
    ("module", "reason", "test"),
    [(UNEXPECTED, "needs the moon", "test_of_tides"), (WHOLE_MODULE, "no_such_package", "test_1")],
)
def test_other_skips_fail(checked, module, reason, test):
    done = checked(EXPECTED, module)
    assert done.returncode == 1
    report = done.stdout.partition("1 skipped, NOT EXPECTED: ")[2]
    assert reason in report
    assert test in report


def test_what_was_not_run_fails(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "none.xml"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "none.xml" in done.stderr
