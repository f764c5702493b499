"""Models that grow: every state of them stays as it was, whoever goes on from it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from fastclf import KNN
from fastclf._shared.growing import GrowingArray
from fastclf.neighbors.backends import exact

X = np.arange(10.0)[:, None] / 4
Y = list("aaaaabbbbb")


def test_appending_leaves_the_shorter_array():
    short = GrowingArray(np.arange(4))
    longer = short.appended(np.array([7]))
    others = [longer.appended(np.array([i])) for i in (8, 9)]
    assert short.view.tolist() == [0, 1, 2, 3]
    assert longer.view.tolist() == [0, 1, 2, 3, 7]
    assert [other.view.tolist()[-1] for other in others] == [8, 9]
    with pytest.raises(ValueError, match="read-only"):
        longer.view[0] = 1


def test_the_spare_room_is_used_once_only():
    longer = GrowingArray(np.arange(4)).appended(np.array([7]))
    first, second = longer.appended(np.array([8])), longer.appended(np.array([9]))
    assert first._buffer is longer._buffer
    assert second._buffer is not longer._buffer


def test_a_wider_dtype_and_a_read_only_buffer_move():
    rows = np.arange(3, dtype=np.uint8)
    assert GrowingArray(rows).appended(np.array([0.5], np.float32)).view.tolist() == [0, 1, 2, 0.5]
    rows.flags.writeable = False
    assert GrowingArray(rows).appended(rows[:1]).view.tolist() == [0, 1, 2, 0]


def test_pickles_hold_the_rows_alone():
    array = GrowingArray(np.zeros(100)).appended(np.ones(1))
    loaded = pickle.loads(pickle.dumps(array))
    assert loaded.view.tolist() == array.view.tolist()
    assert len(loaded._buffer.memory) == 101


def test_a_copy_grows_by_itself():
    model = KNN(1).fit(X, Y).partial_fit(X, Y)
    other = copy.copy(model)
    other.partial_fit([[100.5]], ["b"])
    model.partial_fit([[200.5]], ["a"])
    assert model.predict([[150.0]]).tolist() == ["a"]
    assert other.predict([[150.0]]).tolist() == ["b"]


def test_an_interrupted_partial_fit_leaves_the_model(monkeypatch):
    model = KNN(1).fit(X, Y).partial_fit(X, Y)
    extended = exact.Exact.extended

    def interrupted(self, rows, n_threads):
        extended(self, rows, n_threads)
        raise KeyboardInterrupt

    monkeypatch.setattr(exact.Exact, "extended", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit([[50.0]], ["c"])
    monkeypatch.undo()
    assert model.classes_.tolist() == ["a", "b"]
    assert model.n_samples_fit_ == 20
    assert model.partial_fit([[60.0]], ["d"]).predict([[50.0], [0.0]]).tolist() == ["d", "a"]


LARGE = np.array([2**60 + 1, 2**60 + 2], np.uint64)


@pytest.mark.parametrize(
    ("first", "later", "classes"),
    [
        (LARGE, np.array([5], np.int64), [5, 2**60 + 1, 2**60 + 2]),
        (np.array([0, 1]), np.array([2.0]), [0, 1, 2]),
        (np.array([0, 1], np.int8), np.array([300]), [0, 1, 300]),
        (np.array(["a", "b"], object), np.array(["long"]), ["a", "b", "long"]),
    ],
)
def test_labels_of_several_dtypes_stay_exact(first, later, classes):
    model = KNN(1).fit([[0], [1]], first).partial_fit([[2]], later)
    assert model.classes_.tolist() == classes
    assert model.predict([[0], [1], [2]]).tolist() == [*first.tolist(), *later.tolist()]


def test_labels_that_no_dtype_holds_are_refused(state):
    model = KNN(1).fit([[0], [1]], LARGE)
    before = state(model)
    with pytest.raises(ValueError, match="y has class labels of dtype int64 that do not go with"):
        model.partial_fit([[2]], np.array([-5]))
    assert state(model) == before
