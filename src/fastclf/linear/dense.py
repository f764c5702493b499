"""Cholesky factors of large matrices, and solutions with them, in steps that are short enough for signals.

SciPy's LAPACK holds the interpreter's lock, so that no other thread can serve signals meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

_BLOCK = 512  # rows of a factor that are found at a time
_WHOLE = 3072  # rows of a factor that takes no longer than signals may wait
_WORK = 1 << 30  # multiplications of a step, about


def cholesky(gram: NDArray[Any]) -> NDArray[Any]:
    """Return U, with U'U = `gram`, perhaps in its place; what is below U's diagonal means nothing.

    Raises
    ------
    scipy.linalg.LinAlgError
        If `gram` is not positive definite.
    """
    n = len(gram)
    if n <= _WHOLE:
        lower = scipy.linalg.cholesky(gram.T, lower=True, overwrite_a=True, check_finite=False)  # in LAPACK's own order
        factor: NDArray[Any] = lower.T
        return factor
    for start in range(0, n, _BLOCK):
        end = min(start + _BLOCK, n)
        gram[start:end, start:end] = scipy.linalg.cholesky(gram[start:end, start:end], check_finite=False)
        if end == n:
            break
        beside = gram[start:end, end:]
        beside[:] = solved(gram[start:end, start:end], beside, "T")
        for first in range(end, n, _BLOCK):
            left = beside[:, first - end : first - end + _BLOCK]
            gram[first : first + _BLOCK, first:] -= left.T @ beside[:, first - end :]
    return gram


def solved(upper: NDArray[Any], right: NDArray[Any], side: str = "N") -> NDArray[Any]:
    """Solve U x = `right`, or U' x with side "T", for each column; U has no 0 on its diagonal."""
    # BLAS itself: of small factors `solve_triangular` takes many times as long as the solution.
    trsm, in_rows = scipy.linalg.get_blas_funcs("trsm", (upper, right)), not upper.flags.f_contiguous
    factor, transposed = (upper.T, side == "N") if in_rows else (upper, side == "T")
    parts = [
        trsm(1.0, factor, right[:, part], lower=in_rows, trans_a=transposed)
        for part in _parts(right.shape[1], len(upper) ** 2)
    ]
    return parts[0] if len(parts) == 1 else np.hstack(parts)


def _parts(columns: int, work: int) -> Iterator[slice]:
    """Stretches of columns of about `_WORK` each; one stretch, if there are no columns."""
    step = max(1, _WORK // work)
    for start in range(0, max(columns, 1), step):
        yield slice(start, start + step)
