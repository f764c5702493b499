"""The rows of one place, indexed, and the nearest of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import _native
from fastclf._shared import threads
from fastclf._shared import validation as check
from fastclf._shared.aligning import realigned
from fastclf._shared.types import Metric
from fastclf.neighbors.backends.exact import Exact
from fastclf.neighbors.backends.protocol import Wanted

_EXPECTED_NEIGHBORS = 10  # where nobody says how many are asked for


@dataclass(frozen=True)
class Neighbors:
    """Lists of the nearest rows, one for each query, nearest first.

    All parameters are attributes of the same names.

    Parameters
    ----------
    distances : ndarray of shape (n_queries, width), float64
        Infinite where there is no row; of inner products, which descend, minus infinity.
    rows : ndarray of shape (n_queries, width), int64
        Global numbers; -1 where there is no row.
    labels : ndarray of shape (n_queries, width), or None
        What the rows are labelled with; anything where there is no row.
    is_ordered : bool
        Whether rows at one distance are as near as each other. If not, their exact distances may differ, though they
        are rounded to the same number.
    """

    distances: NDArray[np.float64]
    rows: NDArray[np.int64]
    labels: NDArray[Any] | None
    is_ordered: bool


class Shard:
    """Rows of one place, indexed to be searched; made by `index_rows`, and never changed.

    Parameters
    ----------
    backend : fastclf.neighbors.backends.exact.Exact
        The rows and what was learned of them.
    labels : ndarray of shape (n_rows,), or None
        What they are labelled with; an attribute, too.
    """

    def __init__(self, backend: Exact, labels: NDArray[Any] | None) -> None:
        self._backend = backend
        self.labels = labels

    @property
    def metric(self) -> str:
        """The kernels' name of the metric."""
        return self._backend.metric

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self._backend.n_rows

    @property
    def values(self) -> NDArray[Any]:
        """The rows as they are compared, read-only: floats that hold bytes are bytes."""
        return self._backend.rows

    def __sizeof__(self) -> int:
        report = self._backend.explain(None, 1, 1)
        labels = 0 if self.labels is None else self.labels.nbytes
        return self.n_rows * (report.row_bytes + report.beside_bytes) + labels

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what came from another process, with all arrays where kernels can read them."""
        self.__dict__.update(realigned(state))


def index_rows(
    X: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    metric: Metric = "l2",
    k: int = _EXPECTED_NEIGHBORS,
    places: int = 1,
    n_threads: int | None = None,
) -> Shard:
    """Index the rows of one place: copy them, and learn what makes searches fast.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Rows, at least one, of any dtype that `knn` takes.
    labels : array-like of shape (n_rows,), optional
        What travels with each row, such as its class.
    metric : {"l1", "l2", "cosine", ...}, default="l2"
        Distance, as `pairwise_distances` defines it.
    k : int, default=10
        Number of neighbours that is most often asked for.
    places : int, default=1
        How many places there are, all of which a search goes through: in each of many, learning pays sooner.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.

    Returns
    -------
    Shard
        The rows, for `nearest`. It takes what `KNN` takes for them: the rows, and at most half as much for sketches or
        a tree.

    Raises
    ------
    TypeError, ValueError
        If X is not as `knn` takes it, has no rows, or not as many as there are labels; if a parameter is not as
        described.

    Examples
    --------
    >>> from fastclf import shards
    >>> shards.index_rows([[0.0], [1.0], [5.0]], ["a", "b", "c"]).n_rows
    3
    """
    name, count = check.metric_name(metric), check.neighbor_count(k)
    rows = check.matrix(X, "X", narrow=True)
    if not len(rows):
        raise ValueError("X has no rows: at least one is needed")
    carried = None if labels is None else check.labels_array(labels, "labels")
    if carried is not None and carried.shape != (len(rows),):
        raise ValueError(f"labels must have shape ({len(rows)},), got {carried.shape}")
    wanted = Wanted(count, threads.resolve(n_threads), parts=check.at_least(places, 1, "places"))
    return Shard(Exact(name, rows, False, wanted), None if carried is None else carried.copy())


def nearest(
    shard: Shard,
    Q: ArrayLike,
    k: int,
    *,
    first_row: int = 0,
    limits: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Neighbors:
    """Find the `k` rows of a shard that are nearest to each query, exactly.

    Parameters
    ----------
    shard : Shard
        The rows.
    Q : array-like of shape (n_queries, n_features)
        Queries.
    k : int
        Number of neighbours, at least 1. Of a shard of fewer rows, the lists are as long as it has rows.
    first_row : int, default=0
        The global number of the shard's first row.
    limits : array-like of shape (n_queries,), optional
        A distance for each query within which `k` rows of other shards are known to be, such as the last of the list of
        one shard: farther rows may be missing, which saves most of the comparisons. Infinite where none is known (for
        inner products minus infinity).
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.

    Returns
    -------
    Neighbors
        Lists in the order of (exact distance, row). Behind them, where rows are missing, is the row -1.

    Raises
    ------
    TypeError, ValueError
        If Q is not as `knn` takes it or has another number of features than the shard; if a parameter is not as
        described.

    See Also
    --------
    merge : The nearest of all shards.

    Examples
    --------
    >>> from fastclf import shards
    >>> there = shards.index_rows([[0.0], [1.0], [5.0]], ["a", "b", "c"])
    >>> found = shards.nearest(there, [[4.0]], 2, first_row=100)
    >>> found.rows, found.labels
    (array([[102, 101]]), array([['c', 'b']], dtype='<U1'))
    """
    count, first = check.neighbor_count(k), check.at_least(first_row, 0, "first_row")
    queries = check.matrix(Q, "Q", narrow=True)
    check.same_width(queries, shard.values)
    distances, indices = shard._backend.query(
        queries, min(count, shard.n_rows), threads.resolve(n_threads), limits=_checked_limits(limits, len(queries))
    )
    labels = None if shard.labels is None else shard.labels[indices]
    return Neighbors(distances, np.where(indices < 0, -1, indices + first), labels, _orders_all(shard, queries))


def _checked_limits(limits: ArrayLike | None, n_queries: int) -> NDArray[np.float64] | None:
    if limits is None:
        return None
    array = check.dense_array(limits, "limits")
    if array.shape != (n_queries,) or array.dtype.kind not in "biuf":
        raise ValueError(f"limits must be numbers of shape ({n_queries},), got {array.dtype} of shape {array.shape}")
    distances = check.float64_array(array, "limits")
    if np.isnan(distances).any():
        raise ValueError(f"Input limits contains NaN (first at {int(np.argmax(np.isnan(distances)))}).")
    return distances


def _orders_all(shard: Shard, queries: NDArray[Any]) -> bool:
    """Whether distances are sums of bytes, or their roots: these differ where the exact ones do."""
    if shard.values.itemsize > 1 or _native.Traits(shard.metric).at_unit_length:
        return False
    if shard.values.dtype == np.int8:
        return bool(queries.dtype == np.int8)
    return queries.dtype == np.uint8 or bool(_native.fits_u8(queries))
