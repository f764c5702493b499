"""What is named in one place is there in the others, and the package starts light."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import reference

import fastclf
from fastclf import _native, _types, _validation

STUB = Path(fastclf.__file__).with_name("_native.pyi")


def test_the_version_is_that_of_the_package():
    assert fastclf.__version__ == importlib.metadata.version("fastclf")


def test_every_metric_has_a_reference():
    assert set(reference.METRICS) == set(_native.metrics())


def test_every_metric_is_known_by_name():
    assert set(_validation.METRIC_NAMES.values()) == set(_native.metrics())
    assert set(_validation.METRIC_NAMES) == set(typing.get_args(_types.Metric))


def test_every_instruction_set_has_its_own_name():
    names = _native.isas()
    assert names[0] == "scalar"
    assert len(set(names)) == len(names)
    assert _native.isa() in names


def stub_functions():
    return {node.name: node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_the_stub_lists_the_functions_of_the_native_module():
    functions = {name for name, member in vars(_native).items() if callable(member) and not name.startswith("_")}
    classes = {name for name in functions if inspect.isclass(getattr(_native, name))}
    assert set(stub_functions()) == functions - classes


@pytest.mark.parametrize("name", stub_functions())
def test_the_stub_names_the_parameters(name):
    parameters = [argument.arg for argument in stub_functions()[name].args.args]
    assert list(inspect.signature(getattr(_native, name)).parameters) == parameters


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_is_light():
    code = "import fastclf, sys; print([m for m in ('sklearn', 'scipy', 'pandas', 'matplotlib') if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_the_functions_do_without_scikit_learn():
    code = """
import sys
import fastclf
fastclf.knn([[0.0]], [[1.0]], 1), fastclf.pairwise_distances([[0]], [[1]]), fastclf.majority_vote([[0]], 1)
print([m for m in ("sklearn", "scipy") if m in sys.modules])
"""
    assert run_python(code).strip() == "[]"


def test_every_public_name_can_be_imported():
    for name in fastclf.__all__:
        member = getattr(fastclf, name)
        assert inspect.ismodule(member) or inspect.getdoc(member)
    assert len(set(fastclf.__all__)) == len(fastclf.__all__)


@pytest.mark.parametrize("known", [*_native.isas(), "nonsense"])
def test_the_environment_may_lower_the_instruction_set(known):
    code = (
        f"import os; os.environ['FASTCLF_ISA'] = {known!r}; import fastclf; print(fastclf.show_config('dicts')['isa'])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    if known in _native.isas():
        assert run.stdout.strip() == known
    else:
        assert f"ImportError: FASTCLF_ISA={known!r}: this build and machine have {_native.isas()}" in run.stderr
