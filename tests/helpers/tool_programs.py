"""The programs of tools/ as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "tools"


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command_of(name, *words):
    """What `subprocess.run` has to be given to run a program."""
    return [sys.executable, str(TOOLS / f"{name}.py"), *words]
