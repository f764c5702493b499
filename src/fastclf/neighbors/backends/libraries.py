"""An index of another library, searched as hard as reaches a recall on rows held out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import progress
from fastclf.neighbors.backends.calibration import (
    Calibration,
    Costs,
    HeldOut,
    calibrate,
    efforts,
    most_proposed,
    neighbors_of_interest,
    standard_error,
)
from fastclf.neighbors.backends.protocol import Wanted
from fastclf.neighbors.backends.rows import Batch, Rows

DEFAULT_RECALL = 0.95

_LEAST_ROWS = 256  # below, no index is asked
_WORTH = 16  # rows for each neighbour: below, all are compared
_HELD_OUT = 1000
_MOST_HELD_OUT = 1 / 20  # of the rows
_CHECKED = 100  # of rows that come later
_CLEARLY = 3  # standard errors
_PROPOSED = 4096  # bytes that take as long to read as a row that is proposed takes beside its values

# Other libraries are not asked for longer than this at a time, so that signals are served.
_SECONDS_AT_ONCE = 0.1
_FIRST_QUERIES = 32


class Library(Protocol):
    """An index of another library, which numbers rows as they are added."""

    @property
    def most_effort(self) -> int:
        """The most that a search can be told to look at, in the library's own units; 1 if it cannot be told."""

    @property
    def proposes_effort(self) -> bool:
        """Whether a search that is asked for more rows than its effort makes a greater effort."""

    @property
    def row_bytes(self) -> int:
        """Bytes it takes, a row."""

    def effort_bytes(self, n_rows: int) -> float:
        """Bytes that a search of `n_rows` rows reads for each unit of effort."""

    def add(self, X: NDArray[Any], n_threads: int) -> None:
        """Add rows; only while nobody else uses it."""

    def search(self, Q: NDArray[Any], count: int, effort: int, n_threads: int) -> NDArray[np.int64]:
        """Return numbers of rows near each query, -1 where there are too few."""

    def cloned(self) -> Self | None:
        """Return a copy to add rows to; None if the library has none."""


class Plan(Protocol):
    """What a library is to build."""

    @property
    def description(self) -> str:
        """What it is, in a word."""

    def begun(self, rows: Rows, others: NDArray[np.int64], n_threads: int) -> Library:
        """Make an index that holds nothing yet, but has learned what it wants of the rows numbered `others`."""


Planner = Callable[[Rows, Wanted], Iterator[Plan]]


class Proposal(NamedTuple):
    """Rows (-1: none) for each query, and the queries whose near rows the index cannot know."""

    rows: NDArray[np.int64]
    unknown: NDArray[np.bool_]


def wanted_recall(wanted: Wanted) -> float:
    """Return the recall that is asked for, or else the usual one."""
    return DEFAULT_RECALL if wanted.recall is None else wanted.recall


def first_that_reaches(rows: Rows, plans: Planner, wanted: Wanted) -> Calibrated:
    """Build the index that is wanted, or of those that suit the rows the first that reaches the recall."""
    for plan in plans(rows, wanted):
        index = Calibrated(rows, plan, plans, wanted)
        if index.recall >= wanted_recall(wanted):
            return index
    index.is_used = wanted.index is not None  # else all rows are compared: the library does not tell them apart
    return index


