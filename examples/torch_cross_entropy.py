"""`fastclf.torch.cross_entropy` in the place of `torch.nn.functional.cross_entropy`.

Trains a linear model on scikit-learn's digits with each of the two, checks the gradient against finite differences, and
compares times. Tensors are on the CPU. Logits and their gradient are PyTorch's own memory, handed over by DLPack.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

import fastclf
from fastclf import datasets
from fastclf.torch import cross_entropy

Loss = Callable[..., torch.Tensor]


def train(loss: Loss, steps: int, seed: int) -> list[float]:
    """Train a linear model on the digits by gradient descent; return the loss before each step."""
    data = datasets.digits()
    X, y = torch.from_numpy(data.X_train).float() / 16, torch.from_numpy(data.y_train).long()
    torch.manual_seed(seed)
    model = torch.nn.Linear(X.shape[1], len(data.class_names))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    history = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(model(X), y)
        value.backward()
        optimizer.step()
        history.append(value.item())
    return history


def gradient_is_right(reduction: str, label_smoothing: float, seed: int) -> bool:
    """Check the gradient of a few rows, one of them ignored, against finite differences in float64."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    target = torch.tensor([0, 4, -100, 2, 2, 1])
    options = {"reduction": reduction, "label_smoothing": label_smoothing, "ignore_index": -100}
    return torch.autograd.gradcheck(lambda z: cross_entropy(z, target, **options), logits)


def median_ratio(rows: int, classes: int, rounds: int, seed: int) -> float:
    """Time loss and gradient with each in turns, on as many threads: the median of PyTorch's times over fastclf's."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, classes, generator=generator, requires_grad=True)
    target = torch.randint(classes, (rows,), generator=generator)
    with fastclf.threads(torch.get_num_threads()):
        pairs = [
            [seconds(loss, logits, target) for loss in (torch.nn.functional.cross_entropy, cross_entropy)]
            for _ in range(rounds + 1)
        ]
    return float(np.median([theirs / ours for theirs, ours in pairs[1:]]))


def seconds(loss: Loss, logits: torch.Tensor, target: torch.Tensor) -> float:
    """Time one forward and backward pass."""
    start = time.perf_counter()
    torch.autograd.grad(loss(logits, target), logits)
    return time.perf_counter() - start


def main() -> None:
    """Train, check and time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="of gradient descent (default: 100)")
    parser.add_argument("--batch", type=int, nargs=2, default=(20000, 1000), metavar=("ROWS", "CLASSES"))
    parser.add_argument("--rounds", type=int, default=7, help="pairs of timed passes (default: 7)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    ours, theirs = (
        train(loss, options.steps, options.seed) for loss in (cross_entropy, torch.nn.functional.cross_entropy)
    )
    print(f"loss after {options.steps} steps: {ours[-1]:.6f}; with PyTorch's: {theirs[-1]:.6f}")
    print(f"largest difference on the way: {np.abs(np.subtract(ours, theirs)).max():.1e}")
    for reduction in ("mean", "sum"):
        for smoothing in (0.0, 0.1):
            right = gradient_is_right(reduction, smoothing, options.seed)
            print(f"gradcheck, {reduction}, label smoothing {smoothing}: {'passed' if right else 'failed'}")
    rows, classes = options.batch
    ratio = median_ratio(rows, classes, options.rounds, options.seed)
    print(f"{rows} x {classes}, forward and backward: PyTorch's takes {ratio:.2f} times as long (median)")


if __name__ == "__main__":
    main()
