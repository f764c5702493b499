"""What the figure of neighbours shows."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from fastclf import KNN
from fastclf.plotting import STYLE, plot_loss_curves, plot_neighbors, plot_penalties, style

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


def test_pictures_are_framed_whatever_the_style_is():
    with style():
        [query, *_] = figure_of([[0, 0, 0, 1]], [1]).axes
    assert all(query.spines[side].get_visible() for side in ("top", "right", "bottom", "left"))


def test_penalties_are_drawn_against_each_score():
    ax = plot_penalties([0.1, 1, 10], {"softmax": [0.5, 0.7, 0.6], "hinge": [0.4, 0.3, 0.2]}, ylabel="right")
    lines = {line.get_label(): line for line in ax.lines}
    assert {name: line.get_ydata().tolist() for name, line in lines.items()} == {
        "softmax": [0.5, 0.7, 0.6],
        "hinge": [0.4, 0.3, 0.2],
    }
    assert all(line.get_xdata().tolist() == [0.1, 1, 10] for line in ax.lines)
    assert (ax.get_xscale(), ax.get_ylabel()) == ("log", "right")
    assert lines["softmax"].get_linestyle() != lines["hinge"].get_linestyle()


def test_curves_begin_with_the_first_iteration():
    [ax] = plot_loss_curves({"long": np.arange(100.0, 0, -1), "short": [3.0, 2.0]}).axes
    long, short = ax.lines
    assert short.get_xdata().tolist() == [1, 2]
    assert short.get_ydata().tolist() == [3.0, 2.0]
    assert long.get_markevery() == 5
    assert ax.get_yscale() == "log"


def test_the_course_is_drawn_in_the_package_s_style(monkeypatch):
    mpl = pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_ext")
    figures = importlib.import_module("figures")
    with mpl.rc_context():
        mpl.rcdefaults()
        with style():
            expected = {name: mpl.rcParams[name] for name in STYLE}
        assert {name: mpl.rcParams[name] for name in STYLE} != expected
        figures.reset({}, "")
        assert {name: mpl.rcParams[name] for name in STYLE} == expected


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install fastclf\[plot\]"):
        figure_of([[0, 0, 0, 1]], [1])
    with pytest.raises(ImportError, match=r"pip install fastclf\[plot\]"), style():
        pass
