"""What the scripts here share: options, lines that tell how far they are, and how charts look."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import fastclf
from fastclf import datasets

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")  # told apart by any colour vision


def parser(words: str | None) -> tuple[argparse.ArgumentParser, Any]:
    """Return a parser of the options of scripts about pictures, and its group for other data than --data."""
    arguments = turns(words)
    source = arguments.add_mutually_exclusive_group()
    add_data(source)
    arguments.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    return arguments, source


def add_data(arguments: Any) -> None:
    """Add --data to a parser or a group of it."""
    words = "a folder with CIFAR-10's binary files or IDX files; or cifar10 or mnist, which are fetched"
    arguments.add_argument("--data", metavar="DIR", help=words)


def pictures(where: str | None) -> datasets.Dataset:
    """Return the pictures that --data names, or scikit-learn's digits."""
    return datasets.digits() if where is None else datasets.load_or_fetch(where, verbose=1)


def turns(words: str | None, rounds: int = 5) -> argparse.ArgumentParser:
    """Return a parser of the options of all scripts."""
    arguments = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=rounds, help="turns of which the median is told")
    arguments.add_argument("--threads", type=int, default=fastclf.show_config("dicts")["n_threads"])
    return arguments


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    say(f"wrote {path}")
