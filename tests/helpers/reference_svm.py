"""Multiclass SVMs as quadratic programmes, solved by Clarabel; and slow, plain pieces of their dual."""

from __future__ import annotations

import clarabel
import numpy as np
import scipy.sparse as sp


def margin_matrix(margin, classes):
    """A margin for each true class and each other."""
    margins = np.array(np.broadcast_to(margin, (classes, classes)), float)
    np.fill_diagonal(margins, 0)
    return margins


def objective(loss, X, y, W, b, *, l2, margin=1.0, weight=None):
    """J, in long double."""
    X, W, b = (np.asarray(v, np.longdouble) for v in (X, W, b))
    scores, rows = X @ W.T + b, np.arange(len(y))
    terms = scores - scores[rows, y][:, None] + margin_matrix(margin, len(W))[y]
    terms[rows, y] = 0
    terms = np.maximum(terms, 0)
    each = {"hinge": terms.sum, "squared_hinge": (terms**2).sum, "crammer_singer": terms.max}[loss](axis=1)
    return float(np.average(each, weights=weight) + l2 * (W**2).sum())


def least(loss, X, y, *, l2, margin=1.0, weight=None, fit_intercept=True):
    """J's least value: least l2 |W|^2 + mean of slacks (or their squares), each at least 0 and at least its terms."""
    X = np.asarray(X, float)
    (n, d), classes = X.shape, int(y.max()) + 1
    margins = margin_matrix(margin, classes)
    weight = np.ones(n) if weight is None else np.asarray(weight, float)
    i = np.repeat(np.arange(n), classes - 1)
    j = np.concatenate([np.delete(np.arange(classes), c) for c in y])
    A = np.hstack([X, np.full((n, 1), float(fit_intercept))])
    width, terms = classes * (d + 1), np.arange(len(i))
    slack = i if loss == "crammer_singer" else terms
    of_W = np.zeros((len(i), classes, d + 1))
    of_W[terms, j] += A[i]
    of_W[terms, y[i]] -= A[i]
    slacks = int(slack.max()) + 1
    chosen = sp.csc_array((np.ones(len(i)), (terms, slack)), shape=(len(i), slacks))
    G = sp.vstack(
        [
            sp.hstack([sp.csc_array(of_W.reshape(len(i), width)), -chosen]),
            sp.hstack([sp.csc_array((slacks, width)), -sp.eye_array(slacks)]),
        ]
    )
    h = np.concatenate([-margins[y[i], j], np.zeros(slacks)])
    ridge = np.tile(np.append(np.full(d, 2 * l2), 1e-12), classes)  # an intercept's is there for uniqueness alone
    of_row = np.arange(n) if loss == "crammer_singer" else i
    share = weight[of_row] / weight.sum()
    squared = loss == "squared_hinge"
    P = sp.diags_array(np.append(ridge, 2 * share if squared else np.zeros(slacks)))
    q = np.concatenate([np.zeros(width), np.zeros(slacks) if squared else share])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    found = clarabel.DefaultSolver(
        sp.csc_matrix(P), q, sp.csc_matrix(G), h, [clarabel.NonnegativeConeT(len(h))], settings
    ).solve()
    assert "Solved" in str(found.status), found.status
    x = np.array(found.x)
    W = x[:width].reshape(classes, d + 1)
    b = W[:, -1] * float(fit_intercept)
    return objective(loss, X, y, W[:, :-1], b, l2=l2, margin=margin, weight=weight)


def row_solution(largest, label, u, soft=0.0):
    """The feasible a that makes sum of a u - |a|^2 / 2 - soft / 2 (its others)^2 largest, by halving in long double."""
    u = np.asarray(u, np.longdouble) - np.longdouble(u[label])
    others = np.arange(len(u)) != label

    def at(t):
        a = np.maximum(u - t, 0) / (1 + np.longdouble(soft))
        return np.where(others, a if largest or soft else np.minimum(a, 1), 0)

    if largest:  # e_label + a is on the simplex
        low, high = u.max() - 2, max(u.max(), np.longdouble(1))
        above = lambda t: at(t).sum() + max(1 - t, 0) > 1  # noqa: E731
    else:
        low, high = np.longdouble(0), max(u.max(), np.longdouble(len(u)))
        above = lambda t: at(t).sum() > t  # noqa: E731
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) else (low, middle)
    a = at(high)
    a[label] = -a.sum()
    return a.astype(float)


def lagrangian(largest, scores, y, weight, margins, multipliers, width):
    """The augmented Lagrangian's value, the sum of hinges and a, by their definitions."""
    rows = np.arange(len(y))
    terms = scores.astype(np.longdouble) - scores[rows, y][:, None] + margins[y]
    terms[rows, y] = 0
    if largest:
        a = np.array([row_solution(True, c, m + t / width) for m, t, c in zip(multipliers, terms, y, strict=True)])
        off = a - multipliers
    else:
        a = np.clip(multipliers + terms / width, 0, 1)
        a[rows, y] = 0
        off = a - multipliers
        off[rows, y] = 0
        a[rows, y] = -a.sum(axis=1)
    value = weight @ ((a * terms).sum(axis=1) - width / 2 * (off**2).sum(axis=1))
    positive = np.maximum(terms, 0)
    hinges = weight @ (positive.max(axis=1) if largest else positive.sum(axis=1))
    return float(value), float(hinges), a.astype(float)
