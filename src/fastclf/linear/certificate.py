"""A proven bound on how far weights are from the optimum: the duality gap.

Let a_i be the slope of row i's loss by its scores.  For any factors t_i in [0, 1] such that sum_i w_i t_i a_i = 0
(there is an intercept), t_i a_i are feasible in the dual problem, and

    J - J* <= sum_i w_i (loss_i - t_i (loss_i - slack_i)) + gap(W, sum_i w_i t_i a_i x_i')

where `gap` is the penalty's.  Losses are convex and at least 0.  Slopes of smoothed losses do as well: their slack is
in `Loss`; else it is 0.  With one factor for each class, the condition says that the factors, divided by their sum, are
the stationary distribution of a Markov chain: its rates from class to class are the gradients' sums by class.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf._shared.interrupts import aside
from fastclf.linear.objective import Objective
from fastclf.linear.rows import row_blocks


def duality_gap(objective: Objective, W: NDArray[np.float64], b: NDArray[np.float64], width: float) -> float:
    """Return the bound, for weights found with kinks rounded over `width`; infinite where none is known."""
    balanced = (
        objective.batch.label is not None and objective.loss.of_differences
    )  # gradients go from a class to others
    convex = objective.loss.convex and objective.penalty.is_strictly_convex
    if not convex or (objective.has_intercept and not balanced):
        return np.inf
    smooth = objective.smoothed(width)
    batch, rows = objective.batch, objective.rows
    weight = np.ones(rows.shape[0]) if batch.weight is None else batch.weight
    if objective.has_intercept:
        weight = weight * _factors(smooth, W, b)[batch.label]
    weighted = replace(smooth, batch=replace(smooth.batch, weight=weight))
    _, of_W, _ = rows.loss(weighted.batch, W, b)
    loss, _, _ = rows.loss(batch, W, b)
    kept, _, _ = rows.loss(replace(batch, weight=weight), W, b)
    slack = 0.0 if smooth.loss.slack is None or not smooth.batch.hinge_width else weighted.slack(W, b)
    return (loss - kept) * objective.scale + slack + objective.penalty.gap(W, of_W * objective.scale)


def _factors(objective: Objective, W: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factors of the classes, the largest 1, which make the gradients sum to 0."""
    classes = objective.classes
    flows = np.zeros((classes, classes))
    for block in row_blocks((objective.rows.shape[0], classes)):
        part = objective.sample(block)
        gradients = part.rows.scores(W, b)
        _native.losses(part.batch, gradients, 1.0, part.rows.n_threads, None, None, gradients)
        assert part.batch.label is not None
        np.add.at(flows, part.batch.label, gradients.astype(np.float64))
    return balancing_factors(flows)


def balancing_factors(flows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factors of the classes, the largest 1, of which the sum of factor times the class's flow is 0.

    `flows` are the gradients' sums by class, for each true class; not negative beside the diagonal.
    """
    rates = flows.copy()
    np.fill_diagonal(rates, 0)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    return _stationary(rates)


def _stationary(flows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve factors' flows = 0, of factors that are not negative and as alike as can be."""
    _, sizes, right = aside(float(len(flows)) ** 3, np.linalg.svd, flows.T)
    free = right[sizes <= max(float(sizes[-1]), 1e-14 * float(sizes[0]))]
    factors = np.maximum(free.sum(axis=1) @ free, 0)
    largest = float(factors.max())
    return factors / largest if largest > 0 else np.ones(len(flows))
