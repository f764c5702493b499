"""Ballots: which neighbours vote on a query, and how much each vote weighs; rows may stand for several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf._shared import validation as check
from fastclf.neighbors import searching
from fastclf.neighbors.memory import Memory
from fastclf.neighbors.voting import Weights, vote_weights, weighted_by

# Which queries, the rows that vote on each, and the weights of their votes (None: one each).
Ballot = tuple[slice | NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None]

# Weights that were scaled to sum to k may miss it by rounding.
_ROUNDING = 1e-9


def row_masses(sample_weight: ArrayLike, n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how many rows each stands for, and which stand for any; weights below 1 are shares, of a mean of 1."""
    masses = check.weights_of(sample_weight, (n_rows,), "sample_weight").copy()
    kept = masses > 0
    if not kept.any():
        raise ValueError("sample_weight is zero for all rows: at least one has to count")
    if masses.max() < 1:
        masses /= masses.max()  # first, as the sum may be too small for float64
        masses /= masses[kept].mean()
    return masses, kept


def ballots(memory: Memory, queries: NDArray[Any] | None, k: int, weights: Weights, n_threads: int) -> Iterator[Ballot]:
    """Go through the queries, or all rows, with those who vote; what has not enough neighbours raises."""
    if memory.masses is not None:
        yield from _ballots_by_mass(memory, queries, k, weights, n_threads)
        return
    count = searching.checked_count(memory.backend, queries, k)
    for part, some in searching.in_parts(queries, count):
        distances, indices = memory.backend.query(some, count, n_threads)
        yield part, indices, vote_weights(weights, distances)


def _ballots_by_mass(
    memory: Memory, queries: NDArray[Any] | None, k: int, weights: Weights, n_threads: int
) -> Iterator[Ballot]:
    """Look for ever more neighbours, until they stand for k rows."""
    masses, backend = _masses_for(memory, check.neighbor_count(k), queries is None), memory.backend
    others = backend.n_rows - (queries is None)
    open_, count = np.arange(backend.n_rows if queries is None else len(queries)), min(k, others)
    while len(open_):
        left = []
        for part, _ in searching.in_parts(open_, count):
            some = open_[part]
            of_some = None if queries is None else queries[some]
            distances, indices = searching.nearest_to(backend, of_some, some, count, n_threads)
            share = masses[indices]
            before = np.cumsum(share, axis=1) - share
            is_settled = (before[:, -1] + share[:, -1] >= k) | (count == others)
            if is_settled.any():
                votes = np.clip(k - before, 0, share)[is_settled]
                yield some[is_settled], indices[is_settled], weighted_by(votes, weights, distances[is_settled])
            left.append(some[~is_settled])
        open_, count = np.concatenate(left), min(2 * count, others)


def _masses_for(memory: Memory, k: int, without_own: bool) -> NDArray[np.float64]:
    """Return masses of at most k, if they come to k for each query."""
    assert memory.masses is not None
    masses: NDArray[np.float64] = np.minimum(memory.masses.view, k)
    total = float(masses.sum() - (masses.max() if without_own else 0))
    if k > total * (1 + _ROUNDING):
        what = "the sum of sample_weight" + ", without a row itself" * without_own
        raise ValueError(f"Expected k <= {what}, but k = {k}, the sum = {total}")
    return masses
