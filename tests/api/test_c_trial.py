"""An index's trial of a tree, where the search of the trial fails."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_a_failed_trial_tells_no_share_of_leaves(tmp_path):
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    # Sections that are not used go, and with them calls of functions that are not there.
    options = ["-std=c11", "-O1", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]
    folders = ["-I", ROOT / "csrc", "-I", ROOT / "src" / "fastclf" / "include"]
    source = Path(__file__).with_name("failing_trial.c")
    subprocess.run([compiler, *options, *folders, source, "-o", tmp_path / "trial", "-lm"], check=True)
    assert subprocess.run([tmp_path / "trial"], check=False).returncode == 0
