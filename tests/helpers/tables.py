"""Tables of two features in all the forms in which people have them, and their values as exact fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

FAR = 2**53 + 1  # the least integer that float64 does not hold


def pandas_column(dtype):
    return lambda values: pd.DataFrame({"t": pd.Series(values, dtype=dtype), "f": [0.5, 0.25]})


def pandas_objects(convert):
    return lambda values: pd.DataFrame({"t": pd.Series(list(map(convert, values)), dtype=object), "f": [0.5, 0.25]})


def pandas_arrow(values):
    pytest.importorskip("pyarrow")
    return pandas_column("int64[pyarrow]")(values)


def pandas_signs(values):
    return pd.DataFrame({"t": pd.Series(values, dtype="uint64"), "f": pd.Series([-1, 2], dtype="int64")})


def polars_frame(values):
    return pytest.importorskip("polars").DataFrame({"t": values, "f": [0.5, 0.25]})


def polars_decimals(values):
    return polars_frame(list(map(Decimal, values)))


def polars_wide_integers(values):
    polars = pytest.importorskip("polars")
    return polars.DataFrame({"t": polars.Series(values, dtype=polars.Int128), "f": [0.5, 0.25]})


def arrow_table(values):
    return pytest.importorskip("pyarrow").table({"t": values, "f": [0.5, 0.25]})


def objects(convert):
    return lambda values: np.array([[convert(value), f] for value, f in zip(values, (0.5, 0.25), strict=True)], object)


# Name -> what makes a table of the integers in its first column, 't'.
TABLES = {
    "pandas int64": pandas_column("int64"),
    "pandas uint64": pandas_column("uint64"),
    "pandas uint64 beside int64": pandas_signs,
    "pandas Int64": pandas_column("Int64"),
    "pandas UInt64": pandas_column("UInt64"),
    "pandas Int64 alone": lambda values: pandas_column("Int64")(values)[["t"]],
    "pandas int64 alone": lambda values: pandas_column("int64")(values)[["t"]],
    "pandas Arrow": pandas_arrow,
    "pandas categories": lambda values: pandas_column("int64")(values).astype({"t": "category"}),
    "pandas objects": pandas_objects(int),
    "pandas np.int64": pandas_objects(np.int64),
    "pandas decimals": pandas_objects(Decimal),
    "pandas fractions": pandas_objects(Fraction),
    "pandas digits": pandas_objects(str),
    "pandas text": pandas_column("str") if pd.__version__ >= "3" else pandas_objects(str),
    "pandas sparse beside dense": lambda values: pandas_column("int64")(values).astype({"t": "Sparse[int64]"}),
    "polars": polars_frame,
    "polars decimals": polars_decimals,
    "polars Int128": polars_wide_integers,
    "arrow": arrow_table,
    "lists": lambda values: [[value, f] for value, f in zip(values, (0.5, 0.25), strict=True)],
    "tuples": lambda values: tuple((value, f) for value, f in zip(values, (0.5, 0.25), strict=True)),
    "list of arrays": lambda values: [np.array(values), np.array([0.5, 0.25])],
    "lists of np.int64": lambda values: [[np.int64(value), f] for value, f in zip(values, (0.5, 0.25), strict=True)],
    "objects": objects(int),
    "objects np.int64": objects(np.int64),
    "objects np.uint64": objects(np.uint64),
    "objects Decimal": objects(Decimal),
    "objects Fraction": objects(Fraction),
    "objects str": objects(str),
    "objects bytes": objects(lambda value: str(value).encode()),
}
if np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant:
    TABLES["long double"] = lambda values: np.array([[value, 1] for value in values], np.longdouble)
    TABLES["objects long double"] = objects(np.longdouble)


def fractions(name, values):
    """Return the table's rows, as fractions."""
    if name.endswith("alone"):
        return [[Fraction(value)] for value in values]
    if name == "list of arrays":
        return [[Fraction(value) for value in values], [Fraction(1, 2), Fraction(1, 4)]]
    others = {"pandas uint64 beside int64": (-1, 2), "long double": (1, 1)}.get(name, (Fraction(1, 2), Fraction(1, 4)))
    return [[Fraction(value), Fraction(other)] for value, other in zip(values, others, strict=True)]
