"""Exact search by other packages, each by its fastest documented path, behind one small interface.

A search is built from rows, and its `neighbors(Q, k)` gives the indices of the k nearest. PEERS says how many queries
each is given, as some would take minutes for what others do in seconds.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastclf
from fastclf import _native
from fastclf.backends import plain

TORCH_DISTANCES = 1 << 25  # at a time: 128 MiB


class FastClf:
    """fastclf's exact backend, or what parameters say."""

    def __init__(self, X: np.ndarray, metric: str, n_threads: int, backend: str = "exact", **parameters: Any) -> None:
        model = fastclf.KNN(metric=metric, backend=backend, n_threads=n_threads, **parameters)
        self.model = model.fit(X, np.zeros(len(X), dtype=np.int64))

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        return self.model.kneighbors(Q, k, return_distance=False)

    @property
    def n_stages(self) -> int:
        """How many sketches rows are compared by before they are compared in full."""
        return len(self.model.explain().steps) - 1


class Plain:
    """fastclf's kernels without stages: every row is compared in full; as bytes where it holds no more."""

    def __init__(self, X: np.ndarray, metric: str, n_threads: int) -> None:
        self.metric = metric
        self.n_threads = n_threads
        self.X = X.astype(np.uint8, copy=False) if _native.fits_u8(X) else X
        self.middle = plain.centre(self.X)

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        as_bytes = self.X.dtype == np.uint8 and _native.fits_u8(Q)
        Q = Q.astype(np.uint8, copy=False) if as_bytes else Q
        return plain.search(self.metric, Q, self.X, k, self.n_threads, middle=self.middle, as_bytes=as_bytes)[1]


class ScikitLearn:
    """NearestNeighbors by brute force: BLAS for L2, pairwise reductions for L1; both want floats."""

    def __init__(self, X: np.ndarray, metric: str, n_threads: int) -> None:
        from sklearn.neighbors import NearestNeighbors

        self.n_threads = n_threads
        self.model = NearestNeighbors(algorithm="brute", metric=metric).fit(X.astype(np.float32))

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(self.n_threads):
            return self.model.kneighbors(Q.astype(np.float32), k, return_distance=False)


class Faiss:
    """Flat index; as it has none for cosine, one of inner products of rows made 1 long."""

    def __init__(self, X: np.ndarray, metric: str, n_threads: int) -> None:
        import faiss

        faiss.omp_set_num_threads(n_threads)
        kinds = {"l1": faiss.METRIC_L1, "l2": faiss.METRIC_L2, "cosine": faiss.METRIC_INNER_PRODUCT}
        self.normalize = faiss.normalize_L2 if metric == "cosine" else None
        self.index = self._empty(X.shape[1], kinds[metric])
        self.index.add(self._rows(X))

    def _empty(self, cols: int, kind: int) -> Any:
        import faiss

        return faiss.IndexFlat(cols, kind)

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(self._rows(Q), k)[1]

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        rows = rows.astype(np.float32, order="C")
        if self.normalize:
            self.normalize(rows)
        return rows


class SciPyTree:
    """cKDTree: of L1 and L2."""

    def __init__(self, X: np.ndarray, metric: str, n_threads: int) -> None:
        from scipy.spatial import cKDTree

        self.n_threads = n_threads
        self.p = {"l1": 1, "l2": 2}[metric]
        self.tree = cKDTree(X)

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        return self.tree.query(Q, k, p=self.p, workers=self.n_threads)[1]


class Torch:
    """cdist and topk, some queries at a time."""

    def __init__(self, X: np.ndarray, metric: str, n_threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(n_threads)
        self.p = {"l1": 1.0, "l2": 2.0}[metric]
        self.X = torch.from_numpy(X.astype(np.float32))

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        step = max(1, TORCH_DISTANCES // len(self.X))
        parts = []
        for part in self.torch.from_numpy(Q.astype(np.float32)).split(step):
            parts.append(self.torch.cdist(part, self.X, p=self.p).topk(k, largest=False).indices.numpy())
        return np.concatenate(parts)


@dataclass(frozen=True)
class Peer:
    """A package, how to build its search, and how many queries it is given for each metric."""

    name: str
    package: str
    build: Callable[[np.ndarray, str, int], Any]
    queries: dict[str, int]

    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


PLAIN = Peer("fastclf plain", "fastclf", Plain, {"l1": 500, "l2": 500, "cosine": 500})
FAISS = Peer("faiss", "faiss", Faiss, {"l1": 50, "l2": 500, "cosine": 500})

PEERS = [
    FAISS,
    Peer("scikit-learn", "sklearn", ScikitLearn, {"l1": 16, "l2": 500}),
    Peer("torch", "torch", Torch, {"l1": 50, "l2": 500}),
]
