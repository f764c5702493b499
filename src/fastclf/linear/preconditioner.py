"""Variables in which J is about equally curved in all directions: features' scales and correlations do not matter.

With H, an estimate of the Hessian that all classes share, W = V F' and F F' = H^-1.  The intercepts are those at the
mean of the rows that bend the loss, in units of their own curvature.  In these variables half the squared length of the
gradient estimates how far the objective is above its least value.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from fastclf._shared.interrupts import aside
from fastclf.linear import dense
from fastclf.linear.rows import BYTES_OF_CACHED, SparseRows, row_blocks

_MOST_DENSE = 6144  # features: a factor takes their square, and time in proportion to their cube
_DIRECTIONS = 768  # of more features, or of as few rows, that are not taken for independent

Array = NDArray[np.float64]


def sample_size(rows: int, features: int) -> int:
    """Return how many rows to learn from: more than features, if their correlations are learned one by one."""
    return min(rows, max(4000, features) if features <= _MOST_DENSE else 2 * _DIRECTIONS)


class Factor(Protocol):
    """F, with F F' = H^-1."""

    def apply(self, V: Array) -> Array:
        """Return V F'."""

    def transposed(self, G: Array) -> Array:
        """Return G F."""


class Preconditioner:
    """The change of variables: of steps from where an estimate was made.

    Where J is `of_differences` of scores, steps and gradients have no part that all classes share.
    """

    def __init__(self, factor: Factor, shift: Array, unit: float, of_differences: bool) -> None:
        self._factor, self._shift, self._unit = factor, shift, unit
        self._of_differences = of_differences

    def plain(self, v: Array, classes: int) -> tuple[Array, Array]:
        """Return how far weights and intercepts move."""
        V, beta = v[:-classes].reshape(classes, -1), v[-classes:]
        W, b = self._without_shared(self._factor.apply(V), beta * self._unit)
        return W, b - W @ self._shift

    def gradient(self, of_W: Array, of_b: Array) -> Array:
        """Return the gradient by the variables."""
        of_W, of_b = self._without_shared(of_W, of_b)
        of_V = self._factor.transposed(of_W - np.outer(of_b, self._shift))
        return np.concatenate([of_V.ravel(), of_b * self._unit])

    def _without_shared(self, W: Array, b: Array) -> tuple[Array, Array]:
        # Not `mean`, which takes longer than the products where weights are few.
        return (W - W.sum(axis=0) / len(W), b - b.sum() / len(b)) if self._of_differences else (W, b)


def precondition(
    S: NDArray[Any], bends: Array, ridge: Array, has_intercept: bool, of_differences: bool
) -> Preconditioner:
    """Learn from a sample of rows, less a centre, how much each bends J and, by feature, the penalty: `ridge`.

    The rows, `S`, are used up.
    """
    total = float(bends.sum())
    shift = np.asarray(bends.astype(S.dtype) @ S, np.float64) / total if has_intercept else np.zeros(S.shape[1])
    scale = _scale(S, shift.astype(S.dtype), np.sqrt(bends).astype(S.dtype)[:, None])
    return Preconditioner(_factor(S, scale, ridge / scale**2), shift, 1 / np.sqrt(total), of_differences)


def _scale(S: NDArray[Any], shift: NDArray[Any], weights: NDArray[Any]) -> Array:
    """Shift and weigh the rows, and divide each feature so that its squares sum to 1; return what by."""
    places = list(row_blocks(S.shape, BYTES_OF_CACHED))
    blocks, largest, squares = [S[rows] for rows in places], np.zeros_like(shift), np.zeros(len(shift))
    for block, rows in zip(blocks, places, strict=True):
        block -= shift
        block *= weights[rows]
        np.maximum(largest, abs(block).max(axis=0), out=largest)
    divisor = np.where(largest > 0, largest, 1)
    for block in blocks:
        block /= divisor
        squares += np.einsum("ij,ij->j", block, block)
    length = np.sqrt(np.where(squares > 0, squares, 1))
    for block in blocks:
        block *= (1 / length).astype(S.dtype)
    scale: Array = np.where(largest > 0, largest * length, 1)
    return scale


def diagonal(rows: SparseRows, bends: Array, ridge: Array, has_intercept: bool, of_differences: bool) -> Preconditioner:
    """Take features for independent: all that can be had in time proportional to the values of a sparse matrix."""
    total = float(bends.sum())
    shift = rows.summed(bends) / total if has_intercept else np.zeros(rows.shape[1])
    factor = Diagonal(np.sqrt(rows.bent(bends, has_intercept) + ridge))
    return Preconditioner(factor, shift, 1 / np.sqrt(total), of_differences)


def _factor(root: NDArray[Any], scale: Array, ridge: Array) -> Factor:
    """Of H = diag(scale) (root' root + diag(ridge)) diag(scale)."""
    rows, features = root.shape
    if features <= _MOST_DENSE and (rows > _DIRECTIONS or rows >= features):
        return Cholesky.of(root, scale, ridge)
    return LowRank.of(root, scale, ridge)


