"""Checks of sentences and their tags, and what the kernels read of them."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _validation as check


@dataclass(frozen=True)
class Sentences:
    """The words of all sentences, one after the other, and how many each has."""

    words: list[str]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, sentences: Any, lowercase: bool = False) -> Sentences:
        """Check lists of words."""
        lists = _lists(sentences, "sentences")
        words: list[Any] = list(itertools.chain.from_iterable(lists))
        kinds = set(map(type, words))
        if not all(issubclass(kind, str) for kind in kinds):
            i, j, word = _first(lists, lambda word: not isinstance(word, str))
            raise TypeError(f"sentences[{i}][{j}] = {word!r} of type {type(word).__name__}: words must be str")
        if kinds - {str}:  # NumPy's, say
            words = list(map(str, words))
        return cls([word.lower() for word in words] if lowercase else words, _lengths(lists))

    def split(self, values: Sequence[Any] | NDArray[Any]) -> list[Any]:
        """Cut what there is one of for each word into sentences."""
        ends = np.cumsum(self.lengths).tolist()
        return [values[end - length : end] for end, length in zip(ends, self.lengths.tolist(), strict=True)]


def tags_of(tags: Any, sentences: Sentences) -> list[Any]:
    """Check tags, str or integers, one for each word; return them one after the other."""
    lists = _lists(tags, "tags")
    if len(lists) != len(sentences.lengths):
        raise ValueError(f"sentences and tags must be as many, got {len(sentences.lengths)} and {len(lists)}")
    differing = np.flatnonzero(_lengths(lists) != sentences.lengths)
    if len(differing):
        i = int(differing[0])
        raise ValueError(f"sentences[{i}] has {sentences.lengths[i]} words, but tags[{i}] has {len(lists[i])} tags")
    found = list(itertools.chain.from_iterable(lists))
    kinds = set(map(type, found))
    for kind in (str, numbers.Integral):
        if all(issubclass(other, kind) for other in kinds):
            return found
    i, j, tag = _first(lists, lambda tag: not isinstance(tag, str | numbers.Integral))
    raise TypeError(f"tags[{i}][{j}] = {tag!r} of type {type(tag).__name__}: tags must be str, or all of them int")


def class_labels(classes: Any, known: NDArray[Any] | None) -> NDArray[Any] | None:
    """Return the classes to count with: those given, which have to be the known ones; None if neither are there."""
    if classes is None:
        return known
    given = check.class_labels(classes, "classes")
    if len(given) < 2:
        raise ValueError(f"classes={given.tolist()}: at least 2 classes are needed")
    if known is not None and not np.array_equal(known, given):
        raise ValueError(f"classes={given.tolist()} is not what it was before: {known.tolist()}")
    return given


def class_codes(tags: list[Any], classes: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes, those given or else those there are, and each tag's number among them."""
    array = np.array(tags, dtype=None if tags else np.str_)
    found, codes = np.unique(array, return_inverse=True)
    if classes is None:
        if len(found) < 2:
            raise ValueError(f"tags have only one class, {found.tolist()}: at least 2 classes are needed")
        return found, codes.astype(np.int64)
    unknown = [tag for tag in found.tolist() if tag not in set(classes.tolist())]
    if unknown:
        raise ValueError(f"tags have classes {unknown[:5]} that are not among those so far, {classes.tolist()[:20]}")
    return classes, np.searchsorted(classes, found.astype(classes.dtype))[codes].astype(np.int64)


def _lists(sentences: Any, name: str) -> list[Sequence[Any]]:
    if isinstance(sentences, str) or not isinstance(sentences, Iterable):
        raise TypeError(f"{name} must be a list of lists, got {sentences!r} of type {type(sentences).__name__}")
    lists = list(sentences)
    for i, sentence in enumerate(lists):
        if isinstance(sentence, str) or not hasattr(sentence, "__len__") or not isinstance(sentence, Iterable):
            raise TypeError(f"{name}[{i}] must be a list, got {sentence!r} of type {type(sentence).__name__}")
    return lists


def _lengths(lists: list[Sequence[Any]]) -> NDArray[np.int64]:
    return np.fromiter(map(len, lists), np.int64, len(lists))


def _first(lists: list[Sequence[Any]], is_bad: Any) -> tuple[int, int, Any]:
    """Return where the first such entry is, and the entry; of mixed kinds that are none, the first of all."""
    for i, sentence in enumerate(lists):
        for j, entry in enumerate(sentence):
            if is_bad(entry):
                return i, j, entry
    i = next(i for i, sentence in enumerate(lists) if len(sentence))
    return i, 0, lists[i][0]
