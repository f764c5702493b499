"""Sketches: rows in few bytes each, which bound distances from below.  How to make them is learned from a sample.

The bounds hold whatever is learned (docs/exactness.md); how tight they are depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.interrupts import aside
from fastclf.neighbors.backends import plain

# fc_sketch_terms of csrc/fastclf.h, which the kernels take as bytes.
TERMS = np.dtype([("residual", "f4"), ("error", "f4"), ("step", "f4"), ("sum", "i4"), ("squares", "i4")])

_SEED = 0
_FEWEST_GROUPS = 24
_PAIRED_TOGETHER = 2048  # features among which partners are sought: time and memory go with the square
_PAIRING_ROWS = 1024  # of the sample, to see which go together
_PARTNERS = 8  # nearest candidates of each feature
_ROUNDS = 12
_MORE_DIRECTIONS, _ITERATIONS = 10, 2  # of the random search for directions
_LOST = 1e-10  # of the largest eigenvalue
_SORTING = 10  # times as long as going through the values
_STEPS = (1e-37, 1e37)  # in the range of float32
_MEAN_ROWS = 1024  # of which the mean is taken
_LARGEST_MEAN = 1e37  # in the range of float32
_CUT = 1e-3  # share of the numbers of an L1 sketch that may be cut off, for finer steps of the others


class Sketch(NamedTuple):
    """Codes of rows, and what they leave out: `TERMS` as bytes."""

    codes: NDArray[np.uint8]
    terms: NDArray[np.uint8]

    @property
    def error(self) -> NDArray[np.float32]:
        """By how much each row's numbers are off, as a length."""
        return np.asarray(self.terms.view(TERMS)[:, 0]["error"])

    @property
    def residual(self) -> NDArray[np.float64]:
        """The length of each row that its numbers leave out."""
        return np.asarray(self.terms.view(TERMS)[:, 0]["residual"], dtype=np.float64)

    @property
    def typical_step(self) -> float:
        """The median of the rows' steps."""
        return float(np.median(self.terms.view(TERMS)["step"]))

    @property
    def numbers(self) -> NDArray[np.float64]:
        """What the codes stand for."""
        return np.asarray((self.codes.astype(np.float64) - 128) * self.terms.view(TERMS)["step"])


@dataclass(frozen=True)
class Sketcher:
    """How rows become bytes, in levels of `cols` columns each; see `fc_sketcher` in csrc/fastclf.h."""

    metric: str
    cols: tuple[int, ...]
    offset: NDArray[np.float64]
    directions: NDArray[np.float32] | None = None
    gram_excess: float = 0.0
    groups: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]] | None = None
    step: float = 1.0
    residual: bool = False
    finer: bool = False

    def sketch(
        self, X: NDArray[Any], centre: NDArray[np.float32] | None, n_threads: int, *, as_queries: bool = False
    ) -> list[Sketch]:
        """Sketch the rows of X, by level; queries may have a finer one."""
        n, cols = len(X), (*self.cols, *self.cols) if as_queries and self.finer else self.cols
        levels = [Sketch(np.empty((n, m), np.uint8), np.empty((n, TERMS.itemsize), np.uint8)) for m in cols]
        _native.sketch(
            self.metric, X, centre, self.directions, self.gram_excess, self.groups, self.offset, self.step,
            self.residual, n_threads, levels,
        )  # fmt: skip
        return levels


def sketching_centre(metric: str, X: NDArray[Any]) -> NDArray[np.float32] | None:
    """Return what rows are sketched less: `plain.centre` or, of inner products, the mean of some rows.

    Products have no use for an offset. So all that rows have in common goes to the centre: the smaller rows are, the
    smaller are their steps, and so their errors.
    """
    if not _native.Traits(metric).is_product:
        return plain.centre(X)
    sample = X[:: max(1, len(X) // _MEAN_ROWS)].astype(np.float64)
    mean = (sample / len(sample)).sum(axis=0)  # so that sums stay in range
    return np.asarray(np.clip(mean, -_LARGEST_MEAN, _LARGEST_MEAN), dtype=np.float32)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale rows to length one; zero stays zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))


def _centred(sample: NDArray[np.float64]) -> tuple[NDArray[np.float32], float]:
    """Take the mean from a sample, and bring it to units of the largest value; that unit, too."""
    return _in_units(sample - sample.mean(axis=0))


