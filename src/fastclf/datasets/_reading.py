"""Readers of the CIFAR-10 binary layout and of MNIST-style IDX files."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fastclf._shared import files
from fastclf.datasets._pictures import Bytes, Dataset, split

_CIFAR_FOLDER = "cifar-10-batches-bin"
_CIFAR_SHAPE = (32, 32, 3)
_CIFAR_CLASSES = 10
_LONGEST_NAMES = 1 << 16  # bytes of the file with the classes' names

# An IDX header: two zero bytes, the type of the values, the number of dimensions; then each dimension in four bytes.
_IDX_UNSIGNED_BYTE = 8
_IDX_SPLITS = ("train", "t10k")
_IDX_DIMENSIONS = {"images": 3, "labels": 1}


def load(directory: str | os.PathLike[str]) -> Dataset:
    """Load the pictures of a directory, whichever of the two layouts it has.

    Parameters
    ----------
    directory : str or path-like
        A directory with one of:

        - the binary version of CIFAR-10: ``data_batch_1.bin`` and so on, ``test_batch.bin``, and ``batches.meta.txt``
          if classes have names; here or in a subdirectory ``cifar-10-batches-bin``;
        - IDX files as of MNIST: ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
          and ``t10k-labels-idx1-ubyte``, each as it is or with ``.gz``, and packed by gzip or not, whatever its name.
          Where only one of the two splits is there, a fifth of each of its classes, always the same, is the test set.

    Returns
    -------
    Dataset
        The pictures.

    Raises
    ------
    ValueError
        If the directory has neither layout, or a file is missing, truncated, no regular file or not what its name says;
        the message names the file.

    Notes
    -----
    Of an IDX file no more is read, and unpacked, than its header says and one byte; memory is taken as bytes come, not
    as the header says. CIFAR-10's files are read as they are, never unpacked: memory is proportional to their size.

    Examples
    --------
    >>> from fastclf.datasets import load
    >>> data = load("cifar")  # doctest: +SKIP
    >>> data.shape  # doctest: +SKIP
    (32, 32, 3)
    """
    root = Path(directory)
    if not root.is_dir():
        raise ValueError(f"{root}: {'is no directory' if root.exists() else 'no such directory'}")
    for folder in (root / _CIFAR_FOLDER, root):
        if any(folder.glob("data_batch_*.bin")) or (folder / "test_batch.bin").exists():
            return _load_cifar(folder)
    if any(_has_idx(root, split) for split in _IDX_SPLITS):
        return _load_idx(root)
    raise ValueError(
        f"{root}: neither CIFAR-10's binary files (data_batch_1.bin, ..., test_batch.bin) nor IDX files "
        "(train-images-idx3-ubyte, train-labels-idx1-ubyte, ...; plain or .gz) are there"
    )


def _load_cifar(folder: Path) -> Dataset:
    names = _cifar_names(folder / "batches.meta.txt")
    n_batches = max(1, len(list(folder.glob("data_batch_*.bin"))))
    batches = [_cifar_batch(folder / f"data_batch_{i}.bin", len(names)) for i in range(1, n_batches + 1)]
    X_train, y_train = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    X_test, y_test = _cifar_batch(folder / "test_batch.bin", len(names))
    return Dataset(X_train, y_train, X_test, y_test, _CIFAR_SHAPE, names)


def _cifar_names(file: Path) -> tuple[str, ...]:
    if not file.exists():
        return tuple(str(label) for label in range(_CIFAR_CLASSES))
    with _opened(file) as content:
        text = content.take(_LONGEST_NAMES).decode(errors="replace")
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(names) != _CIFAR_CLASSES:
        raise ValueError(f"{file}: expected {_CIFAR_CLASSES} class names, one a line, found {len(names)}")
    return names


def _cifar_batch(file: Path, n_classes: int) -> tuple[Bytes, Bytes]:
    record = 1 + math.prod(_CIFAR_SHAPE)
    with _opened(file) as content:
        if content.is_packed:
            raise ValueError(f"{file}: is packed; unpack it first")
        values = content.take(content.size)
    if len(values) == 0 or len(values) % record:
        raise ValueError(f"{file}: {len(values)} bytes are not a whole number of records of {record} bytes")
    records = np.frombuffer(values, dtype=np.uint8).reshape(-1, record)
    labels = records[:, 0].copy()
    if labels.max() >= n_classes:
        row = int(np.argmax(labels >= n_classes))
        raise ValueError(f"{file}: record {row} has label {labels[row]}, expected 0 to {n_classes - 1}")
    return np.ascontiguousarray(records[:, 1:]), labels


def _load_idx(root: Path) -> Dataset:
    present = [split for split in _IDX_SPLITS if _has_idx(root, split)]
    splits = [_idx_split(root, split) for split in present]
    shapes = [images.shape[1:] for images, _ in splits]
    if shapes[0] != shapes[-1]:
        raise ValueError(f"{root}: pictures of shape {shapes[0]} for training, but {shapes[-1]} for the test")
    names = tuple(str(label) for label in range(1 + max(int(labels.max()) for _, labels in splits)))
    rows = [(images.reshape(len(images), -1), labels) for images, labels in splits]
    if len(rows) == 2:
        return Dataset(*rows[0], *rows[1], shapes[0], names)
    try:
        return split(*rows[0], shapes[0], names)
    except ValueError as error:
        raise ValueError(f"{root}: has only the {present[0]} files, which cannot be split: {error}") from error


def _has_idx(root: Path, split: str) -> bool:
    return any(_idx_file(root, split, part).exists() for part in _IDX_DIMENSIONS)


def _idx_split(root: Path, split: str) -> tuple[Bytes, Bytes]:
    images_file, labels_file = (_idx_file(root, split, part) for part in _IDX_DIMENSIONS)
    images, labels = (_read_idx(_idx_file(root, split, part), ndim) for part, ndim in _IDX_DIMENSIONS.items())
    if len(images) != len(labels):
        raise ValueError(f"{images_file}: {len(images)} pictures, but {len(labels)} labels in {labels_file}")
    if images.size == 0:
        raise ValueError(f"{images_file}: no pictures: its shape is {images.shape}")
    return images, labels


def _idx_file(root: Path, split: str, part: str) -> Path:
    """Find the packed file if it is the one that exists, else name the plain one."""
    plain = root / f"{split}-{part}-idx{_IDX_DIMENSIONS[part]}-ubyte"
    packed = plain.with_name(f"{plain.name}.gz")
    return packed if packed.exists() and not plain.exists() else plain


def _read_idx(file: Path, ndim: int) -> Bytes:
    """Read the bytes of an IDX file with `ndim` dimensions, in their shape."""
    start = 4 + 4 * ndim
    magic = bytes([0, 0, _IDX_UNSIGNED_BYTE, ndim])
    with _opened(file) as content:
        header = content.take(start)
        if len(header) < start:
            raise ValueError(f"{file}: truncated: {len(header)} bytes, less than a header of {start}")
        if header[:4] != magic:
            raise ValueError(
                f"{file}: wrong magic number {header[:4].hex()}, expected {magic.hex()}: bytes in {ndim}-D"
            )
        shape = struct.unpack(f">{ndim}I", header[4:])
        size = math.prod(shape)
        values = content.take(size + 1)
    if len(values) != size:
        found = f"at least {len(values)}" if len(values) > size else len(values)
        raise ValueError(f"{file}: truncated or too long: {found} bytes of data for the shape {shape} of its header")
    try:
        return np.frombuffer(values, dtype=np.uint8).reshape(shape)
    except ValueError as error:  # a dimension is 0, and NumPy does not hold the others
        raise ValueError(f"{file}: {error}") from None


@contextmanager
def _opened(file: Path) -> Iterator[files.Content]:
    """Open a file, which has to be there."""
    try:
        with files.opened(file) as content:
            yield content
    except FileNotFoundError:
        raise ValueError(f"{file}: missing") from None
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error}") from error
