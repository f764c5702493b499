"""KNNCV for its users: bad input, progress, pictures, scikit-learn's tools."""

from __future__ import annotations

import pickle
import re
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import BaseCrossValidator
from test_cross_validation import KS, METRICS, ROWS, WAYS, X, assert_scores, gaussian, go, y

from fastclf import KNNCV

# --- bad input --------------------------------------------------------------------------------------------------------

NONE, ALL = np.arange(0), np.arange(ROWS)


def reshaped(distances):
    distances.resize(distances.size, refcheck=False)
    return distances


NO_LIST = "must be a sequence of at least one value, got "
BAD_PARTS = "cv must give parts of row numbers from 0 to 59, at least one, got "
BAD = [
    ({"ks": ()}, f"ks {NO_LIST}" r"\(\)"),
    ({"ks": "135"}, f"ks {NO_LIST}'135'"),
    ({"ks": {1, 3}}, r"ks must be a sequence.* got \{1, 3\}"),
    ({"ks": [1, 0]}, r"ks\[1\] >= 1, got ks\[1\] = 0"),
    ({"ks": [1.5]}, r"ks\[0\] must be an int, got 1\.5"),
    ({"ks": [3, True]}, r"ks\[1\] must be an int, got True"),
    ({"ks": [1, 49]}, "the largest of ks = 49, the rows of the smallest training part = 48"),
    ({"ks": iter([1, 3])}, f"ks {NO_LIST}"),
    ({"ks": b"1"}, f"ks {NO_LIST}"),
    ({"ks": bytearray(b"1")}, f"ks {NO_LIST}"),
    ({"ks": {1: 2}}, f"ks {NO_LIST}"),
    ({"ks": np.array(5)}, f"ks {NO_LIST}"),
    ({"metrics": []}, f"metrics {NO_LIST}" r"\[\]"),
    ({"metrics": "l2"}, f"metrics {NO_LIST}'l2'"),
    ({"metrics": ["l2", "l3"]}, r"metrics\[1\] must be one of .* got 'l3'"),
    ({"cv": "five"}, "cv"),
    ({"cv": []}, r"cv must .* got \[\]"),
    ({"cv": [ALL, ALL]}, "cv must"),
    ({"cv": [(ALL, [60])]}, BAD_PARTS + r"\[60\]"),
    ({"cv": [([-1, 5], ALL)]}, BAD_PARTS + r"\[-1, 5\]"),
    ({"cv": [(ALL, NONE)]}, BAD_PARTS),
    ({"cv": [(ALL >= 0, ALL < 0)]}, BAD_PARTS),
    ({"cv": [(ALL[1:] > 5, ALL)]}, BAD_PARTS),
    ({"scoring": "best"}, "scoring must be one of .*'f1_macro'.* got 'best'"),
    ({"scoring": ["f1_macro"]}, r"scoring must be one scorer, by its name or as a function, got \['f1_macro'\]"),
    ({"scoring": {"a": "f1_macro"}}, "scoring must be one scorer"),
    ({"scoring": 5}, "scoring must be one scorer"),
    ({"scoring": lambda *_: np.nan}, "scoring must return finite numbers, got nan"),
    ({"scoring": lambda *_: "good"}, "scoring must return finite numbers, got 'good'"),
    ({"scoring": lambda *_: np.ones(2)}, "scoring must return finite numbers, got array"),
    ({"weights": "heavy"}, "weights must be one of .* got 'heavy'"),
    ({"weights": np.negative}, "weights.* must be finite and not negative"),
    ({"weights": np.ravel}, r"weights must have shape \(60, 7\)"),
    ({"weights": reshaped}, r"weights must have shape \(60, 7\)"),
    ({"verbose": -1}, "verbose must be at least 0, got -1"),
    ({"X": np.where(ALL[:, None] == 3, np.nan, X)}, "X contains NaN"),
    ({"y": np.where(ALL == 3, np.nan, y)}, "y contains NaN"),
    ({"y": y + 0.5}, "continuous"),
    ({"y": np.stack([y, y], axis=1)}, "y should be a 1d array"),
]


