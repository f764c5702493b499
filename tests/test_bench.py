"""The benchmark runs, with whichever peers are installed, and agrees with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "bench" / "compare_backends.py"


@pytest.mark.slow
def test_compare_backends(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--made", "400", "32", "--rounds", "1", "--out", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert "scikit-learn" in table[0]
    assert {line.split("|")[1].strip() for line in table[2:]} == {
        f"{metric}, {values}" for metric in ("l1", "l2") for values in ("uint8", "float32 0..255", "float32")
    }
    assert all(float(cell) > 0 for line in table[2:] for cell in line.split("|")[2:-1])
    assert (tmp_path / "bench-backends.png").exists()


@pytest.mark.slow
def test_compare_linear(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT.with_name("compare_linear.py"), "--iterations", "5", "--out", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    table = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row[1].strip() for row in table[2:]] == ["fastclf", "scikit-learn"]
    assert 0 <= float(table[2][4]) < float(table[3][4])
    assert (tmp_path / "bench-linear.png").exists()
