"""Masked entries are refused wherever an array is read; a masked array of which nothing is masked is an array."""

from __future__ import annotations

import collections

import numpy as np
import pandas as pd
import pytest

import fastclf
from fastclf import KNN, KNNCV, LinearClassifier, losses

GOOD = [[1.0, 2.0], [3.0, 4.0]]


class ReadsAsMasked:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def objects(rows):
    array = np.empty((2, 2), object)
    array[:] = [[np.ma.array(entry) if np.ma.is_masked(entry) else entry for entry in row] for row in rows]
    return array


def row(mask):
    return np.ma.array([1.0, 2.0], mask=mask)


# How an array of two rows is held whose first entry is masked, or none.
HOLDERS = {
    "list of rows": lambda mask: [row([mask, False]), [3.0, 4.0]],
    "tuple of rows": lambda mask: (row([mask, False]), (3.0, 4.0)),
    "deque of rows": lambda mask: collections.deque([[3.0, 4.0], row([mask, False])]),
    "list of lists": lambda mask: [[np.ma.masked if mask else 1.0, 2.0], [3.0, 4.0]],
    "zero dimensions": lambda mask: [[np.ma.array(1.0, mask=mask), 2.0], [3.0, 4.0]],
    "objects": lambda mask: objects([[np.ma.masked if mask else 1.0, 2.0], [3.0, 4.0]]),
    "frame": lambda mask: pd.DataFrame({"a": [1.0, np.ma.masked if mask else 2.0], "b": [3.0, 4.0]}),
    "other objects": lambda mask: ReadsAsMasked(np.ma.array(GOOD, mask=[[mask, False], [False, False]])),
}
each_holder = pytest.mark.parametrize("holder", HOLDERS)

CALLS = {
    "Q": lambda a: fastclf.knn(a, GOOD, 1),
    "X": lambda a: fastclf.pairwise_distances(GOOD, a),
    "scores": lambda a: losses.cross_entropy(a, [0, 1]),
    "target": lambda a: losses.mse(GOOD, a),
    "weights": lambda a: fastclf.majority_vote([[0, 1], [1, 1]], 2, weights=a),
    "margin": lambda a: losses.hinge(GOOD, [0, 1], margin=a),
}


@each_holder
@pytest.mark.parametrize("name", CALLS)
def test_functions_refuse_masked_entries(holder, name):
    with pytest.raises(TypeError, match=f"^{name} has masked entries; fill or drop them first"):
        CALLS[name](HOLDERS[holder](True))


@each_holder
@pytest.mark.parametrize("model", [KNN(1), KNNCV([1], cv=2), LinearClassifier()], ids=lambda m: type(m).__name__)
def test_estimators_refuse_masked_entries(holder, model, state):
    before = state(model)
    with pytest.raises(TypeError, match=r"^X has masked entries"):
        model.fit(HOLDERS[holder](True), [0, 1])
    assert state(model) == before


@each_holder
def test_what_is_not_masked_is_read(holder):
    table = HOLDERS[holder](False)
    distances = fastclf.pairwise_distances(table, table, metric="l1")
    assert distances[0, 1] == distances[1, 0] > 0


@pytest.mark.parametrize(
    "labels",
    [
        [np.ma.masked, 1],
        [np.ma.array(1, mask=True), 1],
        np.array([np.ma.masked, "a"], object),
        pd.Series([np.ma.masked, "a"], dtype=object),
        ReadsAsMasked(np.ma.array([1, 2], mask=[True, False])),
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_masked_labels_and_weights_are_refused(labels):
    model = KNN(1).fit(GOOD, [0, 1])
    for model in (KNN(1), LinearClassifier()):
        with pytest.raises(TypeError, match=r"^y has masked entries"):
            model.fit(GOOD, labels)
    with pytest.raises(TypeError, match=r"^sample_weight has masked entries"):
        KNN(1).fit(GOOD, [0, 1]).score(GOOD, [0, 1], sample_weight=labels)
    with pytest.raises(TypeError, match=r"^sample_weight has masked entries"):
        LinearClassifier().fit(GOOD, [0, 1], sample_weight=labels)


def test_lists_that_hold_themselves_end():
    knot = [1.0]
    knot += [knot, knot]
    with pytest.raises((TypeError, ValueError), match=r"^Q "):
        fastclf.knn(knot, GOOD, 1)
