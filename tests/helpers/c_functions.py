"""The public C interface by ctypes, for tests: its functions, and the numbers of its header."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import ml_dtypes
import numpy as np

import fastclf

HEADER = Path(fastclf.get_include(), "fastclf_api.h").read_text()
NUMBERS = {name: int(value) for name, value in re.findall(r"\bFASTCLF_(\w+) = (\d+)", HEADER)}
DTYPES = {
    np.dtype(np.uint8): NUMBERS["u8"],
    np.dtype(np.float32): NUMBERS["f32"],
    np.dtype(np.float64): NUMBERS["f64"],
    np.dtype(np.int8): NUMBERS["i8"],
    np.dtype(np.float16): NUMBERS["f16"],
    np.dtype(ml_dtypes.bfloat16): NUMBERS["bf16"],
}

_TYPES = {"void": None, "int": ctypes.c_int, "int64_t": ctypes.c_int64, "double": ctypes.c_double}


def _type(declared):
    """The ctypes type of an argument or result."""
    if "*" in declared:
        return ctypes.c_char_p if declared.strip() == "const char *" else ctypes.c_void_p
    return _TYPES[declared.split()[0]]


def _callable(function):
    result, arguments = re.fullmatch(r"(.*)\(\*\)\((.*)\)", function.signature).groups()
    types = [] if arguments == "void" else [_type(argument) for argument in arguments.split(", ")]
    return ctypes.CFUNCTYPE(_type(result), *types)(function.address)


FUNCTIONS = {name: _callable(function) for name, function in fastclf.c_functions().items()}


def call(name, *arguments):
    """Call a function; arrays are passed as pointers."""
    return FUNCTIONS[name](*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments))


def succeed(name, *arguments):
    """Call a function that has to succeed."""
    status = call(name, *arguments)
    assert status == 0, call("error_string", status)