def _in_units(sample: NDArray[np.float64]) -> tuple[NDArray[np.float32], float]:
    """Bring a sample to units of the largest value; that unit, too."""
    unit = float(np.abs(sample).max()) or 1.0
    return np.nan_to_num(sample / unit).astype(np.float32), unit


def principal_directions(sample: NDArray[np.float64], most: int, *, about_zero: bool = False) -> NDArray[np.float64]:
    """Find the leading principal directions of the sample, as rows; `about_zero`, where its mean is to count, too."""
    centred, _ = _in_units(sample) if about_zero else _centred(sample)
    count = min(most, *centred.shape)
    if 2 * count > min(centred.shape):
        return _all_directions(centred.astype(np.float64))[:count]
    return _leading_directions(centred, count)


def _leading_directions(centred: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Principal directions where there are many more, by random projection [1]_.

    .. [1] N. Halko, P.-G. Martinsson and J. A. Tropp, "Finding structure with randomness", SIAM Review 53, 2011,
       algorithms 4.3 and 5.1.
    """
    drawn = np.random.default_rng(_SEED).standard_normal((centred.shape[1], count + _MORE_DIRECTIONS))
    range_of_rows = centred @ drawn.astype(np.float32)
    for _ in range(_ITERATIONS):
        range_of_rows = centred @ (centred.T @ range_of_rows)
    basis = np.linalg.qr(range_of_rows)[0]
    directions = np.linalg.svd(basis.T @ centred, full_matrices=False)[2]
    return np.asarray(directions[:count], dtype=np.float64)


def _all_directions(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Principal directions where there are few rows or features, those that are not lost in rounding."""
    wide = centred.shape[0] < centred.shape[1]
    values, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    kept = np.flatnonzero(values > _LOST * values[-1])[::-1] if values[-1] > 0 else np.array([len(values) - 1])
    directions = vectors[:, kept].T
    if wide:
        directions = directions @ centred
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-300)
    return np.asarray(directions)


def by_directions(
    metric: str, sample: NDArray[np.float64], directions: NDArray[np.float64], cuts: tuple[int, ...], middle: Any
) -> Sketcher:
    """Sketch by directions, those up to each cut for a level.

    Those of a level are rotated at random, so that its numbers are about equally large.
    """
    rng = np.random.default_rng(_SEED)
    starts = (0, *cuts[:-1])
    turns = [np.linalg.qr(rng.normal(size=(end - start,) * 2))[0] for start, end in zip(starts, cuts, strict=True)]
    levels = [turn @ directions[start:end] for turn, start, end in zip(turns, starts, cuts, strict=True)]
    stacked = np.concatenate(levels).astype(np.float32)
    exact = stacked.astype(np.float64)
    gram_excess = float(np.linalg.norm(exact @ exact.T - np.eye(len(exact)))) * (1 + 1e-6) + 1e-9
    is_product = _native.Traits(metric).is_product
    return Sketcher(
        metric,
        cols=tuple(end - start for start, end in zip(starts, cuts, strict=True)),
        offset=np.zeros(len(exact)) if is_product else exact @ (sample.mean(axis=0) - middle),
        directions=stacked,
        gram_excess=gram_excess,
        residual=is_product or cuts[-1] < sample.shape[1],
    )


class Grouping(NamedTuple):
    """Groups of features, the sign of each in its group's sum, and the sample's sums less their means, in units."""

    members: list[NDArray[np.int64]]
    signs: NDArray[np.float64]
    sums: NDArray[np.float32]
    unit: float


def each_feature(sample: NDArray[np.float64]) -> Grouping:
    """Make a group of every feature."""
    d = sample.shape[1]
    return Grouping([np.array([i]) for i in range(d)], np.ones(d), *_centred(sample))


