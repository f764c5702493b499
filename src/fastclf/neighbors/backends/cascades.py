"""Searches in stages: sketches drop the rows that are proved too far, and only the others are compared in full."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.growing import GrowingArray
from fastclf.neighbors.backends import plain
from fastclf.neighbors.backends.sketches import Sketch, Sketcher

# Each neighbour is compared in full at least twice: to set a threshold, and when its row passes by. That must
# not take more than this share of the time of a plain search.
_REFINED_TWICE = 2
_MOST_REFINED = 0.15


@dataclass(frozen=True)
class Stage:
    """One stage of a cascade: sketches of all rows, which prune; see `fc_stage` in csrc/fastclf.h.

    `adds` says that it is the level of numbers after the stage before. A stage that is `finer` compares the same codes
    as the stage before with what that one's codes leave of the queries. `left` is the share of a sample's rows that
    survive it.
    """

    words: str
    adds: bool
    gram_excess: float
    unit: float
    young_weight: float
    cost: float
    left: float
    codes: GrowingArray
    terms: GrowingArray
    finer: bool = False

    @property
    def adds_what(self) -> str:
        """What it adds to the stage before: a name in `_native.ADDS`."""
        if self.finer:
            return "finer"
        return "numbers" if self.adds else "nothing"

    @property
    def row_bytes(self) -> int:
        """Bytes it takes, a row."""
        return 0 if self.finer else int(self.codes.view.shape[1] + self.terms.view.shape[1])

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

    def sharing(self, other: Stage) -> Stage:
        """Return the stage with the sketches of another."""
        return replace(self, codes=other.codes, terms=other.terms)


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
        """Count a search in stages, whose pairs and seconds the kernel has told."""
        pairs, seconds = np.transpose(told)
        self.pairs += pairs
        self.seconds += seconds
        self.sketching += sketching
        self.given_up += given_up


@dataclass(frozen=True)
class Cascade:
    """Stages, in order, and how their sketches are made; without stages a search is plain.

    Rows are sketched less the `centre`; so are queries, but not for inner products.
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
        return self._with_stages(lambda stage: stage.appended(next(more)))

    def keeping(self, kept: NDArray[np.bool_]) -> Cascade:
        """Return the cascade with some rows."""
        return self._with_stages(lambda stage: stage.keeping(kept))

    def _with_stages(self, renewed: Callable[[Stage], Stage]) -> Cascade:
        """Return the cascade with other rows; a finer stage has those of the stage before."""
        stages: list[Stage] = []
        for stage in self.stages:
            stages.append(stage.sharing(stages[-1]) if stage.finer else renewed(stage))
        return replace(self, stages=tuple(stages))

    def sketches(self, X: NDArray[Any], n_threads: int) -> Iterator[Sketch]:
        """Sketch rows, for one stage after the other; finer ones are of queries only."""
        for sketcher in self.sketchers:
            yield from sketcher.sketch(X, self.centre, n_threads)

    def query_sketches(self, Q: NDArray[Any], n_threads: int) -> Iterator[Sketch]:
        """Sketch queries, for one stage after the other."""
        for sketcher in self.sketchers:
            yield from sketcher.sketch(Q, self._query_centre, n_threads, as_queries=True)

    @property
    def _query_centre(self) -> NDArray[np.float32] | None:
        return None if _native.Traits(self.metric).is_product else self.centre

    def tally(self) -> Tally:
        """Return a tally of nothing yet."""
        return Tally(np.zeros(len(self.stages) + 1), np.zeros(len(self.stages) + 1))

    def pays(self, k: int, n_rows: int) -> bool:
        """Whether there are stages, and few enough neighbours that comparing these in full is quick."""
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
        limits: NDArray[np.float64] | None = None,
        tally: Tally | None = None,
    ) -> plain.Found:
        """Distances and indices, as `plain.search` gives them; with `own`, query i is row own[i] of X.

        Rows farther than a query's limit may be missing.
        """
        staged = self.pays(k if limits is None else 1, len(X))  # within limits there are mostly few rows
        distances, indices = plain.allocate(len(Q), k)
        given_up = np.zeros(len(Q), dtype=np.uint8)
        start = time.perf_counter()
        stages = self._with_queries(Q, own, n_threads) if staged else []
        sketched = time.perf_counter()
        told = _native.knn(
            self.metric, Q, X, k, self.centre, own, as_bytes, n_threads, distances, indices,
            stages, self.refine_cost, given_up, staged and tally is not None, limits,
        )  # fmt: skip
        hard = np.flatnonzero(given_up)
        if len(hard):
            found = plain.allocate(len(hard), k)
            own_hard, limit = None if own is None else own[hard], None if limits is None else limits[hard]
            _native.knn(self.metric, Q[hard], X, k, self.centre, own_hard, as_bytes, n_threads, *found, limit=limit)
            distances[hard], indices[hard] = found
        if tally is not None and told is not None:
            tally.add_staged(told, sketched - start, len(hard))
        elif tally is not None:
            tally.add_plain(len(Q), len(X), has_stages=bool(self.stages))
        return distances, indices

    def _with_queries(self, Q: NDArray[Any], own: NDArray[np.int64] | None, n_threads: int) -> list[tuple[Any, ...]]:
        """Sketch the queries; the stages as the kernel wants them."""
        rows = [stage.rows for stage in self.stages]
        if own is None or self._query_centre is not self.centre or any(stage.finer for stage in self.stages):
            queries = list(self.query_sketches(Q, n_threads))
        else:
            queries = [Sketch(codes[own], terms[own]) for codes, terms in rows]
        adds = [_native.ADDS[stage.adds_what] for stage in self.stages]
        return [
            (q, x, how, stage.gram_excess, stage.unit, stage.young_weight, stage.cost)
            for q, x, how, stage in zip(queries, rows, adds, self.stages, strict=True)
        ]
