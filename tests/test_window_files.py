"""Readers of tagged sentences and of word vectors."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fastclf.window import read_tagged, read_vectors

CONLL = """-DOCSTART- -X- O O

EU NNP I-NP B-ORG
rejects VBZ I-VP O

Peter NNP I-NP B-PER
Blackburn NNP I-NP I-PER
"""
WIKIANN = "en:R.H.\tB-ORG\nen:Saunders\tI-ORG\n\n\nen::\tO\nen:New York\tB-LOC\n"


@pytest.fixture
def file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "file.txt"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_conll(file, ending):
    path = file(CONLL.replace("\n", ending))
    sentences, tags = read_tagged(path)
    assert sentences == [["EU", "rejects"], ["Peter", "Blackburn"]]
    assert tags == [["ORG", "O"], ["PER", "PER"]]
    assert read_tagged(path, chunks=True)[1] == [["B-ORG", "O"], ["B-PER", "I-PER"]]


def test_wikiann(file):
    sentences, tags = read_tagged(str(file(WIKIANN)))
    assert sentences == [["R.H.", "Saunders"], [":", "New York"]]
    assert tags == [["ORG", "ORG"], ["O", "LOC"]]


def test_words_with_colons_are_left_alone(file):
    assert read_tagged(file("a:b O\nc O\n"))[0] == [["a:b", "c"]]
    assert read_tagged(file("http://a O\nhttp://b O\n"))[0] == [["http://a", "http://b"]]


def test_languages_that_differ(file):
    assert read_tagged(file("en:a\tO\n\nde:b\tO\nzh-yue::\tX\n"))[0] == [["a"], ["b", ":"]]


@pytest.mark.parametrize("text", [CONLL, WIKIANN])
def test_a_byte_order_mark_is_no_word(file, text):
    assert read_tagged(file("\ufeff" + text)) == read_tagged(file(text))


def test_words_that_hold_what_unicode_calls_the_end_of_a_line(file):
    assert read_tagged(file("a\u2028b\tO\nc\x85\tX\n"))[0] == [["a\u2028b", "c\x85"]]


def test_other_encodings(file):
    assert read_tagged(file("Zürich LOC\n", "latin-1"), encoding="latin-1")[0] == [["Zürich"]]
    with pytest.raises(UnicodeDecodeError):
        read_tagged(file("Zürich LOC\n", "latin-1"))


def test_tags_that_begin_like_chunks(file):
    assert read_tagged(file("a B-\nb B-B-X\nc I-misc-x\nd Bag\ne DATE-X\n"))[1] == [
        ["B-", "B-X", "misc-x", "Bag", "DATE-X"]
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a O\nb\n", "line 2: 'b' has no word or no tag"),
        ("a\tNN\t\n", "line 1: .* has no word or no tag"),
        ("\tNN\tO\n", "line 1: .* has no word or no tag"),
        ("", "has no words"),
        ("-DOCSTART- O\n\n\n", "has no words"),
    ],
)
def test_files_without_tags_or_words(file, text, match):
    with pytest.raises(ValueError, match=match):
        read_tagged(file(text))


GLOVE = "the 0.1 -2 3e-1\nat name@x . 1 2 3\nthe 9 9 9\n"


@pytest.mark.parametrize("header", ["", "3 3\n"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", " \n"])
def test_vectors(file, header, ending):
    words, vectors = read_vectors(file("\ufeff" + (header + GLOVE + "\n").replace("\n", ending)))
    assert words == ["the", "at name@x ."]
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.float32([[0.1, -2, 0.3], [1, 2, 3]]))


def test_some_vectors(file):
    path = file("a 1 2\nb 3 4\nc 5 6\n")
    words, vectors = read_vectors(path, ["c", "a", "z"])
    assert words == ["a", "c"]
    assert vectors.tolist() == [[1, 2], [5, 6]]
    with pytest.raises(ValueError, match="no vectors of the words asked for"):
        read_vectors(path, ["z"])
    with pytest.raises(TypeError, match="words must be a collection of str, got 'abc'"):
        read_vectors(path, "abc")


def test_how_many_values_there_are(file):
    assert read_vectors(file("2 2\n. . 3 4\nb 1 2\n"))[0] == [". .", "b"]
    assert read_vectors(file("a 1 2\nb 3 4 5\n"))[0] == ["a", "b 3"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a 1 2\nb 3\n", "line 2: 1 values of 2"),
        ("a 1 2\nb 3 x\n", "line 2: could not convert string to float: 'x'"),
        ("a 1 nan\n", "line 1: values must be finite in float32, got nan"),
        ("a 1e99 1\n", "line 1: values must be finite in float32, got 1e99"),
        ("a\n", "line 1: 0 values of at least 1"),
        ("2 3\na 1 2\n", "line 2: 2 values of 3"),
        ("", "has no vectors"),
    ],
)
def test_files_that_are_no_vectors(file, text, match):
    with pytest.raises(ValueError, match=match):
        read_vectors(file(text))


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_progress(file, capfd, monkeypatch, has_tqdm):
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    read_vectors(file("a 1 2\n"), verbose=1)
    assert "word vectors" in capfd.readouterr().err


def test_a_file_that_is_not_there(tmp_path):
    for read in (read_tagged, read_vectors):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nowhere")
