"""Programs that need neighbours come to the same with fastclf's as with scikit-learn's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import sklearn.neighbors

import fastclf.sklearn

spec = importlib.util.spec_from_file_location("programs", Path(__file__).parents[2] / "bench" / "programs.py")
programs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(programs)

SLOW = ("TSNE", "UMAP", "grid search")
NEEDS = {"SMOTE": "imblearn", "EditedNearestNeighbours": "imblearn", "NearMiss": "imblearn", "UMAP": "umap"}


@pytest.fixture(scope="module")
def rows():
    """Four classes, one of them rare; no two distances are equal."""
    rng = np.random.default_rng(0)
    y = rng.choice(4, 400, p=[0.4, 0.3, 0.25, 0.05])
    return rng.normal(size=(400, 6)) + 2 * np.eye(4, 6)[y], y


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in programs.PROGRAMS]
)
@pytest.mark.filterwarnings("default")
def test_the_result_is_that_of_scikit_learn(rows, name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    program = programs.PROGRAMS[name]
    ours, theirs = program(fastclf.sklearn, *rows), program(sklearn.neighbors, *rows)
    assert len(ours) == len(theirs) > 0
    for found, expected in zip(ours, theirs, strict=True):
        assert not scipy.sparse.issparse(found)
        assert np.shape(found) == np.shape(expected)
        assert len(np.unique(expected)) > 1
        # Distances are rounded once here, and twice or more often there.
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
