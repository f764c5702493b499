"""The metrics that the kernels list and the dtypes that they read as they are, as parameters of tests."""

from __future__ import annotations

import ml_dtypes  # noqa: F401  # NumPy then knows bfloat16
import pytest

from fastclf import _native

METRICS = tuple(_native.metrics())
TRAITS = {metric: _native.Traits(metric) for metric in METRICS}
DISTANCES = [metric for metric in METRICS if not TRAITS[metric].is_product]  # the others are inner products
SHIFTING_METRICS = [metric for metric in DISTANCES if not TRAITS[metric].at_unit_length]  # differences alone count
SKETCHED_METRICS = [metric for metric in METRICS if TRAITS[metric].has_sketches]
BOUNDED_METRICS = [metric for metric in SKETCHED_METRICS if metric in DISTANCES]  # sketches bound a length
TREE_METRICS = [metric for metric in METRICS if TRAITS[metric].has_tree]
FLOAT_DTYPES = ("float32", "float64")
DTYPES = ("uint8", *FLOAT_DTYPES)
HALF_DTYPES = ("float16", "bfloat16")
BYTE_DTYPES = ("uint8", "int8")
ROW_DTYPES = (*DTYPES, "int8", *HALF_DTYPES)  # searches read more than losses and linear models do

each_metric = pytest.mark.parametrize("metric", METRICS)
each_distance = pytest.mark.parametrize("metric", DISTANCES)
each_shifting_metric = pytest.mark.parametrize("metric", SHIFTING_METRICS)
each_sketched_metric = pytest.mark.parametrize("metric", SKETCHED_METRICS)
each_bounded_metric = pytest.mark.parametrize("metric", BOUNDED_METRICS)
each_tree_metric = pytest.mark.parametrize("metric", TREE_METRICS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_row_dtype = pytest.mark.parametrize("dtype", ROW_DTYPES)
each_float = pytest.mark.parametrize("dtype", FLOAT_DTYPES)
