"""Approximate search by fastclf and by other packages, behind one small interface.

A search is built from rows for k neighbours; `settings` are what its `parameter` may be, the least work first, `set`
takes one of them, and `neighbors(Q, k)` gives indices of the rows found, -1 where there are too few. All graphs have
as many links and are built with as much effort.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from fastclf.bench import peers

RECALLS = (0.8, 0.9, 0.95, 0.98, 0.99)
EFFORTS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)
LINKS = 32
BUILDING_EFFORT = 200


class Search(Protocol):
    parameter: str
    settings: Sequence[float]

    def set(self, setting: float) -> None: ...

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray: ...


class FastClf(peers.FastClf):
    """fastclf's backend of FAISS's indexes, built for one recall."""

    parameter = "recall"

    def __init__(self, X: np.ndarray, metric: str, k: int, n_threads: int, recall: float) -> None:
        super().__init__(X, metric, n_threads, "faiss", k=k, recall=recall)
        self.settings = (recall,)

    def set(self, setting: float) -> None:
        """Do nothing: there is one."""


class FaissGraph(peers.Faiss):
    parameter = "efSearch"

    def __init__(self, X: np.ndarray, metric: str, k: int, n_threads: int) -> None:
        super().__init__(X, metric, n_threads)
        self.settings = efforts(k)

    def set(self, setting: float) -> None:
        self.index.hnsw.efSearch = setting

    def _empty(self, cols: int, kind: int) -> Any:
        import faiss

        index = faiss.IndexHNSWFlat(cols, LINKS, kind)
        index.hnsw.efConstruction = BUILDING_EFFORT
        return index


class HnswLib:
    parameter = "ef"

    def __init__(self, X: np.ndarray, metric: str, k: int, n_threads: int) -> None:
        import hnswlib

        self.settings = efforts(k)
        self.index = hnswlib.Index(metric, X.shape[1])
        self.index.init_index(len(X), M=LINKS, ef_construction=BUILDING_EFFORT)
        self.index.set_num_threads(n_threads)
        self.index.add_items(X)

    def set(self, setting: float) -> None:
        self.index.set_ef(setting)

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        return self.index.knn_query(Q, k)[0].astype(np.int64)


class USearch:
    """Of float32, as all others: by default it rounds to 16 bits where the processor has them."""

    parameter = "expansion_search"

    def __init__(self, X: np.ndarray, metric: str, k: int, n_threads: int) -> None:
        from usearch.index import Index

        self.settings = efforts(k)
        self.n_threads = n_threads
        kind = {"l2": "l2sq", "cosine": "cos"}[metric]
        self.index = Index(ndim=X.shape[1], metric=kind, dtype="f32", connectivity=LINKS, expansion_add=BUILDING_EFFORT)
        self.index.add(np.arange(len(X)), X, threads=n_threads)

    def set(self, setting: float) -> None:
        self.index.expansion_search = setting

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        found = self.index.search(Q, k, threads=self.n_threads)
        rows = np.where(np.isnan(found.distances), -1, found.keys.astype(np.int64))
        return rows.reshape(len(Q), -1)


def efforts(k: int) -> list[int]:
    """Candidates that a search in a graph remembers: no fewer than are asked for."""
    return [k, *(effort for effort in EFFORTS if effort > k)]


@dataclass(frozen=True)
class Tuned:
    """A search with one of its settings, to be timed beside others of the same search."""

    search: Search
    setting: float

    def neighbors(self, Q: np.ndarray, k: int) -> np.ndarray:
        self.search.set(self.setting)
        return self.search.neighbors(Q, k)


@dataclass(frozen=True)
class Method:
    """What it is called, which package it needs, and how to build it: of rows, a metric, k and a number of threads."""

    name: str
    package: str
    build: Callable[[np.ndarray, str, int, int], Any]

    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


METHODS = [
    *(Method("fastclf", "faiss", partial(FastClf, recall=recall)) for recall in RECALLS),
    Method(f"faiss HNSW{LINKS}", "faiss", FaissGraph),
    Method("hnswlib", "hnswlib", HnswLib),
    Method("usearch", "usearch", USearch),
]