def groupings(sample: NDArray[np.float64]) -> Iterator[Grouping]:
    """Find groups of 2, 4, 8, ... features that go together or, with a sign, against each other."""
    grouping = each_feature(sample)
    while len(grouping.members) >= 2 * _FEWEST_GROUPS:
        parts = range(0, len(grouping.members), _PAIRED_TOGETHER)
        work = float(min(len(grouping.members), _PAIRED_TOGETHER)) ** 2 * _PAIRING_ROWS
        paired = [aside(work, _paired, grouping, slice(start, start + _PAIRED_TOGETHER)) for start in parts]
        members = [group for part in paired for group in part.members]
        signs = np.prod([part.signs for part in paired], axis=0) * grouping.signs
        sums = np.concatenate([part.sums for part in paired], axis=1)
        grouping = Grouping(members, signs, sums, grouping.unit)
        yield grouping


def _paired(grouping: Grouping, chunk: slice) -> Grouping:
    """Join the groups of a chunk in pairs; `signs` are the changes."""
    members, sums = grouping.members[chunk], grouping.sums[:, chunk]
    covariance = sums[:_PAIRING_ROWS].T @ sums[:_PAIRING_ROWS] / len(sums[:_PAIRING_ROWS])
    pairs = _partners(covariance)
    odd = np.setdiff1d(np.arange(len(members)), pairs)
    changes = np.where(covariance[pairs[:, 0], pairs[:, 1]] < 0, -1.0, 1.0)
    signs = np.ones(len(grouping.signs))
    for (_, b), change in zip(pairs, changes, strict=True):
        signs[members[b]] = change
    joined = [np.concatenate([members[a], members[b]]) for a, b in pairs] + [members[i] for i in odd]
    columns = sums[:, pairs[:, 0]] + changes.astype(np.float32) * sums[:, pairs[:, 1]]
    return Grouping(joined, signs, np.concatenate([columns, sums[:, odd]], axis=1), grouping.unit)


def _partners(covariance: NDArray[Any]) -> NDArray[np.int64]:
    """Pair variables, so that the sums lose little of their absolute values: greedily, the least loss first.

    The mean absolute value of a normal variable is proportional to its deviation. Variables that are unpaired after
    some rounds, as where many losses are equal, are paired as they come.
    """
    variance = np.maximum(np.diag(covariance), 0)
    deviation = np.sqrt(variance)
    joint = np.sqrt(np.maximum(variance[:, None] + variance + 2 * np.abs(covariance), 0))
    loss = deviation[:, None] + deviation - joint
    np.fill_diagonal(loss, np.inf)
    pairs: list[tuple[int, int]] = []
    left = np.flatnonzero(deviation > 0)
    for _ in range(_ROUNDS):
        if len(left) < 2:
            break
        part = loss[np.ix_(left, left)]
        near = min(_PARTNERS, len(left) - 1)
        a = np.repeat(np.arange(len(left)), near)
        b = np.argpartition(part, near - 1, axis=1)[:, :near].ravel()
        free = np.ones(len(left), dtype=bool)
        for i in np.argsort(part[a, b], kind="stable"):
            if free[a[i]] and free[b[i]]:
                free[a[i]] = free[b[i]] = False
                pairs.append((left[a[i]], left[b[i]]))
        left = left[free]
    rest = np.concatenate([left, np.flatnonzero(deviation == 0)])
    pairs.extend(zip(rest[:-1:2], rest[1::2], strict=True))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _typical(sums: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Return medians, and how far sums are from them, but for those that are cut off."""
    median = np.median(sums, axis=0)
    return median, float(np.quantile(np.abs(sums - median), 1 - _CUT))


def by_groups(metric: str, sample: NDArray[np.float64], grouping: Grouping, middle: Any) -> Sketcher:
    """Sketch by the signed sums of groups of features."""
    feature = np.concatenate(grouping.members)
    start = np.concatenate([[0], np.cumsum([len(group) for group in grouping.members])]).astype(np.int64)
    weight = grouping.signs[feature]
    moved = (sample.mean(axis=0) - np.broadcast_to(middle, sample.shape[1]))[feature] * weight
    median, spread = aside(_SORTING * grouping.sums.size, _typical, grouping.sums)
    largest = spread * grouping.unit
    offset = np.add.reduceat(moved, start[:-1]) + median * grouping.unit
    return Sketcher(
        metric,
        cols=(len(grouping.members),),
        offset=np.zeros(len(offset)) if _native.Traits(metric).is_product else offset,
        groups=(feature, start, weight.astype(np.float32)),
        step=float(np.clip(largest / 127, *_STEPS)) if np.isfinite(largest) else 1.0,
    )
