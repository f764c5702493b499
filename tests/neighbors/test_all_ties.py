"""Ties go to the lowest row, and to the smallest class: all cases of few rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fastclf

VALUES, MOST_ROWS, MOST_CLASSES = 3, 6, 3


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("metric", ["l1", "l2"])
@pytest.mark.parametrize("n_threads", [1, 16])
def test_neighbours_of_all_columns(isa, metric, dtype, n_threads):
    queries = np.arange(VALUES, dtype=dtype)[:, np.newaxis]
    for n in range(1, MOST_ROWS + 1):
        for column in itertools.product(range(VALUES), repeat=n):
            rows = np.array(column, dtype)[:, np.newaxis]
            expected = [sorted(range(n), key=lambda row, q=q: (abs(column[row] - q), row)) for q in range(VALUES)]
            for k in {1, (n + 1) // 2, n}:
                _, found = fastclf.knn(queries, rows, k, metric=metric, n_threads=n_threads)
                assert found.tolist() == [order[:k] for order in expected]


def test_votes_of_all_labels():
    for k in range(1, MOST_ROWS + 1):
        labels = list(itertools.product(range(MOST_CLASSES), repeat=k))
        expected = [min(range(MOST_CLASSES), key=lambda c, row=row: (-row.count(c), c)) for row in labels]
        assert fastclf.majority_vote(labels, MOST_CLASSES).tolist() == expected
