"""Pictures of what a classifier does; needs matplotlib, which is imported when a picture is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_cross_validation", "plot_loss_curves", "plot_neighbors", "plot_penalties", "plot_templates"]
# `style` and `new_figure` are for other modules of fastclf, not for its users.

# Colours that people with any colour vision tell apart, each with a sign and a line of its own.
_RIGHT = {"sign": "✓", "colour": "#0072b2", "line": "solid"}
_WRONG = {"sign": "✗", "colour": "#c2410c", "line": (0, (3, 2))}

_TEXT = "#333333"
_INCHES = 1.05  # a picture
_LINES = ("o-", "s--", "^:", "d-.")
_SIGNS = 20  # about how many points of a curve have a sign
_GAP = 0.45  # between the queries and their neighbours, in pictures


# How the pictures of the main job and of the course look, as matplotlib's settings.
STYLE = {
    "axes.prop_cycle": "cycler('color', ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'])",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "image.cmap": "gray_r",
    "legend.frameon": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in `STYLE`; raise ImportError if matplotlib is not installed."""
    with _matplotlib().rc_context(STYLE):
        yield


def plot_neighbors(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    X_train: ArrayLike,
    y_train: ArrayLike,
    pictures: Callable[[NDArray[Any]], NDArray[Any]],
    *,
    class_names: Sequence[str] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Draw pictures beside the nearest training pictures, one row each.

    Right and wrong labels differ by sign (✓ and ✗), by frame (solid and dashed) and by colour.

    Parameters
    ----------
    model : KNN
        A classifier with `predict` and `kneighbors`, fitted on `X_train`.
    X : array-like of shape (n_queries, n_features)
        Pictures to classify, one a row.
    y : array-like of shape (n_queries,)
        Their true classes.
    X_train : array-like of shape (n_samples, n_features)
        The rows that the model was fitted on.
    y_train : array-like of shape (n_samples,)
        Their classes.
    pictures : callable
        Makes rows into pictures: an array of shape (n, height, width), or (n, height, width, 3) with colours; such as
        `fastclf.datasets.Dataset.pictures` or ``lambda rows: rows.reshape(-1, 28, 28)``.
    class_names : sequence of str, optional
        Names of classes 0, 1, and so on. By default classes are shown as they are.
    figure : matplotlib.figure.Figure, optional
        Where to draw: such as ``plt.figure()``, or part of a larger figure. By default a new figure that pyplot does
        not know of.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; its `axes` are row by row those of the query and its neighbours, nearest first.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from fastclf import KNN
    >>> from fastclf.datasets import digits
    >>> from fastclf.plotting import plot_neighbors
    >>> data = digits()
    >>> model = KNN(k=3).fit(data.X_train, data.y_train)
    >>> figure = plot_neighbors(model, data.X_test[:2], data.y_test[:2], data.X_train, data.y_train, data.pictures)
    >>> len(figure.axes)
    8
    """
    queries, truths = np.asarray(X), np.asarray(y)
    neighbors = model.kneighbors(queries, return_distance=False)
    labels = np.asarray(y_train)[neighbors]
    names = _Names(class_names)
    figure, grid = _grid(figure, *neighbors.shape)
    for axes, query, truth, guess in zip(grid[:, 0], pictures(queries), truths, model.predict(queries), strict=True):
        _show(axes, query, f"{names[guess]}", truth == guess)
        axes.set_ylabel(f"{names[truth]}", rotation=0, ha="right", va="center", labelpad=8, color=_TEXT)
    for row, nearest, classes, truth in zip(grid[:, 1:], neighbors, labels, truths, strict=True):
        for axes, picture, label in zip(row, pictures(np.asarray(X_train)[nearest]), classes, strict=True):
            _show(axes, picture, f"{names[label]}", label == truth)
    _head(grid)
    return figure


def plot_templates(
    W: ArrayLike, shape: tuple[int, ...], class_names: Sequence[Any], *, figure: Figure | None = None
) -> Figure:
    """Draw the rows of a linear classifier's weights as pictures.

    Parameters
    ----------
    W : array-like of shape (n_classes, n_features)
        Weights.
    shape : tuple of int
        Of a picture: (height, width), drawn from blue (negative) over white to red; or (height, width, 3) or
        (3, height, width) with colours, where middle grey is 0.
    class_names : sequence of length n_classes
        What is written below.
    figure : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure that pyplot does not know of.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If `shape` does not hold as many values as a row of `W`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastclf.plotting import plot_templates
    >>> len(plot_templates(np.eye(4), (2, 2), "abcd").axes)
    4
    """
    weights = np.asarray(W, dtype=np.float64)
    pictures = _templates(weights, tuple(shape))
    columns = min(len(weights), 5)
    rows = -(-len(weights) // columns)
    if figure is None:
        figure = new_figure((1.5 * _INCHES * columns, 1.7 * _INCHES * rows))
    for i, (picture, row) in enumerate(zip(pictures, weights, strict=True)):
        axes = figure.add_subplot(rows, columns, i + 1)
        largest = float(np.abs(row).max()) or 1.0
        axes.imshow(picture, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel(str(class_names[i]), color=_TEXT, fontsize=9)
    return figure


def _templates(weights: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return pictures of weights, or colours from 0 to 1."""
    grey, colours_last, colours_first = (
        len(shape) == 2,
        len(shape) == 3 and shape[2] == 3,
        len(shape) == 3 and shape[0] == 3,
    )
    if not (grey or colours_last or colours_first):
        raise ValueError(f"shape must be (height, width), (height, width, 3) or (3, height, width), got {shape}")
    if int(np.prod(shape)) != weights.shape[1]:
        raise ValueError(f"shape={shape} holds {int(np.prod(shape))} values, but there are {weights.shape[1]} features")
    pictures: NDArray[np.float64] = weights.reshape(-1, *shape)
    if grey:
        return pictures
    largest = np.abs(weights).max(axis=1)[:, None, None, None]
    pictures = 0.5 + pictures / (2 * np.where(largest > 0, largest, 1))
    return pictures if colours_last else pictures.transpose(0, 2, 3, 1)


def plot_loss_curves(curves: dict[str, ArrayLike], *, figure: Figure | None = None) -> Figure:
    """Draw objectives over iterations, on a logarithmic scale, one line each.

    Parameters
    ----------
    curves : dict of str to array-like
        Objectives after each iteration, such as `loss_curve_`, by name.
    figure : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure that pyplot does not know of.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from fastclf.plotting import plot_loss_curves
    >>> len(plot_loss_curves({"softmax": [2.3, 1.0, 0.9]}).axes)
    1
    """
    figure = new_figure((5.5, 3.5)) if figure is None else figure
    axes = figure.add_subplot()
    for (name, values), line in zip(curves.items(), itertools.cycle(_LINES)):
        curve = np.asarray(values, dtype=np.float64)
        every = max(1, len(curve) // _SIGNS)
        axes.plot(np.arange(1, len(curve) + 1), curve, line, label=name, markersize=3, markevery=every)
    axes.set_yscale("log")
    axes.set_xlabel("iteration", color=_TEXT)
    axes.set_ylabel("objective J", color=_TEXT)
    axes.legend()
    return figure


def plot_penalties(
    penalties: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    ylabel: str = "accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Draw scores by the strength of a penalty, on a logarithmic scale, one line each.

    Parameters
    ----------
    penalties : array-like of shape (n_penalties,)
        Values of `l2`; 0 has no place on the scale.
    scores : mapping of str to array-like of shape (n_penalties,)
        Scores with each of these, such as accuracies, by name.
    ylabel : str, default="accuracy"
        What the scores are.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default axes of a new figure that pyplot does not know of.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from fastclf.plotting import plot_penalties
    >>> ax = plot_penalties([1e-4, 1e-2], {"softmax": [0.9, 0.8], "hinge": [0.8, 0.9]})
    >>> ax.get_xscale()
    'log'
    """
    if ax is None:
        ax = new_figure((5.5, 3.5)).add_subplot()
    for (name, values), line in zip(scores.items(), itertools.cycle(_LINES)):
        ax.semilogx(penalties, values, line, label=name, markersize=5)
    ax.set_xlabel("λ, strength of the penalty", color=_TEXT)
    ax.set_ylabel(ylabel, color=_TEXT)
    ax.legend()
    return ax


def plot_cross_validation(
    ks: Sequence[int],
    metrics: Sequence[str],
    scores: ArrayLike,
    *,
    best: tuple[str, int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the accuracy of every fold by the number of neighbours, with means and standard deviations.

    Parameters
    ----------
    ks : sequence of int
        Numbers of neighbours.
    metrics : sequence of str
        Names of the metrics, one line each.
    scores : array-like of shape (n_metrics, n_ks, n_folds)
        Accuracies, such as `cv_scores_`.
    best : tuple of str and int, optional
        Metric and k to be marked.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default axes of a new figure that pyplot does not know of.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from fastclf.plotting import plot_cross_validation
    >>> ax = plot_cross_validation([1, 3], ["l2"], [[[0.9, 0.8], [0.95, 0.9]]])
    >>> ax.get_xlabel()
    'k, number of neighbours'
    """
    if ax is None:
        ax = new_figure((6, 4)).add_subplot()
    order = np.argsort(ks)
    x = np.asarray(ks)[order]
    for metric, folds, line in zip(metrics, np.asarray(scores, dtype=np.float64), itertools.cycle(_LINES)):
        mean, deviation = folds[order].mean(axis=1), folds[order].std(axis=1)
        drawn = ax.errorbar(
            x, mean, deviation, fmt=line, capsize=3, markersize=5, label=f"{metric}: mean and deviation"
        )
        ax.scatter(np.repeat(x, folds.shape[1]), folds[order], s=8, alpha=0.5, color=drawn[0].get_color())
        if best is not None and best[0] == metric:
            ax.axvline(best[1], color=drawn[0].get_color(), linewidth=0.8, alpha=0.6)
            ax.annotate(
                f"best: {metric}, k = {best[1]}", (best[1], 0.02), xycoords=("data", "axes fraction"), color=_TEXT
            )
    ax.set_xlabel("k, number of neighbours", color=_TEXT)
    ax.set_ylabel("accuracy on held-out folds", color=_TEXT)
    ax.legend()
    return ax


class _Names:
    """What classes are called: by position in a list of names, if there is one."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self.names = names

    def __getitem__(self, label: Any) -> str:
        return str(label) if self.names is None else self.names[int(label)]


def _grid(figure: Figure | None, rows: int, k: int) -> tuple[Figure, NDArray[Any]]:
    """Lay out axes for each row's query and neighbours, with a gap between them."""
    if figure is None:
        size = (_INCHES * (k + 2 + _GAP), _INCHES * (1.32 * rows + 0.4))
        figure = new_figure(size)
        figure.set_layout_engine("none")  # the grid below has its own gaps
    columns = figure.add_gridspec(rows, k + 2, width_ratios=[1, _GAP, *[1] * k], hspace=0.42, wspace=0.12)
    places = [0, *range(2, k + 2)]
    grid = [[figure.add_subplot(columns[row, place]) for place in places] for row in range(rows)]
    return figure, np.array(grid, dtype=object).reshape(rows, k + 1)


def _matplotlib() -> Any:
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install fastclf[plot]") from error
    return matplotlib


def new_figure(size: tuple[float, float]) -> Figure:
    """Return a figure of this size in inches, which pyplot does not know of."""
    figure: Figure = _matplotlib().figure.Figure(figsize=size, dpi=150)
    return figure


def _show(axes: Axes, picture: NDArray[Any], label: str, right: bool) -> None:
    """Draw one picture, framed and labelled as right or wrong."""
    look = _RIGHT if right else _WRONG
    axes.imshow(picture, cmap="gray_r", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{look['sign']} {label}", color=look["colour"], fontsize=8, labelpad=3)
    for side in axes.spines.values():
        side.set(visible=True, color=look["colour"], linestyle=look["line"], linewidth=1.6)


def _head(grid: NDArray[Any]) -> None:
    """Say above the first row what the columns are."""
    grid[0, 0].set_title("test picture", fontsize=9, color=_TEXT)
    grid[0, 1].set_title("nearest training pictures, nearest first", fontsize=9, color=_TEXT, loc="left")
