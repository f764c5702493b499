"""Which backend "auto" takes."""

from __future__ import annotations

import sys

import numpy as np

from fastclf import KNN
from fastclf.neighbors.backends import registry


def test_auto_takes_faiss_only_where_a_recall_is_asked_for():
    least = registry._FAISS_FROM_ROWS
    assert registry.suitable(least, None) == registry.suitable(least - 1, 0.9) == "exact"
    assert registry.suitable(least, 0.9) == "faiss"
    assert registry.suitable(least, 1.0) == "exact"


def test_auto_does_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert registry.suitable(registry._FAISS_FROM_ROWS, 0.9) == "exact"


def test_auto_is_exact(rng):
    auto = KNN(3).fit(rng.random((5000, 2)), np.zeros(5000))
    assert auto.explain().title == "exact search"
    assert auto.recall_ == 1.0
