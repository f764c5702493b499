"""Draw the README's picture: test digits beside their neighbours, and the templates of a linear classifier.

usage: python tools/readme_picture.py docs/_static/first.png
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.figure import Figure

from fastclf import KNN, LinearClassifier
from fastclf.datasets import digits
from fastclf.plotting import plot_neighbors, plot_templates


def drawn() -> Figure:
    """Return the figure."""
    data = digits()
    nearest = KNN(k=4).fit(data.X_train, data.y_train)
    wrong = np.flatnonzero(nearest.predict(data.X_test) != data.y_test)[:1]
    rows = np.concatenate([[0, 1], wrong])
    figure = Figure(figsize=(10, 4.3), dpi=110)
    left, right = figure.subfigures(1, 2, width_ratios=(5, 5))
    known = data.X_train, data.y_train
    plot_neighbors(nearest, data.X_test[rows], data.y_test[rows], *known, data.pictures, figure=left)
    linear = LinearClassifier("softmax", l2=1e-2).fit(data.X_train / 16, data.y_train)
    plot_templates(linear.coef_, data.shape, data.class_names, figure=right)
    right.suptitle("what a linear classifier looks for: red for, blue against", fontsize=9, color="#333333")
    return figure


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    drawn().savefig(sys.argv[1])