@pytest.mark.parametrize(("bad", "message"), BAD, ids=[f"{', '.join(bad)} {i}" for i, (bad, _) in enumerate(BAD)])
def test_bad_input_leaves_the_model_as_it_was(state, bad, message):
    data = {"X": X, "y": y} | {name: value for name, value in bad.items() if name in "Xy"}
    for model in (KNNCV(KS), KNNCV(KS).fit(pd.DataFrame(X, columns=list("uvw")), y)):
        model.set_params(**{name: value for name, value in bad.items() if name not in "Xy"})
        before = state(model)
        with pytest.raises((TypeError, ValueError), match=message):
            model.fit(**data)
        assert state(model) == before


def test_splitters_are_given_the_users_data():
    class ByColumn(BaseCrossValidator):
        def get_n_splits(self, *_):
            return 1

        def _iter_test_masks(self, X, *_):
            yield np.asarray(X["v"] == 1)

    model = KNNCV(KS, cv=ByColumn()).fit(pd.DataFrame(X, columns=list("uvw")), y)
    expected = KNNCV(KS, cv=[(np.flatnonzero(X[:, 1] != 1), np.flatnonzero(X[:, 1] == 1))]).fit(X, y)
    assert_scores(model, expected.cv_scores_)


# --- progress, pictures, scikit-learn's tools -------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["together in blocks", "apart"])
@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize("installed", [False, True])
def test_progress(capsys, monkeypatch, way, verbose, installed):
    if not installed:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    go(monkeypatch, WAYS[way])
    KNNCV(KS, metrics=METRICS, cv=4, verbose=verbose).fit(X, y)
    told = capsys.readouterr()
    assert told.out == ""
    assert bool(told.err) == bool(verbose)
    if verbose and installed:
        assert "cross-validation: 100%" in told.err
        assert "180/180" in told.err  # tests of every metric
    elif verbose:
        counts = re.findall(r"cross-validation: (\d+) of 180\n", told.err)
        assert 1 < len(counts) == len(told.err.splitlines()) <= 10
        assert sorted({*counts, "180"}, key=int) == counts


@pytest.mark.parametrize("given", [False, True])
def test_the_plot_shows_folds_means_and_deviations(given):
    model = KNNCV(KS, metrics=METRICS, cv=4).fit(X, y)
    own = Figure().add_subplot() if given else None
    ax = model.plot(own)
    assert ax is own or not given
    order = [1, 2, 0]  # of KS, ascending
    drawn = zip(ax.containers, ax.collections[1::2], model.cv_scores_[:, order], strict=True)
    for (line, _, (bars,)), points, scores in drawn:
        spread = np.sqrt(((scores - scores.mean(axis=1, keepdims=True)) ** 2).mean(axis=1))
        np.testing.assert_allclose(line.get_xydata(), np.stack([[1, 4, 7], scores.mean(axis=1)], axis=1))
        ends = np.array(bars.get_segments())[:, :, 1]
        np.testing.assert_allclose(ends, scores.mean(axis=1)[:, None] + spread[:, None] * [-1, 1])
        np.testing.assert_array_equal(points.get_offsets(), np.stack([np.repeat([1, 4, 7], 4), scores.ravel()], 1))
    assert [label.split(":")[0] for label in ax.get_legend_handles_labels()[1]] == list(METRICS)
    assert [text.get_text() for text in ax.texts] == [f"best: {model.best_metric_}, k = {model.best_k_}"]


def test_without_matplotlib(monkeypatch):
    model = KNNCV(KS).fit(X, y)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install fastclf\[plot\]"):
        model.plot()


def test_an_unfitted_model_says_so():
    for model in (KNNCV(), clone(KNNCV(KS).fit(X, y))):
        for use in (KNNCV.plot, lambda m: m.predict(X), lambda m: m.predict_proba(X), lambda m: m.classes_):
            with pytest.raises(NotFittedError, match="not fitted"):
                use(model)


def test_clones_and_pickles():
    parameters = {
        "ks": KS,
        "metrics": METRICS,
        "cv": 3,
        "weights": gaussian,
        "scoring": None,
        "n_threads": 2,
        "verbose": 0,
    }
    model = KNNCV(**parameters).fit(X, y)
    assert model.get_params() == clone(model).get_params() == parameters
    other = pickle.loads(pickle.dumps(model))
    assert other.get_params() == parameters
    assert_scores(other, model.cv_scores_)
    assert (other.best_k_, other.best_metric_) == (model.best_k_, model.best_metric_)
    assert other.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert_scores(clone(model).fit(X, y), model.cv_scores_)
