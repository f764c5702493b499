"""What a compiled module says of itself: the system and processor it is for, the libraries it needs."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_ELF = {62: "x86_64", 183: "aarch64"}
_MACH_O = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_PE = {0x8664: "amd64"}
_LOADED, _SIGNATURE, _BUILD = 0x0C, 0x1D, 0x32  # load commands of Mach-O


def platform_of(module: bytes) -> tuple[str, str]:
    """Return the system and the processor, in the words of platform tags."""
    if module.startswith(b"\x7fELF\x02\x01"):
        return "linux", _ELF[_number(module, "<H", 18)]
    if module.startswith(b"\xcf\xfa\xed\xfe"):
        return "macosx", _MACH_O[_number(module, "<I", 4)]
    if module.startswith(b"MZ"):
        return "win", _PE[_number(module, "<H", _number(module, "<I", 0x3C) + 4)]
    raise ValueError(f"no module of a known system begins with {module[:6]!r}")


def oldest_macos(module: bytes) -> tuple[int, int]:
    """Return the version of macOS that a module asks for."""
    (version,) = (_number(command, "<I", 12) for kind, command in _load_commands(module) if kind == _BUILD)
    return version >> 16, version >> 8 & 0xFF


def is_signed(module: bytes) -> bool:
    """Return whether a module for macOS has a signature: on Arm none is loaded without."""
    return any(kind == _SIGNATURE for kind, _ in _load_commands(module))


def libraries(module: bytes) -> set[str]:
    """Return the libraries that a module for macOS or Windows is loaded with."""
    if module.startswith(b"MZ"):
        from pefile import PE

        return {entry.dll.decode() for entry in PE(data=module).DIRECTORY_ENTRY_IMPORT}
    loaded = (command for kind, command in _load_commands(module) if kind == _LOADED)
    return {command[_number(command, "<I", 8) :].rstrip(b"\0").decode() for command in loaded}


def _number(data: bytes, form: str, offset: int) -> int:
    (number,) = struct.unpack_from(form, data, offset)
    return int(number)


def _load_commands(module: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 32
    for _ in range(_number(module, "<I", 16)):
        size = _number(module, "<I", offset + 4)
        yield _number(module, "<I", offset), module[offset : offset + size]
        offset += size
