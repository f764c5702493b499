"""J of rows that lie on workers, as the solvers see it: sums over all rows are sums over chunks, in a fixed order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from dask.delayed import Delayed
from numpy.typing import NDArray

from fastclf._shared.batch import Batch
from fastclf.dask import _linear_parts as work
from fastclf.dask._engine import Engine, task
from fastclf.linear.lbfgs import Lbfgs
from fastclf.linear.objective import Objective, Point
from fastclf.linear.rows import DenseRows, Gradients

Array = NDArray[np.float64]

_ADDED_AT_ONCE = 8  # sums: where there are more, workers add these up first


class Places(NamedTuple):
    """Parts of the rows on workers, and how many rows each has."""

    engine: Engine
    parts: tuple[Delayed, ...]
    heights: tuple[int, ...]
    n_threads: int | None

    def ask(self, what: str, function: Callable[..., Any], *args: Any) -> list[Delayed]:
        """Return a task for each part."""
        return [task(what, function, part, *args) for part in self.parts]

    def added(self, sums: list[Delayed]) -> Delayed:
        """Return the task of a sum, whose order depends on how many parts there are alone."""
        while len(sums) > 1:
            sums = [
                task("linear-add", work.added, sums[start : start + _ADDED_AT_ONCE])
                for start in range(0, len(sums), _ADDED_AT_ONCE)
            ]
        return sums[0]

    def of_numbers(self, what: str, function: Callable[..., Any], numbers: NDArray[np.int64]) -> list[Any]:
        """Return what a function makes of rows by their numbers, which ascend: of each part that has any."""
        ends = np.searchsorted(numbers, list(itertools.accumulate(self.heights)))
        tasks, start, first = [], 0, 0
        for part, height, end in zip(self.parts, self.heights, ends.tolist(), strict=True):
            if end > start:
                tasks.append(task(what, function, part, numbers[start:end] - first))
            start, first = end, first + height
        return self.engine.compute(tasks, what)


class SampledRows(DenseRows):
    """Rows that have come from workers, with their labels, targets and weights."""

    def __init__(self, X: NDArray[Any], like: PlacedRows, label: Any, target: Any, weight: Any) -> None:
        super().__init__(X, like.n_threads, like.centre, like.dtype == np.float64)
        self.label, self.target, self.weight = label, target, weight


class PlacedRows:
    """What "lbfgs" asks of rows, of rows that are elsewhere; the rest of `fastclf.linear.rows.Rows` nobody asks for."""

    moderate = False  # so that nobody asks for the whole Hessian

    def __init__(self, places: Places, centre: Array, dtype: np.dtype[Any], n_threads: int) -> None:
        self.places, self.centre, self.dtype, self.n_threads = places, centre, dtype, n_threads
        self.shape = sum(places.heights), len(centre)

    def asked(self, width: float) -> work.Asked:
        """Return how parts are to compute."""
        return work.Asked(width, self.dtype == np.float64, self.places.n_threads)

    def loss(self, batch: Batch, W: Array, b: Array) -> Gradients:
        """Return the sum of the losses, and its gradients by W and b."""
        at = task("linear-weights", work.weights, W, b)
        sums = self.places.ask("linear-sums", work.sums_of, self.asked(batch.hinge_width), at)
        [found] = self.places.engine.compute([self.places.added(sums)], "a step")
        loss, of_W, of_b = found
        return loss, of_W, of_b

    def take(self, rows: NDArray[np.int64]) -> SampledRows:
        """Return some of the rows, by their numbers, which ascend."""
        found = self.places.of_numbers("linear-sample", work.sampled, rows)
        X, label, target, weight = (
            None if some[0] is None else np.concatenate(some) for some in zip(*found, strict=True)
        )
        assert X is not None
        return SampledRows(X, self, label, target, weight)

    def shares(self) -> Array:
        """Return each row's largest share of the squares of a feature, less the centre: 8 bytes a row."""
        engine = self.places.engine
        total = np.sum(engine.compute(self.places.ask("linear-squares", work.squares_of), "squares"), axis=0)
        return np.concatenate(
            engine.compute(self.places.ask("linear-shares", work.largest_shares, total), "largest shares")
        )

    def in_float64(self) -> PlacedRows:
        """Return the same rows, to be computed with in float64."""
        if self.dtype == np.float64:
            return self
        return PlacedRows(self.places, self.centre, np.dtype(np.float64), self.n_threads)


class PlacedObjective(Objective):
    """The objective of rows on workers; its batch says how losses are computed, but has no labels."""

    rows: PlacedRows  # type: ignore[assignment]

    def sample(self, rows: NDArray[np.int64] | slice, taken: Any = None) -> Objective:
        """Return the objective of some rows, as `Objective` does."""
        some = self.rows.take(np.asarray(rows)) if taken is None else taken
        count = some.shape[0]
        total = float(count if some.weight is None else some.weight.sum())
        scores = np.broadcast_to(some.dtype.type(0), (count, self.classes))
        batch = replace(self.batch, scores=scores, label=some.label, target=some.target, weight=some.weight)
        scale = self.loss.share(self.classes) / total if total else 0.0
        return Objective(some, self.loss, batch, self.penalty, scale, self.has_intercept)

    def slack(self, W: Array, b: Array) -> float:
        """Return the mean of the rows' slack, as `Objective` does."""
        places, at = self.rows.places, task("linear-weights", work.weights, W, b)
        asked = self.rows.asked(self.batch.hinge_width)
        parts = places.engine.compute(places.ask("linear-slack", work.slack_of, asked, at), "slack")
        return float(sum(parts))

    def passes(self, point: Point, step: tuple[Array, Array]) -> bool:
        """Whether any score bends J less where a step moves it."""
        places, asked = self.rows.places, self.rows.asked(self.batch.hinge_width)
        at, along = task("linear-weights", work.weights, point.W, point.b), task("linear-step", work.weights, *step)
        return any(places.engine.compute(places.ask("linear-passing", work.passes, asked, at, along), "passing"))


class PlacedLbfgs(Lbfgs):
    """The solver for rows on workers: where scores pass, how far J is above its least value stays unknown."""

    def _passing(  # `rough` computes as `exact` does, to fewer digits
        self,
        rough: Objective,  # noqa: ARG002
        exact: Objective,
        point: Point,
        step: tuple[Array, Array],
    ) -> tuple[Array, Array] | None:
        assert isinstance(exact, PlacedObjective)
        return step if exact.passes(point, step) else None

    def _without_passing(self, *args: Any) -> float:  # noqa: ARG002
        return np.inf
