"""Which sketches a search should use, and in which order: chosen at fit by how many pairs of a sample survive."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared import threads
from fastclf._shared.growing import GrowingArray
from fastclf._shared.interrupts import aside
from fastclf.neighbors.backends import plain, sketches, speeds
from fastclf.neighbors.backends.cascades import Cascade, Stage
from fastclf.neighbors.backends.sketches import TERMS, Grouping, Sketch, Sketcher

_SEED = 0

# Rows to learn from, others to measure with, and queries among the former; fewer of few or wide rows.
_LEARNED_ROWS = 2048
_LEARNED_SHARE = 8
_MEASURED_ROWS = 1024
_SAMPLE_VALUES = 1 << 23
_QUERIES = 32
_WELL_INSIDE = (1e-65, 1e65)  # of float64: a plain search of values whose squares leave its range takes long
_NEIGHBORS = 10

# Smaller problems are left alone: learning would take longer than it could save in thousands of searches. The least
# time is that of comparing a query with all rows, in nanoseconds as of `Costs`.
LEAST_ROWS = 4000
LEAST_TIME = 2e5
LEAST_FEATURES = 24
_MOST_FEATURES = 1 << 15

_DIRECTIONS = (16, 32, 64, 96, 128, 192, 256)  # more, or wider rows, want another look at by_directions' gram_excess
_MOST_STAGES = 3
_MOST_BYTES = 0.5  # of all sketches, by those of X
WORTHWHILE = 0.8  # of the time of a plain search


@dataclass(frozen=True)
class Costs:
    """What the parts of a search take, in nanoseconds: what a feature takes is measured, others are typical.

    The rows may be one of some `parts`: limits that one has found are there for the others.
    """

    traits: _native.Traits
    kind: str
    rows: int
    features: int
    parts: int = 1

    PRUNING: ClassVar = 0.3  # a pair
    THRESHOLDS: ClassVar = 1500.0  # of a plain search for a query, to find its thresholds
    SURVIVOR: ClassVar = 30.0  # a pair that passes, and
    SURVIVOR_BYTE: ClassVar = 1 / 18  # of its next sketch
    REFINE: ClassVar = 150.0  # a distance, and
    # Of its rows, most of it waiting for memory.
    REFINE_FEATURE: ClassVar = {"u1": 0.08, "i1": 0.08, "f2": 0.25, "f4": 0.4, "f8": 0.9}
    WARM_UP: ClassVar = 60  # distances before there is a good threshold
    FEATURE: ClassVar = 1.5  # to read it and to add it to a sum

    def _tile(self, kind: str) -> float:
        return speeds.feature(self.traits.norm, kind, self.rows * self.features)

    @classmethod
    def of(cls, metric: str, X: NDArray[Any], parts: int = 1) -> Costs:
        """Return the costs of searching X."""
        n, d = X.shape
        return cls(_native.Traits(metric), speeds.kind_of(X.dtype), n, d, parts)

    @property
    def plain(self) -> float:
        """A plain search for a query."""
        return self.THRESHOLDS / self.parts + self.rows * self.pair

    @property
    def pair(self) -> float:
        """A plain comparison of a query with a row."""
        return self.features * self._tile(self.kind) + self.PRUNING

    @property
    def refine(self) -> float:
        """A distance; of products it takes the row's length, too."""
        sums = 2 if self.traits.at_unit_length or self.traits.is_product else 1
        return float(sums * (self.REFINE + self.features * self.REFINE_FEATURE[self.kind]))

    def stage(self, cols: int, *, first: bool) -> float:
        """Compare two sketches."""
        return cols * self._tile("u1") + self.PRUNING if first else self.SURVIVOR + cols * self.SURVIVOR_BYTE

    def query(self, chain: Sequence[Candidate], left: Sequence[float]) -> float:
        """Search for a query, with stages that leave these shares of the rows."""
        each = [self.stage(cols, first=i == 0) for i, cols in enumerate(added_cols(chain))]
        work = self.rows * sum(c * share for c, share in zip([*each, self.refine], [1.0, *left], strict=True))
        directions = max((candidate.cols for candidate in chain if candidate.is_level), default=0)
        passes = sum(candidate.sketcher is not None for candidate in chain) + (directions > 0)
        projection = directions * self._tile("f4") if directions else 0.0  # for the norm L2
        sketching = self.features * (projection + passes * self.FEATURE)
        return work + sketching + self.WARM_UP / self.parts * self.refine


