"""Which sketches a search should use, and in which order: chosen at fit by what they leave of a sample of pairs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastclf import _native, _threads
from fastclf._growing import GrowingArray
from fastclf._interrupts import aside
from fastclf.backends import plain, sketches
from fastclf.backends.cascades import Cascade, Stage
from fastclf.backends.sketches import TERMS, Grouping, Sketch, Sketcher

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

_DIRECTIONS = (16, 32, 64, 96, 128, 192, 256)  # more, or wider rows, want another look at by_directions' skew
_MOST_STAGES = 3
_MOST_BYTES = 0.5  # of all sketches, by those of X
WORTHWHILE = 0.8  # of the time of a plain search


@dataclass(frozen=True)
class Costs:
    """What the parts of a search take, in nanoseconds of a core with AVX-512: only ratios matter."""

    metric: str
    kind: str
    rows: int
    features: int

    DOT: ClassVar = {"u1": 1 / 230, "f4": 1 / 42, "f8": 1 / 21}  # a feature of a pair, in tiles
    MIN: ClassVar = {"u1": 1 / 125, "f4": 1 / 20, "f8": 1 / 10}
    SIEVE: ClassVar = 0.3  # a pair
    LIMITS: ClassVar = 1500.0  # of a plain search for a query, to find its limits
    SURVIVOR: ClassVar = 30.0  # a pair that passes, and
    SURVIVOR_BYTE: ClassVar = 1 / 18  # of its next sketch
    REFINE: ClassVar = 150.0  # a distance, and
    REFINE_FEATURE: ClassVar = {"u1": 0.08, "f4": 0.4, "f8": 0.9}  # of its rows, most of it waiting for memory
    WARM_UP: ClassVar = 60  # distances before there is a good limit
    PROJECTION: ClassVar = 1 / 40  # a product with a direction
    FEATURE: ClassVar = 1.5  # to read it and to add it to a sum

    def _tile(self, kind: str) -> float:
        return float((self.MIN if self.metric == "l1" else self.DOT)[kind])

    @classmethod
    def of(cls, metric: str, X: NDArray[Any]) -> Costs:
        """Return the costs of searching X."""
        return cls(metric, X.dtype.str[1:], *X.shape)

    @property
    def plain(self) -> float:
        """A plain search for a query."""
        return self.LIMITS + self.rows * self.pair

    @property
    def pair(self) -> float:
        """A plain comparison of a query with a row."""
        return self.features * self._tile(self.kind) + self.SIEVE

    @property
    def refine(self) -> float:
        """A distance; cosine takes that and the row's length."""
        sums = 2 if self.metric == "cosine" else 1
        return float(sums * (self.REFINE + self.features * self.REFINE_FEATURE[self.kind]))

    def stage(self, cols: int, *, first: bool) -> float:
        """Compare two sketches."""
        return cols * self._tile("u1") + self.SIEVE if first else self.SURVIVOR + cols * self.SURVIVOR_BYTE

    def query(self, chain: Sequence[Candidate], left: Sequence[float]) -> float:
        """Search for a query, with stages that leave these shares of the rows."""
        each = [self.stage(cols, first=i == 0) for i, cols in enumerate(added_cols(chain))]
        work = self.rows * sum(c * share for c, share in zip([*each, self.refine], [1.0, *left], strict=True))
        directions = max((candidate.cols for candidate in chain if candidate.is_level), default=0)
        passes = sum(not candidate.is_level for candidate in chain) + (directions > 0)
        sketching = self.features * (directions * self.PROJECTION + passes * self.FEATURE)
        return work + sketching + self.WARM_UP * self.refine


@dataclass(frozen=True)
class Candidate:
    """A stage that might be, and which of the sampled pairs it leaves.

    Without a sketcher of its own it is a level of the sketch by directions, and counts all levels up to its `cols`.
    """

    words: str
    cols: int
    sketcher: Sketcher | None
    leaves: NDArray[np.bool_]
    tilt: float

    @property
    def is_level(self) -> bool:
        """Whether it adds to the level before."""
        return self.sketcher is None


def added_cols(chain: Sequence[Candidate]) -> list[int]:
    """Return the columns of each stage, without those that it adds to."""
    before = 0
    cols = []
    for candidate in chain:
        cols.append(candidate.cols - before if candidate.is_level else candidate.cols)
        before = candidate.cols if candidate.is_level else 0
    return cols


