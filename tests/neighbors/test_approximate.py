"""An index of any library is searched as hard as reaches a recall: here, lists of rows by their nearest centre."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fastclf import KNN
from fastclf.neighbors.backends import registry
from fastclf.neighbors.backends.approximate import Approximate

N_LISTS = 16
BUILT: Counter[str] = Counter()


class Lists:
    """See `fastclf.neighbors.backends.libraries.Library`: a search looks into as many lists as its effort says."""

    most_effort = N_LISTS
    proposes_effort = False
    row_bytes = 8

    def __init__(self, centres):
        self.centres, self.rows = centres, np.empty((0, centres.shape[1]))

    def effort_bytes(self, n_rows):
        return n_rows * self.centres.shape[1] * 8 / N_LISTS

    def add(self, X, n_threads):  # noqa: ARG002
        self.rows = np.vstack([self.rows, X])

    def search(self, Q, count, effort, n_threads):  # noqa: ARG002
        list_of_row = cdist(self.rows, self.centres).argmin(axis=1)
        nearest_lists = cdist(Q, self.centres).argsort(axis=1)[:, :effort]
        distances = cdist(Q, self.rows)
        distances[(list_of_row[None, :, None] != nearest_lists[:, None, :]).all(axis=2)] = np.inf
        order = distances.argsort(axis=1)[:, :count]
        return np.where(np.isinf(np.take_along_axis(distances, order, axis=1)), -1, order)

    def cloned(self):
        clone = Lists(self.centres)
        clone.rows = self.rows
        return clone


class Unclonable(Lists):
    def cloned(self):
        return None


class Blind(Lists):
    """Finds nothing but the first row."""

    def search(self, Q, count, effort, n_threads):  # noqa: ARG002
        return np.where(np.arange(count) == 0, 0, -1) * np.ones((len(Q), 1), dtype=np.int64)


class Plan(NamedTuple):
    library: type
    description: str = "lists"

    def begun(self, rows, others, n_threads):  # noqa: ARG002
        BUILT[self.library.__name__] += 1
        return self.library(rows.view[others[:N_LISTS]].astype(np.float64))


def plans_of_lists(rows, wanted):
    yield Plan(Lists)


def plans_of_unclonable(rows, wanted):
    yield Plan(Unclonable)


def plans_of_blind(rows, wanted):
    yield Plan(Blind)
    yield Plan(Blind)


class ListsBackend(Approximate):
    plans = staticmethod(plans_of_lists)


class UnclonableBackend(Approximate):
    plans = staticmethod(plans_of_unclonable)


class BlindBackend(Approximate):
    plans = staticmethod(plans_of_blind)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    BUILT.clear()
    for name, cls in (("lists", ListsBackend), ("unclonable", UnclonableBackend), ("blind", BlindBackend)):
        entry = registry.Entry(f"{__name__}:{cls.__name__}", takes_recall=True)
        monkeypatch.setitem(registry.BACKENDS, name, entry)


def fitted(backend, X, **options):
    return KNN(5, backend=backend, n_threads=1, **options).fit(X, np.arange(len(X)) % 3)


def share_found(model, X, Q):
    """Share of the true neighbours that a model finds; distances have to be the true ones."""
    table = cdist(Q, X)
    distances, indices = model.kneighbors(Q)
    np.testing.assert_allclose(distances, np.take_along_axis(table, indices, axis=1), rtol=1e-12)
    return (distances <= np.sort(table, axis=1)[:, 4:5] * (1 + 1e-12)).mean()


def test_a_recall_is_reached_with_as_little_effort_as_does(rng):
    X, Q = rng.normal(size=(3000, 4)), rng.normal(size=(200, 4))
    shares, efforts = [], []
    for recall in (0.6, 0.99):
        model = fitted("lists", X, recall=recall)
        assert model.recall_ >= recall
        shares.append(share_found(model, X, Q))
        efforts.append(model._memory.backend._index._calibration.settings[5].effort)
        assert f"effort {efforts[-1]}, " in str(model.explain())
        # 150 rows were held out: a share of their 750 neighbours is known to some hundredths.
        assert shares[-1] > recall - 0.1
    assert efforts[0] < efforts[1] <= N_LISTS
    assert shares[0] < shares[1]


def test_what_is_wholly_looked_into_is_exact(rng):
    X, Q = rng.normal(size=(1000, 3)), rng.normal(size=(50, 3))
    model, exact = fitted("lists", X, recall=1.0), fitted("exact", X)
    assert model.recall_ == 1.0
    for found, expected in zip(model.kneighbors(Q), exact.kneighbors(Q), strict=True):
        assert found.tobytes() == expected.tobytes()


def test_more_rows_go_to_a_copy_or_where_there_is_none_to_a_new_index(rng):
    X, more = rng.normal(size=(1000, 3)), rng.normal(size=(100, 3))
    for backend, library, built in (("lists", "Lists", 1), ("unclonable", "Unclonable", 2)):
        model = fitted(backend, X, recall=0.9)
        before = model._memory.backend
        model.partial_fit(more, np.zeros(100, int))
        assert BUILT[library] == built
        assert before.n_rows == len(before._index._library.rows) == 1000
        assert share_found(model, np.vstack([X, more]), more[:50]) > 0.8
        assert model.n_samples_fit_ == 1100


def test_an_index_that_finds_too_few_is_not_asked(rng):
    X, Q = rng.normal(size=(600, 3)), rng.normal(size=(20, 3))
    model = fitted("blind", X, recall=0.9)
    assert BUILT["Blind"] == 2
    assert model.recall_ == 1.0
    assert share_found(model, X, Q) == 1.0


def test_a_pickled_model_goes_on(rng):
    X, Q = rng.normal(size=(600, 3)), rng.normal(size=(20, 3))
    model = fitted("lists", X, recall=0.9)
    again = pickle.loads(pickle.dumps(model))
    assert again.kneighbors(Q)[1].tolist() == model.kneighbors(Q)[1].tolist()
    again.partial_fit(np.vstack([X, X]), np.zeros(1200, int))
    assert again.n_samples_fit_ == 1800


def test_the_registry_says_which_parameters_a_backend_takes(rng):
    X = rng.normal(size=(20, 2))
    with pytest.raises(ValueError, match=r"recall=0\.5 is for backend='faiss' or 'lists' or 'unclonable' or"):
        fitted("exact", X, recall=0.5)
    with pytest.raises(ValueError, match="index='Flat' is for backend='faiss', got backend='lists'"):
        fitted("lists", X, index="Flat")
