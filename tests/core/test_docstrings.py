"""Docstrings of public names describe every parameter, what is returned and what is raised."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

numpydoc_validate = pytest.importorskip("numpydoc.validate")

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "index.md"

# What numpydoc says of these is a failure: no docstring, no summary, sections that are unknown or in another order;
# parameters, results and yields that are missing, unknown, in another order, without type or description.
CHECKS = {
    *("GL03", "GL06", "GL07", "GL08", "PR01", "PR02", "PR03", "PR04"),
    *("PR07", "PR10", "RT01", "RT03", "SS01", "YD01"),
}

# All names of these are in the reference.
LISTED_MODULES = (
    *("fastclf", "fastclf.datasets", "fastclf.losses", "fastclf.plotting"),
    *("fastclf.shards", "fastclf.sklearn", "fastclf.window"),
)

# Whatever they are given, they raise nothing of their own.
RAISE_NOTHING = {
    "fastclf.c_functions",
    "fastclf.datasets.digits",
    "fastclf.datasets.Dataset",
    "fastclf.get_include",
    "fastclf.show_config",
}


def listed():
    """Every name of the reference."""
    return re.findall(r"^   (fastclf[\w.]+)$", REFERENCE.read_text(), re.MULTILINE)


def resolve(name):
    module, _, attribute = name.rpartition(".")
    if module in ("fastclf.dask", "fastclf.torch"):
        pytest.importorskip(module.removeprefix("fastclf."))
    return getattr(importlib.import_module(module), attribute)


def members(name):
    """Return the name, and if it is a class those of its methods."""
    value = resolve(name)
    if not inspect.isclass(value):
        return [name]
    methods = [
        f"{name}.{method}"
        for method, what in inspect.getmembers(value, inspect.isroutine)
        if not method.startswith("_") and what.__module__.startswith("fastclf")
    ]
    return [name, *methods]


@pytest.mark.parametrize("name", listed())
def test_docstrings_are_whole(name):
    for member in members(name):
        found = numpydoc_validate.validate(member)["errors"]
        assert not [error for error in found if error[0] in CHECKS], member


@pytest.mark.parametrize("name", listed())
def test_docstrings_say_what_is_raised(name):
    without = []
    for member in members(name):
        value = numpydoc_validate.Validator._load_obj(member)
        doc = numpydoc_validate.Validator(numpydoc_validate.get_doc_object(value))
        is_class = inspect.isclass(doc.obj)
        if not is_class and doc.signature_parameters and not doc.doc["Raises"] and member not in RAISE_NOTHING:
            without.append(member)
        assert all(" ".join(raised.desc) for raised in doc.doc["Raises"]), member
    assert not without


def test_the_reference_lists_every_public_name():
    names = set(listed())
    for module in LISTED_MODULES:
        for attribute in importlib.import_module(module).__all__:
            full = f"{module}.{attribute}"
            is_module = inspect.ismodule(resolve(full))
            assert is_module or full in names or f"fastclf.{attribute}" in names, full
