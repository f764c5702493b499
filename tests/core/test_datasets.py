"""Loading pictures: both layouts as written here byte by byte, and what broken files get."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fastclf import datasets

NAMES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar_records(rng, n):
    records = rng.integers(0, 256, (n, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(n) % 10
    return records


def write_idx(file, array, magic=None):
    header = magic or bytes([0, 0, 8, array.ndim])
    content = header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


def write_split(folder, split, images, labels, ending=""):
    write_idx(folder / f"{split}-images-idx3-ubyte{ending}", images)
    write_idx(folder / f"{split}-labels-idx1-ubyte{ending}", labels)


@pytest.fixture
def cifar(tmp_path, rng):
    """A folder with two batches of training records and one of test records."""
    parts = {"data_batch_1": 20, "data_batch_2": 30, "test_batch": 10}
    records = {name: cifar_records(rng, n) for name, n in parts.items()}
    for name, part in records.items():
        part.tofile(tmp_path / f"{name}.bin")
    return tmp_path, records


@pytest.fixture
def idx(tmp_path, rng):
    """A folder with both splits of IDX files: pictures of 5 x 4."""
    arrays = {}
    for split, n in (("train", 30), ("t10k", 12)):
        arrays[split] = rng.integers(0, 256, (n, 5, 4), dtype=np.uint8), np.arange(n, dtype=np.uint8) % 3
    for split, (images, labels) in arrays.items():
        write_split(tmp_path, split, images, labels)
    return tmp_path, arrays


@pytest.mark.parametrize("nested", [False, True])
def test_cifar_layout(cifar, tmp_path, nested):
    folder, records = cifar
    if nested:
        folder = tmp_path / "outer"
        shutil.copytree(tmp_path, folder / "cifar-10-batches-bin", ignore=shutil.ignore_patterns("outer"))
    data = datasets.load(folder)
    train = np.concatenate([records["data_batch_1"], records["data_batch_2"]])
    np.testing.assert_array_equal(data.X_train, train[:, 1:])
    np.testing.assert_array_equal(data.y_train, train[:, 0])
    np.testing.assert_array_equal(data.X_test, records["test_batch"][:, 1:])
    np.testing.assert_array_equal(data.y_test, records["test_batch"][:, 0])
    assert data.shape == (32, 32, 3)
    assert data.class_names == tuple("0123456789")


def test_cifar_pictures_have_their_colours_last(cifar):
    data = datasets.load(str(cifar[0]))
    pictures = data.pictures(data.X_test)
    assert pictures.shape == (10, 32, 32, 3)
    for colour, row, column in ((0, 0, 0), (1, 2, 3), (2, 31, 30)):
        assert pictures[4, row, column, colour] == data.X_test[4, 1024 * colour + 32 * row + column]


def test_cifar_class_names(cifar):
    (cifar[0] / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    assert datasets.load(cifar[0]).class_names == NAMES


@pytest.mark.parametrize("endings", [("", ""), (".gz", ".gz"), ("", ".gz")])
def test_idx_layout(tmp_path, idx, endings):
    folder, arrays = idx
    for file in folder.iterdir():
        file.unlink()
    for ending, (split, (images, labels)) in zip(endings, arrays.items(), strict=True):
        write_split(folder, split, images, labels, ending)
    data = datasets.load(folder)
    np.testing.assert_array_equal(data.X_train, arrays["train"][0].reshape(30, 20))
    np.testing.assert_array_equal(data.y_train, arrays["train"][1])
    np.testing.assert_array_equal(data.pictures(data.X_test), arrays["t10k"][0])
    np.testing.assert_array_equal(data.y_test, arrays["t10k"][1])
    assert data.shape == (5, 4)
    assert data.class_names == ("0", "1", "2")


@pytest.mark.parametrize("split", ["train", "t10k"])
def test_one_idx_split_is_divided(tmp_path, rng, split):
    images = rng.permutation(50 * 6).reshape(50, 2, 3).astype(np.uint8)
    labels = np.repeat(np.array([0, 1], dtype=np.uint8), [30, 20])
    write_split(tmp_path, split, images, labels)
    data, again = datasets.load(tmp_path), datasets.load(tmp_path)
    assert np.bincount(data.y_train).tolist() == [24, 16]
    assert np.bincount(data.y_test).tolist() == [6, 4]
    rows = np.column_stack([np.vstack([data.X_train, data.X_test]), np.concatenate([data.y_train, data.y_test])])
    expected = np.column_stack([images.reshape(50, 6), labels])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected))
    np.testing.assert_array_equal(data.X_test, again.X_test)


def test_digits_are_scikit_learns():
    data = datasets.digits()
    X, y = load_digits(return_X_y=True)
    rows = np.column_stack([np.vstack([data.X_train, data.X_test]), np.concatenate([data.y_train, data.y_test])])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, np.column_stack([X, y]).astype(int).tolist()))
    assert len(data.y_test) == 360
    counts = np.bincount(y)
    assert np.all(np.abs(np.bincount(data.y_test) - counts / 5) < 1)
    np.testing.assert_array_equal(data.X_test, datasets.digits().X_test)


def test_datasets_are_uint8_and_frozen():
    data = datasets.digits()
    assert {a.dtype for a in (data.X_train, data.y_train, data.X_test, data.y_test)} == {np.dtype(np.uint8)}
    with pytest.raises(FrozenInstanceError):
        data.shape = (4, 16)


def cut(n):
    return lambda file: file.write_bytes(file.read_bytes()[:n])


def grow(file):
    file.write_bytes(file.read_bytes() + b"\0")


def remove(file):
    file.unlink()


def mislabel(file):
    content = bytearray(file.read_bytes())
    content[3 * 3073] = 10
    file.write_bytes(content)


BROKEN_CIFAR = [
    ("data_batch_2.bin", cut(5000), "5000 bytes are not a whole number of records of 3073"),
    ("data_batch_1.bin", cut(0), "0 bytes"),
    ("test_batch.bin", grow, "30731 bytes"),
    ("test_batch.bin", remove, "missing"),
    ("data_batch_1.bin", remove, "missing"),
    ("data_batch_2.bin", mislabel, "record 3 has label 10, expected 0 to 9"),
    ("batches.meta.txt", lambda file: file.write_text("one\ntwo\n"), "expected 10 class names, one a line, found 2"),
]


@pytest.mark.parametrize(("name", "breakage", "message"), BROKEN_CIFAR)
def test_broken_cifar_files_are_named(cifar, name, breakage, message):
    folder, _ = cifar
    breakage(folder / name)
    with pytest.raises(ValueError, match=message) as error:
        datasets.load(folder)
    assert str(folder / name) in str(error.value)


def test_cifar_without_training_batches(cifar):
    for file in cifar[0].glob("data_batch_*"):
        file.unlink()
    with pytest.raises(ValueError, match=r"data_batch_1\.bin: missing"):
        datasets.load(cifar[0])


IMAGES, LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def rewrite(array, magic=None):
    return lambda file: write_idx(file, array.astype(np.uint8), magic)


BROKEN_IDX = [
    (IMAGES, cut(100), "84 bytes of data for the shape"),
    (IMAGES, cut(10), "truncated: 10 bytes, less than a header of 16"),
    (IMAGES, cut(0), "truncated: 0 bytes"),
    (IMAGES, grow, r"at least 601 bytes of data for the shape \(30, 5, 4\)"),
    (IMAGES, remove, "missing"),
    (IMAGES, rewrite(np.zeros((30, 5, 4)), bytes([0, 0, 9, 3])), "wrong magic number 00000903"),
    (IMAGES, rewrite(np.zeros((0, 5, 4))), "0 pictures, but 30 labels"),
    (IMAGES, rewrite(np.zeros((30, 0, 4))), "no pictures"),
    (LABELS, rewrite(np.zeros((12, 1, 1))), "wrong magic number 00000803, expected 00000801"),
    (LABELS, rewrite(np.zeros(11)), "12 pictures, but 11 labels"),
    (LABELS, remove, "missing"),
]


@pytest.mark.parametrize(("name", "breakage", "message"), BROKEN_IDX)
def test_broken_idx_files_are_named(idx, name, breakage, message):
    folder, _ = idx
    breakage(folder / name)
    with pytest.raises(ValueError, match=message) as error:
        datasets.load(folder)
    assert str(folder / name) in str(error.value)


def unpacked(file):
    return gzip.decompress(file.read_bytes())


BROKEN_GZIP = [
    (cut(20), "cannot be read: Compressed file ended before the end-of-stream marker"),
    (cut(1), "truncated: 1 bytes"),
    (lambda file: file.write_bytes(b"plain text, not packed"), "wrong magic number 706c6169"),
    (lambda file: file.write_bytes(file.read_bytes()[:-8] + bytes(8)), "cannot be read: CRC check failed"),
    (lambda file: file.write_bytes(bz2.compress(unpacked(file))[:-9]), "cannot be read: Compressed file ended before"),
    (lambda file: file.write_bytes(bz2.compress(unpacked(file))[:-9] + bytes(9)), "cannot be read: Invalid data"),
    (lambda file: file.write_bytes(lzma.compress(unpacked(file))), "packed by xz, which is not read; unpack it first"),
]


@pytest.mark.parametrize(("breakage", "message"), BROKEN_GZIP)
def test_broken_packed_files_are_named(tmp_path, breakage, message):
    write_split(tmp_path, "train", np.zeros((9, 2, 2), np.uint8), np.zeros(9, np.uint8), ".gz")
    file = tmp_path / f"{IMAGES}.gz"
    breakage(file)
    with pytest.raises(ValueError, match=message) as error:
        datasets.load(tmp_path)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_content_tells_what_is_packed(idx, pack):
    folder, arrays = idx
    labels = folder / LABELS
    labels.rename(folder / f"{LABELS}.gz")  # as browsers save files that they have unpacked
    images = folder / IMAGES
    images.write_bytes(pack(images.read_bytes()))
    data = datasets.load(folder)
    np.testing.assert_array_equal(data.X_train, arrays["train"][0].reshape(30, 20))
    np.testing.assert_array_equal(data.y_test, arrays["t10k"][1])


def test_packed_cifar_files_are_refused(cifar):
    file = cifar[0] / "data_batch_2.bin"
    file.write_bytes(gzip.compress(file.read_bytes()))
    with pytest.raises(ValueError, match=r"data_batch_2\.bin: is packed; unpack it first"):
        datasets.load(cifar[0])


@pytest.mark.parametrize("shape", [(2**32 - 1, 2**32 - 1, 0), (0, 2**32 - 1, 2**32 - 1)])
def test_shapes_that_no_array_has(idx, shape):
    file = idx[0] / IMAGES
    file.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", *shape))
    with pytest.raises(ValueError, match=IMAGES):
        datasets.load(idx[0])


@pytest.mark.parametrize("layout", ["idx", "cifar"])
def test_loaded_rows_can_be_written_to(request, layout):
    data = datasets.load(request.getfixturevalue(layout)[0])
    for a in (data.X_train, data.y_train, data.X_test, data.y_test):
        a += 1


def test_idx_splits_of_different_shapes(idx):
    folder, _ = idx
    write_split(folder, "t10k", np.zeros((4, 5, 5), np.uint8), np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match=r"shape \(5, 4\) for training, but \(5, 5\)"):
        datasets.load(folder)


def test_one_idx_split_too_small_to_divide(tmp_path):
    write_split(tmp_path, "train", np.zeros((3, 2, 2), np.uint8), np.arange(3, dtype=np.uint8))
    with pytest.raises(ValueError, match="has only the train files, which cannot be split"):
        datasets.load(tmp_path)


@pytest.mark.parametrize(("name", "message"), [("", "neither CIFAR-10"), ("absent", "no such directory")])
def test_directories_without_data(tmp_path, name, message):
    with pytest.raises(ValueError, match=message) as error:
        datasets.load(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
