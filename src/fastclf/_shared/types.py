"""Types that several parts name."""

from __future__ import annotations

from typing import Literal

# What `fastclf._shared.validation.metric_name` knows: the kernels' metrics, and other packages' names of them.
Metric = Literal[
    "l1", "l2", "cosine", "sqeuclidean", "chebyshev", "inner_product", "manhattan", "cityblock", "euclidean"
]
