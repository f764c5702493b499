"""All that a window classifier learns, and how it goes on learning."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastclf import _progress
from fastclf.window.inputs import Kind, Options, generator, given_vectors
from fastclf.window.net import Net, drawn_vectors
from fastclf.window.sentences import Sentences
from fastclf.window.training import one_pass
from fastclf.window.vocabulary import OWN, UNKNOWN, Vocabulary


@dataclass(frozen=True)
class Model:
    """A window classifier.

    Attributes
    ----------
    kind : Kind
        What it was begun as.
    classes : ndarray of shape (n_classes,)
        The tags.
    vocabulary : Vocabulary
        Words, and their rows in the table of vectors.
    net : Net
        Vectors and weights, which training changes in place.
    rng : numpy.random.Generator
        What all is drawn from.
    curve : list of float
        The objective in each pass so far.
    """

    kind: Kind
    classes: NDArray[Any]
    vocabulary: Vocabulary
    net: Net
    rng: np.random.Generator
    curve: list[float] = field(default_factory=list)

    @classmethod
    def begun(cls, classes: NDArray[Any], vectors: Any, random_state: Any, options: Options) -> Model:
        """Draw a model that knows only words that come with vectors."""
        rng, kind = generator(random_state), options.kind
        given, matrix = ([], None) if vectors is None else given_vectors(vectors)
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

    def with_words(self, words: Sentences, options: Options) -> Self:
        """Return a model that has seen these words, too: those that are new and frequent enough get vectors."""
        self.refuse_changes(options.kind)
        grows = self.kind.train_vectors
        vocabulary = self.vocabulary.learned(words, options.min_count, grows)
        net, more = self.net, OWN + len(vocabulary.numbers) - len(self.net.vectors)
        if more:
            net = net.with_vectors(drawn_vectors((more, net.vectors.shape[1]), self.rng), grows)
        return replace(self, vocabulary=vocabulary, net=net)

    def train(self, words: Sentences, codes: NDArray[np.int64], options: Options, passes: int) -> None:
        """Go through the windows."""
        text = self.vocabulary.text(words, self.kind.window)
        dropped = self.vocabulary.dropped(options.word_dropout)
        with _progress.amount("window classifier", options.verbose, passes * len(codes)) as tell:
            for _ in range(passes):
                value = one_pass(self.net, text, codes, dropped, options.steps, self.rng, options.n_threads, tell)
                self.curve.append(value)
