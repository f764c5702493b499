"""The model that a window classifier trains: a table of vectors and one layer or two, for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native

ACTIVATIONS = tuple(_native.activations())

_SPREAD = 0.1  # standard deviation of vectors to begin with


@dataclass
class Layer:
    """W x + b, and the sums of the squares of their gradients so far."""

    W: NDArray[Any]
    b: NDArray[Any]
    W_squares: NDArray[Any]
    b_squares: NDArray[Any]

    @classmethod
    def drawn(cls, outputs: int, inputs: int, rng: np.random.Generator, dtype: Any) -> Layer:
        """Draw W such that sums of as many inputs of variance 1 have variance 1/3; b is 0."""
        most = 1 / np.sqrt(inputs)
        W = rng.uniform(-most, most, (outputs, inputs)).astype(dtype)
        b = np.zeros(outputs, dtype)
        return cls(W, b, np.zeros_like(W), np.zeros_like(b))


def drawn_vectors(shape: tuple[int, int], rng: np.random.Generator, dtype: Any = np.float32) -> NDArray[Any]:
    """Draw vectors of words that nothing is known of."""
    return rng.normal(0, _SPREAD, shape).astype(dtype)


@dataclass
class Net:
    """A classifier of windows: see fc_window_model in csrc/models.h.

    Attributes
    ----------
    vectors, squares : ndarray of shape (n_words, dim)
        A vector for each word; sums of the squares of their gradients so far.
    layers : list of Layer
        One, or with hidden units two.
    window : int
        Words on either side of the centre.
    trained : int
        How many of the vectors, the first ones, are trained.
    activation : str
        Of the hidden units.
    """

    vectors: NDArray[Any]
    squares: NDArray[Any]
    layers: list[Layer]
    window: int
    trained: int
    activation: str

    @classmethod
    def drawn(
        cls,
        vectors: NDArray[Any],
        trained: int,
        sizes: list[int],
        window: int,
        activation: str,
        rng: np.random.Generator,
    ) -> Net:
        """Draw layers of these sizes, the last the number of classes."""
        inputs = [(2 * window + 1) * vectors.shape[1], *sizes]
        layers = [Layer.drawn(n, inputs[i], rng, vectors.dtype) for i, n in enumerate(sizes)]
        return cls(vectors, np.zeros_like(vectors), layers, window, trained, activation)

    def scores(self, word: NDArray[np.int32], centre: NDArray[np.int64], n_threads: int) -> NDArray[Any]:
        """Score the windows about the centres."""
        scores = np.empty((len(centre), len(self.layers[-1].b)), self.vectors.dtype)
        _native.window_scores(self, word, centre, n_threads, scores)
        return scores

    def take_vectors(self, vectors: NDArray[Any], trained: bool) -> None:
        """Append vectors, and see to it that all arrays are the model's own, which those mapped from a file are not."""
        if len(vectors) or not self.vectors.flags.writeable:
            longer = np.concatenate([self.vectors, vectors]), np.concatenate([self.squares, np.zeros_like(vectors)])
            self.vectors, self.squares = longer
        self.trained = len(self.vectors) if trained else self.trained
        for layer in self.layers:
            for name, array in vars(layer).items():
                setattr(layer, name, np.require(array, requirements="W"))

    def is_finite(self, used: NDArray[np.int32]) -> bool:
        """Whether all weights, and the vectors that were used, have stayed in the range of their dtype."""
        weights = [part for layer in self.layers for part in vars(layer).values()]
        return all(bool(np.isfinite(a).all()) for a in (self.vectors[used], self.squares[used], *weights))
