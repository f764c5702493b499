"""Telling how far a long computation has come: with tqdm where it is installed, else in lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Tell = Callable[[float, float], None]


def each(items: Sequence[str], what: str) -> Iterable[str]:
    """Go through the items with a progress bar, or a line each."""
    tqdm = _tqdm()
    return tqdm(items, desc=what, file=sys.stderr, leave=False) if tqdm else _a_line_each(items, what)


def _tqdm() -> Any:
    """Return the class of bars, where it is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm


def _a_line_each(items: Sequence[str], what: str) -> Iterator[str]:
    for i, item in enumerate(items, 1):
        print(f"{what}: {item} ({i} of {len(items)})", file=sys.stderr)
        yield item


@contextmanager
def iterations(name: str, verbose: int, total: int) -> Iterator[Tell]:
    """Yield what to call after each of at most `total` iterations, with J and how far it may be above the optimum."""
    tqdm = _tqdm()
    if not verbose or not tqdm:
        yield _lines(name) if verbose else nothing
        return
    with tqdm(total=total, desc=name, file=sys.stderr) as bar:

        def tell(value: float, excess: float) -> None:
            bar.set_postfix_str(f"J={value:.6g} to go={excess:.2g}", refresh=False)
            bar.update()

        yield tell


def nothing(*told: float) -> None:
    """Tell nobody."""


@contextmanager
def amount(name: str, verbose: int, total: int) -> Iterator[Callable[[int], None]]:
    """Yield what to call with how much more of `total` is done."""
    tqdm = _tqdm()
    if not verbose or not tqdm:
        yield _parts(name, total) if verbose else nothing
        return
    with tqdm(total=total, desc=name, file=sys.stderr) as bar:
        yield bar.update


def _parts(name: str, total: int) -> Callable[[int], None]:
    """Tell each tenth in a line."""
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        before, done = done, done + more
        if 10 * done // total > 10 * before // total:
            print(f"{name}: {done} of {total}", file=sys.stderr)

    return tell


def _lines(name: str) -> Tell:
    count = 0

    def tell(value: float, excess: float) -> None:
        nonlocal count
        count += 1
        print(f"{name}: iteration {count}, J = {value:.6g}, about {excess:.2g} to go", file=sys.stderr)

    return tell
