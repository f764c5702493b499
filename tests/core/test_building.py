"""What a build says where something is missing, and the files of other people's builders."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

from installed import OWN_FIRST

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def lowest(requirements):
    """Return the lower bounds of requirements, by name."""
    return dict(re.match(r"([\w-]+)>=([\d.]+)", requirement).groups() for requirement in requirements)


def configured(build, compiler):
    """Configure the C library in a folder, with this value of CC; return the process that has ended."""
    command = ["cmake", "-S", ROOT, "-B", build, "-DFASTCLF_PYTHON=OFF"]
    env = os.environ | OWN_FIRST | {"CC": compiler}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def test_a_missing_compiler_is_named(tmp_path):
    done = configured(tmp_path / "build", str(tmp_path / "no-such-compiler"))
    assert done.returncode == 1
    message = " ".join(done.stderr.split())
    assert "fastclf needs a C compiler, GCC or Clang, and finds none. Debian, Ubuntu: apt-get install gcc" in message
    done = configured(tmp_path / "build", "cc")  # it has been installed since
    assert done.returncode == 0, done.stderr


def test_a_compiler_may_have_arguments_as_ccache_has(tmp_path):
    launcher = tmp_path / "launcher"
    launcher.write_text('#!/bin/sh\nexec "$@"\n')
    launcher.chmod(0o755)
    done = configured(tmp_path / "build", f"{launcher} cc")
    assert done.returncode == 0, done.stderr


def test_the_oldest_versions_are_the_lower_bounds():
    pins = dict(line.split("==") for line in (ROOT / "tools" / "oldest.txt").read_text().splitlines() if line[0] != "#")
    bounds = lowest(PROJECT["dependencies"])
    assert {name: f"{bound}.0" if bound.count(".") == 1 else bound for name, bound in bounds.items()} == pins


def test_the_recipe_needs_what_the_package_needs():
    recipe = (ROOT / "recipe" / "recipe.yaml").read_text()
    assert f'version: "{PROJECT["version"]}"' in recipe
    needed = dict(re.findall(r"^    - ([\w-]+) >=([\d.]+)$", recipe.split("  run:\n")[1], re.MULTILINE))
    assert needed == lowest(PROJECT["dependencies"]) | {"python": PROJECT["requires-python"].removeprefix(">=")}
