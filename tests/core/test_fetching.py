"""Bringing data sets: small files under the official names, from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import runpy
import socket
import struct
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from fastclf import datasets
from fastclf.datasets import _fetching

pooch = pytest.importorskip("pooch")

CIFAR = "cifar-10-binary.tar.gz"


def idx(array):
    """Return an IDX file of bytes, packed."""
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def archive(files):
    """Return an archive with these files in the folder that CIFAR-10's has."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        packed.addfile(folder)
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return content.getvalue()


@pytest.fixture
def pictures(rng):
    """Return arrays, and the files by name that a server is to have."""
    mnist = {}
    for split, n in (("train", 30), ("t10k", 12)):
        mnist[split] = rng.integers(0, 256, (n, 5, 4), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 3
    records = rng.integers(0, 256, (20, 3073), dtype=np.uint8)
    records[:, 0] %= 10
    files = {CIFAR: archive({"data_batch_1.bin": records[:15].tobytes(), "test_batch.bin": records[15:].tobytes()})}
    for split, (images, labels) in mnist.items():
        files[f"{split}-images-idx3-ubyte.gz"] = idx(images)
        files[f"{split}-labels-idx1-ubyte.gz"] = idx(labels)
    return mnist, records, files


class Server(ThreadingHTTPServer):
    """A server of `files` by name; it remembers what it was `asked` for, and breaks off files named in `broken`."""

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.broken, self.address = (
            dict(files),
            [],
            set(),
            f"http://127.0.0.1:{self.server_port}/d",
        )


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.removeprefix("/d/")
        self.server.asked.append(name)
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.broken else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(pictures, monkeypatch):
    """Serve the files, with their checksums in the table; the table's own addresses lead to them, too."""
    with Server(pictures[2]) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name, source in list(_fetching.SOURCES.items()):
            sums = {file: hashlib.sha256(pictures[2][file]).hexdigest() for file in source.files}
            monkeypatch.setitem(_fetching.SOURCES, name, _fetching.Source((f"{one.address}/",), sums))
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture
def fetched(tmp_path):
    """Fetch into a folder of this test, without trying again."""
    return lambda name, **options: datasets.fetch(name, **{"cache": tmp_path, "retries": 0} | options)


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_mnist(server, fetched, pictures):
    data = fetched("mnist")
    (images, labels), (images_test, labels_test) = pictures[0].values()
    np.testing.assert_array_equal(data.X_train, images.reshape(30, 20))
    np.testing.assert_array_equal(data.y_train, labels)
    np.testing.assert_array_equal(data.X_test, images_test.reshape(12, 20))
    np.testing.assert_array_equal(data.y_test, labels_test)
    assert data.shape == (5, 4)


def test_cifar(server, fetched, pictures, tmp_path):
    data = fetched("cifar10")
    np.testing.assert_array_equal(data.X_train, pictures[1][:15, 1:])
    np.testing.assert_array_equal(data.y_test, pictures[1][15:, 0])
    assert names(tmp_path) == {f"cifar10/{CIFAR}"}  # nothing unpacked is left


def test_what_the_cache_has_is_not_brought_again(server, fetched):
    fetched("mnist")
    assert sorted(server.asked) == sorted(_fetching.SOURCES["mnist"].files)
    server.asked.clear()
    fetched("mnist")
    assert server.asked == []


def test_what_the_cache_has_is_compared(server, fetched, tmp_path, pictures):
    fetched("cifar10")
    server.asked.clear()
    file = tmp_path / "cifar10" / CIFAR
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    fetched("cifar10")
    assert server.asked == [CIFAR]
    assert file.read_bytes() == pictures[2][CIFAR]


def test_a_file_put_into_the_cache_by_hand(server, fetched, tmp_path, pictures):
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / CIFAR).write_bytes(pictures[2][CIFAR])
    assert len(fetched("cifar10").X_train) == 15
    assert server.asked == []


def test_another_file_than_the_official_one(server, fetched, tmp_path):
    server.files[CIFAR] = archive({"test_batch.bin": b"other"})
    with pytest.raises(OSError, match=rf"(?s){CIFAR} cannot be .*{server.address}/{CIFAR}: SHA256 hash") as error:
        fetched("cifar10")
    assert hashlib.sha256(server.files[CIFAR]).hexdigest() in str(error.value)
    assert names(tmp_path) == set()


def test_a_file_that_is_missing(server, fetched, tmp_path):
    missing = "t10k-labels-idx1-ubyte.gz"
    del server.files[missing]
    with pytest.raises(OSError, match=rf"(?s){missing} cannot be fetched\..*404") as error:
        fetched("mnist")
    assert f"put the official file into {tmp_path / 'mnist'}; mirror= names" in str(error.value)


def test_an_interrupted_download_leaves_nothing(server, fetched, tmp_path):
    server.broken.add(CIFAR)
    with pytest.raises(OSError, match=rf"(?s){CIFAR} cannot be fetched\..*(IncompleteRead|broken)"):
        fetched("cifar10")
    assert names(tmp_path) == set()
    server.broken.clear()
    assert len(fetched("cifar10").X_train) == 15


