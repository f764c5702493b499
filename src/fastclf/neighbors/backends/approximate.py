"""Approximate backends: an index proposes rows; these are compared in full, so that distances and ties are exact."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastclf.neighbors.backends import libraries, plain
from fastclf.neighbors.backends.plain import Found
from fastclf.neighbors.backends.protocol import Wanted
from fastclf.neighbors.backends.report import Report, Step
from fastclf.neighbors.backends.rows import Batch, Rows


@dataclass
class _Tally:
    """What searches did: rows proposed, queries compared with all rows, seconds."""

    proposed: float = 0.0
    given_up: int = 0
    asking: float = 0.0
    comparing: float = 0.0


class Approximate:
    """All rows, with an index of the first ones; see `fastclf.neighbors.backends.protocol.Backend`.

    A subclass says what its library may build.
    """

    plans: libraries.Planner

    def __init__(self, metric: str, X: NDArray[Any], owned: bool, wanted: Wanted) -> None:
        self._rows = Rows.remembered(metric, X, owned)
        self._middle = plain.centre(self._rows.view)
        self._wanted = wanted
        self._build(wanted.n_threads)

    def _build(self, n_threads: int) -> None:
        wanted = replace(self._wanted, n_threads=n_threads)
        self._index = libraries.first_that_reaches(self._rows, type(self).plans, wanted)
        self._covered = len(self._rows)

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
        if longer._rows.outgrow(self._covered):
            longer._index = self._index.covering(longer._rows, n_threads)
            longer._covered = len(longer._rows)
        return longer

    def keeping(self, kept: NDArray[np.bool_], n_threads: int) -> Self:
        """Return a backend of some of the rows, with an index of its own."""
        fewer = copy.copy(self)
        fewer._rows = self._rows.keeping(kept)
        fewer._build(n_threads)
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
            title="approximate search",
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
        distances, indices = self._rows.allocate(Q, k)
        for batch in self._rows.batches(Q):
            look = self._ask if self._index.pays(k) else self._compare_all
            distances[batch.part], indices[batch.part] = look(batch, k, n_threads, tally)
        return distances, indices

    def _ask(self, batch: Batch, k: int, n_threads: int, tally: _Tally) -> Found:
        """Find the nearest of what the index proposes, and of the later rows; where that is too few, of all rows."""
        distances, indices = plain.allocate(len(batch.queries), k)
        is_open = np.ones(len(batch.queries), np.bool_)
        for some in libraries.in_bites(np.arange(len(batch.queries))):
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
        later = self._rows.nearest_from(self._covered, batch, k, n_threads, self._middle)
        rows = np.hstack([proposal.rows, later])
        found = self._rows.nearest_of(rows, batch, k, n_threads)
        tally.asking += asked - start
        tally.comparing += time.perf_counter() - asked
        tally.proposed += rows.size
        return found, (found[1][:, -1] < 0) | np.isinf(found[0][:, -1]) | proposal.unknown

    def _compare_all(self, batch: Batch, k: int, n_threads: int, tally: _Tally) -> Found:
        start = time.perf_counter()
        found = self._rows.search(batch, k, n_threads, self._middle)
        tally.comparing += time.perf_counter() - start
        tally.given_up += len(batch.queries)
        return found
