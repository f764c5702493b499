"""Compare exact search by fastclf with that by other packages: same data, one run.

usage: python bench/compare_backends.py [--data DIR | --made N D] [--rounds R] [--threads T] [--out DIR]

Answers are compared first; then fastclf and a peer are timed in turns, A B A B, and the median of the ratios is told.
All have the same number of threads, but for those that have one only, which the table names.
Peers that would take minutes are given fewer queries; ratios are per query. Absolute times are not told: they say more
of the machine than of the packages. Chart: bench-backends.png.
"""

from __future__ import annotations

import argparse
import sys

from script import parser, save, say

from fastclf import plotting
from fastclf.bench import cases, peers, searches


def main() -> int:
    options = parse()
    data = cases.pictures(options.data) if options.data else cases.made(*options.made)
    usable, left_out = peers.sort_out(peers.PEERS, options.threads)
    results = []
    for case in cases.CASES:
        say(case.name)
        results += searches.compare(case, data, usable, options.threads, options.rounds)
    print(searches.table(results, data, left_out).as_markdown())
    with plotting.style():
        save(searches.chart(results, data), options.out / "bench-backends.png")
    return 0


def parse() -> argparse.Namespace:
    arguments, source = parser(__doc__)
    source.add_argument("--made", type=int, nargs=2, default=(20000, 1024), metavar=("N", "D"), help="made rows")
    return arguments.parse_args()


if __name__ == "__main__":
    sys.exit(main())
