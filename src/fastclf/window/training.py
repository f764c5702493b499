"""Passes over the windows of a text: in which order, against which corrupt ones, with which words taken for unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf.window.net import Net
from fastclf.window.vocabulary import UNKNOWN, Text

_MOST_SURE = 0.75  # unknown words of which more than this share have the commonest tag need not be learned
_CALL_WINDOWS = 1 << 16  # about this many a call of the kernels: then progress is told


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


class Passes:
    """Passes over a text.

    Parameters
    ----------
    text : Text
        What is gone through.
    codes : ndarray of shape (n_windows,)
        Class of each window.
    dropped : ndarray of shape (n_windows,)
        How probably the word at each centre is read as unknown.
    n_classes : int
        Number of classes.
    steps : Steps
        How steps are made.
    weight : ndarray of shape (n_windows,), optional
        What each window's loss counts in the mean.
    """

    def __init__(
        self,
        text: Text,
        codes: NDArray[np.int64],
        dropped: NDArray[np.float32],
        n_classes: int,
        steps: Steps,
        weight: NDArray[np.float64] | None = None,
    ) -> None:
        self._text, self._codes, self._dropped, self._steps, self._weight = text, codes, dropped, steps, weight
        self._corruption = Corruption(codes, n_classes) if steps.ranks else None

    def make(self, net: Net, rng: np.random.Generator, n_threads: int, tell: Callable[[int], object]) -> float:
        """Go once through all windows, in random order; return the mean of what the steps began at."""
        word, centre, batch = self._text.word.copy(), self._text.centre, self._steps.batch
        word[centre[rng.random(len(centre), np.float32) < self._dropped]] = UNKNOWN
        order, total = rng.permutation(len(centre)), 0.0
        call = max(1, _CALL_WINDOWS // batch) * batch
        for some in (order[start : start + call] for start in range(0, len(order), call)):
            corrupt, label = None, None
            if self._corruption:
                windows, label = self._corruption.draw(some, rng)
                corrupt = centre[windows]
            objective = np.empty(-(-len(some) // batch))
            examples = word, centre[some], self._codes[some], corrupt, label
            weight = None if self._weight is None else self._weight[some]
            if not _native.window_train(net, self._steps, *examples, n_threads, objective, weight):
                raise overflow()
            sizes = np.minimum(batch, len(some) - batch * np.arange(len(objective)))
            total += float(objective @ sizes)
            tell(len(some))
        last = net.scores(word, centre[order[-batch:]], n_threads)
        if not (np.isfinite(total) and np.isfinite(last).all() and net.is_finite(np.unique(word))):
            raise overflow()
        return total / len(order)


def chosen_dropout(times: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Choose the rate at which words are read as unknown, by the tags of words seen once: 0 or 1.

    Words that are unknown later are most like those.  If nearly all have the commonest tag, reading them as unknown
    makes that tag likelier still for each unknown word, and names are lost.  Of tags that are equally common, the one
    that fewest of those words have counts; so names of tags do not matter.

    Parameters
    ----------
    times : ndarray of shape (n_windows,)
        How often the word at each centre has been seen.
    codes : ndarray of shape (n_windows,)
        Class of each window.
    """
    count = np.bincount(codes)
    once = np.bincount(codes[times == 1], minlength=len(count))
    of_commonest = once[count == count.max()].min()
    return float(of_commonest <= _MOST_SURE * once.sum())


def overflow() -> ValueError:
    """Return what to raise for values that have left the range of float32."""
    return ValueError("values overflow while training: learning_rate, l2, margin or given vectors are too large")


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
