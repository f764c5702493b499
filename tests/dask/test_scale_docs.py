"""The programs for other engines in docs/scale.md, run by stand-ins for these engines."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import reference

from fastclf import LinearClassifier

TEXT = (Path(__file__).parents[2] / "docs" / "scale.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def program(name):
    """What the one program that names an engine defines."""
    [found] = [code for code in PROGRAMS if name in code]
    scope = {}
    exec(found, scope)
    return scope


class Remote:
    """Ray's actors, in this process."""

    def __init__(self, made):
        self._made = made

    def __getattr__(self, name):
        return types.SimpleNamespace(remote=getattr(self._made, name))


@pytest.fixture
def ray(monkeypatch):
    def actors(cls):
        return types.SimpleNamespace(remote=lambda *args: Remote(cls(*args)))

    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(remote=actors, get=lambda found: found))


@pytest.mark.usefixtures("ray")
def test_neighbors_with_ray():
    X = np.round(np.random.default_rng(0).normal(size=(60, 3)), 1)
    y = np.arange(60) % 4
    scope = program("import numpy as np, ray")
    places = [scope["Place"].remote(X[at : at + 20], y[at : at + 20], at, 3) for at in (0, 20, 40)]
    found = scope["nearest"](places, X[:30], 7)
    distances, indices = reference.exact_knn("l2", X[:30], X, 7)
    assert found.rows.tolist() == indices.tolist()
    assert found.distances.tobytes() == distances.tobytes()
    assert found.labels.tolist() == y[indices].tolist()


class Rdd:
    """What the program asks of Spark's RDDs."""

    def __init__(self, items):
        self.items, self.context = items, self

    def broadcast(self, value):
        return types.SimpleNamespace(value=value)

    def map(self, function):
        return Rdd([function(item) for item in self.items])

    def collect(self):
        return self.items


def test_a_fit_with_spark():
    X = np.random.default_rng(0).normal(size=(300, 4))
    y = (X[:, 0] > 0) * 1 + (X[:, 1] > 0.5)
    found = program("import numpy as np, scipy.optimize")["fit"](
        Rdd([(X[:100], y[:100]), (X[100:], y[100:])]), 300, 4, 3, 0.01
    )
    expected = LinearClassifier(l2=0.01, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(found[:, :-1], expected.coef_, atol=1e-3)
