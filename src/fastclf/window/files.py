"""Readers of files with one word a line: tagged sentences, and word vectors."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import progress
from fastclf.window.lines import Numbered, numbered
from fastclf.window.tagged import Tagged

_BLANKS = re.compile(r"[ \t]+")
_HEADER = re.compile(r"([0-9]+)[ \t]+([0-9]+)[ \t]*")  # behind a blank, the word would be one
_MOST_DIGITS = 18  # of a header's numbers
_BELOW_FLOAT32, _MIDDLE = (1 << 29) - 1, 1 << 28  # digits of a float64 that float32 has not; they, in the middle
_FIRST_LINES = 16  # one of them should tell how many values there are
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE)


def read_tagged(
    path: str | os.PathLike[str], *, chunks: bool = False, encoding: str = "utf-8", errors: str = "strict"
) -> tuple[list[list[str]], list[list[str]]]:
    r"""Read sentences with a word and its tag on each line, and empty lines between sentences.

    Both the layout of CoNLL's files (columns between tabs, or else spaces; the first is the word and the last
    the tag; lines with ``-DOCSTART-`` are left out) and WikiANN's (``en:word``, a tab, and the tag) are read. Nothing
    else parts columns: a no-break space belongs to its word. Lines end with ``\n``, ``\r\n`` or ``\r``.

    Parameters
    ----------
    path : str or path-like
        The file: a regular one, plain or packed by gzip or bzip2, whatever its name.
    chunks : bool, default=False
        Whether to keep the prefixes ``B-``, ``I-``, ``E-``, ``S-``, ``L-``, ``U-``, ``M-`` and ``W-`` of tags, which
        tell where names begin and end.
    encoding, errors : str, default="utf-8" and "strict"
        As of `open`: of the file, and what is done with bytes that are no text in it.

    Returns
    -------
    sentences : list of list of str
        Words.
    tags : list of list of str
        Their tags.

    Raises
    ------
    ValueError
        If a line has a word without a tag or a tag without a word, is no text in `encoding` or longer than 4 194 304
        characters, or if more than 1 048 576 blank ones follow one another; the message names the line. If the file has
        no words, is no regular one, is damaged, or unpacks to over 100 times its size and 16 MiB; if `encoding` or
        `errors` are unknown.
    TypeError
        If `encoding` or `errors` are no str.
    OSError
        If the file cannot be read.

    Notes
    -----
    A line that begins with ``#`` is a word like any other if it looks like the lines of words: it has tabs, and none
    of the first column's characters is a space; or as many columns between spaces as another line, and stands within a
    sentence, or has a tag that another line has, or that is in capitals or with a prefix. Others are comments: ``# id
    7``, CoNLL-U's ``# text = ...``.

    Memory is proportional to the text, unpacked.

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
    tagged = Tagged(os.fspath(path))
    for number, text in numbered(path, encoding, errors):
        tagged.add(number, text)
    return tagged.found(chunks)


