"""Words and tags of the lines of a file: columns, comments, and what comes before words and tags."""

from __future__ import annotations

import re

_LANGUAGE = re.compile(r"([a-z]{2,3}(-[a-z]+)*|simple):")  # WikiANN's files have it before each word
_CHUNK = re.compile(r"^[BIESLUMW]-(?=.)")
_LIKE_TAG = re.compile(r"#|[BIESLUMW]-.+|[A-Z][^a-z]*")

Lists = list[list[str]]


class Tagged:
    """Takes line by line; what only the whole file can tell is put right at its end.

    Parameters
    ----------
    path : str
        The file, for messages.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._sentences: Lists = [[]]
        self._tags: Lists = [[]]
        self._texts: dict[str, str] = {}  # words and tags: each is held once
        self._doubtful: list[tuple[int, int, int]] = []  # what may be comments: sentence, word in it, columns
        self._certain_columns: set[int] = set()  # how many other lines have, 0 for any between tabs
        self._certain_tags: set[str] = set()
        self._has_language = True
        self._without_word: tuple[int, str] | None = None  # the first line with nothing but a language

    def add(self, number: int, text: str) -> None:
        """Take a line."""
        columns, has_tabs = _columns(text), "\t" in text
        if not any(columns) or columns[0].startswith("-DOCSTART-"):
            self._end_sentence()
            return
        word, tag = columns[0], columns[-1]
        is_doubtful = word.startswith("#")
        if is_doubtful:
            if len(columns) == 1 or " " in word or columns[2:3] == ["="]:
                return  # "#", "# text = a\tb", "# a = b"
            is_doubtful = not has_tabs
        if len(columns) < 2 or not (word and tag):
            raise self._wrong(number, text)
        if is_doubtful:
            self._doubtful.append((len(self._sentences) - 1, len(self._sentences[-1]), len(columns)))
        else:
            self._certain_columns.add(0 if has_tabs else len(columns))
            self._certain_tags.add(tag)
            if self._has_language:
                self._look_for_language(number, text, word)
        self._sentences[-1].append(self._texts.setdefault(word, word))
        self._tags[-1].append(self._texts.setdefault(tag, tag))

    def found(self, chunks: bool) -> tuple[Lists, Lists]:
        """Return sentences and their tags, with the prefixes of chunks or without, when all lines have been taken."""
        self._drop_comments()
        sentences, tags = ([each for each in lists if each] for lists in (self._sentences, self._tags))
        if not sentences:
            raise ValueError(f"{self._path} has no words")
        if self._has_language and self._without_word:
            raise self._wrong(*self._without_word)
        return (
            _without(_LANGUAGE, sentences) if self._has_language else sentences,
            tags if chunks else _without(_CHUNK, tags),
        )

    def _end_sentence(self) -> None:
        if self._sentences[-1]:
            self._sentences.append([])
            self._tags.append([])

    def _wrong(self, number: int, text: str) -> ValueError:
        return ValueError(f"{self._path}, line {number}: {text!r} has no word or no tag")

    def _look_for_language(self, number: int, text: str, word: str) -> None:
        """See whether all words still begin with a language, as WikiANN's do."""
        language = _LANGUAGE.match(word) if "\t" in text else None
        self._has_language = language is not None
        if language and language.end() == len(word) and not self._without_word:
            self._without_word = number, text

    def _drop_comments(self) -> None:
        """Drop what begins with # if it is not like other lines: "# id 7", "#begin document", but not "# NN O".

        What is like them has as many columns, and stands behind a word of its sentence, or has a tag like others'.
        """
        comments: dict[int, set[int]] = {}
        for sentence, word, columns in self._doubtful:
            found = comments.setdefault(sentence, set())
            tag, is_within = self._tags[sentence][word], word > len(found)
            like_others = columns in (self._certain_columns or {columns})
            if not like_others or not (is_within or tag in self._certain_tags or _LIKE_TAG.fullmatch(tag)):
                found.add(word)
        for sentence, found in comments.items():
            for lists in (self._sentences, self._tags):
                lists[sentence] = [text for i, text in enumerate(lists[sentence]) if i not in found]


def _columns(text: str) -> list[str]:
    """Split at tabs, or at spaces where there are none: a no-break space may be a word, or in one."""
    if "\t" in text:
        columns = text.split("\t")
        return [column.strip(" ") for column in columns] if " " in text else columns
    return [column for column in text.split(" ") if column]


def _without(prefix: re.Pattern[str], lists: Lists) -> Lists:
    """Return texts without a prefix, and without spaces behind that."""
    cut = {text: prefix.sub("", text, count=1).lstrip(" ") for text in {text for each in lists for text in each}}
    return [[cut[text] for text in each] for each in lists]
