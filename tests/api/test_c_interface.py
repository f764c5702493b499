"""The public C interface: its numbers and its table, which may only be appended to."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

from c_functions import DTYPES, HEADER, NUMBERS, call
from names import METRICS

import fastclf
from fastclf import _native

METRIC_NUMBERS = {"l1": 0, "l2": 1, "cosine": 2, "sqeuclidean": 3, "chebyshev": 4, "inner_product": 5}
DTYPE_NUMBERS = {"u8": 0, "f32": 1, "f64": 2, "i8": 3, "f16": 4, "bf16": 5}
LOSS_NUMBERS = {
    name: i
    for i, name in enumerate(
        [
            "mse",
            "binary_cross_entropy_with_logits",
            "max_margin",
            "softmax",
            "log_softmax",
            "cross_entropy",
            "kl_div",
            "softmax_mse",
            "hinge",
            "crammer_singer",
        ]
    )
}
ERRORS = [
    "OK",
    "NO_MEMORY",
    "NULL_POINTER",
    "MISALIGNED",
    "BAD_SIZE",
    "BAD_K",
    "BAD_METRIC",
    "BAD_DTYPE",
    "BAD_LOSS",
    "BAD_THREADS",
    "BAD_LABEL",
    "BAD_WEIGHT",
    "BAD_OPTION",
    "NOT_FINITE",
    "BAD_ROW",
]
FLAGS = {"SQUARED": 1, "OWN_TERM": 2, "BORROW": 1}
TABLE = [
    "error_string",
    "version",
    "isa",
    "max_threads",
    "knn",
    "pairwise_distances",
    "majority_vote",
    "index_create",
    "index_search",
    "index_free",
    "loss",
    "linear_scores",
    "linear_loss",
]
POINTER = ctypes.sizeof(ctypes.c_void_p)


def table():
    """The capsule's contents: version, size, addresses."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    at = get(fastclf._C_API, b"fastclf._C_API")
    version, size = (ctypes.c_uint32 * 2).from_address(at)
    count = (size - 8) // POINTER
    return version, size, list((ctypes.c_void_p * count).from_address(at + 8))


def test_numbers_keep_their_meaning():
    expected = METRIC_NUMBERS | DTYPE_NUMBERS | LOSS_NUMBERS | FLAGS | {name: i for i, name in enumerate(ERRORS)}
    assert {name: NUMBERS[name] for name in expected} == expected


def test_every_metric_dtype_and_loss_has_a_number():
    assert {*METRICS, *_native.loss_names()} <= {*NUMBERS}
    assert sorted(DTYPES.values()) == sorted(DTYPE_NUMBERS.values())


def test_the_table_is_appended_to_only():
    version, size, addresses = table()
    assert version == NUMBERS["API_VERSION"] == 1
    assert size == 8 + POINTER * len(addresses)
    functions = fastclf.c_functions()
    assert list(functions)[: len(TABLE)] == TABLE
    assert [function.address for function in functions.values()] == addresses
    assert re.findall(r"X\((\w+)\)", HEADER.split("define FASTCLF_FUNCTIONS(X)")[1].split("\n\n")[0]) == list(functions)


def test_the_declarations_for_cython_are_those_of_the_header():
    text = next(path for folder in fastclf.__path__ if (path := Path(folder, "c_api.pxd")).is_file()).read_text()
    pattern = re.compile(r"^ {8}([\w *]+?) ?\(\*(\w+)\)\(([^)]*)\) noexcept nogil", re.MULTILINE)
    found = {name: f"{result} (*)({' '.join(rest.split()) or 'void'})" for result, name, rest in pattern.findall(text)}
    found = {name: signature.replace("fastclf_index", "void") for name, signature in found.items()}
    assert found == {name: function.signature for name, function in fastclf.c_functions().items()}
    assert {*re.findall(r"^ {8}FASTCLF_(\w+)$", text, re.MULTILINE)} == {*NUMBERS}


def test_texts_of_errors_are_the_comments_of_the_header():
    errors = re.search(r"enum \{\s+FASTCLF_OK = .*?\};", HEADER, re.DOTALL)[0]
    found = re.findall(r"\bFASTCLF_(\w+) = \d+,? +/\* (.*?) \*/", errors, re.DOTALL)
    comments = {name: " ".join(text.split()) for name, text in found}
    texts = {name: call("error_string", NUMBERS[name]).decode() for name in ERRORS}
    assert comments == texts
    assert len({*texts.values()}) == len(ERRORS)
    assert [text for text in texts.values() if not re.fullmatch(r"[A-Za-z][A-Za-z,:1 ]{5,}", text)] == []


def test_the_build():
    assert call("version").decode() == fastclf.show_config("dicts")["version"]
    assert call("isa").decode() == _native.isa()
    assert call("max_threads") == _native.max_threads()
    texts = [call("error_string", status) for status in range(-1, len(ERRORS) + 1)]
    assert len({*texts}) == len(ERRORS) + 1
    assert texts[0] == texts[-1] == b"unknown error"
