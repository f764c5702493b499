"""Files that users name: regular ones only, unpacked where they are packed, read no further than is asked for."""

from __future__ import annotations

import bz2
import gzip
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PART = 1 << 20  # bytes that are read at a time: what a file only promises is never allocated
_PACKED_PART = 1 << 13  # bytes of a packed file: few, as bounds on what it unpacks to count what has been read


class _Bzip2:
    """The streams of a file packed by bzip2, one after the other; zeros may follow them.

    Python's own reader takes a stream whose beginning is damaged for the end of the file.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._stream = bz2.BZ2Decompressor()
        self._packed = b""  # of the stream, read but not unpacked

    def read(self, size: int) -> bytes:
        """Return at most `size` of the next bytes; none only at the end or where none are asked for."""
        while size and (not self._stream.eof or self._begin_next()):
            packed, self._packed = self._packed, b""
            if not packed and self._stream.needs_input:
                packed = self._raw.read(_PACKED_PART)
                if not packed:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            if part := self._stream.decompress(packed, size):
                return part
        return b""

    def _begin_next(self) -> bool:
        """Begin with the stream behind the one that has ended; False if there is none."""
        packed = self._stream.unused_data.lstrip(b"\0")
        while not packed and (more := self._raw.read(_PACKED_PART)):
            packed = more.lstrip(b"\0")
        if packed:
            self._stream, self._packed = bz2.BZ2Decompressor(), packed
        return bool(packed)


# How packed content begins, and what unpacks it; or the name of what packed it, where that is not unpacked: others are
# not in Python's library, hold several files, or (xz) may ask for gigabytes to unpack a few bytes.
_PACKED: tuple[tuple[re.Pattern[bytes], Callable[[Any], Any] | str], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), lambda raw: gzip.GzipFile(fileobj=raw)),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), _Bzip2),
    (re.compile(rb"\xfd7zXZ\x00"), "xz"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd"),
    (re.compile(rb"PK\x03\x04"), "zip"),
)
_LONGEST_MARK = 10

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class Content:
    """What is in an open file, unpacked.

    Parameters
    ----------
    path : Path
        Where it is, for messages.
    raw : file
        The file, at its beginning.
    """

    def __init__(self, path: Path, raw: Any) -> None:
        self.path = path
        self._raw = raw
        self._file: Any = raw
        mark = raw.peek(_LONGEST_MARK)
        for pattern, unpack in _PACKED:
            if pattern.match(mark):
                if isinstance(unpack, str):
                    raise ValueError(f"{path}: is packed by {unpack}, which is not read; unpack it first")
                self._file = unpack(raw)

    @property
    def size(self) -> int:
        """How many bytes the file has, as it is."""
        return os.fstat(self._raw.fileno()).st_size

    @property
    def is_packed(self) -> bool:
        """Whether the file holds less, or more, than its content."""
        return self._file is not self._raw

    def position(self) -> int:
        """Return how many bytes of the file, as it is, have been read."""
        return int(self._raw.tell())

    def read(self, size: int) -> bytes:
        """Return at most `size` of the next bytes, none at the end; they are allocated first."""
        try:
            part: bytes = self._file.read(size)
            return part
        except (EOFError, zlib.error) as error:
            raise ValueError(f"{self.path}: cannot be read: {error}") from error
        except OSError as error:
            if error.errno is not None:  # else it was not the system that complained
                raise
            raise ValueError(f"{self.path}: cannot be read: {error}") from error

    def take(self, size: int) -> bytearray:
        """Return the next bytes, as many as there are up to `size`, holding no more than a part beside them."""
        taken = bytearray()
        while part := self.read(min(_PART, size - len(taken))):
            taken += part
        return taken


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Content]:
    """Open a file to read its content; raise ValueError for what is no regular file, and might never end."""
    path = Path(path)
    _refuse_irregular(path, path.stat())  # which to open may wait, or do something
    with open(path, "rb", opener=_at_once) as raw:
        _refuse_irregular(path, os.fstat(raw.fileno()))  # another one may have come in its place
        yield Content(path, raw)


def _at_once(path: str, flags: int) -> int:
    """Open a file, and do not wait for someone to write to it, as opening a pipe would."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_irregular(path: Path, found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(f"{path}: is {_KINDS.get(kind, 'something else')}; a regular file is required")
