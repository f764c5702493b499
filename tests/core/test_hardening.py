"""The extension module as a file: what a mistake in memory could use of it is closed."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

from fastclf import _native

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="readelf reads files of Linux")

IS_X86 = platform.machine() == "x86_64"
PLANTED = """
#include <string.h>
void PyInit__native(const char *text) { char a[8]; strcpy(a, text); __asm__ volatile("" : : "r"(a)); }
void another(void) {}
"""


def told(program, *options):
    return subprocess.run([program, *options], check=True, capture_output=True, text=True).stdout


def weaknesses(path):
    """Name what is open in a shared object that should export its PyInit__native only."""
    segments, dynamic = told("readelf", "--segments", "--wide", path), told("readelf", "--dynamic", "--wide", path)
    symbols = [line.split() for line in told("readelf", "--dyn-syms", "--wide", path).splitlines()]
    names = {
        (parts[6], parts[7].partition("@")[0]) for parts in symbols if len(parts) > 7 and parts[4] in ("GLOBAL", "WEAK")
    }
    wanted = {name for section, name in names if section == "UND"}
    checks = {
        "addresses stay writable": "GNU_RELRO" in segments and re.search(r"FLAGS_1.*\bNOW\b", dynamic),
        "the stack may be executed": re.search(r"GNU_STACK .* RW +0x", segments),
        "code is written to when loaded": "TEXTREL" not in dynamic,
        "a path to libraries is built in": not re.search(r"\((RPATH|RUNPATH)\)", dynamic),
        "the stack is not protected": "__stack_chk_fail" in wanted,
        "copies are not checked": any(re.fullmatch(r"__(?!stack)\w+_chk", name) for name in wanted),
        "jumps go anywhere": not IS_X86 or "endbr64" in told("objdump", "-d", "--disassemble=PyInit__native", path),
        "more can be called": {name for section, name in names if section not in ("UND", "ABS")} == {"PyInit__native"},
    }
    return {weakness for weakness, is_closed in checks.items() if not is_closed}


def test_nothing_is_open():
    # Which copies are checked is up to the C library: musl has none.
    assert weaknesses(_native.__file__) <= ({"copies are not checked"} if platform.libc_ver()[0] != "glibc" else set())


def test_what_is_open_is_seen(tmp_path):
    flags = ["-fno-stack-protector", "-U_FORTIFY_SOURCE", "-z", "norelro", "-z", "lazy", "-z", "execstack"]
    flags += ["-fcf-protection=none"] if IS_X86 else []
    (tmp_path / "planted.c").write_text(PLANTED)
    command = ["gcc", "-shared", "-fPIC", "-Wl,-rpath,/nowhere", *flags, "-o", "planted.so", "planted.c"]
    subprocess.run(command, check=True, cwd=tmp_path)
    expected = weaknesses(tmp_path / "planted.so")
    assert len(expected) == 7 - (not IS_X86)
    assert "code is written to when loaded" not in expected
