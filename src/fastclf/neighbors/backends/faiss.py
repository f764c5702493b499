"""Which index FAISS is to build: the one described or, where none is, one that suits the rows.

The latter is inverted lists of vectors in four bits for every few features, which FAISS compares in registers [1]_.
fastclf compares the rows that they propose in full. On pictures and embeddings of 8 to 768 features that was as fast as
a graph (HNSW) or up to three times as fast, and sooner built. Few rows are compared one by one. Where the codes do not
tell vectors apart well enough, the lists hold the vectors as they are.

.. [1] F. Andre, A.-M. Kermarrec and N. Le Scouarnec, "Quicker ADC: unlocking the hidden potential of product
   quantization with SIMD", IEEE TPAMI 2021.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf.neighbors.backends import faiss_api
from fastclf.neighbors.backends.approximate import Approximate
from fastclf.neighbors.backends.libraries import chosen, wanted_recall
from fastclf.neighbors.backends.protocol import Wanted
from fastclf.neighbors.backends.rows import Rows
from fastclf.neighbors.backends.vectors import Vectors

_FEW_ROWS = 8192  # that are best compared one by one
_FEATURES_A_CODE = ((64, 1), (512, 2))  # up to this many features; then
_MOST_FEATURES_A_CODE = 4
_LISTS = 2.5  # times the square root of the number of rows
_LEAST_A_LIST = 64  # rows: FAISS complains of fewer than 39 to learn from
_TRAINING_A_LIST = 64  # rows
_TRAINING_ROWS = 1 << 16  # at least, where there are as many

# What a search reads, in bytes that take as long: of tables made for a list, a feature; of a graph, rows for each unit
# of effort.
_TABLES = 16
_VISITED = 32


class Plan(NamedTuple):
    """What FAISS is to build: its description, the length of the vectors, and FAISS's metric to search by."""

    description: str
    cols: int
    metric: str

    def begun(self, rows: Rows, others: NDArray[np.int64], n_threads: int) -> Index:
        """See `fastclf.neighbors.backends.libraries.Plan`: it learns from a sample of the other rows."""
        X, vectors = rows.view, Vectors.learned(rows.metric, rows.view, self.cols)
        data = f"{X.shape[0]} rows of {X.shape[1]} features"
        index = faiss_api.made(*self, data)
        if not index.is_trained:
            count = min(len(others), max(_TRAINING_ROWS, _TRAINING_A_LIST * faiss_api.most_effort(index)))
            sample = vectors.of(X[others[chosen(len(others), count)]])
            data += f" (it learns from {count} of them; {len(X) - len(others)} are held out, to measure the recall)"
            faiss_api.run(lambda: faiss_api.heeded(self.description, data, index.train, sample), n_threads)
        return Index(index, self, vectors, len(X))


def plans(rows: Rows, wanted: Wanted) -> Iterator[Plan]:
    """Go through what may be built, what is cheapest to search first."""
    n, d = rows.view.shape
    traits = _native.Traits(rows.metric)
    metric = faiss_api.INNER_PRODUCT if traits.is_product else traits.norm
    if wanted.index is not None:
        yield Plan(wanted.index, d, metric)
        return
    cols = d + traits.at_unit_length  # for rows of zeros: see unit_rows
    if n >= _FEW_ROWS and wanted_recall(wanted) < 1:
        lists = 2 ** round(math.log2(min(_LISTS * math.sqrt(n), n / _LEAST_A_LIST)))
        together = next((few for most, few in _FEATURES_A_CODE if d <= most), _MOST_FEATURES_A_CODE)
        codes = -(-cols // together)
        yield Plan(f"IVF{lists},PQ{codes}x4fs", codes * together, metric if traits.is_product else "L2")
        yield Plan(f"IVF{lists},Flat", cols, metric)
    else:
        yield Plan("Flat", cols, metric)


class Faiss(Approximate):
    """An approximate index by FAISS; see `fastclf.neighbors.backends.protocol.Backend`."""

    plans = staticmethod(plans)


class Index:
    """See `fastclf.neighbors.backends.libraries.Library`."""

    def __init__(self, index: Any, plan: Plan, vectors: Vectors, n_rows: int) -> None:
        self._held, self._plan, self._vectors, self._n_rows = index, plan, vectors, n_rows
        self.most_effort = faiss_api.most_effort(index)
        self.proposes_effort = faiss_api.is_graph(index)

    @property
    def _index(self) -> Any:
        """FAISS's index; of an unpickled model made when it is first asked for, as FAISS trusts what it reads."""
        if isinstance(self._held, np.ndarray):
            self._held = faiss_api.imported().deserialize_index(self._held)
        return self._held

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the index as bytes."""
        held = self._held
        saved = held if isinstance(held, np.ndarray) else faiss_api.imported().serialize_index(held)
        return {**vars(self), "_held": saved}

    @property
    def row_bytes(self) -> int:
        """Bytes of a row's code or values, number and links."""
        return faiss_api.code_bytes(self._index)

    def effort_bytes(self, n_rows: int) -> float:
        """Bytes read for each list, or step in a graph."""
        if self.proposes_effort:
            return self.row_bytes * _VISITED
        return self.row_bytes * n_rows / self.most_effort + _TABLES * self._plan.cols

    def add(self, X: NDArray[Any], n_threads: int) -> None:
        """Add rows; only while nobody else uses it."""
        vectors, data = self._vectors.of(X), f"{self._n_rows} rows of {self._vectors.cols} values"
        add = self._index.add
        faiss_api.run(lambda: faiss_api.heeded(self._plan.description, data, add, vectors), n_threads)

    def search(self, Q: NDArray[Any], count: int, effort: int, n_threads: int) -> NDArray[np.int64]:
        """Return numbers of rows near each query, -1 where there are too few."""
        return faiss_api.search(self._index, self._vectors.of(Q), count, effort, n_threads)

    def cloned(self) -> Index | None:
        """Return a copy to add rows to; FAISS does not copy all kinds."""
        clone = Index.__new__(Index)
        clone.__dict__.update(vars(self))
        try:
            clone._held = faiss_api.imported().clone_index(self._index)
        except RuntimeError:
            return None
        return clone
