"""Three losses of the same two scores: squared error of softmax, squared error of scores, and cross-entropy.

Prints each loss and its slope at scores (s, -s) when the class is the second; draws the losses over both scores, and
the gradients along that line beneath. docs/loss_surfaces.md explains them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

LOSSES: dict[str, Callable[..., Any]] = {
    "squared error of softmax": losses.softmax_mse,
    "squared error of scores": losses.mse,
    "cross-entropy": losses.cross_entropy,
}
TABLE = (-5.0, 0.0, 2.0, 5.0, 10.0, 20.0)


def evaluate(loss: Callable[..., Any], scores: Array) -> tuple[Array, Array]:
    """Return the loss of each row, whose class is the second, and its gradient."""
    target = np.ones(len(scores), dtype=np.int64)
    value, gradient = loss(scores, target, reduction="none", return_grad=True)
    return value.reshape(len(scores), -1).sum(axis=1), gradient


def along_line(loss: Callable[..., Any], s: ArrayLike) -> tuple[Array, Array]:
    """Return the loss at scores (s, -s), and its derivative with respect to s."""
    s = np.asarray(s, dtype=np.float64)
    value, gradient = evaluate(loss, np.column_stack([s, -s]))
    return value, gradient[:, 0] - gradient[:, 1]


def over_plane(loss: Callable[..., Any], scores: Array) -> Array:
    """Return the loss at all pairs of scores: those of the first class vary along a row."""
    first, second = np.meshgrid(scores, scores)
    value, _ = evaluate(loss, np.column_stack([first.ravel(), second.ravel()]))
    return value.reshape(first.shape)


def table() -> list[str]:
    """Return losses and gradients along the line, as lines of Markdown."""
    columns = [column for loss in LOSSES.values() for column in along_line(loss, TABLE)]
    names = [title for name in LOSSES for title in (name, "slope")]
    lines = [["s", *names], ["---:"] * (len(columns) + 1)]
    lines += [[f"{value:.3g}" for value in row] for row in zip(TABLE, *columns, strict=True)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def draw(reach: float = 6.0, figure: Figure | None = None) -> Figure:
    """Draw each loss over both scores, from -reach to reach, and its slope along the line (s, -s) beneath."""
    if figure is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(13, 8), layout="constrained")
    grid = figure.add_gridspec(2, len(LOSSES), height_ratios=(3, 2))
    for i, (name, loss) in enumerate(LOSSES.items()):
        surface(figure.add_subplot(grid[0, i], projection="3d", title=name), loss, reach)
        slope(figure.add_subplot(grid[1, i]), loss, reach)
    return figure


def surface(axes: Axes, loss: Callable[..., Any], reach: float) -> None:
    """Draw the loss over both scores, with the line (s, -s)."""
    scores = np.linspace(-reach, reach, 61)
    value = over_plane(loss, scores)
    axes.plot_surface(*np.meshgrid(scores, scores), value, cmap="viridis", alpha=0.8, rcount=61, ccount=61)
    height, _ = along_line(loss, scores)
    axes.plot(scores, -scores, height, color="black", linewidth=2, zorder=10)
    axes.set(xlabel="score of class 1", ylabel="score of class 2 (true)")
    axes.view_init(elev=28, azim=-70)
    axes.set_box_aspect(None, zoom=0.9)


def slope(axes: Axes, loss: Callable[..., Any], reach: float) -> None:
    """Draw the slope along the line."""
    s = np.linspace(-reach, reach, 241)
    _, derivative = along_line(loss, s)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.plot(s, derivative, color="black")
    axes.set(xlabel="s: scores (s, -s), right where s < 0", ylabel="slope")


def main() -> None:
    """Print the table; draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where to save the picture, such as surfaces.png (needs matplotlib)")
    options = parser.parse_args()
    print("\n".join(table()))
    if options.out is not None:
        draw().savefig(options.out)
        print(f"\nwrote {options.out}")


if __name__ == "__main__":
    main()
