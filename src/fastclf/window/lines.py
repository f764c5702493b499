r"""Lines of text files, with their numbers: they end with \n, \r\n or \r, and with nothing else that Unicode has."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Callable, Iterator

from fastclf._shared import files, progress

Numbered = tuple[int, str]

LONGEST = 1 << 22  # characters of a line: some 400 000 values
MOST_BLANK = 1 << 20  # lines without text one after the other: packed, gigabytes of them are nothing
_BLOCK = 1 << 18  # bytes, decoded at a time
_MARK = "\ufeff"  # that some programs begin files with

# Packed text may unpack to this many times the bytes read, plus a constant: real text is 2 to 30 times as long.
_MOST_TIMES = 100
_ALWAYS = 1 << 24


def numbered(
    path: str | os.PathLike[str], encoding: str, errors: str, tell: Callable[[int], None] = progress.nothing
) -> Iterator[Numbered]:
    """Yield lines without their ends, and their numbers from 1 on; `tell` hears of each more bytes that were read.

    A block and a line are held. `encoding` and `errors` are those of `open`.
    """
    decoder = _decoder(encoding, errors)
    with files.opened(path) as content:
        ended, blank, rest = 0, 0, ""
        for block in _blocks(content, tell):
            text = _decoded(decoder, block, content, encoding, ended)
            first, *others = text.split("\n")
            rest += first
            if len(rest) > LONGEST:
                raise ValueError(f"{content.path}, line {ended + 1}: is longer than {LONGEST} characters")
            for line in others:
                ended += 1
                blank = 0 if rest.strip(" \t") else blank + 1
                if blank > MOST_BLANK:
                    raise ValueError(f"{content.path}, line {ended}: is blank, as are {MOST_BLANK} before it")
                yield ended, rest if ended > 1 else rest.removeprefix(_MARK)
                rest = line
        if rest:
            yield ended + 1, rest if ended else rest.removeprefix(_MARK)


def _decoder(encoding: str, errors: str) -> io.IncrementalNewlineDecoder:
    for name, value in (("encoding", encoding), ("errors", errors)):
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str, got {value!r} of type {type(value).__name__}")
    try:
        "".encode(encoding)  # some encodings, such as "hex", are not of text
        decoder = codecs.getincrementaldecoder(encoding)(errors)
    except LookupError as error:
        raise ValueError(f"encoding={encoding!r} cannot be used: {error}") from None
    try:
        b"\xff".decode("ascii", errors)
    except UnicodeDecodeError:
        pass
    except (LookupError, TypeError) as error:  # some, such as "namereplace", are for encoding only
        raise ValueError(f"errors={errors!r} cannot be used: {error}") from None
    return io.IncrementalNewlineDecoder(decoder, translate=True)


def _blocks(content: files.Content, tell: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the content, and at its end an empty block."""
    told = unpacked = 0
    block = b"first"
    while block:
        block = content.read(_BLOCK)
        unpacked += len(block)
        position = content.position()
        if content.is_packed and unpacked > _MOST_TIMES * position + _ALWAYS:
            raise ValueError(f"{content.path}: unpacks to more than {_MOST_TIMES} times its size, which no text does")
        tell(position - told)
        told = position
        yield block


def _decoded(
    decoder: io.IncrementalNewlineDecoder, block: bytes, content: files.Content, encoding: str, ended: int
) -> str:
    """Decode a block. `ended` lines came before it; the empty block is the one at the end."""
    _, state = decoder.getstate()
    try:
        return decoder.decode(block, final=not block)
    except UnicodeDecodeError as error:
        decoder.setstate((b"", state))
        before = decoder.decode(error.object[: error.start], final=True)
        wrong = error.object[error.start : error.end]
        place = f"{content.path}, line {ended + before.count(chr(10)) + 1}"
        raise UnicodeDecodeError(encoding, wrong, 0, len(wrong), f"{error.reason} ({place})") from None
    except UnicodeError as error:  # of UTF-16 without a mark
        raise ValueError(f"{content.path}, line {ended + 1}: {error}") from None
