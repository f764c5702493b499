"""What looks like an array of numbers, and is none."""

from __future__ import annotations

import numpy as np
import pandas as pd

NOT_NUMBERS = r"has dtype .*; numbers are required"


class RaisesWhenRead:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("not to be read")


class LiesAboutItsShape:
    shape, ndim = (3, 3), 2

    def __len__(self):
        return 3

    def __array__(self, dtype=None, copy=None):
        return np.zeros(7)


def nullable():
    return pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [1, 2, 3], "c": [4, 5, 6]})
