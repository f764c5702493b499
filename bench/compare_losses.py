"""Compare losses and their gradients with PyTorch's: same scores, same threads, one run.

usage: python bench/compare_losses.py [--rounds R] [--threads T]

Losses are compared first; then fastclf's call (loss and gradient) and PyTorch's forward and backward are timed in
turns, A B A B, and the median of the ratios is told; beside it, the time as a part of that of copying the scores by one
thread. Absolute times are not told: they say more of the machine than of the packages.
"""

from __future__ import annotations

import sys

from script import say, turns

from fastclf.bench import losses


def main() -> int:
    if reason := losses.missing():
        say(f"PyTorch cannot be imported ({reason}): pip install torch")
        return 1
    options = turns(__doc__, rounds=7).parse_args()
    results = []
    for shape in losses.SHAPES:
        say(f"{shape[0]} x {shape[1]}")
        results.append(losses.compare(shape, options.threads, options.rounds))
    print(losses.table(results).as_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
