"""What is asked of FAISS: importing it, making an index of a description, searching as hard as said, threads."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.interrupts import in_new_thread

_INSTALL = "pip install fastclf[faiss]"
_PACKAGES = ("faiss-cpu", "faiss-gpu", "faiss")
# As pyproject.toml has it for the extra.
_OLDEST = (1, 12)  # those before end the process here and there
_BROKEN = ((1, 14, 2),)  # ends the process with an illegal instruction where AVX2 is missing

INNER_PRODUCT = "INNER_PRODUCT"  # FAISS's metric; its others are named by their norms

_FLAT = {"IndexFlat", "IndexFlatL2"}
_TAKE_ANY_NORM = _FLAT | {"IndexIVFFlat", "IndexHNSWFlat"}
_MOST_GRAPH_EFFORT = 4096

T = TypeVar("T")


@functools.cache
def imported() -> Any:
    """Import FAISS, or say what to install."""
    for package in _PACKAGES:
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        release = tuple(map(int, re.findall(r"\d+", str(version))[:3]))
        if release in _BROKEN or release < _OLDEST:
            raise ImportError(f"{package} {version} is known to crash; for another version: {_INSTALL} --upgrade")
    try:
        import faiss
    except ImportError as error:
        raise ImportError(f"backend='faiss' needs FAISS, which cannot be imported ({error}): {_INSTALL}") from error
    return faiss


def made(description: str, cols: int, metric: str, data: str) -> Any:
    """Make an empty index by a norm, where FAISS can; else by L2, whose nearest are compared by that norm later.

    Or by the inner product, which is no norm.
    """
    faiss = imported()
    if metric == INNER_PRODUCT:
        return heeded(description, data, faiss.index_factory, cols, description, faiss.METRIC_INNER_PRODUCT)
    index = heeded(description, data, faiss.index_factory, cols, description, faiss.METRIC_L2)
    quantizer = type(faiss.downcast_index(index.quantizer)).__name__ if hasattr(index, "quantizer") else None
    if metric != "L2" and type(index).__name__ in _TAKE_ANY_NORM and quantizer in _FLAT | {None}:
        return heeded(description, data, faiss.index_factory, cols, description, getattr(faiss, f"METRIC_{metric}"))
    return index


def heeded(description: str, data: str, call: Callable[..., T], *arguments: Any) -> T:
    """Call FAISS; its error becomes one that names the index and the data that it refuses."""
    try:
        return call(*arguments)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"index={description!r} does not go with the data, {data}: FAISS says: {error}") from error


def run(call: Callable[[], T], n_threads: int) -> T:
    """Call FAISS with this many threads; after a fork, which its pool of threads does not survive, in a new thread.

    Whoever used FAISS in the process that was forked: its pool is that of the thread, not of fastclf.
    """
    faiss = imported()

    def limited() -> T:
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(n_threads)  # of calls by this thread
        try:
            return call()
        finally:
            faiss.omp_set_num_threads(before)

    return in_new_thread(limited) if _native.was_forked() else limited()


def search(index: Any, vectors: NDArray[np.float32], count: int, effort: int, n_threads: int) -> NDArray[np.int64]:
    """Numbers of the rows nearest to each vector, -1 where there are too few."""
    index = _proposing(index)
    how = _parameters(index, effort)
    found: NDArray[np.int64] = run(lambda: index.search(vectors, count, params=how)[1], n_threads)
    return found


def _proposing(index: Any) -> Any:
    """Return an index without its refinement: that is left to fastclf."""
    faiss = imported()
    part = faiss.downcast_index(index)
    if isinstance(part, faiss.IndexRefine):
        part = faiss.downcast_index(part.base_index)
    # A part does not keep the whole: without this, a search in another thread that was given up could lose its index.
    part.referenced_objects = [index]
    return part


def _searched(index: Any) -> Any:
    """Return the part of an index that has an effort."""
    faiss = imported()
    index = _proposing(index)
    return faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index


def is_graph(index: Any) -> bool:
    """Whether the effort is the number of rows remembered on the way through a graph."""
    return isinstance(_searched(index), imported().IndexHNSW)


def most_effort(index: Any) -> int:
    """Return the most lists to look into, or rows of a graph to remember; 1 of other indexes."""
    faiss = imported()
    part = _searched(index)
    if isinstance(part, faiss.IndexIVF):
        return int(part.nlist)
    return _MOST_GRAPH_EFFORT if isinstance(part, faiss.IndexHNSW) else 1


def _parameters(index: Any, effort: int) -> Any:
    """Parameters of one search, which leave the index as it is: others may search it at the same time."""
    faiss = imported()
    if isinstance(index, faiss.IndexPreTransform):
        inner = _parameters(faiss.downcast_index(index.index), effort)
        return inner and faiss.SearchParametersPreTransform(index_params=inner)
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF(nprobe=effort)
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(efSearch=effort)
    return None


def code_bytes(index: Any) -> int:
    """Bytes that a row takes in an index: its code or values, its number in a list, its links in a graph."""
    faiss = imported()
    part = _searched(index)
    if isinstance(part, faiss.IndexHNSW):
        return int(part.storage.sa_code_size() + 4 * part.hnsw.nb_neighbors(0))
    return int(getattr(part, "code_size", 4 * part.d)) + 8 * isinstance(part, faiss.IndexIVF)
