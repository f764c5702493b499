"""Losses and their gradients."""

from __future__ import annotations

import numpy as np

from fastclf import losses
from fastclf.bench.losses import SMALL_SHAPES


class Gradients:
    """Of scores of several shapes."""

    params = (SMALL_SHAPES, ("cross_entropy", "hinge"))
    param_names = ("shape", "loss")

    def setup(self, shape, loss):
        rng = np.random.default_rng(0)
        self.scores = rng.standard_normal(shape, dtype=np.float32)
        self.target = rng.integers(0, shape[1], shape[0])
        self.gradient = np.empty_like(self.scores)

    def time_loss_and_gradient(self, shape, loss):
        getattr(losses, loss)(self.scores, self.target, return_grad=True, grad_out=self.gradient)
