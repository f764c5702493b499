"""The rows of X as solvers see them: sums of losses with gradients, scores, samples; dense or compressed.

With an intercept, a centre is subtracted from each row, and the intercept is the score at the centre.  So values far
from 0 cost no digits.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.batch import Batch
from fastclf._shared.interrupts import aside

_BLOCK_BYTES = 32 << 20  # of rows in float64

_COPIES = 16  # of a block of rows, where it is squared and divided: it is that much smaller
BYTES_OF_CACHED = 512  # a value: blocks of 65 536 values, which stay in the cache
BYTES_OF_CACHED_COPY = 128  # blocks of 2 MiB in float64

MODERATE = 1e150  # values below are

Gradients = tuple[float, NDArray[np.float64], NDArray[np.float64]]


class Rows(Protocol):
    """What solvers ask of X.

    Attributes
    ----------
    shape : tuple
        Of X.
    dtype : numpy.dtype
        What is computed in: float32 for bytes and float32, else float64.
    centre : ndarray of shape (n_features,)
        What is subtracted from each row.
    n_threads : int
        How many threads to use.
    """

    n_threads: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    centre: NDArray[np.float64]

    @property
    def peak(self) -> float:
        """The largest absolute value."""

    @property
    def moderate(self) -> bool:
        """Whether squares of the values, and sums of them, are within the range of float64."""

    def given(self, rows: slice) -> NDArray[np.float64]:
        """Return some of the rows as they are, without a centre."""

    def loss(self, batch: Batch, W: NDArray[np.float64], b: NDArray[np.float64]) -> Gradients:
        """Return the sum of the losses, and its gradients by W and b."""

    def scores(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[Any]:
        """Return the scores, in `dtype`."""

    def take(self, rows: NDArray[np.int64] | slice) -> Rows:
        """Return some of the rows, with the same centre."""

    def dense(self, rows: slice = slice(None)) -> NDArray[Any]:
        """Return some of the rows, less the centre, in `dtype`."""

    def matrix(self) -> Any:
        """Return the rows, less the centre, in what form takes least memory: to be multiplied with."""

    def squares(self) -> NDArray[np.float64]:
        """Return the mean of each feature's squares, less the centre."""

    def bent(self, bends: NDArray[np.float64], about_mean: bool) -> NDArray[np.float64]:
        """Return sums over the rows of `bends` times each feature's squares, less the centre or the mean by `bends`."""

    def shares(self) -> NDArray[np.float64]:
        """Return each row's largest share of the squares of a feature, less the centre."""

    def squared_lengths(self) -> NDArray[np.float64]:
        """Return the squared length of each row, less the centre."""

    def in_float64(self) -> Rows:
        """Return the same rows, to be computed with in float64."""


