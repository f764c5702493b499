"""Read files that were changed at random: every reader refuses them, or reads them, in little time and memory.

Usage: fuzz_readers.py SECONDS [--plant]

Files of pictures and of text are changed in a few places, packed or not, and read in a process of its own. Anything but
an answer, ValueError or OSError is a failure, and so are more than 1 s and 256 MB. The file that failed stays in
build/fuzz/readers. With --plant, a reader fails on some files, which has to be found.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import gzip
import os
import random
import resource
import shutil
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fastclf import datasets
from fastclf.window import read_tagged, read_vectors

_FOLDER = Path(__file__).parents[1] / "build" / "fuzz" / "readers"
_SECONDS, _BYTES = 1.0, 256 << 20
_FAILED = 3  # exit status


def _idx(ndim: int, *shape: int) -> bytes:
    size = 1
    for n in shape:
        size *= n
    return struct.pack(f">BBBB{ndim}I", 0, 0, 8, ndim, *shape) + bytes(i % 10 for i in range(size))


_TEXT = b"-DOCSTART- -X- O O\n\nThe DT I-NP O\ncat NN I-NP B-PER\n\nen:Rome B-LOC\nis O\n"
_VECTORS = "3 4\nthe 0.1 -2e-3 3 4\nde rien 1 2 3 4.5\nKöln 0 0 -0.0 1e38\n".encode()

# Files of each kind by name; the first is changed. What reads them is given their folder, or the first of them.
SEEDS: list[tuple[dict[str, bytes], Callable[[Path], Any]]] = [
    (
        {"train-images-idx3-ubyte": _idx(3, 6, 5, 4), "train-labels-idx1-ubyte": _idx(1, 6)},
        lambda path: datasets.load(path.parent),
    ),
    (
        {"train-labels-idx1-ubyte": _idx(1, 6), "train-images-idx3-ubyte": _idx(3, 6, 5, 4)},
        lambda path: datasets.load(path.parent),
    ),
    (
        {
            "data_batch_1.bin": bytes(i % 10 for i in range(2 * 3073)),
            "test_batch.bin": bytes(3073),
            "batches.meta.txt": b"\n".join(b"abcdefghij"[i : i + 1] for i in range(10)),
        },
        lambda path: datasets.load(path.parent),
    ),
    ({"text.txt": _TEXT}, read_tagged),
    ({"vectors.txt": _VECTORS}, read_vectors),
]


def _packed(content: bytes, name: str, draw: random.Random) -> tuple[str, bytes]:
    kind = draw.randrange(4)
    if kind == 0:
        return f"{name}.gz", gzip.compress(content, 1, mtime=0)
    if kind == 1 and name.endswith(".txt"):
        return f"{name}.bz2", bz2.compress(content, 1)
    return name, content


def changed(content: bytes, draw: random.Random) -> bytes:
    """Return content with a few changes, in any place."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        at, size = draw.randrange(len(data) + 1), draw.choice((1, 1, 4, 50))
        kind = draw.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[at:at] = data[at : at + size]
        elif kind == 3:
            data[at : at + size] = draw.randbytes(size)
        elif kind == 4:
            data[at : at + 4] = struct.pack(">I", draw.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1)))
        else:
            data[at:at] = draw.choice((b" ", b"\n", b"\t", b"\r", b"nan", b"1e999", b"\xff\xfe", b"\0", b"9" * 400))
    return bytes(data)


def cases(seed: int) -> Iterator[tuple[str, bytes, dict[str, bytes], Callable[[Path], Any]]]:
    """Yield names and contents of changed files without end, what lies beside them, and what reads them."""
    draw = random.Random(seed)
    while True:
        files, reader = draw.choice(SEEDS)
        (name, content), *others = files.items()
        if draw.randrange(2):
            name, content = _packed(changed(content, draw), name, draw)
        else:
            name, content = _packed(content, name, draw)
            content = changed(content, draw)
        yield name, content, dict(others), reader


def _too_long(*_: Any) -> None:
    raise RuntimeError(f"reading took more than {_SECONDS} s")


def _read(reader: Callable[[Path], Any], path: Path) -> None:
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        with contextlib.suppress(ValueError, OSError):
            reader(path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _work(seconds: float, seed: int, plant: bool, counter: Path) -> None:
    """Read changed files for some time; write how many were read."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _BYTES, -1))
    signal.signal(signal.SIGALRM, _too_long)
    end, count = time.monotonic() + seconds, 0
    for name, content, others, reader in cases(seed):
        for file in _FOLDER.iterdir():
            file.unlink()
        for other, of_other in others.items():
            (_FOLDER / other).write_bytes(of_other)
        path = _FOLDER / name
        path.write_bytes(content)
        _read(reader, path)
        if plant and len(content) % 11 == 3:
            raise KeyError("planted")
        count += 1
        if time.monotonic() > end:
            break
    counter.write_text(str(count))


def main(words: list[str]) -> int:
    """Read changed files for as long as the words say; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float)
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args(words)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    counter, seed = _FOLDER.with_name("readers.count"), random.randrange(2**32)
    pid = os.fork()
    if pid == 0:
        status = _FAILED
        try:
            _work(options.seconds, seed, options.plant, counter)
            status = 0
        finally:
            sys.excepthook(*sys.exc_info()) if status else None
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        print(f"a file in {_FOLDER} failed, with exit status {status}, seed {seed}")
        return 1
    print(f"{counter.read_text()} files read or refused, each within {_SECONDS:.0f} s and {_BYTES >> 20} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
