"""The package's own kernels over rows held in memory."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastclf.backends import choosing
from fastclf.backends.cascades import Tally
from fastclf.backends.plain import Found
from fastclf.backends.protocol import Wanted
from fastclf.backends.report import Report, Step
from fastclf.backends.rows import Rows


class Exact:
    """All rows, compared by blocked kernels; see `fastclf.backends.protocol.Backend`.

    Beside the rows there may be sketches of them, which prove most rows of a search too far to matter.
    """

    recall = 1.0

    def __init__(self, metric: str, X: NDArray[Any], owned: bool, wanted: Wanted) -> None:
        self._rows = Rows.remembered(metric, X, owned)
        self._learn(wanted.n_threads)

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

    def pays(self, k: int) -> bool:
        """Whether sketches save comparing all rows in a search for k neighbours."""
        return self._cascade.pays(k, len(self._rows))

    def extended(self, X: NDArray[Any], n_threads: int) -> Self:
        """Return a backend that has more rows; this one stays as it is."""
        longer = copy.copy(self)
        longer._rows = self._rows.appended(X)
        if len(longer._rows) >= 2 * self._learned_rows or longer._rows.view.dtype != self._rows.view.dtype:
            longer._learn(n_threads)
        else:
            longer._cascade = self._cascade.appended(longer._rows.view[len(self._rows) :], n_threads)
        return longer

    def keeping(self, kept: NDArray[np.bool_], n_threads: int) -> Self:
        """Return a backend of some of the rows."""
        fewer = copy.copy(self)
        fewer._rows = self._rows.keeping(kept)
        if 2 * len(fewer._rows) <= self._learned_rows:
            fewer._learn(n_threads)
        else:
            fewer._cascade = self._cascade.keeping(kept)
        return fewer

    def query(self, Q: NDArray[Any] | None, k: int, n_threads: int, tally: Tally | None = None) -> Found:
        """Distances and indices of the k nearest rows; for Q None, of each row's nearest others."""
        distances, indices = self._rows.room(Q, k)
        for part, queries, own, as_bytes in self._rows.batches(Q):
            distances[part], indices[part] = self._cascade.search(
                queries, self._rows.view, k, n_threads, own=own, as_bytes=as_bytes, tally=tally
            )
        return distances, indices

    def explain(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Report:
        """Tell what searches for Q do or, for Q None, should do by what a sample has shown."""
        cascade, rows = self._cascade, self._rows
        tally = cascade.tally()
        if Q is None:
            tally.pairs[:] = [len(rows), *(stage.left * len(rows) for stage in cascade.stages)]
        else:
            self.query(Q, k, n_threads, tally)
            tally.pairs /= max(len(Q), 1)
        words = [*(stage.words for stage in cascade.stages), "in full"]
        seconds = np.append(tally.seconds, tally.sketching * n_threads)
        shares = seconds / seconds.sum() if seconds.any() else np.full(len(seconds), np.nan)
        return Report(
            title="exact search",
            metric=rows.metric,
            n_rows=len(rows),
            row_bytes=rows.row_bytes,
            beside="sketches",
            beside_bytes=sum(stage.codes.view.shape[1] + stage.terms.view.shape[1] for stage in cascade.stages),
            basis="what a sample showed",
            n_queries=None if Q is None else len(Q),
            steps=tuple(map(Step, words, tally.pairs.tolist(), shares[:-1].tolist())),
            preparing_share=float(shares[-1]),
            given_up=tally.given_up,
        )

    def _learn(self, n_threads: int) -> None:
        self._learned_rows = len(self._rows)
        self._cascade = choosing.learn(self._rows.metric, self._rows.view, n_threads)
