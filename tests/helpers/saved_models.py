"""Fitted models that releases have saved, and the answers that all later ones must give.

`tests/data/models/VERSION/` has a pickle for each model, and `answers.json`: for each, what it is asked and what it
answers. `tools/save_models.py` adds to the folder of this version.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np

import fastclf
import fastclf.sklearn
from fastclf import KNN, KNNCV, LinearClassifier, WindowClassifier
from fastclf._shared.estimators import Estimator

FOLDER = Path(__file__).parents[1] / "data" / "models"

_SENTENCES = [["the", "cat", "sat"], ["a", "dog", "ran", "off"], ["cat"]] * 4
_TAGS = [["D", "N", "V"], ["D", "N", "V", "P"], ["N"]] * 4
_UNSEEN = [["the", "dog", "sat"], ["bird"], []]

_CLASSES = ("predict", "predict_proba")
_NEIGHBORS = (*_CLASSES, "kneighbors")
_SCORES = ("predict", "decision_function")


def _rows(n, seed=0):
    """Rows that every dtype holds: integers from 0 to 100."""
    return np.random.default_rng(seed).integers(0, 101, (n, 6))


def _labels(rows):
    return (rows[:, 0] > 40).astype(int) + (rows[:, 1] > 60)


def _fitted(model, dtype, names=None):
    rows = _rows(60)
    labels = _labels(rows)
    return model.fit(rows.astype(dtype), labels if names is None else np.array(names)[labels])


def _grown():
    """A model that has got rows, and lost some."""
    rows = _rows(40, seed=1)
    model = _fitted(KNN(3, metric="l1"), "float32").partial_fit(rows.astype("float32"), _labels(rows) + 1)
    return model.remove([0, 7, 59])


def _in_steps():
    model = LinearClassifier("hinge", l2=0.01, random_state=0)
    for seed in range(3):
        model.partial_fit(_rows(60, seed) / 100, _labels(_rows(60, seed)), classes=[0, 1, 2])
    return model


def _window(**options):
    return WindowClassifier(window=1, dim=4, max_iter=3, random_state=0, **options).fit(_SENTENCES, _TAGS)


def _sparse():
    from scipy.sparse import csr_array

    rows = _rows(60)
    return LinearClassifier("squared_hinge").fit(csr_array(np.where(rows > 50, rows / 100, 0)), _labels(rows))


def _several_outputs():
    rows = _rows(60).astype("float32")
    return fastclf.sklearn.KNeighborsClassifier(3).fit(rows, np.stack([_labels(rows), rows[:, 2] > 50], axis=1))


# Of each: what makes it, and what it is asked.
MODELS = {
    "knn-uint8": (lambda: _fitted(KNN(3), "uint8"), _NEIGHBORS),
    "knn-int8": (lambda: _fitted(KNN(3, metric="l1"), "int8"), _NEIGHBORS),
    "knn-float16": (lambda: _fitted(KNN(3, metric="chebyshev"), "float16"), _NEIGHBORS),
    "knn-float32": (lambda: _fitted(KNN(3, weights="distance"), "float32", ["a", "b", "c"]), _NEIGHBORS),
    "knn-float64": (lambda: _fitted(KNN(3, metric="cosine", backend="exact"), "float64", [-5, 0, 7]), _NEIGHBORS),
    "knn-grown": (_grown, _NEIGHBORS),
    "knncv": (lambda: _fitted(KNNCV((1, 3), cv=3), "float32"), _NEIGHBORS),
    "linear-softmax": (lambda: _fitted(LinearClassifier(), "uint8", ["a", "b", "c"]), (*_SCORES, "predict_proba")),
    "linear-elastic": (lambda: _fitted(LinearClassifier(l1=0.01), "float32"), _SCORES),
    "linear-mse": (lambda: _fitted(LinearClassifier("mse"), "float64"), _SCORES),
    "linear-in-steps": (_in_steps, _SCORES),
    "linear-sparse": (_sparse, _SCORES),
    "window": (_window, _SCORES),
    "window-hidden": (lambda: _window(hidden=3, lowercase=True), _SCORES),
    "window-max-margin": (lambda: _window(loss="max_margin"), ("predict",)),
    "sklearn-classifier": (lambda: _fitted(fastclf.sklearn.KNeighborsClassifier(3), "float64"), _NEIGHBORS),
    "sklearn-several-outputs": (_several_outputs, _CLASSES),
    "sklearn-radius": (
        lambda: _fitted(fastclf.sklearn.RadiusNeighborsClassifier(40.0, outlier_label=0), "float32"),
        _CLASSES,
    ),
    "sklearn-regressor": (lambda: _fitted(fastclf.sklearn.KNeighborsRegressor(3), "float32"), ("predict",)),
    "sklearn-neighbors": (lambda: _fitted(fastclf.sklearn.NearestNeighbors(n_neighbors=3), "uint8"), ("kneighbors",)),
    "sklearn-transformer": (
        lambda: _fitted(fastclf.sklearn.KNeighborsTransformer(n_neighbors=3), "float64"),
        ("kneighbors",),
    ),
}


def public_estimators():
    """Names of all estimators that users can make without a cluster."""
    places = {"": fastclf, "sklearn.": fastclf.sklearn}
    public = {prefix + name: getattr(place, name) for prefix, place in places.items() for name in place.__all__}
    return {name for name, value in public.items() if isinstance(value, type) and issubclass(value, Estimator)}


def public_name(model):
    """Return the name by which users make a model."""
    prefix = "sklearn." if type(model).__module__.startswith("fastclf.sklearn") else ""
    return prefix + type(model).__name__


def plain(value):
    """Return an answer in what JSON holds exactly: numbers, texts and lists, arrays with their dtype."""
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.name, "shape": list(value.shape), "values": value.ravel().tolist()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def questions_for(model):
    """Return what a model is asked about, as JSON holds it."""
    return _UNSEEN if isinstance(model, WindowClassifier) else _rows(7, seed=9).tolist()


def answers(model, methods, questions):
    """Return what a model answers, as JSON holds it."""
    queries = questions if isinstance(model, WindowClassifier) else np.array(questions)
    return {method: plain(getattr(model, method)(queries)) for method in methods}


def recorded(folder):
    """Return the questions and answers of a version's models, by name."""
    path = folder / "answers.json"
    return json.loads(path.read_text()) if path.exists() else {}


def loaded(folder, name):
    """Return a model of that version."""
    return pickle.loads((folder / f"{name}.pickle").read_bytes())
