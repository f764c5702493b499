"""The package's own kernels over rows held in memory."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastclf.neighbors.backends import choosing, trees
from fastclf.neighbors.backends.cascades import Tally
from fastclf.neighbors.backends.plain import Found
from fastclf.neighbors.backends.protocol import Wanted
from fastclf.neighbors.backends.report import Report, Step
from fastclf.neighbors.backends.rows import Batch, Rows
from fastclf.neighbors.backends.trees import Tree

# A search without a tree takes as long for fewer queries as for a full panel.  So a tree is made also where, for many
# queries, it takes up to 8 times as long: calls with few queries gain by it.
_PANEL = 32
_FOR_FEW = 8.0

_WORTH = 8  # rows of a tree for each neighbour: of fewer, most are looked at anyway


class Exact:
    """All rows, compared by blocked kernels; see `fastclf.neighbors.backends.protocol.Backend`.

    Beside the rows there may be a tree of them, or sketches: either proves most rows of a search too far to matter.
    """

    recall = 1.0

    def __init__(self, metric: str, X: NDArray[Any], owned: bool, wanted: Wanted) -> None:
        self._rows, self._parts = Rows.remembered(metric, X, owned), wanted.parts
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
        """Whether the tree or sketches save comparing all rows in a search for k neighbours."""
        return self._tree_for(k, _PANEL) is not None or self._cascade.pays(k, len(self._rows))

    def extended(self, X: NDArray[Any], n_threads: int) -> Self:
        """Return a backend that has more rows; this one stays as it is."""
        longer = copy.copy(self)
        longer._rows = rows = self._rows.appended(X)
        if len(rows) >= 2 * self._learned_rows or rows.view.dtype != self._rows.view.dtype:
            longer._learn(n_threads)
            return longer
        longer._cascade = self._cascade.appended(rows.view[len(self._rows) :], n_threads)
        if self._tree is not None and rows.outgrow(len(self._tree)):
            longer._tree = trees.grown(rows.metric, rows.view, n_threads, self._tree.leaves_expected)
        return longer

    def keeping(self, kept: NDArray[np.bool_], n_threads: int) -> Self:
        """Return a backend of some of the rows."""
        fewer = copy.copy(self)
        fewer._rows = rows = self._rows.keeping(kept)
        if 2 * len(rows) <= self._learned_rows:
            fewer._learn(n_threads)
            return fewer
        fewer._cascade = self._cascade.keeping(kept)
        if self._tree is not None:
            fewer._tree = trees.grown(rows.metric, rows.view, n_threads, self._tree.leaves_expected)
        return fewer

    def query(
        self,
        Q: NDArray[Any] | None,
        k: int,
        n_threads: int,
        tally: Tally | None = None,
        limits: NDArray[np.float64] | None = None,
    ) -> Found:
        """Distances and indices of the k nearest rows; for Q None, of each row's nearest others.

        Rows farther than a query's limit may be missing: where there are fewer than k, the index is -1.
        """
        tree = self._tree_for(k, len(self._rows) if Q is None else len(Q))
        if tree is not None:
            return self._by_tree(tree, Q, k, n_threads, limits=limits)
        distances, indices = self._rows.allocate(Q, k)
        for batch in self._rows.batches(Q, limits):
            part, queries, own, as_bytes, limit = batch
            distances[part], indices[part] = self._cascade.search(
                queries, self._rows.view, k, n_threads, own=own, as_bytes=as_bytes, limits=limit, tally=tally
            )
        return distances, indices

    def explain(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Report:
        """Tell what searches for Q do or, for Q None, should do by what a sample has shown."""
        tree = self._tree_for(k, len(self._rows) if Q is None else len(Q))
        return self._stages_report(Q, k, n_threads) if tree is None else self._tree_report(tree, Q, k, n_threads)

    def _by_tree(
        self,
        tree: Tree,
        Q: NDArray[Any] | None,
        k: int,
        n_threads: int,
        tally: trees.Tally | None = None,
        limits: NDArray[np.float64] | None = None,
    ) -> Found:
        distances, indices = self._rows.allocate(Q, k)
        for batch in self._rows.batches(Q, limits):
            found, hard = tree.search(batch, self._rows.view, k, n_threads, patience=self._patience(batch), tally=tally)
            if len(hard):
                _, queries, own, as_bytes, limit = batch.only(hard)
                found[0][hard], found[1][hard] = self._cascade.search(
                    queries, self._rows.view, k, n_threads, own=own, as_bytes=as_bytes, limits=limit
                )
            if len(self._rows) > len(tree):
                later = self._rows.nearest_from(len(tree), batch, k, n_threads, self._cascade.centre)
                found = self._rows.nearest_of(np.hstack([found[1], later]), batch, k, n_threads)
            distances[batch.part], indices[batch.part] = found
        return distances, indices

    def _patience(self, batch: Batch) -> float:
        """How many leaves a query may look into: as many as take the time of a search without the tree."""
        return self._plainly(len(batch.queries)) / trees.Costs.leaf(self._rows.view.shape[1])

    def _plainly(self, n_queries: int) -> float:
        """Return what each of `n_queries` queries takes without the tree."""
        return self._cascade.cost * max(1.0, _PANEL / max(n_queries, 1))

    def _tree_for(self, k: int, n_queries: int) -> Tree | None:
        """Return the tree, if it should answer `n_queries` queries sooner than without it."""
        tree = self._tree
        if tree is None or (k + 1) * _WORTH > len(tree):
            return None
        return tree if tree.cost(k) < self._plainly(n_queries) else None

    def _learn(self, n_threads: int) -> None:
        metric, X = self._rows.metric, self._rows.view
        self._learned_rows = len(X)
        plainly = choosing.Costs.of(metric, X).plain
        expected = trees.leaves_expected(metric, X, _FOR_FEW * plainly, n_threads)
        limit = trees.Costs.query(expected, X.shape[1])
        self._cascade = choosing.learn(metric, X, n_threads, limit, self._parts)
        self._tree = None
        if not self._cascade.stages and limit < np.inf:
            self._tree = trees.grown(metric, X, n_threads, expected)

    def _tree_report(self, tree: Tree, Q: NDArray[Any] | None, k: int, n_threads: int) -> Report:
        count = 1 if Q is None else max(len(Q), 1)
        tally = trees.Tally(leaves=tree.expected(k), compared=np.nan)
        if Q is not None:
            tally = trees.Tally()
            self._by_tree(tree, Q, k, n_threads, tally)
        near = Step("near rows, a byte a feature", tally.leaves * trees.LEAF_ROWS / count, np.nan)
        steps = (near, Step("in full", tally.compared / count, np.nan))
        return self._report(Q, steps, "boxes and bytes", tree.row_bytes, np.nan, tally.given_up)

    def _stages_report(self, Q: NDArray[Any] | None, k: int, n_threads: int) -> Report:
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
        steps = tuple(map(Step, words, tally.pairs.tolist(), shares[:-1].tolist()))
        beside_bytes = sum(stage.row_bytes for stage in cascade.stages)
        return self._report(Q, steps, "sketches", beside_bytes, float(shares[-1]), tally.given_up)

    def _report(
        self,
        Q: NDArray[Any] | None,
        steps: tuple[Step, ...],
        beside: str,
        beside_bytes: int,
        preparing: float,
        given_up: int,
    ) -> Report:
        return Report(
            title="exact search",
            metric=self._rows.metric,
            n_rows=len(self._rows),
            row_bytes=self._rows.row_bytes,
            beside=beside,
            beside_bytes=beside_bytes,
            basis="what a sample showed",
            n_queries=None if Q is None else len(Q),
            steps=steps,
            preparing_share=preparing,
            given_up=given_up,
        )
