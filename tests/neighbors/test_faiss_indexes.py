"""Indexes that FAISS does not make as asked: proposed by another metric, or refused by the number of the rows."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from fastclf import KNN, threads

pytest.importorskip("faiss")


@pytest.fixture(autouse=True)
def one_thread():
    """Work on data this small is done before a second thread has begun."""
    with threads(1):
        yield


@pytest.mark.parametrize("index", ["IVF4_HNSW8,Flat", "IVF4(IVF2,Flat),Flat", "IVF8_HNSW8,PQ4x4", "IVF8,Flat", "HNSW8"])
def test_l1_is_proposed_by_l2_where_faiss_cannot(index, rng):
    X, Q = rng.normal(size=(2000, 8)), rng.normal(size=(100, 8))
    model = KNN(4, metric="l1", backend="faiss", index=index).fit(X, np.zeros(2000))
    assert index in str(model.explain())
    distances, rows = model.kneighbors(Q)
    everywhere = reference.l1(Q, X)
    nearest = np.sort(everywhere, axis=1)[:, :4]
    assert (distances <= nearest[:, 3:] * (1 + 1e-12)).mean() > model.recall_ - 0.07  # three deviations
    np.testing.assert_allclose(distances, np.take_along_axis(everywhere, rows, axis=1), rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "index"), [(100, "IVF128,Flat"), (100, "PQ4x8"), (20_000, "PQ4x16"), (300, "IVF400,Flat")]
)
def test_too_few_rows_are_told_by_their_number(n, index, rng, state):
    model = KNN(1, backend="faiss", index=index)
    before = state(model)
    message = rf"index='{index}' does not go with the data, {n} rows of 8 features \(.* are held out"
    with pytest.raises(ValueError, match=message):
        model.fit(rng.normal(size=(n, 8)), np.zeros(n))
    assert state(model) == before
