"""Compare losses and their gradients with PyTorch's: same scores, same threads, one run.

usage: python bench/compare_losses.py [--rounds R] [--threads T]

Losses are compared first; then fastclf's call (loss and gradient) and PyTorch's forward and backward are timed in
turns, A B A B, and the median of the ratios is told; beside it, the time as a part of that of copying the scores by one
thread. Absolute times are not told: they say more of the machine than of the packages.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from script import say
from timing import timed

import fastclf
from fastclf import losses

SHAPES = ((100_000, 10), (100_000, 100), (20_000, 1000), (1000, 50_257))


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


def main() -> int:
    try:
        import torch
    except ImportError:
        say("PyTorch is not installed: pip install torch")
        return 1
    options = parse()
    torch.set_num_threads(options.threads)
    print(f"| | {' | '.join(case.name for case in CASES)} | cross_entropy, of a copy |")
    print("|---" * (len(CASES) + 2) + "|")
    for shape in SHAPES:
        cells = [f"{ratio(case, shape, torch, options):.3g}" for case in CASES]
        print(f"| {shape[0]} x {shape[1]} | {' | '.join(cells)} | {of_copy(shape, options):.2f} |", flush=True)
    return 0


def parse() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=7, help="turns of which the median is told")
    arguments.add_argument("--threads", type=int, default=fastclf.show_config("dicts")["n_threads"])
    return arguments.parse_args()


def made(case: Case, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and targets as the case has them."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(shape, dtype=np.float32)
    if case.targets == "labels":
        return scores, rng.integers(0, shape[1], shape[0])
    values = rng.standard_normal(shape, dtype=np.float32)
    return scores, (values > 0).astype(np.float32) if case.targets == "indicators" else values


def ratio(case: Case, shape: tuple[int, int], torch: Any, options: argparse.Namespace) -> float:
    """How many times as long PyTorch takes."""
    scores, target = made(case, shape)
    ours = our_call(case, scores, target, options.threads)
    leaf, theirs_target = torch.from_numpy(scores), torch.from_numpy(target)
    function = getattr(torch.nn.functional, case.theirs)

    def theirs() -> float:
        tensor = leaf.detach().requires_grad_(True)
        loss = function(tensor, theirs_target)
        loss.backward()
        return float(loss.detach()) * case.factor(shape[1])

    np.testing.assert_allclose(ours(), theirs(), rtol=1e-4)
    return median_ratio(ours, theirs, options.rounds)


def our_call(case: Case, scores: np.ndarray, target: np.ndarray, threads: int) -> Callable[[], float]:
    loss, gradient = getattr(losses, case.name), np.empty_like(scores)
    return lambda: loss(scores, target, return_grad=True, grad_out=gradient, n_threads=threads)[0]


def of_copy(shape: tuple[int, int], options: argparse.Namespace) -> float:
    """Time of the cross-entropy as a part of that of a copy."""
    scores, target = made(CASES[0], shape)
    copy = np.empty_like(scores)
    ours = our_call(CASES[0], scores, target, options.threads)
    return 1 / median_ratio(ours, lambda: np.copyto(copy, scores), options.rounds)


def median_ratio(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> float:
    ours(), theirs()
    return float(np.median([timed(theirs)[1] / timed(ours)[1] for _ in range(rounds)]))


if __name__ == "__main__":
    sys.exit(main())
