"""The main job: kNN chosen by cross-validation, softmax and SVM on validation data; each tested once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from fastclf import _job, _native, datasets, plotting
from fastclf._reports import machine
from fastclf._reports.page import page, picture, preformatted, write
from fastclf.datasets import Dataset

_PACKAGES = ("faiss-cpu", "matplotlib")  # what the job may use, beside what it needs
_METHOD = (
    "The metric and the number of neighbours are chosen by cross-validation on the training rows, penalties of linear "
    "classifiers on a part of them that is held out. Then all training rows are fitted, and each classifier is tested "
    "once."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the main job.

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
        for folder in filter(None, (options.out, options.report)):
            folder.mkdir(parents=True, exist_ok=True)
        data = _load(options)
        about = f"{_name(options)}: {_size(data)}"
        print(f"{about}\n")
        fits = _job.fit(data, options.k, options.metrics, options.folds, options.penalties, options.seed)
    except (ImportError, OSError, ValueError) as error:
        print(f"fastclf: {error}", file=sys.stderr)
        return 2
    parts = []
    for table in _job.tables(fits):
        print(f"{table.as_text()}\n")
        parts.append(table.as_html())
    explanation = str(fits.search.best_estimator_.explain(fits.timed))
    print(f"{explanation}\n")
    parts.append(preformatted("How the search went", explanation))
    parts += _draw(fits, options.out)
    if options.report:
        text = page("fastclf, the main job", f"{about}. {_METHOD}", machine.facts(_PACKAGES), parts)
        write(options.report / "report.html", text)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fastclf", description=__doc__)
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="a folder with CIFAR-10's binary files or IDX files; or cifar10 or mnist, which are brought from the net "
        "where there is no folder of this name; else digits",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where plots go (default: the report's folder, or out)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write DIR/report.html, which holds all, plots too")
    parser.add_argument("--k", type=int, nargs="+", default=[1, 3, 5, 7, 9, 15], metavar="K", help="neighbours to try")
    parser.add_argument("--metrics", nargs="+", choices=_native.metrics(), default=["l1", "l2"], help="metrics to try")
    parser.add_argument(
        "--penalties", type=float, nargs="+", default=[1e-4, 1e-3, 1e-2, 1e-1], help="l2 to try, over X's variance"
    )
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="of the cross-validation (default: 5)")
    parser.add_argument("--limit", type=int, metavar="N", help="use only N rows of each of training and test data")
    parser.add_argument("--seed", type=int, default=0, help="of the split for validation (default: 0)")
    options = parser.parse_args(arguments)
    options.out = options.out or options.report or Path("out")
    return options


def _name(options: argparse.Namespace) -> str:
    return options.data or "scikit-learn's digits"


def _size(data: Dataset) -> str:
    return f"{len(data.X_train)} training and {len(data.X_test)} test rows of {data.X_train.shape[1]} bytes"


def _load(options: argparse.Namespace) -> Dataset:
    data = datasets.digits() if options.data is None else datasets.load_or_fetch(options.data, verbose=1)
    if options.limit is None:
        return data
    if options.limit < 1:
        raise ValueError(f"--limit must be at least 1, got {options.limit}")
    return data.head(options.limit)


def _draw(fits: _job.Fits, out: Path) -> Iterable[str]:
    """Save the pictures; yield them as parts of a page."""
    try:
        with plotting.style():
            for one in _job.pictures(fits):
                path = out / f"{one.name}.png"
                one.figure.savefig(path, bbox_inches="tight")
                print(f"wrote {path}")
                yield picture(one.figure, one.caption)
    except ImportError as error:
        print(f"no plots: {error}")
        yield preformatted("No plots", str(error))


if __name__ == "__main__":
    sys.exit(main())
