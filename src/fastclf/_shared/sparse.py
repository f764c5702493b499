"""Exact sums of a sparse matrix's entries of one place: SciPy sums them in their own dtype."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from fastclf._shared import validation as check

_MOST_SUM = 2.0**62  # of absolute values, give or take rounding: far from what wraps in 64 bits


def with_sums(a: Any, name: str) -> Any:
    """Return a valid sparse matrix, whose indices are nobody else's, with one entry for each place.

    Sums of integers are exact, of floats the exact ones rounded once to float64; all are float32 if that holds them.
    What has no more than one entry for any place keeps its dtype.
    """
    if getattr(a, "has_canonical_format", True):
        return a
    if a.format == "coo":
        plain = a.tocsr()  # with sums in a dtype that may not hold them, if there are any
        if plain.nnz == a.nnz:
            return plain
    rows = _by_rows(a) if a.format == "coo" else a.tocsr(copy=True)
    rows.sort_indices()
    is_first = np.ones(rows.nnz, bool)
    is_first[1:] = rows.indices[1:] != rows.indices[:-1]
    is_first[rows.indptr[:-1][np.diff(rows.indptr) > 0]] = True
    if is_first.all():
        return rows
    starts = np.concatenate([[0], np.cumsum(is_first)])[rows.indptr]
    sums = _sums(rows.data, np.flatnonzero(is_first), name)
    return type(rows)((sums, rows.indices[is_first], starts.astype(rows.indptr.dtype)), shape=rows.shape)


def _by_rows(a: Any) -> Any:
    """Return a matrix of coordinates in rows, with all its entries as they are."""
    numbered = scipy.sparse.coo_array((a.data, (a.row, np.arange(a.nnz))), shape=(a.shape[0], a.nnz)).tocsr()
    form = scipy.sparse.csr_array if isinstance(a, scipy.sparse.sparray) else scipy.sparse.csr_matrix
    return form((numbered.data, a.col[numbered.indices], numbered.indptr), shape=a.shape)


def _sums(values: NDArray[Any], first: NDArray[np.intp], name: str) -> NDArray[Any]:
    """Return sums of stretches of values; each stretch begins at one of `first`."""
    held = check.kernel_array(values, name)
    if values.dtype.kind in "biu":
        return _integer_sums(values.astype(np.int64), first, name)
    if not np.isfinite(held).all():
        raise ValueError(f"Input {name} contains NaN or infinity.")
    sums = _float_sums(held.astype(np.float64), first)
    if not np.isfinite(sums).all():
        raise ValueError(f"Input {name} contains entries of the same place whose sum is beyond float64")
    with np.errstate(over="ignore"):
        narrow = sums.astype(held.dtype)
    return narrow if np.array_equal(narrow, sums) else sums


def _integer_sums(values: NDArray[np.int64], first: NDArray[np.intp], name: str) -> NDArray[np.int64]:
    most = np.add.reduceat(np.abs(values.astype(np.float64)), first)
    if most.max() >= _MOST_SUM:
        raise ValueError(f"Input {name} contains integers of the same place whose sum is beyond 2**62")
    return np.asarray(np.add.reduceat(values, first))


def _float_sums(values: NDArray[np.float64], first: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the sums, each rounded once, infinite beyond the range.

    A sum of two values is taken as it comes. So is a sum of multiples of a number, if their absolute values sum to at
    most 2**53 times that number: then no partial sum is rounded.
    """
    ends = np.append(first[1:], len(values))
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.asarray(np.add.reduceat(values, first))
        total = np.add.reduceat(np.abs(values), first)
        is_exact = (ends - first <= 2) | (total <= np.minimum.reduceat(_last_bits(values), first) * 2.0**53)
    for i in np.flatnonzero(~is_exact).tolist():
        try:
            sums[i] = math.fsum(values[first[i] : ends[i]].tolist())
        except OverflowError:
            sums[i] = np.inf
    return sums


def _last_bits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest powers of two that values are multiples of, infinity for 0."""
    fraction, exponent = np.frexp(values)
    digits = np.abs(np.ldexp(fraction, 53)).astype(np.int64)
    bits: NDArray[np.float64] = np.ldexp((digits & -digits).astype(np.float64), exponent - 53)
    bits[values == 0] = np.inf
    return bits
