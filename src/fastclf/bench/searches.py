"""Exact search by fastclf beside that by other packages: same data, in turns, same threads where they can be set."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastclf import plotting
from fastclf._reports.tables import Table
from fastclf.bench import peers
from fastclf.bench.cases import Case, Data
from fastclf.bench.timing import TURN_SECONDS, in_turns, rows_differ

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIGNS = "os^DvPX*"


@dataclass(frozen=True)
class Result:
    """One peer on one case: how much longer it takes a query, and on how many queries it answers otherwise.

    `one_thread`: it had one thread where fastclf had more.
    """

    case: str
    peer: str
    times: float
    rows_differ: int
    queries: int
    one_thread: bool


def compare(case: Case, data: Data, usable: Sequence[peers.Peer], n_threads: int, rounds: int) -> list[Result]:
    """Return a result for each peer that has the case's metric: answers are compared, then times, A B A B."""
    X, Q = data.as_values(case.values)
    Q = Q[: case.n_queries]
    ours = peers.FastClf(X, case.metric, n_threads)
    answer = ours.neighbors(Q, case.k)
    results = []
    for peer in usable:
        if case.metric not in peer.queries:
            continue
        part = Q[: peer.queries[case.metric]]
        theirs = peer.build(X, case.metric, n_threads)
        differ = rows_differ(theirs.neighbors(part, case.k), answer)
        a, b = in_turns([(ours, Q), (theirs, part)], case.k, rounds, TURN_SECONDS).T
        one_thread = peer.one_thread and n_threads > 1
        results.append(Result(case.name, peer.name, float(np.median(b / a)), differ, len(part), one_thread))
    return results


def table(results: Sequence[Result], data: Data, left_out: Mapping[str, str]) -> Table:
    """Return a row for each case and a column for each peer; a peer without the metric has no number."""
    names = list(dict.fromkeys(result.peer for result in results))
    times = {(result.case, result.peer): f"{result.times:.3g}" for result in results}
    cases = dict.fromkeys(result.case for result in results)
    rows = tuple((case, *(times.get((case, name), "") for name in names)) for case in cases)
    differ = [f"{r.peer} on {r.rows_differ} of {r.queries} ({r.case})" for r in results if r.rows_differ]
    single = dict.fromkeys(result.peer for result in results if result.one_thread)
    threads = f"the same number of threads (one for {', '.join(single)})" if single else "the same number of threads"
    note = (
        f"Times as long as fastclf takes a query, {threads}, medians of paired runs.\n"
        f"Queries with other neighbours than fastclf's (ties, rounding or an error): {'; '.join(differ) or 'none'}.\n"
        f"Left out: {peers.reasons(left_out)}."
    )
    return Table("Exact search", (data.name, *names), rows, note=note)


def chart(results: Sequence[Result], data: Data) -> Figure:
    """Draw the times on a logarithmic scale: a line for each case, a sign for each peer."""
    groups = list(dict.fromkeys(result.case for result in results))
    peer_results: dict[str, list[Result]] = {}
    for result in results:
        peer_results.setdefault(result.peer, []).append(result)
    figure = plotting.new_figure((7.5, 1.6 + 0.4 * len(groups)))
    axes = figure.add_subplot()
    for (name, of_peer), sign in zip(peer_results.items(), itertools.cycle(_SIGNS)):
        times, places = [result.times for result in of_peer], [groups.index(result.case) for result in of_peer]
        axes.plot(times, places, sign, linestyle="none", markersize=7, alpha=0.85, label=name)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(np.arange(len(groups)), groups)
    axes.invert_yaxis()
    axes.grid(axis="y", alpha=0.3)
    axes.set_xlabel("times as long as fastclf, which is the line at 1")
    axes.set_title(f"Exact search, {data.name}", fontsize=10)
    figure.legend(fontsize=8, loc="outside lower center", ncols=4)
    return figure