class _Sample:
    """Rows to learn from, and pairs of others whose distances are to be bounded."""

    def __init__(self, metric: str, X: NDArray[Any], centre: NDArray[np.float32] | None, n_threads: int) -> None:
        n, d = X.shape
        count = max(256, min(_LEARNED_ROWS, _SAMPLE_VALUES // d, n // _LEARNED_SHARE))
        order = np.random.default_rng(_SEED).choice(n, min(n, count + _MEASURED_ROWS), replace=False)
        own = np.sort(order[:_QUERIES])
        k = min(_NEIGHBORS, n - 1)
        nearest = plain.search(metric, X[own], X, k, n_threads, middle=centre, own=own)[0][:, -1]
        learned = X[np.sort(order[:count])].astype(np.float64)
        self.metric = metric
        self.centre = centre
        self.n_threads = n_threads
        self.is_bytes = X.dtype == np.uint8
        self.queries, self.rows = X[own], X[np.sort(order[count:])]
        self.learned = sketches.unit(learned) if metric == "cosine" else learned
        self.middle = 0.0 if centre is None or metric == "cosine" else centre.astype(np.float64)
        self.reach = np.sqrt(2 * nearest) if metric == "cosine" else nearest

    def pairs_of(self, sketcher: Sketcher) -> Iterator[tuple[Sketch, Sketch]]:
        """Sketches of the queries and the rows, by level."""
        q, x = (sketcher.sketch(part, self.centre, self.n_threads) for part in (self.queries, self.rows))
        return zip(q, x, strict=True)

    def candidate(self, words: str, cols: int, sketcher: Sketcher | None, lengths: Any, q: Sketch, x: Sketch) -> Any:
        """Return a candidate whose sketches, of which q and x are the last level, differ by `lengths`."""
        leaves = ~(lengths - q.error[:, None] - x.error > self.reach[:, None])
        error, typical = float(np.median(x.error)), float(np.median(self.reach))
        tilt = error / typical if 0 < error < np.inf and typical > 0 else 1.0
        return Candidate(words, cols, sketcher, leaves, tilt)


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
    for cut, (q, x) in zip(cuts, sample.pairs_of(sketcher), strict=True):
        squares = squares + _squares(q.numbers, x.numbers)
        beyond = q.terms.view(TERMS)["beyond"] - x.terms.view(TERMS)["beyond"][:, 0]
        lengths = np.sqrt(squares + beyond**2)
        yield sample.candidate(f"{cut} principal directions", cut, None, lengths, q, x)


def _group_candidate(sample: _Sample, grouping: Grouping) -> Candidate:
    sketcher = sketches.by_groups(sample.metric, sample.learned, grouping, sample.middle)
    [(q, x)] = sample.pairs_of(sketcher)
    if sample.metric == "l1":
        lengths = np.empty((len(q.codes), len(x.codes)))
        _native.pairwise("l1", q.codes, x.codes, sample.n_threads, lengths)
        lengths *= sketcher.step
    else:
        lengths = np.sqrt(_squares(q.numbers, x.numbers))
    cols, d = len(grouping.members), sample.learned.shape[1]
    words = "a byte for each feature" if cols == d else f"{cols} sums of some {d / cols:.0f} features that go together"
    candidate: Candidate = sample.candidate(words, cols, sketcher, lengths, q, x)
    return candidate


def _squares(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances, roughly."""
    return np.asarray(np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T, 0))


def _cheapest(
    candidates: list[Candidate], costs: Costs, most_bytes: float, limit: float
) -> tuple[float, list[Candidate], list[float]]:
    """Find the stages that should take the least time, which is below `limit`, and what they leave; or no stages."""
    best: tuple[float, list[Candidate], list[float]] = (limit, [], [])
    ordered = sorted(candidates, key=lambda candidate: (not candidate.is_level, candidate.cols))  # levels first
    for count in range(1, _MOST_STAGES + 1):
        for chain in itertools.combinations(ordered, count):
            if sum(added_cols(chain)) + count * TERMS.itemsize > most_bytes:
                continue
            masks = itertools.accumulate((candidate.leaves for candidate in chain), np.logical_and)
            left = [float(mask.mean()) for mask in masks]
            cost = costs.query(chain, left)
            if cost < best[0]:
                best = cost, list(chain), left
    return best


def learn(metric: str, X: NDArray[Any], n_threads: int, limit: float = np.inf) -> Cascade:
    """Choose stages for searching X and sketch its rows; no stages where a plain search does as well.

    Nor where a query would take longer than `limit`, in nanoseconds.
    """
    n, d = X.shape
    costs = Costs.of(metric, X)
    cascade = Cascade(metric, plain.centre(X), costs.refine / costs.pair, cost=costs.plain)
    if metric not in sketches.METRICS:
        return cascade
    if n < LEAST_ROWS or costs.plain < LEAST_TIME or not LEAST_FEATURES <= d <= _MOST_FEATURES:
        return cascade
    largest = float(np.abs(X[:: max(1, n // _MEASURED_ROWS)]).max())
    if X.dtype == np.float64 and not _WELL_INSIDE[0] < largest < _WELL_INSIDE[1]:
        return cascade
    # Rows that are out of range pass all stages. Matrices are small: more threads would wait more than work, and round
    # in another order.
    with np.errstate(over="ignore", invalid="ignore"), _threads.blas(1):
        sample = _Sample(metric, X, cascade.centre, n_threads)
        directions, most = None, max(_DIRECTIONS)
        if metric != "l1":
            directions = aside(sample.learned.size * most, sketches.principal_directions, sample.learned, most)
        cost, chain, left = _cheapest(
            list(_candidates(sample, directions)),
            costs,
            _MOST_BYTES * d * X.itemsize,
            min(WORTHWHILE * costs.plain, limit),
        )
        sketchers = [candidate.sketcher for candidate in chain if candidate.sketcher]
        cuts = tuple(candidate.cols for candidate in chain if candidate.is_level)
        if directions is not None and cuts:
            levels = sketches.by_directions(metric, sample.learned, directions[: cuts[-1]], cuts, sample.middle)
            sketchers.insert(0, levels)
    cascade = replace(cascade, sketchers=tuple(sketchers), cost=cost if chain else costs.plain)
    skews = [sketcher.skew for sketcher in sketchers for _ in sketcher.cols]
    rows = cascade.sketches(X, n_threads)
    stages = [
        Stage(
            words=candidate.words,
            adds=i > 0 and candidate.is_level and chain[i - 1].is_level,
            skew=skew,
            unit=sketch.typical_step,
            tilt=candidate.tilt,
            cost=costs.stage(cols, first=False) / costs.pair,
            left=share,
            codes=GrowingArray(sketch.codes),
            terms=GrowingArray(sketch.terms),
        )
        for i, (candidate, share, cols, skew, sketch) in enumerate(
            zip(chain, left, added_cols(chain), skews, rows, strict=True)
        )
    ]
    return replace(cascade, stages=tuple(stages))
