"""Fixtures that all tests share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import children
import hypothesis
import numpy as np
import pytest
import scipy.linalg  # noqa: F401 -- it brings a BLAS of its own
import threadpoolctl
from isas import each_isa
from names import TRAITS

from fastclf import _native
from fastclf.neighbors.backends import cascades, exact, speeds, trees

hypothesis.settings.register_profile("ci", derandomize=True, max_examples=50, deadline=None, database=None)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("FASTCLF_HYPOTHESIS", "ci"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the tests of many minutes first, and first in the second half: two workers begin with a half each."""
    longest = [item for item in items if item.get_closest_marker("longest")]
    others = [item for item in items if item not in longest]
    half = len(others) // 2
    items[:] = longest[::2] + others[:half] + longest[1::2] + others[half:]


def pytest_collection_finish():
    """Spare Python's collector the tens of thousands of tests, which it would look at again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def one_thread_of_blas():
    """Keep BLAS's threads from waiting for one another in small matrices; those that fastclf asks for, it gets."""
    with threadpoolctl.threadpool_limits(1, "blas"):
        yield


@pytest.fixture(params=each_isa())
def isa(request):
    """Run the test once on every instruction set of this machine, but for the long tests."""
    before = _native.isa()
    _native.use_isa(request.param)
    yield request.param
    _native.use_isa(before)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture(scope="module")
def worker():
    """A process in which the tests of a module run what may hang or crash, one after the other."""
    with children.Worker() as one:
        yield one


@pytest.fixture(scope="module")
def forks():
    """A process that runs each function in a fork: as in a new process, but that imports are made once for a module."""
    with children.Worker(in_forks=True) as one:
        yield one


@pytest.fixture(scope="session")
def state():
    """All that an estimator holds, as values to compare."""

    def held(value):
        if isinstance(value, np.ndarray) and value.dtype != object:
            return value.dtype.str, value.shape, value.tobytes()
        if type(value).__module__.startswith("fastclf."):
            return {name: held(part) for name, part in vars(value).items()}
        return repr(value)

    return held


@pytest.fixture(scope="session")
def data_file():
    """Find a file of the real data sets, or skip: they lie in the folder that FASTCLF_TEST_DATA names."""

    def find(name):
        folder = os.environ.get("FASTCLF_TEST_DATA")
        if folder is None:
            pytest.skip("FASTCLF_TEST_DATA does not name the folder of the real data sets")
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"{path} does not exist")
        return path

    return find


@pytest.fixture(scope="module")
def searches_in_stages():
    """Use stages for small data, too, where a plain search or a tree would take less time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "_LEAST_ROWS", np.inf)
        patch.setattr(cascades, "_MOST_REFINED", np.inf)
        yield


@pytest.fixture
def typical_speeds(monkeypatch):
    """Choose stages as on a typical processor: what is measured while other programs run would choose others."""
    monkeypatch.setattr(speeds, "_measured", lambda norm, kind: speeds._TYPICAL[norm][kind])


@pytest.fixture
def searches_by_tree(monkeypatch):
    """Make a tree of any rows, and search by it for as many neighbours as it has."""
    monkeypatch.setattr(trees, "leaves_expected", lambda metric, *_: 1.0 if TRAITS[metric].has_tree else np.inf)
    monkeypatch.setattr(exact, "_WORTH", 1)


@pytest.fixture
def file(tmp_path):
    """What writes text, or bytes, to a file and returns its path."""

    def write(content, encoding="utf-8"):
        path = tmp_path / "file.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write
