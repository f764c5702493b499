"""Exact search by other packages, each by its fastest documented path, behind one small interface.

A search is built from rows, and its `neighbors(Q, k)` gives the indices of the k nearest. PEERS says by which metrics
each searches, and how many queries it is given, as some would take minutes for what others do in seconds. A build is
given one of these metrics, so that a search of a single one has no use for the argument.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastclf
from fastclf import _native
from fastclf._shared.types import Metric
from fastclf.neighbors.backends import plain

Rows = NDArray[Any]

_DISTANCES = 1 << 25  # of all rows to some queries, at a time: 128 MiB in float32


class FastClf:
    """fastclf's exact backend, or what parameters say."""

    def __init__(self, X: Rows, metric: Metric, n_threads: int, backend: str = "exact", **parameters: Any) -> None:
        model = fastclf.KNN(metric=metric, backend=backend, n_threads=n_threads, **parameters)
        self.model = model.fit(X, np.zeros(len(X), dtype=np.int64))

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        return self.model.kneighbors(Q, k, return_distance=False)

    @property
    def n_stages(self) -> int:
        """How many sketches rows are compared by before they are compared in full."""
        return len(self.model.explain().steps) - 1


class Plain:
    """fastclf's kernels without stages: every row is compared in full; as bytes where it holds no more."""

    def __init__(self, X: Rows, metric: Metric, n_threads: int) -> None:
        self.metric = metric
        self.n_threads = n_threads
        self.X = X.astype(np.uint8, copy=False) if _native.fits_u8(X) else X
        self.middle = plain.centre(self.X)

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        as_bytes = self.X.dtype == np.uint8 and _native.fits_u8(Q)
        Q = Q.astype(np.uint8, copy=False) if as_bytes else Q
        return plain.search(self.metric, Q, self.X, k, self.n_threads, middle=self.middle, as_bytes=as_bytes)[1]


class ScikitLearn:
    """NearestNeighbors by brute force: BLAS for L2, pairwise reductions for L1; both want floats."""

    def __init__(self, X: Rows, metric: Metric, n_threads: int) -> None:
        from sklearn.neighbors import NearestNeighbors

        self.n_threads = n_threads
        self.model = NearestNeighbors(algorithm="brute", metric=metric).fit(X.astype(np.float32))

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(self.n_threads):
            return self.model.kneighbors(Q.astype(np.float32), k, return_distance=False)


class Faiss:
    """Flat index; as it has none for cosine, one of inner products of rows made 1 long."""

    def __init__(self, X: Rows, metric: Metric, n_threads: int) -> None:
        import faiss

        faiss.omp_set_num_threads(n_threads)
        kinds = {"l1": faiss.METRIC_L1, "l2": faiss.METRIC_L2, "cosine": faiss.METRIC_INNER_PRODUCT}
        self.normalize = faiss.normalize_L2 if metric == "cosine" else None
        self.index = self._empty(X.shape[1], kinds[metric])
        self.index.add(self._rows(X))

    def _empty(self, cols: int, kind: int) -> Any:
        import faiss

        return faiss.IndexFlat(cols, kind)

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        return self.index.search(self._rows(Q), k)[1]

    def _rows(self, rows: Rows) -> Rows:
        rows = rows.astype(np.float32, order="C")
        if self.normalize:
            self.normalize(rows)
        return rows


class SciPyTree:
    """cKDTree: of L1 and L2."""

    def __init__(self, X: Rows, metric: Metric, n_threads: int) -> None:
        from scipy.spatial import cKDTree

        self.n_threads = n_threads
        self.p = {"l1": 1, "l2": 2}[metric]
        self.tree = cKDTree(X)

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        return self.tree.query(Q, k, p=self.p, workers=self.n_threads)[1]


