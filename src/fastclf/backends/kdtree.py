"""SciPy's k-d tree, for few features.

Exact: queries that ties leave open are asked again for more neighbours, and at last compared with all rows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from fastclf._aligning import realigned
from fastclf._interrupts import aside
from fastclf.backends.indexed import Index, Indexed, Proposal
from fastclf.backends.protocol import Wanted
from fastclf.backends.rows import Batch, Rows
from fastclf.backends.vectors import unit_rows

# The tree's distances, sums in float64, differ from exact ones by less than so many units of rounding: one or two for
# each feature, and some for each level of the tree.
_UNITS_A_FEATURE, _MORE_UNITS = 8, 1000

# Between these, squares lose nothing to underflow or overflow.
_LEAST, _MOST = 1e-140, 1e140

# Neighbours beyond k to ask for, at each attempt: one that is further than the k-th shows that nothing is missing.
_BEYOND = (1, 16, 256)

_SHARED = 64  # queries: fewer are done before other threads have begun
_SHARES = 4  # of a thread, so that none waits long for another
_NEAR = 64  # queries that are asked in any order among them
_BUILDING = 20  # times as long as going through the values: as many levels
_WORTH = 8  # rows for each neighbour: below, comparing all is as fast
_POWERS = {"l1": 1, "l2": 2, "cosine": 2}


class KDTree(Indexed):
    """A k-d tree over the rows; see `fastclf.backends.protocol.Backend`."""

    title = "exact search by a k-d tree"

    def _built(self, rows: Rows, wanted: Wanted) -> Index:  # noqa: ARG002
        return Tree(rows)


class Tree:
    """See `fastclf.backends.indexed.Index`."""

    recall = 1.0
    words = "k-d tree"
    attempts = len(_BEYOND)

    def __init__(self, rows: Rows) -> None:
        self._metric = rows.metric
        # Balanced, as by default: boxes that are cut in halves may nest as deep as there are rows.
        self._tree = aside(_BUILDING * rows.view.size, self._made, rows.view)

    def __getstate__(self) -> dict[str, Any]:
        """Hold the tree's own state in its place: SciPy's trees are not pickled by the oldest protocols."""
        return vars(self) | {"_tree": self._tree.__getstate__()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the tree of its state, with arrays where it can read them."""
        vars(self).update(state)
        self._tree = cKDTree.__new__(cKDTree)
        self._tree.__setstate__(realigned(state["_tree"]))

    @property
    def row_bytes(self) -> int:
        """Bytes of a row's point and number; nodes come to about as much as two more numbers."""
        return 8 * int(self._tree.m) + 24

    def covering(self, rows: Rows, n_threads: int) -> Tree:  # noqa: ARG002
        """Return a tree of all the rows."""
        return Tree(rows)

    def pays(self, k: int) -> bool:
        """Whether k is few of the rows."""
        return bool(k * _WORTH <= self._tree.n)

    def order(self, batch: Batch) -> NDArray[np.int64]:
        """Put queries that are near one another together: they meet the same nodes and rows, still in the caches."""
        # Of a copy: values that another thread changes meanwhile would lead the building beyond its memory.
        queries = batch.queries.copy()
        return np.asarray(aside(_BUILDING * queries.size, self._made, queries, _NEAR).indices)

    def _made(self, X: NDArray[Any], leafsize: int = 16) -> cKDTree:
        return cKDTree(self._points(X), leafsize)

    def propose(self, batch: Batch, k: int, attempt: int, n_threads: int) -> Proposal:
        """Find the nearest rows by the tree's arithmetic, and some more."""
        count = min(k + (batch.own is not None) + _BEYOND[attempt], self._tree.n)
        distances, rows = self._query(self._points(batch.queries), count, n_threads)
        rows[np.isinf(distances)] = -1  # what the tree puts there is no row
        return Proposal(rows, self._beyond(distances[:, -1]) if count < self._tree.n else np.inf)

    def _query(
        self, points: NDArray[np.float64], count: int, n_threads: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Ask the tree; the work is that of comparing all rows, which it takes at most."""
        return aside(float(points.size) * self._tree.n, self._ask, points, count, n_threads)

    def _ask(
        self, points: NDArray[np.float64], count: int, n_threads: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        ask = partial(self._tree.query, k=np.arange(1, count + 1), p=_POWERS[self._metric])
        if n_threads == 1 or len(points) < _SHARED:
            return ask(points)  # type: ignore[no-any-return]
        with ThreadPoolExecutor(n_threads) as threads:
            found = list(threads.map(ask, np.array_split(points, _SHARES * n_threads)))
        distances, rows = zip(*found, strict=True)
        return np.vstack(distances), np.vstack(rows)

    def _points(self, X: NDArray[Any]) -> NDArray[np.float64]:
        if self._metric == "cosine":
            return unit_rows(X, X.shape[1] + 1)
        return X.astype(np.float64, copy=False)

    def _beyond(self, last: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bound the metric's distance, from below, of rows that the tree has at `last` or beyond."""
        error = (_UNITS_A_FEATURE * self._tree.m + _MORE_UNITS) * np.finfo(np.float64).eps
        if self._metric == "cosine":
            return np.asarray(last**2 / 2 - error)
        return np.where((last > _LEAST) & (last < _MOST), last * (1 - error), -np.inf)
