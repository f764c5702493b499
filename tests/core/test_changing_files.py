"""Files that cannot be opened, or that others change while they are read or mapped into memory."""

from __future__ import annotations

import os
import signal
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest

from fastclf import KNN, datasets
from fastclf._shared import files
from fastclf.window import read_tagged, read_vectors

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
N_PICTURES = 300_000  # so that they are read in several parts


def read_pictures(path):
    return datasets.load(path.parent)


def pictures(folder):
    """Write pictures; the file that has them."""
    folder.mkdir()
    (folder / IMAGES).write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", N_PICTURES, 2, 2) + bytes(4 * N_PICTURES))
    (folder / LABELS).write_bytes(
        bytes([0, 0, 8, 1]) + struct.pack(">I", N_PICTURES) + bytes([0, 1] * (N_PICTURES // 2))
    )
    return folder / IMAGES


def lines(folder):
    """Write lines, as vectors and tagged words; their file. They are long, so that few of them are several parts."""
    folder.mkdir()
    (folder / "lines").write_text("".join(f"{'w' * 100}{i} {i}\n" for i in range(8000)))
    return folder / "lines"


READERS = {"pictures": (pictures, read_pictures), "vectors": (lines, read_vectors), "tagged": (lines, read_tagged)}


@pytest.mark.parametrize("reader", READERS)
def test_a_link_to_itself(tmp_path, reader):
    make, read = READERS[reader]
    path = make(tmp_path / "a")
    path.unlink()
    path.symlink_to(path)
    with pytest.raises((OSError, ValueError), match=r"Too many levels of symbolic links|neither CIFAR-10's"):
        read(path)


def read_without_rights(reader, path):
    """What reading raises in a process that may read no file of others."""
    read_of = READERS[reader][1]
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        return repr(read_of(Path(path)))
    except (ValueError, OSError) as error:
        return str(error)


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_may_not_be_read(forks, reader):
    with tempfile.TemporaryDirectory() as folder:
        path = READERS[reader][0](Path(folder, "a"))
        for place in (Path(folder), *Path(folder).rglob("*")):
            place.chmod(0o755)
        assert "Permission denied" not in forks.result(read_without_rights, reader, str(path))
        path.chmod(0)
        assert "Permission denied" in forks.result(read_without_rights, reader, str(path))


def pipe_instead(path):
    path.unlink()
    os.mkfifo(path)


def folder_instead(path):
    path.unlink()
    path.mkdir()


def device_instead(path):
    path.unlink()
    path.symlink_to("/dev/zero")


INSTEAD = {f.__name__: f for f in (pipe_instead, folder_instead, device_instead)}


def outcome(read, path):
    try:
        return ["returned", repr(read(path))[:200]]
    except (ValueError, OSError) as error:
        return ["raised", str(error)]


def read_what_has_been_replaced(reader, path, instead):
    """What becomes of a read where something else comes in a file's place, after it was looked at."""
    path, look = Path(path), files._refuse_irregular

    def look_and_replace(at, found):
        look(at, found)
        if at == path and path.is_file():
            INSTEAD[instead](path)

    files._refuse_irregular = look_and_replace
    return outcome(READERS[reader][1], path)


@pytest.mark.parametrize(
    ("instead", "told"),
    [("pipe_instead", "is a named pipe"), ("folder_instead", "Is a directory"), ("device_instead", "is a device")],
)
@pytest.mark.parametrize("reader", READERS)
def test_what_comes_in_a_files_place_is_looked_at_again(forks, tmp_path, reader, instead, told):
    """In a process that may hang: to open a pipe waits for someone to write to it."""
    path = READERS[reader][0](tmp_path / "a")
    kind, text = forks.result(read_what_has_been_replaced, reader, str(path), instead)
    assert kind == "raised"
    assert told in text


def cut(path):
    os.truncate(path, 1000)


def lengthen(path):
    with path.open("ab") as file:
        file.write(b"x 1\n" * 1000)


def overwrite(path):
    path.write_bytes(bytes(path.stat().st_size))


def after_the_first_part(monkeypatch, path, change):
    """Change a file once something has been read of it."""
    read = files.Content.read

    def read_and_change(self, size):
        part = read(self, size)
        if self.path == path and change:
            change.pop()(path)
        return part

    change = [change]
    monkeypatch.setattr(files.Content, "read", read_and_change)


@pytest.mark.parametrize("change", [cut, lengthen])
def test_pictures_whose_number_changes_are_refused(tmp_path, monkeypatch, change):
    path = pictures(tmp_path / "a")
    after_the_first_part(monkeypatch, path, change)
    with pytest.raises(ValueError, match=rf"{IMAGES}: truncated or too long"):
        read_pictures(path)


def test_pictures_that_are_overwritten_are_read_to_their_end(tmp_path, monkeypatch):
    path = pictures(tmp_path / "a")
    after_the_first_part(monkeypatch, path, overwrite)
    assert len(read_pictures(path).X_train) == N_PICTURES * 4 // 5


@pytest.mark.parametrize("change", [cut, lengthen, overwrite])
@pytest.mark.parametrize("reader", ["vectors", "tagged"])
def test_lines_that_change_are_read_or_refused(tmp_path, monkeypatch, reader, change):
    path = lines(tmp_path / "a")
    after_the_first_part(monkeypatch, path, change)
    kind, text = outcome(READERS[reader][1], path)
    assert kind == "raised" or "www0" in text
    assert kind == "returned" or f"{path}, line " in text


def answers_of_a_mapped_file(path, call):
    """Make a model, or search, with rows of a file that others make shorter after."""
    rows = np.random.default_rng(0).random((20_000, 8))
    rows.tofile(path)
    mapped = np.memmap(path, rows.dtype, "r", 0, rows.shape)
    model = KNN(1, copy=call == "copied").fit(mapped, np.arange(len(rows)))
    os.truncate(path, 0)
    return model.predict(rows[-50:]).tolist()


def test_a_model_that_copies_its_rows_outlives_their_file(forks, tmp_path):
    found = forks.result(answers_of_a_mapped_file, str(tmp_path / "rows"), "copied")
    assert found == list(range(19_950, 20_000))


def test_a_model_that_does_not_copy_them_ends_with_the_file(forks, tmp_path):
    """As SECURITY.md says: it is the system that ends the process."""
    with pytest.raises(AssertionError, match=f"exit status {-signal.SIGBUS}"):
        forks.result(answers_of_a_mapped_file, str(tmp_path / "rows"), "not copied")


def test_a_file_that_is_too_short_is_not_mapped(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(bytes(100))
    with pytest.raises(ValueError, match="mmap length is greater than file size"):
        np.memmap(path, np.float64, "r", 0, (20_000, 8))
