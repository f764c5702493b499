"""Approximate search by FAISS: an index given or chosen, searched as hard as reaches a recall on rows held out.

What is built where no index is given: inverted lists of vectors in four bits for every few features, which FAISS
compares in registers [1]_; what they propose is compared in full by fastclf. On pictures and embeddings of 8 to 768
features that was about as fast as a graph (HNSW), or up to three times as fast, and sooner built. Few rows are compared
one by one; where the codes do not tell vectors apart well enough, the lists hold them as they are.

.. [1] F. Andre, A.-M. Kermarrec and N. Le Scouarnec, "Quicker ADC: unlocking the hidden potential of product
   quantization with SIMD", IEEE TPAMI 2021.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import _progress
from fastclf.backends import Wanted, faiss_api
from fastclf.backends.calibration import (
    Calibration,
    Costs,
    HeldOut,
    calibrate,
    efforts,
    most_proposed,
    neighbors_of_interest,
    standard_error,
)
from fastclf.backends.indexed import Indexed, Proposal, in_bites
from fastclf.backends.rows import Batch, Rows
from fastclf.backends.vectors import Vectors

DEFAULT_RECALL = 0.95

_LEAST_ROWS = 256  # below, no index is asked
_FEW_ROWS = 8192  # that are best compared one by one
_WORTH = 16  # rows for each neighbour: below, all are compared
_FEATURES_A_CODE = ((64, 1), (512, 2))  # up to so many features; then
_MOST_FEATURES_A_CODE = 4
_LISTS = 2.5  # times the square root of the number of rows
_LEAST_A_LIST = 64  # rows: FAISS complains of fewer than 39 to learn from
_TRAINING_A_LIST = 64  # rows
_TRAINING_ROWS = 1 << 16  # at least, where there are as many
_HELD_OUT = 1000
_MOST_HELD_OUT = 1 / 20  # of the rows
_CHECKED = 100  # of rows that come later
_CLEARLY = 3  # standard errors

# What a search reads, in bytes that take as long: of tables made for a list, a feature; for a row that is proposed,
# beside its values; of a graph, rows for each unit of effort.
_TABLES = 16
_PROPOSED = 4096
_VISITED = 32


class Faiss(Indexed):
    """An approximate index by FAISS; see `fastclf.backends.Backend`."""

    title = "approximate search"

    def _built(self, rows: Rows, wanted: Wanted) -> Approximate:
        return _first_that_reaches(rows, wanted)


def _first_that_reaches(rows: Rows, wanted: Wanted) -> Approximate:
    """Build the index that is wanted, or of those that suit the rows the first that reaches the recall."""
    recall = DEFAULT_RECALL if wanted.recall is None else wanted.recall
    for plan in _plans(rows, wanted.index, recall):
        index = Approximate(rows, plan, recall, wanted)
        if index.recall >= recall:
            return index
    index.is_used = wanted.index is not None  # else all rows are compared: float32 does not tell them apart
    return index


class _Plan(NamedTuple):
    """What FAISS is to build, by its description, of vectors of so many values, to search by which metric."""

    description: str
    cols: int
    metric: str


def _plans(rows: Rows, description: str | None, recall: float) -> Iterator[_Plan]:
    n, d = rows.view.shape
    if description is not None:
        yield _Plan(description, d, rows.metric)
        return
    cols = d + (rows.metric == "cosine")  # for rows of zeros: see unit_rows
    if n >= _FEW_ROWS and recall < 1:
        lists = 2 ** round(math.log2(min(_LISTS * math.sqrt(n), n / _LEAST_A_LIST)))
        together = next((few for most, few in _FEATURES_A_CODE if d <= most), _MOST_FEATURES_A_CODE)
        codes = -(-cols // together)
        yield _Plan(f"IVF{lists},PQ{codes}x4fs", codes * together, "l2")
        yield _Plan(f"IVF{lists},Flat", cols, rows.metric)
    else:
        yield _Plan("Flat", cols, rows.metric)


class Approximate:
    """See `fastclf.backends.indexed.Index`."""

    attempts = 1
    is_used = True

    def __init__(self, rows: Rows, plan: _Plan, recall: float, wanted: Wanted) -> None:
        self._plan, self._wanted, self._n = plan, wanted, len(rows)
        held_out = _chosen(len(rows), min(_HELD_OUT, int(len(rows) * _MOST_HELD_OUT)))
        others = np.delete(np.arange(len(rows)), held_out)
        self._order = np.concatenate([others, held_out])
        self._vectors = Vectors.learned(rows.metric, rows.view, plan.cols)
        n_threads = wanted.n_threads
        with _progress.amount(f"building {plan.description}", wanted.verbose, len(rows)) as tell:
            self._index = self._trained(rows.view, others, n_threads)
            self._most_effort = faiss_api.most_effort(self._index)
            self._add(rows.view, others, n_threads, tell)
            self._calibration = self._calibrated(rows, held_out, recall, n_threads)
            self._add(rows.view, held_out, n_threads, tell)
        self._learned_rows = len(rows)

    @property
    def words(self) -> str:
        """What it is, and how it is searched for the neighbours that the model is for."""
        if not self.pays(self._wanted.k):
            return f"{self._plan.description}, unused"
        setting = self._calibration.setting(self._wanted.k, self._most_effort)
        effort = f"effort {setting.effort}, " if self._most_effort > 1 else ""
        return f"{self._plan.description}, {effort}recall {setting.recall:.4f}"

    @property
    def recall(self) -> float:
        """Share of the held-out rows' neighbours that were found when the index was built."""
        if not self.pays(self._wanted.k):
            return 1.0
        return self._calibration.setting(self._wanted.k, self._most_effort).recall

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in the index, and of which row it is."""
        return faiss_api.code_bytes(self._index) + 8

    def covering(self, rows: Rows, n_threads: int) -> Approximate:
        """Return an index of all the rows: a copy with those that are new, or of twice as many a new one."""
        if len(rows) >= 2 * self._learned_rows or not self._calibration.settings:
            return _first_that_reaches(rows, replace(self._wanted, n_threads=n_threads))
        longer = copy.copy(self)
        if not self.is_used:
            longer._n = len(rows)
            return longer
        try:
            longer._index = faiss_api.imported().clone_index(self._index)
        except RuntimeError:  # FAISS does not copy all kinds
            return _first_that_reaches(rows, replace(self._wanted, n_threads=n_threads))
        new = np.arange(self._n, len(rows))
        held_out = new[_chosen(len(new), min(_CHECKED, len(new) // 2))]
        longer._order = np.concatenate([self._order, np.setdiff1d(new, held_out), held_out])
        longer._n = len(rows)
        longer._calibration = self._calibration.with_more_rows(len(rows) / self._n)
        longer._add(rows.view, np.setdiff1d(new, held_out), n_threads, _progress.nothing)
        if len(held_out) and longer._falls_short(rows, held_out, n_threads):
            return _first_that_reaches(rows, replace(self._wanted, n_threads=n_threads))
        longer._add(rows.view, held_out, n_threads, _progress.nothing)
        return longer

    def _falls_short(self, rows: Rows, held_out: NDArray[np.int64], n_threads: int) -> bool:
        """Whether neighbours of rows that are not in it yet are found clearly more rarely than those before were."""
        k = min(self._calibration.settings)
        setting = self._calibration.settings[k]
        truth = HeldOut.of(rows, held_out, k, n_threads)
        proposed = self._search(truth.batch.queries, setting.proposed, setting.effort, n_threads)
        near = truth.distances_of(proposed, n_threads) <= truth.nearest[:, k - 1 : k]
        share = np.minimum(near.sum(axis=1), k) / k
        return bool(share.mean() + _CLEARLY * standard_error(share, k) < setting.recall)

    def pays(self, k: int) -> bool:
        """Whether k is few of the rows, and these are not few."""
        return self.is_used and max(k * _WORTH, _LEAST_ROWS) <= self._n

    def order(self, batch: Batch) -> NDArray[np.int64]:
        """Take the queries as they come."""
        return np.arange(len(batch.queries))

    def propose(self, batch: Batch, k: int, attempt: int, n_threads: int) -> Proposal:  # noqa: ARG002
        """Search as calibrated; what is not found is believed to be further."""
        setting = self._calibration.setting(k, self._most_effort)
        count = min(setting.proposed + (batch.own is not None), self._n)
        found = self._search(batch.queries, count, setting.effort, n_threads)
        if self._vectors.metric != "cosine":
            return Proposal(found, np.inf)
        # All rows are as near to a query of zeros: the first ones are its neighbours, which the index cannot know.
        return Proposal(found, np.where(batch.queries.any(axis=1), np.inf, -np.inf))

    def _search(self, Q: NDArray[Any], count: int, effort: int, n_threads: int) -> NDArray[np.int64]:
        found = faiss_api.search(self._index, self._vectors.of(Q), count, effort, n_threads)
        return np.where(found >= 0, self._order[found], -1)

    def _trained(self, X: NDArray[Any], others: NDArray[np.int64], n_threads: int) -> Any:
        """Make an empty index, which has learned from a sample of the rows."""
        data = f"{X.shape[0]} rows of {X.shape[1]} features"
        index = faiss_api.made(*self._plan, data)
        if index.is_trained:
            return index
        count = min(len(others), max(_TRAINING_ROWS, _TRAINING_A_LIST * faiss_api.most_effort(index)))
        vectors = self._vectors.of(X[others[_chosen(len(others), count)]])
        data += f" (it learns from {count} of them; {len(X) - len(others)} are held out, to measure the recall)"
        faiss_api.run(lambda: faiss_api.heeded(self._plan.description, data, index.train, vectors), n_threads)
        return index

    def _add(self, X: NDArray[Any], numbers: NDArray[np.int64], n_threads: int, tell: Callable[[int], None]) -> None:
        """Add rows to the index, which nobody uses yet."""
        for some in in_bites(numbers):
            self._add_some(self._vectors.of(X[some]), n_threads)
            tell(len(some))

    def _add_some(self, vectors: NDArray[np.float32], n_threads: int) -> None:
        data = f"{self._n} rows of {vectors.shape[1]} values"
        faiss_api.run(lambda: faiss_api.heeded(self._plan.description, data, self._index.add, vectors), n_threads)

    def _calibrated(self, rows: Rows, held_out: NDArray[np.int64], recall: float, n_threads: int) -> Calibration:
        """Search for neighbours of the rows that are not in the index yet, as if they were queries."""
        ks = [k for k in neighbors_of_interest(self._wanted.k) if self.pays(k)]
        if not ks:
            return Calibration({})
        truth = HeldOut.of(rows, held_out, ks[-1], n_threads)
        most = min(most_proposed(ks[-1]), self._index.ntotal)

        def distances(effort: int) -> NDArray[np.float64]:
            # A graph that is asked for more rows than its effort makes a greater effort.
            count = min(effort, most) if faiss_api.is_graph(self._index) else most
            bites = [truth.batch.only(some) for some in in_bites(np.arange(len(truth.batch.queries)))]
            found = [self._search(bite.queries, count, effort, n_threads) for bite in bites]
            return truth.distances_of(np.vstack(found), n_threads)

        found = calibrate(distances, efforts(self._most_effort), self._costs(rows), truth.nearest, ks, recall)
        return found.with_more_rows(self._n / self._index.ntotal)

    def _costs(self, rows: Rows) -> Costs:
        """Bytes read for each list or step in a graph, and for each row proposed."""
        code = faiss_api.code_bytes(self._index)
        if faiss_api.is_graph(self._index):
            return Costs(code * _VISITED, rows.row_bytes + _PROPOSED)
        return Costs(code * self._n / self._most_effort + _TABLES * self._plan.cols, rows.row_bytes + _PROPOSED)


def _chosen(n: int, count: int) -> NDArray[np.int64]:
    """Choose `count` of n numbers, ascending, the same each time."""
    return np.sort(np.random.default_rng(0).choice(n, count, replace=False))
