"""Backends whose index proposes rows: these are compared in full, so that distances and ties are fastclf's own."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastclf.backends import plain
from fastclf.backends.plain import Found
from fastclf.backends.protocol import Wanted
from fastclf.backends.report import Report, Step
from fastclf.backends.rows import Batch, Rows

# Rows that came after the index was made are compared one by one, up to this share of the others.
_MOST_LATER = 1 / 32

# Other libraries are not asked for longer than this at a time, so that signals are served.
_SECONDS_AT_ONCE = 0.1
_FIRST_QUERIES = 32


class Proposal(NamedTuple):
    """Rows (-1: none) for each query, and of which queries the index cannot know near rows."""

    rows: NDArray[np.int64]
    unknown: NDArray[np.bool_]


class Index(Protocol):
    """What proposes rows, and never changes."""

    @property
    def words(self) -> str:
        """What it is."""

    @property
    def row_bytes(self) -> int:
        """Bytes it takes, a row."""

    @property
    def recall(self) -> float:
        """Share of the neighbours that it proposes."""

    def covering(self, rows: Rows, n_threads: int) -> Self:
        """Return an index of all the rows, which begin with this one's."""

    def pays(self, k: int) -> bool:
        """Whether asking for so many neighbours is better than comparing all rows."""

    def propose(self, batch: Batch, k: int, n_threads: int) -> Proposal:
        """Propose rows that may be among the k nearest, and other ones than the queries' own."""


@dataclass
class _Tally:
    """What searches did: rows proposed, queries compared with all rows, seconds."""

    proposed: float = 0.0
    given_up: int = 0
    asking: float = 0.0
    comparing: float = 0.0


class Indexed:
    """All rows, with an index of the first ones; see `fastclf.backends.protocol.Backend`."""

    title: str

    def __init__(self, metric: str, X: NDArray[Any], owned: bool, wanted: Wanted) -> None:
        self._rows = Rows.remembered(metric, X, owned)
        self._middle = plain.centre(self._rows.view)
        self._wanted = wanted
        self._index = self._built(self._rows, wanted)
        self._covered = len(self._rows)

    def _built(self, rows: Rows, wanted: Wanted) -> Index:
        raise NotImplementedError

    @property
    def metric(self) -> str:
        """The kernels' name of the metric."""
        return self._rows.metric

    @property
    def rows(self) -> NDArray[Any]:
        """The rows as they are compared, read-only."""
        return self._rows.view

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._rows)

    @property
    def recall(self) -> float:
        """Share of the neighbours that searches find."""
        return self._index.recall

    def pays(self, k: int) -> bool:
        """Whether the index saves comparing all rows in a search for k neighbours."""
        return self._index.pays(k)

    def extended(self, X: NDArray[Any], n_threads: int) -> Self:
        """Return a backend that has more rows; this one stays as it is."""
        longer = copy.copy(self)
        longer._rows = self._rows.appended(X)
        if len(longer._rows) > (1 + _MOST_LATER) * self._covered:
            longer._index = self._index.covering(longer._rows, n_threads)
            longer._covered = len(longer._rows)
        return longer

    def keeping(self, kept: NDArray[np.bool_], n_threads: int) -> Self:
        """Return a backend of some of the rows, with an index of its own."""
        fewer = copy.copy(self)
        fewer._rows = self._rows.keeping(kept)
        fewer._index = self._built(fewer._rows, replace(self._wanted, n_threads=n_threads))
        fewer._covered = len(fewer._rows)
        return fewer

    def query(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Found:
        """Distances and indices of the k nearest rows; for Q None, of each row's nearest others."""
        return self._search(Q, k, n_threads, _Tally())

    def explain(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Report:
        """Tell what searches for Q do or, for Q None, what there is."""
        tally, rows, index = _Tally(), self._rows, self._index
        count = 0 if Q is None else len(Q)
        if Q is not None:
            self._search(Q, k, n_threads, tally)
        total = tally.asking + tally.comparing
        shares = [part / total if total else np.nan for part in (tally.asking, tally.comparing)]
        steps = [Step("in full", tally.proposed / count if count else np.nan, shares[1])]
        if index.pays(k):
            steps.insert(0, Step(index.words, len(rows), shares[0]))
        return Report(
            title=self.title,
            metric=rows.metric,
            n_rows=len(rows),
            row_bytes=rows.row_bytes,
            beside="index and its copies",
            beside_bytes=index.row_bytes,
            basis="as built",
            n_queries=None if Q is None else count,
            steps=tuple(steps),
            preparing_share=np.nan,
            given_up=tally.given_up,
        )

    def _search(self, Q: NDArray[Any] | None, k: int, n_threads: int, tally: _Tally) -> Found:
        distances, indices = self._rows.room(Q, k)
        for batch in self._rows.batches(Q):
            look = self._ask if self._index.pays(k) else self._compare_all
            distances[batch.part], indices[batch.part] = look(batch, k, n_threads, tally)
        return distances, indices

    def _ask(self, batch: Batch, k: int, n_threads: int, tally: _Tally) -> Found:
        """Find the nearest of what the index proposes, and of the later rows; where that is too few, of all rows."""
        distances, indices = plain.room(len(batch.queries), k)
        is_open = np.ones(len(batch.queries), np.bool_)
        for some in in_bites(np.arange(len(batch.queries))):
            (distances[some], indices[some]), is_open[some] = self._ask_once(batch.only(some), k, n_threads, tally)
        if is_open.any():
            open_ = np.flatnonzero(is_open)
            distances[open_], indices[open_] = self._compare_all(batch.only(open_), k, n_threads, tally)
        return distances, indices

    def _ask_once(self, batch: Batch, k: int, n_threads: int, tally: _Tally) -> tuple[Found, NDArray[np.bool_]]:
        """Find what there is, and say which queries need more."""
        start = time.perf_counter()
        proposal = self._index.propose(batch, k, n_threads)
        asked = time.perf_counter()
        rows = np.hstack([proposal.rows, self._later(batch, k, n_threads)])
        found = self._rows.nearest_of(rows, batch, k, n_threads)
        tally.asking += asked - start
        tally.comparing += time.perf_counter() - asked
        tally.proposed += rows.size
        return found, (found[1][:, -1] < 0) | np.isinf(found[0][:, -1]) | proposal.unknown

    def _later(self, batch: Batch, k: int, n_threads: int) -> NDArray[np.int64]:
        """Find the nearest of the rows that the index does not have."""
        later = self._rows.view[self._covered :]
        if not len(later):
            return np.empty((len(batch.queries), 0), dtype=np.int64)
        count = min(k + (batch.own is not None), len(later))
        found = plain.search(
            self._rows.metric, batch.queries, later, count, n_threads, middle=self._middle, as_bytes=batch.as_bytes
        )
        return found[1] + self._covered

    def _compare_all(self, batch: Batch, k: int, n_threads: int, tally: _Tally) -> Found:
        start = time.perf_counter()
        found = self._rows.search(batch, k, n_threads, self._middle)
        tally.comparing += time.perf_counter() - start
        tally.given_up += len(batch.queries)
        return found


def in_bites(items: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Go through items in parts that are so large that each takes about `_SECONDS_AT_ONCE`."""
    size, start = _FIRST_QUERIES, 0
    while start < len(items):
        begun = time.perf_counter()
        yield items[start : start + size]
        start += size
        seconds = time.perf_counter() - begun
        if seconds < _SECONDS_AT_ONCE / 2:
            size *= 4 if seconds < _SECONDS_AT_ONCE / 8 else 2
        elif seconds > 2 * _SECONDS_AT_ONCE:
            size = max(1, size // 2)