@dataclass(frozen=True)
class Candidate:
    """A stage that might be, and which of the sampled pairs it leaves.

    Without a sketcher of its own it is a level of the sketch by directions, and counts all levels up to its `cols`, or
    it is finer: it compares the codes of the stage before with finer ones of the queries. `then` may follow it.
    """

    words: str
    cols: int
    sketcher: Sketcher | None
    leaves: NDArray[np.bool_]
    young_weight: float
    then: Candidate | None = None
    is_finer: bool = False

    @property
    def is_level(self) -> bool:
        """Whether it adds to the level before."""
        return self.sketcher is None and not self.is_finer


def added_cols(chain: Sequence[Candidate]) -> list[int]:
    """Return the columns of each stage, without those that it adds to."""
    before = 0
    cols = []
    for candidate in chain:
        cols.append(candidate.cols - before if candidate.is_level else candidate.cols)
        before = candidate.cols if candidate.is_level else 0
    return cols


# Numbers of queries and of rows, by level.
Levels = tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]


class _Sample:
    """Rows to learn from, and pairs of others whose distances are to be bounded."""

    def __init__(
        self, metric: str, X: NDArray[Any], centre: NDArray[np.float32] | None, n_threads: int, parts: int
    ) -> None:
        n, d = X.shape
        count = max(256, min(_LEARNED_ROWS, _SAMPLE_VALUES // d, n // _LEARNED_SHARE))
        order = np.random.default_rng(_SEED).choice(n, min(n, count + _MEASURED_ROWS), replace=False)
        own = np.sort(order[:_QUERIES])
        k = min(max(1, _NEIGHBORS // parts), n - 1)  # as far as so many of all parts
        nearest = plain.search(metric, X[own], X, k, n_threads, middle=centre, own=own)[0][:, -1]
        learned = X[np.sort(order[:count])].astype(np.float64)
        self.metric, self.traits = metric, _native.Traits(metric)
        self.centre = centre
        self.n_threads = n_threads
        self.is_bytes = X.itemsize == 1
        self.queries, self.rows = X[own], X[np.sort(order[count:])]
        at_unit_length = self.traits.at_unit_length
        self.learned = sketches.unit(learned) if at_unit_length else learned
        self.middle = 0.0 if centre is None or at_unit_length else centre.astype(np.float64)
        self.reach = self._reach(nearest)

    def _reach(self, nearest: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distances as lengths; products with the rows less the centre."""
        if self.traits.is_product:
            return np.asarray(nearest - self.queries.astype(np.float64) @ self.middle)
        return np.array([self.traits.length(distance) for distance in nearest])

    def pairs_of(self, sketcher: Sketcher) -> Iterator[tuple[Sketch, Sketch]]:
        """Sketches of the queries and the rows, by level."""
        of_queries = None if self.traits.is_product else self.centre
        q = sketcher.sketch(self.queries, of_queries, self.n_threads)
        return zip(q, sketcher.sketch(self.rows, self.centre, self.n_threads), strict=True)

    def candidate(
        self, words: str, cols: int, sketcher: Sketcher | None, lengths: Any, q: Sketch, x: Sketch, **more: Any
    ) -> Candidate:
        """Return a candidate whose sketches differ by `lengths`; q and x are their last level."""
        leaves = ~(lengths - q.error[:, None] - x.error > self.reach[:, None])
        error, typical = float(np.median(x.error)), float(np.median(self.reach))
        young_weight = error / typical if 0 < error < np.inf and typical > 0 else 1.0
        return Candidate(words, cols, sketcher, leaves, young_weight, **more)

    def finer(self, sketcher: Sketcher, x: Sketch) -> Candidate:
        """Return the stage that may follow one by groups, which has sketched the rows as x."""
        how = replace(sketcher, finer=True)
        q, left = how.sketch(self.queries, self.centre, self.n_threads, as_queries=True)
        lengths = np.sqrt(_squares(q.numbers + left.numbers, x.numbers))
        words = "the same, with finer queries"
        return self.candidate(words, x.codes.shape[1], None, lengths, left, x, is_finer=True)

    def product_candidate(
        self, words: str, cols: int, sketcher: Sketcher, numbers: Levels, q: Sketch, x: Sketch
    ) -> Candidate:
        """Return a candidate for inner products; `numbers` are those of q, x and all levels before.

        See csrc/neighbors/product_stage.h for the bound.
        """
        stretch = 1 + sketcher.gram_excess
        of_q = np.column_stack([*numbers[0], stretch * q.residual])
        of_x = np.column_stack([*numbers[1], x.residual])
        q_length, x_length = np.linalg.norm(of_q, axis=1), np.linalg.norm(of_x, axis=1)
        q_error, x_error = stretch * q.error.astype(np.float64), x.error.astype(np.float64)
        error = np.outer(q_length + q_error, x_error) + np.outer(q_error, x_length)
        leaves = ~(of_q @ of_x.T + error < stretch * self.reach[:, None])
        share = float(np.median(q_error / (q_length + q_error)))
        young_weight = share if 0 < share < 1 else 1.0
        return Candidate(words, cols, sketcher if sketcher.groups else None, leaves, young_weight)


def _candidates(sample: _Sample, directions: NDArray[np.float64] | None) -> Iterator[Candidate]:
    if directions is None:
        for grouping in sketches.groupings(sample.learned):
            yield _group_candidate(sample, grouping)
    else:
        yield from _direction_candidates(sample, directions)
    if not sample.is_bytes:
        yield _group_candidate(sample, sketches.each_feature(sample.learned))


def _direction_candidates(sample: _Sample, directions: NDArray[np.float64]) -> Iterator[Candidate]:
    cuts = tuple(sorted({min(m, len(directions)) for m in _DIRECTIONS}))
    sketcher = sketches.by_directions(sample.metric, sample.learned, directions, cuts, sample.middle)
    squares: Any = 0.0
    numbers: Levels = ([], [])
    for cut, (q, x) in zip(cuts, sample.pairs_of(sketcher), strict=True):
        words = f"{cut} principal directions"
        if sample.traits.is_product:
            numbers = [*numbers[0], q.numbers], [*numbers[1], x.numbers]
            yield sample.product_candidate(words, cut, sketcher, numbers, q, x)
            continue
        squares = squares + _squares(q.numbers, x.numbers)
        lengths = np.sqrt(squares + (q.residual[:, None] - x.residual) ** 2)
        yield sample.candidate(words, cut, None, lengths, q, x)


def _group_candidate(sample: _Sample, grouping: Grouping) -> Candidate:
    sketcher = sketches.by_groups(sample.metric, sample.learned, grouping, sample.middle)
    [(q, x)] = sample.pairs_of(sketcher)
    cols, d = len(grouping.members), sample.learned.shape[1]
    words = "a byte for each feature" if cols == d else f"{cols} sums of some {d / cols:.0f} features that go together"
    if sample.traits.is_product:
        return sample.product_candidate(words, cols, sketcher, ([q.numbers], [x.numbers]), q, x)
    if sample.traits.norm == "L1":
        lengths = np.empty((len(q.codes), len(x.codes)))
        _native.pairwise("l1", q.codes, x.codes, sample.n_threads, lengths)
        lengths *= sketcher.step
    else:
        lengths = np.sqrt(_squares(q.numbers, x.numbers))
    then = sample.finer(sketcher, x) if cols == d and sample.traits.norm == "L2" else None
    return sample.candidate(words, cols, sketcher, lengths, q, x, then=then)


def _squares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances, roughly."""
    return np.asarray(np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T, 0))


def _cheapest(
    candidates: list[Candidate], costs: Costs, most_bytes: float, limit: float
) -> tuple[float, list[Candidate], list[float]]:
    """Find the stages that should take the least time, which is below `limit`, and what they leave; or no stages."""
    best: tuple[float, list[Candidate], list[float]] = (limit, [], [])
    for chain in _chains(candidates, most_bytes):
        masks = itertools.accumulate((candidate.leaves for candidate in chain), np.logical_and)
        left = [float(mask.mean()) for mask in masks]
        cost = costs.query(chain, left)
        if cost < best[0]:
            best = cost, chain, left
    return best


def _chains(candidates: list[Candidate], most_bytes: float) -> Iterator[list[Candidate]]:
    """Stages that might be, one after the other, whose sketches take no more than these bytes a row."""
    ordered = sorted(candidates, key=lambda candidate: (not candidate.is_level, candidate.cols))  # levels first
    for count in range(1, _MOST_STAGES + 1):
        for chain in itertools.combinations(ordered, count):
            if sum(added_cols(chain)) + count * TERMS.itemsize > most_bytes:
                continue
            yield list(chain)
            with_finer = [stage for candidate in chain for stage in (candidate, candidate.then) if stage]
            if len(with_finer) > count:
                yield with_finer


def learn(metric: str, X: NDArray[Any], n_threads: int, limit: float = np.inf, parts: int = 1) -> Cascade:
    """Choose stages for searching X and sketch its rows; no stages where a plain search does as well.

    Nor where a query would take longer than `limit`, in nanoseconds. X may be one of some parts that are all searched.
    """
    costs = Costs.of(metric, X, parts)
    cascade = Cascade(metric, sketches.sketching_centre(metric, X), costs.refine / costs.pair, cost=costs.plain)
    if not _may_pay(costs, X):
        return cascade
    # Rows that are out of range pass all stages. Matrices are small: more threads would wait more than work, and round
    # in another order.
    with np.errstate(over="ignore", invalid="ignore"), threads.blas(1):
        sample = _Sample(metric, X, cascade.centre, n_threads, parts)
        directions = _directions(sample)
        cost, chain, left = _cheapest(
            list(_candidates(sample, directions)),
            costs,
            _MOST_BYTES * costs.features * X.itemsize,
            min(WORTHWHILE * costs.plain, limit),
        )
        sketchers = _sketchers(sample, chain, directions)
    cascade = replace(cascade, sketchers=sketchers, cost=cost if chain else costs.plain)
    sketched = cascade.sketches(X, n_threads)
    return replace(cascade, stages=_stages(sketchers, sketched, chain, left, costs))


def _may_pay(costs: Costs, X: NDArray[Any]) -> bool:
    """Whether to look for stages: a plain search takes long, and values are well inside the range of float64."""
    n, d = X.shape
    if not costs.traits.has_sketches:
        return False
    if n < LEAST_ROWS or costs.parts * costs.plain < LEAST_TIME or not LEAST_FEATURES <= d <= _MOST_FEATURES:
        return False
    largest = float(np.abs(X[:: max(1, n // _MEASURED_ROWS)].astype(np.float64)).max())
    return X.dtype != np.float64 or _WELL_INSIDE[0] < largest < _WELL_INSIDE[1]


def _directions(sample: _Sample) -> NDArray[np.float64] | None:
    """Find principal directions, where they bound the metric's lengths."""
    if sample.traits.norm != "L2":
        return None
    most = max(_DIRECTIONS)
    about_zero = sample.traits.is_product  # as queries are
    find = functools.partial(sketches.principal_directions, about_zero=about_zero)
    found: NDArray[np.float64] = aside(sample.learned.size * most, find, sample.learned, most)
    return found


def _sketchers(sample: _Sample, chain: list[Candidate], directions: NDArray[np.float64] | None) -> tuple[Sketcher, ...]:
    """Return what makes the sketches of a chain: all levels of directions at once, and first."""
    others = [
        replace(candidate.sketcher, finer=any(stage is candidate.then for stage in chain))
        for candidate in chain
        if candidate.sketcher
    ]
    cuts = tuple(candidate.cols for candidate in chain if candidate.is_level)
    if directions is None or not cuts:
        return tuple(others)
    first = sketches.by_directions(sample.metric, sample.learned, directions[: cuts[-1]], cuts, sample.middle)
    return (first, *others)


def _stages(
    sketchers: tuple[Sketcher, ...], sketched: Iterator[Sketch], chain: list[Candidate], left: list[float], costs: Costs
) -> tuple[Stage, ...]:
    """Return the stages of a chain, with the rows' sketches by level; a finer one has those of the stage before."""
    gram_excesses = iter([sketcher.gram_excess for sketcher in sketchers for _ in sketcher.cols])
    stages: list[Stage] = []
    for candidate, share, cols in zip(chain, left, added_cols(chain), strict=True):
        cost = costs.stage(cols, first=False) / costs.pair
        if candidate.is_finer:
            stages.append(replace(stages[-1], words=candidate.words, cost=cost, left=share, adds=False, finer=True))
            continue
        sketch = next(sketched)
        stage = Stage(
            words=candidate.words,
            adds=len(stages) > 0 and candidate.is_level,  # levels come first
            gram_excess=next(gram_excesses),
            unit=sketch.typical_step,
            young_weight=candidate.young_weight,
            cost=cost,
            left=share,
            codes=GrowingArray(sketch.codes),
            terms=GrowingArray(sketch.terms),
        )
        stages.append(stage)
    return tuple(stages)
