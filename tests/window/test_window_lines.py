"""Lines of text files: encodings, bytes that are no text, blocks that end anywhere, packed files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pathlib
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastclf.window import read_tagged, read_vectors
from fastclf.window.lines import MOST_BLANK


def test_other_encodings(file):
    for encoding in ("latin-1", "utf-16", "utf-16-be", "utf-8-sig", "cp1252"):
        assert read_tagged(file("Zürich LOC\n", encoding), encoding=encoding)[0] == [["Zürich"]]
        assert read_vectors(file("Zürich 1 2\n", encoding), encoding=encoding)[0] == ["Zürich"]
    with pytest.raises(UnicodeDecodeError):
        read_tagged(file("Zürich LOC\n", "latin-1"))


# Where a line ends at the end of a block, or a character begins there: blocks have 2**18 bytes.
SHIFTS = [(1 << 18) - 4 + i for i in range(8)]


@pytest.mark.parametrize(
    ("wrong", "encoding", "reason"),
    [
        (b"\xff", "utf-8", "0xff in position 0: invalid start byte"),
        (b"\xe2\x82x", "utf-8", "invalid continuation byte"),
        (b"\xff", "ascii", r"ordinal not in range\(128\)"),
        (b"\x81", "cp1252", "character maps to <undefined>"),
        (b"\xff\xff", "gb18030", "illegal multibyte sequence"),
    ],
)
@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_bytes_that_are_no_text(file, wrong, encoding, reason, ending):
    for shift in (0, *SHIFTS):
        before = b"a 1" + ending + b"b" * shift + b" 2" + ending
        path = file(before + b"c" + wrong + b" 3" + ending)
        for read in (read_vectors, read_tagged):
            with pytest.raises(UnicodeDecodeError, match=rf"{reason} \(.*file\.txt, line 3\)"):
                read(path, encoding=encoding)
        assert read_vectors(path, encoding=encoding, errors="ignore")[0][:2] == ["a", "b" * shift]


def test_utf_16_without_a_mark(file):
    with pytest.raises(ValueError, match=r"file\.txt, line 1: UTF-16 stream does not start with BOM"):
        read_vectors(file("a 1\n", "utf-16-le"), encoding="utf-16")


def test_a_character_that_the_file_ends_within(file):
    with pytest.raises(UnicodeDecodeError, match=r"unexpected end of data \(.*, line 2\)"):
        read_vectors(file(b"a 1\nb 2\xe2\x82"))
    with pytest.raises(UnicodeDecodeError, match=r"truncated data \(.*, line 3\)"):
        read_vectors(file("a 1\nb 2\n".encode("utf-16") + b"c"), encoding="utf-16")


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_blocks_may_end_anywhere(file, shift, ending):
    words = ["ü" + "b" * shift, "€", "\u2028", "\U0001f600"]
    expected = {word: [1.0] for word in words}
    words, vectors = read_vectors(file("".join(f"{word} 1{ending}" for word in words)))
    assert dict(zip(words, vectors.tolist(), strict=True)) == expected


any_word = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\t "), min_size=1, max_size=5)


@given(words=st.lists(any_word, min_size=1, unique=True), ending=st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_characters_are_words(words, ending):
    words = ["begin", *(word for word in words if word != "begin")]
    with tempfile.TemporaryDirectory() as folder:
        for encoding in ("utf-8", "utf-16"):
            path = pathlib.Path(folder) / encoding
            path.write_bytes("".join(f"{word} 1 2{ending}" for word in words).encode(encoding))
            assert read_vectors(path, encoding=encoding)[0] == words
            path.write_bytes("".join(f"{word}\tX\tO{ending}" for word in words).encode(encoding))
            assert read_tagged(path, encoding=encoding)[0] == [words]


def test_errors_are_those_of_open(file):
    path = file(b"Z\xfcrich O\n")
    for errors, word in (
        ("replace", "Z\ufffdrich"),
        ("ignore", "Zrich"),
        ("surrogateescape", "Z\udcfcrich"),
        ("backslashreplace", "Z\\xfcrich"),
    ):
        assert read_tagged(path, errors=errors)[0] == [[word]] == [[path.read_text(errors=errors).split()[0]]]
    path = file(b"Z\xfcrich 1\n")
    assert read_vectors(path, errors="surrogateescape", verbose=1)[0] == ["Z\udcfcrich"]


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"encoding": "utf8000"}, ValueError, "encoding='utf8000' cannot be used: unknown encoding"),
        ({"encoding": "hex"}, ValueError, "encoding='hex' cannot be used: .* not a text encoding"),
        ({"encoding": None}, TypeError, "encoding must be a str, got None"),
        ({"errors": "loud"}, ValueError, "errors='loud' cannot be used: unknown error handler"),
        ({"errors": "namereplace"}, ValueError, "errors='namereplace' cannot be used"),
        ({"errors": 1}, TypeError, "errors must be a str, got 1"),
    ],
)
def test_unknown_encodings_and_errors(file, options, error, match):
    path = file("a 1\n")
    for read in (read_tagged, read_vectors):
        with pytest.raises(error, match=match):
            read(path, **options)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files(file, pack):
    assert read_tagged(file(pack(b"a O\nb X\n"))) == ([["a", "b"]], [["O", "X"]])
    words, vectors = read_vectors(file(pack(b"a 1 2\n") + pack(b"b 3 4\n")))  # as `cat` joins them
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
@pytest.mark.parametrize("zeros", [1, 20_000])
def test_zeros_may_follow_what_is_packed(file, pack, zeros):
    path = file(pack(b"a 1\n") + bytes(zeros) + pack(b"") + pack(b"b 2\n") + bytes(zeros))
    assert read_tagged(path) == ([["a", "b"]], [["1", "2"]])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (gzip.compress(b"a 1\n", mtime=0)[:-3], "file.txt: cannot be read: Compressed file ended before"),
        (gzip.compress(b"a 1\n", mtime=0)[:-8] + bytes(8), "file.txt: cannot be read: CRC check failed"),
        (gzip.compress(b"a 1\n", mtime=0) + b"more", "file.txt: cannot be read: Not a gzipped file"),
        (bz2.compress(b"a 1\n")[:-9] + bytes(9), "file.txt: cannot be read: Invalid data stream"),
        *(
            (bz2.compress(b"a 1\n" * 9) + damaged, "file.txt: cannot be read: Invalid data stream")
            for damaged in (b"more", b"\0\0more", b"BZx" + bz2.compress(b"b 2\n")[3:], b"BZh9" + bytes(20))
        ),
        *(
            (
                bz2.compress(b"a 1\n" * 9) + bz2.compress(b"b 2\n")[:cut],
                "file.txt: cannot be read: Compressed file ended before",
            )
            for cut in (1, 3, 4, 20, -1)
        ),
        *(
            (
                gzip.compress(b"a 1\n" * 9, mtime=0) + gzip.compress(b"b 2\n", mtime=0)[:cut],
                "file.txt: cannot be read: ",
            )
            for cut in (1, 2, 9, 20, -1)
        ),
        (lzma.compress(b"a 1\n"), "file.txt: is packed by xz, which is not read; unpack it first"),
        (b"PK\x03\x04", "file.txt: is packed by zip, which is not read; unpack it first"),
    ],
)
def test_packed_files_that_cannot_be_read(file, content, match):
    path = file(content)
    for read in (read_tagged, read_vectors):
        with pytest.raises(ValueError, match=match):
            read(path)


@pytest.mark.parametrize("read", [read_tagged, read_vectors])
@pytest.mark.parametrize("blank", ["\n", " \n", "\t\r\n"])
def test_blank_lines_one_after_the_other_are_bounded(file, read, blank):
    assert read(file("a 1\n" + blank * MOST_BLANK + "b 2\n"))[0] in ([["a"], ["b"]], ["a", "b"])
    with pytest.raises(ValueError, match=f"file.txt, line {MOST_BLANK + 2}: is blank, as are {MOST_BLANK} before it"):
        read(file("a 1\n" + blank * (MOST_BLANK + 1) + "b 2\n"))
