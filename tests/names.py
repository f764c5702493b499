"""The metrics that the kernels list and the dtypes that they read as they are, as parameters of tests."""

from __future__ import annotations

import pytest

from fastclf import _native

METRICS = tuple(_native.metrics())
SHIFTING_METRICS = ("l1", "l2")  # the distance does not change when both rows move together
FLOAT_DTYPES = ("float32", "float64")
DTYPES = ("uint8", *FLOAT_DTYPES)

each_metric = pytest.mark.parametrize("metric", METRICS)
each_shifting_metric = pytest.mark.parametrize("metric", SHIFTING_METRICS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_float = pytest.mark.parametrize("dtype", FLOAT_DTYPES)
