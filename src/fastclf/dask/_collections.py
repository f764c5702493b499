"""Dask's arrays and data frames as blocks of rows, one task each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed
from sklearn.utils.validation import validate_data

from fastclf._shared import validation as check


def is_lazy(a: object) -> TypeGuard[Any]:
    """Whether `a` is a collection of Dask's."""
    return bool(dask.is_dask_collection(a))


def is_frame(a: Any) -> bool:
    """Whether a collection is a data frame."""
    return hasattr(a, "columns")


def check_rows(model: Any, X: Any, reset: bool) -> None:
    """Raise unless X is a collection of rows, in blocks of whole rows, with the features that the model knows.

    With `reset` the model gets to know them.
    """
    if not is_lazy(X) or not hasattr(X, "to_delayed") or getattr(X, "ndim", 0) != 2:
        what = f"{type(X).__name__} of {X.ndim} dimensions" if hasattr(X, "ndim") else type(X).__name__
        raise TypeError(f"X must be a Dask array of two dimensions or a Dask data frame, got {what}")
    if isinstance(X, da.Array) and X.numblocks[1] != 1:
        raise ValueError(
            f"X has its features in {X.numblocks[1]} chunks: a chunk must hold whole rows, as those of "
            f"X.rechunk({{1: -1}}) do"
        )
    if isinstance(X, da.Array) and np.isnan(X.shape[1]):
        raise ValueError(
            "X has an unknown number of features: say it where X is made, or find it by X.compute_chunk_sizes()"
        )
    like = X._meta if is_frame(X) else np.empty((0, X.shape[1]))
    validate_data(model, like, reset=reset, skip_check_array=True)


def blocks(a: Any) -> list[Delayed]:
    """Return the blocks of rows of a collection."""
    found: list[Delayed] = np.ravel(a.to_delayed()).tolist()
    return found


def sizes(a: Any) -> tuple[int, ...] | None:
    """Return how many rows each block has, if that is known."""
    if not isinstance(a, da.Array) or np.isnan(a.chunks[0]).any():
        return None
    return tuple(int(size) for size in a.chunks[0])


def blocks_beside(X: Any, y: Any, name: str) -> list[Delayed]:
    """Return one block of `y`, which has an entry for each row, for each block of X."""
    of_X = sizes(X)
    if not is_lazy(y):
        y = _as_lazy(y, of_X, name)
    if not hasattr(y, "to_delayed"):
        raise TypeError(f"{name} must be a Dask array or a column of a Dask data frame, got {type(y).__name__}")
    of_y = sizes(y)
    if of_X is not None and of_y is not None and of_X != of_y:
        if sum(of_X) != sum(of_y):
            raise ValueError(f"{name} has {sum(of_y)} entries, but X has {sum(of_X)} rows")
        y = y.rechunk((of_X, *y.chunks[1:]))
    if getattr(y, "ndim", 1) == 2 and isinstance(y, da.Array):
        y = y.rechunk({1: -1})
    found = blocks(y)
    if len(found) != len(blocks(X)):
        raise ValueError(
            f"{name} has {len(found)} chunks, but X has {len(blocks(X))}, and not all sizes are known: compute them "
            f"(compute_chunk_sizes), or chunk both alike"
        )
    return found


def _as_lazy(y: Any, of_X: tuple[int, ...] | None, name: str) -> Any:
    """Return an array in memory as a Dask array in blocks like those of X."""
    array = check.labels_array(y, name)
    if array.ndim == 0:
        raise TypeError(f"{name} must have an entry for each row of X, got {y!r}")
    if of_X is None:
        raise ValueError(f"{name} is in memory, but X has chunks of unknown sizes: give {name} as X is, in chunks")
    if len(array) != sum(of_X):
        raise ValueError(f"{name} has {len(array)} entries, but X has {sum(of_X)} rows")
    return da.from_array(array, chunks=(of_X, *array.shape[1:]))


def in_batches(X: Any, most: int) -> Any:
    """Return a collection in blocks of at most so many rows, where their sizes are known."""
    of_X = sizes(X)
    if of_X is None or max(of_X, default=0) <= most:
        return X
    finer = [min(most, size - start) for size in of_X for start in range(0, max(size, 1), most)]
    return X.rechunk({0: tuple(finer)})


def array_of(tasks: Sequence[Delayed], like: Any, batches: Any, width: tuple[int, ...], dtype: Any) -> da.Array:
    """Return what tasks give for each block of `batches` as one array, in blocks like those of `like`."""
    heights: Sequence[float] = sizes(batches) or [np.nan] * len(tasks)
    parts = [da.from_delayed(task, (height, *width), dtype=dtype) for task, height in zip(tasks, heights, strict=True)]
    whole: da.Array = da.concatenate(parts, axis=0, allow_unknown_chunksizes=True)
    return whole if batches is like else whole.rechunk({0: like.chunks[0]})
