"""Readers of files with one word a line: tagged sentences, and word vectors."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastclf import _progress

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]+)*:")  # WikiANN's files have it before each word
_CHUNK = re.compile(r"^[BIESLU]-(?=.)")
_MARK = "\ufeff"  # that some programs begin files with


def read_tagged(
    path: str | os.PathLike[str], *, chunks: bool = False, encoding: str = "utf-8"
) -> tuple[list[list[str]], list[list[str]]]:
    r"""Read sentences with a word and its tag on each line, and empty lines between sentences.

    Both the layout of CoNLL's files (columns between spaces or tabs, of which the first is the word and the last the
    tag; lines with ``-DOCSTART-`` are left out) and WikiANN's (``en:word``, a tab, and the tag) are read.

    Parameters
    ----------
    path : str or path-like
        The file.
    chunks : bool, default=False
        Whether to keep the prefixes of tags, such as ``B-`` and ``I-``, which tell where names begin and end.
    encoding : str, default="utf-8"
        Of the file.

    Returns
    -------
    sentences : list of list of str
        Words.
    tags : list of list of str
        Their tags.

    Raises
    ------
    ValueError
        If a line has a word without a tag or a tag without a word, or the file no words; the message names the line.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from fastclf.window import read_tagged
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "names.txt"
    ...     _ = file.write_text("Marie B-PER\nCurie I-PER\nsmiled O\n\nParis B-LOC\n")
    ...     read_tagged(file)
    ([['Marie', 'Curie', 'smiled'], ['Paris']], [['PER', 'PER', 'O'], ['LOC']])
    """
    sentences: list[list[str]] = [[]]
    tags: list[list[str]] = [[]]
    for number, line in enumerate(_lines(path, encoding), 1):
        columns = [column.strip(" ") for column in line.split("\t")]
        if len(columns) == 1:
            columns = line.split()
        if not any(columns) or columns[0] == "-DOCSTART-":
            if sentences[-1]:
                sentences.append([])
                tags.append([])
            continue
        if len(columns) < 2 or not (columns[0] and columns[-1]):
            raise ValueError(f"{os.fspath(path)}, line {number}: {line!r} has no word or no tag")
        sentences[-1].append(columns[0])
        tags[-1].append(columns[-1] if chunks else _CHUNK.sub("", columns[-1]))
    if not sentences[-1]:
        del sentences[-1], tags[-1]
    if not sentences:
        raise ValueError(f"{os.fspath(path)} has no words")
    return _without_language(sentences), tags


def _without_language(sentences: list[list[str]]) -> list[list[str]]:
    """Cut the language off, if all words begin with one."""
    if not all(_LANGUAGE.match(word) for words in sentences for word in words):
        return sentences
    return [[_LANGUAGE.sub("", word, count=1) for word in words] for words in sentences]


def read_vectors(
    path: str | os.PathLike[str], words: Collection[str] | None = None, *, encoding: str = "utf-8", verbose: int = 0
) -> tuple[list[str], NDArray[np.float32]]:
    r"""Read word vectors from a text file such as GloVe's: on each line a word and its values, between spaces.

    Parameters
    ----------
    path : str or path-like
        The file; a first line of two whole numbers, how many words and values there are, as word2vec and fastText
        write it, is read as such.
    words : collection of str, optional
        Words to read; by default all there are. What is not in the file is not in the result.
    encoding : str, default="utf-8"
        Of the file.
    verbose : int, default=0
        Whether to tell on stderr how far reading is.

    Returns
    -------
    words : list of str
        In the order of the file; of a word that comes twice, the first.
    vectors : ndarray of shape (n_words, dim), float32
        Their vectors.

    Raises
    ------
    ValueError
        If a line has fewer values than the first (where one has more, its last values are the vector and the rest is a
        word with spaces); if a vector that was asked for has a value that is no finite number; the message names the
        line. If there are no vectors.
    TypeError
        If `words` is a str.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from fastclf.window import read_vectors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "vectors.txt"
    ...     _ = file.write_text("the 0.5 -1\nof 0.25 2\n")
    ...     words, vectors = read_vectors(file)
    >>> words, vectors.shape
    (['the', 'of'], (2, 2))
    """
    if isinstance(words, str):
        raise TypeError(f"words must be a collection of str, got {words!r}")
    wanted = None if words is None else frozenset(words)
    rows: dict[str, NDArray[np.float32]] = {}
    dim = 0
    with _progress.amount("word vectors", verbose, os.path.getsize(path)) as tell:
        for number, line in enumerate(_lines(path, encoding), 1):
            tell(len(line.encode()) + 1)
            values = line.strip(" \t").split(" ")
            if number == 1 and len(values) == 2 and all(value.isdecimal() for value in values):
                dim = int(values[1])
                continue
            if not any(values):
                continue
            dim = dim or len(values) - 1
            if len(values) <= dim or dim == 0:
                raise ValueError(f"{os.fspath(path)}, line {number}: {len(values) - 1} values of {dim or 'at least 1'}")
            word = " ".join(values[:-dim])
            if word not in rows and (wanted is None or word in wanted):
                rows[word] = _row(values[-dim:], f"{os.fspath(path)}, line {number}")
    if not rows:
        raise ValueError(f"{os.fspath(path)} has no vectors" + ("" if wanted is None else " of the words asked for"))
    return list(rows), np.stack(list(rows.values()))


def _row(values: list[str], place: str) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            row = np.array([float(value) for value in values]).astype(np.float32)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    if not np.isfinite(row).all():
        raise ValueError(f"{place}: values must be finite in float32, got {values[np.isfinite(row).argmin()]}")
    return row


def _lines(path: str | os.PathLike[str], encoding: str) -> Iterator[str]:
    r"""Yield lines that end with \n or \r\n: words may hold what Unicode takes for a line's end."""
    with Path(path).open(encoding=encoding, newline="\n") as file:
        for number, line in enumerate(file):
            yield (line if number else line.removeprefix(_MARK)).removesuffix("\n").removesuffix("\r")
