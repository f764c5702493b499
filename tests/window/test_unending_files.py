"""Files that never end, or hold far more than they seem to: an error at once, and no memory for what is only promised.

Each is read in a process of its own, with little memory, that may hang.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import os
import resource
import socket
import struct
from pathlib import Path

import children
import pytest

from fastclf import datasets
from fastclf.window import read_tagged, read_vectors

MIB = 1 << 20
SPARE = 512 * MIB  # of memory


def main_job(path):
    from fastclf.__main__ import main  # only in processes of their own: others may run it as a module

    return main(["--data", path, "--out", os.path.dirname(path)])


READERS = {
    "load": datasets.load,
    "main": main_job,
    "read_tagged": read_tagged,
    "read_vectors": read_vectors,
}
TEXTS = ("read_tagged", "read_vectors")

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
BATCHES = ("data_batch_1.bin", "test_batch.bin")


def outcomes(cases):
    """Read with little memory, one after the other; return what was raised, or returned."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + SPARE
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size, before[1]))
    try:
        return [outcome(reader, path) for reader, path in cases]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def outcome(reader, path):
    try:
        return ["returned", repr(READERS[reader](path))]
    except (ValueError, OSError, MemoryError) as error:
        return [type(error).__name__, str(error)]


def refused(worker, *cases):
    """Each reader raises ValueError with such a message for such a path."""
    found = worker.result(outcomes, [(reader, str(path)) for reader, path, _ in cases])
    for case, (kind, text) in zip(cases, found, strict=True):
        assert kind == "ValueError", (case, kind, text)
        assert case[-1] in text


def device(path):
    path.symlink_to("/dev/zero")


def listening(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


KINDS = {os.mkfifo: "is a named pipe", device: "is a device", Path.mkdir: "is a directory", listening: "is a socket"}


def test_text_in_no_regular_file(worker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    cases = []
    for i, (make, message) in enumerate(KINDS.items()):
        make(Path(str(i)))
        path = tmp_path / str(i)
        cases += [(reader, path, f"{path}: {message}; a regular file is required") for reader in TEXTS]
    refused(worker, *cases)


def pictures(folder, layout="idx"):
    folder.mkdir(exist_ok=True)
    if layout == "idx":
        (folder / IMAGES).write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", 50, 2, 2) + bytes(200))
        (folder / LABELS).write_bytes(bytes([0, 0, 8, 1]) + struct.pack(">I", 50) + bytes([0, 1] * 25))
    else:
        for name in BATCHES:
            (folder / name).write_bytes(bytes(3073))


@pytest.mark.parametrize("name", [IMAGES, LABELS, *BATCHES, "batches.meta.txt"])
def test_pictures_in_no_regular_file(worker, tmp_path, name):
    cases = []
    for i, make in enumerate((os.mkfifo, device, Path.mkdir)):
        folder = tmp_path / str(i)
        pictures(folder, "idx" if name in (IMAGES, LABELS) else "cifar")
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        cases.append(("load", folder, f"{folder / name}: {KINDS[make]}; a regular file is required"))
    refused(worker, *cases)


def test_the_main_job_ends_where_there_is_no_data(tmp_path):
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    folder.mkdir()
    for path in (pipe, folder / IMAGES):
        os.mkfifo(path)
    done = children.run(outcomes, [("main", str(pipe)), ("main", str(folder))])
    assert done.stdout.splitlines()[-1] == '[["returned", "2"], ["returned", "2"]]'
    assert f"{pipe}: is no directory" in done.stderr
    assert f"{folder / IMAGES}: is a named pipe; a regular file is required" in done.stderr


@functools.cache
def packed(content, pack):
    return pack(content * (16 * MIB // len(content)))


def gigabytes(content, pack, before=b""):
    """Pack 4 GiB, in few MB: 16 MiB of the content many times, behind something else."""
    return pack(before) + packed(content, pack) * 256


PACKERS = (gzip.compress, bz2.compress)


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_no_more_is_unpacked_than_the_header_says(worker, tmp_path, name):
    cases = []
    for i, pack in enumerate(PACKERS):
        folder = tmp_path / str(i)
        pictures(folder)
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / f"{name}.gz").write_bytes(gigabytes(b"\0", pack, content))
        assert (folder / f"{name}.gz").stat().st_size < 5 * MIB
        size = len(content) - (16 if name == IMAGES else 8)
        cases.append(("load", folder, f"{name}.gz: truncated or too long: at least {size + 1} bytes of data for the"))
    refused(worker, *cases)


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (50, 2**14, 2**14)])
def test_memory_is_taken_for_bytes_that_are_there(worker, tmp_path, shape):
    cases = []
    for i, pack in enumerate((bytes, *PACKERS)):
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / IMAGES).write_bytes(pack(bytes([0, 0, 8, 3]) + struct.pack(">3I", *shape) + bytes(200)))
        cases.append(("load", folder, f"too long: 200 bytes of data for the shape {shape}"))
    refused(worker, *cases)


def test_a_line_without_an_end(worker, tmp_path):
    cases = []
    for i, before in enumerate((b"", b"a 1\n")):
        path = tmp_path / str(i)
        path.write_bytes(before)
        os.truncate(path, 4 << 30)  # a file with a hole, which reads as zeros
        cases += [(reader, path, f"{path}, line {i + 1}: is longer than 4194304 characters") for reader in TEXTS]
    refused(worker, *cases)


@pytest.mark.parametrize(
    ("content", "pack", "message"),
    [
        (b"a", bz2.compress, ", line 2: is longer than 4194304 characters"),
        (b"a 1\n", gzip.compress, ": unpacks to more than 100 times its size"),
        pytest.param(b"a 1\n", bz2.compress, ": unpacks to more than 100 times its size", marks=pytest.mark.slow),
        (b"\n", gzip.compress, ", line 1048578: is blank, as are 1048576 before it"),
    ],
)
def test_text_that_unpacks_to_gigabytes(worker, tmp_path, content, pack, message):
    path = tmp_path / "text"
    path.write_bytes(gigabytes(content, pack, b"a 1\n"))
    refused(worker, *((reader, path, f"{path}{message}") for reader in TEXTS))


@pytest.mark.parametrize("reader", TEXTS)
def test_lines_as_long_as_may_be(tmp_path, reader):
    path = tmp_path / "text"
    for word in ("a" * (4194304 - 2), "ü" * (4194304 - 2)):
        path.write_text(f"{word} 1\n", "utf-8")
        assert READERS[reader](path)[0] in ([word], [[word]])
        path.write_text(f"b 1\n{word}b 1\n", "utf-8")
        with pytest.raises(ValueError, match="line 2: is longer than 4194304 characters"):
            READERS[reader](path)


def test_a_long_sentence_of_comments(worker, tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"# a b\n" * (MIB // 4) + b"a 1\n# 2\n" + b"# a b\n" * (MIB // 4))
    found = worker.result(outcomes, [("read_tagged", str(path))])
    assert found == [["returned", "([['a', '#']], [['1', '2']])"]]


def test_text_that_packs_well_is_read(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(gzip.compress(b"a 1\n" * MIB))  # a thousandth of it
    sentences, _ = read_tagged(path)
    assert sentences == [["a"] * MIB]
