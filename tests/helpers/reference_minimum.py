"""The least value of J in long double, by Newton's method, slow and plain: what a claim of convergence is held against.

All of it is written from the definitions of the losses; nothing is shared with the solvers.
"""

from __future__ import annotations

import numpy as np

long = np.longdouble

_STEPS = 400
_DAMPINGS = tuple(long(10) ** k for k in range(-18, 7, 2))
_NARROWEST = 1e-10  # width of rounded kinks, of the margin


def _hot(y, classes):
    return y.astype(long) if y.ndim == 2 else np.eye(classes, dtype=long)[y]


def _soften(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _diagonals(rows):
    return rows[:, :, None] * np.eye(rows.shape[1], dtype=long)


# Each returns the rows' losses, and what computes their gradients by the scores and their curvature.  `hot` is 1 at the
# label.


def softmax(z, hot, margin, smooth):
    top = z.max(axis=1, keepdims=True)
    p = _soften(z)
    own = (z * hot).sum(axis=1)
    others = (np.exp(z - own[:, None]) * (1 - hot)).sum(axis=1)  # infinite where the label is far below
    with np.errstate(over="ignore"):
        near = np.log1p(others)
    loss = np.where(own == top[:, 0], near, np.log(np.exp(z - top).sum(axis=1)) + top[:, 0] - own)
    return loss, lambda: (p - hot, _diagonals(p) - p[:, :, None] * p[:, None, :])


def sigmoid(z, hot, margin, smooth):
    sign = 1 - 2 * hot
    e = np.exp(-abs(z))
    losses = np.maximum(sign * z, 0) + np.log1p(e)
    p = np.where(z >= 0, 1, e) / (1 + e)
    classes = z.shape[1]
    return losses.mean(axis=1), lambda: ((p - hot) / classes, _diagonals(e / (1 + e) ** 2) / classes)


def mse(z, hot, margin, smooth):
    classes = z.shape[1]
    bends = np.full_like(z, 2) / classes
    return ((z - hot) ** 2).mean(axis=1), lambda: (2 * (z - hot) / classes, _diagonals(bends))


def softmax_mse(z, hot, margin, smooth):
    """With Gauss and Newton's curvature."""
    p, classes = _soften(z), z.shape[1]

    def curved():
        slope = _diagonals(p) - p[:, :, None] * p[:, None, :]
        return np.einsum("rij,rj->ri", slope, 2 * (p - hot) / classes), 2 * slope @ slope / classes

    return ((p - hot) ** 2).mean(axis=1), curved


def _terms(z, hot, margin):
    return np.where(hot == 1, 0, z - (z * hot).sum(axis=1, keepdims=True) + margin)


def _from_terms(gradients, bends, hot):
    """Slopes and curvature by the scores, of those by the terms (curvature by terms is diagonal)."""
    gradients, bends = np.where(hot == 1, 0, gradients), np.where(hot == 1, 0, bends)
    full = _diagonals(bends) - bends[:, :, None] * hot[:, None, :] - hot[:, :, None] * bends[:, None, :]
    full += bends.sum(axis=1)[:, None, None] * hot[:, :, None] * hot[:, None, :]
    return gradients - hot * gradients.sum(axis=1, keepdims=True), full


def squared_hinge(z, hot, margin, smooth):
    terms = np.maximum(_terms(z, hot, margin), 0)
    return (terms**2).sum(axis=1), lambda: _from_terms(2 * terms, 2.0 * (terms > 0), hot)


def hinge(z, hot, margin, smooth):
    terms = _terms(z, hot, margin)
    if not smooth:
        return np.maximum(terms, 0).sum(axis=1), None
    e = np.exp(-abs(terms / smooth))
    losses = np.where(hot == 1, 0, np.maximum(terms, 0) + smooth * np.log1p(e))
    gradients = np.where(terms >= 0, 1, e) / (1 + e)
    return losses.sum(axis=1), lambda: _from_terms(gradients, e / (1 + e) ** 2 / smooth, hot)


def crammer_singer(z, hot, margin, smooth):
    terms = _terms(z, hot, margin)
    if not smooth:
        return terms.max(axis=1), None
    top, p = terms.max(axis=1), _soften(terms / smooth)
    loss = top + smooth * np.log(np.exp((terms - top[:, None]) / smooth).sum(axis=1))
    return loss, lambda: (p - hot, (_diagonals(p) - p[:, :, None] * p[:, None, :]) / smooth)


LOSSES = {loss.__name__: loss for loss in (softmax, hinge, squared_hinge, crammer_singer, mse, softmax_mse, sigmoid)}
KINKED = ("hinge", "crammer_singer")


class Problem:
    """J of some data; points are arrays of shape (classes, features + 1), the intercept last."""

    def __init__(self, loss, X, y, *, l2, weight=None, margin=1.0, fit_intercept=True):
        self.loss, self.l2, self.margin, self.fit_intercept = LOSSES[loss], long(l2), long(margin), fit_intercept
        classes = y.shape[1] if y.ndim == 2 else int(y.max()) + 1
        self.hot = _hot(y, classes)
        weight = np.ones(len(X)) if weight is None else weight
        self.weight = weight.astype(long) / weight.astype(long).sum()
        X = self.X = X.astype(long)
        self.centre = self.weight @ X if fit_intercept else np.zeros(X.shape[1], long)
        self.scale = abs(X - self.centre).max(axis=0)
        self.scale[self.scale == 0] = 1
        self.A = np.column_stack([(X - self.centre) / self.scale, np.full(len(X), fit_intercept, long)])
        self.ridge = np.append(self.l2 / self.scale**2, 0)

    def point(self, coef, intercept):
        """The point of these weights."""
        coef = coef.astype(long)
        return np.column_stack([coef * self.scale, intercept + coef @ self.centre])

    def of(self, coef, intercept):
        """J of weights as a model has them."""
        coef = coef.astype(long)
        losses = self.loss(self.X @ coef.T + intercept, self.hot, self.margin, 0)[0]
        return self.weight @ losses + self.l2 * (coef**2).sum()

    def value(self, v, smooth=0.0):
        """J; not finite, so never better, where the step of a nearly singular Hessian is too long for a long double."""
        with np.errstate(over="ignore", invalid="ignore"):
            losses = self.loss(self.A @ v.T, self.hot, self.margin, smooth)[0]
            return self.weight @ losses + (self.ridge * v**2).sum()

    def model(self, v, smooth=0.0):
        """J with its gradient and Hessian."""
        losses, curved = self.loss(self.A @ v.T, self.hot, self.margin, smooth)
        gradients, bends = curved()
        gradient = (gradients * self.weight[:, None]).T @ self.A + 2 * self.ridge * v
        hessian = np.einsum("r,rcd,ri,rj->cidj", self.weight, bends, self.A, self.A, optimize=False)
        hessian = hessian.reshape(v.size, v.size) + np.diag(np.tile(2 * self.ridge, len(v)))
        return self.weight @ losses + (self.ridge * v**2).sum(), gradient, hessian


def factor(matrix):
    """Cholesky's factor, or None."""
    L = np.zeros_like(matrix)
    for k in range(len(matrix)):
        column = matrix[k:, k] - L[k:, :k] @ L[k, :k]
        if not column[0] > 0:
            return None
        L[k:, k] = column / np.sqrt(column[0])
    return L


def solve(L, right):
    """Solve L L' x = right."""
    x = right.copy()
    for k in range(len(L)):
        x[k] = (x[k] - L[k, :k] @ x[:k]) / L[k, k]
    for k in reversed(range(len(L))):
        x[k] = (x[k] - L[k + 1 :, k] @ x[k + 1 :]) / L[k, k]
    return x


def step(gradient, hessian, damping):
    """Newton's step, with a part of the diagonal added; None if the Hessian is not positive definite."""
    size = np.sqrt(np.diag(hessian))
    size[size == 0] = 1
    L = factor(hessian / size / size[:, None] + damping * np.eye(len(size), dtype=long))
    return None if L is None else -(solve(L, gradient.ravel() / size) / size).reshape(gradient.shape)


def descend(problem, v, smooth=0.0, steps=_STEPS):
    """Newton's method from a point, until J falls no more."""
    for _ in range(steps):
        value, gradient, hessian = problem.model(v, smooth)
        for damping in _DAMPINGS:
            move = step(gradient, hessian, damping)
            if move is None:
                continue
            better = next((t for t in (1, 0.5, 0.1, 0.01) if problem.value(v + t * move, smooth) < value), None)
            if better is not None:
                break
        else:
            return v
        moved = v + better * move
        if value - problem.value(moved, smooth) <= 1e-13 * value:
            return moved
        v = moved
    return v


def minimum(problem):
    """A point near the optimum, from 0."""
    v = np.zeros((problem.hot.shape[1], problem.A.shape[1]), long)
    if problem.loss.__name__ not in KINKED:
        return descend(problem, v)
    width = problem.margin
    while width > _NARROWEST * problem.margin:
        v = descend(problem, v, width, 30)
        width *= long(0.2)
    return v
