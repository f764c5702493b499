"""Build the extension: python setup.py build_ext --inplace."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import fastclf

setup(
    name="nearest",
    ext_modules=cythonize([Extension("nearest", ["nearest.pyx"], include_dirs=[fastclf.get_include()])]),
)
