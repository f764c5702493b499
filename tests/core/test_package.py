"""The package as a whole: its version, its public names, and what importing it does not import."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys

import pytest

import fastclf


def test_the_version_is_that_of_the_package():
    assert fastclf.__version__ == importlib.metadata.version("fastclf")


def test_every_public_name_can_be_imported():
    for name in fastclf.__all__:
        member = getattr(fastclf, name)
        assert inspect.ismodule(member) or inspect.getdoc(member)
    assert len(set(fastclf.__all__)) == len(fastclf.__all__)


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_is_light():
    code = "import fastclf, sys; print([m for m in ('sklearn', 'scipy', 'pandas', 'matplotlib') if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_importing_the_estimators_brings_nothing_but_the_base_that_they_share_with_scikit_learn():
    code = """
import sys
import sklearn.base
base = set(sys.modules)
from fastclf import KNN, KNNCV, LinearClassifier, WindowClassifier
slow = "dask distributed faiss matplotlib pandas rich sklearn.metrics sklearn.model_selection torch tqdm".split()
print(sorted(set(slow) & sys.modules.keys() - base), "fastclf.linear.classifier" in sys.modules)
"""
    assert run_python(code).strip() == "[] True"


def test_shards_of_neighbours_do_without_scikit_learn():
    code = """
import sys
from fastclf import shards
shards.nearest(shards.index_rows([[0.0], [2.0]]), [[1.5]], 1)
print([m for m in ("sklearn", "scipy") if m in sys.modules])
print(shards.loss_and_gradient.__name__, "sklearn" in sys.modules)
"""
    assert run_python(code).split() == ["[]", "loss_and_gradient", "True"]


def test_shards_have_no_other_names():
    with pytest.raises(AttributeError, match=r"module 'fastclf.shards' has no attribute 'loss'"):
        fastclf.shards.loss  # noqa: B018 -- asking is what fails


def test_the_functions_do_without_scikit_learn():
    code = """
import sys
import fastclf
fastclf.knn([[0.0]], [[1.0]], 1), fastclf.pairwise_distances([[0]], [[1]]), fastclf.majority_vote([[0]], 1)
fastclf.losses.hinge([[1.0, 2.0]], [0])
print([m for m in ("sklearn", "scipy") if m in sys.modules])
"""
    assert run_python(code).strip() == "[]"
