"""Words and their numbers in the table of vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastclf.window.sentences import Sentences

PADDING, UNKNOWN = 0, 1  # what is beyond the ends of a sentence, and words that have no vector of their own
OWN = 2  # words have vectors from here on


@dataclass(frozen=True)
class Text:
    """Sentences as numbers of words, with enough padding between them that windows are stretches of one array.

    Attributes
    ----------
    word : ndarray of int32
        Numbers of the words, and padding.
    centre : ndarray of int64
        Where the words of the sentences are, in order.
    """

    word: NDArray[np.int32]
    centre: NDArray[np.int64]


@dataclass
class Vocabulary:
    """Words that have vectors of their own, and how often words have been seen.

    Attributes
    ----------
    numbers : dict
        From words to rows of the table of vectors.
    n_given : int
        How many words, the first ones, came with vectors.
    seen : Counter
        How often each word occurred in training, also of those that have no vector.
    """

    numbers: dict[str, int]
    n_given: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, given: Iterable[str] = ()) -> Vocabulary:
        """Begin with words that come with vectors."""
        numbers = {word: OWN + i for i, word in enumerate(given)}
        return cls(numbers, len(numbers))

    def new_words(self, sentences: Sentences, min_count: int) -> list[str]:
        """Return the words that have no vector and with these sentences have been seen often enough, sorted."""
        unknown = Counter(word for word in sentences.words if word not in self.numbers)
        return sorted(word for word, count in unknown.items() if count + self.seen[word] >= min_count)

    def learn(self, sentences: Sentences, new: list[str], first: int) -> None:
        """Count the words of these sentences; number the new ones from `first` on."""
        self.seen.update(sentences.words)
        self.numbers.update(zip(new, range(first, first + len(new)), strict=True))

    def text(self, sentences: Sentences, window: int) -> Text:
        """Look the words up."""
        get, total = self.numbers.get, len(sentences.words)
        numbers = np.fromiter((get(word, UNKNOWN) for word in sentences.words), np.int32, total)
        sentence = np.repeat(np.arange(len(sentences.lengths)), sentences.lengths)
        centre = np.arange(total) + window * (sentence + 1)
        word = np.full(total + window * (len(sentences.lengths) + 1), PADDING, np.int32)
        word[centre] = numbers
        return Text(word, centre)

    def times(self, sentences: Sentences) -> NDArray[np.float64]:
        """Return how often training has seen each word; infinity for those given, which it knows anyway."""
        first, get, seen = OWN + self.n_given, self.numbers.get, self.seen
        times = (np.inf if UNKNOWN < get(word, UNKNOWN) < first else seen[word] for word in sentences.words)
        return np.fromiter(times, np.float64, len(sentences.words))
