"""The main job: its fits, and the tables and pictures that tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from fastclf import plotting
from fastclf._comparison import compare
from fastclf._reports.tables import Table
from fastclf._shared.progress import each
from fastclf._shared.types import Metric
from fastclf.datasets import Dataset
from fastclf.linear.classifier import LinearClassifier
from fastclf.neighbors.cross_validation import KNNCV

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


class Picture(NamedTuple):
    """A figure, the name of its file, and what it shows."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Fits:
    """What the job has learned of its data."""

    data: Dataset
    search: KNNCV
    scores: list[LinearScore]
    linear: list[LinearClassifier]

    @property
    def timed(self) -> NDArray[Any]:
        """The queries by which backends are compared."""
        return self.data.X_test[:_TIMED_QUERIES]

    @property
    def penalties(self) -> list[float]:
        """The values of l2 that were tried."""
        return [score.l2 for score in self.scores if score.loss == _LINEAR_LOSSES[0]]

    def accuracies(self, loss: str) -> list[float]:
        """Return the accuracy on validation data for each penalty."""
        return [score.accuracy for score in self.scores if score.loss == loss]


def fit(
    data: Dataset, ks: Sequence[int], metrics: Sequence[Metric], folds: int, penalties: Sequence[float], seed: int
) -> Fits:
    """Choose k, the metric and penalties; fit all training data with them."""
    search = KNNCV(ks, metrics=metrics, cv=folds, verbose=1).fit(data.X_train, data.y_train)
    parts = train_test_split(
        data.X_train, data.y_train, test_size=_VALIDATION_SHARE, stratify=data.y_train, random_state=seed
    )
    scores = _validate_linear(parts, penalties)
    return Fits(data, search, scores, [_refitted(loss, scores, data) for loss in _LINEAR_LOSSES])


def _validate_linear(parts: Sequence[NDArray[Any]], penalties: Sequence[float]) -> list[LinearScore]:
    """Accuracy of every loss and penalty on a part of the training data."""
    X, X_held, y, y_held = parts
    variance = float(X[:: max(1, len(X) // 1000)].var(axis=0).mean())
    scores = []
    for loss in each(_LINEAR_LOSSES, "validating"):
        for penalty in penalties:
            model = LinearClassifier(loss, l2=penalty * variance, tol=_VALIDATION_TOL).fit(X, y)
            scores.append(LinearScore(loss, model.l2, float(model.score(X_held, y_held))))
    return scores


def _refitted(loss: str, scores: list[LinearScore], data: Dataset) -> LinearClassifier:
    """Fit all training data with the loss's best penalty."""
    best = max((score for score in scores if score.loss == loss), key=lambda score: score.accuracy)
    return LinearClassifier(loss, l2=best.l2, verbose=1).fit(data.X_train, data.y_train)


def tables(fits: Fits) -> Iterator[Table]:
    """Yield what was chosen by which scores, the tests, and the comparison of backends; each made when asked for."""
    yield _cross_validation(fits.search)
    yield _validation(fits)
    yield _tests(fits)
    yield _backends(fits)


def _cross_validation(search: KNNCV) -> Table:
    rows: list[tuple[str, ...]] = []
    chosen = set()
    for metric, of_metric in zip(search.metrics, search.cv_scores_, strict=True):
        for k, scores in zip(search.ks, of_metric, strict=True):
            if (metric, k) == (search.best_metric_, search.best_k_):
                chosen.add(len(rows))
            rows.append((metric, str(k), f"{scores.mean():.4f} +- {scores.std():.4f}"))
    title = f"kNN: accuracy in {search.n_splits_}-fold cross-validation, mean and deviation"
    return Table(title, ("metric", "k", "accuracy"), tuple(rows), frozenset(chosen))


def _validation(fits: Fits) -> Table:
    kept = [(model.loss, model.l2) for model in fits.linear]
    rows = tuple((score.loss, f"{score.l2:.3g}", f"{score.accuracy:.4f}") for score in fits.scores)
    chosen = frozenset(i for i, score in enumerate(fits.scores) if score[:2] in kept)
    title = f"Linear classifiers: accuracy on {_VALIDATION_SHARE:.0%} of the training rows, held out"
    return Table(title, ("loss", "l2", "accuracy"), rows, chosen)


def _tests(fits: Fits) -> Table:
    model, data = fits.search.best_estimator_, fits.data
    models: list[tuple[str, Any]] = [(f"kNN, k={model.k}, {model.metric}", model)]
    models += [(f"{one.loss}, l2={one.l2:.3g}", one) for one in fits.linear]
    rows = tuple((name, f"{one.score(data.X_test, data.y_test):.4f}") for name, one in models)
    return Table("Test accuracy, measured once", ("classifier", "accuracy"), rows)


def _backends(fits: Fits) -> Table:
    data, queries = fits.data, fits.timed
    results = list(compare(fits.search.best_estimator_, data.X_train, data.y_train, queries))
    rows = tuple(
        (one.name, f"{one.times_as_fast:.3g}", f"{one.recall:.4f}", f"{one.agree} of {len(queries)}") for one in results
    )
    note = "(scikit-learn takes any of several rows at equal distance, fastclf the first)"
    if not any("faiss" in one.name for one in results):
        note += "\napproximate search needs FAISS: pip install fastclf[faiss]"
    head = ("backend", "times as fast", "recall", "predictions that agree")
    return Table("Backends on the chosen k and metric", head, rows, note=note)


def pictures(fits: Fits) -> Iterator[Picture]:
    """Yield pictures of the choices, of neighbours, and of what the linear classifiers look for."""
    data, classes = fits.data, fits.data.class_names
    choices = "Accuracy by k and metric: each fold, means and deviations."
    yield Picture("cross_validation", choices, cast("Figure", fits.search.plot().figure))
    accuracies = {loss: fits.accuracies(loss) for loss in _LINEAR_LOSSES}
    penalties = plotting.plot_penalties(fits.penalties, accuracies, ylabel="accuracy on validation rows")
    yield Picture("penalties", "Accuracy of linear classifiers by penalty.", cast("Figure", penalties.figure))
    neighbors = "Test pictures and the nearest training pictures; the first ones are classified wrongly, if any are."
    yield Picture("neighbors", neighbors, _neighbors(fits))
    height, width, *colours = data.shape  # rows hold one plane of colour after the other
    for model in fits.linear:
        figure = model.plot_templates((*colours, height, width), class_names=classes)
        yield Picture(f"templates_{model.loss}", f"What each class's weights look like: {model.loss}.", figure)
    curves = plotting.plot_loss_curves({model.loss: model.loss_curve_ for model in fits.linear})
    yield Picture("loss_curves", "How the objectives fell.", curves)


def _neighbors(fits: Fits) -> Figure:
    """Draw some test rows beside their nearest training rows, those that the model gets wrong first."""
    data, model = fits.data, fits.search.best_estimator_
    wrong_first = np.argsort(model.predict(data.X_test) == data.y_test, kind="stable")
    half = _SHOWN_PICTURES // 2
    shown = np.concatenate([wrong_first[:half], wrong_first[-half:]])
    asked = data.X_test[shown], data.y_test[shown]
    known = data.X_train, data.y_train
    return plotting.plot_neighbors(model, *asked, *known, data.pictures, class_names=data.class_names)
