"""What comparing a feature takes is measured where it counts, and not at the mercy of other programs."""

from __future__ import annotations

import numpy as np
import pytest

from fastclf.neighbors.backends import speeds

each_norm = pytest.mark.parametrize("norm", speeds._TYPICAL)
each_kind = pytest.mark.parametrize("kind", ["u1", "i1", "f2", "f4", "f8"])


def measuring(monkeypatch, by_feature, besides=1e-4):
    """Let a search take so many seconds for each feature of a pair."""
    pairs = speeds._QUERIES * speeds._ROWS
    monkeypatch.setattr(speeds, "_seconds", lambda *of: besides + by_feature * pairs * of[-1])
    speeds._measured.cache_clear()


@pytest.fixture(autouse=True)
def measured_anew():
    yield
    speeds._measured.cache_clear()


@each_norm
@each_kind
def test_small_searches_measure_nothing(monkeypatch, norm, kind):
    monkeypatch.setattr(speeds, "_seconds", None)
    assert speeds.feature(norm, kind, speeds.WORTHWHILE - 1) == speeds._TYPICAL[norm][kind]


@each_norm
@each_kind
def test_what_searches_take_besides_does_not_count(monkeypatch, norm, kind):
    expected = 3 * speeds._TYPICAL[norm][kind]
    measuring(monkeypatch, expected * 1e-9)
    assert speeds.feature(norm, kind) == pytest.approx(expected)


@each_norm
@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1.0])
def test_a_measurement_that_cannot_be_is_cut(monkeypatch, norm, seconds):
    measuring(monkeypatch, seconds)
    typical = speeds._TYPICAL[norm]["f4"]
    assert speeds.feature(norm, "f4") == (typical * 16 if seconds > 0 else typical / 16)


@each_norm
@each_kind
def test_a_feature_is_measured(norm, kind):
    speeds._measured.cache_clear()
    assert 0 < speeds.feature(norm, kind) < np.inf
