"""Any dtype and layout gives the bytes of the plain contiguous array, or a clear error."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import reference
from layouts import LAYOUTS
from names import ROW_DTYPES, each_dtype, each_float, each_row_dtype

import fastclf
from fastclf import KNN, _native


def answers(Q, X, y=None):
    """What every entry point says of Q and X."""
    found = [fastclf.pairwise_distances(Q, X), *fastclf.knn(Q, X, 3), *fastclf.knn(Q, X, 3, metric="cosine")]
    model = KNN(3, metric="l1").fit(X, np.arange(len(X)) % 3)
    return [a.tobytes() for a in (*found, *model.kneighbors(Q), *model.kneighbors(), model.predict_proba(Q))]


@pytest.fixture
def plain(rng):
    return rng.integers(0, 256, (9, 6)), rng.integers(0, 256, (31, 6))


@pytest.mark.parametrize(
    ("layout", "dtype"),
    [pair for pair in itertools.product(LAYOUTS, ROW_DTYPES) if pair != ("array interface", "bfloat16")],  # cannot tell
)
def test_layouts(plain, dtype, layout):
    Q, X = (a.astype(dtype) for a in plain)
    make = LAYOUTS[layout]
    expected = answers(Q, X)
    assert answers(make(Q), X) == expected
    assert answers(Q, make(X)) == expected


@each_row_dtype
def test_broadcast_rows(rng, dtype):
    rows = np.broadcast_to(rng.integers(0, 256, 6).astype(dtype), (20, 6))
    columns = np.broadcast_to(rng.integers(0, 256, (20, 1)).astype(dtype), (20, 6))
    for a in (rows, columns):
        assert answers(a, columns) == answers(a.copy(), columns.copy())
        assert answers(columns, a) == answers(columns.copy(), a.copy())


@pytest.mark.parametrize("dtype", [*ROW_DTYPES, ">f4"])
@pytest.mark.parametrize("offset", [0, 1, 100])
def test_read_only_memmaps(tmp_path, plain, dtype, offset):
    Q, X = (a.astype(dtype) for a in plain)
    file = tmp_path / "X"
    file.write_bytes(b"\0" * offset + X.tobytes())
    mapped = np.memmap(file, dtype, "r", offset, X.shape)
    assert answers(Q, mapped) == answers(Q, X)
    assert answers(mapped, X) == answers(X, X)


def test_np_matrix(plain):
    Q, X = plain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.matrix(X)
    assert fastclf.pairwise_distances(Q, matrix).tobytes() == fastclf.pairwise_distances(Q, X).tobytes()
    with pytest.raises(TypeError, match=r"np\.matrix is not supported"):
        KNN().fit(matrix, np.zeros(len(X)))


# Dtypes that are converted: name -> where its values may lie, and the dtype that holds them.
CONVERTED = {
    "bool": ((0, 2), "uint8"),
    "int8": ((0, 128), "uint8"),
    "int16": ((0, 256), "uint8"),
    "int64": ((0, 256), "uint8"),
    "uint64": ((0, 256), "uint8"),
    "int8 ": ((-128, 128), "int8"),
    "int16 ": ((-300, 300), "float32"),
    "uint16": ((0, 1000), "float32"),
    "int64 ": ((-(2**24), 2**24 + 1), "float32"),
    "int32": ((-(2**30), 2**30), "float64"),
    "int64  ": ((-(2**53), 2**53 + 1), "float64"),
    "uint64 ": ((0, 2**53 + 1), "float64"),
    "float16": ((-2048, 2049), "float16"),
    "float16 ": ((0, 256), "uint8"),
    "bfloat16": ((-256, 257), "bfloat16"),
    "bfloat16 ": ((0, 256), "uint8"),
    "longdouble": ((-(2**53), 2**53 + 1), "float64"),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_other_dtypes_are_converted_exactly(rng, name):
    (low, high), wanted = CONVERTED[name]
    X = rng.integers(low, high, (30, 5))
    X[0, 0], X[0, 1] = low, high - 1
    X = X.astype(name.strip())
    Q = X[:7]
    model = KNN(3).fit(X, np.zeros(len(X)))
    assert model._memory.backend._rows.view.dtype == wanted
    assert answers(Q, X) == answers(Q.astype(wanted), X.astype(wanted))
    # One feature: the difference of the values themselves, rounded once.
    expected = reference.l1(*(a[:, :1].astype(np.int64) for a in (Q, X)))
    assert fastclf.pairwise_distances(Q[:, :1], X[:, :1], metric="l1").tobytes() == expected.tobytes()


def test_neighbouring_integers_beyond_float32_stay_apart():
    X = np.array([[2**24], [2**24 + 1], [2**53 - 1], [2**53]])
    assert fastclf.knn(X, X, 1)[1].ravel().tolist() == [0, 1, 2, 3]
    assert fastclf.pairwise_distances(X[:1], X[1:2]).tolist() == [[1.0]]
    model = KNN(1).fit(X[:1], [0]).partial_fit(X[1:], [1, 2, 3])
    assert model.predict(X).tolist() == [0, 1, 2, 3]


def test_a_query_outside_the_range_of_uint8_rows():
    model = KNN(1, metric="l1").fit(np.array([[0], [255]], np.uint8), [0, 1])
    queries = np.array([[-1000], [1000], [256]])
    assert model.predict(queries).tolist() == [0, 1, 1]
    assert model.kneighbors(queries)[0].tolist() == [[1000.0], [745.0], [1.0]]
    assert model.kneighbors(queries + 0.5)[0].tolist() == [[999.5], [745.5], [1.5]]


INEXACT = {
    "int64 beyond 2**53": (np.array([[2**53 + 1, 0]]), r"9007199254740993, beyond 2\*\*53"),
    "int64 minimum": (np.array([[-(2**63), 0]]), r"9223372036854775808, beyond 2\*\*53"),
    "uint64 maximum": (np.array([[2**64 - 1, 0]], np.uint64), r"18446744073709551615, beyond 2\*\*53"),
}
if np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant:
    INEXACT["longdouble beyond float64's range"] = (
        np.array([["1e400", "0"]], "longdouble"),
        "float64 does not hold exactly",
    )
    INEXACT["longdouble"] = (np.array([[1, 1 + 1e-19]], "longdouble") / 3, "float64 does not hold exactly")


@pytest.mark.parametrize("name", INEXACT)
def test_values_that_float64_cannot_hold_are_refused(name):
    X, message = INEXACT[name]
    good = np.zeros((1, 2))
    with pytest.raises(ValueError, match=rf"^X .*{message}"):
        fastclf.knn(good, X, 1)
    with pytest.raises(ValueError, match=rf"^Q .*{message}"):
        fastclf.pairwise_distances(X, good)
    with pytest.raises(ValueError, match=rf"^X .*{message}"):
        KNN(1).fit(X, [0])
    with pytest.raises(ValueError, match=rf"^X .*{message}"):
        KNN(1).fit(good, [0]).predict(X)


@each_dtype
def test_floats_that_hold_bytes_are_kept_as_bytes(plain, dtype):
    Q, X = (a.astype(dtype) for a in plain)
    model = KNN(3).fit(X, np.zeros(len(X)))
    assert model._memory.backend._rows.view.dtype == np.uint8
    for queries in (Q, Q + Q.dtype.type(1), Q.astype("float64") / 4 - 0.5):
        expected = fastclf.knn(queries, X, 3)
        assert [a.tobytes() for a in model.kneighbors(queries)] == [a.tobytes() for a in expected]


@each_float
@pytest.mark.parametrize("value", [0.0, -0.0, 255.0, 256.0, 255.00001, -1.0, 0.5, 1e-45, 1e30, -1e30])
def test_which_floats_are_bytes(dtype, value):
    for at in (0, 1, 30, 31, 32, 63, 64, 4999):
        X = np.full((50, 100), 255, dtype)
        X.ravel()[at] = value
        assert _native.fits_u8(X) == (float(X.ravel()[at]) in range(256))


@each_dtype
def test_plain_arrays_are_not_copied_on_their_way_to_the_kernels(monkeypatch, plain, dtype):
    Q, X = (a.astype(dtype) for a in plain)
    seen = []
    monkeypatch.setattr("fastclf._native.pairwise", lambda *args: seen.extend(args[1:3]))
    fastclf.pairwise_distances(Q, X)
    assert np.shares_memory(seen[0], Q)
    assert np.shares_memory(seen[1], X)
