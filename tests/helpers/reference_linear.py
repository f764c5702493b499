"""The only expected objectives of linear models: in long double, from their definitions, slow and plain."""

from __future__ import annotations

import numpy as np
import reference_losses as losses

long = np.longdouble

# What `LinearClassifier` calls a loss: its reference, and options.
KERNELS = {
    "softmax": ("cross_entropy", {}),
    "hinge": ("hinge", {}),
    "squared_hinge": ("hinge", {"squared": True}),
    "crammer_singer": ("hinge", {"kind": "crammer_singer"}),
    "mse": ("mse", {}),
    "softmax_mse": ("softmax_mse", {}),
    "sigmoid": ("binary_cross_entropy_with_logits", {}),
}
HINGES = ("hinge", "squared_hinge", "crammer_singer")


def scores(X, W, b, centre=0):
    return (X.astype(long) - centre) @ W.astype(long).T + b


def loss_and_gradients(loss, z, y, *, margin=1.0, weight=None):
    """Mean loss, and gradients of the mean by the scores."""
    name, options = KERNELS[loss]
    options = options | ({"margin": margin} if loss in HINGES else {})
    target = np.eye(z.shape[1])[y] if loss == "sigmoid" and np.ndim(y) == 1 else y
    return losses.evaluate(name, z, target, sample_weight=weight, **options)


def objective(loss, X, y, W, b, *, l2, margin=1.0, weight=None):
    """J, and its gradients by W and b."""
    mean, gradients = loss_and_gradients(loss, scores(X, W, b), y, margin=margin, weight=weight)
    return mean + l2 * np.sum(W.astype(long) ** 2), gradients.T @ X.astype(long) + 2 * l2 * W, gradients.sum(axis=0)


def smooth_hinge(z, y, margin, smooth):
    """Sum over terms of smooth * log(1 + exp(term / smooth)), and gradients."""
    terms = (z.astype(long) - z[y] + margin) / long(smooth)
    e = np.exp(-abs(terms))
    loss = long(smooth) * (np.maximum(terms, 0) + np.log1p(e))
    gradients = np.where(terms < 0, e, 1) / (1 + e)
    loss[y] = gradients[y] = 0
    gradients[y] = -gradients.sum()
    return loss.sum(), gradients


def smooth_crammer_singer(z, y, margin, smooth):
    """smooth * log of the sum of exp(term / smooth), and gradients."""
    terms = (z.astype(long) - z[y] + margin) / long(smooth)
    terms[y] = 0
    p, _, bits = losses.soften(terms)
    p = p.copy()
    p[y] = -losses.without(p, y)
    return long(smooth) * bits[y], p


SMOOTHED = {"hinge": smooth_hinge, "crammer_singer": smooth_crammer_singer}
