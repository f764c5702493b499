"""The main job: kNN chosen by cross-validation, softmax and SVM on validation data; each tested once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from fastclf import KNN, KNNCV, LinearClassifier, _native, datasets, plotting
from fastclf._comparison import compare
from fastclf._progress import each
from fastclf.datasets import Dataset

_VALIDATION_SHARE = 0.2
_LINEAR_LOSSES = ("softmax", "hinge")
_VALIDATION_TOL = 1e-3  # a choice needs no more digits
_TIMED_QUERIES = 200
_SHOWN_PICTURES = 6


class LinearScore(NamedTuple):
    """Accuracy on validation data with one choice of loss and penalty."""

    loss: str
    l2: float
    accuracy: float


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
        options.out.mkdir(parents=True, exist_ok=True)
        data = _load(options)
        search = KNNCV(options.k, metrics=options.metrics, cv=options.folds, verbose=1).fit(data.X_train, data.y_train)
        parts = train_test_split(
            data.X_train, data.y_train, test_size=_VALIDATION_SHARE, stratify=data.y_train, random_state=options.seed
        )
        linear_scores = _validate_linear(parts, options)
        linear = [_refitted(loss, linear_scores, data) for loss in _LINEAR_LOSSES]
    except (OSError, ValueError) as error:
        print(f"fastclf: {error}", file=sys.stderr)
        return 2
    model = search.best_estimator_
    _print_scores(search)
    _print_linear_scores(linear_scores, linear)
    _print_tests([(f"kNN, k={model.k}, {model.metric}", model), *((_name(one), one) for one in linear)], data)
    _print_comparison(model, data)
    try:
        _save(search.plot().figure, options.out / "cross_validation.png")
        _plot_neighbors(model, data, options.out)
        _plot_linear(linear, data, options.out)
    except ImportError as error:
        print(f"no plots: {error}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fastclf", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="CIFAR-10's binary files or IDX files; else digits")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where plots go (default: out)")
    parser.add_argument("--k", type=int, nargs="+", default=[1, 3, 5, 7, 9, 15], metavar="K", help="neighbours to try")
    parser.add_argument("--metrics", nargs="+", choices=_native.metrics(), default=["l1", "l2"], help="metrics to try")
    parser.add_argument(
        "--penalties", type=float, nargs="+", default=[1e-4, 1e-3, 1e-2, 1e-1], help="l2 to try, over X's variance"
    )
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="of the cross-validation (default: 5)")
    parser.add_argument("--limit", type=int, metavar="N", help="use only N rows of each of training and test data")
    parser.add_argument("--seed", type=int, default=0, help="of the split for validation (default: 0)")
    return parser.parse_args(arguments)


def _load(options: argparse.Namespace) -> Dataset:
    data = datasets.digits() if options.data is None else datasets.load(options.data)
    if options.limit is not None:
        if options.limit < 1:
            raise ValueError(f"--limit must be at least 1, got {options.limit}")
        data = data.head(options.limit)
    name = "scikit-learn's digits" if options.data is None else str(options.data)
    print(f"{name}: {len(data.X_train)} training and {len(data.X_test)} test rows of {data.X_train.shape[1]} bytes\n")
    return data


def _validate_linear(parts: Sequence[NDArray[Any]], options: argparse.Namespace) -> list[LinearScore]:
    """Accuracy of every loss and penalty on a part of the training data."""
    X, X_held, y, y_held = parts
    variance = float(X[:: max(1, len(X) // 1000)].var(axis=0).mean())
    scores = []
    for loss in each(_LINEAR_LOSSES, "validating"):
        for penalty in options.penalties:
            model = LinearClassifier(loss, l2=penalty * variance, tol=_VALIDATION_TOL).fit(X, y)
            scores.append(LinearScore(loss, model.l2, float(model.score(X_held, y_held))))
    return scores


def _refitted(loss: str, scores: list[LinearScore], data: Dataset) -> LinearClassifier:
    """Fit all training data with the loss's best penalty."""
    best = max((score for score in scores if score.loss == loss), key=lambda score: score.accuracy)
    return LinearClassifier(loss, l2=best.l2, verbose=1).fit(data.X_train, data.y_train)


def _name(model: LinearClassifier) -> str:
    return f"{model.loss}, l2={model.l2:.3g}"


def _print_scores(search: KNNCV) -> None:
    print("metric     k  accuracy in cross-validation, mean and deviation")
    for metric, of_metric in zip(search.metrics, search.cv_scores_, strict=True):
        for k, scores in zip(search.ks, of_metric, strict=True):
            mark = "  <- chosen" if (metric, k) == (search.best_metric_, search.best_k_) else ""
            print(f"{metric:8} {k:3}  {scores.mean():.4f} +- {scores.std():.4f}{mark}")


def _print_linear_scores(scores: list[LinearScore], chosen: list[LinearClassifier]) -> None:
    print("\nloss            l2  validation accuracy")
    kept = [(model.loss, model.l2) for model in chosen]
    for score in scores:
        mark = "  <- chosen" if score[:2] in kept else ""
        print(f"{score.loss:8} {score.l2:9.3g}  {score.accuracy:.4f}{mark}")


def _print_tests(models: Iterable[tuple[str, Any]], data: Dataset) -> None:
    print("\nclassifier              test accuracy, measured once")
    for name, model in models:
        print(f"{name:22}  {model.score(data.X_test, data.y_test):.4f}")
    print()


def _print_comparison(model: KNN, data: Dataset) -> None:
    queries = data.X_test[:_TIMED_QUERIES]
    print("backend                     times as fast  recall  predictions that agree")
    results = list(compare(model, data.X_train, data.y_train, queries))
    for result in results:
        agree = f"{result.agree} of {len(queries)}"
        print(f"{result.name:26}  {result.times_as_fast:13.3g}  {result.recall:6.4f}  {agree}")
    print("(scikit-learn takes any of several rows at equal distance, fastclf the first)")
    if not any("faiss" in result.name for result in results):
        print("approximate search needs FAISS: pip install fastclf[faiss]")
    print()
    print(f"{model.explain(queries)}\n")


def _plot_neighbors(model: KNN, data: Dataset, out: Path) -> None:
    """Save a picture of some test rows beside their nearest training rows, those that the model gets wrong first."""
    wrong_first = np.argsort(model.predict(data.X_test) == data.y_test, kind="stable")
    half = _SHOWN_PICTURES // 2
    shown = np.concatenate([wrong_first[:half], wrong_first[-half:]])
    figure = plotting.plot_neighbors(
        model,
        data.X_test[shown],
        data.y_test[shown],
        data.X_train,
        data.y_train,
        data.pictures,
        class_names=data.class_names,
    )
    _save(figure, out / "neighbors.png")


def _plot_linear(models: list[LinearClassifier], data: Dataset, out: Path) -> None:
    """Save what each class's weights look like, and how the objectives fell."""
    height, width, *colours = data.shape  # of which rows hold one plane after the other
    for model in models:
        figure = model.plot_templates((*colours, height, width), class_names=data.class_names)
        _save(figure, out / f"templates_{model.loss}.png")
    _save(plotting.plot_loss_curves({model.loss: model.loss_curve_ for model in models}), out / "loss_curves.png")


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, bbox_inches="tight")
    print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
