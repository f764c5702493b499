"""Compare fastclf with the packages that are installed, in small sizes: exact search, losses and their gradients.

Answers are compared first, then times, in turns. Absolute times are not told: they say more of the machine than of the
packages. Writes DIR/bench.json and DIR/bench.html, which name the processor and the versions.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastclf import plotting
from fastclf._reports import machine
from fastclf._reports.page import page, picture, preformatted, write
from fastclf._shared import threads
from fastclf.bench import cases, losses, peers, searches

_COMPARISONS = ("searches", "losses")
_INTRODUCTION = (
    "fastclf and other packages on the same data, in turns, with the same number of threads where it can be set."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparisons.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments of the command line, by default those of the process.

    Returns
    -------
    int
        The exit code: 0, or 2 for arguments or data that are wrong.
    """
    options = _options(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        n_threads = threads.resolve(options.threads)
        data = _load(options) if "searches" in options.only else None
    except (ImportError, OSError, ValueError) as error:
        print(f"fastclf.bench: {error}", file=sys.stderr)
        return 2
    report: dict[str, Any] = {}
    parts: list[str] = []
    if data is not None:
        report["searches"], of_searches = _compare_searches(data, n_threads, options.rounds)
        parts += of_searches
    if "losses" in options.only:
        report["losses"], of_losses = _compare_losses(n_threads, options.rounds)
        parts += of_losses
    packages = [peer.distribution for peer in peers.PEERS]
    report = {"made_on": {**machine.facts(packages), "threads": str(n_threads)}, **report}
    write(options.out / "bench.json", json.dumps(report, indent=2) + "\n")
    write(options.out / "bench.html", page("fastclf beside other packages", _INTRODUCTION, report["made_on"], parts))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m fastclf.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=_COMPARISONS, default=_COMPARISONS, help="default: all")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", metavar="DIR", help="CIFAR-10's binary or IDX files; or cifar10 or mnist")
    source.add_argument("--made", type=int, nargs=2, default=(4000, 256), metavar=("N", "D"), help="made rows")
    parser.add_argument("--rounds", type=int, default=5, help="turns of which the median is told")
    parser.add_argument("--threads", type=int, help="default: as show_config says")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    options = parser.parse_args(arguments)
    for name, numbers in (("rounds", [options.rounds]), ("made", options.made)):
        if min(numbers) < 1:
            parser.error(f"argument --{name}: must be at least 1, got {min(numbers)}")
    return options


def _load(options: argparse.Namespace) -> cases.Data:
    data = cases.pictures(options.data) if options.data else cases.made(*options.made)
    least = max(case.k for case in cases.CASES)
    if len(data.X) < least:
        raise ValueError(f"{data.name}: {least} neighbours are searched for, got {len(data.X)} rows")
    return data


def _compare_searches(data: cases.Data, n_threads: int, rounds: int) -> tuple[dict[str, Any], list[str]]:
    """Return the results, and parts of a page that tell of them."""
    usable, left_out = peers.sort_out(peers.PEERS, n_threads)
    results = []
    for case in cases.CASES:
        print(f"{case.name}, {data.name}", file=sys.stderr)
        results += searches.compare(case, data, usable, n_threads, rounds)
    table = searches.table(results, data, left_out)
    print(f"{table.as_text()}\n")
    try:
        with plotting.style():
            chart = picture(searches.chart(results, data), "The same times, drawn.")
    except ImportError as error:
        chart = preformatted("No chart", str(error))
    report = {"data": data.name, "left_out": left_out, "results": [asdict(result) for result in results]}
    return report, [table.as_html(), chart]


def _compare_losses(n_threads: int, rounds: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the results, and parts of a page that tell of them."""
    results = []
    for shape in losses.SMALL_SHAPES:
        print(f"losses of {shape[0]} x {shape[1]} scores", file=sys.stderr)
        results.append(losses.compare(shape, n_threads, rounds))
    table = losses.table(results)
    print(f"{table.as_text()}\n")
    return [asdict(result) for result in results], [table.as_html()]


if __name__ == "__main__":
    sys.exit(main())
