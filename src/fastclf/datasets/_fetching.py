"""Official files of CIFAR-10 and MNIST: brought from the net once, compared with their checksums, kept in a cache."""

from __future__ import annotations

import logging
import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastclf._shared import validation as check
from fastclf.datasets._pictures import Dataset
from fastclf.datasets._reading import load

_INSTALL = "pip install fastclf[data]"
_ARCHIVE = ".tar.gz"


@dataclass(frozen=True)
class Source:
    """Where the files of a data set are, tried in this order; and the SHA-256 of each."""

    addresses: tuple[str, ...]
    files: dict[str, str]


# CIFAR-10's page, https://www.cs.toronto.edu/~kriz/cifar.html, gives the archive's MD5,
# c32a1d4ab5d03f1284b67883e8d87530; the SHA-256 is that of the file with this MD5. MNIST's own page gives no checksums
# and is closed; these are of the files that its mirrors have, and that packages of many languages agree on.
SOURCES = {
    "cifar10": Source(
        ("https://www.cs.toronto.edu/~kriz/",),
        {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ),
    "mnist": Source(
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        {
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
}


def fetch(
    name: str,
    *,
    cache: str | os.PathLike[str] | None = None,
    mirror: str | None = None,
    retries: int = 2,
    verbose: int = 0,
) -> Dataset:
    """Bring a data set from the net, or from the cache where it has been brought before.

    Parameters
    ----------
    name : {"cifar10", "mnist"}
        CIFAR-10, 60 000 pictures of 32 x 32 with colours (a file of 170 MB), or MNIST, 70 000 digits of 28 x 28 (four
        files, 12 MB).
    cache : str or path-like, optional
        The folder in which files are kept, each data set in a folder of its name. By default ``fastclf`` in the folder
        that the system has for caches, as `pooch.os_cache` says.
    mirror : str, optional
        The address of a folder, such as ``"https://mirror.example/mnist/"``, that has the official files under their
        official names. By default the authors' own, or mirrors known to be kept.
    retries : int, default=2
        How often what fails is tried again at each address, after a second or two.
    verbose : int, default=0
        Whether to tell of downloads, and, with tqdm, to show how far they have come.

    Returns
    -------
    Dataset
        The pictures, as `load` reads them.

    Raises
    ------
    ValueError
        If there is no data set of this name, or a parameter is not as described.
    TypeError
        If a parameter is of another type.
    OSError
        If a file cannot be brought, or is not the official one; the message says what each address answered, and where
        to put the file without a connection. Or if the cache cannot be written to.
    ImportError
        If pooch is not installed (``pip install fastclf[data]``).

    Notes
    -----
    Each call compares the files with the SHA-256 of the official ones, those in the cache, too, and brings again what
    differs. A file is in the cache under its name only when it is whole. CIFAR-10's archive is unpacked for each call
    into a folder of 180 MB beside it, which is removed again, so that nothing is read that was not compared.

    Examples
    --------
    >>> from fastclf.datasets import fetch
    >>> data = fetch("mnist")  # doctest: +SKIP
    >>> data.X_train.shape  # doctest: +SKIP
    (60000, 784)
    """
    source = _source(name)
    addresses = source.addresses if mirror is None else (_address(mirror),)
    attempts = check.at_least(retries, 0, "retries")
    pooch = _pooch()
    folder = Path(pooch.os_cache("fastclf") if cache is None else os.fspath(cache)).expanduser() / name
    with nullcontext() if verbose else _quiet(pooch.get_logger()):
        for file in source.files:
            _bring(pooch, file, source.files[file], folder, addresses, attempts, bool(verbose))
    archives = [folder / file for file in source.files if file.endswith(_ARCHIVE)]
    return _load_unpacked(archives[0]) if archives else load(folder)


def load_or_fetch(
    where: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    mirror: str | None = None,
    retries: int = 2,
    verbose: int = 0,
) -> Dataset:
    """Load the pictures of a directory; or, where there is none of this name, fetch the data set that has it.

    Parameters
    ----------
    where : str or path-like
        A directory, as `load` takes it, or a name, as `fetch` takes it.
    cache : str or path-like, optional
        Where files are kept, as `fetch` has it.
    mirror : str, optional
        Where else the files are, as `fetch` has it.
    retries : int, default=2
        How often what fails is tried again, as `fetch` has it.
    verbose : int, default=0
        Whether to show how far a download has come.

    Returns
    -------
    Dataset
        The pictures.

    Raises
    ------
    ValueError
        If there is neither, or a file that is no directory has this name; if the directory's files are not as `load`
        takes them, or a parameter is not as `fetch` takes it.
    TypeError
        If a parameter is of another type.
    OSError
        If the data set cannot be fetched.
    ImportError
        If the data set is to be fetched and pooch is not installed.

    Examples
    --------
    >>> from fastclf.datasets import load_or_fetch
    >>> load_or_fetch("nowhere")
    Traceback (most recent call last):
    ...
    ValueError: nowhere: no such directory, and none of the data sets cifar10, mnist
    """
    name, path = os.fspath(where), Path(where)
    if path.is_dir():
        return load(path)
    if path.exists():
        raise ValueError(f"{name}: is no directory")
    if name not in SOURCES:
        raise ValueError(f"{name}: no such directory, and none of the data sets {', '.join(SOURCES)}")
    return fetch(name, cache=cache, mirror=mirror, retries=retries, verbose=verbose)


def _source(name: str) -> Source:
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    if name not in SOURCES:
        raise ValueError(f"name must be one of {sorted(SOURCES)}, got {name!r}")
    return SOURCES[name]


def _address(mirror: str) -> str:
    """Check the address of a folder; return it with a slash at its end."""
    if not isinstance(mirror, str):
        raise TypeError(f"mirror must be a string, got {type(mirror).__name__}")
    parts = urlsplit(mirror)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"mirror must be an address that begins with http:// or https:// and has a host, got {mirror!r}"
        )
    return mirror.rstrip("/") + "/"


def _pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise ImportError(f"fetching data needs pooch, which cannot be imported ({error}): {_INSTALL}") from error
    return pooch


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Let a logger tell of warnings only; by a filter of this call's own, as other threads may fetch meanwhile."""

    def is_warning(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING

    logger.addFilter(is_warning)
    try:
        yield
    finally:
        logger.removeFilter(is_warning)


def _bring(
    pooch: Any, file: str, sha256: str, folder: Path, addresses: Sequence[str], retries: int, shows: bool
) -> None:
    """Have a file in the folder, from the first address that has it."""
    from requests import RequestException

    # As they are: of a packed file, requests would unpack what a server calls packed for the way.
    downloader = pooch.HTTPDownloader(
        progressbar=shows and find_spec("tqdm") is not None, headers={"Accept-Encoding": "identity"}
    )
    refusals = []
    for address in addresses:
        store = pooch.create(folder, address, registry={file: sha256}, retry_if_failed=retries)
        try:
            store.fetch(file, downloader=downloader)
        except (RequestException, ValueError) as error:  # ValueError: another file than the official one
            refusals.append(f"- {address}{file}: {error}")
        else:
            return
    raise OSError(
        f"{file} cannot be fetched. Without a connection, put the official file into {folder}; mirror= names another "
        "place that has it. What was tried:\n" + "\n".join(refusals)
    )


def _load_unpacked(archive: Path) -> Dataset:
    """Load the files of an archive, whatever folders it has them in."""
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix="unpacked-") as folder:
        with tarfile.open(archive) as packed:
            for member in packed:
                if content := packed.extractfile(member):  # None: no file
                    (Path(folder) / Path(member.name).name).write_bytes(content.read())
        return load(folder)