class Cholesky:
    """Every pair of features."""

    def __init__(self, upper: NDArray[Any], scale: Array) -> None:
        self.upper, self.scale = upper, scale

    @classmethod
    def of(cls, root: NDArray[Any], scale: Array, ridge: Array) -> Cholesky:
        """Factorise, in float64 where float32 would not do; a ridge is at least what rounding needs."""
        # Of the products: of larger ones rounding counts beside the ridge.
        most = ridge.min() / (16 * np.finfo(np.float32).eps)
        if root.dtype == np.float32 and _largest_square(root) < most:  # else the products would be made twice
            gram = _products(root.T)
            if scipy.linalg.norm(gram, check_finite=False) < most:
                return cls(_cholesky(gram, ridge), scale)
        root = root.astype(np.float64, copy=False)
        gram = _products(root.T)
        least = np.finfo(np.float64).eps * len(gram) * max(scipy.linalg.norm(gram, check_finite=False), 1.0)
        return cls(_cholesky(gram, np.maximum(ridge, least)), scale)

    def apply(self, V: Array) -> Array:
        """See `Factor`."""
        return self._solve(V, "N") / self.scale

    def transposed(self, G: Array) -> Array:
        """See `Factor`."""
        return self._solve(G / self.scale, "T")

    def _solve(self, rows: Array, side: str) -> Array:
        right = rows.T.astype(self.upper.dtype)
        found: Array = dense.solved(self.upper, right, side).T.astype(np.float64, order="C", copy=False)
        return found


def _cholesky(gram: NDArray[Any], ridge: Array) -> NDArray[Any]:
    gram[np.diag_indices_from(gram)] += ridge.astype(gram.dtype)
    return dense.cholesky(gram)


def _largest_square(root: NDArray[Any]) -> float:
    """Return an estimate, from below, of the largest eigenvalue of root' root: the power method, from the rows' sum."""
    v, along = root.sum(axis=0), np.zeros(len(root), root.dtype)
    for _ in range(3):
        length = float(np.linalg.norm(v))
        if length == 0:  # no estimate
            break
        along = root @ (v / length)
        v = along @ root
    return float(along @ along)


def _products(rows: NDArray[Any]) -> NDArray[Any]:
    """Inner products of all rows."""
    products: NDArray[Any] = aside(rows.size * len(rows), np.matmul, rows, rows.T)
    return products


class LowRank:
    """The directions in which a sample varies most; what they leave of each feature counts as independent.

    H = diag(rest) (I + Q diag(bent) Q') diag(rest).
    """

    def __init__(self, Q: Array, bent: Array, rest: Array) -> None:
        self.Q, self.rest = Q, rest
        self._down = 1 / np.sqrt(1 + bent) - 1

    @classmethod
    def of(cls, root: NDArray[Any], scale: Array, ridge: Array) -> LowRank:
        """Find the directions from inner products of rows."""
        rows = root.astype(np.float64)
        kept = rows if len(rows) <= _DIRECTIONS else _leading(rows)
        captured = (kept**2).sum(axis=0)
        left = np.maximum((rows**2).sum(axis=0) - captured, 0)
        rest = np.sqrt(left + ridge + np.finfo(np.float64).eps)
        bent, Q = _directions(kept / rest)
        return cls(Q, bent, rest * scale)

    def apply(self, V: Array) -> Array:
        """See `Factor`."""
        return (V + self._bent(V)) / self.rest

    def transposed(self, G: Array) -> Array:
        """See `Factor`."""
        scaled = G / self.rest
        return scaled + self._bent(scaled)

    def _bent(self, V: Array) -> Array:
        """Return what the directions add to V."""
        along: Array = aside(V.size * len(self._down), np.matmul, V, self.Q)
        bent: Array = aside(V.size * len(self._down), np.matmul, along * self._down, self.Q.T)
        return bent


def _leading(rows: Array) -> Array:
    """Rows with the same directions of largest variance, and as much along them."""
    _, vectors = _eigh(_products(rows))
    leading: Array = aside(rows.size * _DIRECTIONS, np.matmul, vectors[:, -_DIRECTIONS:].T, rows)
    return leading


def _directions(rows: Array) -> tuple[Array, Array]:
    """Squared lengths along orthonormal directions that make up rows' rows, and the directions as columns."""
    squares, vectors = _eigh(_products(rows))
    there = squares > np.finfo(np.float64).eps * len(rows) * max(float(squares[-1]), 0.0)
    bent = squares[there]
    return bent, aside(rows.size * len(bent), np.matmul, rows.T, vectors[:, there] / np.sqrt(bent))


def _eigh(products: Array) -> tuple[Array, Array]:
    """Eigenvalues, ascending, and vectors: by NumPy, as SciPy holds the interpreter's lock."""
    values, vectors = aside(float(len(products)) ** 3, np.linalg.eigh, products)
    return values, vectors


class Diagonal:
    """Each feature for itself."""

    def __init__(self, scale: Array) -> None:
        self.scale = np.where(scale > 0, scale, 1.0)

    def apply(self, V: Array) -> Array:
        """See `Factor`."""
        return V / self.scale

    def transposed(self, G: Array) -> Array:
        """See `Factor`."""
        return G / self.scale
