"""Pictures of what a classifier does; needs matplotlib, which is imported when a picture is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that people with any colour vision tell apart, each with a sign and a line of its own.
_RIGHT = {"sign": "✓", "colour": "#0072b2", "line": "solid"}
_WRONG = {"sign": "✗", "colour": "#c2410c", "line": (0, (3, 2))}

_TEXT = "#333333"
_INCHES = 1.05  # a picture
_GAP = 0.45  # between the queries and their neighbours, in pictures


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
        figure = _new_figure(size)
    columns = figure.add_gridspec(rows, k + 2, width_ratios=[1, _GAP, *[1] * k], hspace=0.42, wspace=0.12)
    places = [0, *range(2, k + 2)]
    grid = [[figure.add_subplot(columns[row, place]) for place in places] for row in range(rows)]
    return figure, np.array(grid, dtype=object).reshape(rows, k + 1)


def _new_figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install fastclf[plot]") from error
    return Figure(figsize=size, dpi=150)


def _show(axes: Axes, picture: NDArray[Any], label: str, right: bool) -> None:
    """Draw one picture, framed and labelled as right or wrong."""
    style = _RIGHT if right else _WRONG
    axes.imshow(picture, cmap="gray_r", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{style['sign']} {label}", color=style["colour"], fontsize=8, labelpad=3)
    for side in axes.spines.values():
        side.set(color=style["colour"], linestyle=style["line"], linewidth=1.6)


def _head(grid: NDArray[Any]) -> None:
    """Say above the first row what the columns are."""
    grid[0, 0].set_title("test picture", fontsize=9, color=_TEXT)
    grid[0, 1].set_title("nearest training pictures, nearest first", fontsize=9, color=_TEXT, loc="left")
