"""How hard to search an index: the least effort that finds the wanted share of the neighbours of rows held out."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf.neighbors.backends import plain
from fastclf.neighbors.backends.rows import Batch, Rows

_STEP = 2**0.5  # between two efforts, at most
_NEIGHBORS = (1, 2, 5, 10, 20)  # for which a setting is kept, beside what the model is for
_PROPOSED = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)  # rows for each neighbour, of some more:
_MORE = 4
_MOST_PROPOSED = 1024
_MORE_NEIGHBORS = 16
_ROUNDING = 1e-9  # of a mean


class Setting(NamedTuple):
    """How an index is searched, and the share of the neighbours that this found."""

    effort: int
    proposed: int
    recall: float


@dataclass(frozen=True)
class Costs:
    """What searching costs a query, in bytes read: for each unit of effort, and for each row proposed."""

    effort: float
    proposed: float

    def of(self, setting: Setting) -> float:
        """Cost of searching so."""
        return self.effort * setting.effort + self.proposed * setting.proposed


@dataclass(frozen=True)
class Calibration:
    """Settings by number of neighbours, ascending."""

    settings: dict[int, Setting]

    def setting(self, k: int, most_effort: int) -> Setting:
        """Return that of the next number of neighbours known; above the last, more in proportion."""
        known = list(self.settings)
        at = bisect.bisect_left(known, k)
        if at < len(known):
            found = self.settings[known[at]]
            return found._replace(proposed=max(k, found.proposed))
        last = self.settings[known[-1]]
        more = k / known[-1]
        return last._replace(effort=min(most_effort, round(last.effort * more)), proposed=round(last.proposed * more))

    def with_more_rows(self, times: float) -> Calibration:
        """Return settings for `times` as many rows: `times` as many of them are nearer than the same neighbours."""
        return Calibration(
            {k: found._replace(proposed=math.ceil(found.proposed * times)) for k, found in self.settings.items()}
        )


@dataclass(frozen=True)
class HeldOut:
    """Rows that an index does not hold, and what is nearest to them of those that it does.

    Attributes
    ----------
    rows : Rows
        All rows.
    batch : Batch
        Those held out, as queries.
    nearest : ndarray of shape (queries, k)
        Distances of the nearest rows, ascending; inner products with their signs changed, here and below.
    """

    rows: Rows
    batch: Batch
    nearest: NDArray[np.float64]
    _keys: NDArray[np.int64]  # query * number of rows + row, ascending
    _distances: NDArray[np.float64]  # by key
    _tied: NDArray[np.bool_]  # queries that have more rows as near as the k-th

    @classmethod
    def of(cls, rows: Rows, held_out: NDArray[np.int64], k: int, n_threads: int) -> HeldOut:
        """Compare them with all rows."""
        batch = Batch(slice(0, 0), rows.view[held_out], held_out, rows.view.dtype == np.uint8)
        more = min(2 * k + _MORE_NEIGHBORS, len(rows) - 1)  # some are held out themselves
        found, indices = rows.search(batch, more, n_threads, plain.centre(rows.view))
        distances = rows.ascending(found)
        distances[np.isin(indices, held_out)] = np.inf
        keys = np.arange(len(held_out))[:, None] * len(rows) + indices
        order = np.argsort(keys, axis=None)
        nearest = np.sort(distances, axis=1)
        last = np.where(np.isfinite(distances), distances, 0).max(axis=1)
        tied = last <= nearest[:, k - 1]
        return cls(rows, batch, nearest[:, :k], keys.ravel()[order], distances.ravel()[order], tied)

    def distances_of(self, proposed: NDArray[np.int64], n_threads: int) -> NDArray[np.float64]:
        """Distances of the rows proposed for each query; infinite of those that are surely not among the nearest."""
        keys = np.arange(len(proposed))[:, None] * len(self.rows) + proposed
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = np.where((self._keys[at] == keys) & (proposed >= 0), self._distances[at], np.inf)
        tied = np.flatnonzero(self._tied)
        found[tied] = self._compared(proposed[tied], self.batch.only(tied), n_threads)
        return found

    def _compared(self, proposed: NDArray[np.int64], batch: Batch, n_threads: int) -> NDArray[np.float64]:
        reported, indices = self.rows.nearest_of(proposed, batch, proposed.shape[1], n_threads)
        distances = self.rows.ascending(reported)
        found = np.empty_like(distances)
        by_row = np.take_along_axis(distances, np.argsort(indices, axis=1), axis=1)
        np.put_along_axis(found, np.argsort(proposed, axis=1), by_row, axis=1)
        return found


def neighbors_of_interest(k: int) -> list[int]:
    """Return the numbers of neighbours to calibrate for: what is asked for, and some usual ones."""
    return sorted({k, *_NEIGHBORS})


def most_proposed(k: int) -> int:
    """Return the most rows that may be proposed for k neighbours."""
    return max(min((k + _MORE) * _PROPOSED[-1], _MOST_PROPOSED), 2 * k)


def efforts(most: int) -> list[int]:
    """Efforts to try, from one to the most."""
    found = [1]
    while found[-1] < most:
        found.append(min(most, max(found[-1] + 1, round(found[-1] * _STEP))))
    return found


def calibrate(
    search: Callable[[int], NDArray[np.float64]],
    tried: Sequence[int],
    costs: Costs,
    truth: NDArray[np.float64],
    ks: Sequence[int],
    recall: float,
) -> Calibration:
    """Find the cheapest setting for each number of neighbours; where none does, the one that finds most.

    Parameters
    ----------
    search : callable
        Makes of an effort the true distances of the rows proposed for each held-out query, in the order proposed.
    tried : sequence of int
        Efforts, ascending.
    costs : Costs
        Of a setting.
    truth : ndarray of shape (queries, max(ks))
        Distances of the nearest rows, ascending: what is to be found.
    ks : sequence of int
        Numbers of neighbours.
    recall : float
        What a setting must reach, by more than the standard error of its estimate.
    """
    cheapest: dict[int, Setting] = {}
    best: dict[int, Setting] = {}
    for effort in tried:
        proposed = search(effort)
        for k in ks:
            for setting, surely in _settings(effort, proposed, truth, k) if k <= proposed.shape[1] else ():
                if k not in best or setting.recall > best[k].recall:
                    best[k] = setting
                if surely >= recall - _ROUNDING and (k not in cheapest or costs.of(setting) < costs.of(cheapest[k])):
                    cheapest[k] = setting
        if all(k in cheapest and costs.effort * effort > costs.of(cheapest[k]) for k in ks):
            break
    return Calibration({k: cheapest.get(k, best[k]) for k in sorted(best)})


def _settings(
    effort: int, proposed: NDArray[np.float64], truth: NDArray[np.float64], k: int
) -> list[tuple[Setting, float]]:
    """Return settings of one effort, and the recall that each surely reaches: less its standard error."""
    near = proposed <= truth[:, k - 1 : k]
    found = []
    for count in sorted({min(proposed.shape[1], round((k + _MORE) * times)) for times in _PROPOSED}):
        share = np.minimum(near[:, :count].sum(axis=1), k) / k
        mean = float(share.mean())
        found.append((Setting(effort, count, mean), mean - standard_error(share, k)))
    return found


def standard_error(share: NDArray[np.float64], k: int) -> float:
    """Return that of the mean, and not less than of as many trials with one success and one failure more."""
    trials = len(share) * k
    likely = (float(share.sum()) * k + 1) / (trials + 2)
    return float(max(share.std() / math.sqrt(len(share)), math.sqrt(likely * (1 - likely) / trials)))