def read_vectors(
    path: str | os.PathLike[str],
    words: Collection[str] | None = None,
    *,
    encoding: str = "utf-8",
    errors: str = "strict",
    verbose: int = 0,
) -> tuple[list[str], NDArray[np.float32]]:
    r"""Read word vectors from a text file such as GloVe's: on each line a word and its values, between spaces or tabs.

    Parameters
    ----------
    path : str or path-like
        The file: a regular one, plain or packed by gzip or bzip2, whatever its name. A first line of two whole numbers,
        how many words and values there are, as word2vec and fastText write it, is read as such.
    words : collection of str, optional
        Words to read; by default all there are. What is not in the file is not in the result.
    encoding, errors : str, default="utf-8" and "strict"
        As of `open`: of the file, and what is done with bytes that are no text in it.
    verbose : int, default=0
        Whether to tell on stderr how far reading is.

    Returns
    -------
    words : list of str
        In the order of the file; of a word that comes twice, the first.
    vectors : ndarray of shape (n_words, dim), float32
        Their vectors: of each value in the file the nearest float32, of two as near the even one.

    Raises
    ------
    ValueError
        If a line has fewer values than the first; if a vector that was asked for has a value that is no finite number;
        if a line is no text in `encoding` or longer than 4 194 304 characters, or more than 1 048 576 blank ones follow
        one another; the message names the line. If there are no vectors, or fewer than the header promises; if the file
        is no regular one, is damaged, or unpacks to over 100 times its size and 16 MiB; if `encoding` or `errors` are
        unknown.
    TypeError
        If `words` is a str or no collection, or `encoding` or `errors` are no str.
    OSError
        If the file cannot be read.

    Notes
    -----
    The last values of a line are the vector, and what is before them is the word: it may hold spaces, as ``. . .`` in
    GloVe's files. Blanks around it do not count, unless it has nothing else: such a word is all of them but the last.
    Without a header, the first line tells how many values there are; if there is something else than numbers between
    its word and its end, the first of the next 15 lines where there is not.

    Lines end with ``\n``, ``\r\n`` or ``\r``; blank ones are left out. Memory is that of the result, and of a line.

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
    if isinstance(words, str | bytes) or not isinstance(words, Iterable | None):
        raise TypeError(f"words must be a collection of str, got {words!r}")
    wanted = None if words is None else frozenset(words)
    rows: dict[str, NDArray[np.float32]] = {}
    n_read = 0
    with progress.amount("word vectors", verbose, os.path.getsize(path) or 1) as tell:
        promised, dim, lines = _layout(numbered(path, encoding, errors, tell), path)
        for number, text in lines:
            line = text.rstrip(" \t")
            if not line:
                continue
            word, values = _parted(line, dim)
            if len(values) < dim:
                raise ValueError(f"{os.fspath(path)}, line {number}: {len(values)} values of {dim}")
            if word not in rows and (wanted is None or word in wanted):
                rows[word] = _row(values, f"{os.fspath(path)}, line {number}")
            n_read += 1
    if n_read < promised:
        raise ValueError(f"{os.fspath(path)}: truncated: {n_read} vectors of the {promised} that its header promises")
    if not rows:
        raise ValueError(f"{os.fspath(path)} has no vectors" + ("" if wanted is None else " of the words asked for"))
    return list(rows), np.stack(list(rows.values()))


def _layout(lines: Iterator[Numbered], path: str | os.PathLike[str]) -> tuple[int, int, Iterator[Numbered]]:
    """Return how many vectors are promised at least, how many values each has, and the lines of vectors.

    Without a header, the first line tells how many values there are; or if its word seems to hold blanks, one of the
    next lines whose word does not.
    """
    first = list(itertools.islice(filter(_is_not_blank, lines), _FIRST_LINES))
    if not first:
        return 0, 0, lines
    number, line = first[0]
    header = _HEADER.fullmatch(line)
    promised = 0
    if header:
        if max(map(len, header.groups())) > _MOST_DIGITS:
            raise ValueError(f"{os.fspath(path)}, line {number}: a header of numbers with over {_MOST_DIGITS} digits")
        promised, dim = (int(group) for group in header.groups())
        del first[0]
    else:
        columns = [_columns(line) for _, line in first]
        dim = len(next(filter(_has_one_word, columns), columns[0])) - 1
    if dim == 0:
        raise ValueError(f"{os.fspath(path)}, line {number}: 0 values of at least 1")
    return promised, dim, itertools.chain(first, lines)


def _is_not_blank(line: Numbered) -> bool:
    return bool(line[1].strip(" \t"))


def _columns(line: str) -> list[str]:
    """Split a line; blanks before it do not count, unless numbers are all that it has: then they are the word."""
    columns = _BLANKS.split(line.rstrip(" \t"))
    return columns if columns[0] or _NUMBER.fullmatch(columns[1]) else columns[1:]


def _has_one_word(columns: list[str]) -> bool:
    """Whether all columns but the first are numbers, and that is a word."""
    return columns[0] != "" and all(map(_NUMBER.fullmatch, columns[1:]))


def _parted(line: str, dim: int) -> tuple[str, list[str]]:
    """Return a line's word, which may be or hold blanks, and the last `dim` columns, or all if there are fewer."""
    blank = line.replace("\t", " ")
    values = blank.rsplit(" ", dim)
    head = values.pop(0)
    if "  " in blank and "" in values:
        gaps = [gap.end() for gap in _BLANKS.finditer(line)][-dim:]
        head, values = line[: gaps[0] - 1], _BLANKS.split(line[gaps[0] :])
    word = line[: len(head)]
    return word.strip(" \t") or word, values


def _row(values: list[str], place: str) -> NDArray[np.float32]:
    try:
        wide = np.array([float(value) for value in values])
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    if not _is_plain("".join(values)):
        wrong = next(value for value in values if not _is_plain(value))
        raise ValueError(f"{place}: could not convert string to float: {wrong!r}")
    for i in np.flatnonzero(_may_be_between(wide)):
        wide[i] = _to_odd(values[i], wide[i])
    with np.errstate(over="ignore"):
        row = wide.astype(np.float32)
    if not np.isfinite(row).all():
        raise ValueError(f"{place}: values must be finite in float32, got {values[np.isfinite(row).argmin()]}")
    return row


def _may_be_between(wide: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether numbers may lie in the middle between two float32, where to round what was rounded may go wrong."""
    in_the_middle = (wide.view(np.int64) & _BELOW_FLOAT32) == _MIDDLE
    is_small = np.abs(wide) < np.finfo(np.float32).smallest_normal  # where float32 has fewer digits
    may_be: NDArray[np.bool_] = (in_the_middle | (is_small & (wide != 0))) & np.isfinite(wide)
    return may_be


def _to_odd(value: str, nearest: float) -> float:
    """Round a number to an odd float64, unless one holds it: which side of a middle it is on is not lost then."""
    exact = Decimal(value)
    if exact == nearest:
        return nearest
    below = nearest if exact.copy_abs() > abs(nearest) else np.nextafter(nearest, 0)
    return float((np.float64(below).view(np.int64) | 1).view(np.float64))


def _is_plain(value: str) -> bool:
    """Whether a value has nothing that `float` takes but the field's files do not have: 1_0, blanks, other digits."""
    return value.isascii() and value.isprintable() and "_" not in value
