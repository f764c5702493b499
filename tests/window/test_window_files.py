"""Readers of tagged sentences and of word vectors."""

from __future__ import annotations

import sys
from decimal import Decimal, localcontext

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


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", " \n"])
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


def test_tags_that_begin_like_chunks(file):
    assert read_tagged(file("a B-\nb B-B-X\nc I-misc-x\nd Bag\ne DATE-X\n"))[1] == [
        ["B-", "B-X", "misc-x", "Bag", "DATE-X"]
    ]


def test_positions_in_entities(file):
    text = "".join(f"a {prefix}-PER\n" for prefix in "BIESLUMWOX")
    path = file(text)
    assert read_tagged(path)[1] == [["PER"] * 8 + ["O-PER", "X-PER"]]
    assert read_tagged(path, chunks=True)[1] == [[f"{prefix}-PER" for prefix in "BIESLUMWOX"]]


def test_only_tabs_and_spaces_part_columns(file):
    assert read_tagged(file("10\u00a0000 CD O\n\u00a0 SP O\n\u3000\tX\na\x0bb\u2003c  NN \t O\n")) == (
        [["10\u00a0000", "\u00a0", "\u3000", "a\x0bb\u2003c  NN"]],
        [["O", "O", "X", "O"]],
    )
    assert read_tagged(file(" a  NN   O \n\t \n\n \nb NN X"))[0] == [["a"], ["b"]]


CONLLU = """# newdoc
# sent_id = 1
# text = # one
1\t#\tNOUN
2\tone\tNUM

# newpar
# text = two\tthree
1\ttwo\tNUM
"""
MULTICONER = "# id 5239d808\tdomain=en\nhis _ _ O\nwords _ _ B-CW\n\n# id 7 domain=en\nhere _ _ O\n"
CONLL2012 = (
    "#begin document (nw/wsj/00/wsj_0020); part 000\na NN O\n\n#end document\n#begin document (b); part 1\nb NN X\n"
)


@pytest.mark.parametrize(
    ("text", "sentences", "tags"),
    [
        (CONLLU, [["1", "2"], ["1"]], [["NOUN", "NUM"], ["NUM"]]),
        (MULTICONER, [["his", "words"], ["here"]], [["O", "CW"], ["O"]]),
        (CONLL2012, [["a"], ["b"]], [["O"], ["X"]]),
        ("#\tO\n#fail\tO\na\tO\n", [["#", "#fail", "a"]], [["O", "O", "O"]]),  # WNUT's hashtags
        ("# O\n", [["#"]], [["O"]]),
        ("# # O\n9 CD O\n", [["#", "9"]], [["O", "O"]]),
        ("# B-NP\n9 I-NP\n", [["#", "9"]], [["NP", "NP"]]),
        ("# sym\na DT\n\n# newpar\nb sym\n", [["#", "a"], ["b"]], [["sym", "DT"], ["sym"]]),
        ("a DT\n# sym\n", [["a", "#"]], [["DT", "sym"]]),
        ("# id 1\nParis LOC\n", [["Paris"]], [["LOC"]]),
        ("#\n#comment\n# a comment\n# A = B\nParis LOC\n", [["Paris"]], [["LOC"]]),
        ("-DOCSTART- (1)\tO\na\tO\n-DOCSTART-\nb\tX\n", [["a"], ["b"]], [["O"], ["X"]]),
    ],
)
def test_comments_are_no_words(file, text, sentences, tags):
    assert read_tagged(file(text)) == (sentences, tags)


@pytest.mark.parametrize("language", ["en", "simple", "zh-min-nan", "be-x-old", "zh-classical", "fiu-vro", "als"])
def test_wikianns_languages(file, language):
    text = f"{language}:New\tB-LOC\n{language}: York\tI-LOC\n{language}::)\tO\n{language}:en:x\tO\n"
    assert read_tagged(file(text))[0] == [["New", "York", ":)", "en:x"]]


