"""What the figure of neighbours shows."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fastclf import KNN
from fastclf.plotting import plot_neighbors

X_TRAIN = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [9, 9, 9, 9]], dtype=np.uint8)
Y_TRAIN = np.array([0, 1, 1])


def figure_of(queries, truths, **options):
    model = KNN(k=2, metric="l1").fit(X_TRAIN, Y_TRAIN)
    return plot_neighbors(model, queries, truths, X_TRAIN, Y_TRAIN, lambda rows: rows.reshape(-1, 2, 2), **options)


def test_each_query_stands_beside_its_neighbours():
    figure = figure_of([[8, 8, 8, 8], [0, 0, 0, 1]], [1, 1])
    assert len(figure.axes) == 2 * (1 + 2)
    shown = [axes.images[0].get_array().ravel().tolist() for axes in figure.axes]
    assert shown[:3] == [[8] * 4, [9] * 4, [1] * 4]
    assert shown[3:] == [[0, 0, 0, 1], [0] * 4, [1] * 4]


def test_right_and_wrong_differ_by_sign_and_line():
    query, near, next_ = figure_of([[0, 0, 0, 1]], [1], class_names=["cat", "dog"]).axes
    assert [axes.get_xlabel() for axes in (query, near, next_)] == ["✗ cat", "✗ cat", "✓ dog"]
    assert query.get_ylabel() == "dog"
    assert near.spines["top"].get_linestyle() != next_.spines["top"].get_linestyle()


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install fastclf\[plot\]"):
        figure_of([[0, 0, 0, 1]], [1])
