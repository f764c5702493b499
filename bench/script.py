"""What the scripts here share: options, lines that tell how far they are, and how charts look."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import fastclf

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")  # told apart by any colour vision


def parser(words: str | None) -> tuple[argparse.ArgumentParser, Any]:
    """Return a parser of the options of scripts about pictures, and its group for other data than --data."""
    arguments = turns(words)
    source = arguments.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="DIR", help="CIFAR-10's binary files, or IDX files")
    arguments.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    return arguments, source


def turns(words: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options of all scripts."""
    arguments = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5, help="turns of which the median is told")
    arguments.add_argument("--threads", type=int, default=fastclf.show_config("dicts")["n_threads"])
    return arguments


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    say(f"wrote {path}")