class Torch:
    """cdist and topk, some queries at a time."""

    def __init__(self, X: Rows, metric: Metric, n_threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(n_threads)
        self.p = {"l1": 1.0, "l2": 2.0}[metric]
        self.X = torch.from_numpy(X.astype(np.float32))

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        step = max(1, _DISTANCES // len(self.X))
        parts = []
        for part in self.torch.from_numpy(Q.astype(np.float32)).split(step):
            parts.append(self.torch.cdist(part, self.X, p=self.p).topk(k, largest=False).indices.numpy())
        return np.concatenate(parts)


class Intelex:
    """scikit-learn-intelex: scikit-learn's class on Intel's library."""

    def __init__(self, X: Rows, metric: Metric, n_threads: int) -> None:
        import daal4py
        from sklearnex.neighbors import NearestNeighbors

        daal4py.daalinit(n_threads)
        name = {"l1": "manhattan", "l2": "euclidean"}[metric]  # by other names scikit-learn's own code would search
        self.model = NearestNeighbors(algorithm="brute", metric=name).fit(X.astype(np.float32))

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        return self.model.kneighbors(Q.astype(np.float32), k, return_distance=False)


class Usearch:
    """Exact search of arrays as they are."""

    def __init__(self, X: Rows, _metric: Metric, n_threads: int) -> None:
        from usearch.index import MetricKind, search

        values = "u8" if X.dtype == np.uint8 else "f32"  # by itself it takes bytes for signed ones
        self.search = partial(search, metric=MetricKind.L2sq, exact=True, threads=n_threads, dtype=values)
        self.X = X

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        return self.search(self.X, Q, k).keys.reshape(len(Q), k)


class Hnswlib:
    """Brute force."""

    def __init__(self, X: Rows, _metric: Metric, n_threads: int) -> None:
        import hnswlib

        self.index = hnswlib.BFIndex("l2", X.shape[1])
        self.index.init_index(max_elements=len(X))
        self.index.add_items(X.astype(np.float32))
        self.index.set_num_threads(n_threads)

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        return self.index.knn_query(Q.astype(np.float32), k)[0]


class NumKong:
    """Distances to packed rows, some queries at a time, and NumPy's choice of the least; by one thread."""

    def __init__(self, X: Rows, _metric: Metric, _n_threads: int) -> None:
        import numkong

        self.distances = numkong.euclideans_packed
        self.packed = numkong.dots_pack(np.ascontiguousarray(X))
        self.step = max(1, _DISTANCES // len(X))

    def neighbors(self, Q: Rows, k: int) -> Any:
        """Return the rows nearest to each query."""
        parts = []
        for start in range(0, len(Q), self.step):
            distances = np.asarray(self.distances(Q[start : start + self.step], self.packed))
            parts.append(np.argpartition(distances, k - 1)[:, :k])
        return np.concatenate(parts)


@dataclass(frozen=True)
class Peer:
    """A package: its module and distribution, how to build its search, and how many queries each metric is given."""

    name: str
    module: str
    distribution: str
    build: Callable[[Rows, Metric, int], Any]
    queries: dict[Metric, int]
    one_thread: bool = False  # however many it is told to use

    def installed(self) -> bool:
        """Whether its module is found; it may still not load."""
        return importlib.util.find_spec(self.module) is not None


def sort_out(peers: Iterable[Peer], n_threads: int) -> tuple[list[Peer], dict[str, str]]:
    """Return the peers that build a small search, and by name why others do not: what is found may still not load."""
    usable, left_out = [], {}
    for peer in peers:
        if not peer.installed():
            left_out[peer.name] = "not installed"
            continue
        try:
            peer.build(np.eye(4, dtype=np.uint8), next(iter(peer.queries)), n_threads)
        except ImportError as error:
            left_out[peer.name] = f"cannot be imported: {error}"
        else:
            usable.append(peer)
    return usable, left_out


def reasons(left_out: Mapping[str, str]) -> str:
    """Return what is left out, with reasons, in one line."""
    return "; ".join(f"{name} ({why})" for name, why in left_out.items()) or "none"


PLAIN = Peer("fastclf plain", "fastclf", "fastclf", Plain, {"l1": 500, "l2": 500, "cosine": 500})
FAISS = Peer("faiss", "faiss", "faiss-cpu", Faiss, {"l1": 50, "l2": 500, "cosine": 500})

PEERS = [
    FAISS,
    Peer("scikit-learn", "sklearn", "scikit-learn", ScikitLearn, {"l1": 16, "l2": 500}),
    Peer("torch", "torch", "torch", Torch, {"l1": 50, "l2": 500}),
    Peer("scikit-learn-intelex", "sklearnex", "scikit-learn-intelex", Intelex, {"l1": 50, "l2": 500}),
    Peer("usearch", "usearch", "usearch", Usearch, {"l2": 50}),
    Peer("hnswlib", "hnswlib", "hnswlib", Hnswlib, {"l2": 50}),
    Peer("NumKong", "numkong", "numkong", NumKong, {"l2": 100}, one_thread=True),
]
