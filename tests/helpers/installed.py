"""fastclf as others have it: a wheel, built from a copy of the tree, and installed in an environment of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = ("CMakeLists.txt", "LICENSE", "README.md", "cmake", "csrc", "pyproject.toml", "src", "tools")
_BUILD_NEEDS = ("scikit_build_core", "Cython", "cython_cmake", "cmake")
OWN_FIRST = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # the system's CMake may be too old


def run(*command, cwd=None, env=None):
    """Run a command that has to succeed, of this environment's programs first; what it prints."""
    options = {"cwd": cwd, "env": os.environ | OWN_FIRST | (env or {}), "capture_output": True, "text": True}
    done = subprocess.run([str(word) for word in command], check=False, timeout=1500, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copied_tree(folder):
    """Copy what a wheel is built from."""
    tree = folder / "tree"
    tree.mkdir()
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(source, tree / name)
    return tree


def cached(tree):
    """Let a compiler's cache, where there is one, know the same sources in another folder."""
    return {"CCACHE_BASEDIR": str(tree)}


def wheel_of(tree, folder):
    """Build the wheel of a tree."""
    has_all = all(importlib.util.find_spec(name) for name in _BUILD_NEEDS)
    options = ["--no-build-isolation"] * has_all
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        *options,
        "--wheel-dir",
        folder,
        tree,
        env=cached(tree),
    )
    return next(folder.glob("fastclf-*.whl"))


def library_of(tree, prefix):
    """Build and install what there is for programs without Python."""
    build = tree / "build" / "library"
    run("cmake", "-S", tree, "-B", build, "-DFASTCLF_PYTHON=OFF", "-DCMAKE_INSTALL_LIBDIR=lib", env=cached(tree))
    run("cmake", "--build", build, "--parallel", 2, env=cached(tree))
    run("cmake", "--install", build, "--prefix", prefix)


class Environment:
    """An environment with a wheel in it, and all else that the tests have; an editable fastclf is not seen there."""

    def __init__(self, folder, wheel):
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        site = Path(run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        run(sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-deps", wheel)
        # Written last, or pip would take a fastclf among the others for this one. Their own .pth files are not read.
        others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        (site / "others.pth").write_text("\n".join(others))

    def run(self, *arguments, cwd=None):
        """Run this environment's Python, with nothing that leads to the tree."""
        return run(self.python, *arguments, cwd=cwd, env={"PYTHONPATH": ""})
