"""Install a wheel in a fresh environment, where no compiler can be found, and use it there.

    python tools/wheels/try_wheel.py FOLDER

pip takes the wheel for this machine and this Python from the folder. A part of the tests and the main job have to pass,
on an instruction set that is no lower than the processor's. Prints it, and how many tests passed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED_BY_TESTS = ("hypothesis", "ml_dtypes", "pytest", "pytest-timeout")
TESTS = ("tests/neighbors/test_functional.py", "tests/losses/test_losses.py", "tests/core/test_isa.py")
_TELL_CONFIG = "import json, fastclf; print(json.dumps(fastclf.show_config('dicts')))"


def main() -> None:
    """Try the wheel for this machine in the folder that the command names."""
    folder = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as work:
        python = _fresh_python(Path(work, "environment"))
        _run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--find-links", folder, "fastclf")
        _run(python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "fastclf", *NEEDED_BY_TESTS)
        config = json.loads(_run(python, "-c", _TELL_CONFIG, cwd=work))
        _check_isa(config["isa"])
        passed = _run_tests(python, Path(work, "tree"))
        _run(python, "-m", "fastclf", cwd=work)
    print(config["isa"], passed)


def _fresh_python(environment: Path) -> Path:
    venv.EnvBuilder(with_pip=True).create(environment)
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(python: Path, *words: object, cwd: str | Path | None = None) -> str:
    """Run what has to succeed, and finds no program but those of the environment and, on Windows, of the system."""
    path = [str(python.parent)]
    if os.name == "nt":
        path.append(str(Path(os.environ["SYSTEMROOT"], "System32")))
    env = os.environ | {"PATH": os.pathsep.join(path), "MPLBACKEND": "agg"}
    env.pop("CC", None)
    env.pop("PYTHONPATH", None)
    command = [str(python), *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=env, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)}: exit status {done.returncode}")
    return done.stdout


def _check_isa(isa: str) -> None:
    """Make sure that a processor with vectors is not used without, as far as it tells of them."""
    machine = platform.machine().lower()
    cpuinfo = Path("/proc/cpuinfo")
    has_avx2 = cpuinfo.exists() and "avx2" in cpuinfo.read_text().split()
    if isa == "scalar" and (has_avx2 or machine in ("arm64", "aarch64")):
        sys.exit(f"the wheel runs on {isa}, although this processor ({machine}) has more")


def _run_tests(python: Path, tree: Path) -> int:
    """Run the tests in a folder without the package's sources; return how many passed."""
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    _run(python, "-m", "pytest", "-q", "-m", "not slow", "--junit-xml=outcomes.xml", *TESTS, cwd=tree)
    (suite,) = ET.parse(tree / "outcomes.xml").iter("testsuite")
    return int(suite.attrib["tests"]) - int(suite.attrib["skipped"])


if __name__ == "__main__":
    main()
