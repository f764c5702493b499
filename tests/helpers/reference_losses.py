"""The only expected losses: row by row in long double, from their definitions, slow and accurate near 0.

A row's loss and gradients come from a function of the scores z and the target t, which is a class or a row of numbers.
`LOSSES` lists them with the options under test: rows in a list feed the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

REDUCTIONS = ("none", "mean", "sum")
long = np.longdouble


def without(a, i):
    """The sum of all but one."""
    return np.sum(a[:i]) + np.sum(a[i + 1 :])


def soften(z):
    """Probabilities p, 1 - p and -log p, each to full precision."""
    z = z.astype(long)
    top = int(np.argmax(z))
    e = np.exp(z - z[top])
    total, others = np.sum(e), without(e, top)
    rest = total - e
    rest[top] = others
    return e / total, rest / total, (z[top] - z) + np.log1p(others)


def as_row(t, n):
    """The target as numbers: a class stands for 1 there and 0 elsewhere."""
    return np.eye(n, dtype=long)[t] if np.ndim(t) == 0 else t.astype(long)


# --- a row each: loss and gradients -----------------------------------------------------------------------------------


def softmax(z):
    return soften(z)[0]


def log_softmax(z):
    return -soften(z)[2]


def cross_entropy(z, t, *, weight=None, label_smoothing=0.0):
    there = np.isfinite(z)
    t = as_row(t, len(z)) * (1 - long(label_smoothing)) + long(label_smoothing) * there / there.sum()
    t = t if weight is None else t * np.asarray(weight, long)
    p, rest, bits = soften(z)
    loss = np.sum(t[t > 0] * bits[t > 0])
    return loss, np.array([p[i] * without(t, i) - t[i] * rest[i] for i in range(len(z))])


def kl_div(z, t):
    t = t.astype(long)
    bits = soften(z)[2]
    some = t > 0
    return np.sum(t[some] * (np.log(t[some]) + bits[some])), cross_entropy(z, t)[1]


def softmax_mse(z, t):
    t = as_row(t, len(z))
    p, rest, _ = soften(z)
    d = np.where(p < 0.5, p - t, (1 - t) - rest)
    return d**2, 2 * p * np.array([rest[i] * d[i] - without(p * d, i) for i in range(len(z))])


def hinge(z, y, *, margin=1.0, kind="weston_watkins", squared=False, average=False, count_target=False, weight=None):
    n = len(z)
    margins = np.broadcast_to(np.asarray(margin, long), (n, n))[y]
    terms = np.maximum(z.astype(long) - z[y] + margins, 0)
    gradients = 2 * terms if squared else (terms > 0).astype(long)
    terms = terms**2 if squared else terms
    counts = np.arange(n) != y
    if kind == "crammer_singer":
        counts &= np.arange(n) == np.argmax(np.where(counts, terms, -1))
    gradients = np.where(counts, gradients, 0)
    gradients[y] = -np.sum(gradients)
    loss = np.sum(terms[counts]) + (terms[y] if count_target else 0)
    share = 1 if weight is None else long(weight[y])
    share = share / max(n - 1 + count_target, 1) if average else share
    return loss * share, gradients * share


def mse(s, t):
    d = s.astype(long) - as_row(t, len(s))
    return d**2, 2 * d


def binary_cross_entropy_with_logits(s, t, *, pos_weight=1.0):
    s, t, w = s.astype(long), t.astype(long), np.asarray(pos_weight, long)
    log1p = np.log1p(np.exp(-abs(s)))
    loss = (1 - t) * (np.maximum(s, 0) + log1p) + w * t * (np.maximum(-s, 0) + log1p)
    return loss, (1 - t) / (1 + np.exp(-s)) - w * t / (1 + np.exp(s))


def max_margin(s, t, *, margin=1.0):
    d = long(margin) - s.astype(long) + t.astype(long)
    return np.maximum(d, 0), -(d > 0).astype(long)


# --- a batch ----------------------------------------------------------------------------------------------------------


def reduce(rows, masses, reduction):
    """Weighted rows as one loss, and what their gradients are to be multiplied by."""
    if reduction == "none":
        return rows, long(1)
    values = rows[0].size if len(rows) else 1
    total = np.sum(masses, dtype=long) * values if reduction == "mean" else long(1)
    scale = 1 / total if total else long(0)
    return np.sum(rows, dtype=long) * scale, scale


def evaluate(name, scores, target, *, reduction="mean", sample_weight=None, ignore_index=-100, **options):
    """(loss, gradient) of a batch, in long double."""
    of_row, weight = LOSSES[name].row, options.get("weight")
    columns = scores.reshape(len(scores), -1)
    target = np.asarray(target)
    if LOSSES[name].by_score and target.shape == scores.shape:
        target = target.reshape(columns.shape)
    losses, gradients, masses = [], [], []
    for i, (z, t) in enumerate(zip(columns, target, strict=True)):
        own = long(1 if sample_weight is None else sample_weight[i])
        if own == 0 or (np.ndim(t) == 0 and t == ignore_index):
            loss, slope, mass = np.zeros(len(z) if LOSSES[name].by_score else ()), np.zeros(len(z)), 0
        else:
            loss, slope = of_row(z, t, **options)
            mass = own * (long(weight[t]) if weight is not None and np.ndim(t) == 0 else 1)
        losses.append(own * loss)
        gradients.append(own * slope)
        masses.append(mass)
    loss, scale = reduce(np.array(losses, long), np.array(masses, long), reduction)
    gradient = np.array(gradients, long).reshape(scores.shape) * scale
    return (loss.reshape(scores.shape) if LOSSES[name].by_score and reduction == "none" else loss), gradient


# --- options under test: functions are called with a generator and the scores' shape ----------------------------------


def ids(rng, shape):
    return rng.integers(0, shape[1], shape[0])


def third_ids(rng, shape):
    """Classes that `masked` leaves."""
    return 3 * rng.integers(0, (shape[1] + 2) // 3, shape[0])


def probabilities(rng, shape):
    t = rng.gamma(0.3, size=shape) + 1e-9
    t[rng.random(shape) < 0.2] = 0
    t[:, 0] += 1e-3
    return t / t.sum(axis=1, keepdims=True)


def third_probabilities(rng, shape):
    t = probabilities(rng, shape)
    t[:, np.arange(shape[1]) % 3 != 0] = 0
    return t / t.sum(axis=1, keepdims=True)


def numbers(rng, shape):
    return rng.normal(size=shape)


def bits(rng, shape):
    return rng.random(shape) < 0.5


def parts(rng, shape):
    return rng.random(shape)


def per_row(rng, shape):
    return rng.random(shape[0]) * (rng.random(shape[0]) < 0.8)


def per_class(rng, shape):
    return rng.random(shape[1]) + 0.1


def per_pair(rng, shape):
    return rng.normal(1, 1, (shape[1], shape[1]))


def masked(rng, scores):
    """Some rows without some classes."""
    scores = scores.copy()
    scores[::2, 1::3] = -np.inf
    return scores


def resolve(options, rng, scores):
    """Scores, target and keywords of a call, from a row of options."""
    made = {k: v(rng, scores.shape) if callable(v) and k != "scores" else v for k, v in options.items()}
    change = made.pop("scores", None)
    return scores if change is None else change(rng, scores), made.pop("target"), made


LABELLED = [
    {"target": ids},
    {"target": ids, "sample_weight": per_row},
    {"target": ids, "ignore_index": 1, "sample_weight": per_row},
    {"target": ids, "ignore_index": None},
]
WEIGHTED = [{"target": ids, "weight": per_class}, {"target": ids, "weight": per_class, **LABELLED[2]}]


@dataclass(frozen=True)
class Loss:
    row: Any
    options: list[dict[str, Any]]
    by_score: bool = False  # a loss for each score
    in_float64: bool = True  # computed so whatever the scores' dtype
    columns: tuple[tuple[int, ...], ...] = ((1,), (2,), (3,), (10,), (17,), (33,))
    kernels: tuple[str, ...] = ()


LOSSES = {
    "cross_entropy": Loss(
        cross_entropy,
        [
            *LABELLED,
            *WEIGHTED,
            {"target": ids, "label_smoothing": 0.1},
            {"target": ids, "label_smoothing": 1.0},
            {"target": ids, "label_smoothing": 0.3, "weight": per_class, "sample_weight": per_row, "ignore_index": 0},
            {"target": probabilities},
            {"target": probabilities, "sample_weight": per_row, "label_smoothing": 0.2, "weight": per_class},
            {"target": third_ids, "scores": masked},
            {"target": third_ids, "scores": masked, "label_smoothing": 0.1},
            {"target": third_probabilities, "scores": masked, "label_smoothing": 0.1, "weight": per_class},
        ],
        in_float64=False,
    ),
    "kl_div": Loss(
        kl_div,
        [
            {"target": probabilities},
            {"target": probabilities, "sample_weight": per_row},
            {"target": third_probabilities, "scores": masked},
        ],
        in_float64=False,
    ),
    "softmax_mse": Loss(
        softmax_mse,
        [
            *LABELLED,
            {"target": numbers, "sample_weight": per_row},
            {"target": probabilities},
            {"target": third_ids, "scores": masked},
        ],
        by_score=True,
        in_float64=False,
    ),
    "hinge": Loss(
        hinge,
        [
            *LABELLED,
            *WEIGHTED,
            *(
                {"target": ids, "margin": margin, "squared": squared, **more}
                for margin in (0.5, -0.3, per_pair)
                for squared in (False, True)
                for more in (
                    {"kind": "crammer_singer"},
                    {"average": True},
                    {"count_target": True},
                    {"average": True, "count_target": True, "weight": per_class},
                )
            ),
            {"target": ids, "kind": "crammer_singer", "weight": per_class, "sample_weight": per_row, "ignore_index": 2},
        ],
        kernels=("hinge", "crammer_singer"),
    ),
    "mse": Loss(
        mse,
        [*LABELLED, {"target": numbers}, {"target": numbers, "sample_weight": per_row}],
        by_score=True,
    ),
    "binary_cross_entropy_with_logits": Loss(
        binary_cross_entropy_with_logits,
        [
            {"target": bits},
            {"target": parts, "sample_weight": per_row},
            {"target": bits, "pos_weight": 3.0},
            {"target": parts, "pos_weight": per_class, "sample_weight": per_row},
        ],
        by_score=True,
    ),
    "max_margin": Loss(
        max_margin,
        [{"target": numbers}, {"target": numbers, "margin": -0.2}, {"target": numbers, "sample_weight": per_row}],
        by_score=True,
    ),
}
VALUES = {"softmax": softmax, "log_softmax": log_softmax}  # of each row

CASES = [(name, i) for name, loss in LOSSES.items() for i in range(len(loss.options))]