def test_what_only_looks_like_a_language(file):
    assert read_tagged(file("pm: NN O\nam: NN O\n"))[0] == [["pm:", "am:"]]
    assert read_tagged(file("en:a\tO\nEn:b\tO\n"))[0] == [["en:a", "En:b"]]
    assert read_tagged(file("simpler:a\tO\n"))[0] == [["simpler:a"]]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a O\nb\n", "line 2: 'b' has no word or no tag"),
        ("a\tNN\t\n", "line 1: .* has no word or no tag"),
        ("\tNN\tO\n", "line 1: .* has no word or no tag"),
        ("en:a\tO\nen:\tO\n", r"line 2: 'en:\\tO' has no word or no tag"),
        ("en: \tO\n", "line 1: .* has no word or no tag"),
        ("a O\n\u00a0\n", "line 2: .* has no word or no tag"),
        ("# text = a\n", "has no words"),
        ("", "has no words"),
        ("-DOCSTART- O\n\n\n", "has no words"),
    ],
)
def test_files_without_tags_or_words(file, text, match):
    with pytest.raises(ValueError, match=match):
        read_tagged(file(text))


GLOVE = "the 0.1 -2 3e-1\nat name@x . 1 2 3\nthe 9 9 9\n"


@pytest.mark.parametrize("header", ["", "3 3\n"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", " \n", "\t \r\n", "\n\n", "\n \t\n"])
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
    for wrong in ("abc", b"abc", 5):
        with pytest.raises(TypeError, match=f"words must be a collection of str, got {wrong!r}"):
            read_vectors(path, wrong)


def test_how_many_values_there_are(file):
    assert read_vectors(file("2 2\n. . 3 4\nb 1 2\n"))[0] == [". .", "b"]
    assert read_vectors(file("a 1 2\nb 3 4 5\n"))[0] == ["a", "b 3"]


@pytest.mark.parametrize("blanks", [" ", "\t", " \t "])
def test_blanks_before_all_lines(file, blanks):
    words, vectors = read_vectors(file(f"{blanks}a 1 2\n{blanks}b c 3 4\n"))
    assert words == ["a", "b c"]
    assert vectors.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("the\t0.5 1 2", "the"),
        ("the\t0.5\t1\t2", "the"),
        ("the  0.5 1 2", "the"),
        ("the \t 0.5  1 \t2\t", "the"),
        (" the 0.5 1 2", "the"),
        ("1 0.5 1 2", "1"),
        ("nan 0.5 1 2", "nan"),
        (". . . 0.5 1 2", ". . ."),
        ("at name@domain.com 0.5 1 2", "at name@domain.com"),
        ("a\tb 0.5 1 2", "a\tb"),
        ("a  b  0.5 1 2", "a  b"),
        ("\u00a0 0.5 1 2", "\u00a0"),
        ("a\u00a0b 0.5 1 2", "a\u00a0b"),
        ("\u3000\t0.5\t1\t2", "\u3000"),
        ("\x85 0.5 1 2", "\x85"),
        ("  0.5 1 2", " "),
        ("\t\t0.5\t1\t2", "\t"),
        ("   0.5  1 2", "  "),
        (" 0.5 1 2", ""),
        ("\ufeff 0.5 1 2", "\ufeff"),
    ],
)
@pytest.mark.parametrize("text", ["{}\nof 3 4 5\n", "of 3 4 5\n{}\n", "2 3\n{}\nof 3 4 5\n", "{}\rof\t3\t4\t5"])
def test_words_and_blanks(file, line, word, text):
    path = file("\ufeff" + text.format(line))
    words, vectors = read_vectors(path)
    assert sorted(zip(words, vectors.tolist(), strict=True)) == sorted([(word, [0.5, 1, 2]), ("of", [3, 4, 5])])
    words, vectors = read_vectors(path, words=[word])
    assert words == [word]
    assert vectors.tolist() == [[0.5, 1, 2]]


def test_whole_numbers_behind_a_blank_are_no_header(file):
    words, vectors = read_vectors(file("  1 2\nthe 3 4\n 5 6\n"))
    assert words == [" ", "the", ""]
    assert vectors.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_first_line_whose_word_holds_blanks_needs_one_that_does_not(file):
    assert read_vectors(file(". . 1 2\n. . . 3 4\na 5 6\n"))[0] == [". .", ". . .", "a"]
    with pytest.raises(ValueError, match=r"line 1: could not convert string to float: '\.'"):
        read_vectors(file(". . 1 2\n. . . 3 4\n"))


