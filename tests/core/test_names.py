"""What is named in one place is there in the others: metrics, instruction sets, functions of the native module."""

from __future__ import annotations

import ast
import inspect
import typing
from pathlib import Path

import pytest
import reference

import fastclf
from fastclf import _native
from fastclf._shared import types, validation

STUB = Path(fastclf.__file__).with_name("_native.pyi")


def test_every_metric_has_a_reference():
    assert set(reference.METRICS) == set(_native.metrics())


def test_every_metric_is_known_by_name():
    assert set(validation.METRIC_NAMES.values()) == set(_native.metrics())
    assert set(validation.METRIC_NAMES) == set(typing.get_args(types.Metric))


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
