"""All that a window classifier learns, and how it goes on learning."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import estimators, progress
from fastclf.window.inputs import Kind, Options, given_vectors
from fastclf.window.net import Net, drawn_vectors
from fastclf.window.sentences import Sentences
from fastclf.window.training import Passes, chosen_dropout
from fastclf.window.vocabulary import OWN, UNKNOWN, Vocabulary


@dataclass
class Model:
    """A window classifier, which learning changes in place.

    Attributes
    ----------
    kind : Kind
        What it was begun as.
    classes : ndarray of shape (n_classes,)
        The tags.
    vocabulary : Vocabulary
        Words, and their rows in the table of vectors.
    net : Net
        Vectors and weights.
    rng : numpy.random.Generator
        What all is drawn from.
    curve : list of float
        The objective in each pass so far.
    chosen_dropout : float, optional
        The rate at which words are read as unknown that was chosen, once that had to be.
    word_dropout : float, optional
        The rate of the last passes.
    """

    kind: Kind
    classes: NDArray[Any]
    vocabulary: Vocabulary
    net: Net
    rng: np.random.Generator
    curve: list[float] = field(default_factory=list)
    chosen_dropout: float | None = None
    word_dropout: float | None = None

    @classmethod
    def begun(cls, classes: NDArray[Any], vectors: Any, random_state: Any, options: Options) -> Model:
        """Draw a model that knows only words that come with vectors."""
        rng, kind = estimators.generator(random_state), options.kind
        given, matrix = ([], None) if vectors is None else given_vectors(vectors, kind.lowercase)
        table = drawn_vectors((OWN, options.dim if matrix is None else matrix.shape[1]), rng)
        if matrix is not None:
            table[UNKNOWN] = matrix.mean(axis=0, dtype=np.float64)  # a word like any other
            table = np.concatenate([table, matrix])
        sizes = [len(classes)] if kind.hidden is None else [kind.hidden, len(classes)]
        trained = len(table) if kind.train_vectors else OWN
        net = Net.drawn(table, trained, sizes, kind.window, kind.activation, rng)
        return cls(kind, classes, Vocabulary.of(given), net, rng)

    def refuse_changes(self, kind: Kind) -> None:
        """Raise if the model was begun as one of another kind."""
        for name in (each.name for each in fields(Kind)):
            if getattr(kind, name) != getattr(self.kind, name):
                raise ValueError(
                    f"{name}={getattr(kind, name)!r} was set after the model was fitted with "
                    f"{getattr(self.kind, name)!r}: fit again"
                )

    def learn(
        self,
        words: Sentences,
        codes: NDArray[np.int64],
        weight: NDArray[np.float64] | None,
        options: Options,
        n_passes: int,
    ) -> None:
        """Learn the words, and go through their windows, which have these codes and weights."""
        self._learn_words(words, options.min_count)
        text = self.vocabulary.text(words, self.kind.window)
        dropped = self._dropped(words, codes, options.word_dropout)
        passes = Passes(text, codes, dropped, len(self.classes), options.steps, weight)
        with progress.amount("window classifier", options.verbose, n_passes * len(codes)) as tell:
            for _ in range(n_passes):
                self.curve.append(passes.make(self.net, self.rng, options.n_threads, tell))

    def scores(self, words: Sentences, n_threads: int) -> NDArray[np.float64]:
        """Score all tags of each word."""
        text = self.vocabulary.text(words, self.kind.window)
        return self.net.scores(text.word, text.centre, n_threads).astype(np.float64)

    def _learn_words(self, words: Sentences, min_count: int) -> None:
        """Count words; those that are new and frequent enough get vectors."""
        new = self.vocabulary.new_words(words, min_count) if self.kind.train_vectors else []
        first = len(self.net.vectors)
        self.net.take_vectors(drawn_vectors((len(new), self.net.vectors.shape[1]), self.rng), self.kind.train_vectors)
        self.vocabulary.learn(words, new, first)

    def _dropped(self, words: Sentences, codes: NDArray[np.int64], rate: float | None) -> NDArray[np.float32]:
        """Return how probably training reads each word as unknown: rate / (rate + times seen); 0 for those given."""
        times = self.vocabulary.times(words)
        if rate is None:
            if self.chosen_dropout is None:
                self.chosen_dropout = chosen_dropout(times, codes)
            rate = self.chosen_dropout
        self.word_dropout = rate
        return (rate / (rate + times)).astype(np.float32)