def test_values_of_other_words_are_not_looked_at(file):
    assert read_vectors(file("a 1 2\nb nan 1_0\n"), ["a"])[0] == ["a"]


@pytest.mark.parametrize("value", ["1_0", "\u0661", "\uff11", "1\x0c", "\u00a01", "0x1", "1,5", "1e", "--1", "."])
def test_values_that_are_no_numbers(file, value):
    for text in (f"a 1 {value}\n", f"a {value} 1\n", f"1 2\na 1 {value}\n", f"b 1 2\na {value} 2\n"):
        number = text.splitlines().index(next(line for line in text.splitlines() if "a" in line)) + 1
        with pytest.raises(ValueError, match=f"line {number}: could not convert string to float: ") as error:
            read_vectors(file(text))
        assert repr(value) in str(error.value)


def middles(rng):
    """Pairs of neighbours in float32, of all lengths, and the decimal digits of what is in their middle."""
    digits = [*rng.integers(1, 0x7F7FFFFF, 40), *rng.integers(1, 0x00FFFFFF, 40), 1, 0x7FFFFF, 0x7F7FFFFE]
    for low in np.array(digits, np.uint32).view(np.float32):
        high = np.nextafter(low, np.float32(np.inf))
        yield low, high, format((Decimal(float(low)) + Decimal(float(high))) / 2, "f")


def test_values_are_rounded_once(file, rng):
    with localcontext(prec=400):
        cases = list(middles(rng))
    for low, high, middle in cases:
        dotted = middle if "." in middle else middle + "."
        even = low if low.view(np.uint32) % 2 == 0 else high
        below = dotted.rstrip("0")
        below = below[:-1] + str(int(below[-1]) - 1) + "9" * 40 if below[-1] != "." else None
        wanted = {dotted: even, dotted + "0" * 40 + "1": high}
        if below is not None:
            wanted[below] = low
        _, vectors = read_vectors(file("".join(f"{i} {text} -{text}\n" for i, text in enumerate(wanted))))
        assert vectors.tolist() == [[float(value), -float(value)] for value in wanted.values()]


def test_values_just_below_what_rounds_to_infinity(file):
    middle = 2**128 - 2**103
    assert read_vectors(file(f"a {middle - 1}\n"))[1].tolist() == [[float(np.finfo(np.float32).max)]]
    with pytest.raises(ValueError, match="line 1: values must be finite in float32"):
        read_vectors(file(f"a {middle}\n"))


def test_values_as_programs_write_them(file):
    text = "a 1 -1 +1 1. .5 1e3 1E-3 -0.0 1e-50 00012\n"
    expected = np.float32([1, -1, 1, 1, 0.5, 1000, 0.001, -0.0, 0, 12])
    assert read_vectors(file(text))[1].tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a 1 2\nb 3\n", "line 2: 1 values of 2"),
        ("a 1 2\nb  3\n", "line 2: 1 values of 2"),
        ("a 1 2\n\n1 2\n", "line 3: 1 values of 2"),
        ("a 1 inf\n", "line 1: values must be finite in float32, got inf"),
        ("a -Infinity 1\n", "line 1: values must be finite in float32, got -Infinity"),
        ("5 0\na 1\n", "line 1: 0 values of at least 1"),
        ("3 2\na 1 2\nb 3 4\n\n", "truncated: 2 vectors of the 3 that its header promises"),
        ("1000000000000 2\na 1 2\n", "truncated: 1 vectors of the 1000000000000 that its header promises"),
        ("1 1000000000000\na 1 2\n", "line 2: 2 values of 1000000000000"),
        (f"{2**63} {2**63}\na 1 2\n", "line 1: a header of numbers with over 18 digits"),
        ("1 1" + 5000 * "0" + "\na 1 2\n", "line 1: a header of numbers with over 18 digits"),
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
