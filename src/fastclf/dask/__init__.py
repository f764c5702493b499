"""Classifiers whose rows lie in the memory of several machines, on Dask.

They have the parameters of `fastclf.KNN`, `fastclf.KNNCV` and `fastclf.LinearClassifier`, and their answers. Only this
package needs Dask (``pip install "fastclf[dask]"``). docs/scale.md says what lies where, what travels, and when one
machine is better.
"""

from __future__ import annotations

try:
    import dask.array
    import distributed
except ImportError as error:
    raise ImportError(
        f'fastclf.dask needs Dask, which cannot be imported ({error}): pip install "fastclf[dask]"'
    ) from error

from fastclf.dask._cross_validation import DaskKNNCV
from fastclf.dask._linear import DaskLinearClassifier
from fastclf.dask._neighbors import DaskKNN

__all__ = ["DaskKNN", "DaskKNNCV", "DaskLinearClassifier"]

del dask, distributed
