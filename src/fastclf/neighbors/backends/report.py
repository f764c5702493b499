"""What a search does, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of a search.

    Attributes
    ----------
    words : str
        What rows are compared by.
    rows : float
        How many rows of a query come to this step.
    time_share : float
        Share of the time; NaN where nothing was searched for.
    """

    words: str
    rows: float
    time_share: float


@dataclass(frozen=True)
class Report:
    """What was built for searching, and what the searches for some queries did; as a string, in words.

    Attributes
    ----------
    title : str
        What kind of search it is.
    metric : str
        Name of the metric.
    n_rows : int
        Number of rows remembered.
    row_bytes : int
        Bytes of a row.
    beside : str
        What was built beside the rows.
    beside_bytes : int
        Bytes of that, a row.
    basis : str
        What is told where nothing was searched for.
    n_queries : int or None
        Number of queries searched for; None where nothing was, and `steps` tell what a sample showed at fit.
    steps : tuple of Step
        Each with `words`, what is compared; `rows`, how many rows of a query come to it; and `time_share`. The last
        compares rows in full.
    preparing_share : float
        Share of the time that the queries' own sketches take, or NaN.
    given_up : int
        Number of queries with so many survivors that all rows were compared in full instead. The time of that is in no
        share.
    """

    title: str
    metric: str
    n_rows: int
    row_bytes: int
    beside: str
    beside_bytes: int
    basis: str
    n_queries: int | None
    steps: tuple[Step, ...]
    preparing_share: float
    given_up: int

    def __str__(self) -> str:
        searched = self.basis if self.n_queries is None else f"{self.n_queries} queries"
        lines = [f"{self.title} of {self.n_rows} rows of {self.row_bytes} bytes by {self.metric}; {searched}"]
        if len(self.steps) == 1:
            return f"{lines[0]}\nevery row is compared in full: there are few, or nothing shorter would leave few"
        width = max(len(step.words) for step in self.steps)
        lines.append(f"{'compared':{width}}  rows a query  share of time")
        for step in self.steps:
            share = "" if math.isnan(step.time_share) else f"{step.time_share:13.0%}"
            rows = "" if math.isnan(step.rows) else f"{step.rows:.0f}"
            lines.append(f"{step.words:{width}}  {rows:>12}  {share}".rstrip())
        lines.append(
            f"{self.beside} take {self.beside_bytes} bytes a row, {self.beside_bytes / self.row_bytes:.0%} of its own"
        )
        if self.given_up:
            lines.append(f"{self.given_up} queries were compared with all rows in full instead")
        return "\n".join(lines)
