"""Searches and fits whose rows lie in several places: pure functions, for any engine that runs tasks.

A search asks each place for its nearest (`index_rows`, `nearest`) and merges their lists (`merge`). A linear fit adds
up the places' sums (`loss_and_gradient`). `fastclf.dask` runs these on Dask; docs/scale.md shows Ray and Spark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastclf.shards._merging import merge
from fastclf.shards._neighbors import Neighbors, Shard, index_rows, nearest

if TYPE_CHECKING:
    from fastclf.shards._linear import loss_and_gradient

__all__ = ["Neighbors", "Shard", "index_rows", "loss_and_gradient", "merge", "nearest"]


def __getattr__(name: str) -> Any:
    if name != "loss_and_gradient":
        raise AttributeError(f"module 'fastclf.shards' has no attribute {name!r}")
    from fastclf.shards._linear import loss_and_gradient  # here, as it brings in scikit-learn

    return loss_and_gradient
