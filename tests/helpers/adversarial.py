"""Builders of rows that are hard to search: from a generator, a shape and the dtype that they will have."""

from __future__ import annotations

import itertools

import numpy as np
from ml_dtypes import finfo
from names import BYTE_DTYPES, FLOAT_DTYPES


def scaled_normal(scale):
    return lambda rng, shape, _: scale * rng.normal(size=shape)


def offset_by(middle, distance):
    return lambda rng, shape, _: middle + distance / np.sqrt(shape[1]) * rng.normal(size=shape)


def integers(low, high):
    return lambda rng, shape, _: rng.integers(low, high, shape)


def choice_of(*values):
    return lambda rng, shape, _: rng.choice(values, shape)


def duplicates(rng, shape, _):
    return rng.integers(0, 200, (6, shape[1]))[rng.integers(0, 6, shape[0])]


def columns_of_every_scale(rng, shape, _):
    return rng.normal(size=shape) * 10.0 ** np.linspace(-12, 12, shape[1])


def rows_of_every_scale(rng, shape, dtype):
    most = {"float16": 4, "bfloat16": 37, "float32": 37}.get(dtype, 300)
    return rng.normal(size=shape) * 10.0 ** rng.integers(-most, most, (shape[0], 1))


def whole_range(rng, shape, dtype):
    return float(finfo(dtype).max) * rng.uniform(-1, 1, shape)


def subnormal(rng, shape, dtype):
    return float(finfo(dtype).smallest_subnormal) * rng.integers(-9, 9, shape)


def zero_rows(rng, shape, _):
    return rng.normal(size=shape) * (rng.integers(0, 3, (shape[0], 1)) > 0)


def one_ulp_apart(rng, shape, dtype):
    rows = np.tile(rng.normal(size=shape[1]).astype(dtype), (shape[0], 1))
    at = np.arange(shape[0]), rng.integers(0, shape[1], shape[0])
    rows[at] = np.nextafter(rows[at], rng.choice([-9, 9], shape[0]).astype(dtype))
    return rows


def one_outlier(rng, shape, _):
    rows = rng.normal(size=shape)
    rows[shape[0] // 2] = 1e18
    return rows


def tenths(rng, shape, _):
    """Sums that tie in decimals, and mostly not in binary."""
    return rng.integers(0, 4, shape) * 0.1


def just_above_one(rng, shape, dtype):
    return 1 + rng.integers(0, 5, shape) * float(finfo(dtype).eps)


def large_and_small(rng, shape, _):
    return rng.choice([0.0, 1.0, 1e16, 1e16 + 2], shape)


def noisy_copies(rng, shape, _):
    return rng.normal(size=shape[1]) * (1 + 10.0 ** rng.uniform(-16, -3, (shape[0], 1)) * rng.normal(size=shape))


def nearly_parallel_rows(rng, shape, _):
    """Parallel but for the rounding of each value."""
    return rng.normal(size=shape[1]) * rng.uniform(0.1, 10, (shape[0], 1))


def parallel_rows(rng, shape, _):
    return rng.normal(size=shape[1]) * 2.0 ** rng.integers(-20, 20, (shape[0], 1))


BYTES = {
    "ties": integers(0, 3),
    "all rows equal": choice_of(7),
    "duplicates": duplicates,
    "all bytes": integers(0, 256),
    "only 0 and 255": choice_of(0, 255),
}
FLOATS = {
    "normal": scaled_normal(1.0),
    "offset 1e4": offset_by(1e4, 0.1),
    "offset 1e5": offset_by(1e5, 0.1),
    "columns of every scale": columns_of_every_scale,
    "rows of every scale": rows_of_every_scale,
    "1e30": scaled_normal(1e30),
    "1e-30": scaled_normal(1e-30),
    "1e18": scaled_normal(1e18),
    "1e-18": scaled_normal(1e-18),
    "the whole range": whole_range,
    "subnormal": subnormal,
    "zero rows": zero_rows,
    "one ULP apart": one_ulp_apart,
    "one outlier": one_outlier,
    "parallel rows": parallel_rows,
    "nearly parallel rows": nearly_parallel_rows,
    "noisy copies": noisy_copies,
    "tenths": tenths,
    "just above one": just_above_one,
    "large and small": large_and_small,
    "signed zeros": choice_of(0.0, -0.0, 1.0, -1.0),
}
DOUBLES = {f"1e{e}": scaled_normal(float(f"1e{e}")) for e in (-200, -150, -130, -100, -75, 75, 100, 150, 200)}


# More, that are hard to sketch: what sums over features lose, and numbers at the ends of float32's range.


def constant_columns(rng, shape, _):
    return np.where(np.arange(shape[1]) % 3 == 0, rng.normal(size=shape), 3.3)


def duplicated_columns(rng, shape, _):
    return np.repeat(rng.normal(size=(shape[0], shape[1])), 3, axis=1)[:, : shape[1]]


def one_hot(rng, shape, _):
    return np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]


def rows_and_columns_of_every_scale(rng, shape, _):
    return rng.normal(size=shape) * 10.0 ** rng.integers(-9, 9, (shape[0], 1)) * 10.0 ** rng.integers(-9, 9, shape[1])


def near_pairs(scale):
    """Rows of which every other is near the one before."""

    def build(rng, shape, _):
        rows = rng.normal(size=shape)
        rows[1::2] = rows[: shape[0] // 2 * 2 : 2] * (1 + 0.02 * rng.normal(size=rows[1::2].shape))
        return scale * rows

    return build


def few_directions(offset):
    """Rows near a plane."""

    def build(rng, shape, _):
        return offset + rng.normal(size=(shape[0], 3)) @ rng.normal(size=(3, shape[1])) + 0.05 * rng.normal(size=shape)

    return build


SKETCHED_BYTES = {
    "one-hot": one_hot,
    "bytes near a plane": lambda rng, shape, _: (20 * few_directions(6.0)(rng, shape, None)).clip(0, 255),
}
SKETCHED_FLOATS = {
    "offset 1e8": offset_by(1e8, 0.1),
    "constant columns": constant_columns,
    "duplicated columns": duplicated_columns,
    "rows and columns of every scale": rows_and_columns_of_every_scale,
    "near a plane": few_directions(0.0),
    "near a plane, offset 300": few_directions(300.0),
    "all zero": choice_of(0.0),
    **{f"pairs, 1e{e}": near_pairs(float(f"1e{e}")) for e in (-44, -38, -37, -36, 0, 34, 35, 36, 37)},
}


EVERY_BYTES = BYTES | SKETCHED_BYTES
EVERY_FLOATS = FLOATS | SKETCHED_FLOATS
DATA = [
    *itertools.product(EVERY_BYTES, ("uint8",)),
    *itertools.product(EVERY_FLOATS, FLOAT_DTYPES),
    *itertools.product(DOUBLES, ("float64",)),
]


def built(name, dtype, shape, seed=1):
    """Rows by name, finite in their dtype; bytes are 128 less where they have a sign."""
    rows = (EVERY_BYTES | EVERY_FLOATS | DOUBLES)[name](np.random.default_rng(seed), shape, dtype)
    rows = np.nan_to_num(np.asarray(rows, dtype=np.float64))
    if dtype in BYTE_DTYPES:
        least, most = (-128, 127) if dtype == "int8" else (0, 255)
        return (np.rint(rows) + least * (name in EVERY_BYTES)).clip(least, most).astype(dtype)
    most = float(finfo(dtype).max)
    return rows.clip(-most, most).astype(dtype)
