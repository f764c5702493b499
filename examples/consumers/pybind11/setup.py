"""Build the extension: python setup.py build_ext --inplace."""

from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

import fastclf

setup(name="nearest", ext_modules=[Pybind11Extension("nearest", ["nearest.cpp"], include_dirs=[fastclf.get_include()])])
