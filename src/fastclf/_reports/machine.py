"""What a measurement was made on: the processor, the threads, the versions."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from fastclf._shared.config import config

_CPUINFO = Path("/proc/cpuinfo")
_PACKAGES = ("numpy", "scipy", "scikit-learn")


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        named = re.search(r"^(?:model name|Model)\s*:\s*(\S.*)$", _CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        named = None
    return named[1] if named else platform.processor() or platform.machine()


def facts(packages: Sequence[str] = ()) -> dict[str, str]:
    """Return what is to be said of any measurement, by name; and the versions of packages, where they are installed.

    Call it after what is measured has been imported: packages bring BLAS libraries of their own.
    """
    settings = config()
    return {
        "processor": processor(),
        "instruction set": settings["isa"],
        "threads": str(settings["n_threads"]),
        "BLAS": blas(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "fastclf": settings["version"],
        **{name: version for name in (*_PACKAGES, *packages) if (version := _version(name))},
    }


def blas() -> str:
    """Return the BLAS libraries that are loaded, and which processors their kernels are made for.

    An old library that does not know a processor takes slow kernels there; the packages that use it look slow then.
    """
    loaded = {(lib.get("prefix"), lib.get("version"), lib.get("architecture")) for lib in _libraries()}
    return ", ".join(sorted(" ".join(filter(None, facts)) for facts in loaded)) or "none"


def _libraries() -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_info

    return [lib for lib in threadpool_info() if lib["user_api"] == "blas"]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
