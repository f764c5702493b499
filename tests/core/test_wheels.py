"""The wheels of all systems: the table that they are built by, and what is found wrong with one that is not right."""

from __future__ import annotations

import importlib
import platform
import shutil
import struct
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from fastclf import _native

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / "tools" / "wheels"
TARGETS = dict(line.split() for line in (WHEELS / "targets.txt").read_text().splitlines() if line[0] != "#")
SYSTEMS = {"linux": "Linux", "windows": "Windows", "macos": "Darwin"}


@pytest.fixture
def tools(monkeypatch):
    """The modules that check a wheel."""
    monkeypatch.syspath_prepend(WHEELS)
    return importlib.import_module("check_wheel"), importlib.import_module("binaries")


def load_command(kind, *words):
    return struct.pack(f"<{2 + len(words)}I", kind, 8 + 4 * len(words), *words)


def mach_o(processor, *commands):
    header = struct.pack("<8I", 0xFEEDFACF, processor, 0, 6, len(commands), sum(map(len, commands)), 0, 0)
    return header + b"".join(commands)


MODULES = {
    "x86_64-linux": b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 62),
    "aarch64-linux": b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 183),
    "x86_64-windows": b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x8664),
    "x86_64-macos": mach_o(0x01000007),
    "aarch64-macos": mach_o(0x0100000C),
}


def make_wheel(folder, tag, module, *, inside=None, name=None, beside=()):
    """Write a wheel of a module, whose metadata has the tag `inside`."""
    wheel = folder / f"fastclf-1.0-cp311-abi3-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"fastclf/{name or ('_native.pyd' if tag == 'win_amd64' else '_native.abi3.so')}", module)
        archive.writestr("fastclf-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: cp311-abi3-{inside or tag}\n")
        for other in beside:
            archive.writestr(other, b"")
    return wheel


def module_for(target):
    return MODULES["-".join(target.split("-")[:2]).split(".")[0]]


@pytest.mark.parametrize("tag", TARGETS)
def test_names_of_a_right_wheel(tools, tmp_path, tag):
    check_wheel, _ = tools
    assert list(check_wheel.faults_of_names(make_wheel(tmp_path, tag, module_for(TARGETS[tag])))) == []


@pytest.mark.parametrize("tag", TARGETS)
def test_a_module_for_another_platform_is_found(tools, tmp_path, tag):
    check_wheel, _ = tools
    right = module_for(TARGETS[tag])
    for module in set(MODULES.values()) - {right}:
        (fault,) = check_wheel.faults_of_names(make_wheel(tmp_path, tag, module))
        assert fault.startswith("its module is for ")


def test_wrong_names_are_found(tools, tmp_path):
    check_wheel, _ = tools
    module = MODULES["x86_64-linux"]

    def faults(**changes):
        return list(check_wheel.faults_of_names(make_wheel(tmp_path, "musllinux_1_2_x86_64", module, **changes)))

    assert faults() == []
    assert faults(inside="linux_x86_64") == ["its metadata has the tags ['cp311-abi3-linux_x86_64']"]
    (fault,) = faults(name="_native.pyd")
    assert fault == "its binaries are ['fastclf/_native.pyd'], not fastclf/_native.abi3.so alone"
    (fault,) = faults(beside=["fastclf.libs/libgomp-1.so"])
    assert "fastclf.libs/libgomp-1.so" in fault


def test_the_module_here_is_for_this_machine(tools):
    _, binaries = tools
    system = {"linux": "linux", "darwin": "macosx", "win32": "win"}[sys.platform]
    assert binaries.platform_of(Path(_native.__file__).read_bytes()) == (system, platform.machine().lower())


def test_what_is_no_module_is_refused(tools):
    _, binaries = tools
    with pytest.raises(ValueError, match="no module of a known system begins with b'!<arch'"):
        binaries.platform_of(b"!<arch>\n")


MACOS_11, MACOS_12 = (load_command(0x32, 1, major << 16, 0, 0) for major in (11, 12))
SIGNATURE = load_command(0x1D, 0, 0)
SYSTEM, OTHER = (
    load_command(0x0C, 24, 0, 0, 0, *struct.unpack("<8I", path.ljust(32, b"\0")))
    for path in (b"/usr/lib/libSystem.B.dylib", b"/opt/lib/libomp.dylib")
)


@pytest.mark.parametrize(
    ("commands", "faults"),
    [
        ([MACOS_11, SYSTEM, SIGNATURE], []),
        ([MACOS_12, SYSTEM, SIGNATURE], ["its module is for macosx_12_0_arm64"]),
        ([MACOS_11, SYSTEM, OTHER, SIGNATURE], ["its module needs /opt/lib/libomp.dylib"]),
        ([MACOS_11, SYSTEM], ["its module has no signature"]),
    ],
    ids=["right", "too new", "a library", "unsigned"],
)
def test_what_macos_would_not_load_is_found(tools, tmp_path, commands, faults):
    check_wheel, _ = tools
    wheel = make_wheel(tmp_path, "macosx_11_0_arm64", mach_o(0x0100000C, *commands))
    assert list(check_wheel.faults_of_libraries(wheel)) == faults


@pytest.mark.parametrize("target", TARGETS.values())
def test_cmake_is_told_the_system(tmp_path, monkeypatch, target):
    script = tmp_path / "tell.cmake"
    script.write_text(
        f'include("{WHEELS / "toolchain.cmake"}")\nmessage("${{CMAKE_SYSTEM_NAME}} ${{CMAKE_SYSTEM_PROCESSOR}}")\n'
    )
    monkeypatch.setenv("FASTCLF_TARGET", target)
    done = subprocess.run(["cmake", "-P", script], capture_output=True, text=True, check=True)
    processor, system = target.split("-")[:2]
    assert done.stderr.split() == [SYSTEMS[system.split(".")[0]], processor]


def test_the_compiler_knows_what_python_asks_about_the_system():
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("cc is missing")
    names = ["SIZEOF_INT", "SIZEOF_LONG", "SIZEOF_LONG_LONG", "SIZEOF_SIZE_T", "SIZEOF_VOID_P", "SIZEOF_WCHAR_T"]
    names.append("SIZEOF_PID_T")
    command = [compiler, "-E", "-P", "-include", WHEELS / "pyconfig.h", "-"]
    done = subprocess.run(command, input=" ".join(names), capture_output=True, text=True, check=True)
    assert [int(word) for word in done.stdout.split()] == [sysconfig.get_config_var(name) for name in names]


def test_an_unknown_tag_is_refused(tmp_path):
    command = [ROOT / "tools" / "wheels.sh", tmp_path, "win32"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.split(": ")[1:]) == (2, ["not in tools/wheels/targets.txt", "win32\n"])