def test_without_a_connection(server, fetched):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    images = rf"http://127\.0\.0\.1:{port}/train-images-idx3-ubyte\.gz"
    with pytest.raises(OSError, match=f"(?s)Without a connection, put the official file into .*\n- {images}: "):
        fetched("mnist", mirror=f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_mirror(server, fetched, monkeypatch, ending):
    sums = _fetching.SOURCES["cifar10"].files
    monkeypatch.setitem(_fetching.SOURCES, "cifar10", _fetching.Source(("http://127.0.0.1:9/",), sums))
    assert len(fetched("cifar10", mirror=server.address + ending).X_train) == 15


def test_the_next_address_is_asked(server, fetched, monkeypatch):
    addresses, sums = (f"{server.address}/gone/", f"{server.address}/"), _fetching.SOURCES["cifar10"].files
    monkeypatch.setitem(_fetching.SOURCES, "cifar10", _fetching.Source(addresses, sums))
    assert len(fetched("cifar10").X_train) == 15
    assert server.asked == [f"gone/{CIFAR}", CIFAR]


def test_what_fails_is_tried_again(server, fetched, monkeypatch):
    waited = []
    monkeypatch.setattr(pooch.core.time, "sleep", lambda seconds: (waited.append(seconds), server.broken.clear()))
    server.broken.add(CIFAR)
    assert len(fetched("cifar10", retries=1).X_train) == 15
    assert server.asked == [CIFAR, CIFAR]
    assert len(waited) == 1


def test_the_cache_of_the_system(server, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    datasets.fetch("cifar10", retries=0)
    assert names(tmp_path) == {f"fastclf/cifar10/{CIFAR}"}


def test_folders_come_first(server, tmp_path, monkeypatch, pictures):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert datasets.load_or_fetch("mnist").shape == (5, 4)
    server.asked.clear()
    (tmp_path / "mnist").mkdir()
    with pytest.raises(ValueError, match="mnist: neither CIFAR-10"):
        datasets.load_or_fetch("mnist")
    assert server.asked == []


def test_a_name_of_neither_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"cifar-10: no such directory, and none of the data sets cifar10, mnist"):
        datasets.load_or_fetch(tmp_path / "cifar-10")


def test_a_file_is_no_folder(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").write_bytes(b"")
    with pytest.raises(ValueError, match="mnist: is no directory"):
        datasets.load_or_fetch("mnist")
    assert server.asked == []


def test_parameters_are_passed_on(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sums = _fetching.SOURCES["cifar10"].files
    monkeypatch.setitem(_fetching.SOURCES, "cifar10", _fetching.Source(("http://127.0.0.1:9/",), sums))
    cache = tmp_path / "kept"
    datasets.load_or_fetch("cifar10", cache=cache, mirror=server.address, retries=0)
    assert names(cache) == {f"cifar10/{CIFAR}"}
    with pytest.raises(ValueError, match="retries must be at least 0, got -1"):
        datasets.load_or_fetch("cifar10", cache=cache, retries=-1)


@pytest.fixture
def log():
    """What pooch's logger has written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    pooch.get_logger().addHandler(handler)
    yield stream
    pooch.get_logger().removeHandler(handler)


@pytest.mark.parametrize("verbose", [0, 1])
def test_pooch_is_quiet_unless_asked(server, fetched, log, verbose):
    fetched("mnist", verbose=verbose)
    assert ("Downloading" in log.getvalue()) == bool(verbose)
    assert (log.getvalue() == "") == (not verbose)


def test_pooch_is_as_before(server, fetched, log):
    fetched("mnist")
    pooch.get_logger().info("more")
    assert log.getvalue() == "more\n"


def main(monkeypatch, *arguments):
    """Run the main job in this process, whose table leads to the server; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["fastclf", *arguments])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("fastclf", run_name="__main__")
    return stopped.value.code


def test_the_main_job_fetches(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert main(monkeypatch, "--data", "mnist", "--k", "1", "--folds", "2", "--penalties", "1") == 0
    assert "mnist: 30 training and 12 test rows of 20 bytes" in capsys.readouterr().out
    assert set(server.asked) == set(_fetching.SOURCES["mnist"].files)


def test_the_main_job_without_pooch(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.chdir(tmp_path)
    assert main(monkeypatch, "--data", "mnist") == 2
    assert "pip install fastclf[data]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("cifar", {}, ValueError, r"name must be one of \['cifar10', 'mnist'\], got 'cifar'"),
        (7, {}, TypeError, "name must be a string, got int"),
        ("mnist", {"mirror": "ftp://x"}, ValueError, "mirror must be an address that begins with .*, got 'ftp://x'"),
        ("mnist", {"mirror": "http://"}, ValueError, "mirror must be an address that .* has a host, got 'http://'"),
        ("mnist", {"mirror": b"http://x"}, TypeError, "mirror must be a string, got bytes"),
        ("mnist", {"retries": -1}, ValueError, "retries must be at least 0, got -1"),
    ],
)
def test_bad_parameters(fetched, name, options, error, message):
    with pytest.raises(error, match=message):
        fetched(name, **options)


def test_without_pooch(fetched, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install fastclf\[data\]"):
        fetched("mnist")


@pytest.mark.parametrize("file", ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_checksums_are_those_of_the_official_files(data_file, file):
    content = data_file(f"mnist/{file}").read_bytes()
    assert _fetching.SOURCES["mnist"].files[file] == hashlib.sha256(content).hexdigest()
