"""Rows in a hierarchy of boxes: near rows lie together, and most are proved too far without a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf.neighbors.backends import plain
from fastclf.neighbors.backends.plain import Found
from fastclf.neighbors.backends.rows import Batch

LEAF_ROWS = 64
_LEAF_FLOATS = 2 + LEAF_ROWS // 4  # of a feature
_ROW_BYTES = 4  # of a row's number
_MOST_ROWS = (1 << 8 * _ROW_BYTES) - 1

_LEAST_ROWS = 1000  # fewer are compared in little more time than it takes to learn whether a tree pays

# A tree may take half as much as the rows and, as rows of a few bytes are not many times their number, some more.
_MOST_BYTES, _MORE_BYTES = 0.5, 8

# How many leaves a search looks into is measured on two samples of the rows, and goes on growing as from one to the
# other: as some power of the number of rows.  It also grows with the number of neighbours.
_SAMPLES = (4096, 16384)
_SAMPLE_VALUES = 1 << 23
_QUERIES = 48
_NEIGHBORS = 10
_GROWS_WITH_K = 0.5
_HOPELESS = 0.98  # of the first sample's leaves: for wide rows the second is not worth its making
_WIDE = 24
_SEED = 0


@dataclass(frozen=True)
class Costs:
    """What the parts of a search take, in nanoseconds as of `choosing.Costs`; distances in full come to that."""

    QUERY: ClassVar = 400.0
    LEAF: ClassVar = 60.0
    LEAF_FEATURE: ClassVar = 5.0

    @classmethod
    def query(cls, leaves: float, features: int) -> float:
        """Search for a query that looks into this many leaves."""
        return cls.QUERY + leaves * cls.leaf(features)

    @classmethod
    def leaf(cls, features: int) -> float:
        """Look into a leaf, with what is on the way to it."""
        return cls.LEAF + features * cls.LEAF_FEATURE


@dataclass
class Tally:
    """What searches did: leaves looked into, rows compared in full, and queries given up."""

    leaves: float = 0.0
    compared: float = 0.0
    given_up: int = 0


@dataclass(frozen=True)
class Tree:
    """The first rows of a model, in boxes; see `fc_tree` in csrc/fastclf.h.

    `leaves_expected` is how many leaves a search for `_NEIGHBORS` neighbours should look into.
    """

    metric: str
    centre: NDArray[np.float32] | None
    scale: float
    row: NDArray[np.uint32]
    boxes: NDArray[np.float32]
    leaves: NDArray[np.float32]
    leaves_expected: float

    def __len__(self) -> int:
        return len(self.row)

    @property
    def row_bytes(self) -> int:
        """Bytes it takes, a row."""
        return round((self.row.nbytes + self.boxes.nbytes + self.leaves.nbytes) / len(self))

    def expected(self, k: int) -> float:
        """How many leaves a search for k neighbours should look into."""
        more = max(1.0, k / _NEIGHBORS) ** _GROWS_WITH_K
        return float(min(self.leaves_expected * more + k / LEAF_ROWS, len(self.leaves)))

    def cost(self, k: int) -> float:
        """Return what a search for k neighbours should take."""
        return Costs.query(self.expected(k), (self.leaves.shape[1] - 1) // _LEAF_FLOATS)

    def search(
        self,
        batch: Batch,
        X: NDArray[Any],
        k: int,
        n_threads: int,
        *,
        patience: float = np.inf,
        tally: Tally | None = None,
    ) -> tuple[Found, NDArray[np.int64]]:
        """Distances and indices among the tree's rows, the first of X, and queries that have no answer.

        These are the queries that would have looked into more than `patience` leaves, or are out of the tree's range.
        """
        _, queries, own, as_bytes, limits = batch
        found = plain.allocate(len(queries), k)
        given_up = np.zeros(len(queries), dtype=np.uint8)
        leaves, compared = _native.tree_knn(
            self.metric, self, queries, X, k, own, as_bytes, patience, n_threads, given_up, *found, limits
        )
        hard = np.flatnonzero(given_up)
        if tally is not None:
            tally.leaves += leaves
            tally.compared += compared
            tally.given_up += len(hard)
        return found, hard


def grown(metric: str, X: NDArray[Any], n_threads: int, expected: float = np.inf) -> Tree | None:
    """Return a tree of the rows; none of too many, or where values are too large or too small for one, or all the same.

    Where it is not said how many leaves searches look into, as `leaves_expected` tells, these may look into all.
    """
    if len(X) > _MOST_ROWS:
        return None
    of_boxes, of_leaves = _native.tree_sizes(*X.shape)
    row = np.empty(len(X), dtype=np.uint32)
    boxes = np.zeros(of_boxes, dtype=np.float32)  # some blocks are not full
    leaves = np.empty(of_leaves, dtype=np.float32)
    centre = plain.centre(X)
    scale = _native.tree_make(metric, X, centre, n_threads, row, boxes, leaves)
    return Tree(metric, centre, scale, row, boxes, leaves, expected) if scale > 0 else None


def leaves_expected(metric: str, X: NDArray[Any], limit: float, n_threads: int) -> float:
    """How many leaves of a tree of the rows a search should look into, by what samples show.

    Infinite where there is to be no tree: it would take too much memory, or a search longer than `limit` nanoseconds.
    """
    n, d = X.shape
    bytes_of_arrays = sum(4 * rows * cols for rows, cols in _native.tree_sizes(n, d))
    most = _MOST_BYTES * X.itemsize * d + _MORE_BYTES
    if (
        n < _LEAST_ROWS
        or not _native.Traits(metric).has_tree
        or _ROW_BYTES + bytes_of_arrays / n > most
        or not Costs.query(1, d) < limit
    ):
        return np.inf
    expected = _extrapolated(metric, X, n_threads)
    return expected if Costs.query(expected, d) < limit else np.inf


def _extrapolated(metric: str, X: NDArray[Any], n_threads: int) -> float:
    n, d = X.shape
    few, many = (min(sample, _SAMPLE_VALUES * sample // (d * _SAMPLES[-1]), n - _QUERIES) for sample in _SAMPLES)
    if few <= _NEIGHBORS:
        return np.inf
    order = np.random.default_rng(_SEED).choice(n, many + _QUERIES, replace=False)
    queries, others = X[order[:_QUERIES]], order[_QUERIES:]
    as_bytes = X.dtype == np.uint8

    def looked_into(rows: int) -> float:
        part = X[np.sort(others[:rows])]
        tree = grown(metric, part, n_threads)
        if tree is None:
            return np.inf
        tally = Tally()
        tree.search(Batch(slice(None), queries, None, as_bytes), part, _NEIGHBORS, n_threads, tally=tally)
        return tally.leaves / _QUERIES

    first = looked_into(few)
    if many == few:
        return first
    if d >= _WIDE and not first < _HOPELESS * few / LEAF_ROWS:
        return np.inf
    second = looked_into(many)
    power = np.log(max(second / first, 1.0)) / np.log(many / few)
    return float(second * (n / many) ** power)
