"""Searches in stages: sketches drop the rows that are proved too far, and only the others are compared in full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._growing import GrowingArray
from fastclf.backends import plain
from fastclf.backends.sketches import Sketch, Sketcher

# Each neighbour is compared in full at least twice: to set a limit, and when its row passes by. More than this share of
# the time of a plain search for that is too much.
_REFINED_TWICE = 2
_MOST_REFINED = 0.15


@dataclass(frozen=True)
class Stage:
    """One sieve of a cascade: sketches of all rows; see `fc_stage` in csrc/fastclf.h.

    `left` is the share of the rows that it left of a sample.
    """

    words: str
    adds: bool
    skew: float
    unit: float
    tilt: float
    cost: float
    left: float
    codes: GrowingArray
    terms: GrowingArray

    @property
    def rows(self) -> Sketch:
        """The sketches."""
        return Sketch(self.codes.view, self.terms.view)

    def appended(self, more: Sketch) -> Stage:
        """Return the stage with the sketches of more rows."""
        return replace(self, codes=self.codes.appended(more.codes), terms=self.terms.appended(more.terms))

    def keeping(self, kept: NDArray[np.bool_]) -> Stage:
        """Return the stage with the sketches of some rows."""
        return replace(self, codes=GrowingArray(self.codes.view[kept]), terms=GrowingArray(self.terms.view[kept]))


@dataclass
class Tally:
    """What searches did: pairs that came to each stage and to refining, the time these took, and queries given up."""

    pairs: NDArray[np.float64]
    seconds: NDArray[np.float64]
    sketching: float = 0.0
    given_up: int = 0

    def add_plain(self, n_queries: int, n_rows: int, *, has_stages: bool) -> None:
        """Count a search that compared all in full, though there may be stages."""
        self.pairs[-1] += n_queries * n_rows
        self.given_up += n_queries if has_stages else 0

    def add_staged(self, told: list[tuple[float, float]], sketching: float, given_up: int) -> None:
        """Count a search in stages, of which the kernel has told pairs and seconds."""
        pairs, seconds = np.transpose(told)
        self.pairs += pairs
        self.seconds += seconds
        self.sketching += sketching
        self.given_up += given_up


@dataclass(frozen=True)
class Cascade:
    """Stages, in order, and how their sketches are made; without stages a search is plain.

    `refine_cost` is the cost of a distance, in plain comparisons of a query with a row; `cost` that of one query of
    many, in nanoseconds as of `choosing.Costs`.
    """

    metric: str
    centre: NDArray[np.float32] | None
    refine_cost: float
    sketchers: tuple[Sketcher, ...] = ()
    stages: tuple[Stage, ...] = ()
    cost: float = np.inf

    def appended(self, X: NDArray[Any], n_threads: int) -> Cascade:
        """Return the cascade with more rows."""
        more = self.sketches(X, n_threads)
        return replace(self, stages=tuple(s.appended(sketch) for s, sketch in zip(self.stages, more, strict=True)))

    def keeping(self, kept: NDArray[np.bool_]) -> Cascade:
        """Return the cascade with some rows."""
        return replace(self, stages=tuple(stage.keeping(kept) for stage in self.stages))

    def sketches(self, X: NDArray[Any], n_threads: int) -> Iterator[Sketch]:
        """Sketch rows, for one stage after the other."""
        for sketcher in self.sketchers:
            yield from sketcher.sketch(X, self.centre, n_threads)

    def tally(self) -> Tally:
        """Return a tally of nothing yet."""
        return Tally(np.zeros(len(self.stages) + 1), np.zeros(len(self.stages) + 1))

    def pays(self, k: int, n_rows: int) -> bool:
        """Whether there are stages, and not so many neighbours that comparing these in full takes too long."""
        return bool(self.stages) and _REFINED_TWICE * k * self.refine_cost <= _MOST_REFINED * n_rows

    def search(
        self,
        Q: NDArray[Any],
        X: NDArray[Any],
        k: int,
        n_threads: int,
        *,
        own: NDArray[np.int64] | None = None,
        as_bytes: bool = False,
        tally: Tally | None = None,
    ) -> plain.Found:
        """Distances and indices, as `plain.search` gives them; with `own`, query i is row own[i] of X."""
        staged = self.pays(k, len(X))
        distances, indices = plain.room(len(Q), k)
        given_up = np.zeros(len(Q), dtype=np.uint8)
        start = time.perf_counter()
        stages = self._with_queries(Q, own, n_threads) if staged else []
        sketched = time.perf_counter()
        told = _native.knn(
            self.metric, Q, X, k, self.centre, own, as_bytes, n_threads, distances, indices,
            stages, self.refine_cost, given_up, staged and tally is not None,
        )  # fmt: skip
        hard = np.flatnonzero(given_up)
        if len(hard):
            found, own_hard = plain.room(len(hard), k), None if own is None else own[hard]
            _native.knn(self.metric, Q[hard], X, k, self.centre, own_hard, as_bytes, n_threads, *found)
            distances[hard], indices[hard] = found
        if tally is not None and told is not None:
            tally.add_staged(told, sketched - start, len(hard))
        elif tally is not None:
            tally.add_plain(len(Q), len(X), has_stages=bool(self.stages))
        return distances, indices

    def _with_queries(self, Q: NDArray[Any], own: NDArray[np.int64] | None, n_threads: int) -> list[tuple[Any, ...]]:
        """Sketch the queries; the stages as the kernel wants them."""
        rows = [stage.rows for stage in self.stages]
        if own is None:
            queries = list(self.sketches(Q, n_threads))
        else:
            queries = [Sketch(codes[own], terms[own]) for codes, terms in rows]
        return [
            (q, x, stage.adds, stage.skew, stage.unit, stage.tilt, stage.cost)
            for q, x, stage in zip(queries, rows, self.stages, strict=True)
        ]
