"""The kernels for programs in other languages: where the header is, and the functions' addresses and signatures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from fastclf import _native

_PROTOTYPE = re.compile(r"^FASTCLF_EXPORT ([\w *]+?)\bfastclf_(\w+)\(([^)]*)\);", re.MULTILINE)


class CFunction(NamedTuple):
    """A function of ``fastclf_api.h``: its address, and its type as C has it."""

    address: int
    signature: str


def get_include() -> str:
    """Return the folder of ``fastclf_api.h``, for compilers' ``-I``.

    Returns
    -------
    str
        Its absolute path.

    Notes
    -----
    The header says what the functions do and how an extension module gets at them, and has an example. For Cython there
    is ``fastclf/c_api.pxd``: ``from fastclf.c_api cimport fastclf_api, fastclf_import``.

    Examples
    --------
    >>> import os, fastclf
    >>> os.listdir(fastclf.get_include())
    ['fastclf_api.h']
    """
    return str(Path(__file__).with_name("include"))


def c_functions() -> dict[str, CFunction]:
    """Return the functions of ``fastclf_api.h``, for ctypes, cffi, Numba and others that call addresses.

    Returns
    -------
    dict of str to CFunction
        By name, without the prefix ``fastclf_``. Each has ``address``, an int, and ``signature``, such as
        ``"int (*)(int metric, ...)"``, which cffi takes as it is. A pointer to an index is there one to ``void``.

    Notes
    -----
    The functions need no lock of Python. What they do, the numbers of metrics, dtypes and losses, and the errors that
    they return are in the header, whose folder is `get_include`.

    Examples
    --------
    >>> import ctypes, fastclf
    >>> function = fastclf.c_functions()["error_string"]
    >>> function.signature
    'const char * (*)(int status)'
    >>> ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_int)(function.address)(6)
    b'unknown metric'
    """
    header = Path(get_include(), "fastclf_api.h").read_text(encoding="utf-8")
    addresses = _native.c_addresses()
    return {
        name: CFunction(addresses[name], _signature(result, arguments))
        for result, name, arguments in _PROTOTYPE.findall(header)
    }


def _signature(result: str, arguments: str) -> str:
    signature = f"{result.strip()} (*)({' '.join(arguments.split())})"
    return signature.replace("fastclf_index", "void")
