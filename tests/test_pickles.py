"""Pickles of every protocol, also with their memory at addresses that kernels cannot read from."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from fastclf import KNN, KNNCV, LinearClassifier, WindowClassifier

SENTENCES, TAGS = [["a", "b", "c"], ["d", "e"]] * 20, [["X", "Y", "X"], ["Y", "X"]] * 20


def data():
    X = np.random.default_rng(0).normal(size=(700, 3))
    return X, (X[:, 0] > 0) + 2.0 * (X[:, 1] > 0)


def neighbors(model):
    X, y = data()
    yield from (model.predict(X), *model.kneighbors(X), model.predict(None))
    yield from model.partial_fit(X[::2] + 0.1, y[::2]).kneighbors(X)


def scores(model):
    X, y = data()
    yield model.decision_function(X)
    yield model.partial_fit(X, y).decision_function(X)


def tags(model):
    yield from model.decision_function(SENTENCES)
    yield model.partial_fit([*SENTENCES, ["new"]], [*TAGS, ["X"]]).vectors_


def knn(**options):
    return lambda: KNN(3, **options).fit(*data())


def sketched():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(60_000, 3)) @ rng.normal(size=(3, 200))).astype("float32")
    model = KNN(3, backend="exact").fit(X, np.arange(60_000) % 3)
    assert model._memory.backend.pays(3)
    return model


def some_neighbors(model):
    X = np.asarray(model._memory.backend.rows[::1000]) + np.float32(0.01)
    yield from model.kneighbors(X)


# What makes a model, and what it answers; this may change it.
MODELS = {
    "exact": (knn(backend="exact"), neighbors),
    "bytes": (lambda: KNN(3).fit(*(np.round(part * 20 + 128) for part in data())), neighbors),
    "faiss": (knn(backend="faiss", index="IVF8,Flat"), neighbors),
    "words": (lambda: KNN(3).fit(data()[0], np.array(["a", "b", "c", "d"])[data()[1].astype(int)]), None),
    "cross-validation": (lambda: KNNCV([1, 3]).fit(*data()), lambda model: [model.predict_proba(data()[0])]),
    "linear": (lambda: LinearClassifier().fit(*data()), lambda model: [model.decision_function(data()[0])]),
    "linear, in steps": (lambda: LinearClassifier(random_state=0).partial_fit(*data()), scores),
    "windows": (lambda: WindowClassifier(random_state=0, max_iter=2).fit(SENTENCES, TAGS), tags),
    "windows, hidden": (lambda: WindowClassifier(random_state=0, max_iter=2, hidden=5).fit(SENTENCES, TAGS), tags),
    "sketches": (sketched, some_neighbors),
}
each_model = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "sketches" else ()) for name in MODELS]
)


def answers(name, model):
    ask = MODELS[name][1] or (lambda model: [model.predict(data()[0])])
    return [np.asarray(found).tolist() for found in ask(model)]


def made(name):
    if name == "faiss":
        pytest.importorskip("faiss")
    return MODELS[name][0]()


def at_odd_addresses(buffers):
    """Copies of buffers, each one byte beyond a multiple of 64."""
    for buffer in buffers:
        size = buffer.raw().nbytes
        memory = np.zeros(size + 128, np.uint8)
        start = 1 - memory.ctypes.data % 64 + 64
        memory[start : start + size] = np.frombuffer(buffer.raw(), np.uint8)
        yield memory[start : start + size].data


@each_model
def test_memory_that_is_not_aligned(name):
    model, buffers = made(name), []
    pickled = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    assert len(buffers) > 1
    again = pickle.loads(pickled, buffers=at_odd_addresses(buffers))
    assert answers(name, again) == answers(name, model)


@each_model
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(name, protocol):
    model = made(name)
    again = pickle.loads(pickle.dumps(model, protocol))
    assert answers(name, again) == answers(name, model)


def test_what_is_aligned_is_not_copied():
    model, buffers = made("exact"), []
    pickled = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(pickled, buffers=buffers)
    assert np.shares_memory(again._memory.backend.rows, model._memory.backend.rows)


def test_arrays_that_were_shared_are_shared_again():
    model, buffers = made("windows"), []
    pickled = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(pickled, buffers=at_odd_addresses(buffers))
    assert again.vectors_ is again._model.net.vectors
