"""Losses and their gradients beside PyTorch's, and beside a copy of the scores: same scores, same threads, in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import losses
from fastclf._reports.tables import Table
from fastclf.bench.timing import TURN_SECONDS, median_ratio

Shape = tuple[int, int]
SHAPES: tuple[Shape, ...] = ((100_000, 10), (100_000, 100), (20_000, 1000), (1000, 50_257))
SMALL_SHAPES: tuple[Shape, ...] = ((50_000, 10), (20_000, 100), (2000, 1000))

_TOLERANCE = 1e-4  # by which losses may differ, as a part of the larger: sums of float32
_COPY = "cross_entropy, of a copy"


@dataclass(frozen=True)
class Case:
    """A loss, PyTorch's name of it, and what PyTorch's is to be multiplied by, given the number of classes."""

    name: str
    theirs: str
    targets: str = "labels"
    factor: Callable[[int], float] = lambda _: 1.0


CASES = (
    Case("cross_entropy", "cross_entropy"),
    Case("hinge", "multi_margin_loss", factor=float),
    Case("binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits", targets="indicators"),
    Case("mse", "mse_loss", targets="values"),
)


@dataclass(frozen=True)
class Result:
    """Scores of one shape: PyTorch's time of each loss by fastclf's, and by which part of the larger they differ.

    `of_copy` is the cross-entropy's time by a copy's.
    """

    rows: int
    classes: int
    times: dict[str, float]
    differences: dict[str, float]
    of_copy: float


def missing() -> str:
    """Say why there is no PyTorch to compare with; nothing if there is."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        return str(error)
    return ""


def compare(shape: Shape, n_threads: int, rounds: int) -> Result:
    """Compare the losses with PyTorch's, then time them in turns; without PyTorch, only beside a copy."""
    compared = {} if missing() else {case.name: _beside_torch(case, shape, n_threads, rounds) for case in CASES}
    times = {name: one.time for name, one in compared.items()}
    differences = {name: one.difference for name, one in compared.items()}
    return Result(*shape, times, differences, _of_copy(shape, n_threads, rounds))


def table(results: Sequence[Result]) -> Table:
    """Return a row for each shape and a column for each loss."""
    names = list(results[0].times)
    rows = tuple(
        (f"{one.rows} x {one.classes}", *(f"{one.times[name]:.3g}" for name in names), f"{one.of_copy:.2f}")
        for one in results
    )
    copy = "Last column: the time of fastclf's as a part of that of copying the scores by one thread."
    note = f"{_told(results)}\n{copy}"
    return Table("Losses and their gradients", ("scores", *names, _COPY), rows, note=note)


def _told(results: Sequence[Result]) -> str:
    """Say what the times are, and which losses are not PyTorch's."""
    if reason := missing():
        return f"Left out: PyTorch ({reason})."
    differ = [
        f"{name} of {one.rows} x {one.classes} by {difference:.2g}"
        for one in results
        for name, difference in one.differences.items()
        if not difference <= _TOLERANCE  # NaN too
    ]
    return (
        "Times as long as fastclf's loss and gradient PyTorch's forward and backward take, medians of paired runs.\n"
        f"Losses that differ from fastclf's by more than a part of {_TOLERANCE:g} (rounding or an error): "
        f"{'; '.join(differ) or 'none'}."
    )


def _made(case: Case, shape: Shape) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores, and targets as the case has them."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(shape, dtype=np.float32)
    if case.targets == "labels":
        return scores, rng.integers(0, shape[1], shape[0])
    values = rng.standard_normal(shape, dtype=np.float32)
    return scores, (values > 0).astype(np.float32) if case.targets == "indicators" else values


class _Comparison(NamedTuple):
    """How many times as long PyTorch takes, and by which part of the larger the two losses differ."""

    time: float
    difference: float


def _beside_torch(case: Case, shape: Shape, n_threads: int, rounds: int) -> _Comparison:
    import torch

    torch.set_num_threads(n_threads)
    scores, target = _made(case, shape)
    ours = _our_call(case, scores, target, n_threads)
    leaf, theirs_target = torch.from_numpy(scores), torch.from_numpy(target)
    function = getattr(torch.nn.functional, case.theirs)

    def theirs() -> float:
        tensor = leaf.detach().requires_grad_(True)
        loss = function(tensor, theirs_target)
        loss.backward()
        return float(loss.detach()) * case.factor(shape[1])

    loss, their_loss = ours(), theirs()
    difference = 0.0 if loss == their_loss else abs(loss - their_loss) / max(abs(loss), abs(their_loss))
    return _Comparison(median_ratio(ours, theirs, rounds, TURN_SECONDS), difference)


def _our_call(case: Case, scores: NDArray[Any], target: NDArray[Any], n_threads: int) -> Callable[[], float]:
    loss, gradient = getattr(losses, case.name), np.empty_like(scores)
    return lambda: float(loss(scores, target, return_grad=True, grad_out=gradient, n_threads=n_threads)[0])


def _of_copy(shape: Shape, n_threads: int, rounds: int) -> float:
    """Time of the cross-entropy as a part of that of a copy."""
    scores, target = _made(CASES[0], shape)
    copy = np.empty_like(scores)
    ours = _our_call(CASES[0], scores, target, n_threads)
    return 1 / median_ratio(ours, lambda: np.copyto(copy, scores), rounds, TURN_SECONDS)
