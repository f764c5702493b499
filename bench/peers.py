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

TORCH_DISTANCES = 1 << 25  # at a time: 128 MiB


class FastClf:
    """fastclf's exact backend."""

    def __init__(self, X: np.ndarray, metric: str, n_threads: int) -> None:
        self.model = fastclf.KNN(metric=metric, n_threads=n_threads).fit(X, np.zeros(len(X), dtype=np.int64))

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        return self.model.kneighbors(Q, k, return_distance=False)


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
    """Flat index."""

    def __init__(self, X: np.ndarray, metric: str, n_threads: int) -> None:
        import faiss

        faiss.omp_set_num_threads(n_threads)
        self.index = faiss.IndexFlat(X.shape[1], {"l1": faiss.METRIC_L1, "l2": faiss.METRIC_L2}[metric])
        self.index.add(X.astype(np.float32))

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(Q.astype(np.float32), k)[1]


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


PEERS = [
    Peer("faiss", "faiss", Faiss, {"l1": 50, "l2": 500}),
    Peer("scikit-learn", "sklearn", ScikitLearn, {"l1": 16, "l2": 500}),
    Peer("torch", "torch", Torch, {"l1": 50, "l2": 500}),
]
