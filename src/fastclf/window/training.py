"""Passes over the windows of a text: in which order, against which corrupt ones, with which words taken for unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf.window.net import Net
from fastclf.window.vocabulary import UNKNOWN, Text

_CALL_WINDOWS = 1 << 16  # about so many a call of the kernels: then progress is told


@dataclass(frozen=True)
class Steps:
    """How steps are made.

    Attributes
    ----------
    ranks : bool
        Whether the loss is that of pairs, a window and a corrupt one.
    batch, rate, l2, margin
        As `WindowClassifier` has them.
    """

    ranks: bool
    batch: int
    rate: float
    l2: float
    margin: float


def one_pass(
    net: Net,
    text: Text,
    codes: NDArray[np.int64],
    dropped: NDArray[np.float32],
    steps: Steps,
    rng: np.random.Generator,
    n_threads: int,
    tell: Callable[[int], object],
) -> float:
    """Go once through all windows, in random order; return the mean of what the steps began at."""
    word = np.where(rng.random(len(text.word), np.float32) < dropped[text.word], np.int32(UNKNOWN), text.word)
    order, total, n = rng.permutation(len(codes)), 0.0, len(codes)
    corruption = Corruption(codes, len(net.layers[-1].b)) if steps.ranks else None
    call = max(1, _CALL_WINDOWS // steps.batch) * steps.batch
    for start in range(0, n, call):
        some = order[start : start + call]
        other, label = corruption.draw(some, rng) if corruption else (None, None)
        objective = np.empty(-(-len(some) // steps.batch))
        finite = _native.window_train(
            net,
            word,
            text.centre[some],
            codes[some],
            None if other is None else text.centre[other],
            label,
            steps.batch,
            steps.rate,
            steps.l2,
            steps.margin,
            n_threads,
            objective,
        )
        if not (finite and np.isfinite(objective).all()):
            raise ValueError("scores overflow while training: learning_rate or given vectors are too large")
        sizes = np.minimum(steps.batch, len(some) - steps.batch * np.arange(len(objective)))
        total += float(objective @ sizes)
        tell(len(some))
    return total / n


class Corruption:
    """Windows and tags that do not go together.

    Half of the time another window, about a word of another tag: so windows are ranked by how they score a tag.  Half
    of the time the same window with another tag: so tags are ranked by how they score in a window, which is what
    predicting asks for.
    """

    def __init__(self, codes: NDArray[np.int64], classes: int) -> None:
        self._codes, self._classes = codes, classes
        self._by_code = np.argsort(codes, kind="stable")
        self._start = np.searchsorted(codes[self._by_code], np.arange(classes + 1))

    def draw(self, windows: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return a corrupt window and its tag for each of the windows."""
        code, n = self._codes[windows], len(windows)
        another_tag = (code + rng.integers(1, self._classes, n)) % self._classes
        another = self._of_another_tag(code, rng)
        of_tag = (rng.random(n) < 0.5) | (another < 0)
        return np.where(of_tag, windows, another), np.where(of_tag, another_tag, code)

    def _of_another_tag(self, code: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw a window of another tag for each, all equally probable; -1 where there is none."""
        first, own = self._start[code], self._start[code + 1] - self._start[code]
        others = len(self._codes) - own
        place = np.floor(rng.random(len(code)) * others).astype(np.int64)
        place += np.where(place >= first, own, 0)
        return np.where(others > 0, self._by_code[np.minimum(place, len(self._codes) - 1)], -1)
