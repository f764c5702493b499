"""Searches in stages that are made by hand, from sketches of all rows: whether or not they are worth it."""

from __future__ import annotations

import dataclasses

import numpy as np
from digests import remembering
from names import TRAITS

from fastclf._shared.growing import GrowingArray
from fastclf.neighbors.backends import plain, sketches
from fastclf.neighbors.backends.cascades import Cascade, Stage
from fastclf.neighbors.backends.sketches import Sketcher

TURNS = 3  # directions of the first level; so many more in the second, and in the third

# Kinds of sketches: groups of any metric, directions of those that are no sums of absolute values.
GROUPED = ("fours", "pairs", "each feature")
DIRECTED = ("directions", "levels", "stretched")


def kinds(metric):
    if TRAITS[metric].is_product:
        return (*DIRECTED, "each feature")
    return GROUPED if TRAITS[metric].norm == "L1" else (*DIRECTED, *GROUPED)


def chains(metric):
    """Kinds of sketches, one after the other; "levels" are several stages, that add, and "finer" is two."""
    if TRAITS[metric].norm == "L1":
        return [("each feature",), ("fours", "pairs"), ("fours", "pairs", "each feature")]
    if TRAITS[metric].is_product:
        return [("directions",), ("levels",), ("stretched", "each feature"), ("levels", "directions")]
    return [
        ("directions",),
        ("levels",),
        ("stretched", "each feature"),
        ("finer", "fours"),
        ("levels", "finer"),
        ("pairs", "each feature"),
    ]


def grouped(metric, rows, middle, size):
    """Sketch by sums of `size` features with alternating signs; the last group may be smaller."""
    d = rows.shape[1]
    feature = np.arange(d)[::-1].copy()
    start = np.unique([*range(0, d, size), d])
    sizes = np.repeat(np.diff(start), np.diff(start))
    weight = np.where(feature % 3 == 0, -1, 1) / (1 if TRAITS[metric].norm == "L1" else np.sqrt(sizes))
    weight = (weight * (1 - 2.0**-20)).astype(np.float32)
    moved = (rows - middle)[:, feature] * weight
    offset = np.add.reduceat(np.median(moved, axis=0), start[:-1])
    spread = np.quantile(np.abs(np.add.reduceat(moved, start[:-1], axis=1) - offset), 0.98)  # of L1 some are cut
    return Sketcher(
        metric,
        cols=(len(start) - 1,),
        offset=np.nan_to_num(offset),
        groups=(feature, start.astype(np.int64), weight),
        step=float(np.clip(np.nan_to_num(spread / 127), 1e-37, 1e37)),
    )


def directed(metric, rows, middle, kind):
    is_product = TRAITS[metric].is_product
    turns = TURNS + is_product  # one more for the mean
    directions = sketches.principal_directions(rows, 3 * turns, about_zero=is_product)
    cuts = (turns, 2 * turns, 3 * turns) if kind == "levels" else (turns,)
    cuts = tuple(sorted({min(cut, len(directions)) for cut in cuts}))
    sketcher = sketches.by_directions(metric, rows, directions[: cuts[-1]], cuts, middle)
    if kind != "stretched":
        return sketcher
    # Far from orthonormal: one direction is longer and one shorter.
    change = np.ones((cuts[-1], 1), np.float32)
    change[:2] = np.array([[1.2], [0.8]], np.float32)[: len(change)]
    stretched = sketcher.directions * change
    exact = stretched.astype(np.float64)
    gram_excess = float(np.abs(np.linalg.eigvalsh(exact @ exact.T - np.eye(len(exact)))).max()) * (1 + 1e-9) + 1e-9
    return dataclasses.replace(
        sketcher, directions=stretched, offset=sketcher.offset * change[:, 0], gram_excess=gram_excess
    )


@remembering
def sketcher(metric, X, kind):
    """Return a sketcher of this kind, learned from all rows, and the centre to sketch with."""
    centre = sketches.sketching_centre(metric, X)
    rows = X.astype(np.float64)
    if metric == "cosine":
        rows = sketches.unit(rows)
    middle = 0.0 if centre is None or metric == "cosine" else centre.astype(np.float64)
    if kind in ("each feature", "finer"):
        how = sketches.by_groups(metric, rows, sketches.each_feature(rows), middle)
        return dataclasses.replace(how, finer=kind == "finer"), centre
    if kind in GROUPED:
        return grouped(metric, rows, middle, {"pairs": 2, "fours": 4}[kind]), centre
    return directed(metric, rows, middle, kind), centre


def cascade(metric, X, chain, *, young_weight=None, cost=0.0, refine_cost=0.0, n_threads=1):
    """Return stages of these kinds; without costs no query is given up."""
    if young_weight is None:
        young_weight = 0.01 if TRAITS[metric].is_product else 1.0
    with np.errstate(all="ignore"):  # rows whose sums overflow are among those to be searched
        made = [sketcher(metric, X, kind) for kind in chain]
        stages = []
        for kind, (how, centre) in zip(chain, made, strict=True):
            for level, sketch in enumerate(how.sketch(X, centre, n_threads)):
                stage = Stage(
                    words=kind,
                    adds=level > 0,
                    gram_excess=how.gram_excess,
                    unit=sketch.typical_step,
                    young_weight=young_weight,
                    cost=cost,
                    left=1.0,
                    codes=GrowingArray(sketch.codes),
                    terms=GrowingArray(sketch.terms),
                )
                stages.append(stage)
            if how.finer:
                stages.append(dataclasses.replace(stages[-1], finer=True))
    centre, sketchers = made[0][1], tuple(how for how, _ in made)
    return Cascade(metric, centre, refine_cost, sketchers, tuple(stages))


def plainly(metric, Q, X, k, own=None):
    return plain.search(metric, Q, X, k, 1, middle=plain.centre(X), own=own)