class Calibrated:
    """An index that proposes rows, as hard as it has to be searched; it never changes."""

    is_used = True

    def __init__(self, rows: Rows, plan: Plan, plans: Planner, wanted: Wanted) -> None:
        self._description, self._plans, self._wanted = plan.description, plans, wanted
        traits = _native.Traits(rows.metric)
        self._zeros_tie, self._n = traits.at_unit_length or traits.is_product, len(rows)
        held_out = chosen(len(rows), min(_HELD_OUT, int(len(rows) * _MOST_HELD_OUT)))
        others = np.delete(np.arange(len(rows)), held_out)
        self._order = np.concatenate([others, held_out])
        n_threads = wanted.n_threads
        with progress.amount(f"building {plan.description}", wanted.verbose, len(rows)) as tell:
            self._library = plan.begun(rows, others, n_threads)
            self._add(rows.view, others, n_threads, tell)
            self._calibration = self._calibrated(rows, held_out, n_threads)
            self._add(rows.view, held_out, n_threads, tell)
        self._learned_rows = len(rows)

    @property
    def words(self) -> str:
        """What it is, and how it is searched for the neighbours that the model is for."""
        if not self.pays(self._wanted.k):
            return f"{self._description}, unused"
        setting = self._calibration.setting(self._wanted.k, self._library.most_effort)
        effort = f"effort {setting.effort}, " if self._library.most_effort > 1 else ""
        return f"{self._description}, {effort}recall {setting.recall:.4f}"

    @property
    def recall(self) -> float:
        """Share of the held-out rows' neighbours that were found when the index was built."""
        if not self.pays(self._wanted.k):
            return 1.0
        return self._calibration.setting(self._wanted.k, self._library.most_effort).recall

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in the index, and of its number."""
        return self._library.row_bytes + 8

    def covering(self, rows: Rows, n_threads: int) -> Calibrated:
        """Return an index of all the rows: a copy with those that are new, or of twice as many a new one."""
        if len(rows) >= 2 * self._learned_rows or not self._calibration.settings:
            return self._anew(rows, n_threads)
        longer = copy.copy(self)
        if not self.is_used:
            longer._n = len(rows)
            return longer
        clone = self._library.cloned()
        if clone is None:
            return self._anew(rows, n_threads)
        longer._library = clone
        new = np.arange(self._n, len(rows))
        held_out = new[chosen(len(new), min(_CHECKED, len(new) // 2))]
        longer._order = np.concatenate([self._order, np.setdiff1d(new, held_out), held_out])
        longer._n = len(rows)
        longer._calibration = self._calibration.with_more_rows(len(rows) / self._n)
        longer._add(rows.view, np.setdiff1d(new, held_out), n_threads, progress.nothing)
        if len(held_out) and longer._falls_short(rows, held_out, n_threads):
            return self._anew(rows, n_threads)
        longer._add(rows.view, held_out, n_threads, progress.nothing)
        return longer

    def _anew(self, rows: Rows, n_threads: int) -> Calibrated:
        return first_that_reaches(rows, self._plans, replace(self._wanted, n_threads=n_threads))

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

    def propose(self, batch: Batch, k: int, n_threads: int) -> Proposal:
        """Search as calibrated; what is not found is believed to be further."""
        setting = self._calibration.setting(k, self._library.most_effort)
        count = min(setting.proposed + (batch.own is not None), self._n)
        found = self._search(batch.queries, count, setting.effort, n_threads)
        # By angles and products all rows are as near to a query of zeros: the first ones are its neighbours.
        unknown = np.zeros(len(batch.queries), np.bool_)
        if self._zeros_tie:
            unknown = np.logical_not(batch.queries.any(axis=1))
        return Proposal(found, unknown)

    def _search(self, Q: NDArray[Any], count: int, effort: int, n_threads: int) -> NDArray[np.int64]:
        found = self._library.search(Q, count, effort, n_threads)
        return np.where(found >= 0, self._order[found], -1)

    def _add(self, X: NDArray[Any], numbers: NDArray[np.int64], n_threads: int, tell: Callable[[int], None]) -> None:
        """Add rows to the index, which nobody uses yet."""
        for some in in_bites(numbers):
            self._library.add(X[some], n_threads)
            tell(len(some))

    def _calibrated(self, rows: Rows, held_out: NDArray[np.int64], n_threads: int) -> Calibration:
        """Search for neighbours of the rows that are not in the index yet, as if they were queries."""
        ks = [k for k in neighbors_of_interest(self._wanted.k) if self.pays(k)]
        if not ks:
            return Calibration({})
        truth = HeldOut.of(rows, held_out, ks[-1], n_threads)
        n_held = self._n - len(held_out)
        most = min(most_proposed(ks[-1]), n_held)

        def distances(effort: int) -> NDArray[np.float64]:
            count = min(effort, most) if self._library.proposes_effort else most
            bites = [truth.batch.only(some) for some in in_bites(np.arange(len(truth.batch.queries)))]
            found = [self._search(bite.queries, count, effort, n_threads) for bite in bites]
            return truth.distances_of(np.vstack(found), n_threads)

        costs = Costs(self._library.effort_bytes(self._n), rows.row_bytes + _PROPOSED)
        recall = wanted_recall(self._wanted)
        found = calibrate(distances, efforts(self._library.most_effort), costs, truth.nearest, ks, recall)
        return found.with_more_rows(self._n / n_held)


def chosen(n: int, count: int) -> NDArray[np.int64]:
    """Choose `count` of n numbers, ascending, the same each time."""
    return np.sort(np.random.default_rng(0).choice(n, count, replace=False))


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
