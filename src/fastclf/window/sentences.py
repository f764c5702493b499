"""Checks of sentences."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Sentences:
    """The words of all sentences, one after the other, and how many each has."""

    words: list[str]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, sentences: Any, lowercase: bool = False) -> Sentences:
        """Check lists of words."""
        lists = lists_of(sentences, "sentences")
        words: list[Any] = list(itertools.chain.from_iterable(lists))
        kinds = set(map(type, words))
        if not all(issubclass(kind, str) for kind in kinds):
            places = ((i, j, word) for i, words in enumerate(lists) for j, word in enumerate(words))
            i, j, word = next(place for place in places if not isinstance(place[-1], str))
            raise TypeError(f"sentences[{i}][{j}] = {word!r} of type {type(word).__name__}: words must be str")
        if kinds - {str}:  # NumPy's, say
            words = list(map(str.__str__, words))
        return cls([word.lower() for word in words] if lowercase else words, lengths_of(lists))

    def split(self, values: Sequence[Any] | NDArray[Any]) -> list[Any]:
        """Cut what there is one of for each word into sentences."""
        ends = np.cumsum(self.lengths).tolist()
        return [values[end - length : end] for end, length in zip(ends, self.lengths.tolist(), strict=True)]


def is_list(value: Any) -> bool:
    """Whether a value has entries in an order, and is no text."""
    if isinstance(value, str | bytes | Mapping | Set) or getattr(value, "ndim", 1) != 1:
        return False
    return isinstance(value, Iterable)


def lists_of(values: Any, name: str) -> list[Sequence[Any]]:
    """Check that values are lists of some kind in a list of some kind, or come one after the other."""
    if not is_list(values):
        raise TypeError(f"{name} must be a list of lists, got {values!r} of type {type(values).__name__}")
    lists = list(values)
    for i, each in enumerate(lists):
        if not (type(each) is list or (is_list(each) and isinstance(each, Collection))):
            raise TypeError(f"{name}[{i}] must be a list, got {each!r} of type {type(each).__name__}")
    return lists


def lengths_of(lists: list[Sequence[Any]]) -> NDArray[np.int64]:
    """Return how long each is."""
    return np.fromiter(map(len, lists), np.int64, len(lists))