class DenseRows:
    """An array of uint8, float32 or float64 in C order, which is not copied."""

    def __init__(
        self,
        X: NDArray[Any],
        n_threads: int,
        centre: NDArray[np.float64] | None = None,
        in_float64: bool = False,
    ) -> None:
        self.X, self.n_threads, self.shape = X, n_threads, X.shape
        self.dtype = np.dtype(np.float64 if in_float64 or X.dtype == np.float64 else np.float32)
        self._centre = np.zeros(X.shape[1], self.dtype) if centre is None else centre.astype(self.dtype)
        self.centre = self._centre.astype(np.float64)

    @functools.cached_property
    def peak(self) -> float:
        """See `Rows`."""
        return max(float(self.X.max(initial=0)), -float(self.X.min(initial=0)))

    @property
    def moderate(self) -> bool:
        """See `Rows`."""
        return self.peak < MODERATE

    def given(self, rows: slice) -> NDArray[np.float64]:
        """See `Rows`."""
        return self.X[rows].astype(np.float64)

    def loss(self, batch: Batch, W: NDArray[np.float64], b: NDArray[np.float64]) -> Gradients:
        """See `Rows`."""
        of_W, of_b = np.empty(W.shape), np.empty(b.shape)
        weights = W.astype(self.dtype), b.astype(self.dtype)
        loss = _native.linear_loss(batch, self.X, self._centre, *weights, self.n_threads, of_W, of_b)
        if loss is None:
            raise overflow(self.dtype)
        return loss, of_W, of_b

    def scores(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[Any]:
        """See `Rows`."""
        scores = np.empty((len(self.X), len(W)), self.dtype)
        _native.linear_scores(self.X, self._centre, W.astype(self.dtype), b.astype(self.dtype), self.n_threads, scores)
        return scores

    def take(self, rows: NDArray[np.int64] | slice) -> DenseRows:
        """See `Rows`."""
        some = aside(_copied(rows, self.shape[1]), self.X.__getitem__, rows)
        return DenseRows(some, self.n_threads, self.centre, self.dtype == np.float64)

    def dense(self, rows: slice = slice(None)) -> NDArray[Any]:
        """See `Rows`."""
        some = self.X[rows]
        dense: NDArray[Any] = aside(some.size, np.subtract, some, self._centre, dtype=self.dtype)
        return dense

    def matrix(self) -> NDArray[Any]:
        """See `Rows`."""
        return self.dense()

    def squares(self) -> NDArray[np.float64]:
        """See `Rows`."""
        dense = self.dense()
        return aside(dense.size, _sums_of_squares, dense) / max(len(dense), 1)

    def bent(self, bends: NDArray[np.float64], about_mean: bool) -> NDArray[np.float64]:
        """See `Rows`."""
        bends, total, mean = bends.astype(self.dtype), np.zeros(self.shape[1]), np.zeros(self.shape[1], self.dtype)
        if about_mean:
            summed = sum(bends[block] @ self.dense(block) for block in row_blocks(self.shape, BYTES_OF_CACHED))
            mean = (summed / bends.sum()).astype(self.dtype)
        for block in row_blocks(self.shape, BYTES_OF_CACHED):
            dense = self.dense(block)
            dense -= mean
            dense *= dense
            total += bends[block] @ dense
        return total

    def shares(self) -> NDArray[np.float64]:
        """See `Rows`."""
        return self.shares_of(self.sums_of_squares())

    def sums_of_squares(self) -> NDArray[np.float64]:
        """Return the sum of each feature's squares, less the centre, in float64; what overflows is infinite."""
        total = np.zeros(self.shape[1])
        with np.errstate(over="ignore"):
            for block in row_blocks(self.shape, _COPIES * 8):
                total += (self.dense(block).astype(np.float64) ** 2).sum(axis=0)
        return total

    def shares_of(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each row's largest share of the squares, where each feature's sum to `total`."""
        largest = np.empty(self.shape[0])
        with np.errstate(over="ignore", invalid="ignore"):
            for block in row_blocks(self.shape, _COPIES * 8):
                squares = self.dense(block).astype(np.float64) ** 2
                largest[block] = (squares / np.where(total == 0, 1, total)).max(axis=1)
        return np.nan_to_num(largest, nan=1.0)  # of infinite squares

    def squared_lengths(self) -> NDArray[np.float64]:
        """See `Rows`."""
        found = np.empty(self.shape[0])
        for block in row_blocks(self.shape, 8):
            dense = self.dense(block)
            found[block] = aside(dense.size, functools.partial(np.einsum, dtype=np.float64), "ij,ij->i", dense, dense)
        return found

    def in_float64(self) -> DenseRows:
        """See `Rows`."""
        return self if self.dtype == np.float64 else DenseRows(self.X, self.n_threads, self.centre, True)


class SparseRows:
    """A compressed matrix, with a copy by columns: rows give scores, columns gradients.  It is not centred.

    Nobody else may hold its `indptr` and `indices`: SciPy believes what it has once looked at.
    """

    def __init__(self, X: scipy.sparse.csr_array, n_threads: int, in_float64: bool = False) -> None:
        self.X, self.n_threads, self.shape = X, n_threads, X.shape
        self.dtype = np.dtype(np.float64 if in_float64 or X.dtype == np.float64 else np.float32)
        self.centre = np.zeros(X.shape[1])
        self.compressed = Compressed.of(X)

    @functools.cached_property
    def _columns(self) -> Compressed:
        return Compressed.of(aside(self.X.nnz, self.X.tocsc))

    @functools.cached_property
    def peak(self) -> float:
        """See `Rows`."""
        return float(np.abs(self.X.data).max(initial=0))

    @property
    def moderate(self) -> bool:
        """See `Rows`."""
        return self.peak < MODERATE

    def given(self, rows: slice) -> NDArray[np.float64]:
        """See `Rows`."""
        given: NDArray[np.float64] = self.X[rows].toarray().astype(np.float64)
        return given

    def squares(self) -> NDArray[np.float64]:
        """See `Rows`."""
        total = aside(self.X.nnz, self._sums_of_squares)
        total /= max(self.shape[0], 1)
        return total

    def _sums_of_squares(self) -> NDArray[np.float64]:
        squared = self.X.data.astype(np.float64) ** 2
        total: NDArray[np.float64] = np.bincount(self.compressed.index, squared, self.shape[1]).astype(np.float64)
        return total

    def bent(self, bends: NDArray[np.float64], about_mean: bool) -> NDArray[np.float64]:
        """See `Rows`."""
        squares: NDArray[np.float64] = self.X.astype(np.float64).power(2).T @ bends
        if not about_mean:
            return squares
        least = np.finfo(np.float64).eps * squares  # what rounding leaves of a constant
        about: NDArray[np.float64] = np.maximum(squares - self.summed(bends) ** 2 / bends.sum(), least)
        return about

    def summed(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of rows times weights."""
        total: NDArray[np.float64] = self.X.astype(np.float64).T @ weights
        return total

    def loss(self, batch: Batch, W: NDArray[np.float64], b: NDArray[np.float64]) -> Gradients:
        """See `Rows`."""
        gradients, losses = self.scores(W, b), np.empty(self.shape[0])
        bad = _native.losses(batch, gradients, 1.0, self.n_threads, losses, None, gradients)
        if bad is not None:
            raise overflow(self.dtype)
        return _native.total(losses), *self.gradients(gradients)

    def gradients(self, by_scores: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return gradients by W and b, of those by the scores."""
        of_W = self._columns.times(by_scores, self.n_threads).T.astype(np.float64, order="C")
        return of_W, by_scores.sum(axis=0, dtype=np.float64)

    def scores(self, W: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[Any]:
        """See `Rows`."""
        found = self.compressed.times(W.T.astype(self.dtype, order="C"), self.n_threads)
        found += b.astype(self.dtype)
        return found

    def take(self, rows: NDArray[np.int64] | slice) -> SparseRows:
        """See `Rows`."""
        return SparseRows(self.X[rows], self.n_threads, self.dtype == np.float64)

    def dense(self, rows: slice = slice(None)) -> NDArray[Any]:
        """See `Rows`."""
        dense: NDArray[Any] = self.X[rows].toarray().astype(self.dtype, copy=False)
        return dense

    def matrix(self) -> scipy.sparse.csr_array:
        """See `Rows`."""
        return self.X

    def shares(self) -> NDArray[np.float64]:
        """See `Rows`."""
        squares = self.X.astype(np.float64).power(2)
        total = np.asarray(squares.sum(axis=0))
        total[total == 0] = 1
        shared = squares.multiply(1 / total).tocsr()
        largest: NDArray[np.float64] = np.asarray(shared.max(axis=1).toarray(), np.float64).ravel()
        return largest

    def squared_lengths(self) -> NDArray[np.float64]:
        """See `Rows`."""
        squared = self.X.data.astype(np.float64) ** 2
        of_row = np.repeat(np.arange(self.shape[0]), np.diff(self.X.indptr))
        total: NDArray[np.float64] = np.bincount(of_row, squared, self.shape[0]).astype(np.float64)
        return total

    def in_float64(self) -> SparseRows:
        """See `Rows`."""
        return self if self.dtype == np.float64 else SparseRows(self.X, self.n_threads, in_float64=True)


@dataclass(frozen=True)
class Compressed:
    """Rows of a CSR matrix, or columns of a CSC matrix, as the kernels read them."""

    start: NDArray[np.int64]
    index: NDArray[np.int32]
    value: NDArray[Any]

    @classmethod
    def of(cls, matrix: Any) -> Compressed:
        """Return a CSR or CSC matrix as the kernels read it."""
        start, index = matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int32, copy=False)
        return cls(start, index, matrix.data)

    def times(self, M: NDArray[Any], n_threads: int) -> NDArray[Any]:
        """Multiply with M."""
        out = np.empty((len(self.start) - 1, M.shape[1]), M.dtype)
        _native.sparse_product(self.start, self.index, self.value, M, n_threads, out)
        return out


def _sums_of_squares(dense: NDArray[Any]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.einsum("ij,ij->j", dense, dense, dtype=np.float64)
    return total


def _copied(rows: NDArray[np.int64] | slice, features: int) -> int:
    """Values that are copied to take these rows."""
    return 0 if isinstance(rows, slice) else len(rows) * features


def row_blocks(shape: tuple[int, int], bytes_each: int = 8) -> Iterator[slice]:
    """Yield blocks of rows, of about 32 MiB with `bytes_each` bytes a value."""
    step = max(1, _BLOCK_BYTES // max(1, shape[1] * bytes_each))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


class OverflowedError(ValueError):
    """Sums are beyond what they are computed in."""


def overflow(dtype: np.dtype[Any]) -> OverflowedError:
    """Return the error of scores that are not finite."""
    return OverflowedError(f"scores overflow {dtype} while fitting: X has values that are too large")
