"""Checks of the parameters of `WindowClassifier`, and of word vectors that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import threads
from fastclf._shared import validation as check
from fastclf._shared.parameters import flag, number
from fastclf.window.net import ACTIVATIONS
from fastclf.window.sentences import is_list
from fastclf.window.training import Steps

LOSSES = ("softmax", "max_margin")

_MOST_WINDOW, _MOST_UNITS = 1 << 10, 1 << 20  # beyond what anybody trains; sizes stay far from overflow
_MOST_BATCH = 1 << 19  # with the widest windows, 32 bits number the places of words


@dataclass(frozen=True)
class Kind:
    """Parameters that a model keeps for life."""

    window: int
    loss: str
    hidden: int | None
    activation: str
    train_vectors: bool
    lowercase: bool


@dataclass(frozen=True)
class Options:
    """Parameters of the classifier that need no data, checked."""

    kind: Kind
    dim: int
    min_count: int
    word_dropout: float | None  # None: to be chosen
    steps: Steps
    max_iter: int
    n_threads: int
    verbose: int

    @classmethod
    def of(cls, model: Any) -> Options:
        """Check those of a model."""
        check.one_of(model.loss, LOSSES, "loss")
        check.one_of(model.activation, ACTIVATIONS, "activation")
        rate = number(model.learning_rate, "learning_rate", 0)
        if not 0 < rate < float(np.finfo(np.float32).max):
            raise ValueError(f"learning_rate must be more than 0 and finite in float32, got {model.learning_rate!r}")
        return cls(
            Kind(
                window=_between(model.window, 0, _MOST_WINDOW, "window"),
                loss=model.loss,
                hidden=None if model.hidden is None else _between(model.hidden, 1, _MOST_UNITS, "hidden"),
                activation=model.activation,
                train_vectors=flag(model.train_vectors, "train_vectors"),
                lowercase=flag(model.lowercase, "lowercase"),
            ),
            dim=_between(model.dim, 1, _MOST_UNITS, "dim"),
            min_count=check.at_least(model.min_count, 1, "min_count"),
            word_dropout=_rate_of_unknown(model.word_dropout),
            steps=Steps(
                ranks=model.loss == "max_margin",
                batch=_between(model.batch_size, 1, _MOST_BATCH, "batch_size"),
                rate=rate,
                l2=number(model.l2, "l2", 0),
                margin=number(model.margin, "margin", 0),
            ),
            max_iter=check.at_least(model.max_iter, 1, "max_iter"),
            n_threads=threads.resolve(model.n_threads),
            verbose=check.at_least(model.verbose, 0, "verbose"),
        )


def _between(value: Any, low: int, high: int, name: str) -> int:
    found = check.at_least(value, low, name)
    if found > high:
        raise ValueError(f"{name} must be at most {high}, got {value!r}")
    return found


def _rate_of_unknown(word_dropout: Any) -> float | None:
    """Return the rate at which words are read as unknown, None for "auto"."""
    if not isinstance(word_dropout, str):
        return number(word_dropout, "word_dropout", 0)
    if word_dropout != "auto":
        raise ValueError(f"word_dropout must be 'auto' or a number of at least 0, got {word_dropout!r:.60}")
    return None


def given_vectors(vectors: Any, lowercase: bool) -> tuple[list[str], NDArray[np.float32]]:
    """Check a mapping from words to vectors, or words and a matrix; with `lowercase`, words are taken so."""
    if isinstance(vectors, Mapping):
        words, rows = list(vectors), list(vectors.values())
    elif isinstance(vectors, tuple) and len(vectors) == 2 and is_list(vectors[0]):
        words, rows = list(vectors[0]), vectors[1]
    else:
        raise TypeError(f"vectors must be a mapping, or a tuple of words and a matrix, got {vectors!r:.100}")
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"vectors has the word {word!r} of type {type(word).__name__}: words must be str")
    if len(set(words)) < len(words):
        raise ValueError(f"vectors has {len(words)} words of which only {len(set(words))} differ")
    matrix = check.dense_array(rows, "vectors")
    if matrix.ndim != 2 or len(matrix) != len(words) or matrix.size == 0:
        raise ValueError(f"vectors must have a row for each of {len(words)} words, got shape {matrix.shape}")
    if matrix.dtype.kind not in "biuf":
        raise TypeError(f"vectors must be numbers, got dtype {matrix.dtype}")
    check.refuse_beyond_float32(matrix, "vectors")
    with np.errstate(over="ignore"):
        matrix = matrix.astype(np.float32, order="C")
    check.check_finite(matrix, "vectors")
    return _in_lower_case(words, matrix) if lowercase else (words, matrix)


def _in_lower_case(words: list[str], matrix: NDArray[np.float32]) -> tuple[list[str], NDArray[np.float32]]:
    """Keep the first of words that differ in case alone."""
    first: dict[str, int] = {}
    for i, word in enumerate(words):
        first.setdefault(word.lower(), i)
    return list(first), matrix[list(first.values())]
