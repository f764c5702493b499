"""Say what is wrong with a wheel, without loading it; nothing, and status 0, where all is right.

    python tools/wheels/check_wheel.py WHEEL

Its name, its metadata and its module have to tell of the same platform. The module may need nothing that the platform
does not bring (auditwheel on Linux) and nothing of Python beside the stable ABI of 3.11 (abi3audit).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import binaries

_TAG = re.compile(r"(?:many|musl)?(?P<system>linux|macosx|win)_(?:\d+_\d+_)?(?P<processor>\w+)")
_BROUGHT = {
    "macosx": re.compile(r"/usr/lib/libSystem\.B\.dylib"),
    "win": re.compile(r"python3\.dll|kernel32\.dll|api-ms-win-crt-[a-z]+-l1-1-0\.dll", re.IGNORECASE),
}


def faults_of_names(wheel: Path) -> Iterator[str]:
    """Yield what does not go together among the wheel's name, its metadata and its module."""
    python, abi, platform = wheel.stem.split("-")[2:]
    if (python, abi) != ("cp311", "abi3"):
        yield f"the wheel is for {python}-{abi}, not cp311-abi3"
    tags = re.findall(r"^Tag: (\S+)", _read(wheel, r"[^/]+\.dist-info/WHEEL").decode(), re.MULTILINE)
    if tags != [f"{python}-{abi}-{platform}"]:
        yield f"its metadata has the tags {tags}"
    with zipfile.ZipFile(wheel) as archive:
        found = [name for name in archive.namelist() if name.endswith((".so", ".pyd", ".dylib", ".dll"))]
    if found != [_module_name(wheel)]:
        yield f"its binaries are {found}, not {_module_name(wheel)} alone"
        return
    is_for = binaries.platform_of(_read(wheel, re.escape(_module_name(wheel))))
    if is_for != _named(platform):
        yield f"its module is for {' '.join(is_for)}"


def faults_of_libraries(wheel: Path) -> Iterator[str]:
    """Yield what the module needs, and what is not on every machine of the wheel's platform."""
    platform, module = wheel.stem.split("-")[4], _read(wheel, re.escape(_module_name(wheel)))
    system, processor = _named(platform)
    if system == "linux":
        found = _best_tag(wheel)
        if found != platform:
            yield f"auditwheel finds {found}"
        return
    strangers = sorted(name for name in binaries.libraries(module) if not _BROUGHT[system].fullmatch(name))
    if strangers:
        yield f"its module needs {', '.join(strangers)}"
    if system != "macosx":
        return
    oldest = "macosx_{}_{}_".format(*binaries.oldest_macos(module))
    if not platform.startswith(oldest):
        yield f"its module is for {oldest}{processor}"
    if processor == "arm64" and not binaries.is_signed(module):
        yield "its module has no signature"


def faults_of_abi(wheel: Path) -> Iterator[str]:
    """Yield what the module takes of Python that 3.11's stable ABI does not have."""
    report = json.loads(_run("abi3audit", "--report", wheel))
    for module in next(iter(report["specs"].values()))["wheel"]:
        result = module["result"]
        if not (result["is_abi3"] and result["is_abi3_baseline_compatible"] and result["baseline"] == "3.11"):
            yield f"abi3audit finds {result}"


def _named(platform: str) -> tuple[str, str]:
    match = _TAG.fullmatch(platform)
    if not match:
        raise ValueError(f"no platform that wheels are made for: {platform!r}")
    return match["system"], match["processor"]


def _module_name(wheel: Path) -> str:
    """Return the name by which Python finds the module on the wheel's system."""
    system, _ = _named(wheel.stem.split("-")[4])
    return "fastclf/_native.pyd" if system == "win" else "fastclf/_native.abi3.so"


def _read(wheel: Path, pattern: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if re.fullmatch(pattern, name))
        return archive.read(name)


def _best_tag(wheel: Path) -> str:
    """Ask auditwheel, which is not to look for libraries of this machine: the wheel may be for another."""
    with tempfile.TemporaryDirectory() as nowhere:
        return str(json.loads(_run("auditwheel", "show", "--json", "--ldpaths", nowhere, wheel))["overall_tag"])


def _run(module: str, *words: object) -> str:
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    """Print the faults of the wheel that the command names."""
    wheel = Path(sys.argv[1])
    faults = list(faults_of_names(wheel)) or [*faults_of_libraries(wheel), *faults_of_abi(wheel)]
    for fault in faults:
        print(f"{wheel.name}: {fault}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
